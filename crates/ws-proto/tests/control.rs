//! Ping and Pong (RFC 6455 §5.5).

use bytes::Buf;
use ws_proto::{CloseCode, Config, Event, HeaderError, Message, ProtocolError, SendError};
use ws_testkit::{Alone, Frame, LengthForm, Pair, vectors};

const KEY: [u8; 4] = vectors::KEY;

#[test]
fn a_ping_is_answered_with_its_own_data() {
    // spec: C-03, C-04, VEC-04, VEC-07, M-13
    let mut client = Alone::client();
    assert_eq!(
        client.receive(vectors::SERVER_PING),
        [Event::Ping("Hello".into())]
    );
    assert_eq!(client.sent(), vectors::CLIENT_PONG);

    let mut server = Alone::server();
    assert_eq!(
        server.receive(vectors::CLIENT_PING),
        [Event::Ping("Hello".into())]
    );
    assert_eq!(server.sent(), b"\x8a\x05Hello");
}

#[test]
fn a_ping_carries_any_bytes_and_up_to_125_of_them() {
    // spec: C-01, C-04, U-09, F-13
    for data in [
        vec![],
        vec![0xff, 0xfe],
        (0..125).collect::<Vec<u8>>(),
        (131..=255).collect::<Vec<u8>>(),
    ] {
        let mut server = Alone::server();
        let ping = Frame::ping(data.clone()).masked(KEY);
        assert_eq!(
            server.receive(&ping.bytes()),
            [Event::Ping(data.clone().into())]
        );
        assert_eq!(server.sent(), Frame::pong(data).bytes());
    }
}

#[test]
fn every_ping_of_a_reading_peer_gets_its_own_pong() {
    // spec: C-03
    let mut server = Alone::server();
    for number in 0..10 {
        server.receive(&Frame::ping([number]).masked(KEY).bytes());
    }
    let pongs: Vec<u8> = (0..10).flat_map(|n| Frame::pong([n]).bytes()).collect();
    assert_eq!(server.sent(), pongs);
}

#[test]
fn a_pong_is_an_event_and_nothing_else() {
    // spec: C-06
    for data in [&b""[..], b"Hello", &[0xff; 125]] {
        let mut server = Alone::server();
        let pong = Frame::pong(data).masked(KEY);
        assert_eq!(
            server.receive(&pong.bytes()),
            [Event::Pong(data.to_vec().into())]
        );
        assert_eq!((server.sent(), server.error), (vec![], None));
    }
}

#[test]
fn a_control_frame_is_never_a_fragment() {
    // spec: C-02
    for (opcode, name) in [(0x8, "close"), (0x9, "ping"), (0xa, "pong")] {
        let mut server = Alone::server();
        let frame = Frame::new(opcode, "").not_fin().masked(KEY).bytes();
        // The first byte alone says it.
        assert_eq!(server.receive(&frame[..1]), [], "{name}");
        assert!(
            matches!(
                server.error,
                Some(ProtocolError::Header(HeaderError::FragmentedControl(_)))
            ),
            "{name}"
        );
        assert_eq!(server.sent(), b"\x88\x02\x03\xea");
    }
}

#[test]
fn a_control_frame_has_at_most_125_bytes() {
    // spec: C-01, F-11
    for opcode in [0x8, 0x9, 0xa] {
        for form in [LengthForm::Two, LengthForm::Eight] {
            for len in [0, 125, 126, 65_536] {
                let mut server = Alone::server();
                let frame = Frame::new(opcode, "").masked(KEY);
                let header = frame.with_length_form(form).announcing(len).header();
                assert_eq!(server.receive(&header[..2]), []);
                assert!(matches!(
                    server.error,
                    Some(ProtocolError::Header(HeaderError::OversizedControl(_)))
                ));
                assert_eq!(server.sent(), b"\x88\x02\x03\xea");
            }
        }
    }
}

#[test]
fn our_own_pings_keep_the_rules() {
    // spec: C-01, C-12, F-14, VEC-04, VEC-07
    let mut server = Alone::server();
    assert_eq!(server.connection.ping(b"Hello"), Ok(()));
    assert_eq!(server.sent(), vectors::SERVER_PING);
    let mut client = Alone::client();
    assert_eq!(client.connection.ping(b"Hello"), Ok(()));
    assert_eq!(client.sent(), vectors::CLIENT_PING);
    assert_eq!(client.connection.ping(&[0; 125]), Ok(()));
    assert_eq!(client.sent().len(), 2 + 4 + 125);

    assert_eq!(
        client.connection.ping(&[0; 126]),
        Err(SendError::PingTooLong)
    );
    client
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    assert_eq!(client.connection.ping(b""), Err(SendError::Closed));
    assert_eq!(client.sent(), vectors::CLIENT_CLOSE_1000);
}

#[test]
fn room_is_kept_for_our_pings() {
    // spec: S-07
    // What waits is at the limit, or far above it.
    for len in [4, 3_000_000] {
        let config = Config::default().with_write_buffer_limit(4);
        let mut full = Alone::server_with(config);
        let large = Message::binary(vec![7; len]);
        full.connection.send(large).expect("open");
        let queued = full.connection.queued();
        let mut pings = 0;
        while full.connection.ping(&[7; 125]) == Ok(()) {
            pings += 1;
            assert!(pings < 100);
        }
        assert_eq!(pings, 9, "more than 1 KiB");
        assert_eq!(full.connection.ping(b""), Err(SendError::BufferFull));
        // The rule for messages does not change.
        let unsent = full.connection.send(Message::text("")).expect_err("full");
        assert_eq!(unsent.error, SendError::BufferFull);
        // Once they are written there is room again.
        full.connection.transmit().advance(queued + 9 * 127);
        let large = Message::binary(vec![7; len]);
        full.connection.send(large).expect("open");
        assert_eq!(full.connection.ping(b""), Ok(()));
    }
}

#[test]
fn a_ping_after_our_close_is_still_answered() {
    // spec: C-07, C-03
    let mut server = Alone::server();
    server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    assert_eq!(server.receive(vectors::CLIENT_PING).len(), 1);
    assert_eq!(server.sent(), b"\x88\x02\x03\xe8\x8a\x05Hello");
    // The peer's Close ends that duty.
    server.receive(&[vectors::CLIENT_CLOSE_1000, vectors::CLIENT_PING].concat());
    assert_eq!(server.sent(), b"");
    assert!(server.connection.close_info().expect("closed").clean);
}

#[test]
fn a_ping_after_the_peers_close_is_not_answered() {
    // spec: C-03, C-17
    let mut server = Alone::server();
    let bytes = [vectors::CLIENT_CLOSE_1000, vectors::CLIENT_PING].concat();
    assert_eq!(server.receive(&bytes).len(), 1);
    assert_eq!(server.sent(), b"\x88\x02\x03\xe8");
}

#[test]
fn a_peer_that_does_not_read_gets_the_newest_pong_only() {
    // spec: C-05, S-09
    let config = Config::default().with_write_buffer_high(50);
    let mut server = Alone::server_with(config);
    let mut expected = Vec::new();
    for number in 0_u8..=200 {
        server.receive(&Frame::ping([number; 10]).masked(KEY).bytes());
        // 12 bytes a Pong: the fifth goes over the mark.
        if number < 5 || number == 200 {
            expected.extend(Frame::pong([number; 10]).bytes());
        }
        let queued = server.connection.transmit().remaining();
        assert!(queued < 50 + 12, "{queued}");
    }
    assert_eq!(server.sent(), expected);
    // With room again, every Ping counts again.
    server.receive(vectors::CLIENT_PING);
    assert_eq!(server.sent(), b"\x8a\x05Hello");
}

#[test]
fn pongs_wait_up_to_8_kib_and_every_reading_peer_gets_its_own() {
    // spec: C-03, C-05, S-09
    const PINGS: usize = 500;
    let pings: Vec<Vec<u8>> = (0..PINGS)
        .map(|number| format!("{number:0125}").into_bytes())
        .collect();
    let pongs: Vec<Vec<u8>> = pings
        .iter()
        .map(|data| Frame::pong(data.clone()).bytes())
        .collect();
    let bytes: Vec<u8> = pings
        .iter()
        .flat_map(|data| Frame::ping(data.clone()).masked(KEY).bytes())
        .collect();

    // They all arrive in one read. A binding that writes when it should answers each of them.
    let mut server = Alone::server();
    server.connection.receive_buffer().extend_from_slice(&bytes);
    let mut sent = Vec::new();
    let mut writes = 0;
    while let Some(event) = server.connection.poll_event().expect("good frames") {
        assert!(matches!(event, Event::Ping(_)));
        if server.connection.wants_flush() {
            sent.extend(server.sent());
            writes += 1;
        }
        assert!(server.connection.queued() < 8 * 1024 + 127);
    }
    sent.extend(server.sent());
    assert!(sent == pongs.concat());
    assert!(writes < PINGS / 50, "{writes}");

    // Nobody writes: the first ones that fit, and the newest.
    let mut server = Alone::server();
    assert_eq!(server.receive(&bytes).len(), PINGS);
    assert!(server.connection.wants_flush());
    let fitting = (8_usize * 1024).div_ceil(127);
    let expected = [&pongs[..fitting], &pongs[PINGS - 1..]].concat().concat();
    assert!(server.sent() == expected);
    assert!(!server.connection.wants_flush());
}

#[test]
fn pongs_make_room_for_each_other_when_all_of_them_are_written() {
    // spec: C-05, S-09
    let mut server = Alone::server();
    let ping = Frame::ping([7; 125]).masked(KEY).bytes();
    server.receive(&ping.repeat(1000));
    let queued = server.connection.queued();
    for byte in 1..queued {
        server.connection.transmit().advance(1);
        assert_eq!(server.connection.queued(), queued - byte);
    }
    server.connection.transmit().advance(1);
    assert_eq!(server.sent().len(), 127, "the newest");
    // Messages in between do not take the Pongs' room.
    let message = Message::binary(vec![7; 30_000]);
    server.connection.send(message).expect("open");
    server.receive(&ping.repeat(10));
    assert_eq!(server.connection.queued(), 30_004 + 10 * 127);
}

#[test]
fn a_newer_ping_takes_the_place_of_one_that_waits() {
    // spec: C-05
    let config = Config::default().with_write_buffer_high(10);
    let mut server = Alone::server_with(config);
    server
        .connection
        .send(Message::text("long enough"))
        .expect("open");
    server.receive(&Frame::ping("old").masked(KEY).bytes());
    // There is room again, but nobody has asked since.
    server.connection.transmit().advance(13);
    server.receive(&Frame::ping("new").masked(KEY).bytes());
    assert_eq!(server.sent(), b"\x8a\x03new");
}

#[test]
fn a_pong_that_waits_is_not_forgotten_by_a_close_of_ours() {
    // spec: C-03, C-05, C-07
    let config = Config::default().with_write_buffer_high(10);
    let mut server = Alone::server_with(config);
    server
        .connection
        .send(Message::text("long enough"))
        .expect("open");
    server.receive(vectors::CLIENT_PING);
    server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    assert_eq!(
        server.sent(),
        b"\x81\x0blong enough\x88\x02\x03\xe8\x8a\x05Hello"
    );
}

#[test]
fn a_pong_that_waits_is_dropped_by_the_peers_close() {
    // spec: C-03
    let config = Config::default().with_write_buffer_high(10);
    let mut server = Alone::server_with(config);
    server
        .connection
        .send(Message::text("long enough"))
        .expect("open");
    server.receive(vectors::CLIENT_PING);
    server.receive(vectors::CLIENT_CLOSE_1000);
    assert_eq!(server.sent(), b"\x81\x0blong enough\x88\x02\x03\xe8");
    assert!(server.connection.wants_shutdown());
}

#[test]
fn a_pong_that_waits_is_dropped_when_writing_fails() {
    // spec: C-03
    let config = Config::default().with_write_buffer_high(10);
    let mut server = Alone::server_with(config);
    server
        .connection
        .send(Message::text("long enough"))
        .expect("open");
    server.receive(vectors::CLIENT_PING);
    server.connection.handle_write_failed();
    assert_eq!(server.sent(), b"");
}

#[test]
fn control_frames_cross_in_both_directions() {
    // spec: C-03, M-01, M-03
    let mut pair = Pair::new();
    pair.client
        .connection
        .ping(b"from the client")
        .expect("open");
    pair.server
        .connection
        .ping(b"from the server")
        .expect("open");
    pair.drive();
    assert_eq!(
        pair.client.events,
        [
            Event::Ping("from the server".into()),
            Event::Pong("from the client".into())
        ]
    );
    assert_eq!(
        pair.server.events,
        [
            Event::Ping("from the client".into()),
            Event::Pong("from the server".into())
        ]
    );
}

#[test]
fn a_good_message_before_a_bad_frame_is_delivered_first() {
    // spec: F-10, C-24
    for bad in [&b"\x8b\x80\x00\x00\x00\x00"[..], b"\xff", b"\x81\x00"] {
        let mut server = Alone::server();
        let bytes = [vectors::CLIENT_TEXT, bad, vectors::CLIENT_TEXT].concat();
        let buffer = server.connection.receive_buffer();
        buffer.extend_from_slice(&bytes);
        // The echo can be queued before the bad frame is looked at.
        let first = server.connection.poll_event();
        assert_eq!(first, Ok(Some(Event::Message(Message::text("Hello")))));
        server
            .connection
            .send(Message::text("Hello"))
            .expect("still open");
        assert_eq!(server.events(), []);
        assert!(server.error.is_some());
        assert_eq!(server.sent(), b"\x81\x05Hello\x88\x02\x03\xea");
    }
}
