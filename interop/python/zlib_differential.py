"""Python's zlib against our codecs, without a connection: `zlib_differential.py PROGRAM`, the example `codec_pipe`.

What we compress is read with a window of the agreed size, a few bytes at a time so that nothing beyond it can be reached.
What zlib compresses, in every way it has to flush, store and end a stream, is read by us however it is cut. And what we take
of damaged streams is what zlib makes of them.
"""
import itertools
import random
import struct
import subprocess
import sys
import zlib

from scenarios import Checks

TAIL = b"\x00\x00\xff\xff"
OK, EMPTY, DATA, TRUNCATED = range(4)

# What zlib may be asked for between two parts of a message. All but the first end at the boundary of a block.
FLUSHES = {
    "none": zlib.Z_NO_FLUSH,
    "partial": zlib.Z_PARTIAL_FLUSH,
    "sync": zlib.Z_SYNC_FLUSH,
    "full": zlib.Z_FULL_FLUSH,
    "block": zlib.Z_BLOCK,
}
STRATEGIES = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]


class Pipe:
    """Our codecs."""

    def __init__(self, program):
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, kind, a=0, b=0, c=0, size=0, data=b""):
        head = struct.pack("<cBBBII", kind, a, b, c, size, len(data))
        self._process.stdin.write(head + data)
        self._process.stdin.flush()
        status, length = struct.unpack("<BI", self._read(5))
        return status, self._read(length)

    def _read(self, length):
        data = self._process.stdout.read(length)
        if len(data) < length:
            raise EOFError("our program has ended")
        return data

    def finish(self):
        self._process.stdin.close()
        return self._process.wait(20)


class Reader:
    """A reader of messages with a window of 2^bits bytes."""

    def __init__(self, bits, takeover):
        self._bits = bits
        self._takeover = takeover
        self._inflate = zlib.decompressobj(-bits)

    def read(self, payload):
        if not self._takeover:
            self._inflate = zlib.decompressobj(-self._bits)
        message = []
        payload += TAIL
        for start in range(0, len(payload), 256):
            rest = payload[start : start + 256]
            while rest:
                # Within one call zlib reaches back to all that the call has written, whatever the window.
                message.append(self._inflate.decompress(rest, 1 << self._bits >> 3))
                rest = self._inflate.unconsumed_tail
        message.append(self._inflate.decompress(b""))
        return b"".join(message)


def messages(rng):
    """Of several kinds and lengths."""
    words = ["alpha", "beta", "gamma", "策略", "{\"price\":", "},", "1024", "null", "\n"]
    yield b""
    yield b"a"
    yield rng.randbytes(700)
    for length in (30, 200, 1000, 5000, 40000):
        yield "".join(word + str(at % 89) for at, word in enumerate(rng.choices(words, k=length // 7))).encode()
        yield bytes(rng.choices(b"ab", k=length))
        period = rng.randbytes(rng.randrange(1, 9000))
        yield (period * (length // len(period) + 1))[:length]
    yield b""
    yield rng.randbytes(3000)


def ours_to_zlib(pipe, checks, rng):
    for bits, takeover, level, history in itertools.product(
        range(8, 16), (0, 1), (1, 6), (2048, 1 << 20)
    ):
        if history > 2048 and not takeover:
            continue
        pipe.ask(b"C", bits, takeover, level, history)
        reader = Reader(bits, takeover)
        for message in messages(rng):
            always = rng.randrange(4) > 0
            is_compressed, payload = pipe.ask(
                b"c", always, rng.randrange(2), 0, rng.choice([300, 32768]), message
            )
            if is_compressed:
                what = "we compress %d bytes, window %d, takeover %d, level %d" % (len(message), bits, takeover, level)
                checks.equal(what, reader.read(payload), message)
            elif always:
                checks.equal("compressed, as it must be", is_compressed, 1)


class Writer:
    """Compresses messages with zlib, which is a new one where a message ends with a last block."""

    def __init__(self, rng, bits, level, memory, strategy, takeover):
        self._rng = rng
        self._new = lambda past: (
            zlib.compressobj(level, zlib.DEFLATED, -bits, memory, strategy, past)
            if past
            else zlib.compressobj(level, zlib.DEFLATED, -bits, memory, strategy)
        )
        self._window = 1 << bits
        self._takeover = takeover
        self._past = b""
        self._deflate = self._new(b"")

    def write(self, message, flush, last_block):
        """In three parts, each followed by the flush; `last_block` says how the message ends."""
        if not self._takeover:
            self._past = b""
            self._deflate = self._new(b"")
        payload = []
        cuts = sorted(self._rng.randrange(len(message) + 1) for _ in range(2))
        for part in (message[: cuts[0]], message[cuts[0] : cuts[1]], message[cuts[1] :]):
            payload.append(self._deflate.compress(part))
            if flush != zlib.Z_NO_FLUSH:
                payload.append(self._deflate.flush(flush))
        self._past = (self._past + message)[-self._window :]
        if last_block is None:
            # zlib writes nothing where there is nothing to flush: twice in a row, or a message without a byte.
            ending = self._deflate.flush(zlib.Z_SYNC_FLUSH)
            payload = b"".join(payload) + ending
            return payload[:-4] if payload.endswith(TAIL) else b"\x00"
        payload.append(self._deflate.flush(zlib.Z_FINISH))
        self._deflate = self._new(self._past)
        return b"".join(payload) + last_block


def zlib_to_ours(pipe, checks, rng):
    for bits, takeover, (name, flush) in itertools.product(range(9, 16), (0, 1), FLUSHES.items()):
        for ending in (None, b"", b"\x00"):
            level, memory, strategy = rng.randrange(10), rng.randrange(1, 10), rng.choice(STRATEGIES)
            pipe.ask(b"D", bits, takeover)
            writer = Writer(rng, bits, level, memory, strategy, takeover)
            for message in messages(rng):
                payload = writer.write(message, flush, ending)
                cut = rng.choice([0, 1, 7, 500, 5000])
                what = "zlib compresses %d bytes, window %d, takeover %d, level %d, flush %s, ending %r, cut %d" % (
                    len(message), bits, takeover, level, name, ending, cut,
                )
                checks.equal(what, pipe.ask(b"d", size=cut, data=payload), (OK, message))


def beyond_the_window(pipe, checks, rng):
    """A writer that uses more of the past than was agreed is refused, by zlib as by us."""
    for bits in range(8, 15):
        window = 1 << bits
        for distance in (window, window + 1):
            # The first byte of all is one that zlib never refers to.
            past = rng.randbytes(distance + 1)
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
            first = (deflate.compress(past) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
            second = (deflate.compress(past[1:201]) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
            checks.equal("it refers back %d" % distance, len(second) < 60, True)
            pipe.ask(b"D", bits, 1)
            reader = Reader(bits, 1)
            checks.equal("what comes first", pipe.ask(b"d", data=first), (OK, past))
            reader.read(first)
            try:
                expected = (OK, reader.read(second))
            except zlib.error:
                expected = (DATA, b"")
            checks.equal("back %d with %d bits" % (distance, bits), pipe.ask(b"d", data=second), expected)
            checks.equal("and so does zlib", expected[0], DATA if distance > window else OK)


def damaged(pipe, checks, rng):
    """What we take is what zlib makes of it; a message that is cut short is refused."""
    for message in messages(rng):
        if not message:
            continue
        deflate = zlib.compressobj(rng.randrange(10), zlib.DEFLATED, -15, 8, rng.choice(STRATEGIES))
        payload = (deflate.compress(message) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        for _ in range(40):
            bad = bytearray(payload[: rng.randrange(1, len(payload) + 1)])
            if rng.randrange(2):
                bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            bad = bytes(bad)
            pipe.ask(b"D", 15, 1)
            status, plain = pipe.ask(b"d", size=rng.choice([0, 1, 100]), data=bad)
            if status != OK:
                checks.equal("a good message is taken", bad == payload, False)
                continue
            inflate = zlib.decompressobj(-15)
            read = inflate.decompress(bad + TAIL)
            if inflate.eof:
                # What follows a last block is another stream to zlib.
                checks.equal("damaged, with a last block", plain[: len(read)], read)
            else:
                checks.equal("damaged, and taken", plain, read)
                # Whatever comes next is read from the boundary of a block.
                checks.equal("and then", inflate.decompress(b"\xf2\x48\xcd\xc9\xc9\x07\x00" + TAIL), b"Hello")


def main(program):
    checks = Checks()
    # The same each time: a failure is to be found again.
    rng = random.Random(7692)
    pipe = Pipe(program)
    for part in (ours_to_zlib, zlib_to_ours, beyond_the_window, damaged):
        try:
            part(pipe, checks, rng)
        except Exception:
            checks.failed(part.__name__)
    checks.equal("our program ends", pipe.finish(), 0)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
