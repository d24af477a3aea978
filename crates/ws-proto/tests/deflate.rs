//! Compressed messages: RFC 7692 on a connection.

#![cfg(any(feature = "deflate", feature = "deflate-miniz"))]

use std::io::Write;

use bytes::{Buf, Bytes};
use proptest::prelude::*;
use ws_proto::{
    Agreement, CloseCode, Compress, Config, Connection, Context, Deflate, DeflateConfig, Event,
    Message, MessageKind, Offered, OverflowPolicy, PreparedMessage, ProtocolError, Terms,
    WindowBits,
};
use ws_testkit::blocks::{END, HE, HELLO, HELLO_AGAIN, LLO, stored};
use ws_testkit::{Alone, Chunks, Frame, Pair, Prng, vectors};

const MIB: usize = 1024 * 1024;

fn agreement() -> Agreement {
    Agreement::default()
}

fn pair_with(config: &Config, agreed: Agreement, deflate: &Deflate) -> Pair {
    let config = config
        .clone()
        .with_deflate(deflate.clone())
        .with_agreed(Some(agreed));
    Pair::with_configs(config.clone(), config)
}

fn pair() -> Pair {
    pair_with(&Config::default(), agreement(), &Deflate::default())
}

fn server_with(config: Config) -> Alone {
    Alone::server_with(config.with_agreed(Some(agreement())))
}

fn server() -> Alone {
    server_with(Config::default())
}

fn compressed(payload: &[u8]) -> Frame {
    Frame::text(payload).with_rsv(0b100).masked(vectors::KEY)
}

/// The opcodes, reserved bits and FINs of what was written.
fn headers(mut wire: &[u8]) -> Vec<(u8, bool, bool)> {
    let mut seen = Vec::new();
    while let Ok(Some((header, len))) = ws_proto::FrameHeader::parse(wire) {
        seen.push((header.opcode.bits(), !header.rsv.is_empty(), header.fin));
        wire = &wire[len + header.payload_len as usize..];
    }
    seen
}

/// Payload of the frames that were written, by a server.
fn payload_len(mut wire: &[u8]) -> usize {
    let mut sum = 0;
    while let Ok(Some((header, len))) = ws_proto::FrameHeader::parse(wire) {
        sum += header.payload_len as usize;
        wire = &wire[len + header.payload_len as usize..];
    }
    sum
}

/// spec: PA-01, PA-02, PA-04, PA-20, PA-21
#[test]
fn messages_travel_compressed_if_that_makes_them_shorter() {
    let mut pair = pair();
    let long = "to be or not to be, that is the question. ".repeat(20);
    let random = Prng::new(5).bytes(1000);
    let messages = [
        Message::text("short"),
        Message::text(long.as_str()),
        Message::binary(random),
        Message::text(""),
        Message::binary(long.clone().into_bytes()),
        Message::text(long.as_str()),
    ];
    for message in &messages {
        pair.server.connection.send(message.clone()).expect("sent");
    }
    pair.drive();
    assert_eq!(pair.client.messages(), messages);
    let compressed: Vec<_> = headers(&pair.server.written)
        .into_iter()
        .map(|(_, rsv, _)| rsv)
        .collect();
    // After one that cannot be compressed the next binary message is not tried.
    assert_eq!(compressed, [false, true, false, false, false, true]);
    // The last one refers to the ones before it, if the codec can.
    let last = if cfg!(feature = "deflate") { 20 } else { 60 };
    assert!(payload_len(&pair.server.written) < 5 + 60 + 1000 + long.len() + last);
}

/// spec: PA-01, PA-03, PA-11
#[test]
fn the_first_reserved_bit_is_for_first_frames_only() {
    let cases: [(&[Frame], &str); 5] = [
        (&[Frame::ping("").with_rsv(0b100)], "a Ping"),
        (&[Frame::close(1000, "").with_rsv(0b100)], "a Close"),
        (
            &[
                Frame::text("a").not_fin(),
                Frame::continuation("b").with_rsv(0b100),
            ],
            "a continuation",
        ),
        (&[Frame::text("a").with_rsv(0b010)], "RSV2"),
        (&[Frame::text("a").with_rsv(0b110)], "RSV1 and RSV2"),
    ];
    for (frames, name) in cases {
        let mut server = server();
        for frame in frames {
            server.receive(&frame.clone().masked(vectors::KEY).bytes());
        }
        assert_eq!(server.error, Some(ProtocolError::ReservedBits), "{name}");
    }
    let mut plain = Alone::server();
    plain.receive(&compressed(HELLO).bytes());
    assert_eq!(plain.error, Some(ProtocolError::ReservedBits), "not agreed");
}

/// spec: PA-06, PA-11
#[test]
fn fragments_are_read_as_they_arrive_with_pings_between_them() {
    for cut in 1..HELLO.len() {
        let mut server = server();
        let (first, rest) = HELLO.split_at(cut);
        let frames = [
            compressed(first).not_fin(),
            Frame::ping("between").masked(vectors::KEY),
            Frame::continuation("").masked(vectors::KEY).not_fin(),
            Frame::continuation(rest).masked(vectors::KEY),
        ];
        let mut events = Vec::new();
        for frame in &frames {
            for byte in frame.bytes() {
                events.extend(server.receive(&[byte]));
            }
        }
        assert_eq!(server.error, None);
        let expected = [
            Event::Ping(Bytes::from_static(b"between")),
            Event::Message(Message::text("Hello")),
        ];
        assert_eq!(events, expected, "cut at {cut}");
    }
}

/// spec: PA-12, PA-13, PA-15, PA-17, PA-19
#[test]
fn what_cannot_be_read_fails_the_connection_with_1007() {
    let cases: [(&[u8], ProtocolError); 5] = [
        (b"", ProtocolError::InvalidDeflate),
        (b"\x06", ProtocolError::InvalidDeflate),
        (b"\xf2\x48\xcd", ProtocolError::InvalidDeflate),
        (b"\xf2\x00\x11\x00\x00", ProtocolError::InvalidDeflate),
        // 0xff in a stored block.
        (b"\x00\x01\x00\xfe\xff\xff\x00", ProtocolError::InvalidUtf8),
    ];
    for (payload, error) in cases {
        let mut server = server();
        let events = server.receive(&compressed(payload).bytes());
        assert_eq!(
            (events, server.error),
            (vec![], Some(error)),
            "{payload:x?}"
        );
        assert_eq!(error.close_code(), Some(CloseCode::INVALID_PAYLOAD));
        let mut after = server.receive(&compressed(HELLO).bytes());
        assert_eq!(after.pop(), None);
    }
}

/// Zeros, compressed.
fn zeros(count: usize) -> Vec<u8> {
    let deflate = Deflate::new(DeflateConfig::default().with_terms(Terms::default()));
    let config = Config::default()
        .with_write_buffer_limit(usize::MAX)
        .with_deflate(deflate)
        .with_agreed(Some(agreement()));
    let mut client = Connection::server(config);
    client
        .send_with(Message::binary(vec![0; count]), Compress::Always)
        .expect("sent");
    let mut wire = Vec::new();
    while client.transmit().has_remaining() {
        let transmit = client.transmit();
        let chunk = transmit.chunk().to_vec();
        transmit.advance(chunk.len());
        wire.write_all(&chunk).expect("a vector");
    }
    let mut payload = Vec::new();
    let mut rest = &wire[..];
    while let Ok(Some((header, len))) = ws_proto::FrameHeader::parse(rest) {
        let end = len + header.payload_len as usize;
        payload.extend_from_slice(&rest[len..end]);
        rest = &rest[end..];
    }
    payload
}

/// spec: PM-01, PM-02, PM-03
#[test]
fn a_bomb_ends_at_the_limit_however_it_comes() {
    let limit = MIB;
    let config = Config::default().with_max_message_size(limit);
    let bomb = zeros(20 * MIB);
    assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
    let frames: [Vec<u8>; 2] = [
        compressed(&bomb).bytes(),
        bomb.chunks(100)
            .enumerate()
            .flat_map(|(at, chunk)| {
                let frame = match at {
                    0 => Frame::binary(chunk).with_rsv(0b100),
                    _ => Frame::continuation(chunk),
                };
                frame.not_fin().masked(vectors::KEY).bytes()
            })
            .collect(),
    ];
    for wire in frames {
        let mut server = server_with(config.clone());
        let events = server.receive(&wire);
        assert!(
            events.iter().all(|event| *event == Event::Part),
            "no message"
        );
        assert_eq!(server.error, Some(ProtocolError::MessageTooLarge));
        assert_eq!(
            server.error.and_then(|error| error.close_code()),
            Some(CloseCode::MESSAGE_TOO_BIG)
        );
    }
    // The last byte that fits.
    for (size, fits) in [(limit, true), (limit + 1, false)] {
        let mut server = server_with(config.clone());
        let frame = Frame::binary(zeros(size))
            .with_rsv(0b100)
            .masked(vectors::KEY);
        let events = server.receive(&frame.bytes());
        let message = events.into_iter().find_map(|event| match event {
            Event::Message(message) => Some(message.len()),
            _ => None,
        });
        assert_eq!(message, fits.then_some(size));
        assert_eq!(server.error.is_none(), fits);
    }
}

/// A call does a bounded amount of work, and says that it is not done.
///
/// spec: PM-04, PM-08
#[test]
fn a_long_message_is_read_in_many_calls() {
    let mut server = server();
    let frame = Frame::binary(zeros(4 * MIB))
        .with_rsv(0b100)
        .masked(vectors::KEY);
    let events = server.receive(&frame.bytes());
    let parts = events.iter().filter(|event| **event == Event::Part).count();
    assert!((15..=16).contains(&parts), "{parts}");
    assert_eq!(server.error, None);
}

/// spec: PM-01
#[test]
fn a_message_in_pieces_is_decompressed_without_being_held() {
    let mut server = server_with(Config::default().with_max_message_size(MIB));
    server.connection.stream_message(100 * MIB as u64);
    let frame = Frame::binary(zeros(20 * MIB))
        .with_rsv(0b100)
        .masked(vectors::KEY);
    let events = server.receive(&frame.bytes());
    assert_eq!(server.error, None);
    let mut len = 0;
    let mut ends = 0;
    for event in events {
        match event {
            Event::Chunk(chunk) => {
                assert!(chunk.data.len() <= 16 * 1024);
                len += chunk.data.len();
                ends += usize::from(chunk.last);
            }
            other => assert_eq!(other, Event::Part),
        }
    }
    assert_eq!((len, ends), (20 * MIB, 1));
    // What was asked for once is over.
    let events = server.receive(&compressed(HELLO).bytes());
    assert_eq!(events, [Event::Message(Message::text("Hello"))]);
}

/// spec: PA-12, U-06
#[test]
fn text_in_pieces_is_cut_between_characters_and_ends_where_it_is_wrong() {
    let text = "Größe 多 \u{1f600} ".repeat(3000);
    let mut pair = pair();
    pair.server.connection.stream_message(u64::MAX);
    pair.client
        .connection
        .send(Message::text(text.as_str()))
        .expect("sent");
    pair.drive();
    let mut read = String::new();
    for event in &pair.server.events {
        if let Event::Chunk(chunk) = event {
            read.push_str(chunk.as_text().expect("whole characters"));
        }
    }
    assert_eq!(read, text);

    let mut server = server();
    server.connection.stream_message(u64::MAX);
    let events = server.receive(&compressed(b"\x00\x03\x00\xfc\xffab\xff\x00").bytes());
    assert!(
        matches!(&events[..], [Event::Chunk(chunk)] if &chunk.data[..] == b"ab" && !chunk.last)
    );
    assert_eq!(server.error, Some(ProtocolError::InvalidUtf8));
}

/// spec: PM-07
#[test]
fn never_and_always_are_obeyed() {
    let mut pair = pair();
    let secret = "a secret that must not be compared with anything else. ".repeat(4);
    for compress in [Compress::Always, Compress::Never, Compress::Always] {
        let message = Message::text(secret.as_str());
        pair.server
            .connection
            .send_with(message, compress)
            .expect("sent");
    }
    pair.server
        .connection
        .send_with(Message::text(""), Compress::Always)
        .expect("sent");
    pair.drive();
    assert_eq!(pair.client.messages().len(), 4);
    let seen: Vec<_> = headers(&pair.server.written)
        .iter()
        .map(|header| header.1)
        .collect();
    assert_eq!(seen, [true, false, true, true]);
    assert!(
        pair.server.written.ends_with(b"\xc1\x01\x00"),
        "an empty message is one byte"
    );
}

/// spec: PM-07
#[test]
fn the_first_piece_says_whether_a_message_in_pieces_is_compressed() {
    let text = "a message in three pieces, of which each is long enough. ".repeat(4);
    for first in [Compress::Always, Compress::Never] {
        let mut pair = pair();
        for (at, compress) in [first, Compress::Never, Compress::Always]
            .into_iter()
            .enumerate()
        {
            pair.server
                .connection
                .send_fragment_with(
                    MessageKind::Text,
                    Bytes::from(text.clone()),
                    at == 2,
                    compress,
                )
                .expect("sent");
        }
        pair.drive();
        assert_eq!(pair.client.messages(), [Message::text(text.repeat(3))]);
        let seen = headers(&pair.server.written);
        let is_compressed = first == Compress::Always;
        assert_eq!(seen[0].1, is_compressed);
        // The second is a secret, and goes as it is either way.
        let as_it_is = pair
            .server
            .written
            .windows(text.len())
            .filter(|window| *window == text.as_bytes())
            .count();
        assert_eq!(as_it_is, if is_compressed { 1 } else { 3 });
    }
}

/// A piece that was kept out of compression is referred to by nothing that comes later: a guess gets no shorter by being
/// right.
///
/// spec: PM-07
#[test]
fn nothing_refers_to_a_piece_that_was_kept_out() {
    let begin =
        "what everybody may know, which is long enough to be compressed at once. ".repeat(2);
    let guesses = [
        "token=7f83b1657ff1fc53b92dc18148a1d65d",
        "token=0a41e4649b934ca495991b7852b85501",
    ];
    let sizes = guesses.map(|guess| {
        let mut pair = pair();
        let server = &mut pair.server.connection;
        let pieces = [
            (begin.as_str(), false, Compress::Always),
            (guesses[0], false, Compress::Never),
            ("", true, Compress::Auto),
        ];
        for (piece, fin, compress) in pieces {
            let piece = Bytes::copy_from_slice(piece.as_bytes());
            let sent = server.send_fragment_with(MessageKind::Text, piece, fin, compress);
            sent.expect("sent");
        }
        let before = server.queued();
        let sent = server.send_with(Message::text(guess), Compress::Always);
        sent.expect("sent");
        let size = server.queued() - before;
        pair.drive();
        assert_eq!(pair.client.messages().len(), 2);
        size
    });
    assert!(
        sizes[0].abs_diff(sizes[1]) <= 3 && sizes[0] > 30,
        "{sizes:?}"
    );
}

/// Who prints a connection for a log prints no message.
#[test]
fn a_connection_is_printed_without_what_was_said() {
    let mut pair = pair();
    let secret = "a secret of some length, and some more. ".repeat(5);
    pair.server
        .connection
        .send(Message::text(secret.as_str()))
        .expect("sent");
    pair.drive();
    assert_eq!(pair.client.messages(), [Message::text(secret.as_str())]);
    let as_numbers = format!("{:?}", &secret.as_bytes()[..8]);
    let as_numbers = as_numbers.trim_matches(['[', ']']);
    for connection in [&pair.server.connection, &pair.client.connection] {
        let printed = format!("{connection:?}");
        assert!(printed.contains("History"), "{printed}");
        assert!(!printed.contains("a secret") && !printed.contains(as_numbers));
    }
}

/// A peer that flushes each of its fragments adds some bytes to each: the limit is one on the message.
///
/// spec: PM-01, PM-03
#[test]
fn a_message_flushed_in_tiny_fragments_is_within_its_limit() {
    let text: String = Prng::new(3)
        .bytes(16 * 1024)
        .iter()
        .map(|byte| char::from(b' ' + byte % 95))
        .collect();
    let config = Config::default()
        .with_max_message_size(text.len())
        .with_write_buffer_limit(usize::MAX);
    for size in [1, 2, 3, 4, 7, 16, 100] {
        for is_whole in [true, false] {
            let mut pair = pair_with(&config, agreement(), &Deflate::default());
            if !is_whole {
                pair.client.connection.stream_message(text.len() as u64);
            }
            let pieces = text.as_bytes().chunks(size);
            let end = pieces.len() - 1;
            for (at, piece) in pieces.enumerate() {
                let piece = Bytes::copy_from_slice(piece);
                let sent = pair.server.connection.send_fragment_with(
                    MessageKind::Text,
                    piece,
                    at == end,
                    Compress::Always,
                );
                sent.expect("sent");
                if at % 256 == 0 {
                    pair.drive();
                }
            }
            pair.drive();
            assert_eq!(pair.client.error, None, "{size}");
        }
    }
}

/// spec: PA-05
#[test]
fn long_messages_and_messages_in_fragments_go_out_in_pieces() {
    let text = "one two three four five six seven eight nine ten eleven twelve. ".repeat(4000);
    for fragment_size in [None, Some(50)] {
        let config = Config::default().with_fragment_size(fragment_size);
        let mut pair = pair_with(&config, agreement(), &Deflate::default());
        pair.server
            .connection
            .send(Message::text(text.as_str()))
            .expect("sent");
        for (at, piece) in text.as_bytes().chunks(10_001).enumerate() {
            let fin = (at + 1) * 10_001 >= text.len();
            let piece = Bytes::copy_from_slice(piece);
            pair.client
                .connection
                .send_fragment(MessageKind::Text, piece, fin)
                .expect("sent");
        }
        pair.drive();
        let expected = [Message::text(text.as_str())];
        assert_eq!(pair.client.messages(), expected);
        assert_eq!(pair.server.messages(), expected);
        for written in [&pair.client.written, &pair.server.written] {
            assert!(written.len() < text.len() / 10, "{}", written.len());
            let seen = headers(written);
            assert!(seen.len() > 5);
            assert!(
                seen.iter()
                    .enumerate()
                    .all(|(at, header)| header.1 == (at == 0))
            );
        }
    }
}

/// spec: PA-02, PA-20
#[test]
fn a_message_compressed_once_goes_to_every_connection() {
    let text = "a broadcast about nothing in particular, which is quite long and long. ".repeat(3);
    let deflate = Deflate::default();
    let prepared = PreparedMessage::text(text.as_str()).compressed(&deflate);
    let small = WindowBits::new(9).expect("9 bits");
    let context = Context {
        takeover: false,
        window: WindowBits::MAX,
    };
    let agreements = [
        (Some(agreement()), true),
        (
            Some(Agreement {
                server: context,
                client: context,
            }),
            true,
        ),
        // It may refer further back than this one takes, so this one compresses for itself.
        (
            Some(Agreement {
                server: Context {
                    takeover: true,
                    window: small,
                },
                ..agreement()
            }),
            true,
        ),
        (None, false),
    ];
    for (agreed, is_compressed) in agreements {
        let mut pair = match agreed {
            Some(agreed) => pair_with(&Config::default(), agreed, &deflate),
            None => Pair::new(),
        };
        for _ in 0..2 {
            pair.server
                .connection
                .send(Message::text(text.as_str()))
                .expect("sent");
            pair.server
                .connection
                .send_prepared(&prepared)
                .expect("sent");
        }
        pair.drive();
        assert_eq!(
            pair.client.messages(),
            vec![Message::text(text.as_str()); 4]
        );
        assert!(
            headers(&pair.server.written)
                .iter()
                .all(|header| header.1 == is_compressed)
        );
    }
}

/// However long it is, and whatever waits before it: what was compressed for all is compressed for nobody again.
#[test]
fn a_long_message_compressed_once_is_sent_as_it_is() {
    let text = "a broadcast of some length, in which nothing happens but to be long. ".repeat(5000);
    let deflate = Deflate::default();
    let prepared = PreparedMessage::text(text.as_str()).compressed(&deflate);
    let mut pair = pair_with(&Config::default(), agreement(), &deflate);
    let server = &mut pair.server.connection;
    server.send_prepared(&prepared).expect("sent");
    server.send(Message::text(text.as_str())).expect("sent");
    server.send_prepared(&prepared).expect("sent");
    let offered = server.offer(&prepared, OverflowPolicy::Refuse, 1);
    assert_eq!(offered, Offered::Backlogged);
    pair.drive();
    assert_eq!(
        pair.client.messages(),
        vec![Message::text(text.as_str()); 4]
    );
    let seen = headers(&pair.server.written);
    let is_whole = |header: &(u8, bool, bool)| *header == (1, true, true);
    let pieces = seen.len() - 3;
    assert!(pieces > 1, "the message between is sent in pieces");
    assert!(is_whole(&seen[0]));
    assert!(seen[pieces + 1..].iter().all(is_whole), "{seen:?}");
}

/// What waits when a Close is sent goes out before it, and is not compressed first.
#[test]
fn a_close_does_not_wait_for_the_compressor() {
    let config = Config::default().with_write_buffer_limit(usize::MAX);
    let mut pair = pair_with(&config, agreement(), &Deflate::default());
    let text = "what was accepted is never lost. ".repeat(40_000);
    pair.server
        .connection
        .send(Message::text(text.as_str()))
        .expect("sent");
    pair.server
        .connection
        .send(Message::text(text.as_str()))
        .expect("sent");
    pair.server
        .connection
        .close(CloseCode::NORMAL, "")
        .expect("closed");
    let compressed_before = 4 * 32 * 1024;
    assert!(pair.server.connection.queued() > 2 * text.len() - compressed_before);
    pair.drive();
    assert_eq!(
        pair.client.messages(),
        vec![Message::text(text.as_str()); 2]
    );
    assert!(
        pair.server
            .connection
            .close_info()
            .expect("it is closed")
            .clean
    );
}

/// The data of all chunks, `<` where a message begins and `>` where one ends.
fn told(events: &[Event]) -> String {
    let mut told = String::new();
    for event in events {
        match event {
            Event::Chunk(chunk) => {
                told += if chunk.first { "<" } else { "" };
                told += &String::from_utf8_lossy(&chunk.data);
                told += if chunk.last { ">" } else { "" };
            }
            Event::Message(message) => told += message.as_text().expect("text"),
            Event::Ping(_) => told += "!",
            other => panic!("{other:?}"),
        }
    }
    told
}

/// What cannot be compressed gets a little longer, in whichever frame of the message it comes.
///
/// spec: S-01
#[test]
fn a_frame_of_compressed_data_may_be_a_little_longer_than_others() {
    let config = Config::default().with_max_frame_size(1000);
    let plain = stored(&[b'a'; 1000]);
    for (frames, fits) in [
        (vec![compressed(&[&plain, END].concat())], true),
        (
            vec![
                compressed(HE).not_fin(),
                Frame::continuation(plain.clone())
                    .masked(vectors::KEY)
                    .not_fin(),
                Frame::continuation(END).masked(vectors::KEY),
            ],
            true,
        ),
        (vec![compressed(&plain.repeat(3))], false),
        (vec![Frame::text(plain.clone()).masked(vectors::KEY)], false),
    ] {
        let mut server = server_with(config.clone());
        for frame in &frames {
            server.receive(&frame.bytes());
        }
        let error = (!fits).then_some(ProtocolError::FrameTooLarge);
        assert_eq!(server.error, error, "{frames:x?}");
    }
}

/// A peer that has flushed part of a message may wait for what it says.
///
/// spec: PA-05, PA-06
#[test]
fn what_was_flushed_is_delivered_at_once_to_whoever_takes_pieces() {
    let first = compressed(HE).not_fin().bytes();
    let rest = Frame::continuation(LLO).masked(vectors::KEY).bytes();
    let mut asked_before = server();
    asked_before.connection.stream_message(100);
    assert_eq!(told(&asked_before.receive(&first)), "<He");
    assert_eq!(told(&asked_before.receive(&rest)), "llo>");

    // Asked for when it is there: between two frames, behind part of a Ping, or in the middle of a frame.
    let ping = Frame::ping("ping").masked(vectors::KEY).bytes();
    let frame = compressed(&[HE, LLO].concat()).bytes();
    let header = frame.len() - HE.len() - LLO.len();
    let within = header + HE.len();
    for (before, after, expected) in [
        (first.clone(), rest.clone(), "llo>"),
        (
            [&first[..], &ping[..7]].concat(),
            [&ping[7..], &rest].concat(),
            "!llo>",
        ),
        (frame[..within].to_vec(), frame[within..].to_vec(), "llo>"),
    ] {
        let mut server = server();
        assert_eq!(told(&server.receive(&before)), "");
        server.connection.stream_message(100);
        assert_eq!(told(&server.events()), "<He");
        assert_eq!(told(&server.receive(&after)), expected);
        // What comes next is whole again.
        assert_eq!(told(&server.receive(&compressed(HELLO).bytes())), "Hello");

        // And called off before anybody has looked at it.
        let mut server = self::server();
        assert_eq!(told(&server.receive(&before)), "");
        server.connection.stream_message(100);
        server.connection.discard_message();
        let events = server.receive(&after);
        assert_eq!(told(&events).trim_start_matches('!'), "Hello");
    }
}

/// The messages behind one that nobody wanted to the end may refer to it.
///
/// spec: PA-02, PA-09
#[test]
fn what_is_skipped_can_still_be_referred_to() {
    let mut server = server();
    server.connection.stream_message(100);
    assert_eq!(
        told(&server.receive(&compressed(HE).not_fin().bytes())),
        "<He"
    );
    server.connection.discard_message();
    let ping = Frame::ping("between").masked(vectors::KEY);
    let rest = Frame::continuation(LLO).masked(vectors::KEY);
    // "Hello" is a reference to what was skipped.
    let next = compressed(HELLO_AGAIN);
    let wire = [ping.bytes(), rest.bytes(), next.bytes()].concat();
    let mut heard = String::new();
    for byte in wire {
        heard += &told(&server.receive(&[byte]));
    }
    assert_eq!((heard.as_str(), server.error), ("!Hello", None));
}

proptest! {
    /// Chunking is invisible: whatever is agreed, however it is cut.
    #[test]
    fn what_arrives_is_what_was_sent(
        seed: u64,
        lens in prop::collection::vec((0_usize..6000, 0..3_u8), 1..8),
        bits in (8_u8..=15, 8_u8..=15),
        takeover: (bool, bool),
        preset in 0..3_u8,
        max_chunk in 1_usize..5000,
        fragment_size in prop::option::of(1_usize..3000),
    ) {
        let context = |takeover, bits| Context {
            takeover,
            window: WindowBits::new(bits).expect("8 to 15"),
        };
        let agreed = Agreement {
            server: context(takeover.0, bits.0),
            client: context(takeover.1, bits.1),
        };
        let deflate = Deflate::new(match preset {
            0 => DeflateConfig::default(),
            1 => DeflateConfig::ultra(),
            _ => DeflateConfig::tiny(),
        });
        let config = Config::default().with_fragment_size(fragment_size);
        let mut pair = pair_with(&config, agreed, &deflate)
            .with_chunks(Chunks::random(seed, max_chunk), Chunks::random(!seed, max_chunk));
        let mut prng = Prng::new(seed);
        let mut sent = Vec::new();
        for (len, kind) in lens {
            let message = match kind {
                0 => Message::text(prng.text(len / 3)),
                1 => Message::binary(prng.bytes(len)),
                _ => Message::text("again and again ".repeat(len / 16)),
            };
            let compress = if prng.chance(3) { Compress::Always } else { Compress::Auto };
            pair.client.connection.send_with(message.clone(), compress).expect("sent");
            pair.server.connection.send_with(message.clone(), compress).expect("sent");
            pair.drive();
            sent.push(message);
        }
        prop_assert_eq!(&pair.client.error, &None);
        prop_assert_eq!(&pair.server.error, &None);
        prop_assert_eq!(pair.client.messages(), sent.clone());
        prop_assert_eq!(pair.server.messages(), sent);
    }
}
