"""The closing handshake, every close code, and who ends TCP when."""
import time

import frames
from frames import BINARY, CLOSE, PONG, TEXT, close, close_body, frame, more, ping, pong, text
from peer import Peer, open_peer, request
from suite import Case, Measuring, Waiting, expect

# INDEX decision 2: what may stand in a Close frame.
GOOD = [*range(1000, 1004), *range(1007, 1015), 3000, 3001, 3008, 3500, 3998, 3999, 4000, 4001, 4500, 4998, 4999]
BAD = [0, 1, 100, 255, 256, 999, 1004, 1005, 1006, *range(1015, 1020), 1100, 1499, 1999, 2000, 2001, 2500, 2999, 5000,
       5001, 9999, 32767, 32768, 65534, 65535]

# G12: after a closing handshake TCP ends within this time.
PROMPT = 0.1


def reply(script, code):
    """One Close frame in return, and the end of TCP."""

    def check(server):
        with open_peer(server) as peer:
            peer.send(script)
            peer.expect_close(code)

    return check


def reply_in_one_write(script, code):
    def check(server):
        with Peer(server.port) as peer:
            peer.send(request() + script)
            peer.expect_acceptance()
            peer.expect_close(code)

    return check


def reply_bytewise(script, code):
    def check(server):
        with open_peer(server) as peer:
            peer.send_bytewise(script)
            peer.expect_close(code)

    return check


TABLE = [
    *(("C-13 CC-33 code %d" % code, close(code), code) for code in GOOD),
    *(("C-13 CC-33 code %d with a reason" % code, close(code, b"because"), code) for code in GOOD),
    *(("C-09 CC-34 code %d" % code, close(code), 1002) for code in BAD),
    *(("C-09 CC-34 code %d with a reason" % code, close(code, b"because"), 1002) for code in BAD),
    ("C-13 CC-32 no code", close(), None),
    ("C-08 CC-34 a body of one byte", frame(CLOSE, b"\x03"), 1002),
    ("C-08 CC-34 a body of one zero", frame(CLOSE, b"\0"), 1002),
    ("C-08 a reason of 123 bytes", close(1000, b"r" * 123), 1000),
    ("C-08 a reason of 123 bytes of euro signs", close(1000, "€".encode() * 41), 1000),
    ("C-08 a reason of 124 bytes", close(1000, b"r" * 124), 1002),
    ("C-10 CC-35 a reason that is not UTF-8", close(1000, b"\xff"), 1007),
    ("C-10 a reason that ends inside a character", close(1000, b"\xe2\x82"), 1007),
    ("C-09 a bad code and a bad reason: the code counts", close(1005, b"\xff"), 1002),
    ("C-33 inside a message", text(b"a", fin=False) + more(b"b") + close(1001), 1001),
    ("C-17 a Ping behind the Close", close(1000) + ping(b"x"), 1000),
    ("C-17 messages behind the Close", close(1000) + text(b"x") * 10, 1000),
    ("C-17 another Close behind the Close", close(1000) + close(1001), 1000),
    ("C-17 a protocol error behind the Close", close(1000) + frame(3) + text(b"x", key=None), 1000),
    ("C-17 bytes that are no frames behind the Close", close(1000) + b"\xff" * 1000, 1000),
    ("C-16 a Close behind a protocol error", frame(3) + close(1000), 1002),
    ("C-16 a bad Close behind a protocol error", frame(3) + close(1005), 1002),
    ("C-16 two bad Closes", close(1005) + close(1006), 1002),
    ("C-13 behind an unanswered Pong", pong(b"x") + close(4000), 4000),
]


def table():
    for name, script, code in TABLE:
        yield Case(name + " (one write)", reply(script, code))
        yield Case(name + " (with the request)", reply_in_one_write(script, code))
        yield Case(name + " (bytewise)", reply_bytewise(script, code))


def messages_before_close(server):
    """What came before the Close is answered before it."""
    with open_peer(server) as peer:
        peer.send(text(b"one") + ping(b"two") + frame(BINARY, b"three") + close(1000))
        peer.expect_frame(TEXT, b"one")
        peer.expect_frame(PONG, b"two")
        peer.expect_frame(BINARY, b"three")
        peer.expect_close(1000)


def end_and_close(data):
    """The client ends its side of TCP behind its last byte; it is answered all the same."""

    def check(server):
        with open_peer(server) as peer:
            peer.send(data)
            peer.end_sending()
            peer.expect_close(1000 if data == close(1000) else 1002)

    return check


def unread_megabyte(bad, code):
    """C-25: a megabyte that the server never looks at does not cost the client the Close frame."""

    def check(server):
        with open_peer(server) as peer:
            peer.send(bad + text(b"x" * 1024) * 1024)
            # Time for a server that closed its socket to reset the connection.
            time.sleep(0.3)
            peer.expect_close(code)

    return check


def unread_megabyte_refused(server):
    """H-29: nor does it cost a refused client the reason."""
    with Peer(server.port) as peer:
        peer.send(request(without=["Host"]) + b"x" * 900 * 1024)
        time.sleep(0.3)
        peer.expect_refusal(400)


def echoes_before_failure(server):
    """What was sent before the bad frame is answered, though nobody read until then."""
    with open_peer(server) as peer:
        peer.send(text(b"x" * 1000) * 50 + frame(3))
        time.sleep(0.1)
        for _ in range(50):
            peer.expect_frame(TEXT, b"x" * 1000)
        peer.expect_close(1002)


def ends_first(script, code):
    """C-14, C-26, G12: the server ends TCP first, and soon."""

    def check(server):
        with open_peer(server) as peer:
            peer.send(script)
            peer.expect_frame(CLOSE, close_body(code))
            begun = time.monotonic()
            peer.expect_end(2)
            took = time.monotonic() - begun
            expect(took <= PROMPT, "the server ended TCP %.0f ms after its Close", took * 1000)

    return check


def refusal_ends_first(server):
    with Peer(server.port) as peer:
        peer.send(request(without=["Host"]))
        peer.receive_response()
        begun = time.monotonic()
        peer.expect_end(2)
        took = time.monotonic() - begun
        expect(took <= PROMPT, "the server ended TCP %.0f ms after its refusal", took * 1000)


def frees_at_once(finish):
    """A client that leaves in good order costs nothing any more, within 100 ms."""

    def check(server):
        with server.another() as fresh:
            with open_peer(fresh) as peer:
                peer.expect_echo()
                peer.finish()
            time.sleep(0.2)
            before = fresh.open_files()
            with open_peer(fresh) as peer:
                finish(peer)
            begun = time.monotonic()
            left = fresh.wait_for_open_files(before, 2)
            took = time.monotonic() - begun
            expect(left <= before, "%d descriptors are open, and not %d", left, before)
            expect(took <= PROMPT, "it took %.0f ms to let go of the connection", took * 1000)

    return check


def leave_without_word(peer):
    peer.expect_echo()


def leave_inside_frame(peer):
    peer.send(text(b"x" * 1000)[:100])


def leave_inside_message(peer):
    peer.send(text(b"x", fin=False))


def leave_by_close(peer):
    peer.finish()


def leave_by_reset(peer):
    peer.expect_echo()
    peer.reset()


def leave_before_reading_close(peer):
    peer.send(close(1000))


def leave_after_failure(peer):
    peer.send(frame(3))
    peer.expect_close(1002)


def leaves_no_close(how):
    """CC-44: to a client that vanished nothing is said, and no Close frame in particular."""

    def check(server):
        with open_peer(server) as peer:
            how(peer)
            peer.end_sending()
            peer.expect_end()

    return check


def half_open_end(delay_code):
    """C-28, G12: a client that never ends its side is let go within the close deadline of 10 s."""
    script, code = delay_code

    def check(server):
        with server.another() as fresh:
            time.sleep(0.2)
            before = fresh.open_files()
            with open_peer(fresh) as peer:
                peer.send(script)
                peer.expect_close(code)
                begun = time.monotonic()
                left = fresh.wait_for_open_files(before, 13)
                took = time.monotonic() - begun
                expect(left <= before, "%d descriptors are open after 13 s, and not %d", left, before)
                expect(took > 1, "the server waited %.1f s for the client to end", took)

    return check


def half_open_drip(server):
    """The same for one that goes on talking: what it says does not put the deadline off."""
    with server.another() as fresh:
        time.sleep(0.2)
        before = fresh.open_files()
        with open_peer(fresh) as peer:
            peer.send(close(1000))
            peer.expect_close(1000)
            deadline = time.monotonic() + 13
            while fresh.open_files() > before:
                expect(time.monotonic() < deadline, "the server still listens after 13 s")
                try:
                    peer.send(ping(b"x"))
                except OSError:
                    break
                time.sleep(0.2)


def half_open_refused(server):
    """A refused client that stays: within the handshake deadline of 10 s it is let go."""
    with server.another() as fresh:
        time.sleep(0.2)
        before = fresh.open_files()
        with Peer(fresh.port) as peer:
            peer.send(request(without=["Host"]))
            peer.expect_refusal(400)
            left = fresh.wait_for_open_files(before, 13)
            expect(left <= before, "%d descriptors are open after 13 s, and not %d", left, before)


def endless_data_after_failure(server):
    """Bytes thrown away after the end have a limit: a client that floods for ever is cut off."""
    with open_peer(server) as peer:
        peer.send(frame(3))
        peer.expect_frame(CLOSE, close_body(1002))
        block = b"\0" * 1024 * 1024
        sent = sum(peer.send_as_far_as_possible(block) for _ in range(64))
        expect(sent < 64 * len(block), "the server took 64 MiB after it had failed the connection")


def crossing(server):
    """C-15: both ends send Close at once; each sends one and no more."""
    with open_peer(server) as peer:
        peer.send(frame(3))
        peer.send(close(1000))
        peer.expect_close(1002)


def long_conversation(server):
    """Thousands of messages on one connection, pipelined, and a clean end."""
    with open_peer(server) as peer:
        for _ in range(20):
            peer.send(b"".join(text(b"%d" % number) for number in range(200)))
            for number in range(200):
                peer.expect_frame(TEXT, b"%d" % number)
        peer.finish(3999)


CASES = [
    *table(),
    Case("C-13 everything before the Close is answered first", messages_before_close),
    Case("C-15 Close frames that cross", crossing),
    Case("C-21 a Close and then the end of the client's side", end_and_close(close(1000))),
    Case("C-24 a bad frame and then the end of the client's side", end_and_close(frame(3))),
    Case("C-24 echoes before a failure", echoes_before_failure),
    Case("C-25 a megabyte behind a bad frame", unread_megabyte(frame(3), 1002)),
    Case("C-25 a megabyte behind a Close", unread_megabyte(close(1001), 1001)),
    Case("C-25 a megabyte behind a frame that is too large", unread_megabyte(frames.header(BINARY, 2**62), 1009)),
    Case("C-25 a megabyte behind text that is not UTF-8", unread_megabyte(text(b"\xff"), 1007)),
    Case("H-29 a megabyte behind a refused request", unread_megabyte_refused),
    Case("C-25 endless data behind a bad frame", endless_data_after_failure),
    Case("CC-44 the client ends without a word", leaves_no_close(leave_without_word)),
    Case("CC-44 the client ends inside a frame", leaves_no_close(leave_inside_frame)),
    Case("CC-44 the client ends inside a message", leaves_no_close(leave_inside_message)),
    Case("C-13 thousands of messages, then a Close", long_conversation),
    Measuring("C-26 TCP ends within 100 ms of a Close", ends_first(close(1000), 1000)),
    Measuring("C-26 TCP ends within 100 ms of a Close without a code", ends_first(close(), None)),
    Measuring("C-26 TCP ends within 100 ms of a failure", ends_first(frame(3), 1002)),
    Measuring("C-26 TCP ends within 100 ms of text that is not UTF-8", ends_first(text(b"\xff"), 1007)),
    Measuring("C-26 TCP ends within 100 ms of a frame that is too large",
        ends_first(frames.header(BINARY, 2**62), 1009)),
    Measuring("H-29 TCP ends within 100 ms of a refusal", refusal_ends_first),
    Measuring("G13 nothing is left of a client that closed", frees_at_once(leave_by_close)),
    Measuring("G13 nothing is left of a client that vanished", frees_at_once(leave_without_word)),
    Measuring("G13 nothing is left of a client that vanished inside a frame", frees_at_once(leave_inside_frame)),
    Measuring("G13 nothing is left of a client that vanished inside a message", frees_at_once(leave_inside_message)),
    Measuring("G13 nothing is left of a client that reset the connection", frees_at_once(leave_by_reset)),
    Measuring("G13 nothing is left of a client that did not wait for the Close",
        frees_at_once(leave_before_reading_close)),
    Measuring("G13 nothing is left of a client that failed", frees_at_once(leave_after_failure)),
    Waiting("C-28 a client that stays after the closing handshake", half_open_end((close(1000), 1000))),
    Waiting("C-28 a client that stays after a failure", half_open_end((frame(3), 1002))),
    Waiting("C-28 a client that talks on after the closing handshake", half_open_drip),
    Waiting("C-28 a client that stays after a refusal", half_open_refused),
]

