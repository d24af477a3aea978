//! Messages that are read where they lie.

use bytes::{Buf, BytesMut};
use ws_proto::{
    Compress, Config, Connection, Event, Lent, MessageRef, PreparedMessage, ProtocolError,
    SendError,
};
use ws_testkit::{Alone, Frame, vectors};

const KEY: [u8; 4] = vectors::KEY;

fn wire(frames: &[Frame]) -> Vec<u8> {
    let frames = frames.iter().cloned();
    frames.flat_map(|frame| frame.masked(KEY).bytes()).collect()
}

fn handed(frames: &[Frame]) -> Connection {
    let mut server = Connection::server(Config::default());
    server.handle_received(BytesMut::from(&wire(frames)[..]));
    server
}

/// The message that is found next.
fn lend(server: &mut Connection) -> MessageRef<'_> {
    assert_eq!(server.poll_lent(), Ok(Some(Lent::Message)));
    server.lent().expect("it was found")
}

#[test]
fn a_message_in_one_frame_stays_where_it_was_received() {
    // spec: M-13
    for len in [1, 125, 126, 1024, 1025, 70_000] {
        let payload = "x".repeat(len);
        let bytes = wire(&[Frame::text(payload.as_str()), Frame::binary("bi")]);
        let received = BytesMut::from(&bytes[..]);
        let place = received.as_ptr_range();
        let mut server = Connection::server(Config::default());
        server.handle_received(received);
        let text = lend(&mut server);
        assert_eq!(text.as_text(), Some(payload.as_str()));
        assert!(place.contains(&text.as_bytes().as_ptr()));
        let binary = lend(&mut server);
        assert_eq!(binary, MessageRef::binary(b"bi"));
        assert!(place.contains(&binary.as_bytes().as_ptr()));
        assert_eq!(server.poll_lent(), Ok(None));
        assert_eq!(server.lent(), None);
    }
}

#[test]
fn a_message_that_comes_alone_leaves_the_buffer_it_was_read_into() {
    // spec: M-13
    let longest = 1024;
    for len in [0, 1, 125, 126, longest] {
        let mut received = wire(&[Frame::text("x".repeat(len).as_str())]);
        let mut server = Connection::server(Config::default());
        assert!(server.receive_alone(&mut received), "{len}");
        // It does not lie in there.
        received.fill(0);
        let text = "x".repeat(len);
        let lent = server.lent().expect("it was found");
        assert_eq!(lent.as_text(), Some(text.as_str()));
        let place = lent.as_bytes().as_ptr();
        let stats = server.stats().received;
        assert_eq!((stats.frames, stats.messages), (1, 1));
        assert_eq!(stats.bytes, received.len() as u64);
        let message = server.take_lent().expect("it was found");
        assert_eq!(message.as_text(), Some(text.as_str()));
        if len > 0 {
            assert_eq!(message.as_bytes().as_ptr(), place, "it was copied once");
        }
        assert_eq!(server.poll_lent(), Ok(None));
        assert!(server.is_drained());
    }
}

#[test]
fn a_message_whose_beginning_was_carried_is_counted_once() {
    // spec: M-13
    let bytes = wire(&[Frame::text("text")]);
    let (begun, rest) = bytes.split_at(3);
    let mut server = Connection::server(Config::default());
    server.handle_received(BytesMut::from(begun));
    assert_eq!(server.poll_lent(), Ok(None));
    let mut received = BytesMut::new();
    server.carry_into(&mut received);
    received.extend_from_slice(rest);
    assert!(server.receive_alone(&mut received));
    assert_eq!(server.take_lent(), Some(ws_proto::Message::text("text")));
    assert_eq!(server.stats().received.bytes, bytes.len() as u64);
}

#[test]
fn what_is_no_message_alone_is_left_to_be_handed_over() {
    // spec: M-13, G-04, U-02
    let whole = wire(&[Frame::binary("whole")]);
    let unfinished = wire(&[Frame::text("f").not_fin()]);
    let cases = [
        ("part of one", &whole[..whole.len() - 1]),
        ("part of a header", &whole[..3]),
        ("two", &[&whole[..], &whole[..]].concat()),
        ("a long one", &wire(&[Frame::binary(vec![7; 1100])])),
        ("one without a mask", &Frame::text("f").bytes()),
        ("a Ping", &wire(&[Frame::ping("?")])),
        ("a fragment", &unfinished),
        ("no text", &wire(&[Frame::text([0xff])])),
    ];
    for (name, bytes) in cases {
        let mut server = Connection::server(Config::default());
        assert_is_left(&mut server, bytes, name);
    }
    let mut server = handed(&[Frame::text("first")]);
    assert_is_left(&mut server, &whole, "one behind another");
    let mut server = handed(&[Frame::text("f").not_fin()]);
    assert_eq!(server.poll_lent(), Ok(None));
    assert_is_left(&mut server, &whole, "one behind a fragment");
}

fn assert_is_left(server: &mut Connection, bytes: &[u8], name: &str) {
    let mut received = bytes.to_vec();
    assert!(!server.receive_alone(&mut received), "{name}");
    assert_eq!(received, bytes, "{name}");
    assert_eq!(server.lent(), None, "{name}");
}

#[test]
fn everything_but_a_message_comes_as_ever() {
    // spec: G-04, C-03
    let mut server = handed(&[
        Frame::text("be").not_fin(),
        Frame::ping("?"),
        Frame::continuation("tween"),
        Frame::pong("!"),
        Frame::close(1000, "bye"),
    ]);
    assert_eq!(
        server.poll_lent(),
        Ok(Some(Lent::Event(Event::Ping("?".into()))))
    );
    assert_eq!(lend(&mut server), MessageRef::text("between"));
    assert_eq!(
        server.poll_lent(),
        Ok(Some(Lent::Event(Event::Pong("!".into()))))
    );
    assert_eq!(server.lent(), None);
    let closed = server.poll_lent().expect("a good frame");
    assert!(matches!(closed, Some(Lent::Event(Event::Closed(Some(_))))));
    assert_eq!(server.poll_lent(), Ok(None));

    let mut server = handed(&[Frame::text("a"), Frame::text(*b"\xff")]);
    assert_eq!(lend(&mut server), MessageRef::text("a"));
    assert_eq!(server.poll_lent(), Err(ProtocolError::InvalidUtf8));
    assert_eq!(server.lent(), None);
    assert_eq!(server.poll_lent(), Ok(None));
}

#[test]
fn pieces_are_events() {
    // spec: G-09
    let mut server = handed(&[
        Frame::text("whole"),
        Frame::text("in pieces"),
        Frame::text("b"),
    ]);
    assert_eq!(lend(&mut server), MessageRef::text("whole"));
    server.stream_message(100);
    let Ok(Some(Lent::Event(Event::Chunk(chunk)))) = server.poll_lent() else {
        panic!("pieces were asked for");
    };
    assert_eq!(chunk.as_text(), Some("in pieces"));
    assert!(chunk.first && chunk.last);
    assert_eq!(lend(&mut server), MessageRef::text("b"));
}

#[test]
fn whatever_looks_at_received_bytes_or_moves_them_lets_the_message_go() {
    type Way = fn(&mut Connection);
    let ways: [(&str, Way); 9] = [
        ("poll_event", |server| _ = server.poll_event()),
        ("poll_lent", |server| {
            _ = server.poll_lent();
            server.park();
        }),
        ("handle_received", |server| {
            server.handle_received(BytesMut::from(&b"\x82"[..]))
        }),
        ("receive_buffer", |server| {
            server.receive_buffer().extend_from_slice(b"\x82")
        }),
        ("park", Connection::park),
        ("carry_into", |server| {
            let mut carried = BytesMut::new();
            server.carry_into(&mut carried);
            server.handle_received(carried);
        }),
        ("stream_message", |server| server.stream_message(100)),
        ("discard_message", Connection::discard_message),
        ("abort", Connection::abort),
    ];
    for (name, way) in ways {
        for first in [
            &[Frame::text("Hello")][..],
            &[Frame::text("Hel").not_fin(), Frame::continuation("lo")][..],
        ] {
            let rest = [Frame::ping("?")];
            let mut server = handed(&[first, &rest].concat());
            let rest = wire(&rest).len();
            assert_eq!(lend(&mut server), MessageRef::text("Hello"));
            // What was lent does not wait.
            assert_eq!(server.buffered(), rest, "{name}");
            assert!(server.has_frame_waiting());
            assert!(!server.is_about_to_end());
            assert!(!server.prefers_payload_buffer());
            way(&mut server);
            assert_eq!(server.lent(), None, "{name}");
            assert_eq!(server.lent_with_replies().map(|(message, _)| message), None);
            if !matches!(name, "poll_event" | "poll_lent" | "abort") {
                let event = server.poll_event();
                assert_eq!(event, Ok(Some(Event::Ping("?".into()))), "{name}");
            }
        }
    }
}

#[test]
fn what_only_sends_leaves_the_message_where_it_is() {
    let mut server = handed(&[Frame::text("Hello"), Frame::ping("?")]);
    assert_eq!(lend(&mut server), MessageRef::text("Hello"));
    server.send("owned".into()).expect("open");
    server.ping(b"!").expect("open");
    let owed = server.transmit().remaining();
    server.transmit().advance(owed);
    _ = server.poll_timeout(std::time::Duration::ZERO);
    server.handle_timeout(std::time::Duration::from_secs(1));
    server.handle_eof();
    server.close_without_code().expect("open");
    assert_eq!(server.lent(), Some(MessageRef::text("Hello")));
}

#[test]
fn a_message_is_answered_while_it_is_borrowed() {
    // spec: M-03, F-14
    for fragment_size in [None, Some(2)] {
        let config = Config::default().with_fragment_size(fragment_size);
        let mut lending = Alone::server_with(config.clone());
        let mut owning = Alone::server_with(config);
        let frames = wire(&[
            Frame::text("Hello"),
            Frame::binary("bi").not_fin(),
            Frame::continuation("nary"),
        ]);
        for event in owning.receive(&frames) {
            let Event::Message(message) = event else {
                panic!("{event:?}");
            };
            owning.connection.send(message).expect("open");
            let note = PreparedMessage::text("noted");
            owning.connection.send_prepared(&note).expect("open");
        }
        lending
            .connection
            .handle_received(BytesMut::from(&frames[..]));
        while let Ok(Some(Lent::Message)) = lending.connection.poll_lent() {
            let (message, mut replies) = lending
                .connection
                .lent_with_replies()
                .expect("it was found");
            assert!(replies.has_room());
            replies.send(message, Compress::Auto).expect("open");
            let note = PreparedMessage::text("noted");
            replies.send_prepared(&note).expect("open");
        }
        assert_eq!(lending.sent(), owning.sent());
        assert_eq!(lending.connection.stats(), owning.connection.stats());
    }

    let mut server = handed(&[Frame::text("Hello")]);
    server.close_without_code().expect("open");
    lend(&mut server);
    let (message, mut replies) = server.lent_with_replies().expect("it was found");
    let refused = replies.send(message, Compress::Auto);
    assert_eq!(refused, Err(SendError::Closed));
}

#[test]
fn the_two_ways_to_ask_take_turns() {
    // spec: F-09
    let frames: Vec<Frame> = (0..12_u8)
        .map(|number| Frame::binary(vec![number; 300 * usize::from(number)]))
        .collect();
    let mut server = handed(&frames);
    for number in 0..12 {
        let message = match number % 4 < 2 {
            true => lend(&mut server).to_message(),
            false => match server.poll_event() {
                Ok(Some(Event::Message(message))) => message,
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(message.as_bytes(), vec![number as u8; 300 * number]);
    }
    assert_eq!(server.poll_event(), Ok(None));
    assert_eq!(server.stats().received.messages, 12);
}

#[test]
fn a_lent_message_keeps_no_buffer_once_the_connection_is_parked() {
    // spec: S-02
    let mut scratch = BytesMut::with_capacity(64 * 1024);
    scratch.extend_from_slice(&wire(&[Frame::text("Hello"), Frame::text("a")]));
    let mut server = Connection::server(Config::default());
    server.handle_received(scratch.split());
    assert_eq!(lend(&mut server), MessageRef::text("Hello"));
    assert_eq!(lend(&mut server), MessageRef::text("a"));
    assert!(!scratch.try_reclaim(64 * 1024));
    server.park();
    assert!(scratch.try_reclaim(64 * 1024));
}
