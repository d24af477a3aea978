"""Clients that come and go by chance: each is a function of where the server is and of a source of chance, and says with
`Unexpected` if it was treated otherwise than it should have been."""
import time

import frames
from frames import BINARY, CLOSE, PONG, TEXT, close_body
from peer import Peer, open_peer, request
from process import KIB, MIB
from resource_cases import push, whole


def converses(place, chance):
    with open_peer(place) as peer:
        for _ in range(chance.randrange(1, 20)):
            peer.expect_echo(frames.pattern(chance.choice((0, 1, 125, 126, 1000, 5000, 65_536))))
        peer.finish()


def sends_fragments_and_pings(place, chance):
    with open_peer(place) as peer:
        for _ in range(chance.randrange(1, 5)):
            parts = [frames.pattern(chance.randrange(2000)) for _ in range(3)]
            peer.send(frames.binary(parts[0], fin=False) + frames.ping(b"between") + frames.more(parts[1]))
            peer.expect_frame(PONG, b"between")
            peer.send(frames.last(parts[2]))
            peer.expect_frame(BINARY, b"".join(parts))
        peer.finish(chance.choice((1000, 1001, 4999)))


def sends_large_messages(place, chance):
    payload = frames.pattern(chance.choice((256 * KIB, MIB, 2 * MIB)))
    with open_peer(place) as peer:
        peer.send(frames.binary(payload))
        peer.expect_frame(BINARY, payload)
        peer.finish()


def pipelines(place, chance):
    count = chance.randrange(10, 200)
    with open_peer(place) as peer:
        peer.send(frames.text(b"all at once") * count)
        for _ in range(count):
            peer.expect_frame(TEXT, b"all at once")
        peer.finish()


def waits_in_a_group(place, chance):
    peers = []
    try:
        for _ in range(chance.randrange(5, 30)):
            peers.append(open_peer(place))
        chance.choice(peers).expect_echo()
    finally:
        for peer in peers:
            peer.socket.close()


def breaks_rules(place, chance):
    script, code = chance.choice((
        (frames.frame(3), 1002),
        (frames.text(b"x", key=None), 1002),
        (frames.ping(b"x", fin=False), 1002),
        (frames.last(b"x"), 1002),
        (frames.close(1005), 1002),
        (frames.text(b"\xc0\x80"), 1007),
        (frames.header(BINARY, 2**62), 1009),
    ))
    with open_peer(place) as peer:
        peer.expect_echo()
        peer.send(script)
        peer.expect_close(code)


def sends_endless_fragments(place, _chance):
    with open_peer(place) as peer:
        peer.send(frames.text(b"x", fin=False))
        push(peer, whole(frames.more(b"x"), 64 * KIB), 70_000 * len(frames.more(b"x")))
        peer.expect_frame(CLOSE, close_body(1009))


def says_nonsense(place, chance):
    """Bytes at random behind a good handshake: whatever comes of it, nothing else does."""
    with open_peer(place) as peer:
        peer.send_as_far_as_possible(chance.randbytes(chance.randrange(1, 5000)))
        leave(peer, chance)


def asks_nonsense(place, chance):
    """A request with some bytes changed, or only a part of it."""
    data = bytearray(request(b"GET %s HTTP/1.1" % place.path.encode()))
    for _ in range(chance.randrange(4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    with Peer(place.port) as peer:
        peer.send_as_far_as_possible(bytes(data[: chance.randrange(1, len(data) + 1)]))
        leave(peer, chance)


def asks_what_is_refused(place, _chance):
    with Peer(place.port) as peer:
        peer.send(request(without=["Host"]))
        peer.expect_refusal(400)


def never_reads(place, chance):
    block = chance.choice((frames.ping(b"p" * 125), frames.text(frames.pattern(125)), frames.binary(frames.pattern(64 * KIB))))
    with open_peer(place, receive_buffer=4096) as peer:
        push(peer, whole(block, 256 * KIB), chance.choice((1, 8, 16)) * MIB, stall=0.1)
        leave(peer, chance)


def announces_and_waits(place, chance):
    with open_peer(place) as peer:
        peer.send(frames.header(BINARY, 16 * MIB) + b"x" * chance.randrange(2000))
        time.sleep(0.05)
        leave(peer, chance)


def sends_bytewise(place, chance):
    payload = frames.pattern(chance.randrange(500))
    with Peer(place.port) as peer:
        peer.send_bytewise(request(b"GET %s HTTP/1.1" % place.path.encode()))
        peer.expect_acceptance()
        peer.send_bytewise(frames.text(payload))
        peer.expect_frame(TEXT, payload)
        peer.finish()


def closes_and_stays(place, _chance):
    """Its Close is answered, and it does not end TCP: not for long, so that there are not thousands of it."""
    with open_peer(place) as peer:
        peer.send(frames.close(1000))
        peer.expect_frame(CLOSE, close_body(1000))
        time.sleep(0.1)


def comes_and_goes(place, chance):
    for _ in range(chance.randrange(1, 20)):
        with Peer(place.port) as peer:
            leave(peer, chance)


def leave(peer, chance):
    """By a FIN or by a RST, after some time or at once."""
    if chance.random() < 0.5:
        time.sleep(0.01)
    if chance.random() < 0.5:
        peer.reset()


GOOD = [converses, sends_fragments_and_pings, sends_large_messages, pipelines, sends_bytewise, waits_in_a_group]
HOSTILE = [
    breaks_rules, sends_endless_fragments, says_nonsense, asks_nonsense, asks_what_is_refused, never_reads,
    announces_and_waits, closes_and_stays, comes_and_goes,
]

# Half of them mean well, as far as the kinds go.
ALL = GOOD + GOOD[:3] + HOSTILE
