//! Messages that are offered to a connection which may be too slow for them.

use bytes::Buf;
use ws_proto::{
    CloseCode, Config, Connection, Event, Message, MessageKind, Offered, OverflowPolicy,
    PreparedMessage, SendError, State,
};
use ws_testkit::{Alone, Frame, vectors};

use OverflowPolicy::{DropOldest, Refuse};

/// A server that queues one short message and no second, and a message for each letter.
fn server() -> Alone {
    Alone::server_with(Config::default().with_write_buffer_high(1))
}

fn letter(letter: char) -> PreparedMessage {
    PreparedMessage::text(String::from(letter))
}

fn offer(end: &mut Alone, name: char, overflow: OverflowPolicy, capacity: usize) -> Offered {
    end.connection.offer(&letter(name), overflow, capacity)
}

/// What is sent from now on, as the letters of its messages.
fn sent(end: &mut Alone) -> String {
    let mut client = Alone::client();
    let events = client.receive(&end.sent());
    let name = |event| match event {
        Event::Message(message) => message.as_text().map(str::to_owned),
        Event::Ping(_) => Some("!".to_owned()),
        Event::Closed(_) => Some(".".to_owned()),
        _ => None,
    };
    events.into_iter().filter_map(name).collect()
}

#[test]
fn what_finds_room_does_not_wait() {
    let mut server = Alone::server();
    for name in "abc".chars() {
        assert_eq!(offer(&mut server, name, Refuse, 0), Offered::Queued);
    }
    assert_eq!(server.connection.backlog(), 0);
    assert_eq!(sent(&mut server), "abc");
}

#[test]
fn what_finds_none_waits_in_order() {
    // spec: G-07
    let mut server = server();
    assert_eq!(offer(&mut server, 'a', Refuse, 3), Offered::Queued);
    for (index, name) in "bcd".chars().enumerate() {
        assert_eq!(offer(&mut server, name, Refuse, 3), Offered::Backlogged);
        assert_eq!(server.connection.backlog(), index + 1);
    }
    // One at a time moves up, whenever the binding asks for more.
    for (left, name) in (0..=3).rev().zip("abcd".chars()) {
        let frame = Frame::text(name.to_string()).bytes();
        assert_eq!(server.connection.transmit().chunk(), frame);
        assert_eq!(server.connection.backlog(), left);
        server.connection.transmit().advance(frame.len());
    }
    assert_eq!(server.connection.transmit().remaining(), 0);
    assert_eq!(server.connection.dropped(), 0);
}

#[test]
fn a_full_backlog_refuses_the_newest() {
    let mut server = server();
    let offered: Vec<_> = "abcde"
        .chars()
        .map(|name| offer(&mut server, name, Refuse, 2))
        .collect();
    use Offered::{Backlogged, Queued, Refused};
    assert_eq!(offered, [Queued, Backlogged, Backlogged, Refused, Refused]);
    // What was refused was never taken, so it was not dropped.
    assert_eq!(server.connection.dropped(), 0);
    assert_eq!(sent(&mut server), "abc");
}

#[test]
fn or_drops_the_oldest() {
    let mut server = server();
    let offered: Vec<_> = "abcde"
        .chars()
        .map(|name| offer(&mut server, name, DropOldest, 2))
        .collect();
    use Offered::{Backlogged, DroppedOldest, Queued};
    assert_eq!(
        offered,
        [Queued, Backlogged, Backlogged, DroppedOldest, DroppedOldest]
    );
    assert_eq!(server.connection.backlog(), 2);
    assert_eq!(server.connection.dropped(), 2);
    // "a" was in the write buffer already.
    assert_eq!(sent(&mut server), "ade");
}

#[test]
fn a_backlog_of_nothing_has_no_oldest() {
    let mut server = server();
    assert_eq!(offer(&mut server, 'a', DropOldest, 0), Offered::Queued);
    assert_eq!(offer(&mut server, 'b', DropOldest, 0), Offered::Refused);
    assert_eq!(sent(&mut server), "a");
    assert_eq!(offer(&mut server, 'c', DropOldest, 0), Offered::Queued);
}

#[test]
fn what_is_sent_keeps_its_place_and_is_never_dropped() {
    // spec: G-07
    let mut server = server();
    for name in "abc".chars() {
        offer(&mut server, name, DropOldest, 2);
    }
    server.connection.send(Message::text("S")).expect("room");
    let prepared = PreparedMessage::text("P");
    server.connection.send_prepared(&prepared).expect("room");
    assert!(server.connection.wants_flush());
    for name in "defg".chars() {
        let offered = offer(&mut server, name, DropOldest, 2);
        assert_eq!(offered, Offered::DroppedOldest);
    }
    assert_eq!(sent(&mut server), "aSPfg");
    assert!(!server.connection.wants_flush());
}

#[test]
fn what_is_sent_behind_a_backlog_counts_towards_the_limit() {
    // spec: S-07
    let limit = 10_000;
    let config = Config::default()
        .with_write_buffer_high(1)
        .with_write_buffer_limit(limit);
    for message in [Message::text(""), Message::binary(vec![0; 999])] {
        let mut server = Alone::server_with(config.clone());
        offer(&mut server, 'a', Refuse, 1);
        offer(&mut server, 'b', Refuse, 1);
        let mut accepted = 0;
        while server.connection.send(message.clone()).is_ok() {
            accepted += 1;
        }
        // Each takes memory beyond its payload, also if that is empty.
        assert!(accepted * (message.len() + 16) <= limit + 1000);
        assert!(accepted >= 9, "{accepted}");
        let refused = server.connection.send(message.clone());
        let refused = refused.map_err(|unsent| unsent.error);
        assert_eq!(refused, Err(SendError::BufferFull));
        let mut client = Alone::client();
        assert_eq!(client.receive(&server.sent()).len(), accepted + 2);
    }
}

#[test]
fn pings_and_pongs_do_not_wait_behind_it() {
    // spec: G-14
    let mut server = server();
    for name in "abc".chars() {
        offer(&mut server, name, Refuse, 5);
    }
    server.connection.ping(b"").expect("room");
    assert_eq!(sent(&mut server), "a!bc");
}

#[test]
fn a_close_drops_it() {
    // spec: C-12
    let ways: [fn(&mut Alone); 3] = [
        |server| {
            server
                .connection
                .close(CloseCode::NORMAL, "")
                .expect("closed once");
        },
        |server| {
            let close = Frame::close(1000, "").masked(vectors::KEY);
            assert_eq!(server.receive(&close.bytes()).len(), 1);
        },
        |server| assert_eq!(server.receive(b"\xff"), []),
    ];
    for end in ways {
        let mut server = server();
        for name in "abc".chars() {
            offer(&mut server, name, Refuse, 5);
        }
        server.connection.send(Message::text("S")).expect("room");
        end(&mut server);
        let stats = server.connection.stats();
        assert_eq!((stats.backlog, stats.dropped), (0, 2));
        assert_eq!(offer(&mut server, 'd', Refuse, 5), Offered::Closed);
        assert_eq!(server.connection.dropped(), 2);
        assert_eq!(sent(&mut server), "aS.");
    }
}

#[test]
fn so_does_the_loss_of_the_transport() {
    let mut server = server();
    for name in "abc".chars() {
        offer(&mut server, name, Refuse, 5);
    }
    server.connection.handle_write_failed();
    assert_eq!(server.connection.backlog(), 0);
    assert_eq!(server.connection.dropped(), 2);
    assert_eq!(offer(&mut server, 'd', Refuse, 5), Offered::Closed);
    assert_eq!(sent(&mut server), "");
    server.receive_eof();
    assert_eq!(server.connection.state(), State::Closed);
    assert!(server.connection.is_finished());
}

#[test]
fn it_waits_for_the_end_of_a_message_in_pieces() {
    // spec: G-03, G-07
    let mut server = Alone::server();
    let piece = |server: &mut Alone, text: &'static str, fin| {
        let payload = text.as_bytes().into();
        server
            .connection
            .send_fragment(MessageKind::Text, payload, fin)
            .expect("room");
    };
    piece(&mut server, "1", false);
    for name in "abc".chars() {
        let offered = offer(&mut server, name, DropOldest, 2);
        assert_ne!(offered, Offered::Queued);
    }
    // There is nothing that a flush could do about it.
    assert_eq!(server.sent(), b"\x01\x011");
    assert!(!server.connection.wants_flush());
    piece(&mut server, "2", false);
    piece(&mut server, "3", true);
    assert!(server.connection.wants_flush());
    assert_eq!(server.sent(), b"\x00\x012\x80\x013\x81\x01b\x81\x01c");
}

#[test]
fn a_message_that_was_begun_is_finished() {
    // spec: G-07
    let config = Config::default()
        .with_fragment_size(Some(2))
        .with_write_buffer_high(1);
    let mut server = Alone::server_with(config);
    let connection = &mut server.connection;
    let first = PreparedMessage::text("first");
    assert_eq!(connection.offer(&first, DropOldest, 1), Offered::Queued);
    for text in ["second", "third"] {
        let prepared = PreparedMessage::text(text);
        connection.offer(&prepared, DropOldest, 1);
    }
    // Only a message of which nothing has left can be dropped.
    assert_eq!(connection.dropped(), 1);
    connection.close(CloseCode::NORMAL, "").expect("open");
    assert_eq!(connection.dropped(), 2);
    assert_eq!(
        server.sent(),
        b"\x01\x02fi\x00\x02rs\x80\x01t\x88\x02\x03\xe8"
    );
}

#[test]
fn a_client_masks_what_it_is_offered() {
    // spec: M-01
    let config = Config::default().with_write_buffer_high(1);
    let mut client = Alone::client_with(config);
    for _ in 0..3 {
        let offered = client
            .connection
            .offer(&PreparedMessage::text("Hello"), Refuse, 2);
        assert_ne!(offered, Offered::Refused);
    }
    assert_eq!(client.sent(), vectors::CLIENT_TEXT.repeat(3));
}

#[test]
fn the_backlog_shares_one_payload() {
    let prepared = PreparedMessage::binary(vec![7; 5000]);
    let address = prepared.as_bytes().as_ptr_range().end;
    let mut servers: Vec<Connection> = (0..3)
        .map(|_| Connection::server(Config::default().with_write_buffer_high(1)))
        .collect();
    for server in &mut servers {
        for _ in 0..4 {
            assert_ne!(server.offer(&prepared, Refuse, 3), Offered::Refused);
        }
        for _ in 0..4 {
            let transmit = server.transmit();
            assert_eq!(transmit.chunk().as_ptr_range().end, address);
            transmit.advance(5004);
        }
    }
}

/// Writes one frame of one letter, and offers two more messages.
fn one_round(server: &mut Alone) -> String {
    let frame = Frame::text("x").bytes();
    let transmit = server.connection.transmit();
    let written = transmit.copy_to_bytes(frame.len());
    for name in "xy".chars() {
        offer(server, name, DropOldest, 3);
    }
    String::from_utf8_lossy(&written[2..]).into_owned()
}

#[test]
fn who_sends_does_not_wait_for_those_who_offer() {
    // spec: S-07
    let mut server = server();
    let mut written = String::new();
    for name in "abcde".chars() {
        offer(&mut server, name, DropOldest, 3);
    }
    // The backlog is never empty again, and still there is room for what is sent, up to the mark.
    assert!(server.connection.has_room());
    server.connection.send(Message::text("1")).expect("room");
    assert!(!server.connection.has_room());
    let mut mark = server.connection.flush_mark();
    let mut rounds_behind = 0;
    while !server.connection.is_written(&mut mark) {
        rounds_behind += u32::from(written.contains('1'));
        written += &one_round(&mut server);
        assert!(written.len() < 10, "{written}");
    }
    assert!(written.contains('1') && rounds_behind <= 1, "{written}");
    assert!(server.connection.backlog() > 0 && server.connection.has_room());
    // So it goes on.
    server.connection.send(Message::text("2")).expect("room");
    while !written.contains('2') {
        written += &one_round(&mut server);
    }
}

#[test]
fn a_mark_is_passed_when_what_was_sent_before_is_written() {
    let config = Config::default()
        .with_fragment_size(Some(2))
        .with_write_buffer_high(1);
    let mut server = Alone::server_with(config);
    let mut nothing = server.connection.flush_mark();
    assert!(server.connection.is_written(&mut nothing));
    server.connection.send(Message::text("abc")).expect("room");
    let mut first = server.connection.flush_mark();
    server.connection.send(Message::text("de")).expect("room");
    let mut second = server.connection.flush_mark();
    let mut passed = Vec::new();
    // Two fragments of the first message, and the second.
    for len in [4, 3, 4] {
        let connection = &mut server.connection;
        let is_passed = |mark: &mut _| connection.is_written(mark);
        passed.push([&mut nothing, &mut first, &mut second].map(is_passed));
        server.connection.transmit().advance(len);
    }
    assert_eq!(
        passed,
        [
            [true, false, false],
            [true, false, false],
            [true, true, false]
        ]
    );
    assert!(server.connection.is_written(&mut second));

    // What is dropped is waited for no more, framed or not.
    server.connection.send(Message::text("abc")).expect("room");
    let mut dropped = server.connection.flush_mark();
    assert!(!server.connection.is_written(&mut dropped));
    server.connection.handle_write_failed();
    assert!(server.connection.is_written(&mut dropped));
}
