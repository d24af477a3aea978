//! How far back messages refer when their connection has no compressor of its own.
#![cfg(feature = "zlib")]

use ws_deflate::{Compress, Compressor, Context, Deflate, DeflateConfig, Piece, Terms};

/// Text of which no part comes twice.
fn distinct(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed;
    let mut text = Vec::new();
    for _ in 0..len {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push(b' ' + (x >> 58) as u8);
    }
    text
}

/// The length on the wire of a message of `len` bytes that was sent before, the last one but for `between` bytes.
fn repeated(deflate: &Deflate, len: usize, between: usize) -> usize {
    let mut compressor = Compressor::new(Context::default(), deflate);
    let (message, other) = (distinct(len, 1), distinct(between, 2));
    let mut compress = |plain: &[u8]| {
        let piece = Piece {
            plain,
            is_text: true,
            is_first: true,
            is_last: true,
        };
        let compressed = compressor.compress(piece, Compress::Always);
        compressed.expect("always").len()
    };
    compress(&message);
    compress(&other);
    compress(&message)
}

#[test]
fn the_shorter_a_message_the_less_of_the_history_it_loads() {
    let config = DeflateConfig::default()
        .with_terms(Terms::default())
        .with_history(16 * 1024);
    let deflate = Deflate::new(config);
    for (len, between, is_found) in [
        // Short messages are compressed fast: 1 KiB.
        (200, 700, true),
        (200, 1100, false),
        // 16 bytes for each.
        (600, 8000, true),
        (600, 10_000, false),
        (1100, 14_000, true),
        (1100, 18_000, false),
    ] {
        let compressed = repeated(&deflate, len, between);
        assert_eq!(compressed < len / 4, is_found, "{len} after {between}");
    }
}

/// Somebody else sends in between, so that each message finds a compressor without its connection's past.
#[test]
fn the_history_stands_in_for_a_compressor_that_was_lost() {
    let deflate = Deflate::new(DeflateConfig::ultra().with_live_contexts(1));
    let mut other = Compressor::new(Context::default(), &deflate);
    let mut compressor = Compressor::new(Context::default(), &deflate);
    let (message, between) = (distinct(1000, 1), distinct(12_000, 2));
    let mut lengths = Vec::new();
    for plain in [&message, &between, &message] {
        let piece = Piece {
            plain,
            is_text: true,
            is_first: true,
            is_last: true,
        };
        other.compress(piece, Compress::Always).expect("always");
        let compressed = compressor.compress(piece, Compress::Always);
        lengths.push(compressed.expect("always").len());
    }
    assert!(lengths[2] < lengths[0] / 4, "{lengths:?}");
}
