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
from resource_cases import Peak
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


def in_one(opcode):
    return lambda: frames.frame(opcode, zeros(1024 * MIB), rsv=RSV1)


CASES = [
    Peak("PM-01 1 GiB of zeros in one frame", MESSAGE + BESIDE, refused(in_one(BINARY))),
    Peak("PM-01 the same as text", MESSAGE + BESIDE, refused(in_one(TEXT))),
    Peak("PM-01 the same in fragments of 1 KiB", MESSAGE + BESIDE,
        refused(lambda: fragments(zeros(1024 * MIB), KIB))),
    Peak("PM-01 the same, stopped just below the limit", MESSAGE + BESIDE, stalls),
    Peak("PM-01 eight of them at once", 8 * MESSAGE + 2 * BESIDE, refused(in_one(BINARY), 8)),
    Peak("PM-04 8 MiB of blocks with nothing in them", 16 * MIB + BESIDE, empty_blocks),
]
