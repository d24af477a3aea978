"""Answers to a client's request, good and bad (RFC 6455 section 4.1), and servers that are slow with them."""
import base64
import time

import frames
from client_peer import AT_ONCE, Meeting, said
from frames import TEXT
from peer import GUID, accept_value
from process import KIB
from suite import Case, Measuring, Waiting, expect

ECHO = said([(TEXT, b"hello")]) + "closed: 1000 \n"

# How long the whole opening handshake may take, and how late that may be noticed.
HANDSHAKE_TIMEOUT = 10.0
LATE = 2.0


def echo(meeting, guest):
    guest.expect_frame(TEXT, b"hello")
    guest.send(frames.text(b"hello", key=None))
    guest.finish()
    meeting.expect_success(ECHO)


def opens(send):
    """The client takes the answer, and a conversation follows."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            send(guest)
            echo(meeting, guest)

    return check


def accepted(extra=b"", **changes):
    return opens(lambda guest: guest.accept(extra=extra, **changes))


def behind(interim):
    return opens(lambda guest: guest.send(interim + guest.acceptance()))


def edited(edit):
    """A good answer of which `edit` makes another good one."""
    return opens(lambda guest: guest.send(edit(guest.acceptance())))


def fails(pattern, answer):
    """The client leaves at once and without another byte, and says why. The server would go on for ever."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.send_as_far_as_possible(answer(guest) if callable(answer) else answer)
            guest.expect_gone()
            meeting.expect_failure(pattern)

    return check


def fails_on(pattern, **changes):
    return fails(pattern, lambda guest: guest.acceptance(**changes))


def fails_at_end(pattern, answer):
    """The same of what only the end makes bad."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.send(answer(guest) if callable(answer) else answer)
            guest.end_sending()
            guest.expect_gone()
            meeting.expect_failure(pattern)

    return check


def fails_at_reset(answer):
    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.send(answer)
            # So that it is read before the reset takes it away.
            time.sleep(0.05)
            guest.reset()
            meeting.expect_failure("reset|closed|left")

    return check


def refused(status, body=b"", fields=b""):
    """P-62, K-15: any other status than 101 ends the attempt, and the status is told."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.send(b"HTTP/1.1 %d What\r\n" % status + fields + b"\r\n" + body)
            guest.end_sending()
            guest.expect_gone()
            meeting.expect_failure(str(status))

    return check


def bytewise(guest):
    guest.send_bytewise(guest.acceptance())


def split_everywhere(client):
    """F-09: the head in two reads, wherever it is cut."""
    for cut in range(1, 100, 9):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            head = guest.acceptance()
            guest.send(head[:cut])
            time.sleep(0.002)
            guest.send(head[cut:])
            echo(meeting, guest)


def first_frames(client):
    """K-24, H-28: the first frames come with the head, and one of them with it and behind it."""
    for cut in range(0, 12, 3):
        with Meeting(client, "a", "b") as meeting, meeting.accept() as guest:
            replies = frames.text(b"one", key=None) + frames.binary(b"two", key=None)
            guest.send(guest.acceptance() + replies[:cut])
            time.sleep(0.002)
            guest.send(replies[cut:])
            guest.expect_frame(TEXT, b"a")
            guest.expect_frame(TEXT, b"b")
            guest.finish()
            meeting.expect_success("text: one\nbinary: 3 bytes\nclosed: 1000 \n")


def keys_differ(client):
    """K-08: a fresh key for each connection."""
    seen = set()
    for _ in range(20):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            expect(guest.key not in seen, "the key %r was used twice", guest.key)
            seen.add(guest.key)
            guest.accept()
            echo(meeting, guest)


def waits_out(pattern, serve):
    """The deadline is for all of the handshake: `serve` has the connection until it is over."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            begun = time.monotonic()
            serve(guest, begun + HANDSHAKE_TIMEOUT + LATE)
            meeting.expect_failure(pattern, HANDSHAKE_TIMEOUT + LATE)
            took = time.monotonic() - begun
            expect(HANDSHAKE_TIMEOUT - 0.5 <= took <= HANDSHAKE_TIMEOUT + LATE, "it took %.1f s", took)

    return check


def silent(_guest, _deadline):
    """Not a byte."""


def dripping(data):
    def serve(guest, deadline):
        for byte in data:
            if time.monotonic() > deadline or not guest.send_as_far_as_possible(bytes([byte])):
                break
            time.sleep(0.25)

    return serve


def said_once(data):
    return lambda guest, _deadline: guest.send(data)


def endless(pattern, head, block):
    """Bytes without end cost a client no memory, and it leaves."""

    def check(client):
        with Meeting(client, "hello") as meeting, meeting.accept() as guest:
            guest.send(head)
            time.sleep(0.05)
            before = meeting.run.resident()
            meeting.run.forget_peak()
            peak = before
            sent = 0
            try:
                while sent < 64 * 1024 * KIB:
                    sent += guest.socket.send(block)
                    peak = max(peak, meeting.run.peak())
            except OSError:
                pass
            expect(sent < 64 * 1024 * KIB, "the client took 64 MiB")
            expect(peak - before <= 256 * KIB, "the client took %d KiB of memory", (peak - before) // KIB)
            meeting.expect_failure(pattern)

    return check


def nobody_listens(client):
    run = client.start("ws://127.0.0.1:1/")
    outcome = run.finish(AT_ONCE)
    expect(outcome.code == 1 and "refused" in outcome.error, "%r", outcome)


def bad_uri(uri):
    """CU-01 to CU-08: refused before anything is sent anywhere."""

    def check(client):
        outcome = client.start(uri).finish(AT_ONCE)
        expect(outcome.code == 1 and outcome.error, "%r", outcome)

    return check


UPGRADE = "Upgrade"
CONNECTION = "Connection"
ACCEPT = "Sec-WebSocket-Accept"
MALFORMED = "malformed"
NOT_HTTP = "does not speak HTTP/1.1"
TOO_LARGE = "too large"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\n"


def wrong_accept(change):
    return fails(ACCEPT, lambda guest: guest.acceptance(Sec_WebSocket_Accept=change(guest)))


def other_guid(guest):
    return accept_value(guest.key[:-1])


GOOD = [
    ("P-60 the answer of the RFC", accepted()),
    ("P-60 byte by byte", opens(bytewise)),
    ("P-60 field names in lower case", edited(lambda head: head.replace(b"Upgrade:", b"upgrade:").replace(
        b"Connection:", b"connection:").replace(b"Sec-WebSocket-Accept:", b"sec-websocket-accept:"))),
    ("P-88 field names in upper case", edited(lambda head: head.replace(b"Sec-WebSocket-Accept:",
        b"SEC-WEBSOCKET-ACCEPT:"))),
    ("P-81 Upgrade: WebSocket", accepted(Upgrade=b"WebSocket")),
    ("P-81 Connection: upgrade", accepted(Connection=b"upgrade")),
    ("K-17 Connection: keep-alive, Upgrade", accepted(Connection=b"keep-alive, Upgrade")),
    ("K-17 Connection on two lines", accepted(Connection=[b"keep-alive", b"Upgrade"])),
    ("K-17 Connection with empty items", accepted(Connection=b",, Upgrade ,")),
    ("H11 no space behind the colon", edited(lambda head: head.replace(b": ", b":"))),
    ("P-05 tabs and spaces around the values", edited(lambda head: head.replace(b": ", b": \t ").replace(
        b"\r\n", b" \t\r\n", 3).replace(b"Protocols \t\r\n", b"Protocols\r\n"))),
    ("H11 another reason phrase", accepted(status=b"HTTP/1.1 101 Web Socket Protocol Handshake")),
    ("P-03 an empty reason phrase", accepted(status=b"HTTP/1.1 101 ")),
    ("P-68 no reason phrase and no space", accepted(status=b"HTTP/1.1 101")),
    ("P-23 a reason phrase that is no text", accepted(status=b"HTTP/1.1 101 \xff\xfe")),
    ("K-22 100 before the 101", behind(b"HTTP/1.1 100 Continue\r\n\r\n")),
    ("K-22 103 with fields before the 101", behind(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")),
    ("K-22 eight interim responses", behind(b"HTTP/1.1 102 Processing\r\n\r\n" * 8)),
    ("K-28 Content-Length: 0", accepted(extra=b"Content-Length: 0\r\n")),
    ("K-28 Content-Length: 100", accepted(extra=b"Content-Length: 100\r\n")),
    ("K-28 Transfer-Encoding: chunked", accepted(extra=b"Transfer-Encoding: chunked\r\n")),
    ("P-84 what servers add", accepted(extra=b"Date: Sat, 21 Nov 2026 10:00:00 GMT\r\nServer: x/1\r\n")),
    ("K-29 two cookies", accepted(extra=b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n")),
    ("P-66 lines that end with LF", edited(lambda head: head.replace(b"\r\n", b"\n"))),
    ("P-65 a folded line", accepted(extra=b"X-Folded: one\r\n two\r\n\tthree\r\n")),
    ("P-65 a folded Upgrade", edited(lambda head: head.replace(b"Upgrade: websocket", b"Upgrade:\r\n websocket"))),
    ("P-23 a value of bytes that are no text", accepted(extra=b"X-Latin: \xe4\xf6\xfc\r\n")),
    ("P-43 a hundred fields", accepted(extra=b"".join(b"X-%d: y\r\n" % n for n in range(97)))),
    ("P-43 a field of 8 KiB", accepted(extra=b"X: " + b"y" * (8 * KIB - 3) + b"\r\n")),
    ("F-09 the head in two pieces", split_everywhere),
    ("K-24 frames with the head", first_frames),
    ("K-08 a key for each connection", keys_differ),
]

BAD = [
    ("K-16 no Upgrade", fails_on(UPGRADE, without=["Upgrade"])),
    ("K-16 an empty Upgrade", fails_on(UPGRADE, Upgrade=b"")),
    ("K-16 Upgrade: h2c", fails_on(UPGRADE, Upgrade=b"h2c")),
    ("K-16 Upgrade: websocket, h2c", fails_on(UPGRADE, Upgrade=b"websocket, h2c")),
    ("K-16 Upgrade: websocket twice", fails_on(UPGRADE, Upgrade=[b"websocket", b"websocket"])),
    ("K-16 Upgrade: websocket/13", fails_on(UPGRADE, Upgrade=b"websocket/13")),
    ("K-17 no Connection", fails_on(CONNECTION, without=["Connection"])),
    ("K-17 an empty Connection", fails_on(CONNECTION, Connection=b"")),
    ("K-17 Connection: close", fails_on(CONNECTION, Connection=b"close")),
    ("K-17 Connection: upgrade-insecure-requests", fails_on(CONNECTION, Connection=b"upgrade-insecure-requests")),
    ("K-18 no accept value", fails_on(ACCEPT, without=[ACCEPT])),
    ("K-18 an empty accept value", wrong_accept(lambda guest: b"")),
    ("X9 the key as the accept value", wrong_accept(lambda guest: guest.key)),
    ("K-18 the accept value of another key", wrong_accept(lambda guest: accept_value(b"dGhlIHNhbXBsZSBub25jZQ=="))),
    ("K-18 the accept value of part of the key", wrong_accept(other_guid)),
    ("K-18 an accept value without the GUID", wrong_accept(lambda guest: base64.b64encode(GUID[:20]))),
    ("K-18 an accept value in another case", wrong_accept(lambda guest: guest.answer.swapcase())),
    ("K-18 an accept value without padding", wrong_accept(lambda guest: guest.answer.rstrip(b"="))),
    ("K-18 an accept value and more", wrong_accept(lambda guest: guest.answer + b", x")),
    ("K-18 an accept value in quotes", wrong_accept(lambda guest: b'"' + guest.answer + b'"')),
    ("K-18 the accept value twice", wrong_accept(lambda guest: [guest.answer, guest.answer])),
    ("K-18 a good accept value behind a bad one", wrong_accept(lambda guest: [b"x", guest.answer])),
    ("K-20 a subprotocol", fails_on("subprotocol", extra=b"Sec-WebSocket-Protocol: chat\r\n")),
    ("K-20 an empty subprotocol", fails_on("subprotocol", extra=b"Sec-WebSocket-Protocol:\r\n")),
    ("K-20 two subprotocols", fails_on("subprotocol", extra=b"Sec-WebSocket-Protocol: a\r\n" * 2)),
    ("K-19 permessage-deflate", fails_on("extension", extra=b"Sec-WebSocket-Extensions: permessage-deflate\r\n")),
    ("K-19 an unknown extension", fails_on("extension", extra=b"Sec-WebSocket-Extensions: x-what; a=1\r\n")),
    ("K-19 an empty list of extensions", fails_on("extension", extra=b"Sec-WebSocket-Extensions:\r\n")),
    ("X-01 extensions that are none", fails_on("extension", extra=b'Sec-WebSocket-Extensions: ;;="\r\n')),
    ("P-64 HTTP/1.0 101", fails_on("HTTP/1.0", status=b"HTTP/1.0 101 Switching Protocols")),
    ("P-64 HTTP/2 101", fails_on(NOT_HTTP + "|" + MALFORMED, status=b"HTTP/2 101 Switching Protocols")),
    ("P-64 HTTP/2.0 101", fails_on(NOT_HTTP + "|" + MALFORMED, status=b"HTTP/2.0 101 Switching Protocols")),
    ("P-64 http/1.1 101", fails_on(NOT_HTTP + "|" + MALFORMED, status=b"http/1.1 101 Switching Protocols")),
    ("P-64 HTTP/1.1x 101", fails_on(NOT_HTTP + "|" + MALFORMED, status=b"HTTP/1.1x 101 Switching Protocols")),
    ("P-64 ICY 101", fails_on(NOT_HTTP, status=b"ICY 101 OK")),
    ("P-64 two spaces before the code", fails_on(MALFORMED, status=b"HTTP/1.1  101 Switching Protocols")),
    ("P-64 a tab before the code", fails_on(NOT_HTTP, status=b"HTTP/1.1\t101 Switching Protocols")),
    ("P-64 a code of two digits", fails_on(MALFORMED, status=b"HTTP/1.1 10 What")),
    ("P-64 a code of four digits", fails_on(MALFORMED, status=b"HTTP/1.1 1010 What")),
    ("P-64 a code of letters", fails_on(MALFORMED, status=b"HTTP/1.1 abc What")),
    ("P-64 a code of 099", fails_on(MALFORMED + "|099|99", status=b"HTTP/1.1 099 What")),
    ("P-64 a negative code", fails_on(MALFORMED, status=b"HTTP/1.1 -10 What")),
    ("P-64 no code", fails_on(NOT_HTTP, status=b"HTTP/1.1")),
    ("P-64 an empty line first", fails(NOT_HTTP, lambda guest: b"\r\n" + guest.acceptance())),
    ("P-64 frames instead of a head", fails(NOT_HTTP, frames.text(b"hello", key=None))),
    ("P-64 zeros", fails(NOT_HTTP, bytes(100))),
    ("P-64 high bytes", fails(NOT_HTTP, b"\xff" * 100)),
    ("P-64 an SSH server", fails(NOT_HTTP, b"SSH-2.0-OpenSSH_9.2p1\r\n")),
    ("P-64 an SMTP server", fails(NOT_HTTP, b"220 mail.example ESMTP\r\n")),
    ("P-64 a request instead of an answer", fails(NOT_HTTP, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
    ("CD-08 a TLS alert", fails("TLS", b"\x15\x03\x01\x00\x02\x02\x0a")),
    ("CD-08 a TLS handshake", fails("TLS", b"\x16\x03\x01\x00\x05hello")),
    ("P-41 a field without a colon", fails_on(MALFORMED, extra=b"What\r\n")),
    ("P-41 a field without a name", fails_on(MALFORMED, extra=b": x\r\n")),
    ("P-41 a field name with a space", fails_on(MALFORMED, extra=b"A B: x\r\n")),
    ("P-69 a space before the colon", fails_on(MALFORMED, extra=b"A : x\r\n")),
    ("P-41 a field name that is no token", fails_on(MALFORMED, extra=b"A@: x\r\n")),
    ("P-41 a field name of high bytes", fails_on(MALFORMED, extra=b"\xe4: x\r\n")),
    ("P-42 a NUL in a value", fails_on(MALFORMED, extra=b"A: x\0y\r\n")),
    ("P-42 a CR in a value", fails_on(MALFORMED, extra=b"A: x\ry\r\n")),
    ("P-42 an escape in a value", fails_on(MALFORMED, extra=b"A: \x1b[2J\r\n")),
    ("P-42 a NUL in the reason phrase", fails_on(MALFORMED, status=b"HTTP/1.1 101 a\0b")),
    ("P-42 white space in front of the first field", fails(MALFORMED, lambda guest: guest.acceptance().replace(
        b"Upgrade:", b" Upgrade:", 1))),
    ("P-67 a status line of 10 KiB", fails(TOO_LARGE, b"HTTP/1.1 101 " + b"x" * 10 * KIB)),
    ("P-67 a field of 10 KiB", fails(TOO_LARGE, ANSWER + b"A: " + b"x" * 10 * KIB)),
    ("P-67 a field name of 10 KiB", fails(TOO_LARGE, ANSWER + b"x" * 10 * KIB)),
    ("P-67 101 fields", fails(TOO_LARGE, ANSWER + b"A: x\r\n" * 101)),
    ("P-67 a head of 40 KiB", fails(TOO_LARGE, ANSWER + (b"A: " + b"x" * 8000 + b"\r\n") * 5)),
    ("P-67 folded lines without end", fails(TOO_LARGE, ANSWER + b"A: x\r\n" + b" y\r\n" * 10 * KIB)),
    ("K-22 nine interim responses", fails("interim", b"HTTP/1.1 102 Processing\r\n\r\n" * 9)),
    ("CD-08 the end at once", fails_at_end("without an answer", b"")),
    ("P-67 the end inside the status line", fails_at_end("inside its answer", b"HTTP/1.1 10")),
    ("P-67 the end behind the status line", fails_at_end("inside its answer", ANSWER)),
    ("P-67 the end before the empty line", fails_at_end("inside its answer", lambda guest: guest.acceptance()[:-2])),
    ("P-67 the end inside the empty line", fails_at_end("inside its answer", lambda guest: guest.acceptance()[:-1])),
    ("K-22 the end behind an interim response", fails_at_end("inside its answer|without an answer",
        b"HTTP/1.1 100 Continue\r\n\r\n")),
    ("P-67 a reset at once", fails_at_reset(b"")),
    ("P-67 a reset inside the head", fails_at_reset(ANSWER)),
    ("CD-08 nobody listens", nobody_listens),
]

REFUSALS = [
    ("K-15 status %d" % status, refused(status, b"no", b"Content-Length: 2\r\n"))
    for status in (200, 202, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 407, 408, 410, 418, 426, 429, 500,
                   501, 502, 503, 504, 599)
] + [
    ("P-14 status 204, without a body", refused(204)),
    ("P-14 status 304, without a body", refused(304, fields=b"Content-Length: 100\r\n")),
    ("P-62 a body in chunks", refused(403, b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n", b"Transfer-Encoding: chunked\r\n")),
    ("P-62 a body in bad chunks", refused(403, b"zz\r\nabc", b"Transfer-Encoding: chunked\r\n")),
    ("P-62 a chunk of 2^64 bytes", refused(403, b"10000000000000000\r\nabc", b"Transfer-Encoding: chunked\r\n")),
    ("P-62 a body to the end of the connection", refused(500, b"x" * 5000)),
    ("P-62 a body that ends early", refused(500, b"abc", b"Content-Length: 1000\r\n")),
    ("P-62 a Content-Length that is none", refused(500, b"abc", b"Content-Length: x\r\n")),
    ("P-62 a Content-Length of 2^64", refused(500, b"abc", b"Content-Length: 18446744073709551616\r\n")),
    ("P-62 two Content-Lengths", refused(500, b"abc", b"Content-Length: 3\r\nContent-Length: 4\r\n")),
    ("CR-01 a redirect to itself", refused(302, fields=b"Location: /chat?room=1\r\nContent-Length: 0\r\n")),
    ("K-26 another version", refused(426, fields=b"Sec-WebSocket-Version: 8\r\nContent-Length: 0\r\n")),
    ("S-11 a body that would move a cursor", refused(403, b"\x1b[2J\r\n\0", b"Content-Length: 7\r\n")),
]

URIS = [
    ("CU-01 the URI %r" % uri, bad_uri(uri))
    for uri in ("", "ws:/h", "ws:h", "ws://", "ws://:80", "ftp://127.0.0.1/", "http://127.0.0.1/", "ws://127.0.0.1:0/",
                "ws://127.0.0.1:65536/", "ws://127.0.0.1:8o/", "ws://127.0.0.1:+80/", "ws://u:p@127.0.0.1/",
                "ws://127.0.0.1/#", "ws://127.0.0.1/#a", "ws://127.0.0.1/a b", "ws://127.0.0.1/a\r\nX: y",
                "ws://127.0.0.1/a\nb", "ws://127.0.0.1/a\tb", "ws://[::1/", "ws://[v1.x]/", "ws://127.1/",
                "ws://0x7f.1/", "ws://2130706433/", " ws://127.0.0.1/", "wss://127.0.0.1/")
]

CASES = [
    *(Case("client: " + name, check) for name, check in GOOD + BAD + REFUSALS + URIS),
    Measuring("client: P-67 a status line without end", endless(TOO_LARGE, b"HTTP/1.1 101 ", b"x" * 64 * KIB)),
    Measuring("client: P-67 fields without end", endless(TOO_LARGE, ANSWER, b"A: x\r\n" * 10 * KIB)),
    Measuring("client: P-62 a refusal whose body has no end", endless("500", b"HTTP/1.1 500 No\r\n\r\n",
        b"x" * 64 * KIB)),
    Measuring("client: P-62 a refusal in chunks without end", endless("500",
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4 * KIB + b"\r\n")),
    Waiting("client: S-08 a server that says nothing", waits_out("in time", silent)),
    Waiting("client: S-08 a server that says half of it", waits_out("in time", said_once(ANSWER + b"Upgrade: webso"))),
    Waiting("client: S-08 a server that drips", waits_out("in time", dripping(ANSWER + b"X: " + b"x" * 100))),
    Waiting("client: S-08 a server that drips interim responses",
        waits_out("in time", dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 8))),
    Waiting("client: P-62 a refusal whose body never comes",
        waits_out("403", said_once(b"HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nabc"))),
    Waiting("client: P-62 a refusal that drips",
        waits_out("403", dripping(b"HTTP/1.1 403 No\r\n\r\n" + b"x" * 100))),
]
