//! The vectors of RFC 7692 section 7.2.3, and what no peer may send.

use std::iter;

use ws_deflate::{
    Agreement, Compress, Compressor, Context, Decompressor, Deflate, DeflateConfig, InflateError,
    Inflated, Piece, Terms, WindowBits,
};

fn decompressor(context: Context) -> Decompressor {
    Decompressor::new(context, &Deflate::default())
}

/// Reads one message in pieces of so many bytes.
fn inflate_in(
    decompressor: &mut Decompressor,
    payload: &[u8],
    size: usize,
) -> Result<Vec<u8>, InflateError> {
    let mut plain = Vec::new();
    let mut chunks: Vec<&[u8]> = payload.chunks(size).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let end = chunks.len() - 1;
    for (at, mut input) in chunks.into_iter().enumerate() {
        loop {
            match decompressor.inflate(&mut input, at == end)? {
                Inflated::Output(piece) => plain.extend_from_slice(piece),
                Inflated::NeedInput => {
                    assert!(input.is_empty() && at < end);
                    break;
                }
                Inflated::Done => {
                    assert!(input.is_empty() && at == end);
                    break;
                }
            }
        }
    }
    Ok(plain)
}

fn inflate(decompressor: &mut Decompressor, payload: &[u8]) -> Result<Vec<u8>, InflateError> {
    inflate_in(decompressor, payload, usize::MAX)
}

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

/// spec: PA-02, PA-04, PA-06, PA-07, PA-08, PA-18
#[test]
fn every_form_of_a_message_is_read_however_it_is_cut() {
    type Case<'a> = (&'a str, &'a [&'a [u8]], &'a [&'a str]);
    let cases: [Case<'_>; 10] = [
        ("one block", &[HELLO], &["Hello"]),
        (
            "takeover",
            &[HELLO, b"\xf2\x00\x11\x00\x00"],
            &["Hello", "Hello"],
        ),
        (
            "stored",
            &[b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"],
            &["Hello"],
        ),
        (
            "a last block",
            &[b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"],
            &["Hello"],
        ),
        (
            "a last block and nothing",
            &[b"\xf3\x48\xcd\xc9\xc9\x07\x00", HELLO],
            &["Hello", "Hello"],
        ),
        (
            "two blocks",
            &[b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"],
            &["Hello"],
        ),
        (
            "empty",
            &[b"\x00", HELLO, b"\x00", b"\x00", HELLO],
            &["", "Hello", "", "", "Hello"],
        ),
        (
            "empty, a fixed block",
            &[b"\x02\x00", HELLO],
            &["", "Hello"],
        ),
        (
            "empty, a last block",
            &[b"\x03\x00\x00", HELLO],
            &["", "Hello"],
        ),
        (
            "takeover across a last block",
            &[
                b"\xf3\x48\xcd\xc9\xc9\xd7\x51\xc8\x00\x51\x0a\xe5\xf9\x45\x39\x29\x8a\x0a\x00\x00",
                b"\xf2\xc0\x22\x06\x00",
            ],
            &["Hello, hello world! ", "Hello, hello world! "],
        ),
    ];
    for (name, payloads, expected) in cases {
        for size in [1, 2, 3, 5, usize::MAX] {
            let mut decompressor = decompressor(Context::default());
            for (payload, expected) in payloads.iter().zip(expected) {
                let plain = inflate_in(&mut decompressor, payload, size);
                assert_eq!(plain.as_deref(), Ok(expected.as_bytes()), "{name}, {size}");
            }
        }
    }
}

/// spec: PA-09, PA-13, PA-15, PA-17, PA-19
#[test]
fn what_is_no_message_is_an_error_for_ever() {
    let cases: [(&str, &[u8], InflateError); 9] = [
        ("nothing", b"", InflateError::Empty),
        ("block type 3", b"\x06", InflateError::Data),
        ("block type 3, last", b"\x07", InflateError::Data),
        (
            "a stored length that is none",
            b"\x00\x05\x00\x00\x00",
            InflateError::Data,
        ),
        (
            "a past that there is not",
            b"\xf2\x00\x11\x00\x00",
            InflateError::Data,
        ),
        ("cut", b"\xf2\x48\xcd", InflateError::Truncated),
        (
            "cut in a stored block",
            b"\x00\x05\x00\xfa\xff\x48",
            InflateError::Truncated,
        ),
        (
            "the end of a stored block left out",
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f",
            InflateError::Truncated,
        ),
        ("cut in a header", b"\x00\x05", InflateError::Truncated),
    ];
    for (name, payload, error) in cases {
        for size in [1, usize::MAX] {
            let mut decompressor = decompressor(Context::default());
            let read = inflate_in(&mut decompressor, payload, size);
            // Where it is cut decides only whether it is found to be none or too short.
            assert!(read.is_err(), "{name}, {size}: {read:x?}");
            if size > 1 {
                assert_eq!(read, Err(error), "{name}");
            }
            assert_eq!(inflate(&mut decompressor, HELLO), read, "{name}, {size}");
        }
    }
}

/// Every vector cut at every byte is refused: zlib takes a prefix for a message and lets the next one suffer.
///
/// spec: PA-15
#[test]
fn no_prefix_of_a_message_is_a_message() {
    let long: Vec<u8> = (0..3000_u32)
        .map(|at| b'a' + ((at * at) >> 7) as u8 % 20)
        .collect();
    let mut compressor = Compressor::new(Context::default(), &Deflate::default());
    let piece = whole(&long);
    let long = compressor
        .compress(piece, Compress::Always)
        .expect("always");
    for payload in [
        HELLO,
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        &long,
    ] {
        for cut in 1..payload.len() {
            let read = inflate(&mut decompressor(Context::default()), &payload[..cut]);
            // Where the header of an empty stored block is whole it may end: that is what an end looks like.
            let between = payload.len() == 13 && cut == 4;
            assert_eq!(
                read.is_ok(),
                between,
                "{cut} of {}: {read:x?}",
                payload.len()
            );
        }
    }
}

/// The window is that of the agreement, not that of the codec, which takes any.
///
/// spec: PA-10
#[test]
fn a_reference_beyond_the_window_is_refused() {
    let first: Vec<u8> = iter::successors(Some(1_u32), |x| {
        Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
    })
    .map(|x| (x >> 24) as u8)
    .take(700)
    .collect();
    let payloads = lavish_peer([&first, &first[..40]]);
    assert!(payloads[1].len() < 10, "it refers back");
    for bits in 8..=15 {
        let window = WindowBits::new(bits).expect("8 to 15");
        let mut decompressor = decompressor(Context {
            takeover: true,
            window,
        });
        assert_eq!(
            inflate(&mut decompressor, &payloads[0]).as_ref(),
            Ok(&first)
        );
        let second = inflate(&mut decompressor, &payloads[1]);
        let expected = if bits < 10 {
            Err(InflateError::Data)
        } else {
            Ok(first[..40].to_vec())
        };
        assert_eq!(second, expected, "{bits} bits");
    }
}

/// Inside one message zlib-rs takes references of up to 32 KiB; miniz_oxide has no more than the window.
#[test]
fn a_reference_beyond_the_window_inside_a_message() {
    let mut x = 1_u32;
    let noise: Vec<u8> = iter::repeat_with(|| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    })
    .take(70_000)
    .collect();
    for bits in 8..=15 {
        let window = WindowBits::new(bits).expect("8 to 15");
        for (distance, is_within) in [(window.size(), true), (window.size() + 1, false)] {
            let mut plain = noise.clone();
            let end = 2 * window.size();
            plain.copy_within(end - distance..end - distance + 99, end);
            let [message, _] = lavish_peer([&plain[..end + 99], b""]);
            let context = Context {
                takeover: true,
                window,
            };
            for size in [1, 999, usize::MAX] {
                let read = inflate_in(&mut decompressor(context), &message, size);
                // Further back than 32 KiB nothing refers, so the last one says it again.
                let is_taken = is_within || bits == 15 || cfg!(feature = "zlib");
                assert_eq!(read.is_ok(), is_taken, "{bits} bits, {distance} bytes");
                if is_taken {
                    assert_eq!(read.as_deref(), Ok(&plain[..end + 99]));
                }
            }
        }
    }
}

/// Messages of a peer that uses the whole window, each referring to those before it.
fn lavish_peer(messages: [&[u8]; 2]) -> [Vec<u8>; 2] {
    let mut peer = flate2::Compress::new(flate2::Compression::default(), false);
    messages.map(|plain| {
        let mut compressed = Vec::with_capacity(2 * plain.len() + 64);
        peer.compress_vec(plain, &mut compressed, flate2::FlushCompress::Sync)
            .expect("good");
        compressed.truncate(compressed.len() - 4);
        compressed
    })
}

/// spec: PA-09
#[test]
fn without_takeover_nothing_is_remembered() {
    let context = Context {
        takeover: false,
        window: WindowBits::MAX,
    };
    let mut decompressor = decompressor(context);
    assert_eq!(
        inflate(&mut decompressor, HELLO).as_deref(),
        Ok(&b"Hello"[..])
    );
    let again = inflate(&mut decompressor, b"\xf2\x00\x11\x00\x00");
    assert_eq!(again, Err(InflateError::Data));
}

/// Each costs a microsecond, for two bytes.
#[test]
fn last_blocks_are_counted() {
    let blocks = |count: usize| [&b"\x03\x00".repeat(count)[..], b"\x00"].concat();
    assert_eq!(
        inflate(&mut decompressor(Context::default()), &blocks(8)),
        Ok(vec![])
    );
    let refused = inflate(&mut decompressor(Context::default()), &blocks(9000));
    assert_eq!(refused, Err(InflateError::TooManyBlocks));
}

/// spec: PA-16, PA-20
#[test]
fn empty_and_tiny_messages_between_others() {
    for config in [
        DeflateConfig::default(),
        DeflateConfig::ultra(),
        DeflateConfig::tiny(),
    ] {
        let (mut compressor, mut decompressor) = ends(config, Agreement::default().server);
        let hello = "Hello, and hello again. ".repeat(9);
        for plain in ["", "", "a", &hello, "", "b", &hello, &hello, ""] {
            let compressed = compressor.compress(whole(plain.as_bytes()), Compress::Always);
            let compressed = compressed.expect("always");
            assert_eq!(
                inflate(&mut decompressor, &compressed).as_deref(),
                Ok(plain.as_bytes())
            );
            if plain.is_empty() {
                assert_eq!(compressed, [0]);
            }
        }
    }
}

/// A peer that asks for 256 bytes gets no further reference.
///
/// spec: PN-14, PA-14
#[test]
fn messages_keep_to_every_window() {
    let words = ["alpha ", "beta ", "gamma ", "delta ", "epsilon "];
    let mut x = 7_u32;
    for bits in 8..=15 {
        for takeover in [false, true] {
            for config in [DeflateConfig::default(), DeflateConfig::ultra()] {
                let window = WindowBits::new(bits).expect("8 to 15");
                let (mut compressor, mut decompressor) = ends(config, Context { takeover, window });
                for len in [3, 30, 300, 3000] {
                    let mut plain = String::new();
                    for _ in 0..len {
                        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        plain.push_str(words[(x >> 16) as usize % words.len()]);
                    }
                    // In pieces, as long messages are sent: each refers to those before it.
                    let mut read = Vec::new();
                    let end = plain.len().div_ceil(500) - 1;
                    for (at, part) in plain.as_bytes().chunks(500).enumerate() {
                        let piece = Piece {
                            plain: part,
                            is_text: true,
                            is_first: at == 0,
                            is_last: at == end,
                        };
                        let compressed = compressor
                            .compress(piece, Compress::Always)
                            .expect("always");
                        let mut input = &compressed[..];
                        while let Inflated::Output(piece) =
                            decompressor.inflate(&mut input, at == end).expect("good")
                        {
                            read.extend_from_slice(piece);
                        }
                    }
                    assert_eq!(read, plain.as_bytes(), "{bits} bits");
                }
            }
        }
    }
}

fn whole(plain: &[u8]) -> Piece<'_> {
    Piece {
        plain,
        is_text: true,
        is_first: true,
        is_last: true,
    }
}

fn ends(config: DeflateConfig, context: Context) -> (Compressor, Decompressor) {
    let deflate = Deflate::new(config.with_terms(Terms::default()));
    (
        Compressor::new(context, &deflate),
        Decompressor::new(context, &deflate),
    )
}

/// The end of a long message is often short, and that it does not shrink says nothing of the next message.
#[test]
fn the_end_of_a_message_that_does_not_shrink_is_no_failure() {
    for config in [DeflateConfig::default(), DeflateConfig::ultra()] {
        let (mut compressor, mut decompressor) = ends(config, Context::default());
        let plain = b"one two three four five six. ".repeat(50);
        for _ in 0..5 {
            for end in [&b"!"[..], b""] {
                let mut payload = Vec::new();
                for (plain, is_first) in [(&plain[..], true), (end, false)] {
                    let piece = Piece {
                        plain,
                        is_text: true,
                        is_first,
                        is_last: !is_first,
                    };
                    let compressed = compressor.compress(piece, Compress::Auto);
                    payload.extend(compressed.expect("it shrinks each time"));
                }
                let expected = [&plain[..], end].concat();
                assert_eq!(inflate(&mut decompressor, &payload), Ok(expected));
            }
        }
    }
}

/// Each message is too short for anything in it to repeat; still the second is a fraction of itself.
///
/// spec: PA-09, PA-21
#[cfg(feature = "zlib")] // The other codec takes no dictionary.
#[test]
fn short_messages_refer_to_the_first() {
    let noise: Vec<u8> = (0..64_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let cases = [
        (
            true,
            br#"{"symbol":"ACME","bid":101.25,"ask":101.27,"size":4200,"time":1}"#.to_vec(),
        ),
        (false, noise),
    ];
    for (is_text, plain) in cases {
        let piece = Piece {
            is_text,
            ..whole(&plain)
        };
        let sent = |config: DeflateConfig| {
            let (mut compressor, mut decompressor) = ends(config, Agreement::default().server);
            [(); 2].map(|()| {
                let sent = compressor.compress(piece, Compress::Auto)?;
                assert_eq!(inflate(&mut decompressor, &sent).as_ref(), Ok(&plain));
                Some(sent.len())
            })
        };
        let with_history = sent(DeflateConfig::default());
        let [Some(first), Some(second)] = with_history else {
            panic!("{with_history:?}");
        };
        assert!(first < plain.len() + 8 && second < 16, "{first} {second}");
        // With nothing to refer to it is not worth the time.
        assert_eq!(sent(DeflateConfig::tiny()), [None, None]);
        assert_eq!(sent(DeflateConfig::default().with_history(0)), [None, None]);
    }
}
