//! Closing while something else is going on, and with peers that do not play along.

use std::time::Duration;

use bytes::Buf;
use ws_proto::{
    CloseCode, CloseFrame, Config, Event, Initiator, Message, MessageKind, ProtocolError,
    SendError, State,
};
use ws_testkit::{Alone, Chunks, Frame, Pair, vectors};

const KEY: [u8; 4] = vectors::KEY;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn closed(code: u16, reason: &str) -> Event {
    Event::Closed(Some(CloseFrame {
        code: CloseCode::new(code),
        reason: reason.into(),
    }))
}

#[test]
fn a_close_of_ours_inside_a_message_of_theirs() {
    // spec: C-33, C-18, C-07
    let mut server = Alone::server();
    server.receive(&Frame::text("Hel").not_fin().masked(KEY).bytes());
    let closed_now = server.connection.close(CloseCode::GOING_AWAY, "");
    assert_eq!(closed_now, Ok(()));
    assert_eq!(server.sent(), b"\x88\x02\x03\xe9");
    // They may finish it, and ping meanwhile.
    assert_eq!(server.receive(vectors::CLIENT_PING).len(), 1);
    assert_eq!(server.sent(), b"\x8a\x05Hello");
    let rest = Frame::continuation("lo").masked(KEY).bytes();
    let message = Event::Message(Message::text("Hello"));
    assert_eq!(server.receive(&rest), [message]);
    // Or leave the next one unfinished.
    server.receive(&Frame::text("Hel").not_fin().masked(KEY).bytes());
    let answer = Frame::close(1001, "").masked(KEY).bytes();
    assert_eq!(server.receive(&answer), [closed(1001, "")]);
    assert_eq!((server.sent(), server.error), (vec![], None));
    assert!(server.connection.close_info().expect("closed").clean);
}

#[test]
fn a_close_of_theirs_inside_a_message_of_ours() {
    // spec: C-33, C-12, C-13, G-13
    let mut server = Alone::server();
    let begun = server
        .connection
        .send_fragment(MessageKind::Text, "Hel".into(), false);
    assert_eq!(begun, Ok(()));
    assert_eq!(server.sent(), b"\x01\x03Hel");
    server.receive(vectors::CLIENT_CLOSE_1000);
    assert_eq!(server.sent(), b"\x88\x02\x03\xe8");
    let rest = server
        .connection
        .send_fragment(MessageKind::Text, "lo".into(), true);
    assert_eq!(rest, Err(SendError::Closed));
    assert_eq!(server.sent(), b"");
    let stats = server.connection.stats();
    assert_eq!((stats.sent.frames, stats.sent.messages), (2, 0));
}

#[test]
fn closes_that_cross_inside_messages() {
    // spec: C-33, C-15, CC-49, G-13
    for chunks in [Chunks::Whole, Chunks::Exactly(1)] {
        let mut pair = Pair::new().with_chunks(chunks.clone(), chunks);
        for end in [&mut pair.client, &mut pair.server] {
            let begun =
                end.connection
                    .send_fragment(MessageKind::Text, "never finished".into(), false);
            assert_eq!(begun, Ok(()));
        }
        pair.drive();
        for (end, code) in [(&mut pair.client, 4001), (&mut pair.server, 4002)] {
            let closed = end.connection.close(CloseCode::new(code), "why");
            assert_eq!(closed, Ok(()));
        }
        pair.drive();
        for (end, code) in [(&pair.client, 4002), (&pair.server, 4001)] {
            assert_eq!(end.events, [closed(code, "why")]);
            assert_eq!(end.error, None);
            assert!(end.connection.is_finished());
            let info = end.connection.close_info().expect("closed");
            assert_eq!((info.clean, info.initiator), (true, Initiator::Local));
        }
    }
}

#[test]
fn what_is_queued_when_closes_cross_arrives_all_the_same() {
    // spec: C-15, C-18
    let mut pair = Pair::new();
    for end in [&mut pair.client, &mut pair.server] {
        for number in 0..10_u8 {
            let message = Message::binary(vec![number; 20_000]);
            end.connection.send(message).expect("open");
        }
        let closed = end.connection.close(CloseCode::NORMAL, "");
        assert_eq!(closed, Ok(()));
    }
    pair.drive();
    for end in [&pair.client, &pair.server] {
        assert_eq!((end.messages().len(), end.events.len()), (10, 11));
        assert!(end.connection.close_info().expect("closed").clean);
        assert!(end.connection.is_finished());
    }
}

#[test]
fn a_peer_that_goes_on_talking_is_heard_until_the_deadline() {
    // spec: C-18, C-28, CC-44
    // It never answers our Close: it sends messages, or Pings, or a frame that drips.
    let large = Frame::binary(vec![7; 1000]).masked(KEY).bytes();
    for (bytes, step, events) in [
        (
            vectors::CLIENT_TEXT.repeat(10),
            vectors::CLIENT_TEXT.len(),
            1,
        ),
        (
            vectors::CLIENT_PING.repeat(10),
            vectors::CLIENT_PING.len(),
            1,
        ),
        (large, 20, 0),
    ] {
        let mut server = Alone::server();
        let closed = server.connection.close(CloseCode::GOING_AWAY, "");
        assert_eq!(closed, Ok(()));
        for (second, piece) in (0..10).zip(bytes.chunks(step)) {
            let now = seconds(second);
            assert_eq!(server.connection.poll_timeout(now), Some(seconds(10)));
            server.connection.handle_timeout(now);
            assert_eq!(server.receive(piece).len(), events);
            server.sent();
            assert_eq!(server.connection.state(), State::Closing);
            assert_eq!(server.error, None);
        }
        server.connection.handle_timeout(seconds(10));
        assert_eq!(server.events(), []);
        assert_eq!(server.error, Some(ProtocolError::CloseTimeout));
        assert!(server.connection.is_finished());
        assert_eq!(server.receive(&bytes), []);
        let info = server.connection.close_info().expect("over");
        assert_eq!(info.code(), CloseCode::ABNORMAL);
        assert_eq!(info.failure, server.error);
        assert_eq!(info.sent, Some(Some(CloseCode::GOING_AWAY)));
    }
}

#[test]
fn a_peer_that_never_reads_our_close_does_not_hold_us() {
    // spec: C-21, C-28
    for mut end in [Alone::server(), Alone::client()] {
        let large = Message::binary(vec![7; 1000]);
        end.connection.send(large).expect("open");
        end.connection.poll_timeout(seconds(0));
        let closed = end.connection.close(CloseCode::NORMAL, "");
        assert_eq!(closed, Ok(()));
        // It takes a byte a second, and that puts nothing off.
        for second in 1..=10 {
            let now = seconds(second);
            assert_eq!(end.connection.poll_timeout(now), Some(seconds(11)));
            end.connection.transmit().advance(1);
            end.connection.handle_timeout(now);
            assert_eq!(end.events(), []);
            assert_eq!(end.error, None);
        }
        end.connection.handle_timeout(seconds(11));
        assert_eq!(end.events(), []);
        assert_eq!(end.error, Some(ProtocolError::CloseTimeout));
        assert!(end.connection.is_finished());
        assert_eq!(end.connection.queued(), 0);
        let info = end.connection.close_info().expect("over");
        assert_eq!((info.sent, info.clean), (None, false));
    }
}

#[test]
fn a_peer_that_closes_and_never_reads_does_not_hold_us() {
    // spec: C-14, C-28
    // Its Close is in, ours lies behind what it does not take: the closing handshake is half done, and that is no error.
    let mut server = Alone::server();
    let large = Message::binary(vec![7; 1000]);
    server.connection.send(large).expect("open");
    assert_eq!(server.receive(vectors::CLIENT_CLOSE_1000).len(), 1);
    server.connection.poll_timeout(seconds(0));
    server.connection.handle_timeout(seconds(10));
    assert_eq!((server.events(), server.error), (vec![], None));
    assert!(server.connection.is_finished());
    let info = server.connection.close_info().expect("over");
    assert_eq!(info.code(), CloseCode::NORMAL);
    assert_eq!((info.sent, info.clean), (None, false));
    assert_eq!(info.failure, None);
}

#[test]
fn a_flood_behind_the_peers_close_is_bounded_in_time_and_bytes() {
    // spec: C-17, C-25, C-28
    let flood = vec![0x55; 64 * 1024];
    // By the deadline.
    let mut server = Alone::server();
    server.receive(vectors::CLIENT_CLOSE_1000);
    server.sent();
    for second in 0..10 {
        let now = seconds(second);
        assert_eq!(server.connection.poll_timeout(now), Some(seconds(10)));
        assert_eq!(server.receive(&flood), []);
        assert!(!server.connection.is_finished());
    }
    server.connection.handle_timeout(seconds(10));
    assert!(server.connection.is_finished());
    // By the bytes, to the byte.
    let mut server = Alone::server_with(Config::default().with_close_timeout(None));
    server.receive(vectors::CLIENT_CLOSE_1000);
    server.sent();
    for _ in 0..16 * 1024 / 64 {
        assert_eq!(server.receive_handed(&flood), []);
        assert!(!server.connection.is_finished());
    }
    server.receive(b"\x55");
    assert!(server.connection.is_finished());
    assert_eq!(server.error, None);
    assert!(server.connection.close_info().expect("closed").clean);
}
