//! The oracles against the RFC's own bytes.

use ws_testkit::oracle::{Event, Outcome, Receiver, could_become_utf8, frames, may_be_on_wire};
use ws_testkit::{Frame, LengthForm, vectors};

#[test]
fn the_encoder_writes_the_frames_of_the_rfc() {
    let key = vectors::KEY;
    let greek = "\u{3ba}\u{3cc}\u{3c3}\u{3bc}\u{3b5}";
    for (frame, bytes) in [
        (Frame::text("Hello"), vectors::SERVER_TEXT),
        (Frame::text("Hello").masked(key), vectors::CLIENT_TEXT),
        (Frame::text(greek).masked(key), vectors::CLIENT_TEXT_GREEK),
        (Frame::ping("Hello"), vectors::SERVER_PING),
        (Frame::pong("Hello").masked(key), vectors::CLIENT_PONG),
        (
            Frame::close(1001, "bye").masked(key),
            vectors::CLIENT_CLOSE_1001_BYE,
        ),
    ] {
        assert_eq!(frame.bytes(), bytes, "{frame:?}");
    }
    let two = [
        Frame::text("Hel").not_fin().masked(key).bytes(),
        Frame::continuation("lo").masked(key).bytes(),
    ];
    assert_eq!(two.concat(), vectors::CLIENT_FRAGMENTS);
    let header = Frame::binary(vec![0; 256]).header();
    assert_eq!(header, vectors::SERVER_BINARY_256_HEADER);
    let header = Frame::binary(vec![0; 65_536]).header();
    assert_eq!(header, vectors::SERVER_BINARY_64K_HEADER);
}

#[test]
fn the_encoder_writes_what_nobody_may_send() {
    let frame = Frame::new(0x3, "x").with_rsv(0b101).not_fin();
    assert_eq!(frame.bytes(), b"\x53\x01x");
    let frame = Frame::binary("x").with_length_form(LengthForm::Two);
    assert_eq!(frame.bytes(), b"\x82\x7e\x00\x01x");
    let frame = Frame::binary("x").with_length_form(LengthForm::Eight);
    assert_eq!(frame.bytes(), b"\x82\x7f\0\0\0\0\0\0\0\x01x");
    let frame = Frame::binary("").announcing(1 << 63).masked([1, 2, 3, 4]);
    assert_eq!(frame.bytes(), b"\x82\xff\x80\0\0\0\0\0\0\0\x01\x02\x03\x04");
}

#[test]
fn the_decoder_reads_the_vectors() {
    for (name, bytes) in vectors::GOOD_FROM_CLIENT {
        let (events, outcome) = Receiver::SERVER.decode(bytes);
        assert_eq!(events.len(), 1, "{name}");
        assert_ne!(outcome, Outcome::Failed(1002), "{name}");
    }
    for (name, bytes) in vectors::GOOD_FROM_SERVER {
        let (events, outcome) = Receiver::CLIENT.decode(bytes);
        assert_eq!((events.len(), outcome), (1, Outcome::Open), "{name}");
    }
    for (name, bytes, code) in vectors::BAD_FROM_CLIENT {
        let (events, outcome) = Receiver::SERVER.decode(bytes);
        assert_eq!(
            (events, outcome),
            (vec![], Outcome::Failed(*code)),
            "{name}"
        );
    }
    let (events, _) = Receiver::CLIENT.decode(vectors::SERVER_FRAGMENTS);
    assert_eq!(events, [Event::Text("Hello".to_owned())]);
}

#[test]
fn the_tables_agree_with_the_oracle() {
    for text in vectors::UTF8 {
        assert!(std::str::from_utf8(text).is_ok(), "{text:x?}");
    }
    for (text, fails_at) in vectors::NOT_UTF8 {
        assert!(std::str::from_utf8(text).is_err(), "{text:x?}");
        let first_bad = (0..text.len()).find(|at| !could_become_utf8(&text[..=*at]));
        assert_eq!(first_bad, *fails_at, "{text:x?}");
    }
    for code in vectors::CODES_ON_WIRE {
        assert!(may_be_on_wire(*code), "{code}");
    }
    for code in vectors::CODES_NEVER_ON_WIRE {
        assert!(!may_be_on_wire(*code), "{code}");
    }
}

#[test]
fn frames_are_told_apart_up_to_one_that_is_cut_off() {
    let mut bytes = Frame::text("Hel").not_fin().masked([7; 4]).bytes();
    bytes.extend(Frame::close(1000, "").bytes());
    let whole = bytes.len();
    // Unlike a receiver, it looks beyond a Close.
    bytes.extend(Frame::pong("still here").bytes());
    let all = frames(&bytes);
    let seen: Vec<_> = all.iter().map(|f| (f.opcode, f.fin, f.masked)).collect();
    assert_eq!(
        seen,
        [(1, false, true), (8, true, false), (10, true, false)]
    );
    assert_eq!(all[0].payload, b"Hel");
    assert_eq!(all[2].payload, b"still here");
    assert_eq!(all[2].end, bytes.len());
    bytes.pop();
    assert_eq!(frames(&bytes).last().map(|frame| frame.end), Some(whole));
    assert_eq!(frames(b"\x83\x00"), []);
}

#[test]
fn a_message_may_be_unfinished() {
    let unfinished = |bytes: &[u8]| Receiver::CLIENT.unfinished(bytes);
    assert_eq!(unfinished(b"\x82\x03ab"), b"ab");
    assert_eq!(unfinished(b"\x82\x01a"), b"");
    assert_eq!(unfinished(b"\x01\x01a\x89\x01x\x00\x03b\xc3"), b"ab");
    assert_eq!(unfinished(b"\x81\x03a\xffb"), b"a");
    assert_eq!(unfinished(b"\x02\x01a\x88\x00"), b"a");
}
