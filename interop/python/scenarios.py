"""What every Python peer does with the echo on the other side, whichever end opened the connection.

A peer is a module with a class that adapts one library to this surface:

    send_text(str)  send_binary(bytes)
    send_fragments(list of str or of bytes)   one message, a frame for each item
    receive() -> str or bytes
    ping(bytes)                               returns when the matching Pong has come
    close(code or None, reason) -> code       the whole closing handshake; 1005 for an empty answer
    closed() -> (code, reason)                the same, begun by the other side
    subprotocol                               what was agreed on, or None

and, if the library knows permessage-deflate:

    deflate     what was agreed on, as `agreed` gives it, or None
    wire        the messages as they were on the wire, a Wire
    is_client   which end it is
"""
import json
import pathlib
import sys
import threading
import traceback
import urllib.parse

TABLE = json.loads((pathlib.Path(__file__).parent.parent / "scenarios.json").read_text("utf-8"))

# What a peer speaks as a server, beside no subprotocol at all.
SUBPROTOCOL = "chat.v1"

# For one receive or one handshake. Everything happens on the loopback.
TIMEOUT = 20


class Checks:
    """Counts what was compared, and keeps what differed."""

    def __init__(self):
        self._lock = threading.Lock()
        self.count = 0
        self.failures = []

    def equal(self, what, found, expected):
        with self._lock:
            self.count += 1
            if found != expected:
                self.failures.append("%s: %s, and not %s" % (what, shorten(found), shorten(expected)))

    def failed(self, what):
        with self._lock:
            self.failures.append("%s: %s" % (what, traceback.format_exc().strip()))

    def finish(self):
        for failure in self.failures:
            print("FAILED " + failure)
        print("%d checks passed, %d failed" % (self.count - len(self.failures), len(self.failures)), flush=True)
        return 1 if self.failures or not self.count else 0


def shorten(value):
    text = repr(value)
    return text if len(text) < 80 else "%s... of length %d" % (text[:60], len(value))


def payload(size):
    """Bytes in which no two neighbours and no two masking phases look alike."""
    pattern = bytes((i * 31 + (i >> 8) * 7 + 5) & 0xFF for i in range(65536))
    return (pattern * (size // len(pattern) + 1))[:size]


def quotes(size):
    """Text that compresses well, and in which most of what repeats is near."""
    lines, length = [], 0
    while length < size:
        number = len(lines)
        lines.append('{"id":%d,"price":%d,"volume":%d}\n' % (number, number * 7 % 1000, number * 7919 % 100003))
        length += len(lines[-1])
    return "".join(lines)[:size]


def noise(size):
    """Bytes that nothing makes shorter."""
    state, data = 1, bytearray()
    for _ in range(size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        data.append(state >> 24)
    return bytes(data)


class Wire:
    """Every data message of a connection, as whether it was compressed, its frames and its bytes."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.sent, self.received = Way(), Way()

    def since(self):
        """What was sent and received since the last call: the messages of which RSV1 was set."""
        return self.sent.since(), self.received.since()


class Way:
    def __init__(self):
        self.messages = []
        self._unfinished = [False, 0, 0]
        self._told = 0

    def frame(self, rsv1, payload):
        """A frame; what RSV1 is on a continuation the library has judged."""
        compressed, frames, sum_of_payload = self._unfinished
        self._unfinished = [compressed or bool(rsv1), frames + 1, sum_of_payload + payload]

    def finish(self):
        """That frame was the last of its message."""
        self.messages.append(self._unfinished)
        self._unfinished = [False, 0, 0]

    def since(self):
        messages = self.messages[self._told:]
        self._told = len(self.messages)
        return compressed_ones(messages)


def compressed_ones(messages):
    return [message for message in messages if message[0]]


def agreed(wanted):
    """What is agreed on if one end wants these parameters, and the other takes them."""
    return {
        "server_no_context_takeover": bool(wanted.get("server_no_context_takeover")),
        "client_no_context_takeover": bool(wanted.get("client_no_context_takeover")),
        "server_max_window_bits": wanted.get("server_max_window_bits") or 15,
        "client_max_window_bits": wanted.get("client_max_window_bits") or 15,
    }


def query(wanted):
    """The same as the query of a URL: what the server there is to want."""
    items = [name if value is True else "%s=%d" % (name, value) for name, value in wanted.items()]
    return "&".join(["deflate", *items])


def texts(peer, checks):
    for text in TABLE["texts"]:
        peer.send_text(text)
        checks.equal("text", peer.receive(), text)


def binaries(peer, checks):
    for size in TABLE["binary_sizes"]:
        data = payload(size)
        peer.send_binary(data)
        checks.equal("binary of %d bytes" % size, peer.receive(), data)


def fragments(peer, checks):
    for parts in TABLE["fragmented_texts"]:
        peer.send_fragments(parts)
        checks.equal("text in fragments", peer.receive(), "".join(parts))
    parts = [payload(size) for size in TABLE["fragment_sizes"]]
    peer.send_fragments(parts)
    checks.equal("binary in fragments", peer.receive(), b"".join(parts))


def pings(peer, checks):
    for size in TABLE["ping_payload_sizes"]:
        peer.ping(payload(size))
        checks.equal("a Pong for a Ping of %d bytes" % size, True, True)
    peer.send_text("still here")
    checks.equal("text after the Pings", peer.receive(), "still here")


def many_in_a_row(peer, checks):
    count = TABLE["messages_in_a_row"]
    for number in range(count):
        peer.send_text("message %d" % number)
    for number in range(count):
        checks.equal("order", peer.receive(), "message %d" % number)


def compressed(peer, checks):
    """On one connection: what a window is for, and what must not disturb it."""
    # With takeover a repeated message is next to nothing, without it is as long as before.
    own, other = ("client", "server") if peer.is_client else ("server", "client")
    text = TABLE["repeated_text"]

    def repeat():
        for _ in range(2):
            peer.send_text(text)
            checks.equal("compressed text", peer.receive(), text)
        for who, way in zip((own, other), peer.wire.since()):
            what = "repeated text of the %s" % who
            checks.equal("RSV1 on " + what, len(way), 2)
            if len(way) == 2:
                sizes = [payload for _, _, payload in way]
                takeover = not peer.deflate[who + "_no_context_takeover"]
                checks.equal(what + " is shorter", sizes[1] * 4 < sizes[0], takeover)
                checks.equal(what + " is as long", sizes[1] == sizes[0], not takeover)

    repeat()
    for send, data in [(peer.send_text, ""), (peer.send_binary, b""), (peer.send_fragments, ["", ""])]:
        send(data)
        empty = data if data == b"" else ""
        checks.equal("empty message", peer.receive(), empty)
    checks.equal("RSV1 on empty messages", len(peer.wire.since()[0]), 3)

    long_text = quotes(TABLE["long_text_size"])
    parts = [long_text[:1], "", long_text[1:5000], long_text[5000:]]
    for send, data, frames in [(peer.send_text, long_text, 1), (peer.send_fragments, parts, len(parts))]:
        send(data)
        checks.equal("long text", peer.receive() == long_text, True)
        ways = peer.wire.since()
        checks.equal("RSV1 on long text, both ways", [len(way) for way in ways], [1, 1])
        checks.equal("frames of long text", ways[0][0][1] >= frames, True)
        checks.equal("long text is short", [way[0][2] * 4 < len(long_text) for way in ways], [True, True])

    data = noise(TABLE["incompressible_size"])
    peer.send_binary(data)
    checks.equal("incompressible binary", peer.receive(), data)
    checks.equal("RSV1 on incompressible binary, from the library alone", [len(way) for way in peer.wire.since()], [1, 0])
    repeat()


def close_with(code, reason):
    def close(peer, checks):
        peer.send_text("before the end")
        checks.equal("text before closing", peer.receive(), "before the end")
        answered = peer.close(code, reason)
        checks.equal("the answer to Close %s" % code, answered, code or 1005)
    return close


CASES = [texts, binaries, fragments, pings, many_in_a_row, close_with(None, "")]
CASES += [close_with(code, reason) for code, reason in TABLE["closes"]]
# What compression must not change.
PLAIN_CASES = [texts, binaries, fragments, pings, many_in_a_row]


def run_case(case, peer, checks, ask=None):
    """One case on one connection, which is closed at its end; `ask` is what to do before that."""
    try:
        case(peer, checks)
        if ask:
            ask(peer)
        if not case.__qualname__.startswith("close_with"):
            checks.equal("the answer to Close 1000", peer.close(1000, ""), 1000)
    except Exception:
        checks.failed("%s, %s" % (case.__qualname__, peer.deflate))


def commands(connect, url, checks):
    """What the server does when it is asked: it pings, and it closes."""
    peer = connect(url, [])
    peer.send_text("!ping")
    checks.equal("after the server's Ping", peer.receive(), "pong")
    peer.close(1000, "")
    for code, reason in TABLE["closes"]:
        peer = connect(url, [])
        peer.send_text("!close %d %s" % (code, reason))
        checks.equal("the server's Close", peer.closed(), (code, reason))


def subprotocols(connect, url, checks, refusal):
    """Each line of the table: what is offered, and what the server then speaks."""
    for offered, expected in TABLE["subprotocols"]:
        if offered and not expected and refusal:
            # This library does what browsers do: with an offer and no answer it fails by itself.
            try:
                connect(url, offered)
                checks.equal("subprotocol for %s" % offered, "opened", "refused")
            except refusal:
                checks.equal("subprotocol for %s" % offered, "refused", "refused")
            continue
        peer = connect(url, offered)
        checks.equal("subprotocol for %s" % offered, peer.subprotocol, expected)
        peer.send_text("!subprotocol")
        checks.equal("the server's view of it", peer.receive(), expected or "none")
        peer.close(1000, "")


def not_compressed(connect, url, checks):
    """Compression takes two: neither is it forced on who does not offer it, nor on who declines."""
    for where, offered in [("?deflate", None), ("", {})]:
        peer = connect(url + where, [], offered)
        checks.equal("agreed without an offer or without an answer", peer.deflate, None)
        text = TABLE["repeated_text"] * 10
        for _ in range(2):
            peer.send_text(text)
            checks.equal("text without compression", peer.receive(), text)
        peer.send_text("!deflate")
        checks.equal("the server's view of it", peer.receive(), "null")
        peer.send_text("!wire")
        whole = [False, 1, len(text)]
        # What was sent before, and the question about the agreement.
        expected = {"received": [whole, whole, [False, 1, 8]], "sent": [whole, whole, [False, 1, 4]]}
        checks.equal("the server's view of the wire", json.loads(peer.receive()), expected)
        peer.close(1000, "")


def deflate(connect, url, checks):
    """Each set of parameters, offered by this end and then imposed by the other."""
    def expect(peer, wanted):
        checks.equal("agreed for %s" % wanted, peer.deflate, agreed(wanted))
        peer.send_text("!deflate")
        checks.equal("the server's view of it", json.loads(peer.receive()), agreed(wanted))
        # The question is forgotten on both sides.
        peer.send_text("!wire")
        peer.receive()
        peer.wire.clear()

    def ask(peer):
        """What one end has sent is what the other has received."""
        sent, received = [compressed_ones(way.messages) for way in (peer.wire.sent, peer.wire.received)]
        peer.send_text("!wire")
        seen = json.loads(peer.receive())
        checks.equal("the server's view of what was sent", compressed_ones(seen["received"]), sent)
        checks.equal("the server's view of what was received", compressed_ones(seen["sent"]), received)

    for wanted in TABLE["deflate"]:
        # A server does not say how it limits itself if it was not asked to.
        imposed = {name: value for name, value in wanted.items() if name != "server_max_window_bits"}
        for expected, offer, where in [(wanted, wanted, {}), (imposed, {}, imposed)]:
            peer = connect("%s?%s" % (url, query(where)), [], offer)
            expect(peer, expected)
            run_case(compressed, peer, checks, ask)
    for case in PLAIN_CASES:
        peer = connect("%s?%s" % (url, query({})), [], {})
        expect(peer, {})
        run_case(case, peer, checks, ask)


def as_client(connect, url, refusal, knows_deflate):
    """Every case against our server."""
    checks = Checks()
    try:
        for case in CASES:
            run_case(case, connect(url, []), checks)
        commands(connect, url, checks)
        subprotocols(connect, url, checks, refusal)
        if knows_deflate:
            not_compressed(connect, url, checks)
            deflate(connect, url, checks)
    except Exception:
        checks.failed("as a client")
    return checks.finish()


class Server:
    """Every case for a client that asks like this:

    /getCaseCount tells how many cases there are, /runCase?case=N is case N from 1, to be echoed
    until it closes, and /updateReports ends the server. Beside these, /echo echoes, and /closing
    closes with the code and the reason of the first message, as in `1001 going`. What /echo does
    about compression is what its query says, as `query` writes it.
    """

    def __init__(self, names_server_window):
        self.checks = Checks()
        self.finished = threading.Event()
        self._running = 0
        self._changed = threading.Condition()
        # Each case with the parameters that this end imposes; None stands for no compression.
        self.cases = [(case, None) for case in CASES]
        for wanted in TABLE["deflate"]:
            if not names_server_window:
                wanted = {name: value for name, value in wanted.items() if name != "server_max_window_bits"}
            self.cases.append((compressed, wanted))
        self.cases += [(case, {}) for case in PLAIN_CASES]

    def wanted(self, target):
        """What is to be accepted of the compression that the client offers: parameters, or None."""
        url = urllib.parse.urlsplit(target)
        items = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/runCase":
            return self.cases[int(items["case"]) - 1][1]
        if url.path != "/echo" or "deflate" not in items:
            return None
        items = {name: int(value) if value else True for name, value in items.items()}
        return {name: value for name, value in items.items() if name != "deflate"}

    def serve(self, peer, target):
        """One connection, from after its opening handshake to its end."""
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        try:
            if url.path == "/getCaseCount":
                peer.send_text(str(len(self.cases)))
                peer.close(1000, "")
            elif url.path == "/runCase":
                case, wanted = self.cases[int(query["case"]) - 1]
                expected = None if wanted is None else agreed(wanted)
                self._count(1)
                try:
                    self.checks.equal("agreed", peer.deflate, expected)
                    run_case(case, peer, self.checks)
                finally:
                    self._count(-1)
            elif url.path == "/updateReports":
                peer.close(1000, "")
                # The client may be through with the last case a moment before this end is.
                with self._changed:
                    self._changed.wait_for(lambda: self._running == 0, TIMEOUT)
                    self.checks.equal("cases still running", self._running, 0)
                self.finished.set()
            elif url.path == "/echo":
                peer.echo()
            elif url.path == "/closing":
                code, _, reason = peer.receive().partition(" ")
                answer = peer.close(int(code), reason)
                self.checks.equal("the answer to Close", answer, int(code))
            else:
                raise ValueError("nothing is served at %s" % target)
        except Exception:
            self.checks.failed(target)

    def _count(self, step):
        with self._changed:
            self._running += step
            self._changed.notify_all()

    def finish(self):
        self.finished.wait()
        return self.checks.finish()


def main(connect, serve=None, refusal=None, knows_deflate=True, names_server_window=True):
    """The roles of a peer, from the command line.

    `connect` takes a URL, a list of subprotocols and the parameters of permessage-deflate to offer,
    or None for no offer, and gives a peer; `serve` takes a Server and runs until it is finished;
    `refusal` is what `connect` raises if none of the subprotocols is agreed on, for a library that
    fails then; `names_server_window` is whether the library, as a server, can say
    server_max_window_bits where the client did not ask for it.
    """
    if sys.argv[1:2] == ["client"] and len(sys.argv) == 3:
        return as_client(connect, sys.argv[2], refusal, knows_deflate)
    if sys.argv[1:] == ["server"] and serve:
        return serve(Server(names_server_window))
    print("usage: %s client URL%s" % (sys.argv[0], " | server" if serve else ""), file=sys.stderr)
    return 2
