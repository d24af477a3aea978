//! Text is UTF-8 (RFC 6455 §5.6, §8.1), and what is not fails at the first byte that cannot be.

use ws_frame::ClosePayloadError;
use ws_proto::{Event, Message, ProtocolError, Utf8Bytes};
use ws_testkit::{Alone, Frame, vectors};

const KEY: [u8; 4] = vectors::KEY;
const CLOSE_1007: &[u8] = b"\x88\x02\x03\xef";

/// `text` cut into one frame a byte, with something between the fragments.
fn byte_by_byte(text: &[u8], between: &[Frame]) -> Vec<Frame> {
    let mut frames = vec![Frame::text("").not_fin()];
    for byte in text {
        frames.extend(between.iter().cloned());
        frames.push(Frame::continuation([*byte]).not_fin());
    }
    frames.push(Frame::continuation(""));
    frames
}

fn masked(frames: &[Frame]) -> Vec<u8> {
    let frames = frames.iter().cloned();
    frames.flat_map(|frame| frame.masked(KEY).bytes()).collect()
}

/// The rows of a table run in five ways: one frame, one frame in single bytes, a frame a byte, with Pings, with empty
/// frames between.
fn in_every_way(text: &[u8]) -> Vec<(Vec<u8>, usize)> {
    let one = masked(&[Frame::text(text)]);
    vec![
        (one.clone(), usize::MAX),
        (one, 1),
        (masked(&byte_by_byte(text, &[])), usize::MAX),
        (masked(&byte_by_byte(text, &[Frame::ping("")])), 1),
        (
            masked(&byte_by_byte(text, &[Frame::continuation("").not_fin()])),
            3,
        ),
    ]
}

fn receive(end: &mut Alone, bytes: &[u8], chunk: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for piece in bytes.chunks(chunk) {
        events.extend(end.receive(piece));
    }
    events.retain(|event| !matches!(event, Event::Ping(_)));
    events
}

#[test]
fn valid_text_is_delivered_unchanged() {
    // spec: U-01, U-02, U-08, VEC-11, V-01, V-02, V-03, V-04, V-05, V-06, V-07, V-08, V-09, V-10, V-11, V-12, V-13,
    // V-14, V-15, V-16, V-17, V-18
    for text in vectors::UTF8 {
        let expected = std::str::from_utf8(text).expect("the table is right");
        for (bytes, chunk) in in_every_way(text) {
            let mut server = Alone::server();
            let events = receive(&mut server, &bytes, chunk);
            assert_eq!(events, [Event::Message(Message::text(expected))]);
            assert_eq!(server.error, None);
        }
    }
}

#[test]
fn text_that_is_not_utf8_fails_the_connection() {
    // spec: U-01, U-03, CC-37, VEC-10, E-01, E-02, E-03, E-04, E-05, E-06, E-07, E-08, E-09, E-10, E-11, E-12, E-13,
    // E-14, E-15, E-16, E-17, E-18, E-19, E-20, E-21
    for (text, _) in vectors::NOT_UTF8 {
        for (bytes, chunk) in in_every_way(text) {
            let mut server = Alone::server();
            assert_eq!(receive(&mut server, &bytes, chunk), [], "{text:x?}");
            assert_eq!(server.error, Some(ProtocolError::InvalidUtf8));
            assert!(server.sent().ends_with(CLOSE_1007));
        }
        // The next connection knows nothing of it.
        let mut server = Alone::server();
        assert_eq!(server.receive(vectors::CLIENT_TEXT).len(), 1);
    }
}

#[test]
fn bad_text_fails_inside_the_frame_at_the_first_bad_byte() {
    // spec: U-04, E-14, E-19, E-20
    for (text, fails_at) in vectors::NOT_UTF8 {
        let Some(fails_at) = *fails_at else {
            continue;
        };
        // A long frame of which no more than the bad byte arrives; and a first fragment.
        let rest = [0x61; 100];
        let long = Frame::text([*text, &rest[..]].concat()).masked(KEY);
        for frame in [long.clone(), long.not_fin()] {
            let mut server = Alone::server();
            let bytes = frame.bytes();
            let bad = frame.header().len() + fails_at;
            assert_eq!(receive(&mut server, &bytes[..bad], 1), []);
            assert_eq!(server.error, None, "{text:x?}");
            assert_eq!(server.receive(&bytes[bad..=bad]), []);
            assert_eq!(server.error, Some(ProtocolError::InvalidUtf8), "{text:x?}");
            assert_eq!(server.sent(), CLOSE_1007);
        }
    }
}

#[test]
fn bad_text_fails_inside_the_message() {
    // spec: U-04
    let mut server = Alone::server();
    let frames = [
        Frame::text([0xf4]).not_fin(),
        Frame::continuation("").not_fin(),
    ];
    assert_eq!(server.receive(&masked(&frames)), []);
    assert_eq!(server.error, None);
    server.receive(&masked(&[Frame::continuation([0x90]).not_fin()]));
    assert_eq!(server.error, Some(ProtocolError::InvalidUtf8));
    assert_eq!(server.sent(), CLOSE_1007);
}

#[test]
fn the_end_of_the_message_may_not_be_inside_a_character() {
    // spec: U-03
    let mut server = Alone::server();
    server.receive(b"\x81\x81\x37\xfa\x21\x3d\xf9");
    assert_eq!(server.error, Some(ProtocolError::InvalidUtf8));
    let mut server = Alone::server();
    let frames = [
        Frame::text([0xce]).not_fin(),
        Frame::continuation("").not_fin(),
        Frame::continuation(""),
    ];
    server.receive(&masked(&frames));
    assert_eq!(server.error, Some(ProtocolError::InvalidUtf8));
}

#[test]
fn a_bad_byte_is_found_wherever_blocks_meet() {
    // spec: U-01, U-02
    for offset in [
        0, 1, 15, 16, 31, 32, 63, 64, 4093, 4094, 4095, 4096, 4097, 8191,
    ] {
        for (text, _) in vectors::NOT_UTF8 {
            let text = [&vec![b'a'; offset], *text, b"tail"].concat();
            let mut server = Alone::server();
            assert_eq!(server.receive(&masked(&[Frame::text(text)])), []);
            assert_eq!(server.error, Some(ProtocolError::InvalidUtf8));
        }
        let text = format!("{}{}", "a".repeat(offset), vectors::CHINESE.repeat(100));
        let mut server = Alone::server();
        let events = server.receive(&masked(&[Frame::text(&*text)]));
        assert_eq!(events, [Event::Message(Message::text(text))]);
    }
}

#[test]
fn what_is_no_text_is_not_looked_at() {
    // spec: U-09
    for (bytes, _) in vectors::NOT_UTF8 {
        let mut server = Alone::server();
        let frames = [
            Frame::binary(*bytes),
            Frame::ping(*bytes),
            Frame::pong(*bytes),
        ];
        let bytes = bytes.to_vec();
        assert_eq!(
            server.receive(&masked(&frames)),
            [
                Event::Message(Message::binary(bytes.clone())),
                Event::Ping(bytes.clone().into()),
                Event::Pong(bytes.into()),
            ]
        );
    }
}

#[test]
fn a_close_reason_is_text_too() {
    // spec: U-05, C-10
    for text in vectors::UTF8 {
        let reason = std::str::from_utf8(text).expect("the table is right");
        let mut server = Alone::server();
        server.receive(&masked(&[Frame::close(1000, reason)]));
        let info = server.connection.close_info().expect("closed");
        assert_eq!(info.reason(), reason);
    }
    for (text, _) in vectors::NOT_UTF8 {
        let mut server = Alone::server();
        let body = [&b"\x03\xe8"[..], text].concat();
        assert_eq!(server.receive(&masked(&[Frame::close_body(body)])), []);
        let error = ProtocolError::ClosePayload(ClosePayloadError::ReasonNotUtf8);
        assert_eq!(server.error, Some(error));
        assert_eq!(server.sent(), CLOSE_1007);
    }
}

#[test]
fn only_text_can_be_made_into_text() {
    // spec: U-07
    for text in vectors::UTF8 {
        let bytes = bytes::Bytes::from_static(text);
        let made = Utf8Bytes::try_from(bytes).expect("it is UTF-8");
        assert_eq!(made.as_bytes(), *text);
    }
    for (text, fails_at) in vectors::NOT_UTF8 {
        let bytes = bytes::Bytes::from_static(text);
        let error = Utf8Bytes::try_from(bytes).expect_err("it is not UTF-8");
        assert_eq!(error.position(), *fails_at);
    }
}
