"""Opening handshakes that a server must accept or refuse, each delivered in several ways.

Every row is sent in one write and one byte per write; a complete head is also sent with a second, good request and a
frame behind it, which a server that refused the first must throw away (P-58).
"""
import base64

import frames
from peer import NONCE, Peer, request
from suite import Case, equal, expect

ACCEPT = "accept"
# Close without an answer, because nobody would understand one.
SILENCE = "silence"

TLS_CLIENT_HELLO = bytes.fromhex(
    "16030100c8010000c40303" + "5a" * 32 + "20" + "a5" * 32 + "0006130113021303" + "0100"
    "0075000000160014000011" + b"example.localhost".hex()
)


def lines(*parts):
    return b"\r\n".join(parts) + b"\r\n\r\n"


def start(line):
    return request(line)


REQUEST_LINES = [
    # row, title, bytes, expectation
    ("H-01", "GET", request(), ACCEPT),
    ("H-02", "HTTP/1.2 is a later 1.x", start(b"GET / HTTP/1.2"), ACCEPT),
    ("H-02", "HTTP/1.9 is a later 1.x", start(b"GET / HTTP/1.9"), ACCEPT),
    ("H-03", "a path", start(b"GET /chat HTTP/1.1"), ACCEPT),
    ("H-03", "a path and a query", start(b"GET /chat?room=1&x=%20 HTTP/1.1"), ACCEPT),
    ("H-03", "an empty query", start(b"GET /? HTTP/1.1"), ACCEPT),
    ("H-03", "an absolute http URI", start(b"GET http://localhost/chat HTTP/1.1"), ACCEPT),
    ("H-03", "an absolute https URI", start(b"GET https://localhost/ HTTP/1.1"), ACCEPT),
    ("H-03", "an absolute ws URI", start(b"GET ws://localhost/ HTTP/1.1"), ACCEPT),
    ("H-03", "an absolute wss URI", start(b"GET wss://localhost:443/ HTTP/1.1"), ACCEPT),
    ("H-03", "an absolute URI without a path", start(b"GET http://localhost HTTP/1.1"), ACCEPT),
    ("H-03", "an absolute URI in capitals", start(b"GET HTTP://LOCALHOST/ HTTP/1.1"), ACCEPT),
    ("P-11", "an absolute URI and another Host", request(b"GET http://a.test/ HTTP/1.1", Host=b"b.test"), ACCEPT),
    ("P-32", "a target as browsers send it: brackets and a bar in the path", start(b"GET /a[1]|'b HTTP/1.1"), ACCEPT),
    ("P-32", "a target as browsers send it: JSON in the query", start(b"GET /?q={%22a%22:1} HTTP/1.1"), ACCEPT),
    ("P-32", "a target as browsers send it: everything in the query", start(b"GET /?[]|^{}\\`' HTTP/1.1"), ACCEPT),
    ("P-31", "one part", lines(b"GET", b"Host: localhost"), 400),
    ("P-31", "two parts", start(b"GET /"), 400),
    ("P-31", "two parts, HTTP/0.9 with nothing behind it", b"GET /\r\n\r\n", 400),
    ("P-31", "four parts", start(b"GET / / HTTP/1.1"), 400),
    ("P-31", "two spaces before the target", start(b"GET  / HTTP/1.1"), 400),
    ("P-31", "two spaces behind the target", start(b"GET /  HTTP/1.1"), 400),
    ("P-31", "a space at the end", start(b"GET / HTTP/1.1 "), 400),
    ("P-31", "a space at the beginning", start(b" GET / HTTP/1.1"), 400),
    ("P-31", "tabs for spaces", start(b"GET\t/\tHTTP/1.1"), 400),
    ("P-31", "a tab in the target", start(b"GET /a\tb HTTP/1.1"), 400),
    ("P-31", "a control character in the target", start(b"GET /a\x01b HTTP/1.1"), 400),
    ("P-31", "NUL in the target", start(b"GET /a\0b HTTP/1.1"), 400),
    ("P-31", "an empty target", start(b"GET HTTP/1.1"), 400),
    ("P-31", "a target without a slash", start(b"GET foo HTTP/1.1"), 400),
    ("P-31", "the target *", start(b"GET * HTTP/1.1"), 400),
    ("P-31", "the target host:port", start(b"GET localhost:80 HTTP/1.1"), 400),
    ("P-31", "CONNECT host:port", start(b"CONNECT localhost:80 HTTP/1.1"), 400),
    ("P-31", "OPTIONS *", start(b"OPTIONS * HTTP/1.1"), 400),
    ("P-31", "an absolute URI of another scheme", start(b"GET ftp://localhost/ HTTP/1.1"), 400),
    ("P-31", "an absolute URI without a host", start(b"GET http:///chat HTTP/1.1"), 400),
    ("P-31", "an absolute URI with one slash", start(b"GET http:/localhost/ HTTP/1.1"), 400),
    ("P-31", "an absolute URI with userinfo", start(b"GET http://user@localhost/ HTTP/1.1"), 400),
    ("P-31", "a query without a path", start(b"GET ?a HTTP/1.1"), 400),
    ("P-31", "a method with a brace", start(b"G{T / HTTP/1.1"), 400),
    ("P-31", "a method with a byte from 0x80 on", start(b"G\xc3\xa9T / HTTP/1.1"), 400),
    ("P-32", "DEL in the target", start(b"GET /a\x7fb HTTP/1.1"), 400),
    ("P-32", "a quote in the target", start(b'GET /a"b HTTP/1.1'), 400),
    ("P-32", "a quote in the query", start(b'GET /?a"b HTTP/1.1'), 400),
    ("P-32", "< in the target", start(b"GET /a<b HTTP/1.1"), 400),
    ("P-32", "> in the query", start(b"GET /?a>b HTTP/1.1"), 400),
    ("P-32", "a raw byte from 0x80 on in the path", start(b"GET /\xc3\xa9 HTTP/1.1"), 400),
    ("P-32", "a raw byte from 0x80 on in the query", start(b"GET /?\xff HTTP/1.1"), 400),
    ("P-32", "a backslash in the path", start(b"GET /a\\b HTTP/1.1"), 400),
    ("P-32", "^ in the path", start(b"GET /a^b HTTP/1.1"), 400),
    ("P-32", "{ in the path", start(b"GET /a{b HTTP/1.1"), 400),
    ("P-32", "} in the path", start(b"GET /a}b HTTP/1.1"), 400),
    ("P-32", "a backtick in the path", start(b"GET /a`b HTTP/1.1"), 400),
    ("P-33", "a fragment", start(b"GET /a#b HTTP/1.1"), 400),
    ("P-33", "a fragment behind a query", start(b"GET /a?b#c HTTP/1.1"), 400),
    ("P-33", "an empty fragment", start(b"GET /# HTTP/1.1"), 400),
    ("P-35", "HTTP/1.0", start(b"GET / HTTP/1.0"), 400),
    ("P-35", "HTTP/1.0 without a Host", request(b"GET / HTTP/1.0", without=["Host"]), 400),
    ("P-36", "HTTP/2.0", start(b"GET / HTTP/2.0"), 505),
    ("P-36", "HTTP/3.0", start(b"GET / HTTP/3.0"), 505),
    ("P-36", "HTTP/0.9 in full", start(b"GET / HTTP/0.9"), 505),
    ("P-36", "HTTP/9.9", start(b"GET / HTTP/9.9"), 505),
    ("P-36", "HTTP/2 by prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0", 505),
    ("P-37", "http/1.1", start(b"GET / http/1.1"), 400),
    ("P-37", "Http/1.1", start(b"GET / Http/1.1"), 400),
    ("P-37", "HTTP/1.1x", start(b"GET / HTTP/1.1x"), 400),
    ("P-37", "HTTP/01.1", start(b"GET / HTTP/01.1"), 400),
    ("P-37", "HTTP/1.01", start(b"GET / HTTP/1.01"), 400),
    ("P-37", "HTTP/1", start(b"GET / HTTP/1"), 400),
    ("P-37", "HTTP/1.", start(b"GET / HTTP/1."), 400),
    ("P-37", "HTTP/", start(b"GET / HTTP/"), 400),
    ("P-37", "HTTP/1,1", start(b"GET / HTTP/1,1"), 400),
    ("P-37", "HTTP 1.1", start(b"GET / HTTP 1.1"), 400),
    ("P-37", "HTTPS/1.1", start(b"GET / HTTPS/1.1"), 400),
    ("P-37", "ICY/1.1", start(b"GET / ICY/1.1"), 400),
    ("P-37", "HTTP/-1.1", start(b"GET / HTTP/-1.1"), 400),
    ("P-37", "HTTP/1.\xb9", start(b"GET / HTTP/1.\xb9"), 400),
    ("P-38", "POST", start(b"POST / HTTP/1.1"), 405),
    ("P-38", "PUT", start(b"PUT / HTTP/1.1"), 405),
    ("P-38", "DELETE", start(b"DELETE / HTTP/1.1"), 405),
    ("P-38", "OPTIONS", start(b"OPTIONS / HTTP/1.1"), 405),
    ("P-38", "PATCH", start(b"PATCH / HTTP/1.1"), 405),
    ("P-38", "TRACE", start(b"TRACE / HTTP/1.1"), 405),
    ("H-01", "get", start(b"get / HTTP/1.1"), 405),
    ("H-01", "Get", start(b"Get / HTTP/1.1"), 405),
    ("P-39", "an unknown method", start(b"FROBNICATE / HTTP/1.1"), 501),
    ("P-39", "an unknown method of every kind of character", start(b"!#$%&'*+-.^_`|~09aZ / HTTP/1.1"), 501),
    ("P-39", "GETT", start(b"GETT / HTTP/1.1"), 501),
    ("P-39", "GE", start(b"GE / HTTP/1.1"), 501),
    ("P-17", "a method longer than any", start(b"M" * 100 + b" / HTTP/1.1"), 501),
    ("P-17", "a method longer than the line may be", start(b"M" * 20000 + b" / HTTP/1.1"), 501),
    ("P-16", "an empty line first", b"\r\n" + request(), ACCEPT),
    ("P-16", "two empty lines first", b"\r\n\r\n" + request(), ACCEPT),
    ("P-16", "three empty lines first", b"\r\n\r\n\r\n" + request(), 400),
    ("P-18", "an LF first", b"\n" + request(), 400),
    ("P-19", "a CR first", b"\r" + request(), 400),
]

NOT_HTTP = [
    ("P-30", "a TLS ClientHello", TLS_CLIENT_HELLO, SILENCE),
    ("P-30", "an SSLv2 ClientHello", bytes.fromhex("802e0100020015000000100100800200800300800600403000"), SILENCE),
    ("P-30", "binary", b"\0\1\2\3\xff\xfe\r\n\r\n", SILENCE),
    ("P-30", "a SOCKS5 greeting", b"\x05\x01\x00", SILENCE),
    ("P-30", "frames without a handshake", frames.text(b"hello") + frames.close(1000), SILENCE),
    ("P-30", "a byte order mark", b"\xef\xbb\xbf" + request(), SILENCE),
    ("P-30", "an SSH banner", b"SSH-2.0-OpenSSH_9.6\r\n", 400),
    ("P-30", "an HTTP response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    ("P-30", "SMTP", b"EHLO localhost\r\n\r\n", 400),
    ("P-30", "JSON", b'{"op": "subscribe"}\r\n\r\n', 400),
]

HOSTS = [
    ("P-40", "no Host", request(without=["Host"]), 400),
    ("P-40", "two Hosts", request(Host=[b"localhost", b"localhost"]), 400),
    ("P-40", "two different Hosts", request(Host=[b"a.test", b"b.test"]), 400),
    ("P-40", "a list of Hosts", request(Host=b"a.test, b.test"), 400),
    ("P-40", "an empty Host", request(Host=b""), 400),
    ("P-40", "an absolute URI and no Host", request(b"GET http://localhost/ HTTP/1.1", without=["Host"]), 400),
    ("P-40", "an absolute URI and an invalid Host", request(b"GET http://localhost/ HTTP/1.1", Host=b"a b"), 400),
] + [
    ("P-40", "the Host %r" % host, request(Host=host), 400)
    for host in (
        b"a b", b"a/b", b"user@h", b"[::1", b"::1", b"[::1]x", b"[]", b"[zz]", b"h:x", b"h:70000", b"h:-1", b"h:80:80",
        b":80", b"h\\x", b"h?x", b"h#x", b"<h>", b"h\xc3\xa9", b"%zz", b"h%4", b'"h"', b"h:8 0", b"http://h",
    )
] + [
    ("P-40", "the Host %r" % host, request(Host=host), ACCEPT)
    for host in (
        b"a_b.local", b"h:", b"%41.example", b"example.com.", b"[::1]", b"[::1]:8080", b"127.0.0.1:65535",
            b"EXAMPLE.com",
        b"h:080", b"xn--bcher-kva.example",
    )
]


def field(line):
    """A good request with one more line behind its fields."""
    return request(extra=line + b"\r\n")


SYNTAX = [
    ("P-41", "a line without a colon", field(b"Nonsense"), 400),
    ("P-41", "an empty name", field(b": value"), 400),
    ("P-41", "a space in a name", field(b"A B: value"), 400),
    ("P-41", "a space before the colon", field(b"Name : value"), 400),
    ("P-41", "a tab before the colon", field(b"Name\t: value"), 400),
    ("P-41", "a space before the colon of Host", request(without=["Host"], extra=b"Host : localhost\r\n"), 400),
    ("P-41", "a name with a byte from 0x80 on", field(b"N\xc3\xa9: value"), 400),
    ("P-41", "a name with a control character", field(b"N\x01: value"), 400),
    ("P-41", "a name with NUL", field(b"N\0: value"), 400),
    ("P-41", "a name with DEL", field(b"N\x7f: value"), 400),
    ("P-41", "a quoted name", field(b'"Name": value'), 400),
    ("P-42", "a folded line", field(b"Name: a\r\n b"), 400),
    ("P-42", "a line folded with a tab", field(b"Name: a\r\n\tb"), 400),
    ("P-42", "a line of one space", field(b" "), 400),
    ("P-21", "a blank line start right behind the request line", b"GET / HTTP/1.1\r\n X: y" + request()[14:], 400),
    ("P-42", "NUL in a value", field(b"Name: a\0b"), 400),
    ("P-42", "a bare CR in a value", field(b"Name: a\rb"), 400),
    ("P-42", "a bare CR before the line end", field(b"Name: a\r"), 400),
    ("P-42", "a bare LF in a value", field(b"Name: a\nOther: b"), 400),
    ("P-42", "LF for every line end", request().replace(b"\r\n", b"\n") + b"\r\n\r\n", 400),
    ("P-42", "LF for the last line end", request()[:-2] + b"\n\r\n", 400),
    ("P-42", "CR for every line end", request().replace(b"\r\n", b"\r") + b"\r\n\r\n", 400),
    ("P-42", "LF behind the request line", request().replace(b"\r\n", b"\n", 1), 400),
    ("P-42", "CR CR LF", request().replace(b"\r\n", b"\r\r\n", 1), 400),
    ("P-22", "ESC in a value", field(b"Name: a\x1bb"), 400),
    ("P-22", "DEL in a value", field(b"Name: a\x7fb"), 400),
    ("P-22", "a vertical tab in a value", field(b"Name: a\x0bb"), 400),
    ("P-22", "a form feed before a value", field(b"Name:\x0cb"), 400),
    ("P-05", "an empty value", field(b"Name:"), ACCEPT),
    ("P-05", "a value of blanks", field(b"Name: \t "), ACCEPT),
    ("P-05", "no space behind the colon", field(b"Name:value"), ACCEPT),
    ("P-05", "a tab in a value", field(b"Name: a\tb"), ACCEPT),
    ("P-05", "colons in a value", field(b"Name: a: b: c"), ACCEPT),
    ("P-04", "a name of every kind of character", field(b"!#$%&'*+-.^_`|~09aZ: x"), ACCEPT),
    ("P-23", "bytes from 0x80 on in a value", field(b"Name: \x80\xff\xfe"), ACCEPT),
    ("P-88", "names in lower case", request().replace(b"Host", b"host").replace(b"Upgrade:", b"upgrade:")
        .replace(b"Sec-WebSocket", b"sec-websocket").replace(b"Connection", b"connection"), ACCEPT),
    ("P-88", "names in capitals", request().replace(b"Host", b"HOST").replace(b"Upgrade:", b"UPGRADE:")
        .replace(b"Sec-WebSocket-Key", b"SEC-WEBSOCKET-KEY").replace(b"Connection", b"CONNECTION"), ACCEPT),
    ("P-88", "Go's spelling", request().replace(b"WebSocket-", b"Websocket-"), ACCEPT),
    ("P-82", "what Chrome sends", request(Host=b"localhost:8080", extra=(
        b"Pragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
        b"Origin: http://localhost:8080\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nCookie: a=b; c=d\r\n"
        b"Accept-Language: de,en;q=0.9\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    )), ACCEPT),
    ("P-80", "what Firefox sends", request(Connection=b"keep-alive, Upgrade", extra=(
        b"Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: websocket\r\nSec-Fetch-Site: same-origin\r\n"
    )), ACCEPT),
    ("P-83", "what proxies add", field(b"X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nVia: 1.1 proxy"),
        ACCEPT),
]

BODIES = [
    ("P-54", "Content-Length: 0", field(b"Content-Length: 0"), ACCEPT),
    ("P-53", "Content-Length: 5 and five bytes", field(b"Content-Length: 5") + b"hello", 400),
    ("P-53", "Content-Length: 5 and a frame", field(b"Content-Length: 5") + frames.text(b"hello"), 400),
    ("P-53", "Content-Length: 1 and nothing", field(b"Content-Length: 1"), 400),
    ("P-53", "a huge Content-Length", field(b"Content-Length: 18446744073709551616"), 400),
    ("P-53", "two Content-Lengths that differ", field(b"Content-Length: 0\r\nContent-Length: 5") + b"hello", 400),
    ("H6", "the same Content-Length twice", field(b"Content-Length: 0\r\nContent-Length: 0"), 400),
    ("H6", "a list of Content-Lengths", field(b"Content-Length: 0, 0"), 400),
] + [
    ("P-53", "Content-Length: %r" % value.decode("latin-1"), field(b"Content-Length: " + value), 400)
    for value in (b"", b"+0", b"-0", b"0x0", b"0 0", b"zero", b"0.0", b"\xb2", b"0;", b"1e1")
] + [
    ("P-53", "chunked", field(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n", 400),
    ("P-53", "chunked, and both", field(b"Transfer-Encoding: chunked\r\nContent-Length: 0") + b"0\r\n\r\n", 400),
    ("P-53", "both, the length first", field(b"Content-Length: 5\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    ("P-53", "identity", field(b"Transfer-Encoding: identity"), 400),
    ("P-53", "an unknown coding", field(b"Transfer-Encoding: xchunked"), 400),
    ("P-53", "an empty Transfer-Encoding", field(b"Transfer-Encoding:"), 400),
    ("P-53", "chunked in capitals", field(b"TRANSFER-ENCODING: CHUNKED"), 400),
    ("P-53", "chunked behind a tab", field(b"Transfer-Encoding:\tchunked"), 400),
    ("P-53", "Transfer-Encoding with a space before the colon", field(b"Transfer-Encoding : chunked"), 400),
    ("P-53", "chunked in a folded line", field(b"X: y\r\n Transfer-Encoding: chunked"), 400),
    ("P-53", "a POST with a body", request(b"POST / HTTP/1.1", extra=b"Content-Length: 5\r\n") + b"hello", 400),
    ("P-05", "Content_Length is another field", field(b"Content_Length: 5"), ACCEPT),
]


def deliver(name, data, expectation):
    """The cases of one row."""
    yield Case(name + " (one write)", lambda server: judge(server, expectation, lambda peer: peer.send(data)))
    if len(data) <= 1000:
        yield Case(
            name + " (bytewise)", lambda server: judge(server, expectation, lambda peer: peer.send_bytewise(data))
        )
    if expectation not in (ACCEPT, SILENCE) and b"\r\n\r\n" in data:
        followed = data + request() + frames.text(b"smuggled")
        yield Case(
            name + " (with more behind it)",
            lambda server: judge(server, expectation, lambda peer: peer.send_as_far_as_possible(followed)),
        )


def judge(server, expectation, send):
    with Peer(server.port) as peer:
        send(peer)
        if expectation == ACCEPT:
            peer.expect_acceptance()
            peer.expect_echo()
            peer.finish()
        elif expectation == SILENCE:
            peer.expect_end()
        else:
            peer.expect_refusal(expectation)


def cases_of(table):
    for row, title, data, expectation in table:
        yield from deliver("%s %s" % (row, title), data, expectation)


def refuse_without_echo(server):
    """S-14: what the client wrote does not come back, and nothing about the inside of the server does."""
    with Peer(server.port) as peer:
        peer.send(request(Upgrade=b"x<script>alert(1)</script>", extra=b"X-Evil: \x1b[31mred\x1b[0m\r\n"))
        response = peer.expect_refusal(400)
        expect(b"script" not in response.body, "the refusal repeats the request: %r", response.body)


def answer_head(server):
    """RFC 9110 section 9.3.2: the response to HEAD has the fields and not the content."""
    with Peer(server.port) as peer:
        peer.send(start(b"HEAD / HTTP/1.1"))
        response = peer.receive_head()
        equal("the status", response.status, 405)
        equal("Allow", response.one("allow"), "GET")
        peer.expect_end()


def accept_after_continue(server):
    """H-23, P-15: first 100, then 101."""
    for delivered in (Peer.send, Peer.send_bytewise):
        with Peer(server.port) as peer:
            delivered(peer, field(b"Expect: 100-continue"))
            equal("the first status", peer.receive_head().status, 100)
            peer.expect_acceptance()
            peer.expect_echo()
            peer.finish()


def accept_any_key(server):
    """H-11: the answer belongs to the text of the key, whatever it decodes to."""
    keys = [NONCE, b"AQIDBAUGBwgJCgsMDQ4PEA==", b"AQIDBAUGBwgJCgsMDQ4PEC==", b"x3JJHMbDL1EzLkh9GBhXDw=="]
    keys += [base64.b64encode(bytes([number]) * 16) for number in range(0, 256, 17)]
    keys += [b"++++++++++++++++++++++==", b"//////////////////////=="]
    for key in keys:
        with Peer(server.port) as peer:
            peer.send(request(Sec_WebSocket_Key=key))
            peer.expect_acceptance(key)


CASES = [
    *cases_of(REQUEST_LINES),
    *cases_of(NOT_HTTP),
    *cases_of(HOSTS),
    *cases_of(SYNTAX),
    *cases_of(BODIES),
    Case("S-14 a refusal repeats nothing", refuse_without_echo),
    Case("P-38 HEAD has no content in its answer", answer_head),
    Case("H-23 Expect: 100-continue", accept_after_continue),
    Case("H-11 many keys, the misprint of the RFC among them", accept_any_key),
]
