"""Frames as bytes (RFC 6455 section 5.2), good and bad ones."""
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}

# The masking key of the examples in RFC 6455 section 5.7.
KEY = bytes.fromhex("37fa213d")

FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10


def masked(payload, key=KEY):
    size = len(payload)
    if not any(key):
        return payload
    pad = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


def header(opcode, length, fin=True, rsv=0, key=KEY, form=None):
    """A frame header. `form` forces the length into 7, 16 or 64 bits; `key=None` leaves the mask away."""
    if form is None:
        form = 7 if length < 126 else 16 if length < 65536 else 64
    mask = 0 if key is None else 0x80
    first = (FIN if fin else 0) | rsv | opcode
    if form == 7:
        head = struct.pack("!BB", first, mask | length)
    elif form == 16:
        head = struct.pack("!BBH", first, mask | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask | 127, length)
    return head + (key or b"")


def frame(opcode, payload=b"", fin=True, rsv=0, key=KEY, form=None):
    body = payload if key is None else masked(payload, key)
    return header(opcode, len(payload), fin, rsv, key, form) + body


def text(payload, **options):
    return frame(TEXT, payload.encode() if isinstance(payload, str) else payload, **options)


def binary(payload, **options):
    return frame(BINARY, payload, **options)


def more(payload=b"", **options):
    """A continuation frame that is not the last."""
    return frame(CONTINUATION, payload, fin=False, **options)


def last(payload=b"", **options):
    return frame(CONTINUATION, payload, **options)


def ping(payload=b"", **options):
    return frame(PING, payload, **options)


def pong(payload=b"", **options):
    return frame(PONG, payload, **options)


def close(code=None, reason=b"", **options):
    return frame(CLOSE, close_body(code, reason), **options)


def close_body(code, reason=b""):
    return b"" if code is None else struct.pack("!H", code) + reason


def unmasked(script):
    """The frames of a client as a server would send them: what was good for a server is good for a client, and what was
    bad is as bad. What ends early ends as early; what is no masked frame stays as it is."""
    out = bytearray()
    at = 0
    while at + 1 < len(script) and script[at + 1] & 0x80:
        out += bytes([script[at], script[at + 1] & 0x7F])
        form = script[at + 1] & 0x7F
        width = {126: 2, 127: 8}.get(form, 0)
        length = int.from_bytes(script[at + 2 : at + 2 + width], "big") if width else form
        out += script[at + 2 : at + 2 + width]
        at += 2 + width
        key = script[at : at + 4]
        body = script[at + 4 : at + 4 + min(length, len(script))]
        if len(key) == 4:
            out += masked(body, key)
        at += 4 + length
    return bytes(out) + script[at:]


def pattern(size):
    """Bytes in which no two masking phases look alike, and which are text too."""
    unit = bytes(97 + (i * 7 + i // 26) % 26 for i in range(1021))
    return (unit * (size // len(unit) + 1))[:size]
