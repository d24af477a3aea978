"""Hostile clients, and the limits of what each may cost.

The goals are those of a server that many people depend on. Memory is the peak of the resident set above what it was
before the client came, in a fresh process that has served a few ordinary clients.
"""
import multiprocessing
import socket
import time

import frames
from frames import BINARY, CLOSE, CONTINUATION, TEXT
from peer import PATIENCE, Peer, open_peer, request
from process import KEEPS_NOTHING_LARGE, KIB, MIB
from suite import Unexpected, expect

# For a server that takes nothing any more: after this long without progress it is taken at its word.
STALL = 1.0
# And after this long in all: it may take a little each second for ever.
ENOUGH = 15.0

# The deadline of the opening handshake, and of the closing one, where a program has no other.
HANDSHAKE_TIMEOUT = 10.0
CLOSE_TIMEOUT = 10.0
# How late a deadline may be noticed.
LATE = 1.0

# The pause after which a peer that takes nothing is given up, and as much again until somebody looks at the clock.
WRITE_TIMEOUT = 30.0


# For the slowest hundredth of a quiet client's round trips, on a machine that may have other things to do as well. What is
# really measured is in the table; this says that nobody starves.
QUIET = 0.25


class Scale:
    def __init__(self, flood, fragments, reads, idle, lives, samples):
        self.flood = flood
        self.fragments = fragments
        self.reads = reads
        self.idle = idle
        self.lives = lives
        self.samples = samples


FULL = Scale(flood=256 * MIB, fragments=500_000, reads=100_000, idle=2000, lives=5000, samples=1000)
QUICK = Scale(flood=64 * MIB, fragments=125_000, reads=25_000, idle=500, lives=5000, samples=500)


class Case:
    """`drive(server, scale)` is the client, and returns how it ended; its connections are closed when it returns."""

    # Whether it only waits, and may do so beside the others.
    waits = False
    # A figure is a property of the program, and a machine shared with others can only make it worse.
    attempts = 3

    def __init__(self, name, drive, environment=()):
        self.name = name
        self.environment = environment
        self._drive = drive

    def measure(self, server, target, scale, finding):
        raise NotImplementedError


class Peak(Case):
    """The most memory that was in use, above what was before; of many clients, beside what idle or `busy` ones cost."""

    def __init__(self, name, limit, drive, clients=0, busy=False):
        super().__init__(name, drive)
        self._limit = limit
        self._clients = clients
        self._busy = busy

    def measure(self, server, target, scale, finding):
        each = target.idle + (target.busy if self._busy else 0)
        limit = self._limit + self._clients * each
        finding.limit = mebibytes(limit)
        warm_up(server)
        before = server.resident()
        server.forget_peak()
        finding.outcome = self._drive(server, scale)
        growth = server.peak() - before
        finding.figure = mebibytes(growth)
        expect(growth <= limit, "%s", finding.outcome)
        expect_service(server)


class Kept(Case):
    """What of the memory is still in use when the client is quiet again."""

    def __init__(self, name, limit, drive, environment=()):
        super().__init__(name, drive, environment)
        self._limit = limit

    def measure(self, server, target, scale, finding):
        finding.limit = mebibytes(self._limit)
        warm_up(server)
        files = server.open_files()
        kept, finding.outcome = self._drive(server, scale)
        finding.figure = mebibytes(kept)
        expect(kept <= self._limit, "%s", finding.outcome)
        left = server.wait_for_open_files(files, 2)
        expect(left == files, "%d descriptors are open, and not %d", left, files)


class Each(Case):
    """Memory for each of many idle connections."""

    def measure(self, server, target, scale, finding):
        limit = target.idle
        finding.limit = "%d B" % limit
        warm_up(server)
        each, finding.outcome = self._drive(server, scale)
        finding.figure = "%d B" % each
        expect(each <= limit, "%s", finding.outcome)


class Until(Case):
    """How long it takes until the server ends it; for deadlines."""

    waits = True
    attempts = 2
    # What the C library keeps of a thread that has ended, for the next one.
    STACK = 16 * KIB

    def __init__(self, name, earliest, latest, drive, clients=1):
        super().__init__(name, drive)
        self._earliest = earliest
        self._latest = latest
        self._clients = clients

    def measure(self, server, target, scale, finding):
        finding.limit = "%.1f s" % self._latest
        warm_up(server)
        files = server.open_files()
        before = server.resident()
        seconds, finding.outcome = self._drive(server, scale, self._latest + 5)
        finding.figure = "%.2f s" % seconds
        expect(self._earliest <= seconds <= self._latest, "%s", finding.outcome)
        left = server.wait_for_open_files(files, 2)
        expect(left <= files, "%d descriptors are open, and not %d", left, files)
        kept = server.resident() - before
        allowed = MIB // 2 + (self._clients * self.STACK if target.threaded else 0)
        expect(kept <= allowed, "%s are kept", mebibytes(kept))


class Latency(Case):
    """How long the slowest hundredth of another client's round trips takes."""

    def __init__(self, name, limit, drive):
        super().__init__(name, drive)
        self._limit = limit

    def measure(self, server, target, scale, finding):
        finding.limit = "%.1f ms" % (self._limit * 1000)
        warm_up(server)
        seconds, finding.outcome = self._drive(server, scale)
        finding.figure = "%.2f ms" % (seconds * 1000)
        expect(seconds <= self._limit, "%s", finding.outcome)


def mebibytes(size):
    return "%+.2f MiB" % (size / MIB)


def warm_up(server):
    """Ordinary clients, so that what the first of them costs is not put down to the hostile one."""
    for _ in range(4):
        with open_peer(server) as peer:
            peer.expect_echo(frames.pattern(1000))
            peer.finish()
    with open_peer(server) as peer:
        peer.send(frames.frame(3))
        peer.expect_close(1002)
    with Peer(server.port) as peer:
        peer.send(request(without=["Host"]))
        peer.expect_refusal(400)
    time.sleep(0.05)


def expect_service(server):
    """Somebody else is served as if nothing were."""
    with open_peer(server) as peer:
        peer.expect_echo()
        peer.finish()


def push(peer, block, total, stall=STALL):
    """Sends `block`, whole frames, over and over and reads nothing: how much the server took, and why no more."""
    peer.socket.settimeout(stall)
    view = memoryview(block)
    sent = 0
    until = time.monotonic() + ENOUGH
    try:
        while sent < total:
            if time.monotonic() > until:
                return "took %.1f MiB in %.0f s" % (sent / MIB, ENOUGH)
            at = sent % len(block)
            sent += peer.socket.send(view[at:])
    except socket.timeout:
        return "took %.1f MiB, then nothing for %.1f s" % (sent / MIB, stall)
    except OSError as problem:
        return "took %.1f MiB, then cut the connection (%s)" % (sent / MIB, problem.strerror)
    finally:
        peer.socket.settimeout(PATIENCE)
    return "took all %d MiB" % (sent / MIB)


def whole(frame, size):
    """So many frames that they are about `size` bytes."""
    return frame * max(1, size // len(frame))


def never_reads(frame):
    def drive(server, scale):
        with open_peer(server, receive_buffer=4096) as peer:
            return push(peer, whole(frame, 256 * KIB), scale.flood)

    return drive


def never_reads_fragments(server, scale):
    """Messages in fragments with Pings between them."""
    part = frames.pattern(1000)
    message = (
        frames.binary(part, fin=False) + frames.ping(b"p" * 125) + frames.more(part) + frames.ping(b"q" * 125)
        + frames.last(part)
    )
    with open_peer(server, receive_buffer=4096) as peer:
        return push(peer, whole(message, 256 * KIB), scale.flood)


def many_never_read(server, scale):
    """50 clients that send what is to be echoed and read nothing."""
    block = whole(frames.binary(frames.pattern(64 * KIB)), 64 * KIB)
    peers = []
    try:
        for _ in range(50):
            peers.append(open_peer(server, receive_buffer=4096))
        for peer in peers:
            peer.socket.setblocking(False)
        sent = [0] * len(peers)
        moved = time.monotonic()
        # Until nobody gets rid of anything any more.
        while time.monotonic() - moved < STALL:
            for number, peer in enumerate(peers):
                expect(sent[number] < scale.flood, "took all %d MiB", sent[number] // MIB)
                try:
                    count = peer.socket.send(memoryview(block)[sent[number] % len(block) :])
                except BlockingIOError:
                    continue
                sent[number] += count
                moved = time.monotonic()
            time.sleep(0.001)
        return "took %.1f MiB of all of them, then nothing for %.1f s" % (sum(sent) / MIB, STALL)
    finally:
        for peer in peers:
            peer.socket.close()


def announces(length, count, behind=b""):
    """A frame of so many bytes, of which next to none come."""

    def drive(server, _scale):
        data = frames.header(BINARY, length) + behind
        peers = [open_peer(server) for _ in range(count)]
        try:
            for peer in peers:
                peer.send(data)
            if length <= 16 * MIB:
                time.sleep(0.3)
                return "waits for the rest"
            for peer in peers:
                peer.expect_frame(CLOSE, frames.close_body(1009))
            return "1009"
        finally:
            for peer in peers:
                peer.socket.close()

    return drive


def endless_fragments(server, scale):
    block = whole(frames.more(b"x"), 64 * KIB)
    with open_peer(server) as peer:
        peer.send(frames.text(b"x", fin=False))
        outcome = push(peer, block, scale.fragments * len(frames.more(b"x")))
        peer.expect_frame(CLOSE, frames.close_body(1009))
        return "1009; %s" % outcome


def one_byte_reads(frame, opcode, payload):
    """Ordinary frames, each byte by itself."""

    def drive(server, scale):
        data = whole(frame, scale.reads)
        with open_peer(server) as peer:
            for at in range(len(data)):
                peer.socket.send(data[at : at + 1])
                if (at + 1) % len(frame) == 0:
                    peer.expect_frame(opcode, payload)
            peer.finish()
        return "all answered, 1000"

    return drive


def one_message_bytewise(server, scale):
    payload = frames.pattern(scale.reads)
    with open_peer(server) as peer:
        peer.send_bytewise(frames.binary(payload))
        peer.expect_frame(BINARY, payload)
        peer.finish()
    return "echoed, 1000"


def endless_header(head, status):
    def drive(server, scale):
        with Peer(server.port) as peer:
            outcome = push(peer, head[0], len(head[0]))
            outcome = push(peer, head[1], scale.flood // 8)
            response = peer.receive_response()
            expect(response.status == status, "the status is %d", response.status)
            return "%d; %s" % (status, outcome)

    return drive


def idle_connections(server, scale):
    before = server.resident()
    peers = []
    try:
        for _ in range(scale.idle):
            peer = open_peer(server)
            peers.append(peer)
            peer.expect_echo(b"x" * 100)
        time.sleep(0.2)
        each = (server.resident() - before) // scale.idle
        for peer in peers[:: scale.idle // 10]:
            peer.expect_echo()
        return each, "%d connections, all served before" % scale.idle
    finally:
        for peer in peers:
            peer.socket.close()


def back_to_idle(size, times):
    """The memory after large messages, of a connection that stays."""

    def drive(server, _scale):
        with open_peer(server) as peer:
            peer.expect_echo()
            before = server.resident()
            payload = frames.pattern(size)
            for _ in range(times):
                peer.send(frames.binary(payload))
                peer.expect_frame(BINARY, payload)
            time.sleep(0.2)
            kept = server.resident() - before
            peer.finish()
        return kept, "echoed, 1000"

    return drive


def lives(server, scale):
    """Connections that come, talk and go, in every way in which they go."""
    for number in range(scale.lives // 10):
        live(server, number)
    time.sleep(0.2)
    before = server.resident()
    for number in range(scale.lives):
        live(server, number)
    time.sleep(0.2)
    return server.resident() - before, "%d lives" % scale.lives


def live(server, number):
    with open_peer(server) as peer:
        peer.expect_echo(b"x" * 100)
        way = number % 5
        if way < 2:
            peer.finish()
        elif way == 2:
            peer.send(frames.frame(3))
            peer.expect_close(1002)
        elif way == 3:
            peer.reset()
        # Or leaves without a word.


def drips_request(server, _scale, patience):
    """A byte a second of a good request: the deadline is for all of it."""
    data = request(extra=b"X-Filler: " + b"a" * 100 + b"\r\n")
    with Peer(server.port) as peer:
        begun = time.monotonic()
        for at in range(int(patience)):
            peer.send_as_far_as_possible(data[at : at + 1])
            peer.socket.settimeout(max(0.01, begun + at + 1 - time.monotonic()))
            try:
                peer.buffer += peer.socket.recv(1024)
                break
            except socket.timeout:
                continue
        else:
            raise Unexpected("still listening after %d s" % patience)
        seconds = time.monotonic() - begun
        peer.expect_refusal(408)
        return seconds, "408"


def says_nothing(server, _scale, patience):
    with Peer(server.port) as peer:
        begun = time.monotonic()
        peer.expect_end(patience)
        return time.monotonic() - begun, "ended without an answer"


def never_ends(script, code, count):
    """Clients that are told to go, and neither answer nor end TCP."""

    def drive(server, _scale, patience):
        files = server.open_files()
        peers = [open_peer(server) for _ in range(count)]
        try:
            begun = time.monotonic()
            for peer in peers:
                peer.send(script)
            for peer in peers:
                peer.expect_frame(CLOSE, frames.close_body(*code))
            server.wait_for_open_files(files, patience)
            return time.monotonic() - begun, "%d clients, %d" % (count, code[0])
        finally:
            for peer in peers:
                peer.socket.close()

    return drive


def never_takes(server, _scale, patience):
    """A client that has asked for more than it reads is given up, and nothing of it is kept."""
    files = server.open_files()
    with open_peer(server, receive_buffer=4096) as peer:
        push(peer, whole(frames.binary(frames.pattern(64 * KIB)), 256 * KIB), 64 * MIB)
        begun = time.monotonic()
        server.wait_for_open_files(files, patience)
        return time.monotonic() - begun, "given up"


def beside_flooder(block, reads):
    """A client with a message every other millisecond beside one that sends as fast as it can."""

    def drive(server, scale):
        stop = multiprocessing.Event()
        begun = multiprocessing.Event()
        flooder = multiprocessing.Process(
            target=flood, args=(server.port, server.path, block, reads, begun, stop), daemon=True
        )
        flooder.start()
        try:
            expect(begun.wait(20), "the flooder does not flood")
            trips = []
            message = frames.text(b"q" * 125)
            with open_peer(server) as peer:
                for _ in range(scale.samples):
                    sent = time.monotonic()
                    peer.send(message)
                    peer.expect_frame(TEXT, b"q" * 125)
                    trips.append(time.monotonic() - sent)
                    time.sleep(0.002)
                peer.finish()
        finally:
            stop.set()
            flooder.join(10)
        trips.sort()
        middle = trips[len(trips) // 2]
        return trips[len(trips) * 99 // 100], "median %.2f ms, worst %.2f ms" % (middle * 1000, trips[-1] * 1000)

    return drive


class At:
    """Where a server is, for another process."""

    def __init__(self, port, path):
        self.port = port
        self.path = path


def flood(port, path, block, reads, begun, stop):
    with open_peer(At(port, path)) as peer:
        peer.socket.setblocking(False)
        view = memoryview(block)
        echoes = bytearray(256 * KIB)
        sent = 0
        while not stop.is_set():
            idle = True
            try:
                sent += peer.socket.send(view[sent % len(block) :])
                idle = False
            except BlockingIOError:
                pass
            try:
                if reads:
                    peer.socket.recv_into(echoes)
                    idle = False
            except BlockingIOError:
                pass
            if sent > 4 * MIB or idle:
                begun.set()
            if idle:
                time.sleep(0.0005)


START = request()[:-2]

CASES = [
    Until("S-08 sends the request a byte a second", HANDSHAKE_TIMEOUT - 0.1, HANDSHAKE_TIMEOUT + LATE, drips_request),
    Until("S-08 never sends a request", HANDSHAKE_TIMEOUT - 0.1, HANDSHAKE_TIMEOUT + LATE, says_nothing),
    Until("C-28 100 that stay after a failure", 1.0, CLOSE_TIMEOUT + LATE,
        never_ends(frames.frame(3), (1002,), 100),
        clients=100),
    Until("C-28 100 that stay after their Close was answered", 1.0, CLOSE_TIMEOUT + LATE,
        never_ends(frames.close(1000), (1000,), 100), clients=100),
    Until("S-08 never reads: given up", 15.0, 2 * WRITE_TIMEOUT + 1, never_takes),
    Peak("S-09 never reads, sends Pings", MIB // 2, never_reads(frames.ping(b"p" * 125))),
    Peak("S-09 never reads, sends empty Pings", MIB // 2, never_reads(frames.ping())),
    Peak("S-07 never reads, sends messages of 125 bytes", MIB // 2, never_reads(frames.text(frames.pattern(125)))),
    Peak("S-07 never reads, sends messages of 4 KiB", MIB // 2, never_reads(frames.binary(frames.pattern(4 * KIB)))),
    Peak("S-07 never reads, sends messages of 64 KiB", MIB // 2, never_reads(frames.binary(frames.pattern(64 * KIB)))),
    Peak("S-07 never reads, sends fragments and Pings", MIB // 2, never_reads_fragments),
    Peak("S-07 50 that never read", MIB // 2, many_never_read, clients=50, busy=True),
    Peak("S-02 announces 2^62 bytes", MIB // 10, announces(2**62, 1)),
    Peak("S-02 100 that announce 2^62 bytes", MIB // 10, announces(2**62, 100), clients=100),
    # Each has a buffer of its own, and so a page of memory.
    Peak("S-02 100 that announce 16 MiB and send 100 bytes", MIB // 2, announces(16 * MIB, 100, b"x" * 100),
        clients=100),
    Peak("G-12 fragments of one byte without end", 8 * MIB // 10, endless_fragments),
    Peak("F-09 small messages, one byte a write", MIB // 10,
        one_byte_reads(frames.text(b"hello"), TEXT, b"hello")),
    Peak("F-09 one message, one byte a write", MIB // 10 + 100_000, one_message_bytewise),
    Peak("H-25 an endless field", MIB // 10, endless_header((START + b"X: ", b"x" * 64 * KIB), 431)),
    Peak("H-25 endless fields", MIB // 10, endless_header((START, b"X: y\r\n" * 10_000), 431)),
    Peak("H-25 an endless request line", MIB // 10, endless_header((b"GET /", b"x" * 64 * KIB), 414)),
    Each("G9 idle connections", idle_connections),
    Kept("G9 idle after a message of 64 KiB", MIB // 5, back_to_idle(64 * KIB, 1)),
    Kept("G9 idle after a message of 16 MiB", MIB // 2, back_to_idle(16 * MIB, 1)),
    Kept("G9 idle after five messages of 16 MiB", MIB // 2, back_to_idle(16 * MIB, 5), KEEPS_NOTHING_LARGE),
    # Twice the largest chunk that it has freed.
    Kept("G9 the same, with what the C library keeps", 2 * 17 * MIB, back_to_idle(16 * MIB, 5)),
    Kept("G13 connection lives", MIB // 5, lives),
    Latency("G12 beside one that floods and reads", QUIET,
        beside_flooder(whole(frames.text(frames.pattern(125)), 256 * KIB), True)),
    Latency("G12 beside one that floods with Pings and never reads", QUIET,
        beside_flooder(whole(frames.ping(b"p" * 20), 256 * KIB), False)),
    Latency("G12 beside one that floods with 1 MiB messages", QUIET,
        beside_flooder(frames.binary(frames.pattern(MIB)), True)),
]
