//! Status codes and the bodies of Close frames, RFC 6455 sections 5.5.1 and 7.4.

use proptest::prelude::*;
use ws_frame::{CloseCode, ClosePayload, ClosePayloadError};

/// The rows of the table of codes: first and last code, name, allowed on the wire.
const TABLE: [(u16, u16, &str, bool); 22] = [
    (0, 999, "Undefined", false),                     // spec: CC-01
    (1000, 1000, "Normal Closure", true),             // spec: CC-02
    (1001, 1001, "Going Away", true),                 // spec: CC-03
    (1002, 1002, "Protocol Error", true),             // spec: CC-04
    (1003, 1003, "Unsupported Data", true),           // spec: CC-05
    (1004, 1004, "Reserved", false),                  // spec: CC-06
    (1005, 1005, "No Status Rcvd", false),            // spec: CC-07
    (1006, 1006, "Abnormal Closure", false),          // spec: CC-08
    (1007, 1007, "Invalid frame payload data", true), // spec: CC-09
    (1008, 1008, "Policy Violation", true),           // spec: CC-10
    (1009, 1009, "Message Too Big", true),            // spec: CC-11
    (1010, 1010, "Mandatory Extension", true),        // spec: CC-12
    (1011, 1011, "Internal Error", true),             // spec: CC-13
    (1012, 1012, "Service Restart", true),            // spec: CC-14
    (1013, 1013, "Try Again Later", true),            // spec: CC-15
    (1014, 1014, "Bad Gateway", true),                // spec: CC-16
    (1015, 1015, "TLS handshake", false),             // spec: CC-17
    (1016, 1999, "Unassigned", false),                // spec: CC-18
    (2000, 2999, "Unassigned", false),                // spec: CC-19
    (3000, 3999, "Registered Use", true),             // spec: CC-20
    (4000, 4999, "Private Use", true),                // spec: CC-21
    (5000, 65_535, "Undefined", false),               // spec: CC-22
];

fn row(code: u16) -> (&'static str, bool) {
    let (_, _, name, allowed) = TABLE
        .into_iter()
        .find(|(first, last, ..)| (first..=last).contains(&&code))
        .expect("the table has every code");
    (name, allowed)
}

// spec: C-09, C-29
#[test]
fn every_code_is_sent_and_taken_by_the_table() {
    for number in 0..=u16::MAX {
        let (name, allowed) = row(number);
        let code = CloseCode::new(number);
        assert_eq!(code.get(), number);
        assert_eq!(CloseCode::from(number), code);
        assert_eq!(u16::from(code), number);
        assert_eq!(code.is_allowed_on_wire(), allowed, "{number}");
        assert_eq!(code.to_string(), format!("{number} {name}"));

        let body = number.to_be_bytes();
        let parsed = ClosePayload::parse(&body);
        let built = ClosePayload::new(code, "");
        if allowed {
            assert_eq!(parsed, Ok(Some((code, ""))));
            assert_eq!(
                built.map(|payload| payload.as_bytes().to_vec()),
                Ok(body.to_vec())
            );
        } else {
            assert_eq!(parsed, Err(ClosePayloadError::Code(code)));
            assert_eq!(built, Err(ClosePayloadError::Code(code)));
        }
    }
}

#[test]
fn the_named_codes_have_their_numbers() {
    let named = [
        (CloseCode::NORMAL, 1000),
        (CloseCode::GOING_AWAY, 1001),
        (CloseCode::PROTOCOL_ERROR, 1002),
        (CloseCode::UNSUPPORTED_DATA, 1003),
        (CloseCode::NO_STATUS, 1005),
        (CloseCode::ABNORMAL, 1006),
        (CloseCode::INVALID_PAYLOAD, 1007),
        (CloseCode::POLICY_VIOLATION, 1008),
        (CloseCode::MESSAGE_TOO_BIG, 1009),
        (CloseCode::MANDATORY_EXTENSION, 1010),
        (CloseCode::INTERNAL_ERROR, 1011),
        (CloseCode::SERVICE_RESTART, 1012),
        (CloseCode::TRY_AGAIN_LATER, 1013),
        (CloseCode::BAD_GATEWAY, 1014),
        (CloseCode::TLS_HANDSHAKE, 1015),
    ];
    for (code, number) in named {
        assert_eq!(code.get(), number);
    }
}

// spec: C-08
#[test]
fn an_empty_body_has_no_code() {
    assert_eq!(ClosePayload::parse(b""), Ok(None));
    assert_eq!(ClosePayload::EMPTY.as_bytes(), b"");
    assert_eq!(ClosePayload::EMPTY.code(), None);
    assert_eq!(ClosePayload::EMPTY.reason(), "");
    assert_eq!(ClosePayload::default(), ClosePayload::EMPTY);
    assert_eq!(
        format!("{:?}", ClosePayload::EMPTY),
        r#"ClosePayload { code: None, reason: "" }"#
    );
}

// spec: C-08
#[test]
fn half_a_code_is_refused() {
    for byte in 0..=u8::MAX {
        assert_eq!(
            ClosePayload::parse(&[byte]),
            Err(ClosePayloadError::Truncated)
        );
    }
}

// spec: C-08, C-30
#[test]
fn reasons_of_up_to_123_bytes_fit() {
    let longest = "€".repeat(41);
    assert_eq!(longest.len(), 123);
    let payload = ClosePayload::new(CloseCode::NORMAL, &longest).expect("fits");
    assert_eq!(payload.as_bytes().len(), 125);
    assert_eq!(payload.code(), Some(CloseCode::NORMAL));
    assert_eq!(payload.reason(), longest);
    assert_eq!(
        ClosePayload::parse(payload.as_bytes()),
        Ok(Some((CloseCode::NORMAL, longest.as_str())))
    );

    let too_long = "a".repeat(124);
    let refused = ClosePayloadError::ReasonTooLong;
    assert_eq!(
        ClosePayload::new(CloseCode::NORMAL, &too_long),
        Err(refused)
    );
    let body = [&[0x03, 0xe8], too_long.as_bytes()].concat();
    assert_eq!(ClosePayload::parse(&body), Err(refused));
    let much_too_long = "a".repeat(100_000);
    let refused = ClosePayloadError::ReasonTooLong;
    assert_eq!(
        ClosePayload::new(CloseCode::NORMAL, &much_too_long),
        Err(refused)
    );
}

// spec: C-10, U-05
#[test]
fn reasons_that_are_not_utf8_are_refused() {
    for reason in [&b"\xff"[..], b"bye \xc0\x80", b"\xe2\x82", b"\xed\xa0\x80"] {
        let body = [&[0x03, 0xe8], reason].concat();
        assert_eq!(
            ClosePayload::parse(&body),
            Err(ClosePayloadError::ReasonNotUtf8)
        );
    }
}

// spec: C-09, C-10
#[test]
fn a_bad_code_counts_before_a_bad_reason() {
    assert_eq!(
        ClosePayload::parse(b"\x03\xed\xff"),
        Err(ClosePayloadError::Code(CloseCode::NO_STATUS))
    );
}

// spec: CC-34, CC-35, CC-36, CC-37
#[test]
fn errors_say_what_was_wrong_and_what_to_answer() {
    let errors = [
        (ClosePayloadError::Truncated, "close body of one byte", 1002),
        (
            ClosePayloadError::Code(CloseCode::NO_STATUS),
            "close code 1005 is not allowed on the wire",
            1002,
        ),
        (
            ClosePayloadError::ReasonTooLong,
            "close reason of more than 123 bytes",
            1002,
        ),
        (
            ClosePayloadError::ReasonNotUtf8,
            "close reason is not UTF-8",
            1007,
        ),
    ];
    for (error, text, code) in errors {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.close_code().get(), code);
    }
}

#[test]
fn payloads_are_equal_if_their_bytes_are() {
    let bye = ClosePayload::new(CloseCode::NORMAL, "bye").expect("fits");
    assert_eq!(
        bye,
        ClosePayload::new(CloseCode::NORMAL, "bye").expect("fits")
    );
    assert_ne!(
        bye,
        ClosePayload::new(CloseCode::GOING_AWAY, "bye").expect("fits")
    );
    assert_ne!(bye, ClosePayload::EMPTY);
}

// spec: S-11
#[test]
fn control_characters_of_a_reason_are_escaped_when_printed() {
    let payload = ClosePayload::new(CloseCode::NORMAL, "a\x1b[31m\r\n").expect("fits");
    assert_eq!(
        format!("{payload:?}"),
        r#"ClosePayload { code: Some(1000), reason: "a\u{1b}[31m\r\n" }"#
    );
}

proptest! {
    // spec: C-08, F-16
    #[test]
    fn what_is_built_is_taken(code: u16, reason in "\\PC{0,45}") {
        let code = CloseCode::new(code);
        if let Ok(payload) = ClosePayload::new(code, &reason) {
            prop_assert!(payload.as_bytes().len() <= ClosePayload::MAX_LEN);
            let parsed = ClosePayload::parse(payload.as_bytes());
            prop_assert_eq!(parsed, Ok(Some((code, reason.as_str()))));
        } else {
            let too_long = reason.len() > ClosePayload::MAX_REASON_LEN;
            prop_assert!(too_long || !code.is_allowed_on_wire());
        }
    }
}
