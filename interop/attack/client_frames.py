"""Frames that a client must take or refuse: those of the server's tables without their masks, and what only a server can
get wrong. A client that fails a connection sends its Close frame, ends TCP, and says why."""
import time

import frames
import server_closing
import server_frames
from client_peer import Meeting, converse, said
from frames import (
    BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_body, frame, header, ping, text, unmasked,
)
from process import KIB, MIB
from server_utf8 import INVALID_ROWS, SHAPES, VALID_ROWS, frame_per_byte
from suite import Case, Measuring, Waiting, equal, expect

# What the client says of its own last message; a conversation that goes well ends with it.
END = b"the end"

CLOSE_TIMEOUT = 10.0
LATE = 2.0

# RFC 6455 section 7.4.1, in the words of the error.
REASONS = {
    1002: "bad frame|reserved bit|masked frame|continued a message|began a message|bad Close",
    1007: "not UTF-8|bad Close",
    1009: "size limit|too many fragments",
}


class Script:
    """What a server sends, and what is to come of it: messages received, Pongs, and the code of the client's Close."""

    def __init__(self, data, expected):
        self.data = unmasked(data)
        self.messages = [item for item in expected if item[0] in (TEXT, BINARY)]
        self.pongs = [payload for opcode, payload in expected if opcode == PONG]
        closes = [payload for opcode, payload in expected if opcode == CLOSE]
        self.close = closes[0] if closes else None
        if self.close is None:
            self.data += text(END, key=None)
            self.messages.append((TEXT, END))


def play(script, deliver, closes=False):
    """The client asks once for each message, and once more if that is to fail."""

    def check(client):
        failing = script.close is not None
        arguments = ["m%d" % number for number in range(len(script.messages) + failing)]
        with Meeting(client, *arguments) as meeting, meeting.accept() as guest:
            deliver(guest, script.data)
            texts, pongs, close = converse(guest)
            asked = [argument.encode() for argument in arguments]
            equal("what the client sent", texts, asked[: len(texts)] if failing else asked)
            equal("the Pongs", pongs, script.pongs)
            equal("the Close frame", close, close_body(1000) if script.close is None else script.close)
            output = said(script.messages)
            if failing and not closes:
                expect_failed_end(guest)
                code = int.from_bytes(close[:2], "big")
                outcome = meeting.expect_failure(REASONS[code])
                equal("what the client says", outcome.output, output)
                return
            if not failing:
                guest.send(frames.close(1000, key=None))
            guest.end_sending()
            guest.expect_end()
            code = 1005 if not close else int.from_bytes(close[:2], "big")
            outcome = meeting.finish()
            expect(outcome.code == 0 and outcome.output.startswith("%sclosed: %d " % (output, code)), "%r", outcome)

    return check


def expect_failed_end(guest):
    """C-23: the client ends its side behind its Close frame, and leaves when the server, which goes first, has ended too."""
    guest.expect_end()
    guest.end_sending()


def in_one_write(guest, data):
    guest.accept()
    # A client that fails early may be gone before the rest.
    guest.send_as_far_as_possible(data)


def with_the_answer(guest, data):
    guest.send_as_far_as_possible(guest.acceptance() + data)


def bytewise(guest, data):
    guest.accept()
    for at in range(len(data)):
        if not guest.send_as_far_as_possible(data[at : at + 1]):
            break


def rows(table, deliver=in_one_write, closes=False):
    how = {in_one_write: "one write", with_the_answer: "with the answer", bytewise: "bytewise"}[deliver]
    for row, title, data, expected in table:
        yield Case("client: %s %s (%s)" % (row, title, how), play(Script(data, expected), deliver, closes))


def without(table, *left_out):
    """A table without what does not hold for a client."""
    return [row for row in table if not any(word in " ".join(row[:2]) for word in left_out)]


def fails(code):
    return [(CLOSE, close_body(code))]


# Of frames that are all bad in the same way, some.
SHARED = [
    *server_frames.RESERVED_BITS[::3],
    *server_frames.RESERVED_OPCODES,
    *without(server_frames.LENGTH_FORMS[::2]),
    *without(server_frames.TOO_LARGE, "mask"),
    *without(server_frames.HEADERS_ONLY, "mask"),
    *without(server_frames.STREAMS, "request"),
    *without(server_frames.FRAGMENTS, "Close inside"),
    *server_frames.CONTROLS,
    *without(server_frames.LENGTHS[::3], "1000000"),
]

MASKED = [
    ("M-04", "%s of %d bytes with the mask %s" % (frames.NAMES[opcode], len(payload), key.hex()),
        frame(opcode, payload, key=key))
    for opcode, payload in (
        (TEXT, b"Hello"), (TEXT, b""), (BINARY, b"x" * 300), (PING, b""), (PONG, b"x"), (CLOSE, b"\x03\xe8"),
        (CONTINUATION, b""),
    )
    for key in (frames.KEY, bytes(4))
] + [
    ("M-04", "a mask in a continuation", text(b"a", fin=False, key=None) + frames.last(b"b")),
    ("M-04", "a mask, the header only", header(TEXT, 100)),
    ("M-04", "a mask counts before the size", header(TEXT, 2**62)),
]


class Raw(Script):
    """One that stays as it is."""

    def __init__(self, data, expected):
        super().__init__(b"", expected)
        self.data = data


def masked_cases():
    for row, title, data in MASKED:
        yield Case("client: %s %s" % (row, title), play(Raw(data, fails(1002)), in_one_write))
    good = text(b"Hello", key=None)
    script = Raw(good + frames.text(b"Hello"), [(TEXT, b"Hello"), *fails(1002)])
    yield Case("client: M-04 a mask behind a good message", play(script, with_the_answer))


def utf8_cases():
    for shape, make in SHAPES.items():
        for row, data, _ in INVALID_ROWS:
            name = "client: %s %s, %s" % (row, data.hex(), shape)
            yield Case(name, play(Script(make(data), fails(1007)), in_one_write))
    for row, data in VALID_ROWS:
        name = "client: %s %s" % (row, data.hex() or "nothing")
        yield Case(name, play(Script(frame_per_byte(data), [(TEXT, data)]), in_one_write))
    for row, data, at in INVALID_ROWS:
        if at is not None:
            begun = header(TEXT, 1000) + frames.masked(data[: at + 1])
            yield Case("client: U-04 %s %s, and no more" % (row, data.hex()),
                play(Script(begun, fails(1007)), in_one_write))


def closing_cases():
    """A Close of the server's: one in return, and the end of TCP behind the server's."""
    for name, data, code in server_closing.TABLE:
        # C-13 says which are good, 1002 and 1007 among them.
        good = "C-13" in name or code not in (1002, 1007)
        script = Script(data, [(CLOSE, close_body(code))])
        yield Case("client: " + name, play(script, in_one_write, closes=good))
        if good:
            yield Case("client: %s (with the answer)" % name, play(script, with_the_answer, closes=True))


def ends(pattern, data, seconds=3.0):
    """CC-44: the server is gone without a Close frame; nothing is said to it, and the client says so."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.accept(behind=unmasked(data))
            guest.expect_frame(TEXT, b"hello")
            guest.end_sending()
            guest.expect_end()
            meeting.expect_failure(pattern, seconds)

    return check


def resets(data):
    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.accept(behind=unmasked(data))
            guest.expect_frame(TEXT, b"hello")
            guest.reset()
            meeting.expect_failure("reset|left without")

    return check


def tells_all_before_the_end(client):
    """C-24: what came before the failure is delivered."""
    with Meeting(client, "a", "b", "c") as meeting, meeting.accept() as guest:
        guest.accept(behind=text(b"1", key=None) + text(b"2", key=None) + b"\x83\x00")
        texts, _, close = converse(guest)
        equal("the Close frame", close, close_body(1002))
        expect(texts == [b"a", b"b", b"c"][: len(texts)], "the client sent %r", texts)
        expect_failed_end(guest)
        outcome = meeting.expect_failure("bad frame")
        equal("what the client says", outcome.output, said([(TEXT, b"1"), (TEXT, b"2")]))


def data_behind_our_close(client):
    """C-18: after the client's Close the server may still talk; it is not held against it."""
    with Meeting(client) as meeting, meeting.accept() as guest:
        guest.accept()
        guest.expect_frame(CLOSE, close_body(1000))
        guest.send(text(b"more", key=None) * 100 + ping(b"p", key=None) + frames.binary(b"x" * 100_000, key=None))
        guest.expect_frame(PONG, b"p")
        guest.send(frames.close(1000, b"bye", key=None))
        guest.end_sending()
        guest.expect_end()
        meeting.expect_success("closed: 1000 bye\n")


def failure_behind_our_close(client):
    """C-16, CC-48: the client has sent its Close; for what is wrong now it sends no other."""
    with Meeting(client) as meeting, meeting.accept() as guest:
        guest.accept()
        guest.expect_frame(CLOSE, close_body(1000))
        guest.send(b"\x83\x00")
        expect_failed_end(guest)
        meeting.expect_failure("bad frame")


def data_behind_their_close(client):
    """C-17: nothing counts behind the server's Close."""
    with Meeting(client, "hello") as meeting, meeting.accept() as guest:
        guest.accept()
        guest.expect_frame(TEXT, b"hello")
        guest.send(unmasked(frames.close(3000, b"off") + text(b"late") + ping(b"p")) + b"\xff" * 5000)
        guest.expect_frame(CLOSE, close_body(3000))
        guest.end_sending()
        guest.expect_end()
        meeting.expect_success("closed: 3000 off\n")


def closes_cross(client):
    """C-15: both at once, each its own code; each end tells the other's (CC-49)."""
    with Meeting(client) as meeting, meeting.accept() as guest:
        guest.accept(behind=frames.close(4001, b"mine", key=None))
        frame = guest.receive_frame()
        expect(frame.opcode == CLOSE and frame.payload in (close_body(1000), close_body(4001)), "%r", frame.payload)
        guest.end_sending()
        guest.expect_end()
        meeting.expect_success("closed: 4001 mine\n")


def prompt_end(client):
    """G12: when the server has ended TCP, so has the client within 100 ms."""
    with Meeting(client) as meeting, meeting.accept() as guest:
        guest.accept()
        guest.expect_frame(CLOSE, close_body(1000))
        guest.send(frames.close(1000, key=None))
        guest.end_sending()
        begun = time.monotonic()
        guest.expect_end()
        took = time.monotonic() - begun
        expect(took <= 0.1, "the client ended TCP %.0f ms after the server", took * 1000)
        meeting.expect_success("closed: 1000 \n")


def waits_out(pattern, serve, output="", code=1):
    """The deadline of the closing handshake is for all of it. `serve` gets the connection behind the client's Close, and
    is asked again and again until the client has left."""

    def check(client):
        with Meeting(client) as meeting, meeting.accept() as guest:
            guest.accept()
            guest.expect_frame(CLOSE, close_body(1000))
            begun = time.monotonic()
            while serve(guest) and time.monotonic() < begun + CLOSE_TIMEOUT + LATE:
                time.sleep(0.1)
            outcome = meeting.finish(CLOSE_TIMEOUT + LATE)
            took = time.monotonic() - begun
            expect(CLOSE_TIMEOUT - 0.5 <= took <= CLOSE_TIMEOUT + LATE, "it took %.1f s", took)
            expect(outcome.code == code and outcome.output == output and pattern in outcome.error, "%r", outcome)

    return check


def stays(data, code):
    """A server that is told to go, and neither answers nor ends TCP: the client goes, in the time of the closing
    handshake."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.accept(behind=data)
            _, _, close = converse(guest)
            equal("the Close frame", close, close_body(code))
            meeting.finish(CLOSE_TIMEOUT + LATE)

    return check


def once(data):
    """Sends this once, and then nothing."""

    def serve(guest):
        guest.send_as_far_as_possible(data)
        return False

    return serve


def again(data):
    return lambda guest: guest.send_as_far_as_possible(data) > 0


def drip(data):
    rest = iter(data)
    return lambda guest: guest.send_as_far_as_possible(bytes([next(rest)])) > 0


def floods(block):
    """Data without end behind the client's Close: it is thrown away until the deadline, or refused before."""

    def check(client):
        with Meeting(client) as meeting, meeting.accept() as guest:
            guest.accept()
            guest.expect_frame(CLOSE, close_body(1000))
            begun = time.monotonic()
            before = meeting.run.resident()
            meeting.run.forget_peak()
            peak = before
            guest.socket.settimeout(1)
            try:
                while time.monotonic() < begun + CLOSE_TIMEOUT + LATE:
                    guest.socket.send(block)
                    peak = max(peak, meeting.run.peak())
            except OSError:
                pass
            meeting.finish(CLOSE_TIMEOUT + LATE)
            expect(time.monotonic() < begun + CLOSE_TIMEOUT + LATE, "the client still listens")
            expect(peak - before <= MIB, "the client took %d KiB", (peak - before) // KIB)

    return check


def costs(limit, data, code):
    """What a server sends costs the client no more memory than this."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.accept()
            guest.expect_frame(TEXT, b"hello")
            before = meeting.run.resident()
            meeting.run.forget_peak()
            guest.send_as_far_as_possible(data)
            if code is None:
                guest.send(text(END, key=None))
                _, _, close = converse(guest)
                equal("the Close frame", close, close_body(1000))
                growth = meeting.run.peak() - before
                guest.send(frames.close(1000, key=None))
                guest.end_sending()
                guest.expect_end()
                meeting.finish()
            else:
                guest.expect_frame(CLOSE, close_body(code))
                growth = meeting.run.peak() - before
                expect_failed_end(guest)
                meeting.expect_failure(REASONS[code])
            expect(growth <= limit, "it took %d KiB of memory", growth // KIB)

    return check


CASES = [
    *rows(SHARED),
    *rows(server_frames.FRAGMENTS[:-2] + server_frames.CONTROLS[::2] + server_frames.RESERVED_OPCODES[::6],
        with_the_answer),
    *rows(server_frames.FRAGMENTS[:10] + server_frames.RESERVED_OPCODES[::12] + server_frames.LENGTH_FORMS[::11],
        bytewise),
    *masked_cases(),
    *utf8_cases(),
    *closing_cases(),
    Case("client: CC-44 the end at once", ends("left without", b"")),
    Case("client: CC-44 the end inside a header", ends("left without", b"\x81")),
    Case("client: CC-44 the end inside a length", ends("left without", frame(TEXT, b"x" * 300)[:3])),
    Case("client: CC-44 the end inside a payload", ends("left without", frame(TEXT, b"x" * 300)[:100])),
    Case("client: CC-44 the end inside a message", ends("left without", text(b"x", fin=False))),
    Case("client: CC-44 the end inside a Ping", ends("left without", ping(b"x" * 100)[:50])),
    Case("client: CC-44 the end inside a Close", ends("left without", frames.close(1000, b"because")[:9])),
    Case("client: C-23 a reset at once", resets(b"")),
    Case("client: C-23 a reset inside a message", resets(text(b"x", fin=False))),
    Case("client: C-23 a reset inside a frame", resets(frame(TEXT, b"x" * 300)[:100])),
    Case("client: C-24 messages before a failure", tells_all_before_the_end),
    Case("client: C-18 data behind the client's Close", data_behind_our_close),
    Case("client: C-16 a bad frame behind the client's Close", failure_behind_our_close),
    Case("client: C-17 data behind the server's Close", data_behind_their_close),
    Case("client: C-15 Close frames that cross", closes_cross),
    Measuring("client: G12 the end of TCP within 100 ms", prompt_end),
    Measuring("client: S-02 announces 2^62 bytes", costs(MIB // 10, header(BINARY, 2**62, key=None), 1009)),
    Measuring("client: G-12 half a million fragments of a byte",
        costs(MIB, text(b"x", fin=False, key=None) + frames.more(b"x", key=None) * 500_000, 1009)),
    Measuring("client: G-12 a million empty fragments",
        costs(MIB, text(b"x", fin=False, key=None) + frames.more(b"", key=None) * 1_000_000, 1009)),
    Measuring("client: S-09 25,000 Pings in a row", costs(MIB // 2, ping(b"x" * 20, key=None) * 25_000, None)),
    Waiting("client: C-28 a server that never answers the Close", waits_out("closing handshake in time", once(b""))),
    Waiting("client: C-28 a server that answers with half a Close",
        waits_out("closing handshake in time", once(b"\x88\x02\x03"))),
    Waiting("client: C-28 a server that sends Pings instead",
        waits_out("closing handshake in time", again(ping(b"x", key=None)))),
    Waiting("client: C-28 a server that sends messages instead",
        waits_out("closing handshake in time", again(text(b"x", key=None)))),
    Waiting("client: C-28 a server that drips a frame",
        waits_out("closing handshake in time", drip(header(BINARY, 1000, key=None) + bytes(1000)))),
    Waiting("client: C-28 a server that answers and stays",
        waits_out("", once(frames.close(1000, key=None)), "closed: 1000 \n", 0)),
    Waiting("client: C-28 a server that answers and talks on",
        waits_out("", again(frames.close(1000, key=None)), "closed: 1000 \n", 0)),
    Waiting("client: C-28 a server that stays after a failure", stays(b"\x83\x00", 1002)),
    Waiting("client: C-28 a server that closes and stays", stays(frames.close(1001, key=None), 1001)),
    Waiting("client: C-28 a server that floods behind the Close", floods(text(b"x" * 1000, key=None) * 64)),
]
