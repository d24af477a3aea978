"""Compressed messages that mean no good (RFC 7692), and the limits of what each may cost a server that compresses.

One GiB of zeros is about a megabyte on the wire. A message may have 16 MiB, so that much may be held for each, and a little
more to read it with.
"""
import functools
import time
import zlib

import frames
from frames import BINARY, TEXT
from peer import Peer, request
from process import KIB, MIB
from resource_cases import Case, Peak, warm_up
from suite import equal, expect

RSV1 = 0x40
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
AGREED = "permessage-deflate"

# The largest message that a server takes, and what it may need beside it.
MESSAGE = 16 * MIB
BESIDE = 1 * MIB


def open_compressed(server):
    """A connection on which compression was agreed."""
    peer = Peer(server.port)
    try:
        peer.send(request(b"GET %s HTTP/1.1" % server.path.encode(), extra=OFFER))
        response = peer.receive_head()
        expect(response.status == 101, "the answer is %s", response.head)
        equal("what was agreed", response.one("sec-websocket-extensions"), AGREED)
    except BaseException:
        peer.socket.close()
        raise
    return peer


@functools.lru_cache(maxsize=None)
def zeros(count):
    """The payload of a compressed message."""
    codec = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(MIB)
    compressed = b"".join(codec.compress(block) for _ in range(count // MIB))
    compressed += codec.flush(zlib.Z_SYNC_FLUSH)
    return compressed[:-4]


def fragments(payload, size):
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    script = frames.binary(pieces[0], fin=False, rsv=RSV1)
    return script + b"".join(frames.more(piece) for piece in pieces[1:])


def refused(script, count=1):
    """As many clients as that, all at once."""

    def drive(server, _scale):
        data = script()
        peers = [open_compressed(server) for _ in range(count)]
        try:
            for peer in peers:
                peer.send_as_far_as_possible(data)
            for peer in peers:
                peer.expect_close(1009)
            return "1009"
        finally:
            for peer in peers:
                peer.socket.close()

    return drive


def stalls(server, _scale):
    """Stops when almost as much has come out as may."""
    payload = zeros(1024 * MIB)
    with open_compressed(server) as peer:
        peer.send(frames.header(BINARY, len(payload), rsv=RSV1) + frames.masked(payload[:15_000]))
        time.sleep(1)
        peer.send(frames.ping(b"?"))
    return "waits for the rest"


def empty_blocks(server, _scale):
    """Work without output: blocks that hold nothing."""
    # Four fixed blocks of ten bits, and the header of the block that ends a message.
    payload = b"\x02\x08\x20\x80\x00" * (8 * MIB // 5) + b"\x00"
    with open_compressed(server) as peer:
        peer.send_as_far_as_possible(frames.binary(payload, rsv=RSV1))
        peer.expect_frame(BINARY, b"")
        return "an empty message"


class EachCompressed(Case):
    """Memory for each of many connections on which compression was agreed, beyond one on which it was not."""

    COUNT = 1000

    def __init__(self, name, limit, messages):
        super().__init__(name, None)
        self._limit = limit
        self._messages = messages

    def measure(self, server, target, scale, finding):
        # What a connection is without compression stands with the program.
        plain = 24 * KIB if target.threaded else 2 * KIB + 64
        finding.limit = "%d B" % (plain + self._limit)
        warm_up(server)
        with open_compressed(server) as peer:
            expect_compressed_echo(peer, quotes(0))
        before = server.resident()
        peers = []
        try:
            for at in range(self.COUNT):
                peers.append(open_compressed(server))
                for number in range(self._messages):
                    expect_compressed_echo(peers[-1], quotes(at + number))
            time.sleep(0.2)
            each = (server.resident() - before) // self.COUNT
            finding.figure = "%d B" % each
            finding.outcome = "%d connections" % self.COUNT
            expect(each <= plain + self._limit, "%s", finding.outcome)
        finally:
            for peer in peers:
                peer.socket.close()


def quotes(seed):
    """About 1 KiB of JSON."""
    rows = (
        '{"symbol":"S%03d","price":%d.%02d,"volume":%d}' % (at, 100 + seed % 97 + at, (seed * 7 + at) % 100, seed * at % 9973)
        for at in range(22)
    )
    return ("[%s]" % ",".join(rows)).encode()


def expect_compressed_echo(peer, plain):
    codec = zlib.compressobj(6, zlib.DEFLATED, -15)
    payload = (codec.compress(plain) + codec.flush(zlib.Z_SYNC_FLUSH))[:-4]
    peer.send(frames.text(payload, rsv=RSV1))
    first, length = peer.exactly(2)
    expect(first == 0x80 | RSV1 | TEXT, "the echo is not compressed: %02x", first)
    if length == 126:
        length = int.from_bytes(peer.exactly(2), "big")
    if not hasattr(peer, "inflate"):
        peer.inflate = zlib.decompressobj(-15)
    echo = peer.inflate.decompress(peer.exactly(length) + b"\x00\x00\xff\xff")
    equal("the echo", echo, plain)


def in_one(opcode):
    return lambda: frames.frame(opcode, zeros(1024 * MIB), rsv=RSV1)


CASES = [
    Peak("PM-01 1 GiB of zeros in one frame", MESSAGE + BESIDE, refused(in_one(BINARY))),
    Peak("PM-01 the same as text", MESSAGE + BESIDE, refused(in_one(TEXT))),
    Peak("PM-01 the same in fragments of 1 KiB", MESSAGE + BESIDE,
        refused(lambda: fragments(zeros(1024 * MIB), KIB))),
    Peak("PM-01 the same, stopped just below the limit", MESSAGE + BESIDE, stalls),
    Peak("PM-01 eight of them at once", 8 * (MESSAGE + BESIDE), refused(in_one(BINARY), 8)),
    EachCompressed("PM-05 1,000 that have agreed to compress and wait", 512, 0),
    EachCompressed("PM-05 1,000 after 1 KiB of JSON, echoed", 512 + 4 * KIB, 1),
    EachCompressed("PM-05 1,000 after 20 KiB of JSON, echoed", 512 + 40 * KIB, 20),
    Peak("PM-04 8 MiB of blocks with nothing in them", 16 * MIB + BESIDE, empty_blocks),
]
