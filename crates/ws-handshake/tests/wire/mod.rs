//! Heads as tests write them, and what becomes of them.
#![expect(dead_code, reason = "each test file uses its part")]

use ws_handshake::Limits;
use ws_handshake::client::{HandshakeError, Response, ResponseReader};
use ws_handshake::server::{Rejection, Request, RequestReader};

/// The fields of a plain good handshake. The order is Chrome's.
pub(crate) const GOOD: [(&str, &str); 5] = [
    ("Host", "example.com"),
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Fields to replace or add; `None` removes.
pub(crate) type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

/// A head from its lines, each ended by CRLF, and the blank line.
pub(crate) fn head(lines: &[&str]) -> Vec<u8> {
    let mut head = lines
        .iter()
        .flat_map(|line| [line.as_bytes(), b"\r\n"].concat())
        .collect::<Vec<u8>>();
    head.extend_from_slice(b"\r\n");
    head
}

/// A good handshake for `/chat` in which some fields are replaced (all lines of that name, at the
/// place of the first) or added.
pub(crate) fn handshake(changes: Changes) -> Vec<u8> {
    handshake_with("GET /chat HTTP/1.1", changes)
}

pub(crate) fn handshake_with(request_line: &str, changes: Changes) -> Vec<u8> {
    let is_changed = |name: &str| {
        changes
            .iter()
            .any(|(changed, _)| changed.eq_ignore_ascii_case(name))
    };
    let mut lines = vec![request_line.to_owned()];
    for (name, value) in GOOD {
        if !is_changed(name) {
            lines.push(format!("{name}: {value}"));
        }
    }
    for (name, value) in changes {
        if let Some(value) = value {
            lines.push(format!("{name}: {value}"));
        }
    }
    head(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The request in a buffer that holds all of it.
pub(crate) fn read(received: &[u8]) -> Result<Request, Rejection> {
    RequestReader::new(Limits::default())
        .read(received)
        .map(|request| request.unwrap_or_else(|| panic!("incomplete: {}", received.escape_ascii())))
}

/// What a server without opinions answers: 101, or the status of the rejection, or `None` for silence.
pub(crate) fn status(received: &[u8]) -> Option<u16> {
    match read(received).and_then(|request| request.offer()) {
        Ok(_) => Some(101),
        Err(rejection) => rejection.status(),
    }
}

pub(crate) fn rejection(received: &[u8]) -> Rejection {
    match read(received).and_then(|request| request.offer()) {
        Ok(_) => panic!("accepted: {}", received.escape_ascii()),
        Err(rejection) => rejection,
    }
}

pub(crate) fn encoded(rejection: &Rejection) -> String {
    let mut out = Vec::new();
    rejection.encode(&mut out);
    String::from_utf8(out).expect("a refusal is text")
}

/// The value of a field in an encoded head.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = head
        .split_once("\r\n\r\n")
        .expect("a head ends with a blank line");
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The response in a buffer that holds all of it.
pub(crate) fn read_response(received: &[u8]) -> Result<Response, HandshakeError> {
    ResponseReader::new(Limits::default())
        .read(received)
        .map(|response| {
            response.unwrap_or_else(|| panic!("incomplete: {}", received.escape_ascii()))
        })
}
