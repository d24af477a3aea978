//! The key and its answer, by the vectors of the RFC.

use ws_handshake::{AcceptKey, GUID, is_key};

/// spec: VEC-13, VEC-14, VEC-15, H-08, H-11
#[test]
fn vectors() {
    let cases = [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
        ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ];
    for (key, expected) in cases {
        assert!(is_key(key.as_bytes()));
        let accept = AcceptKey::from_key(key.as_bytes());
        assert_eq!(accept.as_str(), expected);
        assert_eq!(accept.to_string(), expected);
        assert_eq!(format!("{accept:?}"), format!("AcceptKey({expected:?})"));
    }
}

/// spec: VEC-13: each step can be shown.
#[test]
fn steps() {
    assert_eq!(GUID, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = AcceptKey::from_key(b"dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(
        format!("{accept:x}"),
        "b37a4f2cc0624f1690f64606cf385945b2bec4ea"
    );
    assert_eq!(accept.digest()[..4], [0xb3, 0x7a, 0x4f, 0x2c]);
}

/// spec: K-18: the whole text counts, and nothing but the text.
#[test]
fn comparison() {
    let accept = AcceptKey::from_key(b"dGhlIHNhbXBsZSBub25jZQ==");
    assert!(accept.matches(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for value in [
        b"".as_slice(),
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo==",
        b"S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo ",
    ] {
        assert!(!accept.matches(value), "{}", value.escape_ascii());
    }
}
