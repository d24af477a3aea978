//! Chunking is invisible, compressed or not: for any cut points the events and the error are the same, and of a message
//! delivered in pieces what comes before the error is.

#![cfg(any(feature = "deflate", feature = "deflate-miniz"))]

use proptest::prelude::*;
use ws_proto::{Agreement, Compress, Config, Event, Message, MessageKind, ProtocolError};
use ws_testkit::blocks::{BAD, END, HELLO, repeats, stored};
use ws_testkit::{Alone, Frame, Prng, oracle, vectors};

const LIMIT: usize = 20_000;

fn words(len: usize) -> Vec<u8> {
    let mut words = "Größe 多 \u{1f600} und so weiter. ".repeat(len / 30 + 1);
    while words.len() > len {
        words.pop();
    }
    words.into_bytes()
}

/// Compressed text in frames of these lengths, the last of which has what is left.
fn message(payload: &[u8], frames: &[usize]) -> Vec<Frame> {
    let mut rest = payload;
    let mut message = Vec::new();
    for len in frames.iter().copied().chain([usize::MAX]) {
        let (part, behind) = rest.split_at(len.min(rest.len()));
        rest = behind;
        message.push(match message.is_empty() {
            true => Frame::text(part).with_rsv(0b100).not_fin(),
            false => Frame::continuation(part).not_fin(),
        });
    }
    message.last_mut().expect("there is one").fin = true;
    message
}

fn wire(frames: &[Frame]) -> Vec<u8> {
    let frames = frames.iter().cloned();
    frames
        .flat_map(|frame| frame.masked(vectors::KEY).bytes())
        .collect()
}

/// What came of all bytes: whole messages, or what was delivered of each and whether that was all; Pings; the error.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    messages: Vec<(Vec<u8>, bool)>,
    pings: usize,
    error: Option<ProtocolError>,
}

fn listen(wire: &[u8], streams: bool, pieces: impl IntoIterator<Item = usize>) -> Told {
    let config = Config::default()
        .with_max_message_size(LIMIT)
        .with_agreed(Some(Agreement::default()));
    let mut server = Alone::server_with(config);
    let mut told = Told::default();
    let mut pieces = pieces.into_iter();
    let mut rest = wire;
    let mut is_within = false;
    while !rest.is_empty() {
        let len = pieces.next().unwrap_or(usize::MAX).min(rest.len());
        let (piece, behind) = rest.split_at(len);
        rest = behind;
        server.connection.receive_buffer().extend_from_slice(piece);
        for asked in 0_usize.. {
            if streams {
                server.connection.stream_message(LIMIT as u64);
            }
            // A message is read where it lies, or taken.
            let polled = match asked % 3 < 2 {
                true => server.poll_lent(),
                false => server.connection.poll_event(),
            };
            match polled {
                Ok(Some(Event::Message(message))) => {
                    assert!(!streams);
                    told.messages.push((message.as_bytes().to_vec(), true));
                }
                Ok(Some(Event::Chunk(chunk))) => {
                    assert_eq!(chunk.kind, MessageKind::Text);
                    assert!(chunk.as_text().is_some() && (chunk.last || !chunk.data.is_empty()));
                    assert_eq!(chunk.first, !is_within);
                    is_within = !chunk.last;
                    if chunk.first {
                        told.messages.push((Vec::new(), false));
                    }
                    let message = told.messages.last_mut().expect("it has begun");
                    message.0.extend_from_slice(&chunk.data);
                    message.1 = chunk.last;
                }
                Ok(Some(Event::Ping(_))) => told.pings += 1,
                Ok(Some(Event::Part)) => {}
                Ok(Some(event)) => panic!("{event:?}"),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(told.error, None);
                    told.error = Some(error);
                }
            }
        }
    }
    told
}

/// A text that ends well or not, and what comes of it whole.
#[derive(Clone, Debug)]
struct Case {
    name: &'static str,
    payload: Vec<u8>,
    expected: Result<usize, ProtocolError>,
    /// How much of it is delivered in pieces.
    delivered: usize,
}

fn cases() -> Vec<Case> {
    let good = words(5000);
    let bad_text = [&words(4500)[..], b"\xff", &words(400)].concat();
    let case = |name, blocks: &[Vec<u8>], expected, delivered| Case {
        name,
        payload: blocks.concat(),
        expected,
        delivered,
    };
    let many_last_blocks = b"\x03\x00".repeat(300);
    use ProtocolError::{InvalidDeflate, InvalidUtf8, MessageTooLarge};
    vec![
        case(
            "good",
            &[stored(&good), END.to_vec()],
            Ok(good.len()),
            good.len(),
        ),
        case(
            "good and long",
            &[stored(b"a"), repeats(77), END.to_vec()],
            Ok(1 + 77 * 258),
            1 + 77 * 258,
        ),
        case(
            "to the limit",
            &[stored(&[b'a'; LIMIT]), END.to_vec()],
            Ok(LIMIT),
            LIMIT,
        ),
        case(
            "beyond it",
            &[stored(&[b'a'; LIMIT + 1]), END.to_vec()],
            Err(MessageTooLarge),
            LIMIT,
        ),
        case(
            "far beyond it",
            &[stored(&good), repeats(1000), END.to_vec()],
            Err(MessageTooLarge),
            LIMIT,
        ),
        case(
            "beyond it inside a character",
            &[
                stored(&[b'a'; LIMIT - 1]),
                stored("é".as_bytes()),
                END.to_vec(),
            ],
            Err(MessageTooLarge),
            LIMIT - 1,
        ),
        case("bad data at once", &[BAD.to_vec()], Err(InvalidDeflate), 0),
        case(
            "bad data behind good",
            &[stored(&good), BAD.to_vec(), good.clone()],
            Err(InvalidDeflate),
            good.len(),
        ),
        case(
            "bad data behind much",
            &[stored(b"a"), repeats(70), BAD.to_vec()],
            Err(InvalidDeflate),
            1 + 70 * 258,
        ),
        case(
            "bad data behind too much",
            &[stored(&good), repeats(200), BAD.to_vec()],
            Err(MessageTooLarge),
            LIMIT,
        ),
        case(
            "a reference too far back",
            &[
                stored(&good),
                b"\x02\x1c\xf0\xff\xff".to_vec(),
                good.clone(),
            ],
            Err(InvalidDeflate),
            good.len(),
        ),
        case(
            "text that is none",
            &[stored(&bad_text), END.to_vec()],
            Err(InvalidUtf8),
            4500,
        ),
        case(
            "none, and then too long",
            &[stored(&bad_text), repeats(100), END.to_vec()],
            Err(InvalidUtf8),
            4500,
        ),
        case(
            "none, beyond the limit",
            &[stored(&[b'a'; LIMIT]), stored(b"\xff"), END.to_vec()],
            Err(MessageTooLarge),
            LIMIT,
        ),
        case(
            "none, and then bad data",
            &[stored(&bad_text), BAD.to_vec()],
            Err(InvalidUtf8),
            4500,
        ),
        case(
            "text that ends inside a character",
            &[stored(&good), stored(b"\xe2\x82"), END.to_vec()],
            Err(InvalidUtf8),
            good.len(),
        ),
        case(
            "data that ends inside a block",
            &[stored(&good), stored(&good)[..9].to_vec()],
            Err(InvalidDeflate),
            good.len() + 4,
        ),
        case(
            "too many last blocks",
            &[stored(&good), many_last_blocks, END.to_vec()],
            Err(InvalidDeflate),
            good.len(),
        ),
    ]
}

/// The case in frames of these lengths, with a Ping before the last, and a good message behind it that refers to nothing.
fn conversation(case: &Case, frames: &[usize]) -> Vec<u8> {
    let mut frames = message(&case.payload, frames);
    frames.insert(frames.len() - 1, Frame::ping("between"));
    frames.extend(message(HELLO, &[]));
    wire(&frames)
}

/// spec: F-09, PA-06, PA-12, PA-13, PA-15, PM-01
#[test]
fn what_is_told_is_what_comes_before_the_error() {
    for case in cases() {
        for frames in [&[][..], &[100, 0, 4500], &[4096]] {
            let wire = conversation(&case, frames);
            for streams in [false, true] {
                let expected = listen(&wire, streams, []);
                let first = expected.messages.first();
                let told = (first.map(|(data, _)| data.len()), expected.error);
                let name = case.name;
                match case.expected {
                    Ok(len) => assert_eq!(told, (Some(len), None), "{name}"),
                    Err(error) => {
                        let delivered = Some(case.delivered).filter(|len| streams && *len > 0);
                        assert_eq!(told, (delivered, Some(error)), "{name}");
                    }
                }
                for len in [7, 4095, 4096, 4097] {
                    let actual = listen(&wire, streams, std::iter::repeat(len));
                    assert!(actual == expected, "{name}, {streams}, pieces of {len}");
                }
                for near in [4, 4096, 4500, 5000, wire.len() - 20] {
                    for cut in near..near + 2 {
                        let actual = listen(&wire, streams, [cut]);
                        assert!(actual == expected, "{name}, {streams}, cut at {cut}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// spec: F-09, PA-06
    #[test]
    fn no_cut_changes_what_is_told(
        case in prop::sample::select(cases()),
        frames in prop::collection::vec(0_usize..5000, 0..5),
        streams: bool,
        pieces in prop::collection::vec(prop_oneof![1_usize..20, 1_usize..6000], 1..8),
    ) {
        let wire = conversation(&case, &frames);
        let actual = listen(&wire, streams, pieces.iter().copied().cycle());
        prop_assert!(actual == listen(&wire, streams, []), "{}", case.name);
    }

    /// A reader of DEFLATE data may see that it is bad before or behind what it still gives, but not by how it was cut.
    ///
    /// spec: F-09, PA-13, PA-15
    #[test]
    fn nor_of_damaged_data(
        seed: u64,
        len in 0_usize..12_000,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        streams: bool,
        pieces in prop::collection::vec(prop_oneof![1_usize..20, 1_usize..3000], 1..8),
    ) {
        let mut prng = Prng::new(seed);
        let words = ["alpha ", "beta ", "gamma ", "Größe ", "epsilon "];
        let text: String = (0..len / 6).map(|_| words[prng.below(words.len())]).collect();
        let config = Config::default().with_agreed(Some(Agreement::default()));
        let mut sender = Alone::server_with(config);
        for message in [text, "the next one".to_owned()] {
            let message = Message::text(message);
            sender.connection.send_with(message, Compress::Always).expect("sent");
        }
        let mut wire = Vec::new();
        for mut frame in oracle::frames(&sender.sent()) {
            for (index, bits) in &damage {
                if frame.fin && !frame.payload.is_empty() {
                    *index.get_mut(&mut frame.payload) ^= bits;
                }
            }
            let mut sent = Frame::new(frame.opcode, frame.payload).masked(vectors::KEY);
            sent.fin = frame.fin;
            sent.rsv = if frame.opcode == 0 { 0 } else { 0b100 };
            wire.extend(sent.bytes());
        }
        let actual = listen(&wire, streams, pieces.iter().copied().cycle());
        let expected = listen(&wire, streams, []);
        prop_assert_eq!(actual, expected);
    }
}
