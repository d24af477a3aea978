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
    assert!(server.connection.prefers_receive_buffer());
    let buffer = server.connection.receive_buffer();
    let spare = buffer.capacity() - buffer.len();
    assert!(spare >= 100 * KIB + 14, "the rest and the next header fit");
    assert!(buffer.capacity() <= 2 * len);
    assert_eq!(server.receive(last).len(), 1);
    assert!(!server.connection.prefers_receive_buffer());
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
        assert_eq!(server.connection.prefers_receive_buffer(), in_place);
    }
    // What came in a buffer of the binding's is copied out of it before more is read.
    let mut read_buffer = BytesMut::with_capacity(64 * KIB);
    read_buffer.extend_from_slice(&header(Frame::binary(""), 100_000));
    read_buffer.extend_from_slice(&[0; 10]);
    let mut server = Alone::server();
    server.connection.handle_received(read_buffer.split());
    assert_eq!(server.connection.poll_event(), Ok(None));
    assert!(server.connection.prefers_receive_buffer());
    assert_eq!(server.connection.receive_buffer().len(), 10);
    assert!(read_buffer.try_reclaim(64 * KIB));
    assert_eq!(server.receive(&[0; 100_000 - 10]).len(), 1);
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
                if !server.connection.prefers_receive_buffer() {
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
