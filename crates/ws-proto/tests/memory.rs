//! Memory grows with what the peer has sent and never with what it has announced.
//!
//! Measured through the public surface: the capacity of the receive buffer and the bytes owed to the wire.

use bytes::{Buf, Bytes, BytesMut};
use ws_proto::{Config, Connection, Event, Message, PreparedMessage};
use ws_testkit::{Alone, Frame, vectors};

const KEY: [u8; 4] = vectors::KEY;
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn unlimited() -> Config {
    Config::default()
        .with_max_frame_size(usize::MAX)
        .with_max_message_size(usize::MAX)
        .with_max_fragments(u32::MAX)
        .with_ping_interval(None)
}

fn capacity(end: &mut Alone) -> usize {
    end.connection.receive_buffer().capacity()
}

/// How many bytes are owed to the wire, and how much memory they keep.
fn owed_and_kept(mut end: Alone) -> (usize, usize) {
    let mut chunks: Vec<Bytes> = Vec::new();
    let transmit = end.connection.transmit();
    _ = transmit.detach(&mut chunks, usize::MAX);
    let owed = transmit.remaining();
    drop(end);
    let kept = chunks
        .into_iter()
        .map(|chunk| match chunk.try_into_mut() {
            Ok(chunk) => chunk.capacity(),
            // Somebody shares it.
            Err(chunk) => chunk.len(),
        })
        .sum();
    (owed, kept)
}

#[test]
fn an_announcement_costs_nothing() {
    // spec: S-02, F-12
    for announced in [16 * MIB as u64, 1 << 40, 1 << 62] {
        for frame in [
            Frame::binary(""),
            Frame::text(""),
            Frame::binary("").not_fin(),
        ] {
            let header = frame.announcing(announced).masked(KEY).header();
            let mut server = Alone::server_with(unlimited());
            assert_eq!(server.receive(&header), []);
            assert_eq!(server.error, None);
            assert!(capacity(&mut server) <= 64 * KIB + 64);
            // Nor does it after some bytes.
            server.receive(&[0; 100]);
            server.connection.park();
            assert!(capacity(&mut server) <= 64 * KIB + 256);
        }
    }
}

#[test]
fn capacity_follows_what_has_arrived() {
    // spec: S-02
    let mut server = Alone::server_with(unlimited());
    let header = Frame::binary("").announcing(1 << 30).masked(KEY).header();
    server.receive(&header);
    let mut arrived = 0;
    while arrived < 8 * MIB {
        server.receive(&[0; 8 * KIB]);
        arrived += 8 * KIB;
        let capacity = capacity(&mut server);
        assert!(capacity <= (8 * arrived).max(128 * KIB), "{arrived}");
    }
}

#[test]
fn the_last_read_of_a_large_frame_has_room_and_no_more() {
    let len = 4 * MIB;
    let frame = Frame::binary(vec![1; len]).masked(KEY).bytes();
    let mut server = Alone::server();
    let (most, last) = frame.split_at(frame.len() - 100 * KIB);
    for piece in most.chunks(64 * KIB) {
        assert_eq!(server.receive(piece), []);
    }
    assert!(server.connection.prefers_payload_buffer());
    let buffer = server.connection.receive_buffer();
    let spare = buffer.capacity() - buffer.len();
    assert!(spare >= 100 * KIB + 14, "the rest and the next header fit");
    assert!(buffer.capacity() <= 2 * len);
    assert_eq!(server.receive(last).len(), 1);
    assert!(!server.connection.prefers_payload_buffer());
}

/// Reads `bytes` as a binding does, some at a time, and gives the capacities of the memory they were read into, and where it
/// is.
fn read_in_place(server: &mut Alone, mut bytes: &[u8], most: usize) -> (Vec<usize>, *const u8) {
    let mut capacities = Vec::new();
    let mut place = std::ptr::null();
    while !bytes.is_empty() {
        server.connection.park();
        let payload = server.connection.payload_buffer().expect("a large frame");
        let room = payload.capacity() - payload.len();
        assert!(room > 0, "to read into");
        let (part, rest) = bytes.split_at(room.min(most).min(bytes.len()));
        payload.extend_from_slice(part);
        capacities.push(payload.capacity());
        place = payload.as_ptr();
        bytes = rest;
        if !bytes.is_empty() {
            assert_eq!(server.events(), []);
        }
    }
    (capacities, place)
}

#[test]
fn a_large_frame_is_read_to_where_its_message_lies() {
    // spec: S-02
    for len in [20_000, 64 * KIB, MIB, 4 * MIB + 1] {
        let frame = Frame::binary(vec![1; len]).masked(KEY).bytes();
        let end = Frame::ping("").masked(KEY).bytes();
        for most in [1000, 10_000, 70_000, usize::MAX] {
            let mut server = Alone::server();
            // The header, in a buffer of the binding's.
            let (head, rest) = frame.split_at(14);
            assert_eq!(server.receive_handed(head), []);
            let (capacities, place) = read_in_place(&mut server, rest, most);
            let needed = len + 14;
            let first = capacities[0];
            assert_eq!(first, (16 * KIB).min(needed), "what costs the peer nothing");
            for pair in capacities.windows(2) {
                // It grows seldom, for that may copy all of it.
                assert!(pair[1] == pair[0] || pair[1] >= 2 * pair[0] || pair[1] == needed);
            }
            assert!(capacities.iter().all(|capacity| *capacity <= needed));
            // Small reads leave room for the next header to the end.
            assert!(most > 10_000 || capacities.ends_with(&[needed]));
            assert!(
                server.connection.payload_buffer().is_none(),
                "it is all there"
            );
            let events = server.events();
            let [Event::Message(message)] = &events[..] else {
                panic!("a message of {len} in reads of {most}");
            };
            assert_eq!(message.as_bytes().as_ptr(), place, "not copied");
            assert!(message.as_bytes() == vec![1; len]);
            assert!(server.connection.payload_buffer().is_none());
            let received = server.connection.stats().received.bytes;
            assert_eq!(received, frame.len() as u64);
            assert_eq!(server.receive_handed(&end).len(), 1);
        }
    }
}

/// A server that has been sent this much of a text of 20,000 bytes, and its payload so far.
fn taken(arrived: usize) -> (Alone, Vec<u8>) {
    let mut server = Alone::server();
    let frame = Frame::text(vec![b'a'; 20_000]).masked(KEY).bytes();
    assert_eq!(server.receive_handed(&frame[..8 + arrived]), []);
    let payload = server.connection.take_payload_buffer();
    (server, payload.expect("a large frame"))
}

/// So much of its masked payload, from here on.
fn masked(from: usize, len: usize) -> Vec<u8> {
    (from..from + len)
        .map(|index| b'a' ^ KEY[index % 4])
        .collect()
}

#[test]
fn while_a_payload_is_out_it_counts_and_nothing_comes_of_it() {
    let (mut server, mut payload) = taken(5000);
    server.connection.park();
    assert_eq!(server.events(), []);
    assert_eq!(server.connection.buffered(), 5000);
    assert!(server.connection.has_input() && !server.connection.has_frame_waiting());
    assert!(!server.connection.is_about_to_end());
    assert!(server.connection.payload_buffer().is_none());
    assert_eq!(server.connection.stats().received.bytes, 5008);
    server
        .connection
        .send(Message::text("meanwhile"))
        .expect("open");

    payload.extend_from_slice(&masked(5000, 15_000));
    let place = payload.as_ptr();
    server.connection.restore_payload_buffer(payload);
    let events = server.events();
    let [Event::Message(message)] = &events[..] else {
        panic!("a message");
    };
    assert!(message.as_bytes() == vec![b'a'; 20_000]);
    assert_eq!(message.as_bytes().as_ptr(), place, "not copied");
    assert_eq!(server.connection.stats().received.bytes, 20_008);
}

#[test]
fn a_message_is_asked_for_in_pieces_while_its_payload_is_out() {
    for rest in [0, 5000, 15_000] {
        let (mut server, mut payload) = taken(5000);
        server.connection.stream_message(u64::MAX);
        assert_eq!(server.events(), []);
        payload.extend_from_slice(&masked(5000, rest));
        server.connection.restore_payload_buffer(payload);
        let mut events = server.events();
        events.extend(server.receive_handed(&masked(5000 + rest, 15_000 - rest)));
        let mut text = String::new();
        for event in &events {
            let Event::Chunk(chunk) = event else {
                panic!("{event:?}");
            };
            text.push_str(chunk.as_text().expect("text"));
        }
        assert!(text == "a".repeat(20_000), "{rest}");
        let last = matches!(events.last(), Some(Event::Chunk(chunk)) if chunk.last);
        assert!(last);
    }
}

#[test]
fn a_payload_that_comes_back_too_late_counts_and_is_thrown_away() {
    let (mut server, mut payload) = taken(5000);
    server.connection.abort();
    server.events();
    assert!(server.connection.take_payload_buffer().is_none());
    payload.extend_from_slice(&masked(5000, 1000));
    server.connection.restore_payload_buffer(payload);
    assert_eq!(server.events(), []);
    assert_eq!(server.connection.buffered(), 0);
    assert_eq!(server.connection.stats().received.bytes, 6008);
    assert!(server.connection.take_payload_buffer().is_none());
    // What comes now counts too.
    assert_eq!(server.receive_handed(&[0; 10]), []);
    assert_eq!(server.connection.stats().received.bytes, 6018);
}

#[test]
fn memory_that_somebody_took_away_is_replaced() {
    let (mut server, _) = taken(0);
    server.connection.restore_payload_buffer(Vec::new());
    let payload = server.connection.payload_buffer().expect("a large frame");
    assert_eq!(payload.capacity(), 16 * KIB);
}

#[test]
fn only_a_large_message_in_one_frame_is_read_in_place() {
    let header = |frame: Frame, len| frame.announcing(len).masked(KEY).header();
    for (bytes, in_place) in [
        (header(Frame::binary(""), 100_000), true),
        (header(Frame::binary(""), 1000), false),
        // A fragment is copied to its message wherever it was read.
        (header(Frame::binary("").not_fin(), 100_000), false),
        (vectors::CLIENT_TEXT[..8].to_vec(), false),
        (vec![], false),
    ] {
        let mut server = Alone::server();
        assert_eq!(server.receive(&bytes), []);
        assert_eq!(server.connection.prefers_payload_buffer(), in_place);
        assert_eq!(server.connection.payload_buffer().is_some(), in_place);
    }
    // What came in a buffer of the binding's is copied out of it before more is read.
    for payload_buffer in [false, true] {
        let mut read_buffer = BytesMut::with_capacity(64 * KIB);
        read_buffer.extend_from_slice(&header(Frame::binary(""), 100_000));
        read_buffer.extend_from_slice(&[0; 10]);
        let mut server = Alone::server();
        server.connection.handle_received(read_buffer.split());
        assert_eq!(server.connection.poll_event(), Ok(None));
        assert!(server.connection.prefers_payload_buffer());
        let waiting = match payload_buffer {
            true => server
                .connection
                .payload_buffer()
                .map(|payload| payload.len()),
            false => Some(server.connection.receive_buffer().len()),
        };
        assert_eq!(waiting, Some(10));
        assert!(read_buffer.try_reclaim(64 * KIB));
        assert_eq!(server.receive(&[0; 100_000 - 10]).len(), 1);
    }
}

#[test]
fn half_a_million_fragments_of_one_byte() {
    // spec: G-12, S-01
    let mut server = Alone::server_with(unlimited());
    server.receive(&Frame::binary([7]).not_fin().masked(KEY).bytes());
    let thousand = Frame::continuation([7])
        .not_fin()
        .masked(KEY)
        .bytes()
        .repeat(1000);
    for _ in 0..500 {
        assert_eq!(server.receive(&thousand), []);
        assert!(capacity(&mut server) <= 128 * KIB);
    }
    let events = server.receive(&Frame::continuation([7]).masked(KEY).bytes());
    let [Event::Message(message)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(message.len(), 500_002);
    // One contiguous buffer, grown by doubling: what it holds is at most twice the message.
    let bytes = message.clone().into_bytes();
    drop(events);
    let whole = bytes.try_into_mut().expect("nobody else holds it");
    assert!(whole.capacity() <= 1100 * KIB, "{}", whole.capacity());
}

#[test]
fn a_message_in_a_hundred_thousand_reads() {
    // spec: S-02
    let frame = Frame::binary(vec![7; 100_000]).masked(KEY).bytes();
    let mut server = Alone::server();
    let mut handed = Alone::server();
    let (last, most) = frame.split_last().expect("it is not empty");
    for byte in most {
        assert_eq!(server.receive(&[*byte]), []);
        assert_eq!(handed.receive_handed(&[*byte]), []);
        handed.connection.park();
    }
    for end in [&mut server, &mut handed] {
        assert!(capacity(end) <= 512 * KIB);
        assert_eq!(end.receive(&[*last]).len(), 1);
        assert!(capacity(end) <= 128 * KIB);
    }
}

#[test]
fn a_peer_that_pings_and_never_reads() {
    // spec: S-09, C-05
    let mut server = Alone::server_with(Config::default());
    let ping = Frame::ping([7; 125]).masked(KEY).bytes();
    for _ in 0..1000 {
        let events = server.receive(&ping.repeat(100));
        assert_eq!(events.len(), 100);
        let owed = server.connection.transmit().remaining();
        assert!(owed <= 8 * KIB + 127, "{owed}");
    }
    // When it reads at last, the answer to its last Ping is the last.
    server.receive(&Frame::ping("last").masked(KEY).bytes());
    let sent = server.sent();
    assert!(sent.ends_with(b"\x8a\x04last"));
    assert!(sent.len() <= 8 * KIB + 2 * 127);
}

#[test]
fn a_peer_that_sends_messages_and_never_reads() {
    // spec: S-07
    let mut server = Alone::server_with(Config::default());
    let mut refused = 0;
    for _ in 0..1000 {
        for event in server.receive(&Frame::binary(vec![7; 10_000]).masked(KEY).bytes()) {
            if let Event::Message(message) = event {
                refused += usize::from(server.connection.send(message).is_err());
            }
        }
        assert!(server.connection.transmit().remaining() <= MIB + 10_014);
    }
    assert!(refused > 800);
}

#[test]
fn memory_is_given_back_after_a_large_message() {
    // spec: S-02
    let frame = Frame::binary(vec![7; MIB]).masked(KEY).bytes();
    let mut server = Alone::server();
    for piece in frame.chunks(64 * KIB) {
        server.receive(piece);
    }
    assert!(capacity(&mut server) <= 128 * KIB);
    let message = Message::binary(vec![7; MIB]);
    let mut client = Alone::client();
    client.connection.send(message).expect("open");
    assert_eq!(client.sent().len(), MIB + 14);
    assert_eq!(client.connection.transmit().chunk(), b"");
}

#[test]
fn a_small_message_does_not_hold_the_read_buffer() {
    let mut read_buffer = BytesMut::with_capacity(64 * KIB);
    read_buffer.extend_from_slice(&Frame::binary(vec![7; 1024]).masked(KEY).bytes());
    let mut connection = Connection::server(Config::default());
    connection.handle_received(read_buffer.split());
    let event = connection.poll_event().expect("a good message");
    assert!(event.is_some());
    assert_eq!(connection.poll_event(), Ok(None));
    // Whole again: neither the message nor the connection shares it.
    assert!(read_buffer.try_reclaim(64 * KIB));
}

#[test]
fn a_large_message_is_not_copied() {
    for text in [false, true] {
        let opcode = if text { 1 } else { 2 };
        let frame = Frame::new(opcode, vec![b'a'; 10_000]).masked(KEY);
        let received = BytesMut::from(&*frame.bytes());
        let payload = received[frame.header().len()..].as_ptr();
        let mut connection = Connection::server(Config::default());
        connection.handle_received(received);
        let Ok(Some(Event::Message(message))) = connection.poll_event() else {
            panic!("a good message");
        };
        assert_eq!(message.is_text(), text);
        assert_eq!(message.as_bytes().as_ptr(), payload);
    }
}

#[test]
fn a_parked_connection_does_not_hold_the_read_buffer() {
    let mut read_buffer = BytesMut::with_capacity(64 * KIB);
    read_buffer.extend_from_slice(&vectors::CLIENT_TEXT[..8]);
    let mut connection = Connection::server(Config::default());
    connection.handle_received(read_buffer.split());
    assert_eq!(connection.poll_event(), Ok(None));
    assert!(!read_buffer.try_reclaim(64 * KIB), "three bytes hold it");
    connection.park();
    assert!(read_buffer.try_reclaim(64 * KIB));
    let mut server = Alone::new(connection);
    assert_eq!(server.receive(&vectors::CLIENT_TEXT[8..]).len(), 1);
}

#[test]
fn a_parked_connection_does_not_hold_the_last_message() {
    // The first bytes of the next frame came with the end of a large message, in one buffer.
    let frame = Frame::binary(vec![7; MIB]).masked(KEY).bytes();
    let mut server = Alone::server();
    let bytes = [&frame[..], &vectors::CLIENT_TEXT[..3]].concat();
    let mut events = server.receive(&bytes);
    server.connection.park();
    let Some(Event::Message(message)) = events.pop() else {
        panic!("{events:?}");
    };
    assert!(message.into_bytes().is_unique());
    assert_eq!(server.receive(&vectors::CLIENT_TEXT[3..]).len(), 1);
}

#[test]
fn what_waits_is_carried_in_front_of_what_comes() {
    let mut read_buffer = BytesMut::with_capacity(4 * KIB);
    let frame = Frame::binary(vec![7; 2000]).masked(KEY).bytes();
    let (first, second) = frame.split_at(1500);
    read_buffer.extend_from_slice(first);
    let mut server = Alone::server();
    server.connection.handle_received(read_buffer.split());
    assert_eq!(server.connection.poll_event(), Ok(None));
    // As before each read of a binding: the same buffer is free again, and the frame lies in one piece in it.
    server.connection.park();
    assert!(read_buffer.try_reclaim(4 * KIB));
    server.connection.carry_into(&mut read_buffer);
    assert_eq!(server.connection.buffered(), 0);
    let begin = read_buffer.as_ptr();
    read_buffer.extend_from_slice(second);
    server.connection.handle_received(read_buffer.split());
    let Ok(Some(Event::Message(message))) = server.connection.poll_event() else {
        panic!("a good message");
    };
    assert_eq!(message.as_bytes().as_ptr(), begin, "not copied again");
    assert_eq!(message.as_bytes(), [7; 2000]);
    assert_eq!(server.connection.stats().received.bytes, 2008);
}

#[test]
fn what_is_carried_is_little() {
    // Frames of all sizes, cut everywhere: more than 4 KiB of one stay in a buffer of their own.
    for len in [0, 100, 4000, 4090, 4096, 5000, 20_000, 70_000] {
        for frame in [
            Frame::binary(vec![7; len]),
            Frame::binary(vec![7; len]).not_fin(),
        ] {
            let bytes = frame.masked(KEY).bytes();
            for cut in (0..bytes.len()).step_by(997) {
                let mut server = Alone::server();
                assert_eq!(server.receive_handed(&bytes[..cut]), []);
                if !server.connection.prefers_payload_buffer() {
                    let mut carried = BytesMut::new();
                    server.connection.carry_into(&mut carried);
                    assert!(carried.len() < 4 * KIB, "{} of {len}", carried.len());
                }
            }
        }
    }
}

#[test]
fn a_large_message_long_ago_makes_no_room_for_a_small_one_now() {
    let mut server = Alone::server();
    let frame = Frame::binary(vec![7; 64_000]).masked(KEY).bytes();
    assert_eq!(server.receive_handed(&frame).len(), 1);
    server.connection.park();
    server.connection.send(Message::text("a")).expect("open");
    let (owed, kept) = owed_and_kept(server);
    assert!(kept <= KIB + 16, "{owed} in {kept}");
}

/// `Config::write_buffer_high` counts bytes, so what waits may not keep much more than it counts.
#[test]
fn small_frames_between_shared_ones_keep_little_memory() {
    // spec: S-07
    let prepared = PreparedMessage::binary(vec![7; 64]);
    let mut server = Alone::server();
    while server.connection.has_room() {
        server.connection.send(Message::text("a")).expect("open");
        server.connection.send_prepared(&prepared).expect("open");
    }
    let (owed, kept) = owed_and_kept(server);
    assert!(kept <= 3 * owed, "{owed} in {kept}");
}

/// What arrives says how much room the replies are given, and each message has two replies of which one is shared.
#[test]
fn so_do_small_replies_to_large_messages() {
    // spec: S-07
    let prepared = PreparedMessage::binary(vec![7; 64]);
    let frame = Frame::binary(vec![7; 4000]).masked(KEY).bytes();
    let mut server = Alone::server();
    while server.connection.has_room() {
        assert_eq!(server.receive_handed(&frame).len(), 1);
        server.connection.send(Message::text("a")).expect("open");
        server.connection.send_prepared(&prepared).expect("open");
    }
    let (owed, kept) = owed_and_kept(server);
    assert!(kept <= 3 * owed, "{owed} in {kept}");
}

#[test]
fn an_ended_connection_holds_nothing() {
    // spec: C-25
    let mut server = Alone::server();
    server.receive(&Frame::text(vec![b'a'; MIB]).not_fin().masked(KEY).bytes());
    server.receive(b"\xff");
    assert!(capacity(&mut server) <= 64 * KIB + 64);
    for _ in 0..10 {
        server.receive(&[0; 64 * KIB]);
        assert!(capacity(&mut server) <= 128 * KIB);
    }
}
