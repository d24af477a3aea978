//! The body of a refusal: every framing, every limit, and no way to hang.

mod wire;

use wire::read_response;
use ws_handshake::client::ErrorBody;

/// What is kept of what follows the head, cut into pieces of this size, and whether that is all.
fn body(fields: &str, received: &[u8], limit: usize, step: usize) -> (Vec<u8>, bool) {
    let status = if fields.starts_with("204") {
        ""
    } else {
        "404 x\r\n"
    };
    let response =
        read_response(format!("HTTP/1.1 {status}{fields}\r\n").as_bytes()).expect("well-formed");
    let mut body = ErrorBody::new(&response, limit);
    for piece in received.chunks(step) {
        body.feed(piece);
    }
    let is_complete = body.is_complete();
    (body.into_bytes().to_vec(), is_complete)
}

fn assert_body(fields: &str, received: &str, expected: &str, is_complete: bool) {
    for step in 1..=received.len().max(1) {
        let (kept, complete) = body(fields, received.as_bytes(), 1000, step);
        assert_eq!(
            kept.escape_ascii().to_string(),
            expected,
            "{fields} {received:?} by {step}"
        );
        assert_eq!(complete, is_complete, "{fields} {received:?} by {step}");
    }
}

/// spec: P-62
#[test]
fn by_length() {
    assert_body("Content-Length: 5\r\n", "Hello", "Hello", true);
    assert_body("Content-Length: 5\r\n", "Hello, world", "Hello", true);
    assert_body("Content-Length: 5\r\n", "Hell", "Hell", false);
    assert_body("Content-Length: 0\r\n", "Hello", "", true);
    assert_body(
        "Content-Length: 18446744073709551615\r\n",
        "Hello",
        "Hello",
        false,
    );
}

/// spec: P-62: no usable length means until the end of the connection.
#[test]
fn until_close() {
    assert_body("", "Hello", "Hello", false);
    for length in ["x", "", "-1", "+5", "5, 5", "5 5", "18446744073709551616"] {
        assert_body(
            &format!("Content-Length: {length}\r\n"),
            "Hello",
            "Hello",
            false,
        );
    }
    assert_body(
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Hello",
        "Hello",
        false,
    );
    assert_body("Transfer-Encoding: gzip\r\n", "Hello", "Hello", false);
    assert_body(
        "Transfer-Encoding: chunked, gzip\r\n",
        "Hello",
        "Hello",
        false,
    );
}

/// spec: P-62
#[test]
fn chunked() {
    let fields = "Transfer-Encoding: chunked\r\n";
    assert_body(fields, "5\r\nHello\r\n0\r\n\r\n", "Hello", true);
    assert_body(fields, "5\r\nHello\r\n0\r\n\r\nmore", "Hello", true);
    assert_body(fields, "2\r\nHe\r\n3\r\nllo\r\n0\r\n\r\n", "Hello", true);
    assert_body(
        fields,
        "a\r\n0123456789\r\nA;x=y\r\n0123456789\r\n000\r\n\r\n",
        "01234567890123456789",
        true,
    );
    assert_body(
        fields,
        "5 ; x\r\nHello\r\n0\r\nTrailer: a\r\nB: c\r\n\r\n",
        "Hello",
        true,
    );
    assert_body(fields, "5\nHello\n0\n\n", "Hello", true);
    assert_body(fields, "5\r\nHell", "Hell", false);
    assert_body(fields, "5\r\nHello\r\n", "Hello", false);
    assert_body(fields, "5\r\nHello\r\n0\r\nA: b\r\n", "Hello", false);
    // Content-Length beside it does not count (RFC 9112 section 6.3).
    assert_body(
        "Content-Length: 1\r\nTransfer-Encoding: gzip, Chunked\r\n",
        "5\r\nHello\r\n0\r\n\r\n",
        "Hello",
        true,
    );
}

/// Broken framing ends the body with what there is.
#[test]
fn broken_chunks() {
    let fields = "Transfer-Encoding: chunked\r\n";
    for start in ["", "5\r\nHello\r\n"] {
        for broken in ["x", "\r\n", ";", "-1\r\n", "1234567890123456", "5\x01"] {
            let expected = if start.is_empty() { "" } else { "Hello" };
            assert_body(fields, &format!("{start}{broken}"), expected, true);
        }
    }
    assert_body(fields, "5\r\nHelloX", "Hello", true);
    // The largest size that is read: it says much, and nothing is allocated for it.
    assert_body(fields, "fffffffffffffff\r\nHello", "Hello", false);
}

/// Statuses whose responses have no body.
#[test]
fn without_body() {
    assert_body("204 x\r\n", "Hello", "", true);
    assert_body("204 x\r\nContent-Length: 5\r\n", "Hello", "", true);
}

/// The limit counts what is kept, and framing has one of its own.
#[test]
fn limits() {
    for fields in ["", "Content-Length: 5\r\n", "Content-Length: 500\r\n"] {
        assert_eq!(body(fields, b"Hello", 4, 1), (b"Hell".to_vec(), true));
        assert_eq!(body(fields, b"Hello", 4, 5), (b"Hell".to_vec(), true));
        assert_eq!(body(fields, b"Hello", 0, 5), (b"".to_vec(), true));
    }
    let chunked = "Transfer-Encoding: chunked\r\n";
    assert_eq!(
        body(chunked, b"5\r\nHello\r\n", 4, 1),
        (b"Hell".to_vec(), true)
    );
    assert_eq!(
        body(chunked, b"5\r\nHello\r\n", 5, 9),
        (b"Hello".to_vec(), true)
    );
    // Endless extensions, endless trailers, endless empty framing: each ends.
    for (start, filler) in [("1;", "x"), ("0\r\n", "T: x\r\n"), ("1\r\na\r\n", "\r")] {
        let endless = format!("{start}{}", filler.repeat(2000));
        let (kept, is_complete) = body(chunked, endless.as_bytes(), 1000, 7);
        assert!(is_complete && kept.len() <= 1, "{start}");
    }
}
