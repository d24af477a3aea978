"""A server's end of a connection to one run of a client program."""
import re
import socket

import frames
from frames import BINARY, CLOSE, PING, PONG, TEXT
from peer import PATIENCE, Link, accept_value
from suite import equal, expect

# What a refused client may not take longer for than it takes to start it. How soon it is has cases of its own.
AT_ONCE = 5.0

# Behind the host, so that the request shows what becomes of the rest of a URI.
RESOURCE = "/chat?room=1"


class Guest(Link):
    """A client that was accepted."""

    other = "the client"
    other_masks = True

    def receive_request(self):
        """K-05 to K-09: the request, to the letter but for its key."""
        while b"\r\n\r\n" not in self.buffer:
            expect(self.more(), "the client ended its side after %r", bytes(self.buffer))
        end = self.buffer.index(b"\r\n\r\n") + 4
        lines = bytes(self.buffer[: end - 4]).decode("ascii").split("\r\n")
        del self.buffer[:end]
        # K-14: nothing more before it is answered.
        expect(not self.buffer, "the client sent %r behind its request", bytes(self.buffer))
        equal("the request line", lines[0], "GET %s HTTP/1.1" % RESOURCE)
        fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
        key = dict(fields)["Sec-WebSocket-Key"]
        expect(re.fullmatch(r"[A-Za-z0-9+/]{21}[AQgw]==", key), "the key is %r", key)
        equal(
            "the request",
            sorted(fields),
            [
                ("Connection", "Upgrade"),
                ("Host", "127.0.0.1:%d" % self.socket.getsockname()[1]),
                ("Sec-WebSocket-Key", key),
                ("Sec-WebSocket-Version", "13"),
                ("Upgrade", "websocket"),
            ],
        )
        self.answer = accept_value(key.encode())
        self.key = key.encode()

    def accept(self, behind=b"", **changes):
        self.send(self.acceptance(**changes) + behind)

    def acceptance(self, status=b"HTTP/1.1 101 Switching Protocols", extra=b"", without=(), **replaced):
        """A good answer, or one with a single thing wrong, as `peer.request` makes requests."""
        values = {
            b"Upgrade": b"websocket",
            b"Connection": b"Upgrade",
            b"Sec-WebSocket-Accept": self.answer,
        }
        head = [status]
        for name, value in values.items():
            field = name.decode().replace("-", "_")
            value = replaced.pop(field, value)
            if name.decode() not in without:
                lines = value if isinstance(value, list) else [value]
                head.extend(name + b": " + line for line in lines)
        expect(not replaced, "the answer has no field %s", replaced)
        return b"\r\n".join(head) + b"\r\n" + extra + b"\r\n"

    def expect_gone(self):
        """K-25: the client has left without another byte, and may not even have looked at the last ones."""
        try:
            left = not self.socket.recv(1)
        except ConnectionResetError:
            left = True
        expect(left, "the client says something to a server that it should have left")

    def finish(self, code=1000):
        """Answers the client's Close, and ends TCP first, as a server does."""
        self.expect_frame(CLOSE, frames.close_body(code))
        self.send(frames.close(code, key=None))
        self.end_sending()
        self.expect_end()


class Meeting:
    """A listener, a run of the client that connects to it, and how that went."""

    def __init__(self, client, *messages):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        port = self._listener.getsockname()[1]
        self.run = client.start("ws://127.0.0.1:%d%s" % (port, RESOURCE), *messages)
        self._finished = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        if not self._finished:
            self.run.stop()

    def accept(self):
        """The client's request has been received; it is to be answered."""
        accepted, _ = self._listener.accept()
        guest = Guest(accepted)
        guest.receive_request()
        return guest

    def open(self, behind=b""):
        """The opening handshake is done."""
        guest = self.accept()
        guest.accept(behind)
        return guest

    def finish(self, seconds=AT_ONCE):
        outcome = self.run.finish(seconds)
        self._finished = True
        return outcome

    def expect_failure(self, pattern, seconds=AT_ONCE):
        """The client ends in time, says why in a line, and not by a Rust value."""
        outcome = self.finish(seconds)
        expect(outcome.code == 1, "the client says that all went well: %r", outcome)
        expect(re.search(pattern, outcome.error), "the client does not say %r: %r", pattern, outcome)
        return outcome

    def expect_success(self, output, seconds=AT_ONCE):
        outcome = self.finish(seconds)
        expect(outcome.code == 0 and outcome.output == output, "not %r: %r", output, outcome)
        return outcome


def said(messages):
    """What the client prints of messages that it receives."""
    lines = []
    for opcode, payload in messages:
        lines.append("text: " + payload.decode() if opcode == TEXT else "binary: %d bytes" % len(payload))
    return "".join(line + "\n" for line in lines)


def converse(guest):
    """What the client sends, to its Close frame: texts, the Pongs' bodies, and the body of the Close."""
    texts, pongs = [], []
    while True:
        frame = guest.receive_frame()
        expect(frame.fin, "the client sent a fragment")
        if frame.opcode == CLOSE:
            return texts, pongs, frame.payload
        expect(frame.opcode in (TEXT, PONG), "the client sent %s", frames.NAMES[frame.opcode])
        (texts if frame.opcode == TEXT else pongs).append(frame.payload)


__all__ = ["AT_ONCE", "BINARY", "CLOSE", "PING", "PONG", "RESOURCE", "TEXT", "Guest", "Meeting", "converse", "said"]
