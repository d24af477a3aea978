//! Messages in several frames (RFC 6455 §5.4), received and sent.

use ws_proto::{Config, Event, Message, ProtocolError};
use ws_testkit::{Alone, Frame, Prng, vectors};

const KEY: [u8; 4] = vectors::KEY;

fn masked(frames: &[Frame]) -> Vec<u8> {
    let frames = frames.iter().cloned();
    frames.flat_map(|frame| frame.masked(KEY).bytes()).collect()
}

#[track_caller]
fn fails(frames: &[Frame], error: ProtocolError) {
    let mut server = Alone::server();
    assert_eq!(server.receive(&masked(frames)), []);
    assert_eq!(server.error, Some(error));
    assert_eq!(server.sent(), b"\x88\x02\x03\xea");
}

#[test]
fn fragments_make_a_message() {
    // spec: G-01, G-05, G-08, F-13, VEC-03, VEC-06
    for pieces in [
        &["Hello, world"][..],
        &["Hello,", " world"],
        &["H", "ello", ", ", "world"],
        &["", "Hello, ", "", "world", ""],
    ] {
        let mut frames: Vec<Frame> = pieces
            .iter()
            .map(|piece| Frame::continuation(*piece).not_fin())
            .collect();
        frames[0].opcode = 1;
        frames.last_mut().expect("there is one").fin = true;
        let mut server = Alone::server();
        let events = server.receive(&masked(&frames));
        assert_eq!(events, [Event::Message(Message::text("Hello, world"))]);
        // The same in binary, at a client.
        frames[0].opcode = 2;
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        let mut client = Alone::client();
        let events = client.receive(&bytes);
        assert_eq!(
            events,
            [Event::Message(Message::binary(&b"Hello, world"[..]))]
        );
    }
}

#[test]
fn a_message_may_consist_of_empty_fragments_only() {
    // spec: G-05, G-15, F-13
    let frames = [
        Frame::text("").not_fin(),
        Frame::continuation("").not_fin(),
        Frame::continuation(""),
    ];
    let mut server = Alone::server();
    let events = server.receive(&masked(&frames));
    assert_eq!(events, [Event::Message(Message::text(""))]);
}

#[test]
fn a_continuation_needs_a_message_to_continue() {
    // spec: G-02
    let error = ProtocolError::UnexpectedContinuation;
    fails(&[Frame::continuation("")], error);
    fails(&[Frame::continuation("x").not_fin()], error);
    for before in [vectors::CLIENT_TEXT, vectors::CLIENT_FRAGMENTS] {
        let mut server = Alone::server();
        assert_eq!(server.receive(before).len(), 1);
        assert_eq!(server.receive(&masked(&[Frame::continuation("x")])), []);
        assert_eq!(server.error, Some(error));
    }
}

#[test]
fn a_message_must_end_before_the_next_begins() {
    // spec: G-03, G-06, G-07
    for first in [Frame::text("a"), Frame::binary("a")] {
        for second in [Frame::text("b"), Frame::binary("b")] {
            for second in [second.clone(), second.not_fin()] {
                let frames = [first.clone().not_fin(), second.clone()];
                fails(&frames, ProtocolError::ExpectedContinuation);
                let frames = [
                    first.clone().not_fin(),
                    Frame::continuation("").not_fin(),
                    second,
                ];
                fails(&frames, ProtocolError::ExpectedContinuation);
            }
        }
    }
}

#[test]
fn control_frames_between_fragments_are_handled_at_once() {
    // spec: G-04, C-03, C-06
    let mut server = Alone::server();
    assert_eq!(server.receive(&masked(&[Frame::text("Hel").not_fin()])), []);
    assert_eq!(
        server.receive(&masked(&[Frame::ping("1")])),
        [Event::Ping("1".into())]
    );
    assert_eq!(server.sent(), b"\x8a\x011", "before the message ends");
    let rest = masked(&[
        Frame::continuation("l").not_fin(),
        Frame::pong("2"),
        Frame::ping("3"),
        Frame::continuation("o"),
    ]);
    assert_eq!(
        server.receive(&rest),
        [
            Event::Pong("2".into()),
            Event::Ping("3".into()),
            Event::Message(Message::text("Hello")),
        ]
    );
    assert_eq!(server.sent(), b"\x8a\x013");
}

#[test]
fn a_close_between_fragments_drops_the_message() {
    // spec: C-33, G-13, C-13
    let mut server = Alone::server();
    let frames = [
        Frame::text("Hel").not_fin(),
        Frame::close(1000, ""),
        Frame::continuation("lo"),
    ];
    let events = server.receive(&masked(&frames));
    assert!(matches!(events[..], [Event::Closed(Some(_))]));
    assert_eq!(server.error, None);
    assert_eq!(server.sent(), b"\x88\x02\x03\xe8");
}

#[test]
fn an_end_of_the_transport_between_fragments_drops_the_message() {
    // spec: G-13, C-23
    let mut server = Alone::server();
    server.receive(&masked(&[Frame::text("Hel").not_fin()]));
    assert_eq!(server.receive_eof(), []);
    assert_eq!(server.error, Some(ProtocolError::ConnectionLost));
}

#[test]
fn messages_after_a_fragmented_one_start_afresh() {
    // spec: G-06, U-01
    let mut server = Alone::server();
    let frames = [
        Frame::binary([0xff]).not_fin(),
        Frame::continuation([0xfe]),
        Frame::text("text"),
        Frame::text("te").not_fin(),
        Frame::continuation("xt"),
        Frame::binary([0xff]),
    ];
    let messages = [
        Message::binary(vec![0xff, 0xfe]),
        Message::text("text"),
        Message::text("text"),
        Message::binary(vec![0xff]),
    ];
    assert_eq!(
        server.receive(&masked(&frames)),
        messages.map(Event::Message)
    );
}

#[test]
fn the_sender_fragments_when_asked_to() {
    // spec: G-01, F-14, F-16, G-07
    let config = Config::default().with_fragment_size(Some(4));
    let mut server = Alone::server_with(config);
    server
        .connection
        .send(Message::text("HelloWorld"))
        .expect("open");
    assert_eq!(server.sent(), b"\x01\x04Hell\x00\x04oWor\x80\x02ld");
    // A multiple of the size has no empty frame at its end, and a short message is one frame.
    server
        .connection
        .send(Message::binary(&b"12345678"[..]))
        .expect("open");
    server.connection.send(Message::text("1234")).expect("open");
    server.connection.send(Message::text("")).expect("open");
    assert_eq!(
        server.sent(),
        b"\x02\x041234\x80\x045678\x81\x041234\x81\x00"
    );
}

#[test]
fn every_fragment_of_a_client_has_a_mask() {
    // spec: M-01, M-07, VEC-06
    let config = Config::default().with_fragment_size(Some(3));
    let mut client = Alone::client_with(config);
    client
        .connection
        .send(Message::text("Hello"))
        .expect("open");
    assert_eq!(client.sent(), vectors::CLIENT_FRAGMENTS);
}

#[test]
fn fragments_of_two_messages_and_control_frames_do_not_mix() {
    // spec: G-07, G-14
    let config = Config::default().with_fragment_size(Some(2));
    let mut server = Alone::server_with(config);
    server.connection.send(Message::text("abc")).expect("open");
    server.connection.ping(b"!").expect("open");
    server.connection.send(Message::text("def")).expect("open");
    assert_eq!(
        server.sent(),
        b"\x01\x02ab\x80\x01c\x89\x01!\x01\x02de\x80\x01f"
    );
}

#[test]
fn a_fragment_may_end_inside_a_character() {
    // spec: U-02, G-08
    let text = vectors::CHINESE;
    for size in 1..20 {
        let config = Config::default().with_fragment_size(Some(size));
        let mut client = Alone::client_with(config);
        client.connection.send(Message::text(text)).expect("open");
        let mut server = Alone::server();
        let events = server.receive(&client.sent());
        assert_eq!(events, [Event::Message(Message::text(text))]);
    }
}

#[test]
fn a_fragment_size_of_zero_is_one() {
    let config = Config::default().with_fragment_size(Some(0));
    let mut server = Alone::server_with(config);
    server.connection.send(Message::text("ab")).expect("open");
    assert_eq!(server.sent(), b"\x01\x01a\x80\x01b");
}

#[test]
fn large_fragments_are_queued_like_large_messages() {
    // spec: F-16
    let payload = Prng::new(1).bytes(100_000);
    for size in [9000, 8192, 50_000] {
        let config = Config::default().with_fragment_size(Some(size));
        let mut server = Alone::server_with(config);
        server
            .connection
            .send(Message::binary(payload.clone()))
            .expect("open");
        let mut client = Alone::client();
        let events = client.receive(&server.sent());
        assert_eq!(events, [Event::Message(Message::binary(payload.clone()))]);
    }
}
