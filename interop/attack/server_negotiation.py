"""What makes a request an opening handshake: Upgrade, Connection, key, version, origin, subprotocols, extensions."""
from peer import NONCE, Peer, request
from server_requests import ACCEPT, cases_of, field, start
from suite import Case, equal, expect


def replaced(name, *values):
    return request(**{name: list(values)})


UPGRADES = [
    ("P-46", "a plain GET", request(without=["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"]),
        426),
    ("P-46", "no Upgrade", request(without=["Upgrade"]), 426),
    ("P-46", "an empty Upgrade", replaced("Upgrade", b""), 426),
    ("P-46", "an Upgrade to something else", replaced("Upgrade", b"h2c"), 426),
    ("P-46", "an Upgrade to websocket2", replaced("Upgrade", b"websocket2"), 426),
    ("P-46", "an Upgrade to web-socket", replaced("Upgrade", b"web-socket"), 426),
    ("P-46", "an Upgrade to TLS", replaced("Upgrade", b"TLS/1.0"), 426),
    ("H-05", "WebSocket", replaced("Upgrade", b"WebSocket"), ACCEPT),
    ("H-05", "WEBSOCKET", replaced("Upgrade", b"WEBSOCKET"), ACCEPT),
    ("H-05", "h2c, websocket", replaced("Upgrade", b"h2c, websocket"), ACCEPT),
    ("H-05", "websocket,h2c", replaced("Upgrade", b"websocket,h2c"), ACCEPT),
    ("H-05", "two Upgrade lines", replaced("Upgrade", b"h2c", b"websocket"), ACCEPT),
    ("H-05", "a protocol with a version beside it", replaced("Upgrade", b"TLS/1.0, websocket"), ACCEPT),
    ("H-05", "empty items in Upgrade", replaced("Upgrade", b", ,websocket,,"), ACCEPT),
    ("H-05", "blanks around websocket", replaced("Upgrade", b" \twebsocket\t "), ACCEPT),
    ("H-19", "an Upgrade that is no list of protocols", replaced("Upgrade", b"websocket; q=1"), 400),
    ("H-19", "an Upgrade in quotes", replaced("Upgrade", b'"websocket"'), 400),
    ("P-47", "no Connection", request(without=["Connection"]), 400),
    ("P-47", "an empty Connection", replaced("Connection", b""), 400),
    ("P-47", "Connection: close", replaced("Connection", b"close"), 400),
    ("P-47", "Connection: keep-alive", replaced("Connection", b"keep-alive"), 400),
    ("H-06", "Connection: upgrade-insecure", replaced("Connection", b"upgrade-insecure"), 400),
    ("H-06", "Connection: upgraded", replaced("Connection", b"keep-alive, upgraded"), 400),
    ("H-06", "Connection: websocket", replaced("Connection", b"websocket"), 400),
    ("H-06", "keep-alive, Upgrade", replaced("Connection", b"keep-alive, Upgrade"), ACCEPT),
    ("H-06", "upgrade in lower case", replaced("Connection", b"upgrade"), ACCEPT),
    ("H-06", "UPGRADE", replaced("Connection", b"UPGRADE"), ACCEPT),
    ("H-06", "two Connection lines", replaced("Connection", b"keep-alive", b"Upgrade"), ACCEPT),
    ("H-06", "Upgrade, HTTP2-Settings", replaced("Connection", b"Upgrade, HTTP2-Settings"), ACCEPT),
    ("H-06", "empty items in Connection", replaced("Connection", b",,upgrade,"), ACCEPT),
]

KEYS = [
    ("P-48", "no key", request(without=["Sec-WebSocket-Key"]), 400),
    ("P-48", "the key twice", replaced("Sec_WebSocket_Key", NONCE, NONCE), 400),
    ("P-48", "two keys", replaced("Sec_WebSocket_Key", NONCE, b"x3JJHMbDL1EzLkh9GBhXDw=="), 400),
    ("P-48", "two keys in a list", replaced("Sec_WebSocket_Key", NONCE + b", " + NONCE), 400),
] + [
    ("P-48", "the key %r" % key.decode("latin-1"), replaced("Sec_WebSocket_Key", key), 400)
    for key in (
        b"", b"==", b"dGhlIHNhbXBsZSBub25j", b"dGhlIHNhbXBsZSBub25jZWU=", b"dGhlIHNhbXBsZSBub25jZQ",
            b"dGhlIHNhbXBsZSBub25jZQ=",
        b"dGhlIHNhbXBsZSBub25jZQ===", b"dGhlIHNhbXBsZSBub25jZWVlZQ==", b"dGhlIHNhbX-sZSBub25jZQ==",
            b"dGhlIHNhbX_sZSBub25jZQ==",
        b"dGhlIHNhbX sZSBub25jZQ==", b"dGhl\tIHNhbXBsZSBub25jZ==", b"dGhlIHNhbXBsZSBub25=ZQ==",
            b'"dGhlIHNhbXBsZSBub25jZQ=="',
        b"dGhlIHNhbXBsZSBub25j\xff\xff==", b"the sample nonce", b"dGhlIHNhbXBsZSBub25jZQ==; x", b"A" * 24, b"A" * 8000,
    )
]

VERSIONS = [
    ("P-49", "no version", request(without=["Sec-WebSocket-Version"]), 400),
    ("P-49", "the version twice", replaced("Sec_WebSocket_Version", b"13", b"13"), 400),
    ("P-49", "two versions", replaced("Sec_WebSocket_Version", b"8", b"13"), 400),
] + [
    ("P-49", "the version %r" % version.decode("latin-1"), replaced("Sec_WebSocket_Version", version), 400)
    for version in (
        b"", b"013", b"0013", b"13, 8", b"8, 13", b"13,", b"abc", b"-13", b"+13", b"13.0", b"0x0d", b"256", b"999",
            b"1 3",
        b"13;", b'"13"', b"00", b"\xb9\xb3", b"13a", b"99999999999999999999",
    )
] + [
    ("P-50", "version %d" % version, replaced("Sec_WebSocket_Version", b"%d" % version), 426)
    for version in (0, 1, 3, 7, 8, 12, 14, 25, 99, 100, 199, 255)
]

EXPECTATIONS = [
    ("P-55", "Expect: %r" % value.decode("latin-1"), field(b"Expect: " + value), 417)
    for value in (b"200-ok", b"100-continued", b"\xff", b"101-switching")
]


def origin(value, **options):
    return request(extra=b"Origin: " + value + b"\r\n", **options)


ORIGINS = [
    ("P-52", "no Origin", request(), ACCEPT),
    ("P-52", "the same host", origin(b"http://localhost"), ACCEPT),
    ("P-52", "the same host by https", origin(b"https://localhost", Host=b"localhost:443"), ACCEPT),
    ("P-52", "the same host and port", origin(b"http://localhost:8080", Host=b"localhost:8080"), ACCEPT),
    ("P-52", "the same host in other letters", origin(b"http://LOCALHOST"), ACCEPT),
    ("P-52", "the same IPv6 host", origin(b"http://[::1]:8080", Host=b"[::1]:8080"), ACCEPT),
    ("P-52", "the host of an absolute target", origin(b"http://a.test", line=b"GET http://a.test/ HTTP/1.1"), ACCEPT),
    ("P-52", "the host that an absolute target replaces",
        origin(b"http://localhost", line=b"GET http://a.test/ HTTP/1.1"), 403),
    ("P-52", "two Origins", request(extra=b"Origin: http://localhost\r\nOrigin: http://localhost\r\n"), 400),
    ("P-52", "another port", origin(b"http://localhost:8080"), 403),
    ("P-52", "another port behind the host", origin(b"http://localhost", Host=b"localhost:8080"), 403),
] + [
    ("P-52", "the Origin %r" % value.decode("latin-1"), origin(value, Host=b"good.example"), 403)
    for value in (
        b"http://evil.example", b"null", b"", b"http://good.example.evil.test", b"http://evilgood.example",
        b"http://sub.good.example", b"http://good.example@evil.test", b"http://evil.test/good.example", b"good.example",
        b"http://good.example/", b"http://good.example/path", b"http://good.example#", b"http://good.example?",
        b"file://good.example", b"chrome-extension://good.example", b"http:good.example", b"http://",
        b"http://good.example, http://good.example", b"http://good.example http://evil.test",
            b"http://good.example\xff",
        b"http://good.example:80:80", b"http://good.example:x", b"//good.example",
    )
]


def protocols(*values):
    return request(extra=b"".join(b"Sec-WebSocket-Protocol: " + value + b"\r\n" for value in values))


SUBPROTOCOLS = [
    ("H-14", "one that is not spoken", protocols(b"chat"), ACCEPT),
    ("H-14", "two that are not spoken", protocols(b"chat, superchat"), ACCEPT),
    ("H-14", "on two lines", protocols(b"a", b"b, c"), ACCEPT),
    ("H-14", "empty items", protocols(b"a,,b,"), ACCEPT),
    ("H-14", "names of every kind of character", protocols(b"!#$%&'*+-.^_`|~09aZ"), ACCEPT),
    ("P-51", "a thousand", protocols(b",".join(b"p%d" % number for number in range(1000))), ACCEPT),
] + [
    ("P-51", "the subprotocols %r" % value.decode("latin-1"), protocols(value), 400)
    for value in (b"", b",", b" , ,", b"a b", b"a;b", b"a/b", b'"a"', b"a, b c", b"\xff", b"a=b", b"{a}", b"a@b",
        b"a:b", b"a\tb")
]


def extensions(*values):
    return request(extra=b"".join(b"Sec-WebSocket-Extensions: " + value + b"\r\n" for value in values))


EXTENSIONS = [
    ("X-04", "an unknown one", extensions(b"foo"), ACCEPT),
    ("X-04", "permessage-deflate without being asked to speak it", extensions(b"permessage-deflate"), ACCEPT),
    ("X-04", "an unknown one and permessage-deflate", extensions(b"foo, permessage-deflate"), ACCEPT),
    ("X-01", "blanks wherever they may be", extensions(b'a ; b = "1" ,, c\t;d'), ACCEPT),
    ("X-02", "a quoted value", extensions(b'a; b="c"'), ACCEPT),
    ("X-02", "an escape in a quoted value", extensions(b'a; b="1\\0"'), ACCEPT),
    ("X-03", "on two lines", extensions(b"a; b", b"c"), ACCEPT),
    ("X-07", "a name in other letters", extensions(b"Permessage-Deflate"), ACCEPT),
    ("H-20", "names that another language gives a meaning", extensions(b"constructor, __proto__; toString=valueOf"),
        ACCEPT),
    ("X-09", "32 of them", extensions(b",".join(b"e%d" % number for number in range(32))), ACCEPT),
    ("X-09", "thousands of them", extensions(b",".join([b"e"] * 4000)), 400),
    ("X-09", "thousands of parameters", extensions(b"e" + b";p" * 4000), 400),
] + [
    ("P-51", "the extensions %r" % value.decode("latin-1"), extensions(value), 400)
    for value in (
        b"", b",", b" , ,", b"permessage-deflate;;", b"a;", b";a", b"a; =b", b"a; b=", b'a; b="', b'a; b="c',
            b'a; b="c\\', b'a; b=""',
        b'a; b="c d"', b'a; b="c"d', b"a b", b"a; b c", b"a; b=c=d", b"=", b'"a"', b"a/b", b"a; b=c/d", b"\xff",
            b"a; \xff",
        b'a; b="\xff"', b'a; b="c\\"d"', b"a,;b", b"a; b;", b"(a)", b"a; b='c d'",
    )
]


def select_nothing(server):
    """H-13, H-21: an answer names no subprotocol and no extension that the server does not speak."""
    with Peer(server.port) as peer:
        peer.send(request(extra=b"Sec-WebSocket-Protocol: chat, chat\r\nSec-WebSocket-Extensions: x-unknown\r\n"))
        response = peer.receive_head()
        equal("the status", response.status, 101)
        equal("the subprotocols", response.all("sec-websocket-protocol"), [])
        equal("the extensions", response.all("sec-websocket-extensions"), [])


def name_the_version(server):
    """P-49: a version that was not understood is answered with the one that is."""
    for data in (request(without=["Sec-WebSocket-Version"]), request(Sec_WebSocket_Version=b"abc")):
        with Peer(server.port) as peer:
            peer.send(data)
            response = peer.expect_refusal(400)
            equal("Sec-WebSocket-Version", response.one("sec-websocket-version"), "13")


def name_the_proxy(server):
    """P-47: whoever runs the proxy that took Connection away has to learn it."""
    with Peer(server.port) as peer:
        peer.send(request(without=["Connection"]))
        response = peer.expect_refusal(400)
        expect(b"Connection" in response.body, "the body is %r", response.body)


def accept_without_old_names(server):
    """No header names of the drafts, which some old tutorials send."""
    with Peer(server.port) as peer:
        peer.send(start(b"GET /chat HTTP/1.1"))
        head = peer.receive_head().head
        for name in (b"WebSocket-Location", b"WebSocket-Origin", b"\r\nWebSocket-Protocol", b"Content-Length",
            b"Transfer"):
            expect(name not in head, "the response is %r", head)


CASES = [
    *cases_of(UPGRADES),
    *cases_of(KEYS),
    *cases_of(VERSIONS),
    *cases_of(EXPECTATIONS),
    *cases_of(ORIGINS),
    *cases_of(SUBPROTOCOLS),
    *cases_of(EXTENSIONS),
    Case("H-13 nothing is selected that is not spoken", select_nothing),
    Case("P-49 the refusal of a bad version names version 13", name_the_version),
    Case("P-47 the refusal says that Connection lacks Upgrade", name_the_proxy),
    Case("H-12 no header names of old drafts", accept_without_old_names),
]
