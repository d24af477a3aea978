//! What a server sends: the 101 and the refusals, byte for byte.

mod wire;

use wire::{encoded, field, handshake, read};
use ws_handshake::server::{Acceptance, Rejection, ResponseError};

fn acceptance(protocols: Option<&str>) -> Acceptance {
    read(&handshake(&[("Sec-WebSocket-Protocol", protocols)]))
        .expect("well-formed")
        .offer()
        .expect("valid")
        .accept()
}

fn response(acceptance: &Acceptance) -> String {
    let mut out = Vec::new();
    acceptance.encode(&mut out);
    String::from_utf8(out).expect("ASCII")
}

/// spec: H-11, H-12, H-21, P-14, VEC-13
#[test]
fn plain_101() {
    let acceptance = acceptance(None);
    assert_eq!(
        response(&acceptance),
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    assert_eq!(acceptance.negotiated().subprotocol, None);
    assert_eq!(acceptance.offer().key(), "dGhlIHNhbXBsZSBub25jZQ==");
}

/// spec: H-12, H-27, H-31, H-13: subprotocol and own fields come after what the protocol demands.
#[test]
fn full_101() {
    let acceptance = acceptance(Some("chat, superchat"))
        .subprotocol("superchat")
        .expect("it was offered")
        .header("Set-Cookie", "a=1; HttpOnly")
        .expect("allowed")
        .header("Set-Cookie", "b=2")
        .expect("allowed")
        .header("X-Bytes", b"caf\xc3\xa9")
        .expect("allowed");
    assert_eq!(
        response(&acceptance),
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: superchat\r\n\
         Set-Cookie: a=1; HttpOnly\r\n\
         Set-Cookie: b=2\r\n\
         X-Bytes: caf\u{e9}\r\n\r\n"
    );
    assert_eq!(
        acceptance.negotiated().subprotocol.as_deref(),
        Some("superchat")
    );
}

/// spec: H-13, P-57, X-08: nothing that was not offered, and a bug of ours is a 500.
#[test]
fn foreign_subprotocol() {
    for (offered, chosen) in [
        (None, "chat"),
        (Some("chat"), "Chat"),
        (Some("chat"), ""),
        (Some("a, b"), "a, b"),
    ] {
        let error = acceptance(offered)
            .subprotocol(chosen)
            .expect_err("not offered");
        assert_eq!(error, ResponseError::SubprotocolNotOffered);
        assert_eq!(Rejection::from(error).status(), Some(500));
    }
}

/// spec: H-27: injected lines and protocol fields are refused, in acceptances and refusals.
#[test]
fn forbidden_fields() {
    use ResponseError::{InvalidFieldName, InvalidFieldValue, ReservedField};
    let cases = [
        ("", "a", InvalidFieldName),
        ("X Y", "a", InvalidFieldName),
        ("X:", "a", InvalidFieldName),
        ("X\r\nY", "a", InvalidFieldName),
        ("\u{dc}", "a", InvalidFieldName),
        ("X", "a\r\nb", InvalidFieldValue),
        ("X", "a\nb", InvalidFieldValue),
        ("X", "a\rb", InvalidFieldValue),
        ("X", "a\0b", InvalidFieldValue),
        ("X", "a\x7f", InvalidFieldValue),
        ("Upgrade", "h2c", ReservedField),
        ("connection", "close", ReservedField),
        ("Sec-WebSocket-Accept", "a", ReservedField),
        ("sec-websocket-protocol", "a", ReservedField),
        ("Sec-WebSocket-Anything", "a", ReservedField),
        ("Content-Length", "0", ReservedField),
        ("Transfer-Encoding", "chunked", ReservedField),
        ("Keep-Alive", "1", ReservedField),
        ("Trailer", "X", ReservedField),
    ];
    for (name, value, expected) in cases {
        assert_eq!(
            acceptance(None).header(name, value).err(),
            Some(expected),
            "{name:?}: {value:?}"
        );
        assert_eq!(
            Rejection::forbidden().header(name, value).err(),
            Some(expected),
            "{name:?}: {value:?}"
        );
        assert!(!expected.to_string().is_empty());
    }
    assert_eq!(
        Rejection::forbidden().header("Content-Type", "a").err(),
        Some(ReservedField)
    );
    assert!(
        acceptance(None)
            .header("Sec-WebSocke", "not reserved")
            .is_ok()
    );
}

/// spec: H-17, H-18, H-29, P-13, P-56, S-14: the form of a refusal.
#[test]
fn refusals() {
    assert_eq!(
        encoded(&Rejection::not_found()),
        "HTTP/1.1 404 Not Found\r\n\
         Connection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 30\r\n\r\n\
         There is nothing at this path."
    );
    let cases: [(Rejection, u16, &str, &str); 12] = [
        (Rejection::bad_request("No."), 400, "Connection", "close"),
        (
            Rejection::unauthorized("Basic realm=\"x\"").expect("valid"),
            401,
            "WWW-Authenticate",
            "Basic realm=\"x\"",
        ),
        (Rejection::forbidden(), 403, "Connection", "close"),
        (Rejection::timeout(), 408, "Connection", "close"),
        (
            Rejection::too_many_requests(Some(60)),
            429,
            "Retry-After",
            "60",
        ),
        (
            Rejection::too_many_requests(None),
            429,
            "Connection",
            "close",
        ),
        (Rejection::internal_error(), 500, "Connection", "close"),
        (
            Rejection::service_unavailable(Some(5)),
            503,
            "Retry-After",
            "5",
        ),
        (
            Rejection::new(405, "No.").expect("valid"),
            405,
            "Allow",
            "GET",
        ),
        (
            Rejection::new(426, "No.").expect("valid"),
            426,
            "Sec-WebSocket-Version",
            "13",
        ),
        (
            Rejection::new(302, "There.")
                .expect("valid")
                .header("Location", "/new")
                .expect("valid"),
            302,
            "Location",
            "/new",
        ),
        (
            Rejection::new(418, "No.").expect("valid"),
            418,
            "Connection",
            "close",
        ),
    ];
    for (rejection, status, name, value) in cases {
        let answer = encoded(&rejection);
        assert_eq!(rejection.status(), Some(status));
        assert!(!rejection.closes_silently());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert_eq!(field(&answer, name), Some(value), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert_eq!(
            field(&answer, "Content-Length"),
            Some(body.len().to_string().as_str()),
            "{answer}"
        );
        assert_eq!(body, rejection.reason());
        assert!(rejection.to_string().starts_with(&status.to_string()));
    }
    assert_eq!(
        field(&encoded(&Rejection::too_many_requests(None)), "Retry-After"),
        None
    );
    assert_eq!(
        Rejection::unauthorized("a\r\nb").err(),
        Some(ResponseError::InvalidFieldValue)
    );
    for status in [0, 99, 100, 101, 200, 299, 600, 65_535] {
        assert_eq!(
            Rejection::new(status, "No.").err(),
            Some(ResponseError::InvalidStatus),
            "{status}"
        );
    }
}

/// Every status that may be chosen has a reason phrase, as the grammar of HTTP wants a space at least.
#[test]
fn every_status() {
    for status in 300..600 {
        let answer = encoded(&Rejection::new(status, "No.").expect("a refusal"));
        let (line, _) = answer.split_once("\r\n").expect("a status line");
        assert!(line.len() > "HTTP/1.1 000 ".len(), "{line}");
    }
}

/// A page or a problem document instead of the text.
#[test]
fn other_content() {
    let rejection = Rejection::not_found()
        .content("text/html", "<h1>Nothing</h1>")
        .expect("valid");
    let answer = encoded(&rejection);
    assert_eq!(field(&answer, "Content-Type"), Some("text/html"));
    assert_eq!(field(&answer, "Content-Length"), Some("16"));
    assert!(answer.ends_with("\r\n\r\n<h1>Nothing</h1>"));
    let answer = encoded(&rejection.without_content());
    assert_eq!(field(&answer, "Content-Length"), Some("16"));
    assert!(answer.ends_with("\r\n\r\n"));
    assert_eq!(
        Rejection::not_found().content("a\r\nX: y", "").err(),
        Some(ResponseError::InvalidFieldValue)
    );
}

/// Every error of ours has a text of its own.
#[test]
fn error_texts() {
    let errors = [
        ResponseError::SubprotocolNotOffered,
        ResponseError::InvalidFieldName,
        ResponseError::InvalidFieldValue,
        ResponseError::ReservedField,
        ResponseError::InvalidStatus,
    ];
    let texts = errors
        .iter()
        .map(ToString::to_string)
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(texts.len(), errors.len());
}

/// Errors travel in every result, so they stay small.
#[test]
fn sizes() {
    assert!(size_of::<Rejection>() <= 32, "{}", size_of::<Rejection>());
    assert_eq!(size_of::<ResponseError>(), 1);
    assert!(size_of::<ws_handshake::client::HandshakeError>() <= 16);
}
