"""Limits of the request head, each at the last byte that passes and at the first that does not."""
import frames
from peer import NONCE, Peer, accept_value, request
from suite import Case, equal, expect

MAX_LINE = 8 * 1024
MAX_HEAD = 32 * 1024
MAX_FIELDS = 100


def request_line_of(size):
    line = b"GET /" + b"a" * (size - len(b"GET / HTTP/1.1")) + b" HTTP/1.1"
    return request(line)


def field_line_of(size):
    return request(extra=b"X-Filler: " + b"a" * (size - len(b"X-Filler: ")) + b"\r\n")


def fields_in_all(count):
    return request(extra=b"".join(b"X-%d: y\r\n" % number for number in range(count - 5)))


def head_of(size):
    """A head of exactly `size` bytes whose every line is short enough."""
    missing = size - len(request())
    extra = b""
    while missing > 8000:
        extra += b"A: " + b"a" * 7900 + b"\r\n"
        missing = size - len(request(extra=extra))
    extra += b"B: " + b"b" * (missing - 5) + b"\r\n"
    head = request(extra=extra)
    assert len(head) == size
    return head


def accepted(data):
    def check(server):
        with Peer(server.port) as peer:
            peer.send(data)
            peer.expect_acceptance()
            peer.expect_echo()
            peer.finish()

    return check


def refused(data, status):
    """Refused, and at the same byte when there is nothing behind it: whoever never ends a line never gets further."""

    def check(server):
        with Peer(server.port) as peer:
            peer.send(data)
            peer.expect_refusal(status)

    return check


def refused_in_pieces(data, status, size):
    def check(server):
        with Peer(server.port) as peer:
            for at in range(0, len(data), size):
                if not peer.send_as_far_as_possible(data[at : at + size]):
                    break
            peer.expect_refusal(status)

    return check


LONG_LINE = b"GET /" + b"a" * MAX_LINE
LONG_FIELD = request()[:-2] + b"X-Filler: " + b"a" * MAX_LINE
MANY_FIELDS = request()[:-2] + b"X: y\r\n" * (MAX_FIELDS - 5) + b"Y: z\r\n"
LONG_HEAD = head_of(MAX_HEAD + 1)[: MAX_HEAD + 1]


def shrugged_off(data):
    """A megabyte of a head that has long been refused: the answer arrives all the same."""

    def check(server):
        with Peer(server.port) as peer:
            peer.send_as_far_as_possible(data)
            response = peer.receive_response()
            expect(response.status in (414, 431), "the answer is %d", response.status)

    return check


def head_of_many_reads(server):
    """The largest head, a byte per read: slow work for the client and none to speak of for the server."""
    data = head_of(MAX_HEAD)
    with Peer(server.port) as peer:
        peer.send_bytewise(data)
        peer.expect_acceptance()
        peer.finish()


def key_in_the_last_field(server):
    """Nothing is forgotten of a large head: the key stands in its hundredth field."""
    data = request(
        without=["Sec-WebSocket-Key"],
        extra=b"X: y\r\n" * (MAX_FIELDS - 5) + b"Sec-WebSocket-Key: " + NONCE + b"\r\n",
    )
    with Peer(server.port) as peer:
        peer.send(data)
        response = peer.receive_head()
        equal("the status", response.status, 101)
        equal("the accept value", response.one("sec-websocket-accept"), accept_value(NONCE).decode())


def hundred_and_first_field(server):
    """CVE-2024-37890: what stands behind the last field allowed is no reason to forget, or to crash."""
    data = request(without=["Upgrade"], extra=b"X: y\r\n" * (MAX_FIELDS - 4) + b"Upgrade: websocket\r\n")
    with Peer(server.port) as peer:
        peer.send(data)
        peer.expect_refusal(431)


def frames_behind_the_largest_head(server):
    with Peer(server.port) as peer:
        peer.send(head_of(MAX_HEAD) + frames.text(b"first") + frames.close(1000))
        peer.expect_acceptance()
        peer.expect_frame(frames.TEXT, b"first")
        peer.expect_close(1000)


CASES = [
    Case("P-34 a request line of 8192 bytes", accepted(request_line_of(MAX_LINE))),
    Case("P-34 a request line of 8193 bytes", refused(request_line_of(MAX_LINE + 1), 414)),
    Case("P-34 a request line of 20000 bytes", refused(request_line_of(20000), 414)),
    Case("P-34 a request line that does not end", refused(LONG_LINE, 414)),
    Case("P-34 a request line that does not end, in pieces of 100", refused_in_pieces(LONG_LINE, 414, 100)),
    Case("P-34 a request line of a megabyte", shrugged_off(request_line_of(1024 * 1024))),
    Case("P-43 a field of 8192 bytes", accepted(field_line_of(MAX_LINE))),
    Case("P-43 a field of 8193 bytes", refused(field_line_of(MAX_LINE + 1), 431)),
    Case("P-43 a field that does not end", refused(LONG_FIELD, 431)),
    Case("P-43 a field that does not end, in pieces of 7", refused_in_pieces(LONG_FIELD, 431, 7)),
    Case("P-43 a field of a megabyte", shrugged_off(field_line_of(1024 * 1024))),
    Case("P-43 a field name that does not end", refused(request()[:-2] + b"N" * 9000, 431)),
    Case("P-43 100 fields", accepted(fields_in_all(MAX_FIELDS))),
    Case("P-43 101 fields", refused(fields_in_all(MAX_FIELDS + 1), 431)),
    Case("P-43 1000 fields", refused(fields_in_all(1000), 431)),
    Case("P-43 101 fields and no end", refused(MANY_FIELDS, 431)),
    Case("P-43 a head of 32768 bytes", accepted(head_of(MAX_HEAD))),
    Case("P-43 a head of 32769 bytes", refused(head_of(MAX_HEAD + 1), 431)),
    Case("P-43 a head of 40000 bytes", refused(head_of(40000), 431)),
    Case("P-43 a head that does not end", refused(LONG_HEAD, 431)),
    Case("P-43 a head that does not end, in pieces of 500", refused_in_pieces(LONG_HEAD, 431, 500)),
    Case("H1 the largest head, a byte per write", head_of_many_reads),
    Case("H2 the key in the hundredth field", key_in_the_last_field),
    Case("H2 Upgrade in the hundred and first field", hundred_and_first_field),
    Case("P-58 frames behind the largest head", frames_behind_the_largest_head),
]
