//! What a connection has carried, as numbers.

use bytes::Buf;
use ws_proto::{CloseCode, Config, Connection, Message, PreparedMessage, Stats};
use ws_testkit::{Alone, Frame, Pair, Prng, vectors};

const KEY: [u8; 4] = vectors::KEY;

/// Bytes, frames and messages, received and sent.
fn counts(stats: Stats) -> [(u64, u64, u64); 2] {
    [stats.received, stats.sent].map(|way| (way.bytes, way.frames, way.messages))
}

#[test]
fn a_new_connection_has_carried_nothing() {
    let stats = Alone::server().connection.stats();
    assert_eq!(stats, Stats::default());
    assert_eq!(Alone::client().connection.queued(), 0);
}

#[test]
fn messages_count_once_however_many_frames_they_take() {
    let mut server = Alone::server_with(Config::default().with_fragment_size(Some(2)));
    let fragments = [
        Frame::text("Hel").not_fin().masked(KEY),
        Frame::ping("").masked(KEY),
        Frame::continuation("lo").masked(KEY),
    ];
    let bytes: Vec<u8> = fragments.iter().flat_map(Frame::bytes).collect();
    let (most, last) = bytes.split_at(bytes.len() - 1);
    server.receive(most);
    let len = most.len() as u64;
    assert_eq!(counts(server.connection.stats())[0], (len, 3, 0));
    server.receive(last);
    assert_eq!(counts(server.connection.stats())[0], (len + 1, 3, 1));

    server
        .connection
        .send(Message::text("Hello"))
        .expect("open");
    // The Pong, and three fragments.
    let queued = 2 + (2 + 2) + (2 + 2) + (2 + 1);
    let stats = server.connection.stats();
    assert_eq!(counts(stats)[1], (0, 4, 1), "nothing is written yet");
    assert_eq!((stats.queued, server.connection.queued()), (queued, queued));
    server.connection.transmit().advance(5);
    assert_eq!(server.connection.stats().sent.bytes, 5);
    assert_eq!(server.connection.queued(), queued - 5);
    server.sent();
    assert_eq!(server.connection.stats().sent.bytes, queued as u64);
    assert_eq!(server.connection.transmit().written(), queued as u64);
}

#[test]
fn a_prepared_message_counts_like_any_other() {
    for len in [5, 100_000] {
        let prepared = PreparedMessage::from(Message::binary(vec![7; len]));
        for mut end in [Alone::server(), Alone::client()] {
            end.connection.send_prepared(&prepared).expect("open");
            let sent = end.sent().len() as u64;
            assert_eq!(counts(end.connection.stats())[1], (sent, 1, 1));
        }
    }
}

#[test]
fn bytes_count_when_they_are_handed_over() {
    let received = bytes::BytesMut::from(vectors::CLIENT_TEXT);
    let len = received.len() as u64;
    let mut server = Connection::server(Config::default()).with_received(received);
    // Nobody has asked for an event yet.
    assert_eq!(counts(server.stats())[0], (len, 0, 0));
    server.receive_buffer().extend_from_slice(&[0x81]);
    assert_eq!(server.stats().received.bytes, len + 1);
    assert!(matches!(server.poll_event(), Ok(Some(_))));
    assert_eq!(counts(server.stats())[0], (len + 1, 1, 1));
    server.park();
    assert_eq!(server.poll_event(), Ok(None));
    assert_eq!(counts(server.stats())[0], (len + 1, 1, 1));
}

#[test]
fn what_is_refused_is_no_frame_and_what_is_discarded_is_bytes() {
    let mut server = Alone::server();
    server.receive(b"\xff\xff");
    server.receive(&[0; 1000]);
    assert_eq!(counts(server.connection.stats())[0], (1002, 0, 0));
    // Its Close.
    assert_eq!(counts(server.connection.stats())[1], (0, 1, 0));

    // A frame that was accepted is one; the message in it is not valid and none.
    let mut server = Alone::server();
    server.receive(vectors::CLIENT_TEXT_NOT_UTF8);
    assert!(server.error.is_some());
    let len = vectors::CLIENT_TEXT_NOT_UTF8.len() as u64;
    assert_eq!(counts(server.connection.stats())[0], (len, 1, 0));
}

#[test]
fn what_could_not_be_written_was_not_sent() {
    let mut server = Alone::server();
    server
        .connection
        .send(Message::text("Hello"))
        .expect("open");
    server.connection.transmit().advance(3);
    server.connection.handle_write_failed();
    let stats = server.connection.stats();
    assert_eq!(counts(stats)[1], (3, 1, 1));
    assert_eq!(stats.queued, 0);
}

#[test]
fn what_one_end_has_sent_the_other_has_received() {
    for seed in 0..20 {
        let mut prng = Prng::new(seed);
        let config = Config::default()
            .with_ping_interval(None)
            .with_fragment_size(Some(1 + prng.below(500)));
        let mut pair = Pair::with_configs(config.clone(), config);
        for _ in 0..50 {
            let end = if prng.below(2) == 0 {
                &mut pair.client
            } else {
                &mut pair.server
            };
            match prng.below(10) {
                0 => end.connection.ping(b"ping").expect("open"),
                1 => pair.drive(),
                _ => {
                    let payload = vec![7; prng.below(1000)];
                    end.connection.send(Message::binary(payload)).expect("open");
                }
            }
        }
        // A Pong that crosses a Close is bytes and no frame.
        pair.drive();
        pair.client
            .connection
            .close(CloseCode::NORMAL, "")
            .expect("open");
        pair.drive();
        let [client_received, client_sent] = counts(pair.client.connection.stats());
        let [server_received, server_sent] = counts(pair.server.connection.stats());
        assert_eq!(client_sent, server_received, "seed {seed}");
        assert_eq!(server_sent, client_received, "seed {seed}");
        assert_eq!(client_sent.0, pair.client.written.len() as u64);
        assert_eq!(client_received.2, pair.client.messages().len() as u64);
    }
}
