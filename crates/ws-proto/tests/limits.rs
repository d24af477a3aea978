//! Limits on what the peer may make us hold, and on what may wait to be written. All are inclusive.

use bytes::Buf;
use ws_proto::{CloseCode, Config, Event, Message, ProtocolError, SendError};
use ws_testkit::{Alone, Frame, vectors};

const KEY: [u8; 4] = vectors::KEY;

fn masked(frames: &[Frame]) -> Vec<u8> {
    let frames = frames.iter().cloned();
    frames.flat_map(|frame| frame.masked(KEY).bytes()).collect()
}

/// `count` frames of `len` bytes each, all of one message.
fn fragments(count: usize, len: usize) -> Vec<Frame> {
    let mut frames = vec![Frame::continuation(vec![0x61; len]).not_fin(); count];
    frames[0].opcode = 1;
    frames[count - 1].fin = true;
    frames
}

#[test]
fn a_frame_up_to_its_limit() {
    // spec: S-01, F-11, CC-38
    let config = Config::default().with_max_frame_size(1000);
    for (len, fits) in [(999, true), (1000, true), (1001, false), (70_000, false)] {
        let mut server = Alone::server_with(config.clone());
        let frame = Frame::binary(vec![0; len]).masked(KEY);
        if fits {
            assert_eq!(server.receive(&frame.bytes()).len(), 1);
            continue;
        }
        assert_eq!(server.receive(&frame.header()), []);
        assert_eq!(server.error, Some(ProtocolError::FrameTooLarge));
        assert_eq!(server.sent(), Frame::close(1009, "").bytes());
    }
}

#[test]
fn a_message_up_to_its_limit_in_one_frame() {
    // spec: S-01, F-11, CC-38
    let config = Config::default().with_max_message_size(1000);
    for (len, fits) in [(1000, true), (1001, false)] {
        let mut server = Alone::server_with(config.clone());
        let frame = Frame::binary(vec![0; len]).masked(KEY);
        if fits {
            assert_eq!(server.receive(&frame.bytes()).len(), 1);
            continue;
        }
        assert_eq!(server.receive(&frame.header()), []);
        assert_eq!(server.error, Some(ProtocolError::MessageTooLarge));
        assert_eq!(server.sent(), Frame::close(1009, "").bytes());
    }
}

#[test]
fn a_message_up_to_its_limit_in_fragments() {
    // spec: G-11, S-01
    let config = Config::default().with_max_message_size(1000);
    let mut server = Alone::server_with(config.clone());
    assert_eq!(server.receive(&masked(&fragments(10, 100))).len(), 1);
    // The limit is per message.
    assert_eq!(server.receive(&masked(&fragments(10, 100))).len(), 1);

    let mut server = Alone::server_with(config);
    let frames = fragments(10, 101);
    assert_eq!(server.receive(&masked(&frames[..9])), []);
    assert_eq!(server.error, None);
    // The header of the tenth is enough.
    server.receive(&frames[9].clone().masked(KEY).header());
    assert_eq!(server.error, Some(ProtocolError::MessageTooLarge));
    assert_eq!(server.sent(), Frame::close(1009, "").bytes());
}

#[test]
fn lengths_that_add_up_to_more_than_a_number_can_hold() {
    // spec: F-12, S-02
    let config = Config::default()
        .with_max_frame_size(usize::MAX)
        .with_max_message_size(usize::MAX);
    let mut server = Alone::server_with(config);
    server.receive(&masked(&[Frame::binary(vec![0; 10]).not_fin()]));
    let huge = Frame::continuation("")
        .not_fin()
        .announcing(i64::MAX as u64);
    assert_eq!(server.receive(&huge.masked(KEY).header()), []);
    // On 64 bits the sum just fits; on 32 the frame does not.
    assert!(server.connection.receive_buffer().capacity() < 256 * 1024);
}

#[test]
fn an_empty_message_fits_any_limit() {
    let config = Config::default()
        .with_max_frame_size(0)
        .with_max_message_size(0);
    let mut server = Alone::server_with(config);
    assert_eq!(
        server.receive(vectors::CLIENT_EMPTY_TEXT),
        [Event::Message(Message::text(""))]
    );
    // Control frames have a limit of their own.
    assert_eq!(server.receive(vectors::CLIENT_PING).len(), 1);
    server.receive(&masked(&[Frame::text("x")]));
    assert_eq!(server.error, Some(ProtocolError::FrameTooLarge));
}

#[test]
fn fragments_up_to_their_limit() {
    // spec: G-12, S-01
    for len in [0, 1] {
        let config = Config::default().with_max_fragments(100);
        let mut server = Alone::server_with(config.clone());
        // The first one does not count.
        assert_eq!(server.receive(&masked(&fragments(101, len))).len(), 1);
        assert_eq!(server.receive(&masked(&fragments(101, len))).len(), 1);
        assert_eq!(server.receive(&masked(&fragments(102, len))), []);
        assert_eq!(server.error, Some(ProtocolError::TooManyFragments));
        assert_eq!(server.sent(), Frame::close(1009, "").bytes());
    }
}

#[test]
fn endless_empty_fragments_end_by_default() {
    // spec: G-12
    let mut server = Alone::server();
    server.receive(&masked(&[Frame::text("").not_fin()]));
    let thousand = masked(&vec![Frame::continuation("").not_fin(); 1000]);
    let mut rounds = 0;
    while server.error.is_none() {
        assert_eq!(server.receive(&thousand), []);
        rounds += 1;
        assert!(rounds < 100);
    }
    assert_eq!(rounds, 66);
    assert_eq!(server.error, Some(ProtocolError::TooManyFragments));
}

#[test]
fn a_frame_out_of_order_is_that_before_it_is_too_large() {
    // spec: CC-36, G-02, G-03
    let config = Config::default().with_max_frame_size(10);
    let large = |frame: Frame| frame.announcing(11).masked(KEY).header();
    let mut server = Alone::server_with(config.clone());
    server.receive(&large(Frame::continuation("")));
    assert_eq!(server.error, Some(ProtocolError::UnexpectedContinuation));
    let mut server = Alone::server_with(config);
    server.receive(&masked(&[Frame::text("").not_fin()]));
    server.receive(&large(Frame::text("")));
    assert_eq!(server.error, Some(ProtocolError::ExpectedContinuation));
}

#[test]
fn limits_hold_after_our_close() {
    // spec: C-18, S-01
    let config = Config::default().with_max_message_size(10);
    let mut server = Alone::server_with(config);
    server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("open");
    server.receive(&masked(&[Frame::text("12345678901")]));
    assert_eq!(server.error, Some(ProtocolError::MessageTooLarge));
    assert_eq!(server.sent(), Frame::close(1000, "").bytes());
}

#[test]
fn a_full_write_buffer_gives_the_message_back() {
    // spec: S-07
    let config = Config::default().with_write_buffer_limit(100);
    for mut end in [
        Alone::server_with(config.clone()),
        Alone::client_with(config),
    ] {
        let send = |end: &mut Alone, len| {
            let message = Message::binary(vec![1; len]);
            end.connection.send(message)
        };
        // One message may go over the limit, whatever its size.
        assert_eq!(send(&mut end, 90), Ok(()));
        assert_eq!(send(&mut end, 50_000), Ok(()));
        let unsent = send(&mut end, 5).expect_err("the buffer is full");
        assert_eq!(unsent.error, SendError::BufferFull);
        assert_eq!(unsent.message, Message::binary(vec![1; 5]));
        let queued = end.sent().len();
        assert!((50_090..50_120).contains(&queued));
        // Written, there is room again.
        assert_eq!(send(&mut end, 5), Ok(()));
        // A Close always fits.
        assert_eq!(send(&mut end, 200), Ok(()));
        assert_eq!(end.connection.close(CloseCode::NORMAL, ""), Ok(()));
    }
}

#[test]
fn the_mark_says_when_to_write() {
    // spec: S-07
    let config = Config::default().with_write_buffer_high(100);
    let mut server = Alone::server_with(config);
    server
        .connection
        .send(Message::binary(vec![1; 96]))
        .expect("open");
    assert!(!server.connection.wants_flush());
    server.connection.send(Message::text("")).expect("open");
    assert_eq!(server.connection.transmit().remaining(), 100);
    assert!(server.connection.wants_flush());
    server.connection.transmit().advance(2);
    assert!(!server.connection.wants_flush());
}

#[test]
fn a_connection_with_nothing_queued_wants_no_flush() {
    for (high, limit) in [(0, 0), (0, 10), (10, 0)] {
        let config = Config::default()
            .with_write_buffer_high(high)
            .with_write_buffer_limit(limit);
        let mut server = Alone::server_with(config);
        assert!(!server.connection.wants_flush());
        server.connection.send(Message::text("x")).expect("open");
        assert!(server.connection.wants_flush());
        // A Ping is answered as soon as nothing waits.
        server.receive(vectors::CLIENT_PING);
        assert_eq!(server.sent(), b"\x81\x01x\x8a\x05Hello");
        assert!(!server.connection.wants_flush());
    }
}
