"""What every Python peer does with the echo on the other side, whichever end opened the connection.

A peer is a module with a class that adapts one library to this surface:

    send_text(str)  send_binary(bytes)
    send_fragments(list of str or of bytes)   one message, a frame for each item
    receive() -> str or bytes
    ping(bytes)                               returns when the matching Pong has come
    close(code or None, reason) -> code       the whole closing handshake; 1005 for an empty answer
    closed() -> (code, reason)                the same, begun by the other side
    subprotocol                               what was agreed on, or None
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


def close_with(code, reason):
    def close(peer, checks):
        peer.send_text("before the end")
        checks.equal("text before closing", peer.receive(), "before the end")
        answered = peer.close(code, reason)
        checks.equal("the answer to Close %s" % code, answered, code or 1005)
    return close


CASES = [texts, binaries, fragments, pings, many_in_a_row, close_with(None, "")]
CASES += [close_with(code, reason) for code, reason in TABLE["closes"]]


def run_case(number, peer, checks):
    """One case on one connection, which is closed at its end."""
    case = CASES[number]
    try:
        case(peer, checks)
        if not case.__qualname__.startswith("close_with"):
            checks.equal("the answer to Close 1000", peer.close(1000, ""), 1000)
    except Exception:
        checks.failed("case %d, %s" % (number, case.__qualname__))


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


def as_client(connect, url, refusal):
    """Every case against our server."""
    checks = Checks()
    try:
        for number in range(len(CASES)):
            run_case(number, connect(url, []), checks)
        commands(connect, url, checks)
        subprotocols(connect, url, checks, refusal)
    except Exception:
        checks.failed("as a client")
    return checks.finish()


class Server:
    """Every case for a client that asks like this:

    /getCaseCount tells how many cases there are, /runCase?case=N is case N from 1, to be echoed
    until it closes, and /updateReports ends the server. Beside these, /echo echoes, and /closing
    closes with the code and the reason of the first message, as in `1001 going`.
    """

    def __init__(self):
        self.checks = Checks()
        self.finished = threading.Event()

    def serve(self, peer, target):
        """One connection, from after its opening handshake to its end."""
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        try:
            if url.path == "/getCaseCount":
                peer.send_text(str(len(CASES)))
                peer.close(1000, "")
            elif url.path == "/runCase":
                run_case(int(query["case"]) - 1, peer, self.checks)
            elif url.path == "/updateReports":
                peer.close(1000, "")
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

    def finish(self):
        self.finished.wait()
        return self.checks.finish()


def main(connect, serve=None, refusal=None):
    """The roles of a peer, from the command line.

    `connect` takes a URL and a list of subprotocols, and gives a peer; `serve` takes a Server and
    runs until it is finished; `refusal` is what `connect` raises if none of the subprotocols is
    agreed on, for a library that fails then.
    """
    if sys.argv[1:2] == ["client"] and len(sys.argv) == 3:
        return as_client(connect, sys.argv[2], refusal)
    if sys.argv[1:] == ["server"] and serve:
        return serve(Server())
    print("usage: %s client URL%s" % (sys.argv[0], " | server" if serve else ""), file=sys.stderr)
    return 2
