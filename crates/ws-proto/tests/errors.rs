//! What errors say, weigh and oblige us to send; and the small public types around them.

use std::collections::HashSet;
use std::error::Error;

use bytes::Bytes;
use ws_frame::{ClosePayloadError, HeaderError, Opcode};
use ws_proto::{CloseCode, Message, ProtocolError, SendError, Unsent, Utf8Bytes};

fn protocol_errors() -> Vec<(ProtocolError, Option<u16>)> {
    use ProtocolError as E;
    vec![
        (E::Header(HeaderError::ReservedOpcode(3)), Some(1002)),
        (
            E::Header(HeaderError::FragmentedControl(Opcode::Ping)),
            Some(1002),
        ),
        (
            E::Header(HeaderError::OversizedControl(Opcode::Close)),
            Some(1002),
        ),
        (E::Header(HeaderError::NonMinimalLength), Some(1002)),
        (E::Header(HeaderError::LengthOverflow), Some(1002)),
        (E::ReservedBits, Some(1002)),
        (E::UnmaskedFrame, Some(1002)),
        (E::MaskedFrame, Some(1002)),
        (E::UnexpectedContinuation, Some(1002)),
        (E::ExpectedContinuation, Some(1002)),
        (E::FrameTooLarge, Some(1009)),
        (E::MessageTooLarge, Some(1009)),
        (E::TooManyFragments, Some(1009)),
        (E::InvalidUtf8, Some(1007)),
        (E::ClosePayload(ClosePayloadError::Truncated), Some(1002)),
        (
            E::ClosePayload(ClosePayloadError::Code(CloseCode::NO_STATUS)),
            Some(1002),
        ),
        (
            E::ClosePayload(ClosePayloadError::ReasonNotUtf8),
            Some(1007),
        ),
        (E::ConnectionLost, None),
        (E::PongTimeout, None),
        (E::CloseTimeout, None),
    ]
}

#[test]
fn each_violation_has_its_code_and_its_words() {
    // spec: CC-34, CC-35, CC-36, CC-37, CC-38, CC-44, S-14
    let mut texts = HashSet::new();
    for (error, code) in protocol_errors() {
        assert_eq!(error.close_code().map(CloseCode::get), code, "{error:?}");
        let text = error.to_string();
        assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
        assert!(texts.insert(text.clone()), "{text} says two things");
        let has_source = matches!(
            error,
            ProtocolError::Header(_) | ProtocolError::ClosePayload(_)
        );
        assert_eq!(error.source().is_some(), has_source);
        if let Some(source) = error.source() {
            assert!(text.ends_with(&source.to_string()), "{text}");
        }
    }
}

#[test]
fn what_cannot_be_sent_says_why() {
    let too_long = SendError::ClosePayload(ClosePayloadError::ReasonTooLong);
    let mut texts = HashSet::new();
    for error in [
        SendError::Closed,
        SendError::BufferFull,
        SendError::PingTooLong,
        too_long,
    ] {
        assert!(texts.insert(error.to_string()));
        assert!(!error.to_string().is_empty());
        assert_eq!(error.source().is_some(), error == too_long);
        let unsent = Unsent {
            error,
            message: Message::text("kept"),
        };
        assert_eq!(unsent.to_string(), error.to_string());
        assert!(unsent.source().is_none());
        assert_eq!(SendError::from(unsent), error);
    }
}

#[test]
fn errors_are_small() {
    assert!(size_of::<ProtocolError>() <= 16);
    assert!(size_of::<SendError>() <= 32);
    assert!(size_of::<Result<(), SendError>>() <= 32);
}

#[test]
fn header_errors_become_protocol_errors() {
    let error = ProtocolError::from(HeaderError::LengthOverflow);
    assert_eq!(error, ProtocolError::Header(HeaderError::LengthOverflow));
}

#[test]
fn messages_know_their_kind_and_length() {
    // spec: F-07
    let text = Message::text("中文");
    assert!(text.is_text() && !text.is_binary() && !text.is_empty());
    assert_eq!((text.len(), text.as_text()), (6, Some("中文")));
    assert_eq!(text.as_bytes(), "中文".as_bytes());
    let binary = Message::binary(vec![0xff]);
    assert!(binary.is_binary() && !binary.is_text() && !binary.is_empty());
    assert_eq!((binary.len(), binary.as_text()), (1, None));
    assert_eq!(binary.clone().into_bytes(), [0xff][..]);
    assert_ne!(Message::text("a"), Message::binary(&b"a"[..]));
    assert!(Message::text("").is_empty() && Message::binary(vec![]).is_empty());
}

#[test]
fn messages_are_made_of_what_is_at_hand() {
    // spec: U-07
    for message in [
        Message::from("text"),
        Message::from(String::from("text")),
        Message::from(Utf8Bytes::from_static("text")),
        Message::text(Utf8Bytes::from("text")),
    ] {
        assert_eq!(message, Message::text("text"));
    }
    for message in [
        Message::from(&b"\xff"[..]),
        Message::from(vec![0xff]),
        Message::from(Bytes::from_static(b"\xff")),
    ] {
        assert_eq!(message, Message::binary(vec![0xff]));
    }
}

#[test]
fn text_behaves_like_str() {
    let text = Utf8Bytes::from(String::from("grün"));
    assert_eq!(text, "grün");
    assert_eq!(text, *"grün");
    assert_eq!(text.as_str(), "grün");
    assert_eq!(text.as_bytes(), "grün".as_bytes());
    assert_eq!((text.len(), text.is_empty()), (5, false));
    assert!(text.starts_with("gr"), "it dereferences to str");
    let as_str: &str = text.as_ref();
    let as_bytes: &[u8] = text.as_ref();
    assert_eq!(as_str.as_bytes(), as_bytes);
    assert_eq!(format!("{text} {text:?}"), "grün \"grün\"");
    assert_eq!(
        text.clone().into_bytes(),
        Bytes::from_static("grün".as_bytes())
    );
    assert!(Utf8Bytes::default().is_empty());
}
