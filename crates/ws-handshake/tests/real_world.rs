//! Heads as real programs send them. Whatever they are sent through, they must pass.

mod wire;

use wire::read;
use ws_handshake::client::{Request, ResponseReader};
use ws_handshake::{Limits, OriginPolicy, Uri};

/// Requests by name, all for `/chat`. Line ends are written as LF here and sent as CRLF.
const REQUESTS: [(&str, &str); 12] = [
    (
        "Chrome",
        "GET /chat HTTP/1.1
Host: example.com
Connection: Upgrade
Pragma: no-cache
Cache-Control: no-cache
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36
Upgrade: websocket
Origin: https://example.com
Sec-WebSocket-Version: 13
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-US,en;q=0.9,zh-CN;q=0.8
Cookie: _ga=GA1.1.1; session=eyJhbGciOiJIUzI1NiJ9.e30.Zz
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits
",
    ),
    (
        "Firefox",
        "GET /chat HTTP/1.1
Host: example.com
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0
Accept: */*
Accept-Language: en-US,en;q=0.5
Accept-Encoding: gzip, deflate, br, zstd
Sec-WebSocket-Version: 13
Origin: https://example.com
Sec-WebSocket-Protocol: chat, superchat
Sec-WebSocket-Extensions: permessage-deflate
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Connection: keep-alive, Upgrade
Sec-Fetch-Dest: empty
Sec-Fetch-Mode: websocket
Sec-Fetch-Site: same-origin
Pragma: no-cache
Cache-Control: no-cache
Upgrade: websocket
",
    ),
    (
        "Safari",
        "GET /chat HTTP/1.1
Host: example.com
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version: 13
Sec-WebSocket-Extensions: permessage-deflate
Origin: https://example.com
Sec-Fetch-Site: same-origin
Sec-Fetch-Dest: websocket
",
    ),
    (
        "through nginx",
        "GET /chat HTTP/1.1
Upgrade: websocket
Connection: upgrade
Host: example.com
X-Real-IP: 203.0.113.7
X-Forwarded-For: 203.0.113.7, 10.0.0.1
X-Forwarded-Proto: https
Pragma: no-cache
Origin: https://example.com
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
",
    ),
    (
        "through a gateway that lowers names",
        "GET /chat HTTP/1.1
host: example.com
upgrade: websocket
connection: upgrade
sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==
sec-websocket-version: 13
x-envoy-expected-rq-timeout-ms: 15000
x-request-id: 7d1b1b0e-7a3c-4b0e-8f0a-0d6f6a1f2b3c
content-length: 0
via: 1.1 gateway
",
    ),
    (
        "through a CDN",
        "GET /chat HTTP/1.1
Host: example.com
Accept-Encoding: gzip
CF-Ray: 8c0000000000000-AMS
X-Forwarded-Proto: https
CF-Visitor: {\"scheme\":\"https\"}
Forwarded: for=\"[2001:db8::1]\";proto=https
Connection: Upgrade
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
",
    ),
    (
        "node ws",
        "GET /chat HTTP/1.1
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Connection: Upgrade
Upgrade: websocket
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits
Host: example.com
",
    ),
    (
        "Go gorilla",
        "GET /chat HTTP/1.1
Host: example.com
User-Agent: Go-http-client/1.1
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version: 13
Upgrade: websocket
",
    ),
    (
        "Go with its own spelling",
        "GET /chat HTTP/1.1
Host: example.com
Sec-Websocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-Websocket-Version: 13
Connection: Upgrade
Upgrade: websocket
",
    ),
    (
        "curl",
        "GET /chat HTTP/1.1
Host: example.com
User-Agent: curl/8.14.1
Accept: */*
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Connection: Upgrade
",
    ),
    (
        "Python websockets",
        "GET /chat HTTP/1.1
Host: example.com
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version: 13
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits
User-Agent: Python/3.13 websockets/15.0
",
    ),
    (
        "an old client",
        "GET http://example.com/chat HTTP/1.1
Upgrade: WebSocket
Connection: Upgrade
Host: example.com:80
Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version:13
",
    ),
];

fn wire_form(text: &str) -> Vec<u8> {
    [text.replace('\n', "\r\n").as_bytes(), b"\r\n"].concat()
}

/// spec: P-80, P-81, P-82, P-83, P-85, P-87, P-88, H7
#[test]
fn requests() {
    for (name, text) in REQUESTS {
        let request =
            read(&wire_form(text)).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert!(request.wants_websocket(), "{name}");
        assert_eq!(request.path(), "/chat", "{name}");
        assert_eq!(OriginPolicy::SameHost.check(&request), Ok(()), "{name}");
        let offer = request
            .offer()
            .unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!(
            offer.accept_key().as_str(),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "{name}"
        );
    }
}

/// spec: P-80, P-86: what proxies and scanners make of it, and what they get.
#[test]
fn broken_on_the_way() {
    let cases = [
        // nginx without the two lines of configuration: hop-by-hop fields are gone.
        (
            "GET /chat HTTP/1.0\nHost: example.com\nConnection: close\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n",
            Some(400),
        ),
        (
            "GET /chat HTTP/1.1\nHost: example.com\nConnection: close\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n",
            Some(426),
        ),
        ("GET / HTTP/1.0\n", Some(400)),
        (
            "GET / HTTP/1.1\nHost: 203.0.113.7\nUser-Agent: scanner\n",
            Some(426),
        ),
        ("OPTIONS * HTTP/1.1\nHost: x\n", Some(400)),
        (
            "CONNECT example.com:443 HTTP/1.1\nHost: example.com:443\n",
            Some(400),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(wire::status(&wire_form(text)), expected, "{text}");
    }
}

/// Answers by name, all right for the key of RFC 6455 section 1.3.
const RESPONSES: [(&str, &str); 6] = [
    (
        "node ws",
        "HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
",
    ),
    (
        "Python websockets",
        "HTTP/1.1 101 Switching Protocols
Date: Sat, 21 Nov 2026 02:20:00 GMT
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Server: Python/3.13 websockets/15.0
",
    ),
    (
        "through nginx",
        "HTTP/1.1 101 Switching Protocols
Server: nginx/1.27.0
Date: Sat, 21 Nov 2026 02:20:00 GMT
Connection: upgrade
Upgrade: websocket
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
",
    ),
    (
        "a gateway that lowers names",
        "HTTP/1.1 101 Switching Protocols
upgrade: websocket
connection: Upgrade
sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
transfer-encoding: chunked
server: envoy
",
    ),
    (
        "an old server",
        "HTTP/1.1 101 Web Socket Protocol Handshake
Upgrade: WebSocket
Connection: Upgrade
Content-Length: 0
Access-Control-Allow-Origin: *
Sec-WebSocket-Accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
",
    ),
    (
        "a server without a reason",
        "HTTP/1.1 101
Connection: keep-alive, Upgrade
Upgrade: websocket
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
",
    ),
];

/// spec: P-80, P-81, P-84, P-88, H11
#[test]
fn responses() {
    let request = Request::new(&Uri::parse("ws://example.com/chat").expect("good"));
    let (_, expectation) = request.encode(*b"the sample nonce");
    for (name, text) in RESPONSES {
        for received in [wire_form(text), [text.as_bytes(), b"\n"].concat()] {
            let response = ResponseReader::new(Limits::default()).read(&received);
            let response = response
                .unwrap_or_else(|error| panic!("{name}: {error}"))
                .expect(name);
            assert!(expectation.verify(&response).is_ok(), "{name}");
            assert_eq!(response.head_len(), received.len(), "{name}");
        }
    }
}
