"""A raw TCP connection, and the judge of every byte that comes from its other end."""
import base64
import hashlib
import socket
import struct
import time

import frames
from frames import NAMES
from suite import Unexpected, equal, expect, shorten

# For anything that has to come at once. Long enough for a busy machine; how soon things come has cases of its own.
PATIENCE = 8.0

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NONCE = b"dGhlIHNhbXBsZSBub25jZQ=="


def accept_value(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


DEFAULT_FIELDS = (
    (b"Host", b"localhost"),
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Key", NONCE),
    (b"Sec-WebSocket-Version", b"13"),
)


def request(line=b"GET / HTTP/1.1", without=(), extra=b"", **replaced):
    """A good opening handshake, or one with a single thing wrong.

    `without` names fields to leave away, `Sec_WebSocket_Key=b"x"` replaces a value (a list: several lines), `extra`
    is put behind the fields as it is.
    """
    head = [line]
    values = {name.replace("_", "-").encode().lower(): value for name, value in replaced.items()}
    for name, value in DEFAULT_FIELDS:
        value = values.pop(name.lower(), value)
        if name.decode() not in without:
            lines = value if isinstance(value, list) else [value]
            head.extend(name + b": " + value for value in lines)
    expect(not values, "the request has no field %s", values)
    return b"\r\n".join(head) + b"\r\n" + extra + b"\r\n"


class Response:
    """A response head and its body."""

    def __init__(self, head, body=b""):
        self.head = head
        self.body = body
        lines = head[:-4].split(b"\r\n")
        parts = lines[0].split(b" ", 2)
        expect(parts[0] == b"HTTP/1.1" and len(parts) == 3 and parts[1].isdigit(), "status line: %r", lines[0])
        self.status = int(parts[1])
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(b": ")
            expect(colon and name and value == value.strip(), "a line of the response is %r", line)
            self.fields.append((name.lower().decode(), value.decode()))

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    def one(self, name):
        values = self.all(name)
        expect(len(values) == 1, "the %d response has %s %s", self.status, name, values)
        return values[0]


class Frame:
    def __init__(self, fin, opcode, payload):
        self.fin = fin
        self.opcode = opcode
        self.payload = payload


class Link:
    """One connection. Receiving is strict: what the other end may not send is an error wherever it appears."""

    # Who is at the other end, and whether it has to mask.
    other = "the server"
    other_masks = False

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        # The masking keys that have been used.
        self.keys = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_bytewise(self, data):
        for at in range(len(data)):
            self.socket.sendall(data[at : at + 1])

    def send_as_far_as_possible(self, data):
        """For data that the other end may refuse on the way: how much of it went out."""
        sent = 0
        view = memoryview(data)
        try:
            while sent < len(data):
                sent += self.socket.send(view[sent : sent + 65536])
        except OSError:
            pass
        return sent

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends the connection with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def more(self):
        """Reads once. `False`: the other end has ended its side."""
        try:
            received = self.socket.recv(262144)
        except ConnectionResetError:
            raise Unexpected("%s reset the connection after %s" % (self.other, shorten(self.buffer))) from None
        except socket.timeout:
            raise Unexpected("nothing came within %.1f s; before that %s" % (
                self.socket.gettimeout(), shorten(self.buffer))) from None
        self.buffer += received
        return bool(received)

    def exactly(self, count):
        while len(self.buffer) < count:
            expect(self.more(), "%s ended after %s", self.other, shorten(self.buffer))
        taken = bytes(memoryview(self.buffer)[:count])
        del self.buffer[:count]
        return taken

    def receive_frame(self):
        """The next frame, judged: masked by a client and never by a server, no reserved bit, shortest length, control
        frames short and whole."""
        first, second = self.exactly(2)
        opcode, length = first & 15, second & 127
        expect(first & 0x70 == 0, "%s set reserved bits: %02x", self.other, first)
        expect(opcode in NAMES, "%s sent opcode %d", self.other, opcode)
        expect((second & 128 != 0) == self.other_masks, "%s sent a frame with the mask bit %d", self.other, second >> 7)
        fin = first & 128 != 0
        if length == 126:
            length = int.from_bytes(self.exactly(2), "big")
            expect(length > 125, "%s wrote a length of %d in 16 bits", self.other, length)
        elif length == 127:
            length = int.from_bytes(self.exactly(8), "big")
            expect(65535 < length < 2**63, "%s wrote a length of %d in 64 bits", self.other, length)
        if opcode >= 8:
            expect(fin and length <= 125, "%s sent a bad control frame of %d bytes", self.other, length)
        if not self.other_masks:
            return Frame(fin, opcode, self.exactly(length))
        key = self.exactly(4)
        expect(key not in self.keys, "%s used the masking key %s twice", self.other, key)
        self.keys.add(key)
        return Frame(fin, opcode, frames.masked(self.exactly(length), key))

    def expect_frame(self, opcode, payload):
        frame = self.receive_frame()
        expect(
            frame.opcode == opcode and frame.fin and frame.payload == payload,
            "%s sent %s%s %s, and not %s %s",
            self.other,
            "" if frame.fin else "the beginning of a ",
            NAMES[frame.opcode],
            shorten(frame.payload),
            NAMES[opcode],
            shorten(payload),
        )

    def expect_end(self, seconds=PATIENCE):
        """The other end ends its side of TCP, with a FIN and without another byte."""
        self.socket.settimeout(seconds)
        try:
            while self.more():
                pass
        finally:
            self.socket.settimeout(PATIENCE)
        expect(not self.buffer, "%s went on with %s", self.other, shorten(self.buffer))

    def expect_close(self, code):
        """A Close frame with this code and no reason, then the end of TCP; nothing in between."""
        self.expect_frame(frames.CLOSE, frames.close_body(code))
        self.expect_end()


class Peer(Link):
    """A client's end."""

    def __init__(self, port, receive_buffer=None):
        connected = socket.socket()
        connected.settimeout(PATIENCE)
        if receive_buffer is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connected.connect(("127.0.0.1", port))
        super().__init__(connected)

    def receive_head(self):
        while b"\r\n\r\n" not in self.buffer:
            expect(self.more(), "the server ended its side after %s", shorten(self.buffer))
        return Response(self.exactly(self.buffer.index(b"\r\n\r\n") + 4))

    def receive_response(self):
        response = self.receive_head()
        if response.status >= 200:
            response.body = self.exactly(int(response.one("content-length")))
        return response

    def expect_refusal(self, status):
        """A complete refusal, and then the end of TCP, whatever else was sent."""
        response = self.receive_response()
        equal("the status", response.status, status)
        check_refusal(response)
        self.expect_end()
        return response

    def expect_acceptance(self, key=NONCE):
        """The 101, to the letter."""
        response = self.receive_head()
        expect(response.status == 101, "the answer is %s", shorten(response.head))
        equal(
            "the response",
            sorted(response.fields),
            [
                ("connection", "Upgrade"),
                ("sec-websocket-accept", accept_value(key).decode()),
                ("upgrade", "websocket"),
            ],
        )

    def expect_echo(self, payload=b"still there"):
        self.send(frames.text(payload))
        self.expect_frame(frames.TEXT, payload)

    def finish(self, code=1000):
        """A whole closing handshake."""
        self.send(frames.close(code))
        self.expect_close(code)


def open_peer(server, **options):
    """A connection whose opening handshake is done."""
    peer = Peer(server.port, **options)
    try:
        peer.send(request(b"GET %s HTTP/1.1" % server.path.encode()))
        peer.expect_acceptance()
    except BaseException:
        peer.socket.close()
        raise
    return peer


# What each status owes its receiver beside a short text (RFC 9110 section 15, RFC 6455 section 4.2.2).
OWED = {
    405: {"allow": "GET"},
    426: {"upgrade": "websocket", "sec-websocket-version": "13"},
}


def check_refusal(response):
    """H-29, P-13: a short text, its length, and the promise to close."""
    options = [option.strip().lower() for option in response.one("connection").split(",")]
    expect("close" in options, "a refusal says Connection: %s", options)
    expect(("upgrade" in options) == (response.status == 426), "a refusal says Connection: %s", options)
    expect(response.one("content-type").startswith("text/plain"), "a refusal is %s", response.fields)
    expect(0 < len(response.body) <= 200, "the body of a refusal is %r", response.body)
    for name, value in OWED.get(response.status, {}).items():
        equal(name, response.one(name), value)
    known = {"connection", "content-type", "content-length", "allow", "upgrade", "sec-websocket-version"}
    strange = [name for name, _ in response.fields if name not in known]
    expect(not strange, "a refusal has fields %s", strange)


def timed(action):
    begun = time.monotonic()
    action()
    return time.monotonic() - begun
