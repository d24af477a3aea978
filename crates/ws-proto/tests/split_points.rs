//! Chunking is invisible: for any bytes and any cut points the events are the same, and the same as the oracle's.

use proptest::prelude::*;
use proptest::sample::select;
use ws_testkit::oracle::Receiver;
use ws_testkit::{Delivery, Frame, LengthForm, Piece, assert_agrees, vectors};

/// Every cut into two, every cut into pieces of one length, in every way of handing them over.
fn check_every_cut(receiver: Receiver, bytes: &[u8]) {
    for delivery in Delivery::ALL {
        for parks in [false, true] {
            let piece = |len, streams, lends| Piece {
                len,
                delivery,
                parks,
                streams,
                lends,
            };
            for cut in 0..=bytes.len() {
                // Pieces are asked for never, from the start, when the first half is there, and while it arrives. Messages
                // are taken, or lent and let go by whoever looks again.
                for (first, second, lends) in [
                    (false, false, false),
                    (false, false, true),
                    (true, true, false),
                    (false, true, true),
                    (true, false, false),
                ] {
                    let halves = [
                        piece(cut, first, lends),
                        piece(0, first, !lends),
                        piece(bytes.len(), second, lends),
                    ];
                    assert_agrees(receiver, bytes, halves);
                }
            }
            for len in [1, 2, 3, 5, 7] {
                for (streams, lends) in [(false, false), (true, false), (false, true)] {
                    let piece = piece(len, streams, lends);
                    assert_agrees(receiver, bytes, std::iter::repeat(piece));
                }
            }
        }
    }
}

fn masked(frames: &[Frame]) -> Vec<u8> {
    let frames = frames.iter().cloned();
    frames
        .flat_map(|frame| frame.masked(vectors::KEY).bytes())
        .collect()
}

#[test]
fn every_cut_of_every_vector() {
    // spec: F-09, F-10, M-07, VEC-01, VEC-02, VEC-03, VEC-04, VEC-06, VEC-07, VEC-08, VEC-09, VEC-10, VEC-11, VEC-12
    for (_, bytes) in vectors::GOOD_FROM_CLIENT {
        check_every_cut(Receiver::SERVER, bytes);
        check_every_cut(Receiver::SERVER, &bytes.repeat(3));
        check_every_cut(Receiver::CLIENT, bytes);
    }
    for (_, bytes, _) in vectors::BAD_FROM_CLIENT {
        check_every_cut(Receiver::SERVER, bytes);
        let after_a_message = [vectors::CLIENT_TEXT, bytes].concat();
        check_every_cut(Receiver::SERVER, &after_a_message);
    }
    for (_, bytes) in vectors::GOOD_FROM_SERVER {
        check_every_cut(Receiver::CLIENT, bytes);
        check_every_cut(Receiver::SERVER, bytes);
    }
}

#[test]
fn every_cut_of_a_conversation() {
    // spec: F-09, F-10, G-04, U-02, C-17
    let all = masked(&[
        Frame::text(vectors::CHINESE),
        Frame::binary("bi").not_fin(),
        Frame::ping("between"),
        Frame::continuation("").not_fin(),
        Frame::continuation("nary"),
        Frame::text("").not_fin(),
        Frame::pong(""),
        Frame::continuation("κόσμε"),
        Frame::binary(vec![7; 200]),
        Frame::close(1001, "bye"),
        Frame::text("too late"),
    ]);
    check_every_cut(Receiver::SERVER, &all);
}

#[test]
fn every_cut_of_a_message_too_large_to_copy() {
    // spec: F-09
    // Over the size up to which messages are copied out of the receive buffer.
    let all = masked(&[
        Frame::binary(vec![1; 1030]),
        Frame::text("x".repeat(1040)).not_fin(),
        Frame::continuation("y"),
    ]);
    for delivery in Delivery::ALL {
        for parks in [false, true] {
            for cut in [0, 1, 4, 8, 500, 1037, 1038, 1039, 1040, 1046, 2085, 2086] {
                for (streams, lends) in [(false, false), (true, false), (false, true)] {
                    let piece = |len| Piece {
                        len,
                        delivery,
                        parks,
                        streams,
                        lends,
                    };
                    assert_agrees(Receiver::SERVER, &all, [piece(cut)]);
                    assert_agrees(Receiver::SERVER, &all, [piece(cut), piece(1), piece(2)]);
                }
            }
        }
    }
}

#[test]
fn a_message_that_is_all_there_is_what_it_is_in_two_halves() {
    // spec: F-04, F-09, F-12, U-01, M-02, M-04
    for len in [0, 1, 124, 125, 126, 127, 4095, 4096, 4097, 65_535, 65_536] {
        let mut text = "x".repeat(len).into_bytes();
        let good = text.clone();
        // It ends inside a character, or before it has begun.
        if let Some(last) = text.last_mut() {
            *last = 0xc3;
        }
        for frame in [
            Frame::binary(good.clone()),
            Frame::text(good),
            Frame::text(text),
        ] {
            for (is_server, is_masked) in
                [(true, true), (false, false), (true, false), (false, true)]
            {
                let mut frame = frame.clone();
                frame.mask = is_masked.then_some(vectors::KEY);
                for limit in [len as u64, (len as u64).saturating_sub(1)] {
                    let frame_limit = Receiver {
                        is_server,
                        max_frame_size: limit,
                        ..Receiver::SERVER
                    };
                    let message_limit = Receiver {
                        max_frame_size: u64::MAX,
                        max_message_size: limit,
                        ..frame_limit
                    };
                    // One behind the other, so that the second begins somewhere in the buffer.
                    let bytes = frame.bytes().repeat(2);
                    let piece = |len, lends| Piece {
                        len,
                        delivery: Delivery::Handed,
                        parks: false,
                        streams: false,
                        lends,
                    };
                    for receiver in [frame_limit, message_limit] {
                        for lends in [false, true] {
                            assert_agrees(receiver, &bytes, [piece(bytes.len(), lends)]);
                            assert_agrees(receiver, &bytes, [piece(bytes.len() - 1, lends)]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_header_there_is() {
    // spec: F-01, F-02, F-03, F-04, F-06, M-02, M-04
    // All first bytes, lengths of every form, masked or not; then a byte of payload and a good frame.
    for first in 0..=255_u8 {
        for second in [0, 1, 125, 126, 127, 128, 129, 253, 254, 255] {
            let extended: &[u8] = match second & 0x7f {
                126 => &[0, 126],
                127 => &[0, 0, 0, 0, 0, 1, 0, 0],
                _ => &[],
            };
            let bytes = [&[first, second], extended, &[0; 5], vectors::CLIENT_TEXT].concat();
            for receiver in [Receiver::SERVER, Receiver::CLIENT] {
                assert_agrees(receiver, &bytes, []);
                assert_agrees(
                    receiver,
                    &bytes,
                    std::iter::repeat(Piece {
                        len: 1,
                        delivery: Delivery::ReceiveBuffer,
                        parks: false,
                        streams: false,
                        lends: false,
                    }),
                );
            }
        }
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "\\PC{0,20}".prop_map(String::into_bytes),
        2 => proptest::collection::vec(any::<u8>(), 0..40),
        2 => select(vectors::UTF8).prop_map(<[u8]>::to_vec),
        1 => select(vectors::NOT_UTF8).prop_map(|(bytes, _)| bytes.to_vec()),
        1 => (120_usize..140).prop_map(|len| vec![b'a'; len]),
        1 => (980_usize..1100).prop_map(|len| vec![b'b'; len]),
    ]
}

fn close_body() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        select(vectors::CODES_ON_WIRE),
        select(vectors::CODES_NEVER_ON_WIRE)
    ];
    prop_oneof![
        Just(vec![]),
        Just(vec![3]),
        (code, "\\PC{0,10}")
            .prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
        Just(b"\x03\xe8\xff".to_vec()),
    ]
}

/// Mostly good frames, in any order.
fn frame() -> impl Strategy<Value = Frame> {
    let kind = prop_oneof![
        8 => (select(vec![0x0, 0x1, 0x2]), payload()),
        3 => (select(vec![0x9, 0xa]), payload()),
        1 => (Just(0x8), close_body()),
        1 => (0x0..=0xf_u8, payload()),
    ];
    let twist = prop_oneof![
        30 => Just(0),
        1 => 1..=7_u8,
    ];
    let form = prop_oneof![
        30 => Just(LengthForm::Shortest),
        1 => select(vec![LengthForm::Two, LengthForm::Eight]),
    ];
    let announced = prop_oneof![
        30 => Just(None),
        1 => any::<u64>().prop_map(Some),
    ];
    (
        kind,
        any::<bool>(),
        any::<[u8; 4]>(),
        twist,
        form,
        announced,
    )
        .prop_map(
            |((opcode, payload), fin, key, rsv, length_form, announced)| Frame {
                // A control frame is mostly final.
                fin: fin || opcode >= 8 && rsv == 0,
                rsv,
                opcode,
                mask: Some(key),
                length_form,
                announced,
                payload,
            },
        )
}

/// A sensible sequence of fragments and control frames, which random order hardly ever gives.
fn conversation() -> impl Strategy<Value = Vec<Frame>> {
    let message = (
        select(vec![0x1, 0x2]),
        proptest::collection::vec(payload(), 1..4),
        any::<bool>(),
    )
        .prop_map(|(opcode, payloads, pinged)| {
            let last = payloads.len() - 1;
            let mut frames = Vec::new();
            for (index, payload) in payloads.into_iter().enumerate() {
                let opcode = if index == 0 { opcode } else { 0 };
                let mut frame = Frame::new(opcode, payload).masked([index as u8 + 1; 4]);
                frame.fin = index == last;
                frames.push(frame);
                if pinged {
                    frames.push(Frame::ping([index as u8]).masked([9; 4]));
                }
            }
            frames
        });
    let messages = proptest::collection::vec(message, 0..5).prop_map(|all| all.concat());
    let rest = proptest::collection::vec(frame(), 0..4);
    (messages, rest).prop_map(|(messages, rest)| [messages, rest].concat())
}

fn receiver() -> impl Strategy<Value = Receiver> {
    let limits = select(vec![
        (u64::MAX, u64::MAX, u64::from(u32::MAX)),
        (1000, 2000, 1000),
        (30, 100, 3),
    ]);
    (any::<bool>(), limits).prop_map(|(is_server, (frame, message, fragments))| Receiver {
        is_server,
        max_frame_size: frame,
        max_message_size: message,
        max_fragments: fragments,
    })
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (
        prop_oneof![0_usize..4, 0_usize..40, 0_usize..2000],
        select(&Delivery::ALL),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(len, delivery, parks, streams, lends)| Piece {
            len,
            delivery,
            parks,
            streams,
            lends,
        });
    proptest::collection::vec(piece, 0..60)
}

/// The same without a wish for pieces.
fn whole(mut pieces: Vec<Piece>) -> Vec<Piece> {
    for piece in &mut pieces {
        piece.streams = false;
    }
    pieces
}

/// Frames that have memory of their own while they arrive, others between them, text that is wrong somewhere.
fn large_frames() -> impl Strategy<Value = Vec<Frame>> {
    let large = (
        prop_oneof![4000_usize..5000, 16_000_usize..17_000, 60_000_usize..70_000],
        select(vec![0x1, 0x2]),
        any::<[u8; 4]>(),
        prop::option::weighted(0.2, any::<prop::sample::Index>()),
    )
        .prop_map(|(len, opcode, key, wrong)| {
            let mut payload = "é".repeat(len / 2).into_bytes();
            if let Some(wrong) = wrong {
                payload[wrong.index(len / 2 * 2)] = 0xff;
            }
            Frame::new(opcode, payload).masked(key)
        });
    let small = select(vec![
        Frame::ping("?"),
        Frame::text("é"),
        Frame::binary(vec![7; 1030]),
        Frame::close(1000, ""),
    ])
    .prop_map(|frame| frame.masked(vectors::KEY));
    proptest::collection::vec(prop_oneof![2 => large, 1 => small], 1..4)
}

fn large_pieces() -> impl Strategy<Value = Vec<Piece>> {
    let len = prop_oneof![0_usize..20, 0_usize..5000, 10_000_usize..40_000];
    let piece = (len, select(&Delivery::ALL), any::<bool>(), any::<bool>());
    let streams = prop::bool::weighted(0.1);
    let piece = (piece, streams).prop_map(|((len, delivery, parks, lends), streams)| Piece {
        len,
        delivery,
        parks,
        streams,
        lends,
    });
    proptest::collection::vec(piece, 0..20)
}

/// The same with the limits that hold for messages in pieces too.
fn unlimited_frames(receiver: Receiver) -> Receiver {
    Receiver {
        max_frame_size: u64::MAX,
        max_fragments: u64::MAX,
        ..receiver
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(700))]

    #[test]
    fn any_cut_of_any_frames(
        receiver in receiver(),
        frames in conversation(),
        one_is_wrongly_masked in prop::bool::weighted(0.05),
        pieces in pieces(),
    ) {
        // spec: F-09, F-16, G-09, S-06
        let mut frames = frames;
        for frame in &mut frames {
            if !receiver.is_server {
                frame.mask = None;
            }
        }
        if let Some(frame) = frames.last_mut().filter(|_| one_is_wrongly_masked) {
            frame.mask = if frame.mask.is_some() { None } else { Some([1, 2, 3, 4]) };
        }
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        assert_agrees(unlimited_frames(receiver), &bytes, pieces.clone());
        assert_agrees(receiver, &bytes, whole(pieces));
    }

    #[test]
    fn any_cut_of_any_bytes(
        receiver in receiver(),
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        pieces in pieces(),
    ) {
        // spec: F-09, S-06
        assert_agrees(unlimited_frames(receiver), &bytes, pieces.clone());
        assert_agrees(receiver, &bytes, whole(pieces));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_cut_of_large_frames(frames in large_frames(), pieces in large_pieces()) {
        // spec: F-09, F-16, U-01, M-07
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        assert_agrees(Receiver::SERVER, &bytes, pieces.clone());
        let in_place = pieces.into_iter().map(|piece| Piece {
            delivery: Delivery::PayloadBuffer,
            ..piece
        });
        assert_agrees(Receiver::SERVER, &bytes, in_place);
    }
}
