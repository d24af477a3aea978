//! Defects of the codec (zlib-rs 0.6.8) that must not be ours.

use ws_deflate::{
    Compress, Compressor, Context, Decompressor, Deflate, DeflateConfig, InflateError, Inflated,
    Piece, WindowBits,
};

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed;
    let mut noise = Vec::new();
    for _ in 0..len {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push((x >> 24) as u8);
    }
    noise
}

const fn whole(plain: &[u8]) -> Piece<'_> {
    Piece {
        plain,
        is_text: false,
        is_first: true,
        is_last: true,
    }
}

fn read(decompressor: &mut Decompressor, mut input: &[u8]) -> Result<Vec<u8>, InflateError> {
    let mut plain = Vec::new();
    loop {
        match decompressor.inflate(&mut input, true)? {
            Inflated::Output(piece) => plain.extend_from_slice(piece),
            Inflated::NeedInput | Inflated::Done => return Ok(plain),
        }
    }
}

/// A compressor that is reset while output is pending loses room for good, and panics messages later. Ours are given back
/// only when everything is written, whatever is cut short around them: messages that turn out not to shrink, messages
/// left in the middle, connections dropped.
#[test]
fn no_compressor_is_used_again_before_it_has_written_everything() {
    let deflate = Deflate::new(DeflateConfig::default());
    let context = Context::default();
    let mut lasting = Compressor::new(context, &deflate);
    let mut reading = Decompressor::new(context, &deflate);
    for round in 0..3000_u32 {
        let mut passing = Compressor::new(context, &deflate);
        let random = noise(1024 + round as usize % 40, round);
        let piece = Piece {
            is_last: false,
            ..whole(&random)
        };
        // Given up in the middle of a message, the output not looked at.
        _ = passing.compress(piece, Compress::Always);
        drop(passing);
        if round % 10 == 0 {
            let compressed = lasting.compress(whole(&random), Compress::Always);
            let compressed = compressed.expect("always");
            assert_eq!(read(&mut reading, &compressed).as_ref(), Ok(&random));
        }
    }
}

/// The codec accepts references beyond the window it was made for, up to 32 KiB.
///
/// spec: PA-10
#[cfg(feature = "zlib")]
#[test]
fn the_window_is_the_agreement_s_and_not_the_codec_s() {
    let far = noise(700, 1);
    let deflate = Deflate::new(DeflateConfig::default().with_history(4096));
    let mut compressor = Compressor::new(Context::default(), &deflate);
    let mut compress = |plain: &[u8]| {
        let compressed = compressor.compress(whole(plain), Compress::Always);
        compressed.expect("always")
    };
    let (first, second) = (compress(&far), compress(&far[..40]));
    for (bits, is_far) in [(9, true), (10, false)] {
        let window = WindowBits::new(bits).expect("8 to 15");
        let context = Context {
            takeover: true,
            window,
        };
        let mut decompressor = Decompressor::new(context, &deflate);
        assert_eq!(read(&mut decompressor, &first).as_ref(), Ok(&far));
        let expected = match is_far {
            true => Err(InflateError::Data),
            false => Ok(far[..40].to_vec()),
        };
        assert_eq!(read(&mut decompressor, &second), expected, "{bits} bits");
    }
}

/// No number from outside reaches the codec, whose constructors panic: there is no type that could carry one.
#[test]
fn windows_and_levels_outside_their_range_do_not_exist() {
    let windows = (0..=u8::MAX).filter(|bits| WindowBits::new(*bits).is_some());
    assert!(windows.eq(8..=15));
    let levels = (0..=u8::MAX).filter(|level| ws_deflate::Level::new(*level).is_some());
    assert!(levels.eq(1..=7));
}
