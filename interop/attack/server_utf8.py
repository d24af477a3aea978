"""Text that is UTF-8 and text that is not (RFC 3629), in every way that it can arrive."""
import frames
from frames import BINARY, CLOSE, PING, PONG, TEXT, close, frame, last, more, ping, text
from peer import Peer, open_peer, request
from suite import Case

VALID = {
    "V-01": [""],
    "V-02": ["00"],
    "V-03": ["7f"],
    "V-04": ["c280", "dfbf"],
    "V-05": ["e0a080"],
    "V-06": ["e18080", "ecbfbf"],
    "V-07": ["ed9fbf"],
    "V-08": ["ee8080"],
    "V-09": ["efbbbf"],
    "V-10": ["efbfbd"],
    "V-11": ["efbfbe", "efbfbf", "efb790"],
    "V-12": ["f0908080"],
    "V-13": ["f09f9880"],
    "V-14": ["f1808080", "f3bfbfbf"],
    "V-15": ["f48fbfbf", "f48fbfbe"],
    "V-16": ["cebae1bdb9cf83cebcceb5"],
    "V-17": ["e282ac", "e282ac" * 41],
    "V-18": ["f09f91a8e2808df09f91a9"],
}

# The number is the index of the byte that must end the connection; `None`: only the end of the message does.
INVALID = {
    "E-01": [("80", 0), ("bf", 0), ("80bf80", 0)],
    "E-02": [("618062", 1)],
    "E-03": [("c080", 0), ("c0af", 0), ("c1bf", 0)],
    "E-04": [("c2", None)],
    "E-05": [("c200", 1), ("c2c280", 1), ("dfc0", 1)],
    "E-06": [("e08080", 1), ("e080af", 1), ("e09fbf", 1)],
    "E-07": [("e0", None), ("e1", None), ("e180", None), ("efbf", None)],
    "E-08": [("e180c0", 2)],
    "E-09": [("eda080", 1), ("edafbf", 1), ("edb080", 1), ("edbfbf", 1)],
    "E-10": [("eda080edb080", 1)],
    "E-11": [("f0808080", 1), ("f08080af", 1), ("f08fbfbf", 1)],
    "E-12": [("f09080", None)],
    "E-13": [("f09080c0", 3)],
    "E-14": [("f4908080", 1), ("f4bfbfbf", 1)],
    "E-15": [("f5808080", 0), ("f7bfbfbf", 0)],
    "E-16": [("f888808080", 0), ("fbbfbfbfbf", 0), ("fc8480808080", 0)],
    "E-17": [("fe", 0), ("ff", 0), ("fefeffff", 0)],
    "E-18": [("48656c6c6fff", 5)],
    "E-19": [("cebae1bdb9cf83cebcceb5eda080656469746564", 12)],
    "E-20": [("cebae1bdb9cf83cebcceb5f4908080656469746564", 12)],
    "E-21": [("e282ace228a1", 4)],
}

VALID_ROWS = [(row, bytes.fromhex(data)) for row, items in VALID.items() for data in items]
INVALID_ROWS = [(row, bytes.fromhex(data), at) for row, items in INVALID.items() for data, at in items]


def one_frame(data):
    return text(data)


def frame_per_byte(data):
    if len(data) < 2:
        return text(data)
    return text(data[:1],
        fin=False) + b"".join(more(data[n : n + 1]) for n in range(1, len(data) - 1)) + last(data[-1:])


def empty_frames_between(data):
    return text(b"", fin=False) + b"".join(more(data[n : n + 1]) + more() for n in range(len(data))) + last()


def pings_between(data):
    return (
        text(b"", fin=False) + b"".join(more(data[n : n + 1]) + ping(b"%d" % n) for n in range(len(data))) + last()
    )


SHAPES = {"R1 one frame": one_frame, "R2 a byte per frame": frame_per_byte,
    "R2 empty frames between": empty_frames_between}


def passes(script, data, send=Peer.send):
    def check(server):
        with open_peer(server) as peer:
            send(peer, script)
            peer.expect_frame(TEXT, data)
            peer.expect_echo()
            peer.finish()

    return check


def passes_with_pings(data):
    def check(server):
        with open_peer(server) as peer:
            peer.send(pings_between(data))
            for number in range(len(data)):
                peer.expect_frame(PONG, b"%d" % number)
            peer.expect_frame(TEXT, data)
            peer.finish()

    return check


def fails(script, send=Peer.send):
    def check(server):
        with open_peer(server) as peer:
            send(peer, script)
            peer.expect_close(1007)

    return check


def fails_with_pings(data, at):
    """The Pings before the bad byte are answered, those behind it are not."""

    def check(server):
        with open_peer(server) as peer:
            peer.send(pings_between(data))
            for number in range(len(data) if at is None else at):
                peer.expect_frame(PONG, b"%d" % number)
            peer.expect_close(1007)

    return check


def passes_as_reason(data):
    def check(server):
        with open_peer(server) as peer:
            peer.send(close(1000, data))
            peer.expect_close(1000)

    return check


def passes_as_binary(data):
    def check(server):
        with open_peer(server) as peer:
            peer.send(frame(BINARY, data) + frame(BINARY, data[:1], fin=False) + last(data[1:]) + frame(PING, data))
            peer.expect_frame(BINARY, data)
            peer.expect_frame(BINARY, data)
            peer.expect_frame(PONG, data)
            peer.finish()

    return check


def fails_fast(script):
    """U-04: the frame is not even complete, and will never be."""

    def check(server):
        with open_peer(server) as peer:
            peer.send(script)
            peer.expect_close(1007)

    return check


def at_every_offset(data, at):
    """Vectorised validators have edges: the same bytes at many offsets, with ASCII before and behind."""

    def check(server):
        for offset in [*range(0, 70, 3), 127, 128, 191, 255, 256, 4090, 4093, 4094, 4095, 4096]:
            padded = b"a" * offset + data + (b"" if at is None else b"z" * 70)
            with open_peer(server) as peer:
                peer.send(text(padded))
                peer.expect_close(1007)

    return check


def valid_at_every_offset(server):
    """All valid rows at many offsets of one connection."""
    with open_peer(server) as peer:
        for offset in [*range(70), 127, 255, 4090, 4093, 4094, 4095, 4096, 8191]:
            for _, data in VALID_ROWS:
                padded = b"a" * offset + data + b"z" * 70
                peer.send(text(padded))
                peer.expect_frame(TEXT, padded)
        peer.finish()


def cut_everywhere(server):
    """U-02: a frame may end inside a character, wherever that is."""
    data = "κόσμε 中文 🦀 \U0010ffff".encode()
    with open_peer(server) as peer:
        for first in range(len(data) + 1):
            for second in range(first, len(data) + 1, 3):
                peer.send(text(data[:first], fin=False) + more(data[first:second]) + last(data[second:]))
                peer.expect_frame(TEXT, data)
        peer.finish()


def states_are_not_shared(server):
    """R8: a message that ended badly on one connection leaves nothing behind for another, nor for the next message."""
    data = "κόσμε".encode()
    with open_peer(server) as sibling:
        sibling.send(text(data[:1], fin=False))
        with open_peer(server) as failing:
            failing.send(text(b"\xf0\x9f", fin=False) + last(b"x"))
            failing.expect_close(1007)
        sibling.send(last(data[1:]) + text(data))
        sibling.expect_frame(TEXT, data)
        sibling.expect_frame(TEXT, data)
        sibling.send(frame(BINARY, b"\xce") + text(b"ok") + frame(BINARY, b"\xce", fin=False) + last(b"\xff"))
        sibling.expect_frame(BINARY, b"\xce")
        sibling.expect_frame(TEXT, b"ok")
        sibling.expect_frame(BINARY, b"\xce\xff")
        sibling.finish()


def messages_before_are_answered(server):
    with Peer(server.port) as peer:
        peer.send(request() + text("中文") + text(b"\xff") + text(b"never") + close(1000))
        peer.expect_acceptance()
        peer.expect_frame(TEXT, "中文".encode())
        peer.expect_frame(CLOSE, frames.close_body(1007))
        peer.expect_end()


def truncated_before_new_message(server):
    """U-03 and G-03 at once: the order of frames counts first, since the message has not ended."""
    with open_peer(server) as peer:
        peer.send(text(b"\xce", fin=False) + text(b"\xba"))
        peer.expect_close(1002)


def table():
    for row, data in VALID_ROWS:
        name = "U-01 %s %s" % (row, data[:12].hex() or "empty")
        if len(data) > 12:
            name += " and more"
        for shape, build in SHAPES.items():
            yield Case("%s (%s)" % (name, shape), passes(build(data), data))
        yield Case(name + " (R3 bytewise)", passes(text(data), data, Peer.send_bytewise))
        yield Case(name + " (R4 Pings between)", passes_with_pings(data))
        yield Case(name + " (R6 as reason)", passes_as_reason(data))
        yield Case(name + " (R7 as binary)", passes_as_binary(data))
    for row, data, at in INVALID_ROWS:
        name = "U-01 %s %s" % (row, data.hex())
        for shape, build in SHAPES.items():
            yield Case("%s (%s)" % (name, shape), fails(build(data)))
        yield Case(name + " (R3 bytewise)", fails(text(data), Peer.send_bytewise))
        yield Case(name + " (R4 Pings between)", fails_with_pings(data, at))
        yield Case(name + " (R6 as reason)", fails(close(1000, data)))
        yield Case(name + " (R7 as binary)", passes_as_binary(data))
        yield Case(name + " (at many offsets)", at_every_offset(data, at))
        if at is not None:
            yield Case("U-04 %s (a fragment up to the bad byte)" % name[5:],
                fails_fast(text(data[: at + 1], fin=False)))
            whole = text(data[: at + 1] + b"x" * 5000)
            yield Case("U-04 %s (a frame up to the bad byte)" % name[5:], fails_fast(whole[: 8 + at + 1]))


CASES = [
    *table(),
    Case("U-01 valid text at many offsets", valid_at_every_offset),
    Case("U-02 a character cut everywhere", cut_everywhere),
    Case("U-01 connections and messages do not share a state (R8)", states_are_not_shared),
    Case("U-01 messages before the bad one are answered", messages_before_are_answered),
    Case("U-03 an unfinished character and a new message", truncated_before_new_message),
]
