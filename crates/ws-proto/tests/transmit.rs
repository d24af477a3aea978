//! Bytes owed to the wire, as a `Buf`.

use std::io::IoSlice;

use bytes::{Buf, Bytes};
use ws_proto::{Config, Message, Transmit};
use ws_testkit::{Alone, Frame, Prng};

/// A server with a small frame, a large one, two small ones and a large one queued; and the same bytes.
fn queued() -> (Alone, Vec<u8>) {
    let mut server = Alone::server();
    let mut expected = Vec::new();
    for (fill, len) in [(1, 10), (2, 10_000), (3, 0), (4, 125), (5, 70_000)] {
        let payload = vec![fill; len];
        expected.extend(Frame::binary(payload.clone()).bytes());
        server
            .connection
            .send(Message::binary(payload))
            .expect("open");
    }
    (server, expected)
}

fn chunks(transmit: &Transmit) -> Vec<Vec<u8>> {
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = transmit.chunks_vectored(&mut slices);
    slices[..filled]
        .iter()
        .map(|slice| slice.to_vec())
        .collect()
}

#[test]
fn the_parts_of_a_buf_agree() {
    let (mut server, expected) = queued();
    let transmit = server.connection.transmit();
    assert_eq!(transmit.remaining(), expected.len());
    assert!(transmit.has_remaining());
    assert!(!transmit.chunk().is_empty());
    let chunks = chunks(transmit);
    assert_eq!(chunks.concat(), expected);
    assert_eq!(chunks[0], transmit.chunk());
    assert!(chunks.iter().all(|chunk| !chunk.is_empty()));
    assert_eq!(transmit.copy_to_bytes(expected.len()), expected);
    assert_eq!(transmit.remaining(), 0);
    assert_eq!(transmit.chunk(), b"");
}

#[test]
fn any_steps_give_the_same_bytes() {
    // spec: F-16
    for seed in 0..50 {
        let mut prng = Prng::new(seed);
        let (mut server, expected) = queued();
        let mut written = Vec::new();
        while server.connection.transmit().has_remaining() {
            let transmit = server.connection.transmit();
            let left = transmit.remaining();
            let most = 1 + prng.below(40_000);
            let count = 1 + prng.below(left.min(most));
            let together = chunks(transmit).concat();
            assert_eq!(together.len(), left);
            written.extend_from_slice(&together[..count]);
            transmit.advance(count);
            assert_eq!(transmit.remaining(), left - count);
            if prng.chance(20) {
                transmit.advance(0);
            }
        }
        assert_eq!(written, expected, "seed {seed}");
    }
}

#[test]
fn what_is_queued_meanwhile_comes_behind() {
    // spec: F-14, G-07
    for seed in 0..50 {
        let mut prng = Prng::new(seed);
        let config = Config::default().with_write_buffer_limit(usize::MAX);
        let mut server = Alone::server_with(config);
        let mut written = Vec::new();
        let mut expected = Vec::new();
        for fill in 0..60 {
            let most = if prng.chance(4) { 30_000 } else { 200 };
            let len = prng.below(most);
            let payload = vec![fill; len];
            expected.extend(Frame::binary(payload.clone()).bytes());
            server
                .connection
                .send(Message::binary(payload))
                .expect("open");
            let transmit = server.connection.transmit();
            let count = prng.below(transmit.remaining() + 1);
            written.extend_from_slice(&transmit.copy_to_bytes(count));
        }
        written.extend(server.sent());
        assert!(written == expected, "seed {seed}");
    }
}

#[test]
fn a_large_payload_is_queued_and_not_copied() {
    let payload = Bytes::from(vec![7; 100_000]);
    let mut server = Alone::server();
    let message = Message::Binary(payload.clone());
    server.connection.send(message.clone()).expect("open");
    server.connection.send(message).expect("open");
    let transmit = server.connection.transmit();
    let mut slices = [IoSlice::new(&[]); 16];
    assert_eq!(transmit.chunks_vectored(&mut slices), 4);
    for index in [1, 3] {
        assert_eq!(slices[index].as_ptr(), payload.as_ptr());
    }
    // Small ones lie together.
    let mut server = Alone::server();
    for _ in 0..10 {
        server
            .connection
            .send(Message::text("small"))
            .expect("open");
    }
    assert_eq!(chunks(server.connection.transmit()).len(), 1);
}

#[test]
fn without_vectored_writes_all_lies_together() {
    let mut server = Alone::server();
    let connection = std::mem::replace(
        &mut server.connection,
        ws_proto::Connection::server(Config::default()),
    );
    let mut server = Alone::new(connection.with_vectored_writes(false));
    let payload = vec![7; 100_000];
    let message = Message::binary(payload.clone());
    server.connection.send(message).expect("open");
    let expected = Frame::binary(payload).bytes();
    assert_eq!(server.connection.transmit().chunk(), expected);
}

#[test]
fn a_short_list_of_slices_takes_the_first_chunks() {
    let (mut server, expected) = queued();
    let transmit = server.connection.transmit();
    assert_eq!(transmit.chunks_vectored(&mut []), 0);
    let mut two = [IoSlice::new(&[]); 2];
    assert_eq!(transmit.chunks_vectored(&mut two), 2);
    let len = two[0].len() + two[1].len();
    assert_eq!([&*two[0], &*two[1]].concat(), expected[..len]);
    let mut server = Alone::server();
    assert_eq!(server.connection.transmit().chunks_vectored(&mut two), 0);
}

#[test]
#[should_panic(expected = "advanced by 3 of 2 bytes")]
fn advancing_past_the_end_is_a_bug_of_the_binding() {
    let mut server = Alone::server();
    server.connection.send(Message::text("")).expect("open");
    server.connection.transmit().advance(3);
}

#[test]
fn what_is_detached_stays_owed_until_it_is_written() {
    // spec: F-14, G-07
    for seed in 0..50 {
        let mut prng = Prng::new(seed);
        let config = Config::default().with_write_buffer_limit(usize::MAX);
        let mut server = Alone::server_with(config);
        let (mut written, mut expected) = (Vec::new(), Vec::new());
        let mut chunks = Vec::new();
        for fill in 0..60 {
            let transmit = server.connection.transmit();
            let before = transmit.remaining();
            let max_chunks = prng.below(5);
            chunks.clear();
            let mut detached = transmit.detach(&mut chunks, max_chunks);
            assert_eq!(transmit.remaining(), before);
            assert!(chunks.len() <= max_chunks);
            let bytes = chunks.concat();
            assert_eq!(detached.remaining(), bytes.len());
            assert!(bytes.is_empty() == (before == 0 || max_chunks == 0));

            // Somebody sends while somebody writes, in one write or several.
            let most = if prng.chance(4) { 30_000 } else { 200 };
            let len = prng.below(most);
            let payload = vec![fill; len];
            expected.extend(Frame::binary(payload.clone()).bytes());
            server
                .connection
                .send(Message::binary(payload))
                .expect("open");
            let mut rest = &bytes[..];
            while !rest.is_empty() && !prng.chance(3) {
                let count = 1 + prng.below(rest.len());
                let transmit = server.connection.transmit();
                assert!(transmit.advance_detached(&mut detached, count));
                written.extend_from_slice(&rest[..count]);
                rest = &rest[count..];
                assert_eq!(detached.remaining(), rest.len());
            }
        }
        written.extend(server.sent());
        assert!(written == expected, "seed {seed}");
    }
}

#[test]
fn detaching_copies_nothing() {
    let (mut server, expected) = queued();
    let transmit = server.connection.transmit();
    let addresses: Vec<_> = {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = transmit.chunks_vectored(&mut slices);
        slices[..filled]
            .iter()
            .map(|slice| slice.as_ptr())
            .collect()
    };
    // They are added to what is there.
    let mut chunks = vec![Bytes::from_static(b"kept")];
    let detached = transmit.detach(&mut chunks, 16);
    assert_eq!(detached.remaining(), expected.len());
    assert_eq!(chunks.remove(0), "kept");
    assert_eq!(chunks.concat(), expected);
    let detached: Vec<_> = chunks.iter().map(|chunk| chunk.as_ptr()).collect();
    assert_eq!(detached, addresses);
}

#[test]
fn what_was_dropped_meanwhile_is_not_advanced_over() {
    let (mut server, _) = queued();
    let mut chunks = Vec::new();
    let mut detached = server.connection.transmit().detach(&mut chunks, 2);
    let transmit = server.connection.transmit();
    assert!(transmit.advance_detached(&mut detached, 3));
    server.connection.handle_write_failed();
    let transmit = server.connection.transmit();
    assert!(!transmit.advance_detached(&mut detached, 3));
    assert!(!transmit.advance_detached(&mut detached, 0));
    assert_eq!(transmit.remaining(), 0);
}

#[test]
#[should_panic(expected = "advanced by 3 of 2 detached bytes")]
fn advancing_past_what_was_detached_is_a_bug_of_the_binding() {
    let mut server = Alone::server();
    server.connection.send(Message::text("")).expect("open");
    let mut detached = server.connection.transmit().detach(&mut Vec::new(), 1);
    server.connection.send(Message::text("")).expect("open");
    let transmit = server.connection.transmit();
    transmit.advance_detached(&mut detached, 3);
}

/// Neither a look at it nor to note what was written brings more about.
#[test]
fn what_is_unwritten_stays_as_it_is_until_more_is_asked_for() {
    let config = Config::default()
        .with_fragment_size(Some(1000))
        .with_write_buffer_high(1500);
    let mut server = Alone::server_with(config);
    let connection = &mut server.connection;
    connection
        .send(Message::binary(vec![7; 5000]))
        .expect("open");
    // Two fragments are framed, up to the mark.
    let framed = connection.unwritten().remaining();
    assert_eq!(framed, 2 * 1004);
    assert_eq!(connection.unwritten().remaining(), framed);
    connection.unwritten().advance(framed);
    assert!(!connection.unwritten().has_remaining());
    assert!(!connection.is_flushed());
    assert_eq!(connection.stats().sent.frames, 2);
    assert_eq!(connection.transmit().remaining(), framed);
    assert_eq!(connection.unwritten().remaining(), framed);
    assert_eq!(server.sent().len(), 3 * 1004);
    assert!(server.connection.is_flushed());
}
