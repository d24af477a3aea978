//! What a server makes of requests, good and bad, over TCP.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use ws_sync::handshake::server::Rejection;
use ws_sync::{AcceptError, Acceptor, Config, Connector, Limits, Message, OriginPolicy, WebSocket};
use ws_testkit::chopped_script::{REQUEST_LINES, RESPONSE};
use ws_testkit::{Frame, vectors};

use crate::tcp_pair;

fn acceptor() -> Acceptor {
    Acceptor::new().with_config(Config::default().with_ping_interval(None))
}

/// The good request with a line replaced or added.
fn request_with(line: &str) -> String {
    let name = line.split(':').next().unwrap_or_default();
    let mut lines: Vec<&str> = REQUEST_LINES.to_vec();
    lines.retain(|known| !known.starts_with(name));
    lines.push(line);
    lines.join("\r\n") + "\r\n\r\n"
}

fn good_request() -> String {
    REQUEST_LINES.join("\r\n") + "\r\n\r\n"
}

/// What a client that says this, and goes on saying `more`, is answered until the end of the stream.
fn answer_to(acceptor: &Acceptor, request: &str, more: usize) -> (String, AcceptError) {
    let (client, stream) = tcp_pair();
    let request = request.to_owned();
    let client = thread::spawn(move || ask(client, request.as_bytes(), more));
    let error = acceptor.accept(stream).expect_err("it is refused");
    (client.join().expect("no panic"), error)
}

/// Writes everything before it reads anything. An answer that a reset destroys is an error here.
fn ask(mut client: TcpStream, request: &[u8], more: usize) -> String {
    client.write_all(request).expect("written");
    client
        .write_all(&vec![b'x'; more])
        .expect("the server goes on reading");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("no reset");
    answer
}

fn status_of(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status.and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// spec: H-01, H-02, H-04, H-05, H-07, H-09, H-10, H-15, H-24, H-25, H-29, S-03, S-06
#[test]
fn a_refused_client_that_keeps_sending_reads_why() {
    let limits = Limits::default();
    let long_line = format!("X: {}", "x".repeat(limits.max_field_line));
    let many_fields = "X: y\r\n".repeat(limits.max_fields) + "X: y";
    let long_target = "x".repeat(limits.max_start_line);
    let cases = [
        (good_request().replacen("GET", "POST", 1), 405, "Allow: GET"),
        (good_request().replacen("GET", "BREW", 1), 501, ""),
        (good_request().replacen("HTTP/1.1", "HTTP/2.0", 1), 505, ""),
        (good_request().replacen("HTTP/1.1", "HTTP/1.0", 1), 400, ""),
        (good_request().replacen("/chat", &long_target, 1), 414, ""),
        (request_with("Host: a\r\nHost: b"), 400, ""),
        (request_with("Upgrade: h2c"), 426, "Upgrade: websocket"),
        (request_with("Connection: close"), 400, ""),
        (
            request_with("Sec-WebSocket-Version: 8"),
            426,
            "Sec-WebSocket-Version: 13",
        ),
        (
            request_with("Sec-WebSocket-Version: 013"),
            400,
            "Sec-WebSocket-Version: 13",
        ),
        (request_with("Sec-WebSocket-Key: short"), 400, ""),
        (request_with("Origin: https://elsewhere.example"), 403, ""),
        (request_with("Content-Length: 5"), 400, ""),
        (request_with("Transfer-Encoding: chunked"), 400, ""),
        (request_with("Expect: miracles"), 417, ""),
        (request_with(&long_line), 431, ""),
        (request_with(&many_fields), 431, ""),
        (request_with("Bad Name: x"), 400, ""),
    ];
    for (request, status, field) in cases {
        let (answer, error) = answer_to(&acceptor(), &request, 700_000);
        let head: String = request.chars().take(300).collect();
        assert_eq!(status_of(&answer), status, "{head}");
        assert!(answer.contains(field), "{answer}");
        assert!(answer.contains("close\r\n"), "{answer}");
        assert!(answer.contains("Content-Length: "), "{answer}");
        let AcceptError::Rejected(rejection) = error else {
            panic!("{error}");
        };
        assert_eq!(rejection.status(), Some(status));
    }
}

/// Whoever does not speak HTTP would not understand an answer in it.
///
/// spec: H-30
#[test]
fn a_peer_that_does_not_speak_http_is_left_without_a_word() {
    for said in [b"\x16\x03\x01\x02\x00".as_slice(), b"", b"GET / HT"] {
        let (mut client, stream) = tcp_pair();
        client.write_all(said).expect("written");
        client.shutdown(Shutdown::Write).expect("shut down");
        let error = acceptor().accept(stream).expect_err("it is refused");
        assert!(
            matches!(&error, AcceptError::Rejected(rejection) if rejection.closes_silently()),
            "{error}"
        );
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("no reset");
        assert_eq!(answer, b"");
    }
}

/// Anything behind a refused request is nothing, least of all a second request.
///
/// spec: H-22
#[test]
fn a_second_request_is_never_answered() {
    let request = request_with("Upgrade: h2c") + &good_request();
    let (answer, _) = answer_to(&acceptor(), &request, 0);
    assert_eq!(status_of(&answer), 426);
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

/// spec: H-12, H-22, F-15
#[test]
fn frames_may_come_in_the_same_packet_as_the_request() {
    let (mut client, stream) = tcp_pair();
    let frames = [
        vectors::CLIENT_TEXT,
        vectors::CLIENT_PING,
        vectors::CLIENT_CLOSE_1000,
    ];
    let packet = [good_request().as_bytes(), &frames.concat()].concat();
    client.write_all(&packet).expect("written");
    let mut ws = acceptor().accept(stream).expect("accepted");
    assert_eq!(ws.recv().expect("received"), Some(Message::text("Hello")));
    ws.send("Hello yourself").expect("sent");
    let client = thread::spawn(move || {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("no reset");
        answer
    });
    assert_eq!(ws.recv().expect("closed"), None);
    let expected = [
        RESPONSE.as_bytes(),
        &Frame::text("Hello yourself").bytes(),
        &Frame::pong("Hello").bytes(),
        &Frame::close(1000, "").bytes(),
    ];
    assert_eq!(client.join().expect("no panic"), expected.concat());
}

/// A router: pages, a chat and nothing else, all on one port.
fn route(acceptor: &Acceptor, stream: TcpStream) -> Option<WebSocket<TcpStream>> {
    let incoming = acceptor.read_request(stream).expect("it is HTTP");
    assert!(
        incoming
            .get_ref()
            .peer_addr()
            .expect("connected")
            .ip()
            .is_loopback()
    );
    let request = incoming.request();
    if !request.wants_websocket() {
        let page = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>";
        incoming.respond(page.as_bytes()).expect("answered");
        return None;
    }
    if request.path() != "/chat" {
        incoming.reject(&Rejection::not_found()).expect("answered");
        return None;
    }
    Some(incoming.accept(acceptor).expect("accepted"))
}

/// spec: H-17, H-18, P-46, S-13
#[test]
fn one_port_serves_pages_and_sockets() {
    let acceptor = acceptor();
    let cases = [
        (
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            200,
            "<html>",
        ),
        (good_request().replacen("/chat", "/else", 1), 404, "nothing"),
    ];
    for (request, status, text) in cases {
        let (client, stream) = tcp_pair();
        let client = thread::spawn(move || ask(client, request.as_bytes(), 100_000));
        assert!(route(&acceptor, stream).is_none());
        let answer = client.join().expect("no panic");
        assert_eq!(status_of(&answer), status);
        assert!(answer.contains(text), "{answer}");
    }
    let (mut client, stream) = tcp_pair();
    client
        .write_all(good_request().as_bytes())
        .expect("written");
    let ws = route(&acceptor, stream).expect("it is a socket");
    assert_eq!(ws.subprotocol(), None);
    let mut response = vec![0; RESPONSE.len()];
    client.read_exact(&mut response).expect("read");
    assert_eq!(response, RESPONSE.as_bytes());
}

/// What a client that says this is answered when it is accepted.
fn response_to(acceptor: &Acceptor, request: &str) -> String {
    let (mut client, stream) = tcp_pair();
    client.write_all(request.as_bytes()).expect("written");
    drop(acceptor.accept(stream).expect("accepted"));
    let mut response = String::new();
    client.read_to_string(&mut response).expect("read");
    response
}

/// spec: H-13, H-14, X-08
#[test]
fn the_server_selects_what_both_speak() {
    let acceptor = acceptor().with_subprotocols(["chat.v2", "chat.v1"]);
    for (offer, selected) in [
        ("chat.v1, chat.v2", Some("chat.v2")),
        ("chat.v1", Some("chat.v1")),
        ("Chat.v1", None),
        ("soap, chat.v3", None),
    ] {
        let response = response_to(
            &acceptor,
            &request_with(&format!("Sec-WebSocket-Protocol: {offer}")),
        );
        match selected {
            Some(name) => {
                assert!(response.contains(&format!("Sec-WebSocket-Protocol: {name}\r\n")))
            }
            None => assert!(!response.contains("Sec-WebSocket-Protocol"), "{response}"),
        }
    }
    assert!(!response_to(&acceptor, &good_request()).contains("Sec-WebSocket-Protocol"));
}

/// spec: H-27, H-31
#[test]
fn the_response_carries_headers_of_the_application() {
    let acceptor = acceptor()
        .with_header("Set-Cookie", "a=1")
        .with_header("Set-Cookie", "b=2");
    let response = response_to(&acceptor, &good_request());
    assert!(
        response.contains("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"),
        "{response}"
    );
}

/// The client is told that it is not its fault.
///
/// spec: H-27, S-14
#[test]
fn a_header_that_may_not_be_sent_is_an_internal_error() {
    for (name, value) in [
        ("X", "a\r\nb: c"),
        ("Sec-WebSocket-Accept", "x"),
        ("a b", "c"),
    ] {
        let (answer, error) = answer_to(&acceptor().with_header(name, value), &good_request(), 0);
        assert_eq!(status_of(&answer), 500);
        assert!(matches!(error, AcceptError::Response(_)), "{error}");
    }
}

/// spec: H-23
#[test]
fn a_client_that_expects_100_gets_it_first() {
    let response = response_to(&acceptor(), &request_with("Expect: 100-continue"));
    let rest = response.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n");
    assert!(
        rest.is_some_and(|rest| rest.starts_with("HTTP/1.1 101 ")),
        "{response}"
    );
}

/// spec: H-15, H-16, S-03
#[test]
fn origins_are_judged_by_policy() {
    let listed = OriginPolicy::allow_list(["https://friend.example"]).expect("an origin");
    let listed = acceptor().with_origin_policy(listed);
    let any = acceptor().with_origin_policy(OriginPolicy::AllowAny);
    let cases = [
        (&acceptor(), "Origin: http://example.com", true),
        (&acceptor(), "Origin: https://friend.example", false),
        (&listed, "Origin: https://friend.example", true),
        (&listed, "Origin: http://friend.example", false),
        (
            &listed,
            "Origin: https://friend.example.evil.example",
            false,
        ),
        (&any, "Origin: null", true),
        (&acceptor(), "Origin: null", false),
        (&listed, "X-No: origin", true),
    ];
    for (acceptor, line, allowed) in cases {
        let request = request_with(line);
        if allowed {
            assert_eq!(status_of(&response_to(acceptor, &request)), 101, "{line}");
        } else {
            assert_eq!(
                status_of(&answer_to(acceptor, &request, 0).0),
                403,
                "{line}"
            );
        }
    }
}

/// An answer made by hand, from the offer.
///
/// spec: H-13, S-13
#[test]
fn an_application_may_answer_by_hand() {
    let (client, stream) = tcp_pair();
    let connector = Connector::new()
        .with_subprotocols(["a", "b"])
        .with_header("Cookie", "session=7");
    let client = thread::spawn(move || {
        let ws = connector.handshake(client, "ws://example.com/chat?room=1");
        let ws = ws.expect("accepted");
        ws.subprotocol().map(str::to_owned)
    });
    let incoming = acceptor().read_request(stream).expect("it is HTTP");
    let request = incoming.request();
    assert_eq!(request.header("cookie"), Some(b"session=7".as_slice()));
    assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
    let offer = request.offer().expect("it is a handshake");
    assert!(offer.subprotocols().eq(["a", "b"]));
    let acceptance = offer.accept().subprotocol("b").expect("it was offered");
    let config = Config::default();
    let ws = incoming.accept_with(config, &acceptance).expect("accepted");
    assert_eq!(ws.subprotocol(), Some("b"));
    assert_eq!(client.join().expect("no panic").as_deref(), Some("b"));
}
