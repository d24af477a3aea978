//! Compressed messages and a receiver that wants them whole, in pieces or not at all; and peers that mean no good.

#![cfg(any(feature = "deflate", feature = "deflate-miniz"))]

use proptest::prelude::*;
use ws_proto::{Agreement, CloseCode, Compress, Config, Event, Message, ProtocolError, State};
use ws_testkit::blocks::{END, HE, HELLO, LLO, stored};
use ws_testkit::{Alone, Frame, Prng, vectors};

const KIB: usize = 1024;

fn config() -> Config {
    Config::default().with_agreed(Some(Agreement::default()))
}

fn server_with(config: Config) -> Alone {
    Alone::server_with(config)
}

fn compressed(payload: &[u8]) -> Frame {
    Frame::text(payload).with_rsv(0b100).masked(vectors::KEY)
}

fn continuation(payload: &[u8]) -> Frame {
    Frame::continuation(payload).masked(vectors::KEY)
}

/// How a receiver takes a message.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Whole,
    /// From the beginning on, or from when it was found to be arriving.
    Pieces,
    /// As before, and no more than the first.
    FirstPiece,
    /// Asked for in pieces, which nobody waited for.
    Retracted,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However earlier messages were taken, what refers to them is read.
    ///
    /// spec: PA-06, PA-09, G-09
    #[test]
    fn what_is_not_wanted_is_read_all_the_same(
        seed: u64,
        messages in prop::collection::vec((0_usize..9000, 0..3_u8), 1..10),
        wishes in prop::collection::vec(
            prop::sample::select(vec![Wish::Whole, Wish::Pieces, Wish::FirstPiece, Wish::Retracted]),
            1..20,
        ),
        max_read in 1_usize..3000,
    ) {
        let mut prng = Prng::new(seed);
        let mut sender = Alone::server_with(config().with_fragment_size(Some(500)));
        let mut receiver = Alone::client_with(config());
        let mut sent = Vec::new();
        let mut wire = Vec::new();
        for (len, kind) in messages {
            let message = match kind {
                0 => Message::text(prng.text(len / 3)),
                1 => Message::binary(prng.bytes(len)),
                _ => Message::text("again and again ".repeat(len / 16)),
            };
            sent.push(message.as_bytes().to_vec());
            sender.connection.send_with(message, Compress::Always).expect("sent");
            wire.extend(sender.sent());
        }
        let mut wishes = wishes.into_iter().cycle();
        let mut wish = Wish::Whole;
        let mut rest = &wire[..];
        // What was delivered of a message in pieces, and whether more of it is to come.
        let mut begun: Option<Vec<u8>> = None;
        while !rest.is_empty() {
            let (read, behind) = rest.split_at(prng.below(max_read.min(rest.len())) + 1);
            rest = behind;
            receiver.connection.receive_buffer().extend_from_slice(read);
            loop {
                if begun.is_none() && !matches!(wish, Wish::Whole) {
                    receiver.connection.stream_message(u64::MAX);
                    if matches!(wish, Wish::Retracted) {
                        receiver.connection.discard_message();
                    }
                }
                let before = receiver.connection.stats().received.messages as usize;
                let Some(event) = receiver.connection.poll_event().expect("all is good") else {
                    break;
                };
                let after = receiver.connection.stats().received.messages as usize;
                match event {
                    Event::Part => {}
                    Event::Message(message) => {
                        prop_assert_eq!(message.as_bytes(), &sent[after - 1][..]);
                        begun = None;
                        wish = wishes.next().expect("endless");
                    }
                    Event::Chunk(chunk) => {
                        // Others may have ended unseen in the same call.
                        let index = if chunk.last { after - 1 } else { after };
                        prop_assert!(chunk.first || index == before);
                        let data = begun.get_or_insert_default();
                        if chunk.first {
                            data.clear();
                        }
                        data.extend_from_slice(&chunk.data);
                        prop_assert!(sent[index].starts_with(data));
                        if chunk.last {
                            prop_assert_eq!(data.len(), sent[index].len());
                            } else if matches!(wish, Wish::FirstPiece) {
                            receiver.connection.discard_message();
                        }
                        if chunk.last || matches!(wish, Wish::FirstPiece) {
                            begun = None;
                            wish = wishes.next().expect("endless");
                        }
                    }
                    event => panic!("{event:?}"),
                }
            }
        }
        prop_assert_eq!(receiver.connection.stats().received.messages as usize, sent.len());
    }
}

/// spec: PA-01, G-02, G-03
#[test]
fn what_may_not_come_inside_a_message_may_not_inside_a_compressed_one() {
    let cases = [
        (
            continuation(LLO).with_rsv(0b100),
            ProtocolError::ReservedBits,
        ),
        (compressed(HELLO), ProtocolError::ExpectedContinuation),
        (
            Frame::text("a").masked(vectors::KEY),
            ProtocolError::ExpectedContinuation,
        ),
        (
            Frame::ping("").with_rsv(0b100).masked(vectors::KEY),
            ProtocolError::ReservedBits,
        ),
    ];
    for (frame, error) in cases {
        for streams in [false, true] {
            let mut server = server_with(config());
            if streams {
                server.connection.stream_message(100);
            }
            let events = server.receive(&compressed(HE).not_fin().bytes());
            // What was flushed is out, and what is held is never told.
            assert_eq!(events.len(), usize::from(streams));
            assert_eq!(server.receive(&frame.bytes()), []);
            assert_eq!(server.error, Some(error));
            assert_eq!(server.receive(&continuation(LLO).bytes()), []);
        }
    }
}

/// spec: C-17, G-13
#[test]
fn a_close_ends_a_compressed_message_wherever_it_is() {
    let close = Frame::close(1001, "").masked(vectors::KEY).bytes();
    let long = [&stored(&[b'a'; 9000])[..], END].concat();
    for beginning in [HE, &long[..5000]] {
        let mut server = server_with(config());
        assert_eq!(server.receive(&compressed(beginning).not_fin().bytes()), []);
        let events = server.receive(&[&close[..], &continuation(LLO).bytes()].concat());
        assert!(
            matches!(&events[..], [Event::Closed(Some(frame))] if frame.code == CloseCode::GOING_AWAY)
        );
        assert_eq!(
            (server.error, server.connection.state()),
            (None, State::Closed)
        );
    }
}

/// Frames without a byte cost their header, and blocks that give nothing cost time.
///
/// spec: G-12, PM-03, PM-04
#[test]
fn what_gives_nothing_is_counted_too() {
    for streams in [false, true] {
        let mut server = server_with(config().with_max_fragments(100));
        if streams {
            server.connection.stream_message(u64::MAX);
        }
        let empty = continuation(b"").not_fin().bytes();
        let first = compressed(b"").not_fin().bytes();
        assert_eq!(server.receive(&[first, empty.repeat(100)].concat()), []);
        assert_eq!(server.error, None);
        assert_eq!(server.receive(&empty), []);
        assert_eq!(server.error, Some(ProtocolError::TooManyFragments));
    }

    // Empty blocks, of which 16 KiB are more than so small a message may have.
    let blocks = b"\x00\x00\x00\xff\xff".repeat(4 * KIB);
    let limit = config().with_max_message_size(10 * KIB);
    let mut server = server_with(limit.clone().with_max_frame_size(64 * KIB));
    assert_eq!(server.receive(&compressed(&blocks).bytes()), []);
    assert_eq!(server.error, Some(ProtocolError::MessageTooLarge));
    let mut server = server_with(limit);
    for _ in 0..3 {
        assert_eq!(server.error, None);
        let first = server.connection.stats().received.frames == 0;
        let frame = match first {
            true => compressed(&blocks[..5 * KIB]),
            false => continuation(&blocks[..5 * KIB]),
        };
        assert_eq!(server.receive(&frame.not_fin().bytes()), []);
    }
    assert_eq!(server.error, Some(ProtocolError::MessageTooLarge));

    // And a message of them that may be read comes to a pause behind each 64 KiB.
    let mut server = server_with(config());
    let blocks = [&b"\x00\x00\x00\xff\xff".repeat(60 * KIB)[..], END].concat();
    let events = server.receive(&compressed(&blocks).bytes());
    let (last, parts) = events.split_last().expect("a message");
    assert_eq!(last, &Event::Message(Message::text("")));
    assert_eq!(parts, vec![Event::Part; 4]);
}
