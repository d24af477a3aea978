//! What a client makes of URIs and of servers, good and bad.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use ws_sync::handshake::client::{
    ErrorBody, Fault, HandshakeError, RawRequest, Refusal, RequestError,
};
use ws_sync::{Acceptor, Config, ConnectError, Connector, Limits, Message, WebSocket};
use ws_testkit::chopped_script::{REQUEST_LINES, RESPONSE};
use ws_testkit::{ChoppedIo, Frame};

use crate::chopped::Chopped;

const URI: &str = "ws://example.com/";

fn connector() -> Connector {
    Connector::new().with_config(Config::default().with_ping_interval(None))
}

/// What the client says to a server that answers so.
fn error_of(connector: &Connector, response: &str) -> HandshakeError {
    let request = RawRequest::from_lines(REQUEST_LINES).expect("it is well-formed");
    let (io, remote) = ChoppedIo::scripted(response.as_bytes());
    let opened = connector.handshake_raw(Chopped::new(io), &request);
    // Before the connection is open there is no Close frame: the stream is dropped.
    assert_eq!(remote.written(), request.encode().0);
    assert!(remote.is_dropped());
    match opened {
        Err(ConnectError::Handshake(error)) => error,
        other => panic!("{response:?}: {other:?}"),
    }
}

fn refusal_of(response: &str) -> Refusal {
    match error_of(&connector(), response) {
        HandshakeError::Refused(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

/// The good response without the line that begins so, and with another one.
fn response_with(name: &str, line: &str) -> String {
    let lines = RESPONSE.lines().filter(|known| !known.starts_with(name));
    let kept: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    kept.join("\r\n") + "\r\n" + line + "\r\n\r\n"
}

/// spec: K-16, K-17, K-18, K-19, K-20, K-22, K-23, K-25, CD-08, S-06
#[test]
fn a_wrong_answer_fails_the_handshake() {
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let cases = [
        (
            response_with("Upgrade", "X: y"),
            HandshakeError::InvalidUpgrade,
        ),
        (
            response_with("Upgrade", "Upgrade: websocket, x"),
            HandshakeError::InvalidUpgrade,
        ),
        (
            response_with("Connection", "Connection: close"),
            HandshakeError::InvalidConnection,
        ),
        (
            response_with("Sec-WebSocket-Accept", "X: y"),
            HandshakeError::InvalidAccept,
        ),
        // The right text in other letter case is another value.
        (
            RESPONSE.replace("s3pPLM", "S3pPLM"),
            HandshakeError::InvalidAccept,
        ),
        // The key itself, as one of the founding documents has it.
        (
            response_with(
                "Sec-WebSocket-Accept",
                "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==",
            ),
            HandshakeError::InvalidAccept,
        ),
        (
            response_with("X", "Sec-WebSocket-Extensions: permessage-deflate"),
            HandshakeError::InvalidExtensions,
        ),
        (
            response_with("X", "Sec-WebSocket-Protocol: chat"),
            HandshakeError::InvalidSubprotocol,
        ),
        (
            RESPONSE.replacen("1.1", "1.0", 1),
            HandshakeError::UnsupportedHttpVersion,
        ),
        (
            interim.repeat(9) + RESPONSE,
            HandshakeError::TooManyInterimResponses,
        ),
        (
            "\x15\x03\x01\x00\x02\x02\x16".to_owned(),
            HandshakeError::TlsResponse,
        ),
        (
            "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
            HandshakeError::NotHttp,
        ),
        (
            RESPONSE.replacen("Upgrade:", "Up grade:", 1),
            HandshakeError::MalformedResponse,
        ),
        (
            response_with("X", &format!("X: {}", "x".repeat(8192))),
            HandshakeError::ResponseTooLarge,
        ),
        (String::new(), HandshakeError::ClosedBeforeResponse),
        (
            RESPONSE[..40].to_owned(),
            HandshakeError::ClosedInsideResponse,
        ),
    ];
    for (response, expected) in cases {
        let error = error_of(&connector(), &response);
        assert_eq!(error, expected, "{response}");
        assert_eq!(error.fault(), Fault::Peer);
    }
}

/// spec: K-15, K-26, K-29, H-18
#[test]
fn a_refusal_comes_with_status_fields_and_body() {
    for (status, fields, body) in [
        (
            401,
            "WWW-Authenticate: Basic realm=\"x\"\r\n",
            "who are you?",
        ),
        (302, "Location: /elsewhere\r\nSet-Cookie: a=b\r\n", ""),
        (503, "Retry-After: 7\r\n", "later"),
        (426, "Sec-WebSocket-Version: 8, 7\r\n", "old"),
        (200, "", "<html>"),
    ] {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Because\r\n{fields}");
        let framings = [
            format!("{head}Content-Length: {length}\r\n\r\n{body}and more"),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
            // Until the end of the stream.
            format!("{head}\r\n{body}"),
        ];
        for response in framings {
            let refusal = refusal_of(&response);
            assert_eq!(refusal.response().status(), status);
            for line in fields.lines() {
                let (name, value) = line.split_once(": ").expect("a field");
                let received = refusal.response().header(name);
                assert_eq!(received, Some(value.as_bytes()));
            }
            assert_eq!(refusal.body(), body, "{response}");
        }
    }
}

/// spec: K-15, S-02
#[test]
fn the_body_of_a_refusal_is_bounded() {
    let response = "HTTP/1.1 500 Oops\r\n\r\n".to_owned() + &"x".repeat(1 << 20);
    let refusal = refusal_of(&response);
    assert_eq!(refusal.body().len(), ErrorBody::DEFAULT_LIMIT);
}

/// spec: K-21
#[test]
fn a_client_may_insist_on_a_subprotocol() {
    let request = |connector: Connector| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("accepted");
            Acceptor::new().accept(stream).expect("accepted");
        });
        let connected = connector.connect(&uri);
        server.join().expect("no panic");
        connected.map(|ws| ws.subprotocol().map(str::to_owned))
    };
    let connector = connector().with_subprotocols(["chat"]);
    assert_eq!(request(connector.clone()).expect("connected"), None);
    let error = request(connector.with_required_subprotocol()).expect_err("none was chosen");
    assert!(
        matches!(
            error,
            ConnectError::Handshake(HandshakeError::MissingSubprotocol)
        ),
        "{error}"
    );
}

/// spec: K-22, K-24, H-28, H-11
#[test]
fn interim_responses_are_skipped_and_early_frames_are_kept() {
    let request = RawRequest::from_lines(REQUEST_LINES).expect("it is well-formed");
    let response = [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        RESPONSE.as_bytes(),
        &Frame::text("first").bytes(),
        &Frame::close(1001, "").bytes(),
    ];
    let (io, _remote) = ChoppedIo::scripted(&response.concat());
    let ws = connector().handshake_raw(Chopped::new(io), &request);
    let mut ws = ws.expect("connected");
    assert_eq!(ws.recv().expect("received"), Some(Message::text("first")));
    assert_eq!(ws.recv().expect("closed"), None);
}

/// What a server sees of a client, over TCP.
///
/// spec: K-05, K-06, K-07, K-08, K-09, K-10, K-11, K-13, K-14, CD-03, CU-05
#[test]
fn the_request_says_what_the_connector_says() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    let server = thread::spawn(move || {
        let mut keys = Vec::new();
        for _ in 0..2 {
            let (stream, _) = listener.accept().expect("accepted");
            let acceptor = Acceptor::new().with_subprotocols(["two"]);
            let acceptor = acceptor.with_origin_policy(ws_sync::OriginPolicy::AllowAny);
            let incoming = acceptor.read_request(stream).expect("it is HTTP");
            let request = incoming.request();
            assert_eq!(request.target(), "/chat?room=1");
            assert_eq!(request.host(), "other.example:81");
            assert_eq!(request.origin(), Some(b"https://example.org".as_slice()));
            assert_eq!(request.header("cookie"), Some(b"a=b".as_slice()));
            assert_eq!(
                request.header("sec-websocket-version"),
                Some(b"13".as_slice())
            );
            let offer = request.offer().expect("it is a handshake");
            assert!(offer.subprotocols().eq(["one", "two"]));
            keys.push(offer.key().to_owned());
            let mut ws = incoming.accept(&acceptor).expect("accepted");
            assert_eq!(ws.recv().expect("received"), Some(Message::text("hi")));
        }
        assert_ne!(keys[0], keys[1]);
    });
    let connector = connector()
        .with_host("other.example:81")
        .with_origin("https://example.org")
        .with_subprotocols(["one", "two"])
        .with_header("Cookie", "a=b");
    for _ in 0..2 {
        let uri = format!("ws://{address}/chat?room=1");
        let mut ws = connector.connect(&uri).expect("connected");
        assert_eq!(ws.subprotocol(), Some("two"));
        assert!(ws.get_ref().nodelay().expect("it is a socket"));
        ws.send("hi").expect("sent");
    }
    server.join().expect("no panic");
}

fn echo_once(listener: &TcpListener) {
    let (stream, _) = listener.accept().expect("accepted");
    let mut ws = ws_sync::accept(stream).expect("accepted");
    while let Some(message) = ws.recv().expect("received") {
        ws.send(message).expect("sent");
    }
}

fn say_hello(mut ws: WebSocket<TcpStream>) {
    ws.send("hello").expect("sent");
    assert_eq!(ws.recv().expect("received"), Some(Message::text("hello")));
    let info = ws.close(ws_sync::CloseCode::NORMAL, "").expect("closed");
    assert!(info.clean);
}

/// A name has several addresses, and the server listens on one of them.
///
/// spec: CH-07, CH-08
#[test]
fn every_address_of_a_name_is_tried() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // A machine may have no IPv6.
        let Ok(listener) = TcpListener::bind(address) else {
            assert_ne!(address, "127.0.0.1:0");
            continue;
        };
        let port = listener.local_addr().expect("bound").port();
        let host = if address.starts_with('[') {
            "[::1]"
        } else {
            "localhost"
        };
        let server = thread::spawn(move || echo_once(&listener));
        say_hello(ws_sync::connect(&format!("ws://{host}:{port}/")).expect("connected"));
        server.join().expect("no panic");
    }
}

/// spec: CD-08, CH-08
#[test]
fn a_port_that_nobody_listens_on_is_an_error_of_the_transport() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    let error = connector().connect(&uri).expect_err("nobody listens");
    let ConnectError::Io(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

/// spec: K-04, K-01, CU-01, CU-06, CU-08
#[test]
fn a_uri_that_cannot_be_used_is_our_fault() {
    let error = connector().connect("wss://localhost/").expect_err("no TLS");
    assert!(matches!(error, ConnectError::TlsRequired), "{error}");
    for uri in [
        "http://localhost/",
        "ws:///",
        "ws://localhost/#a",
        "ws://localhost/a b",
        "ws://a:0/",
    ] {
        let error = connector().connect(uri).expect_err("it is no URI of ours");
        let ConnectError::Handshake(HandshakeError::Request(error)) = error else {
            panic!("{uri}: {error}");
        };
        assert!(matches!(error, RequestError::Uri(_)), "{uri}: {error}");
    }
}

/// Nothing is sent, and nobody is connected to.
///
/// spec: K-11, K-13, CU-08
#[test]
fn an_option_that_may_not_be_sent_is_our_fault() {
    let cases = [
        (
            connector().with_header("X", "a\r\nb: c"),
            RequestError::InvalidFieldValue,
        ),
        (
            connector().with_header("a b", "c"),
            RequestError::InvalidFieldName,
        ),
        (
            connector().with_header("Upgrade", "x"),
            RequestError::ReservedField,
        ),
        (
            connector().with_subprotocols(["a", "a"]),
            RequestError::DuplicateSubprotocol,
        ),
        (
            connector().with_subprotocols(["a,b"]),
            RequestError::InvalidSubprotocol,
        ),
        (
            connector().with_origin("example.org"),
            RequestError::InvalidOrigin,
        ),
        (connector().with_host("a/b"), RequestError::InvalidHost),
    ];
    for (connector, expected) in cases {
        let (io, remote) = ChoppedIo::scripted(RESPONSE.as_bytes());
        let error = connector
            .handshake(Chopped::new(io), URI)
            .expect_err("it may not be sent");
        let ConnectError::Handshake(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error, HandshakeError::Request(expected));
        assert_eq!(error.fault(), Fault::Local);
        assert_eq!(remote.operations(), 0);
    }
}

/// spec: H-25, K-23
#[test]
fn limits_of_the_response_can_be_set() {
    let mut limits = Limits::default();
    limits.max_fields = 2;
    let error = error_of(&connector().with_limits(limits), RESPONSE);
    assert_eq!(error, HandshakeError::ResponseTooLarge);
}

/// A server that refuses, closes, and does not wait for us to read.
///
/// spec: K-15, H-29
#[test]
fn a_refusal_over_tcp_arrives_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accepted");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("read");
            request.extend(byte);
        }
        let body = "x".repeat(10_000);
        write!(stream, "HTTP/1.1 403 No\r\n\r\n{body}").expect("written");
    });
    let error = connector().connect(&uri).expect_err("refused");
    let ConnectError::Handshake(HandshakeError::Refused(refusal)) = error else {
        panic!("{error}");
    };
    assert_eq!(refusal.response().status(), 403);
    assert_eq!(refusal.body().len(), 10_000);
    server.join().expect("no panic");
}
