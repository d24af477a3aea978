//! A message framed once and sent to many.

use std::io::IoSlice;
use std::ops::Range;

use bytes::{Buf, Bytes};
use ws_proto::{
    CloseCode, Config, Connection, Message, MessageKind, PreparedMessage, SendError, Transmit,
};
use ws_testkit::oracle::{Event, Receiver};
use ws_testkit::{Alone, Frame, vectors};

/// Lengths on both sides of every border: of the header's forms, and of what is copied.
const LENS: [usize; 8] = [0, 1, 125, 126, 8192, 8193, 65_535, 65_536];

/// Where each chunk lies.
fn chunks(transmit: &Transmit) -> Vec<Range<*const u8>> {
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = transmit.chunks_vectored(&mut slices);
    slices[..filled]
        .iter()
        .map(|slice| slice.as_ptr_range())
        .collect()
}

#[test]
fn all_ends_send_what_they_would_send_unprepared() {
    // spec: F-01, F-04, M-01, M-03
    for len in LENS {
        for fragment_size in [None, Some(1), Some(100), Some(9000)] {
            if fragment_size == Some(1) && len > 9000 {
                continue;
            }
            for message in [
                Message::binary(vec![7; len]),
                Message::text("x".repeat(len)),
            ] {
                let config = Config::default().with_fragment_size(fragment_size);
                let prepared = PreparedMessage::from(&message);
                for end in [Alone::server_with, Alone::client_with] {
                    let (mut plain, mut other) = (end(config.clone()), end(config.clone()));
                    plain.connection.send(message.clone()).expect("open");
                    other.connection.send_prepared(&prepared).expect("open");
                    assert!(plain.sent() == other.sent(), "{len} in {fragment_size:?}");
                }
            }
        }
    }
}

#[test]
fn servers_share_one_payload() {
    for len in LENS.into_iter().filter(|len| *len > 64) {
        let prepared = PreparedMessage::binary(vec![7; len]);
        for _ in 0..3 {
            let mut server = Alone::server();
            // Behind something else and in front of something else.
            for _ in 0..2 {
                server.connection.send(Message::text("a")).expect("open");
                server
                    .connection
                    .send_prepared(&prepared.clone())
                    .expect("open");
            }
            let payload = prepared.as_bytes().as_ptr_range();
            let chunks = chunks(server.connection.transmit());
            let shared = chunks.iter().filter(|chunk| chunk.end == payload.end);
            assert_eq!(shared.count(), 2, "{len}");
        }
    }
}

#[test]
fn a_lonely_frame_is_shared_however_small() {
    let prepared = PreparedMessage::text("a");
    let mut server = Alone::server();
    server.connection.send_prepared(&prepared).expect("open");
    let chunks = chunks(server.connection.transmit());
    assert_eq!(chunks[0].end, prepared.as_bytes().as_ptr_range().end);
}

/// What is owed is counted in bytes, so many small frames may not each take more than they count.
#[test]
fn small_frames_that_wait_take_little_more_memory_than_they_count() {
    // spec: S-07
    let config = Config::default().with_write_buffer_limit(10_000);
    for len in [0, 10, 61, 62, 100] {
        let prepared = PreparedMessage::binary(vec![7; len]);
        let mut server = Alone::server_with(config.clone());
        while server.connection.send_prepared(&prepared).is_ok() {}
        let mut detached = Vec::new();
        _ = server
            .connection
            .transmit()
            .detach(&mut detached, usize::MAX);
        let references = detached.len() * size_of::<Bytes>();
        assert!(references <= 10_000 / 2 + 64, "{len}: {references}");
    }
}

#[test]
fn a_large_payload_is_not_copied_even_to_prepare_it() {
    let payload = Bytes::from(vec![7; 8193]);
    let prepared = PreparedMessage::binary(payload.clone());
    assert_eq!(prepared.as_bytes().as_ptr(), payload.as_ptr());
    assert_eq!(prepared.to_message().as_bytes().as_ptr(), payload.as_ptr());
}

#[test]
fn a_client_masks_a_copy() {
    // spec: M-01, M-08, M-09
    for len in LENS {
        let prepared = PreparedMessage::binary(vec![7; len]);
        let mut client = Alone::client();
        for _ in 0..2 {
            client.connection.send_prepared(&prepared).expect("open");
            let frame = Frame::binary(vec![7; len]).masked(vectors::KEY);
            assert!(client.sent() == frame.bytes());
            assert!(prepared.as_bytes() == vec![7; len]);
        }
    }
}

#[test]
fn without_vectored_writes_a_frame_is_one_chunk() {
    for len in LENS {
        let connection = Connection::server(Config::default()).with_vectored_writes(false);
        let mut server = Alone::new(connection);
        let prepared = PreparedMessage::binary(vec![7; len]);
        server.connection.send_prepared(&prepared).expect("open");
        let frame = Frame::binary(vec![7; len]).bytes();
        assert!(server.connection.transmit().chunk() == frame);
        // What follows lies together, however much it is.
        for _ in 0..3 {
            server.connection.send_prepared(&prepared).expect("open");
        }
        assert!(chunks(server.connection.transmit()).len() <= 2);
        assert!(server.sent() == frame.repeat(4));
    }
}

#[test]
fn it_is_refused_as_any_message_is() {
    // spec: F-14, C-05
    let prepared = PreparedMessage::text("full");
    let mut server = Alone::server_with(Config::default().with_write_buffer_limit(1));
    assert_eq!(server.connection.send_prepared(&prepared), Ok(()));
    let refused = server.connection.send_prepared(&prepared);
    assert_eq!(refused, Err(SendError::BufferFull));
    server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("closed once");
    let refused = server.connection.send_prepared(&prepared);
    assert_eq!(refused, Err(SendError::Closed));
    let (events, _) = Receiver::CLIENT.decode(&server.sent());
    let close = Event::Close(Some((1000, String::new())));
    assert_eq!(events, [Event::Text("full".to_owned()), close]);
}

#[test]
fn it_tells_what_it_is() {
    let text = PreparedMessage::from(vectors::CHINESE);
    assert!(text.is_text() && !text.is_empty());
    assert_eq!(text.kind(), MessageKind::Text);
    assert_eq!(text.len(), vectors::CHINESE.len());
    assert_eq!(text.as_bytes(), vectors::CHINESE.as_bytes());
    assert_eq!(text.to_message(), Message::text(vectors::CHINESE));
    let binary = PreparedMessage::from(Vec::new());
    assert!(!binary.is_text() && binary.is_empty());
    assert_eq!(binary.kind(), MessageKind::Binary);
    assert_eq!(binary.to_message(), Message::binary(Bytes::new()));
}
