//! No message refers further back than was agreed, as an independent reader sees it.

mod scan;

use scan::Scan;
use ws_deflate::{
    Compress, Compressor, Context, Deflate, DeflateConfig, Level, Piece, Terms, WindowBits,
};

/// zlib keeps this far from the end of its window.
const MARGIN: usize = 262;

/// Text with something to refer to at every distance: a period, and noise between its repetitions.
fn plain(period: usize, len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed;
    let mut noise = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    let unit: Vec<u8> = (0..period).map(|_| noise()).collect();
    let mut plain = Vec::new();
    while plain.len() < len {
        plain.extend_from_slice(&unit);
        plain.push(noise());
    }
    plain.truncate(len);
    plain
}

/// spec: PA-10, PA-14, PN-14, PR-12
#[test]
fn distances_stay_within_every_window() {
    for bits in 8..=15 {
        let window = WindowBits::new(bits).expect("8 to 15");
        let mut largest = 0;
        for level in [1, 3, 4, 6, 7] {
            for (takeover, live_contexts) in [(false, 0), (true, 0), (true, 2)] {
                let level = Level::new(level).expect("1 to 7");
                let config = DeflateConfig::default()
                    .with_terms(Terms::default())
                    .with_level(level)
                    .with_history(usize::MAX)
                    .with_live_contexts(live_contexts);
                let deflate = Deflate::new(config);
                let mut compressor = Compressor::new(Context { takeover, window }, &deflate);
                let mut scan = Scan::new();
                for around in [window.size() - MARGIN.min(window.size() / 2), window.size()] {
                    for period in around.saturating_sub(12)..around + 3 {
                        // In two pieces, of which the second refers to the first.
                        let plain = plain(period.max(3), 2 * window.size() + 700, u32::from(bits));
                        let (first, second) = plain.split_at(window.size());
                        let before = scan.plain.len();
                        for (part, is_first) in [(first, true), (second, false)] {
                            let piece = Piece {
                                plain: part,
                                is_text: true,
                                is_first,
                                is_last: !is_first,
                            };
                            let compressed = compressor.compress(piece, Compress::Always);
                            let mut compressed = compressed.expect("always");
                            if !is_first {
                                compressed.extend_from_slice(&[0, 0, 0xff, 0xff]);
                            }
                            scan.message(&compressed);
                        }
                        assert_eq!(scan.plain[before..], plain);
                        if !takeover {
                            scan.plain.clear();
                        } else {
                            let old = scan.plain.len().saturating_sub(40_000);
                            scan.plain.drain(..old);
                        }
                        assert!(
                            scan.largest <= window.size(),
                            "{bits} bits: {}",
                            scan.largest
                        );
                    }
                }
                largest = largest.max(scan.largest);
            }
        }
        // It is as far as the codec goes, so the test has seen what it looks for.
        if cfg!(feature = "zlib") {
            let expected = window.size().max(512) - MARGIN;
            assert_eq!(largest, expected, "{bits} bits");
        } else {
            // The other one begins anew after each window.
            assert!(largest >= window.size() - 2 * MARGIN.min(window.size() / 3));
        }
    }
}
