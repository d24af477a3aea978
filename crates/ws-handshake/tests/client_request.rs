//! What a client sends, byte for byte.

use ws_handshake::client::{Fault, HandshakeError, RawRequest, Request, RequestError};
use ws_handshake::server::RequestReader;
use ws_handshake::{Limits, Uri, UriError, encode_key};

fn request(uri: &str) -> Request {
    Request::new(&Uri::parse(uri).expect(uri))
}

fn text(request: &Request) -> String {
    String::from_utf8(request.encode(*b"the sample nonce").0).expect("ASCII")
}

/// spec: K-05, K-06, K-07, K-08, K-09, K-10, K-12, VEC-13: no extension is offered that nobody asked for.
#[test]
fn plain() {
    assert_eq!(
        text(&request("ws://server.example.com/chat")),
        "GET /chat HTTP/1.1\r\n\
         Host: server.example.com\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
}

/// spec: K-06, K-10, K-11, K-13, S13
#[test]
fn full() {
    let request = request("wss://[::1]:8443/chat?x=1")
        .subprotocol("superchat")
        .and_then(|request| request.subprotocol("chat"))
        .and_then(|request| request.origin("HTTP://Coolaf.com:80"))
        .and_then(|request| request.header("User-Agent", "Mozilla/5.0"))
        .and_then(|request| request.header("Cookie", "  a=1; b=2\t"))
        .and_then(|request| request.header("X-Bytes", b"caf\xc3\xa9"))
        .expect("all allowed");
    assert_eq!(
        text(&request),
        "GET /chat?x=1 HTTP/1.1\r\n\
         Host: [::1]:8443\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: superchat, chat\r\n\
         Origin: http://coolaf.com\r\n\
         User-Agent: Mozilla/5.0\r\n\
         Cookie: a=1; b=2\r\n\
         X-Bytes: caf\u{e9}\r\n\r\n"
    );
}

/// spec: K-13: the Host field by explicit option only.
#[test]
fn other_host() {
    let changed = request("ws://127.0.0.1:9001/")
        .host("Example.com:81")
        .expect("a host");
    assert!(text(&changed).contains("\r\nHost: Example.com:81\r\n"));
    for host in ["", ":80", "a b", "a/b", "a\r\nX: y", "u@h", "[::1", "h:x"] {
        assert_eq!(
            request("ws://h").host(host).err(),
            Some(RequestError::InvalidHost),
            "{host:?}"
        );
    }
}

/// spec: K-08: the key is canonical base64 of the 16 bytes.
#[test]
fn keys() {
    assert_eq!(&encode_key([0; 16]), b"AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(&encode_key([255; 16]), b"/////////////////////w==");
    // Erratum 3150: the key that RFC 6455 section 4.1 means by its misprinted example.
    let bytes: [u8; 16] = core::array::from_fn(|index| u8::try_from(index + 1).expect("small"));
    assert_eq!(&encode_key(bytes), b"AQIDBAUGBwgJCgsMDQ4PEA==");
    for last in 0..=255 {
        let key = encode_key([last; 16]);
        assert!(matches!(key[21], b'A' | b'Q' | b'g' | b'w'));
        assert!(ws_handshake::is_key(&key));
    }
}

/// spec: K-11
#[test]
fn subprotocols() {
    for name in [
        "",
        "a b",
        "a,b",
        "a;b",
        "caf\u{e9}",
        "a\r\nb",
        "a/b",
        "\"a\"",
        "(a)",
    ] {
        let error = request("ws://h").subprotocol(name).err();
        assert_eq!(error, Some(RequestError::InvalidSubprotocol), "{name:?}");
    }
    let twice = request("ws://h")
        .subprotocol("a")
        .and_then(|request| request.subprotocol("a"));
    assert_eq!(twice.err(), Some(RequestError::DuplicateSubprotocol));
    // Names differ by letter case.
    let both = request("ws://h")
        .subprotocol("a")
        .and_then(|request| request.subprotocol("A"));
    assert!(text(&both.expect("two names")).contains("\r\nSec-WebSocket-Protocol: a, A\r\n"));
}

/// spec: K-13, H8: no injection, no override of what the handshake decides.
#[test]
fn forbidden_fields() {
    use RequestError::{InvalidFieldName, InvalidFieldValue, ReservedField};
    let cases = [
        ("", "a", InvalidFieldName),
        ("X Y", "a", InvalidFieldName),
        ("X:Y", "a", InvalidFieldName),
        ("X\r\nY", "a", InvalidFieldName),
        ("X", "a\r\nY: b", InvalidFieldValue),
        ("X", "a\n", InvalidFieldValue),
        ("X", "\0", InvalidFieldValue),
        ("Host", "h", ReservedField),
        ("UPGRADE", "websocket", ReservedField),
        ("Connection", "Upgrade", ReservedField),
        (
            "Sec-WebSocket-Key",
            "dGhlIHNhbXBsZSBub25jZQ==",
            ReservedField,
        ),
        ("sec-websocket-version", "8", ReservedField),
        (
            "Sec-WebSocket-Extensions",
            "permessage-deflate",
            ReservedField,
        ),
        ("Content-Length", "1", ReservedField),
        ("Transfer-Encoding", "chunked", ReservedField),
        ("Expect", "100-continue", ReservedField),
        ("Origin", "http://a", ReservedField),
    ];
    for (name, value, expected) in cases {
        let error = request("ws://h").header(name, value).err();
        assert_eq!(error, Some(expected), "{name:?}: {value:?}");
    }
    assert_eq!(
        request("ws://h").origin("a\r\nb").err(),
        Some(RequestError::InvalidOrigin)
    );
}

/// spec: K-05..K-13: whatever the builder allows, our own server accepts.
#[test]
fn accepted_by_our_server() {
    let request = request("ws://h:81/\u{e9}?{}")
        .subprotocol("a")
        .and_then(|request| request.origin("http://h:81"))
        .and_then(|request| request.header("X", "y"))
        .expect("all allowed");
    let (bytes, expectation) = request.encode([9; 16]);
    let read = RequestReader::new(Limits::default())
        .read(&bytes)
        .expect("valid")
        .expect("complete");
    assert_eq!(read.target(), "/%C3%A9?%7B%7D");
    let offer = read.offer().expect("valid");
    assert_eq!(offer.accept_key(), expectation.accept_key());
    assert_eq!(ws_handshake::OriginPolicy::SameHost.check(&read), Ok(()));
    // Another attempt has another key.
    assert_ne!(request.encode([8; 16]).0, bytes);
}

/// spec: K-13: a request written by hand (H8, X22) ends properly and is verified like any other.
#[test]
fn raw() {
    let lines = [
        "GET /ajaxchattest HTTP/1.1",
        "Host:123.207.167.163:9010",
        "sec-websocket-key:  RmDgZzaqqvC4hGlWBsEmwQ== ",
        "Sec-WebSocket-Protocol: a, b",
        "Sec-WebSocket-Protocol: c",
        "",
    ];
    let (bytes, expectation) = RawRequest::from_lines(lines).expect("one key").encode();
    assert_eq!(
        String::from_utf8(bytes).expect("ASCII"),
        "GET /ajaxchattest HTTP/1.1\r\n\
         Host:123.207.167.163:9010\r\n\
         sec-websocket-key:  RmDgZzaqqvC4hGlWBsEmwQ== \r\n\
         Sec-WebSocket-Protocol: a, b\r\n\
         Sec-WebSocket-Protocol: c\r\n\r\n"
    );
    assert_eq!(
        expectation.accept_key().as_str(),
        "kHjvtbeqYNLVHulXH5b2cqrvpZo="
    );
    assert!(expectation.subprotocols().eq(["a", "b", "c"]));

    let key = "Sec-WebSocket-Key: RmDgZzaqqvC4hGlWBsEmwQ==";
    let cases: [(&[&str], RequestError); 10] = [
        (&[], RequestError::InvalidRequestLine),
        (&["", ""], RequestError::InvalidRequestLine),
        (
            &["GET / HTTP/1.1\r\nX: y", key],
            RequestError::InvalidRequestLine,
        ),
        (&["GET / HTTP/1.1"], RequestError::InvalidKey),
        (&["GET / HTTP/1.1", key, key], RequestError::InvalidKey),
        (
            &["GET / HTTP/1.1", "Sec-WebSocket-Key: short"],
            RequestError::InvalidKey,
        ),
        (
            &["GET / HTTP/1.1", key, "no colon"],
            RequestError::InvalidFieldName,
        ),
        (
            &["GET / HTTP/1.1", key, "X : y"],
            RequestError::InvalidFieldName,
        ),
        (
            &["GET / HTTP/1.1", key, " X: y"],
            RequestError::InvalidFieldName,
        ),
        (
            &["GET / HTTP/1.1", key, "X: y\r\n\r\nGET / HTTP/1.1"],
            RequestError::InvalidFieldValue,
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(
            RawRequest::from_lines(lines.iter().copied()).err(),
            Some(expected),
            "{lines:?}"
        );
    }
}

/// Errors of ours are told apart from those of the server, and all have a text.
#[test]
fn errors() {
    let errors = [
        RequestError::Uri(UriError::Port),
        RequestError::InvalidFieldName,
        RequestError::InvalidFieldValue,
        RequestError::ReservedField,
        RequestError::InvalidSubprotocol,
        RequestError::DuplicateSubprotocol,
        RequestError::InvalidOrigin,
        RequestError::InvalidHost,
        RequestError::InvalidRequestLine,
        RequestError::InvalidKey,
    ];
    for error in errors {
        let handshake = HandshakeError::from(error);
        assert_eq!(handshake.fault(), Fault::Local);
        assert_eq!(handshake.hint(), None);
        assert_eq!(handshake.to_string(), error.to_string());
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(
        RequestError::from(UriError::Port),
        RequestError::Uri(UriError::Port)
    );
    assert_eq!(
        HandshakeError::from(UriError::Port),
        HandshakeError::Request(RequestError::Uri(UriError::Port))
    );
}
