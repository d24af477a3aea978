//! What a server does with requests: where they lead, and plain responses, byte for byte.

mod wire;

use wire::{handshake_with, head, read};
use ws_handshake::server::{HttpResponse, Request, ResponseError, RouteError, Routes};

fn get(target: &str) -> Request {
    request(&format!("GET {target} HTTP/1.1"))
}

fn request(line: &str) -> Request {
    read(&head(&[line, "Host: example.com"])).expect("well-formed")
}

fn answer(response: &HttpResponse, method: &str) -> String {
    let mut out = Vec::new();
    response.encode(&request(&format!("{method} / HTTP/1.1")), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

/// spec: P-56
#[test]
fn a_path_is_what_it_is_byte_by_byte() {
    let mut routes = Routes::new();
    for (path, target) in [("/", 0), ("/chat", 1), ("/chat/", 2), ("/%63hat", 3)] {
        routes.insert(path, target).expect("a new path");
    }
    for (target, found) in [
        ("/", Some(0)),
        ("/?a", Some(0)),
        ("http://example.com", Some(0)),
        ("/chat", Some(1)),
        ("/chat?room=/chat/", Some(1)),
        ("ws://elsewhere.example/chat?", Some(1)),
        ("/chat/", Some(2)),
        ("/%63hat", Some(3)),
        ("/%63%68at", None),
        ("//chat", None),
        ("/Chat", None),
        ("/chat/..", None),
    ] {
        assert_eq!(routes.find(&get(target)).copied(), found, "{target}");
    }
    routes.set_fallback(9);
    assert_eq!(routes.find(&get("/chat")), Some(&1));
    assert_eq!(routes.find(&get("/else")), Some(&9));
    // A handshake is a request like any other here.
    let handshake = read(&handshake_with("GET /chat HTTP/1.1", &[])).expect("well-formed");
    assert_eq!(routes.find(&handshake), Some(&1));
}

#[test]
fn what_nobody_can_ask_for_is_no_route() {
    let mut routes = Routes::new();
    for path in ["", "chat", "*", "/a b", "/a?b", "/a#b", "/é", "http://a/b"] {
        assert_eq!(routes.insert(path, ()), Err(RouteError::NoPath), "{path}");
    }
    assert_eq!(routes.insert("/a", ()), Ok(()));
    assert_eq!(routes.insert("/a", ()), Err(RouteError::Taken));
}

/// spec: P-56
#[test]
fn what_leads_nowhere_is_404_and_to_head_without_content() {
    for (method, has_content) in [("GET", true), ("HEAD", false)] {
        let rejection = Routes::<()>::not_found(&request(&format!("{method} /a HTTP/1.1")));
        assert_eq!(rejection.status(), Some(404));
        let mut out = Vec::new();
        rejection.encode(&mut out);
        assert_eq!(!out.ends_with(b"\r\n\r\n"), has_content);
    }
}

#[test]
fn a_page_and_its_head() {
    let page = HttpResponse::html("<p>é")
        .header("Cache-Control", "no-store")
        .expect("allowed");
    let head = "HTTP/1.1 200 OK\r\n\
        Connection: close\r\n\
        Content-Type: text/html; charset=utf-8\r\n\
        Content-Length: 5\r\n\
        Cache-Control: no-store\r\n\r\n";
    assert_eq!(answer(&page, "GET"), format!("{head}<p>é"));
    assert_eq!(answer(&page, "HEAD"), head);
    assert_eq!(
        answer(&HttpResponse::text(""), "GET"),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n\r\n"
    );
}

/// RFC 9110 sections 6.4.1 and 8.6.
#[test]
fn statuses_without_content_say_no_length_that_is_not_theirs() {
    for (status, length) in [
        (204, ""),
        (205, "Content-Length: 0\r\n"),
        (304, ""),
        (302, "Content-Length: 0\r\n"),
    ] {
        let response = HttpResponse::new(status).expect("a status");
        let text = answer(&response, "GET");
        assert!(
            text.ends_with(&format!("Connection: close\r\n{length}\r\n")),
            "{text}"
        );
        let with_content = response.content("text/plain", "a");
        assert_eq!(with_content.is_ok(), status == 302, "{status}");
    }
}

#[test]
fn a_response_cannot_be_made_wrong() {
    for status in [0, 100, 101, 199, 600, u16::MAX] {
        assert_eq!(HttpResponse::new(status), Err(ResponseError::InvalidStatus));
    }
    for (name, value, error) in [
        ("X\r\nY", "a", ResponseError::InvalidFieldName),
        ("X", "a\r\nY: b", ResponseError::InvalidFieldValue),
        ("Content-Length", "1", ResponseError::ReservedField),
        ("content-type", "a/b", ResponseError::ReservedField),
        ("Connection", "keep-alive", ResponseError::ReservedField),
    ] {
        assert_eq!(HttpResponse::text("").header(name, value), Err(error));
    }
    let split = HttpResponse::text("").content("text/plain\r\nX: y", "");
    assert_eq!(split, Err(ResponseError::InvalidFieldValue));
    assert_eq!(
        HttpResponse::new(204).expect("a status").content("a/b", ""),
        Err(ResponseError::ContentNotAllowed)
    );
}

/// Every status has a reason phrase, as the grammar of HTTP wants a space at least.
#[test]
fn every_status_has_words() {
    for status in 200..=599 {
        let line = answer(&HttpResponse::new(status).expect("a status"), "GET");
        let words = line
            .strip_prefix(&format!("HTTP/1.1 {status} "))
            .expect("the status line");
        assert!(words.starts_with(|first: char| first.is_ascii_uppercase()));
    }
}
