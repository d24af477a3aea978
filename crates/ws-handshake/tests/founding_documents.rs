//! What the documents that this project replaces got wrong, each as a regression test.
//!
//! They are tutorials with hand-written servers, and the client `aiowebsocket`. The names X9 to X22 are
//! those of the defects, H1 to H11 those of the behaviours shown.

mod wire;

use wire::{encoded, handshake, read, rejection, status};
use ws_handshake::client::{HandshakeError, RawRequest, ResponseReader};
use ws_handshake::server::RequestReader;
use ws_handshake::{AcceptKey, Limits};

fn accept(key: &str) -> String {
    AcceptKey::from_key(key.as_bytes()).to_string()
}

/// A4: the keys in the documents with their right answers.
const PAIRS: [(&str, &str); 5] = [
    ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ("sN9cRrP/n9NdMgdcy2VJFQ==", "fFBooB7FAkLlXgRSz0BT3v4hq5s="),
    ("07EWNDBSpegw1vfsIBJtkg==", "U4UYGeqfspfu07S/9GfsW/SdKHw="),
    ("EMy5N4dwjl/jHoU0eYDDGQ==", "msscgQgyj5Tdt9C4Ygu1tyf9cCA="),
    ("RmDgZzaqqvC4hGlWBsEmwQ==", "kHjvtbeqYNLVHulXH5b2cqrvpZo="),
];

#[test]
fn a4_vectors() {
    for (key, expected) in PAIRS {
        assert_eq!(accept(key), expected);
        let offer = read(&handshake(&[("Sec-WebSocket-Key", Some(key))]))
            .expect("well-formed")
            .offer();
        assert_eq!(offer.expect("valid").accept_key().as_str(), expected);
    }
}

fn answer_to(key: &str, accept: &str) -> Result<(), HandshakeError> {
    let key = format!("Sec-WebSocket-Key: {key}");
    let (_, expectation) = RawRequest::from_lines(["GET / HTTP/1.1", &key])
        .expect("a key")
        .encode();
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let response = ResponseReader::new(Limits::default())
        .read(response.as_bytes())?
        .expect("complete");
    expectation.verify(&response).map(|_| ())
}

/// X9: document 003 prints the key again as the answer. Ours has 28 characters and depends on the GUID.
#[test]
fn x9_key_repeated_as_accept() {
    for (key, expected) in PAIRS {
        assert_eq!(expected.len(), 28);
        assert_eq!(answer_to(key, key), Err(HandshakeError::InvalidAccept));
        assert_eq!(answer_to(key, expected), Ok(()));
    }
}

/// X10, X22: documents 002 and 004 print pairs that do not match, and `aiowebsocket` never looked.
#[test]
fn x10_pairs_that_do_not_match() {
    let printed = [
        ("dGhlIHNhbXBsZSBub25jZQ==", "T5ar3gbl3rZJcRmEmBT8vxKjdDo="),
        ("sN9cRrP/n9NdMgdcy2VJFQ==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ];
    for (key, accept) in printed {
        assert_eq!(answer_to(key, accept), Err(HandshakeError::InvalidAccept));
    }
    // The answer that 002 prints belongs to another key, the one of VEC-15.
    assert_eq!(
        accept("x3JJHMbDL1EzLkh9GBhXDw=="),
        "HSmrc0sMlYUkAGmm5OPpG2HaGWk="
    );
}

/// X11: draft field names (`WebSocket-Protocol`, `WebSocket-Location`) are never sent, nor a
/// subprotocol that nobody asked for.
#[test]
fn x11_draft_field_names() {
    for protocols in [None, Some("chat")] {
        let offer = read(&handshake(&[("Sec-WebSocket-Protocol", protocols)]))
            .expect("well-formed")
            .offer();
        let mut out = Vec::new();
        offer.expect("valid").accept().encode(&mut out);
        let response = String::from_utf8(out).expect("ASCII").to_ascii_lowercase();
        assert!(!response.contains("\r\nwebsocket-"));
        assert!(!response.contains("sec-websocket-protocol"));
        assert!(!response.contains("sec-websocket-location"));
    }
}

/// X12: no check of version, Upgrade, Connection and method; names matched by letter case; values with
/// `: ` inside; `Key:val` without a space; repeated fields overwritten; a missing key.
#[test]
fn x12_checks_left_out() {
    assert_eq!(
        status(&handshake(&[("Sec-WebSocket-Version", Some("8"))])),
        Some(426)
    );
    assert_eq!(status(&handshake(&[("Upgrade", None)])), Some(426));
    assert_eq!(status(&handshake(&[("Connection", None)])), Some(400));
    assert_eq!(
        status(&wire::handshake_with("POST / HTTP/1.1", &[])),
        Some(405)
    );
    let lower = b"GET / HTTP/1.1\r\nhost:h\r\nupgrade:websocket\r\nconnection:upgrade\r\n\
        sec-websocket-version:13\r\nsec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(status(lower), Some(101));
    let tricky = handshake(&[("Referer", Some("http://a/: b: c")), ("X", Some(": :"))]);
    let request = read(&tricky).expect("well-formed");
    assert_eq!(
        request.header("referer"),
        Some(b"http://a/: b: c".as_slice())
    );
    assert_eq!(request.header("x"), Some(b": :".as_slice()));
    let twice = handshake(&[("Cookie", Some("a=1")), ("Cookie", Some("b=2"))]);
    assert_eq!(
        read(&twice)
            .expect("well-formed")
            .header_all("cookie")
            .count(),
        2
    );
    assert_eq!(
        status(&handshake(&[("Sec-WebSocket-Key", None)])),
        Some(400)
    );
}

/// X13, H10: a request without a key is answered and costs nobody else anything; each reader stands
/// alone.
#[test]
fn x13_bad_client_then_good_client() {
    let mut out = Vec::new();
    rejection(&handshake(&[("Sec-WebSocket-Key", None)])).encode(&mut out);
    assert!(out.starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
    assert_eq!(status(&handshake(&[])), Some(101));
    // A silent client has sent nothing: there is nothing to wait for inside.
    assert!(
        RequestReader::new(Limits::default())
            .read(b"")
            .expect("nothing yet")
            .is_none()
    );
}

/// X17: document 002 parsed the printed form of the bytes and cut the key out of it by position.
#[test]
fn x17_printed_form_of_bytes() {
    let printed = format!("b'{}'\r\n\r\n", handshake(&[]).escape_ascii());
    assert_eq!(status(printed.as_bytes()), Some(400));
    for key in [
        "b'dGhlIHNhbXBsZSBub25jZQ=='",
        "dGhlIHNhbXBsZSBub25jZQ==\\r\\n",
        "hlIHNhbXBsZSBub25jZQ==",
    ] {
        assert_eq!(
            status(&handshake(&[("Sec-WebSocket-Key", Some(key))])),
            Some(400),
            "{key}"
        );
    }
    // Bytes that are not UTF-8 are bytes.
    let latin = b"GET / HTTP/1.1\r\nHost: h\r\nX: \xff\xfe\r\n\r\n";
    assert_eq!(
        read(latin).expect("well-formed").header("x"),
        Some(b"\xff\xfe".as_slice())
    );
}

/// X18, H-25: no limits at all, in every document.
#[test]
fn x18_endless_head() {
    let mut reader = RequestReader::new(Limits::default());
    let endless = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'a'; 100_000]].concat();
    assert_eq!(
        reader.read(&endless).expect_err("too long").status(),
        Some(431)
    );
}

/// X22: the documents' list of header lines ended without a blank line unless it ended with an empty
/// item. Ours ends either way, once.
#[test]
fn x22_head_without_end() {
    let lines = [
        "GET / HTTP/1.1",
        "Host: h",
        "Sec-WebSocket-Key: RmDgZzaqqvC4hGlWBsEmwQ==",
    ];
    let (plain, _) = RawRequest::from_lines(lines).expect("a key").encode();
    let (padded, _) = RawRequest::from_lines(lines.into_iter().chain(["", ""]))
        .expect("a key")
        .encode();
    assert_eq!(plain, padded);
    assert!(plain.ends_with(b"==\r\n\r\n"));
}

/// H10: what is not a handshake gets an HTTP answer with a body, and says what it should have been.
#[test]
fn h10_not_a_websocket() {
    let answer = encoded(&rejection(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n"));
    assert!(answer.ends_with("This resource speaks WebSocket only."));
}
