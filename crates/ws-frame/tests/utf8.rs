//! The UTF-8 check, RFC 3629 and RFC 6455 section 8.1: every row of the table of sequences, at
//! every place where a vector implementation might treat it differently, and the standard library
//! as a second opinion.

use proptest::{collection::vec, prelude::*};
use ws_frame::{CloseCode, Utf8Validator, str_from_utf8};

/// What becomes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Valid,
    /// Fails at this byte, whatever follows.
    FailsAt(usize),
    /// Every byte is possible, but the last character is not whole.
    Incomplete,
}
use Verdict::{FailsAt, Incomplete, Valid};

/// The rows of the tables of valid and invalid sequences.
const ROWS: &[(&[u8], Verdict)] = &[
    (b"", Valid),                                             // spec: V-01
    (b"\x00", Valid),                                         // spec: V-02
    (b"\x7f", Valid),                                         // spec: V-03
    (b"\xc2\x80", Valid),                                     // spec: V-04
    (b"\xdf\xbf", Valid),                                     // spec: V-04
    (b"\xe0\xa0\x80", Valid),                                 // spec: V-05
    (b"\xe1\x80\x80", Valid),                                 // spec: V-06
    (b"\xec\xbf\xbf", Valid),                                 // spec: V-06
    (b"\xed\x9f\xbf", Valid),                                 // spec: V-07
    (b"\xee\x80\x80", Valid),                                 // spec: V-08
    (b"\xef\xbb\xbf", Valid),                                 // spec: V-09
    (b"\xef\xbf\xbd", Valid),                                 // spec: V-10
    (b"\xef\xbf\xbe", Valid),                                 // spec: V-11
    (b"\xef\xbf\xbf", Valid),                                 // spec: V-11
    (b"\xef\xb7\x90", Valid),                                 // spec: V-11
    (b"\xf0\x90\x80\x80", Valid),                             // spec: V-12
    (b"\xf0\x9f\x98\x80", Valid),                             // spec: V-13
    (b"\xf1\x80\x80\x80", Valid),                             // spec: V-14
    (b"\xf3\xbf\xbf\xbf", Valid),                             // spec: V-14
    (b"\xf4\x8f\xbf\xbf", Valid),                             // spec: V-15
    (b"\xf4\x8f\xbf\xbe", Valid),                             // spec: V-15
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", Valid), // spec: V-16
    (b"\xe2\x82\xac", Valid),                                 // spec: V-17
    (b"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9", Valid), // spec: V-18
    (b"\x80", FailsAt(0)),                                    // spec: E-01
    (b"\xbf", FailsAt(0)),                                    // spec: E-01
    (b"\x80\xbf\x80", FailsAt(0)),                            // spec: E-01
    (b"\x61\x80\x62", FailsAt(1)),                            // spec: E-02
    (b"\xc0\x80", FailsAt(0)),                                // spec: E-03
    (b"\xc0\xaf", FailsAt(0)),                                // spec: E-03
    (b"\xc1\xbf", FailsAt(0)),                                // spec: E-03
    (b"\xc2", Incomplete),                                    // spec: E-04
    (b"\xc2\x00", FailsAt(1)),                                // spec: E-05
    (b"\xc2\xc2\x80", FailsAt(1)),                            // spec: E-05
    (b"\xdf\xc0", FailsAt(1)),                                // spec: E-05
    (b"\xe0\x80\x80", FailsAt(1)),                            // spec: E-06
    (b"\xe0\x80\xaf", FailsAt(1)),                            // spec: E-06
    (b"\xe0\x9f\xbf", FailsAt(1)),                            // spec: E-06
    (b"\xe0", Incomplete),                                    // spec: E-07
    (b"\xe1", Incomplete),                                    // spec: E-07
    (b"\xe1\x80", Incomplete),                                // spec: E-07
    (b"\xef\xbf", Incomplete),                                // spec: E-07
    (b"\xe1\x80\xc0", FailsAt(2)),                            // spec: E-08
    (b"\xed\xa0\x80", FailsAt(1)),                            // spec: E-09
    (b"\xed\xaf\xbf", FailsAt(1)),                            // spec: E-09
    (b"\xed\xb0\x80", FailsAt(1)),                            // spec: E-09
    (b"\xed\xbf\xbf", FailsAt(1)),                            // spec: E-09
    (b"\xed\xa0\x80\xed\xb0\x80", FailsAt(1)),                // spec: E-10
    (b"\xf0\x80\x80\x80", FailsAt(1)),                        // spec: E-11
    (b"\xf0\x80\x80\xaf", FailsAt(1)),                        // spec: E-11
    (b"\xf0\x8f\xbf\xbf", FailsAt(1)),                        // spec: E-11
    (b"\xf0\x90\x80", Incomplete),                            // spec: E-12
    (b"\xf0\x90\x80\xc0", FailsAt(3)),                        // spec: E-13
    (b"\xf4\x90\x80\x80", FailsAt(1)),                        // spec: E-14
    (b"\xf4\xbf\xbf\xbf", FailsAt(1)),                        // spec: E-14
    (b"\xf5\x80\x80\x80", FailsAt(0)),                        // spec: E-15
    (b"\xf7\xbf\xbf\xbf", FailsAt(0)),                        // spec: E-15
    (b"\xf8\x88\x80\x80\x80", FailsAt(0)),                    // spec: E-16
    (b"\xfb\xbf\xbf\xbf\xbf", FailsAt(0)),                    // spec: E-16
    (b"\xfc\x84\x80\x80\x80\x80", FailsAt(0)),                // spec: E-16
    (b"\xfe", FailsAt(0)),                                    // spec: E-17
    (b"\xff", FailsAt(0)),                                    // spec: E-17
    (b"\xfe\xfe\xff\xff", FailsAt(0)),                        // spec: E-17
    (b"Hello\xff", FailsAt(5)),                               // spec: E-18
    (
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        FailsAt(12),
    ), // spec: E-19
    (
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited",
        FailsAt(12),
    ), // spec: E-20
    (b"\xe2\x82\xac\xe2\x28\xa1", FailsAt(4)),                // spec: E-21
];

/// Feeds `chunks` as one text, empty ones included; where it failed counts from its beginning.
fn feed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Verdict {
    let mut validator = Utf8Validator::new();
    let mut before = 0;
    for chunk in chunks {
        if let Err(error) = validator.feed(chunk) {
            let position = error.position().expect("feeding fails at a byte");
            assert!(position < chunk.len(), "the position is one in the chunk");
            return FailsAt(before + position);
        }
        before += chunk.len();
    }
    match validator.finish() {
        Ok(()) => Valid,
        Err(error) => {
            assert_eq!(error.position(), None);
            Incomplete
        }
    }
}

/// The whole of `bytes` through [`str_from_utf8`].
fn whole(bytes: &[u8]) -> Verdict {
    match str_from_utf8(bytes) {
        Ok(text) => {
            assert_eq!(text.as_bytes(), bytes);
            Valid
        }
        Err(error) => error.position().map_or(Incomplete, FailsAt),
    }
}

/// Checks all ways to hand over `bytes` that do not depend on chance.
#[track_caller]
fn check(bytes: &[u8], expected: Verdict) {
    assert_eq!(whole(bytes), expected, "whole: {bytes:02x?}");
    assert_eq!(feed([bytes]), expected, "at once: {bytes:02x?}");
    assert_eq!(
        feed(bytes.chunks(1)),
        expected,
        "byte by byte: {bytes:02x?}"
    );
}

/// As [`check`], and cut in two at every byte, with an empty chunk in between.
#[track_caller]
fn check_cuts(bytes: &[u8], expected: Verdict) {
    check(bytes, expected);
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(
            feed([head, &[], tail]),
            expected,
            "cut at {cut}: {bytes:02x?}"
        );
    }
}

/// What the standard library makes of `bytes`: the first byte that fails is the one with which a
/// beginning of the text stops being the beginning of a text.
fn by_the_standard_library(bytes: &[u8]) -> Verdict {
    let Err(error) = core::str::from_utf8(bytes) else {
        return Valid;
    };
    (error.valid_up_to()..bytes.len())
        .find(|&index| {
            core::str::from_utf8(&bytes[..=index]).is_err_and(|error| error.error_len().is_some())
        })
        .map_or(Incomplete, FailsAt)
}

// spec: U-01, U-02, U-03, U-04, U-08
#[test]
fn every_row() {
    for &(bytes, expected) in ROWS {
        check_cuts(bytes, expected);
    }
}

/// A vector implementation reads blocks; each row stands at every offset into them, with other
/// text before it and after.
// spec: U-01, U-04
#[test]
fn every_row_at_every_offset() {
    for fill in ["a", "é", "€"] {
        for &(row, expected) in ROWS {
            for offset in 0..=64_usize {
                for after in [0, 1, 15, 31, 63, 64, 130] {
                    let before = fill.repeat(offset.div_ceil(fill.len()));
                    let bytes = [before.as_bytes(), row, fill.repeat(after).as_bytes()].concat();
                    let expected = match expected {
                        FailsAt(index) => FailsAt(before.len() + index),
                        // Another character where one had to go on.
                        Incomplete if after > 0 => FailsAt(before.len() + row.len()),
                        verdict => verdict,
                    };
                    assert_eq!(whole(&bytes), expected);
                    assert_eq!(feed([&bytes[..]]), expected);
                }
            }
        }
    }
}

/// The edges of blocks and the lengths at which the check goes another way, from three bytes
/// before them to three after.
// spec: U-01, U-02, U-04
#[test]
fn every_row_across_every_edge() {
    for &(row, expected) in ROWS {
        for edge in [16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 512] {
            for start in edge - 3..=edge + 3 {
                let mut bytes = vec![b'a'; start];
                bytes.extend_from_slice(row);
                let expected = match expected {
                    FailsAt(index) => FailsAt(start + index),
                    verdict => verdict,
                };
                assert_eq!(whole(&bytes), expected);
                assert_eq!(feed([&bytes[..]]), expected);
                let (head, tail) = bytes.split_at(edge.min(bytes.len()));
                assert_eq!(feed([head, tail]), expected);
            }
        }
    }
}

// spec: U-01, U-02, U-03, U-04
#[test]
fn every_text_of_one_and_two_bytes() {
    for first in 0..=u8::MAX {
        check_cuts(&[first], by_the_standard_library(&[first]));
        for second in 0..=u8::MAX {
            let bytes = [first, second];
            check_cuts(&bytes, by_the_standard_library(&bytes));
        }
    }
}

/// Each byte at either end of a range in the grammar.
const EDGES: [u8; 24] = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
    0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
];

// spec: U-01, U-02, U-03, U-04
#[test]
fn every_text_of_three_and_four_edge_bytes() {
    for first in EDGES {
        for second in EDGES {
            for third in EDGES {
                let bytes = [first, second, third];
                check_cuts(&bytes, by_the_standard_library(&bytes));
                for fourth in EDGES {
                    let bytes = [first, second, third, fourth];
                    check(&bytes, by_the_standard_library(&bytes));
                }
            }
        }
    }
}

#[test]
fn every_character() {
    for character in '\0'..=char::MAX {
        let mut bytes = [0; 4];
        let text = character.encode_utf8(&mut bytes).as_bytes();
        assert_eq!(feed([text]), Valid);
        assert_eq!(feed(text.chunks(1)), Valid);
    }
}

// spec: U-02
#[test]
fn a_boundary_is_where_no_character_is_open() {
    let mut validator = Utf8Validator::new();
    assert!(validator.is_boundary());
    for (byte, boundary) in [
        (0xf0, false),
        (0x9f, false),
        (0x98, false),
        (0x80, true),
        (b'a', true),
    ] {
        assert_eq!(validator.feed(&[byte]), Ok(()));
        assert_eq!(validator.feed(&[]), Ok(()));
        assert_eq!(validator.is_boundary(), boundary);
        assert_eq!(validator.finish().is_ok(), boundary);
    }
}

#[test]
fn a_validator_that_failed_stays_so_until_reset() {
    let mut validator = Utf8Validator::new();
    assert!(validator.feed(b"abc\xff").is_err());
    assert_eq!(
        validator.feed(b""),
        Ok(()),
        "there is no byte that could fail"
    );
    let again = validator.feed(b"abc").expect_err("failed for good");
    assert_eq!(again.position(), Some(0));
    assert!(!validator.is_boundary());
    assert!(validator.finish().is_err());
    validator.reset();
    assert_eq!(validator, Utf8Validator::default());
    assert_eq!(validator.feed(b"abc"), Ok(()));
    assert_eq!(validator.finish(), Ok(()));
}

#[test]
fn errors_say_where_and_oblige_to_1007() {
    let invalid = str_from_utf8(b"Hello\xff").expect_err("ff is never valid");
    assert_eq!(invalid.to_string(), "invalid UTF-8 at byte 5");
    assert_eq!(invalid.close_code(), CloseCode::INVALID_PAYLOAD);
    let incomplete = str_from_utf8(b"\xce").expect_err("the second byte is missing");
    assert_eq!(incomplete.to_string(), "text ends inside a UTF-8 character");
    assert_eq!(incomplete.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn a_validator_is_one_byte() {
    assert_eq!(size_of::<Utf8Validator>(), 1);
}

/// Bytes of which long stretches are text: characters of every length, and now and then any byte.
fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
    let character = any::<char>().prop_map(|character| character.to_string().into_bytes());
    let ascii = "[ -~]{1,40}".prop_map(String::into_bytes);
    let noise = vec(prop::sample::select(&EDGES[..]), 1..4);
    vec(prop_oneof![20 => character, 10 => ascii, 1 => noise], 0..80)
        .prop_map(|parts| parts.concat())
}

proptest! {
    // spec: U-01, U-02, U-03, U-04
    #[test]
    fn cuts_are_invisible_and_the_standard_library_agrees(
        bytes in nearly_text(),
        cuts in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let expected = by_the_standard_library(&bytes);
        prop_assert_eq!(whole(&bytes), expected);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut from = 0;
        let chunks: Vec<_> = cuts
            .into_iter()
            .map(|to| &bytes[std::mem::replace(&mut from, to)..to])
            .collect();
        prop_assert_eq!(feed(chunks), expected);
    }
}
