"""Frames and fragments that a server must answer or refuse, each delivered in several ways.

Every row is sent behind the opening handshake in one write, in one write together with the request, and one byte per
write. Where the row does not end with a Close of the server's, a closing handshake follows and shows that the
connection is alive and nothing else was said.
"""
import frames
from frames import (
    BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, binary, close, close_body, frame, header, last, more, pattern,
    ping, pong, text,
)
from peer import Peer, open_peer, request
from suite import Case, Measuring

HELLO = b"Hello"


def fails(code=1002):
    return [(CLOSE, close_body(code))]


def says(*payloads):
    return [(TEXT, payload) for payload in payloads]


def echoes(payload, opcode=TEXT):
    return [(opcode, payload)]


def answers(payload):
    return [(PONG, payload)]


def play(peer, expected):
    for opcode, payload in expected:
        peer.expect_frame(opcode, payload)
        if opcode == CLOSE:
            peer.expect_end()
            return
    peer.finish()


def in_one_write(script, expected):
    def check(server):
        with open_peer(server) as peer:
            peer.send(script)
            play(peer, expected)

    return check


def with_the_request(script, expected):
    def check(server):
        with Peer(server.port) as peer:
            peer.send(request() + script)
            peer.expect_acceptance()
            play(peer, expected)

    return check


def bytewise(script, expected):
    def check(server):
        with open_peer(server) as peer:
            peer.send_bytewise(script)
            play(peer, expected)

    return check


def cases_of(table):
    for row, title, script, expected in table:
        name = "%s %s" % (row, title)
        yield Case(name + " (one write)", in_one_write(script, expected))
        if len(script) <= 70_000:
            yield Case(name + " (with the request)", with_the_request(script, expected))
        if len(script) <= 700:
            yield Case(name + " (bytewise)", bytewise(script, expected))


LENGTHS = [
    ("F-04", "%s of %d bytes" % (frames.NAMES[opcode], size), frame(opcode, pattern(size)),
        echoes(pattern(size), opcode))
    for opcode in (TEXT, BINARY)
    for size in (0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 125, 126, 127, 128, 255, 256, 1023, 1024, 1025, 4095, 4096, 4097, 8192,
                 8193, 65535, 65536, 65537, 1_000_000)
]

RESERVED_BITS = [
    (
        "F-02",
        "%s with reserved bits %s and %d bytes" % (frames.NAMES[opcode], bin(rsv >> 4), size),
        frame(opcode, b"x" * size, rsv=rsv),
        fails(),
    )
    for opcode in frames.NAMES
    for rsv in (0x40, 0x20, 0x10, 0x70)
    for size in ((0, 5) if opcode != CONTINUATION else (0,))
] + [
    ("F-02", "reserved bit 1 in a continuation", more_first + last(b"x", rsv=0x40), fails())
    for more_first in [text(b"a", fin=False)]
] + [
    ("F-02", "reserved bit 3 behind a good message", text(HELLO) + text(HELLO, rsv=0x10), says(HELLO) + fails()),
    ("F-02", "a compressed message that nobody negotiated", bytes.fromhex("c18737fa213dc5b2ecf4fefd21"), fails()),
]

RESERVED_OPCODES = []
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    RESERVED_OPCODES += [
        ("F-03", "opcode %d, empty" % opcode, frame(opcode), fails()),
        ("F-03", "opcode %d with a payload" % opcode, frame(opcode, HELLO), fails()),
        ("F-03", "opcode %d, not final" % opcode, frame(opcode, HELLO, fin=False), fails()),
        ("F-03", "opcode %d behind a message" % opcode, text(HELLO) + frame(opcode), says(HELLO) + fails()),
        ("F-03", "opcode %d inside a message" % opcode, text(HELLO, fin=False) + frame(opcode), fails()),
        ("F-11", "opcode %d and a huge length, the header only" % opcode, header(opcode, 2**62), fails()),
    ]

LENGTH_FORMS = [
    ("F-06", "%s of %d bytes with a length of %d bits" % (frames.NAMES[opcode], size, form),
        frame(opcode, pattern(size), form=form), fails())
    for opcode in (TEXT, BINARY)
    for form, sizes in ((16, (0, 1, 5, 124, 125)), (64, (0, 1, 125, 126, 1000, 65535)))
    for size in sizes
] + [
    ("F-06", "126 bytes with a length of 16 bits", frame(TEXT, pattern(126), form=16), echoes(pattern(126))),
    ("F-06", "65536 bytes with a length of 64 bits", frame(TEXT, pattern(65536), form=64), echoes(pattern(65536))),
] + [
    ("F-05", "a length with the top bit set, %s" % length.hex(), b"\x82\xff" + length + KEY, fails())
    for length in (b"\x80" + bytes(7), b"\xff" * 8, b"\x80" + bytes(6) + b"\x01", b"\xff" + bytes(7))
]

MAX = 16 * 1024 * 1024

TOO_LARGE = [
    ("F-12", "%s announced with %d bytes" % (frames.NAMES[opcode], length), header(opcode, length), fails(1009))
    for opcode in (TEXT, BINARY)
    for length in (MAX + 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**62, 2**63 - 1)
] + [
    ("F-12", "a fragment announced with 2^63-1 bytes", header(TEXT, 2**63 - 1, fin=False), fails(1009)),
    ("F-12", "a continuation announced with 2^63-1 bytes", text(b"a", fin=False) + header(CONTINUATION, 2**63 - 1),
        fails(1009)),
    ("F-02", "a reserved bit counts before the size", header(TEXT, 2**62, rsv=0x40), fails(1002)),
    ("G-02", "a continuation of nothing counts before the size", header(CONTINUATION, 2**62), fails(1002)),
    ("G-03", "a new message inside another counts before the size",
        text(b"a", fin=False) + header(TEXT, 2**62), fails(1002)),
    ("M-02", "a missing mask counts before the size", header(TEXT, 2**62, key=None), fails(1002)),
    ("G-11", "fragments of 1 byte and 16 MiB together", text(b"a", fin=False) + header(CONTINUATION, MAX), fails(1009)),
    ("G-11", "fragments whose sum wraps around 64 bits", text(b"a" * 16, fin=False) + header(CONTINUATION, 2**63 - 1),
        fails(1009)),
]

HEADERS_ONLY = [
    ("F-11", "a reserved bit, the header only", header(TEXT, 100, rsv=0x40), fails()),
    ("F-11", "a continuation of nothing, the header only", header(CONTINUATION, 100), fails()),
    ("F-11", "a new message inside another, the header only", text(b"a", fin=False) + header(TEXT, 100), fails()),
    ("F-11", "no mask, the header only", header(TEXT, 100, key=None), fails()),
    ("F-11", "a long Ping, the header only", header(PING, 126), fails()),
    ("F-11", "an opcode, one byte of it", b"\x83", fails()),
    ("F-11", "a Ping that is not final, one byte of it", b"\x09", fails()),
    ("F-11", "a Close that is not final, one byte of it", b"\x08", fails()),
    ("F-11", "a long Ping, two bytes of it", b"\x89\xfe", fails()),
    ("F-11", "a top bit, three bytes of it", b"\x82\xff\x80", fails()),
    ("F-11", "a length that is too long for its value, four bytes of it", b"\x82\xfe\x00\x7d", fails()),
]

STREAMS = [
    ("F-10", "three messages", text(HELLO) * 3, says(HELLO, HELLO, HELLO)),
    ("F-10", "a hundred messages", b"".join(text(b"%d" % n) for n in range(100)),
        says(*(b"%d" % n for n in range(100)))),
    ("F-13", "empty text, binary, Ping, Pong", text(b"") + binary(b"") + ping() + pong(),
        says(b"") + echoes(b"", BINARY) + answers(b"")),
    ("F-13", "an empty last fragment", text(b"ab", fin=False) + last(), says(b"ab")),
    ("F-15", "a second request instead of frames", request(), fails()),
    ("F-15", "a second request behind a message", text(HELLO) + request(), says(HELLO) + fails()),
    ("F-15", "HTTP/2 instead of frames", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", fails()),
    ("F-15", "CRLF instead of frames", b"\r\n", fails()),
    ("C-24", "nothing counts behind a failure", frame(3) + text(HELLO) + ping() + close(1000), fails()),
    ("C-24", "nothing counts behind two failures", frame(3) + frame(11) + text(b"\xff"), fails()),
]

MASKS = [
    ("M-02", "%s of %d bytes without a mask" % (frames.NAMES[opcode], len(payload)), frame(opcode, payload, key=None),
        fails())
    for opcode, payload in (
        (TEXT, HELLO), (TEXT, b""), (BINARY, HELLO), (PING, b""), (PONG, HELLO), (CLOSE, b"\x03\xe8"), (CONTINUATION, b"")
    )
] + [
    ("M-02", "no mask behind a good message", text(HELLO) + text(HELLO, key=None), says(HELLO) + fails()),
    ("M-02", "no mask in a continuation", text(b"a", fin=False) + last(b"b", key=None), fails()),
    ("M-02", "no mask and 200 bytes", text(b"x" * 200, key=None), fails()),
    ("M-02", "no mask and 70000 bytes", text(b"x" * 70000, key=None), fails()),
] + [
    ("M-10", "the key %s" % key.hex(), text(HELLO, key=key) + ping(b"\x00\xff", key=key),
        says(HELLO) + answers(b"\x00\xff"))
    for key in (bytes(4), b"\xff" * 4, b"\x00\x00\x00\x01", b"\x01\x00\x00\x00", b"\x80\x00\x80\x00")
] + [
    ("M-06", "another key in each fragment",
        text(b"abc", fin=False, key=b"\x01\x02\x03\x04")
        + more(b"defgh", key=b"\xfe\xdc\xba\x98")
        + last(b"i", key=bytes(4)),
        says(b"abcdefghi")),
    ("M-13", "a Ping of every byte", ping(bytes(range(125))) + ping(bytes(range(131, 256))),
        answers(bytes(range(125))) + answers(bytes(range(131, 256)))),
]


def split(payload, size, opcode=TEXT):
    """A message in fragments of `size` bytes."""
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    script = frame(opcode, parts[0], fin=len(parts) == 1)
    for number, part in enumerate(parts[1:], 2):
        script += frame(CONTINUATION, part, fin=number == len(parts))
    return script


FRAGMENTS = [
    ("G-01", "two fragments", text(b"Hel", fin=False) + last(b"lo"), says(HELLO)),
    ("G-01", "three fragments of binary", binary(b"a", fin=False) + more(b"b") + last(b"c"), echoes(b"abc", BINARY)),
    ("G-02", "a final continuation of nothing", last(), fails()),
    ("G-02", "a final continuation of nothing with a payload", last(HELLO), fails()),
    ("G-02", "a continuation of nothing", more(HELLO), fails()),
    ("G-02", "a continuation behind a message", text(HELLO) + last(), says(HELLO) + fails()),
    ("G-02", "a continuation behind a message of fragments", split(b"abc", 1) + last(), says(b"abc") + fails()),
    ("G-02", "a continuation behind a Ping", ping(b"x") + last(), answers(b"x") + fails()),
    ("G-03", "text inside text", text(b"a", fin=False) + text(HELLO), fails()),
    ("G-03", "binary inside text", text(b"a", fin=False) + binary(HELLO), fails()),
    ("G-03", "the beginning of text inside binary", binary(b"a", fin=False) + text(b"b", fin=False), fails()),
    ("G-03", "text behind two fragments", text(b"a", fin=False) + more(b"b") + text(HELLO), fails()),
    ("G-04", "a Ping between fragments", text(b"Hel", fin=False) + ping(b"p") + last(b"lo"),
        answers(b"p") + says(HELLO)),
    ("G-04", "Pings between all fragments",
        text(b"a", fin=False) + ping(b"1") + more(b"b") + ping(b"2") + ping(b"3") + last(b"c") + ping(b"4"),
        answers(b"1") + answers(b"2") + answers(b"3") + says(b"abc") + answers(b"4")),
    ("G-04", "a Pong between fragments", text(b"Hel", fin=False) + pong(b"p") + last(b"lo"), says(HELLO)),
    ("G-05", "three empty fragments", text(b"", fin=False) + more() + last(), says(b"")),
    ("G-05", "empty fragments of binary", binary(b"", fin=False) + more() * 50 + last(), echoes(b"", BINARY)),
    ("G-05", "empty fragments around one byte", text(b"", fin=False) + more() + more(b"x") + more() + last(),
        says(b"x")),
    ("G-05", "a hundred fragments of a byte", split(pattern(100), 1), says(pattern(100))),
    ("G-05", "a thousand fragments of 64 bytes", split(pattern(64000), 64), says(pattern(64000))),
    ("G-05", "fragments of 126 bytes", split(pattern(1000), 126), says(pattern(1000))),
    ("G-05", "fragments of 65536 bytes", split(pattern(300000), 65536), says(pattern(300000))),
    ("G-13", "a Close inside a message", text(b"never", fin=False) + close(1000), [(CLOSE, close_body(1000))]),
    ("G-13", "a Close inside a frame's message, behind two fragments",
        binary(b"a", fin=False) + more(b"b") + close(3000), [(CLOSE, close_body(3000))]),
]

CONTROLS = [
    ("C-01", "%s of %d bytes" % (frames.NAMES[opcode], size), frame(opcode, b"\x03\xe8" + b"x" * (size - 2)), fails())
    for opcode in (CLOSE, PING, PONG)
    for size in (126, 127, 500)
] + [
    ("C-01", "%s that announces %d bytes, the header only" % (frames.NAMES[opcode], size), header(opcode, size),
        fails())
    for opcode in (CLOSE, PING, PONG)
    for size in (126, 65536, 2**62)
] + [
    ("C-01", "%s with a length of %d bits" % (frames.NAMES[opcode], form), frame(opcode, b"", form=form), fails())
    for opcode in (CLOSE, PING, PONG)
    for form in (16, 64)
] + [
    ("C-02", "%s that is not final%s" % (frames.NAMES[opcode], where), before + frame(opcode, payload, fin=False),
        fails())
    for opcode in (CLOSE, PING, PONG)
    for where, before, payload in (
        ("", b"", b""), (" inside a message", text(b"a", fin=False), b""), (" with a payload", b"", b"\x03\xe8")
    )
] + [
    ("C-03", "a Ping of %d bytes" % size, ping(pattern(size)), answers(pattern(size)))
    for size in (0, 1, 4, 5, 124, 125)
] + [
    ("C-04", "a Ping of bytes that are no text", ping(b"\x00\xff\xfe\x80"), answers(b"\x00\xff\xfe\x80")),
    ("C-03", "ten Pings", b"".join(ping(b"%d" % n) for n in range(10)), [(PONG, b"%d" % n) for n in range(10)]),
    ("C-03", "a Ping before and behind a message", ping(b"a") + text(HELLO) + ping(b"b"),
        answers(b"a") + says(HELLO) + answers(b"b")),
    ("C-06", "a Pong that nobody asked for", pong(), []),
    ("C-06", "a Pong of 125 bytes", pong(b"x" * 125), []),
    ("C-06", "ten Pongs and a message", pong(b"x") * 10 + text(HELLO), says(HELLO)),
    ("U-09", "bytes that are no text in binary", binary(b"\xff\xfe\x80\x00"), echoes(b"\xff\xfe\x80\x00", BINARY)),
]


def limit_exactly(opcode):
    """Decision 13: a frame and a message of 16 MiB pass."""

    def check(server):
        payload = pattern(MAX)
        with open_peer(server) as peer:
            peer.send(frame(opcode, payload))
            peer.expect_frame(opcode, payload)
            peer.finish()

    return check


def limit_of_fragments(sizes, passes):
    def check(server):
        total = sum(sizes)
        payload = pattern(total)
        with open_peer(server) as peer:
            at = 0
            for number, size in enumerate(sizes):
                opcode = BINARY if number == 0 else CONTINUATION
                data = frame(opcode, payload[at : at + size], fin=number == len(sizes) - 1)
                if peer.send_as_far_as_possible(data) < len(data):
                    break
                at += size
            if passes:
                peer.expect_frame(BINARY, payload)
                peer.finish()
            else:
                peer.expect_close(1009)

    return check


def number_of_fragments(behind_the_first, payload, passes):
    def check(server):
        with open_peer(server) as peer:
            peer.send(binary(payload, fin=False))
            peer.send_as_far_as_possible(more(payload) * (behind_the_first - 1) + last(payload))
            if passes:
                peer.expect_frame(BINARY, payload * (behind_the_first + 1))
                peer.finish()
            else:
                peer.expect_close(1009)

    return check


def half_a_frame(server):
    """F-10: what is complete is answered, whatever else has begun to arrive."""
    with open_peer(server) as peer:
        rest = ping(b"half")
        peer.send(text(HELLO) * 3 + rest[:5])
        for _ in range(3):
            peer.expect_frame(TEXT, HELLO)
        peer.send(rest[5:] + text(b"x" * 70000)[:9])
        peer.expect_frame(PONG, b"half")
        peer.send(text(b"x" * 70000)[9:])
        peer.expect_frame(TEXT, b"x" * 70000)
        peer.finish()


def chopped(size):
    """F-09, M-07: the same conversation in writes of `size` bytes."""

    def check(server):
        script = text(pattern(300)) + split(pattern(1000), 77, BINARY) + ping(b"p") + binary(b"") + text(pattern(70000))
        with open_peer(server) as peer:
            for at in range(0, len(script), size):
                peer.send(script[at : at + size])
            peer.expect_frame(TEXT, pattern(300))
            peer.expect_frame(BINARY, pattern(1000))
            peer.expect_frame(PONG, b"p")
            peer.expect_frame(BINARY, b"")
            peer.expect_frame(TEXT, pattern(70000))
            peer.finish()

    return check


CASES = [
    *cases_of(LENGTHS),
    *cases_of(RESERVED_BITS),
    *cases_of(RESERVED_OPCODES),
    *cases_of(LENGTH_FORMS),
    *cases_of(TOO_LARGE),
    *cases_of(HEADERS_ONLY),
    *cases_of(STREAMS),
    *cases_of(MASKS),
    *cases_of(FRAGMENTS),
    *cases_of(CONTROLS),
    Case("F-10 half a frame behind others", half_a_frame),
    *(Case("F-09 writes of %d bytes" % size, chopped(size)) for size in (1, 2, 3, 5, 7, 13, 64, 1000, 4096, 65536)),
    Measuring("S-01 binary of 16 MiB", limit_exactly(BINARY)),
    Measuring("S-01 text of 16 MiB", limit_exactly(TEXT)),
    Measuring("G-11 four fragments of 4 MiB", limit_of_fragments([MAX // 4] * 4, True)),
    Measuring("G-11 16 MiB and an empty fragment", limit_of_fragments([MAX, 0], True)),
    Measuring("G-11 16 MiB and one byte", limit_of_fragments([MAX, 1], False)),
    Measuring("G-11 one byte and 16 MiB", limit_of_fragments([1, MAX], False)),
    Measuring("G-11 five fragments of 4 MiB", limit_of_fragments([MAX // 4] * 5, False)),
    Case("G-12 65536 fragments behind the first", number_of_fragments(65536, b"x", True)),
    Case("G-12 65537 fragments behind the first", number_of_fragments(65537, b"x", False)),
    Case("G-12 65536 empty fragments behind the first", number_of_fragments(65536, b"", True)),
    Measuring("G-12 a million empty fragments", number_of_fragments(1_000_000, b"", False)),
]
