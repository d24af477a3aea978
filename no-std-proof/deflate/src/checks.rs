//! The RFC's own bytes, and messages there and back.

use alloc::vec::Vec;

use ws_deflate::{
    Compress, Compressor, Context, Decompressor, Deflate, DeflateConfig, Inflated, Offer, Piece,
    WindowBits,
};

/// Runs every check; the error is the number of the first that failed. `input` is one more message.
pub fn run(input: &[u8]) -> Result<(), u8> {
    check(1, negotiates())?;
    check(2, reads_hello())?;
    check(3, refuses_what_is_cut())?;
    let text = b"No std, no libc, and a window of any size. ".repeat(40);
    for bits in 8..=15 {
        check(bits, reads_back(&text, bits))?;
        check(bits, reads_back(input, bits))?;
    }
    Ok(())
}

fn check(number: u8, passed: bool) -> Result<(), u8> {
    if passed { Ok(()) } else { Err(number) }
}

/// What is sent refers to nothing before its message, and the client is told so. A smaller window is declined.
fn negotiates() -> bool {
    let deflate = Deflate::new(DeflateConfig::default());
    let answer = |server_max_window_bits| {
        let offered = [
            ("client_max_window_bits", None),
            ("server_max_window_bits", Some(server_max_window_bits)),
        ];
        let offer = Offer::parse(offered.into_iter()).ok()?;
        deflate.terms().accept([offer].into_iter())
    };
    let is_accepted = answer("15").is_some_and(|answer| {
        answer.server_no_context_takeover
            && answer.server_max_window_bits == WindowBits::new(15)
            && answer.client_max_window_bits == WindowBits::new(12)
    });
    is_accepted && answer("14").is_none()
}

/// Sections 7.2.3.1 and 7.2.3.2: "Hello", and "Hello" again by reference to the first.
fn reads_hello() -> bool {
    let mut decompressor = Decompressor::new(Context::default(), &Deflate::default());
    [
        &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        b"\xf2\x00\x11\x00\x00",
    ]
    .into_iter()
    .all(|message| read(&mut decompressor, message).as_deref() == Some(b"Hello"))
}

fn refuses_what_is_cut() -> bool {
    let mut decompressor = Decompressor::new(Context::default(), &Deflate::default());
    read(&mut decompressor, b"\xf2\x48\xcd").is_none() && read(&mut decompressor, b"\x00").is_none()
}

fn reads_back(plain: &[u8], bits: u8) -> bool {
    let Some(window) = WindowBits::new(bits) else {
        return false;
    };
    let context = Context {
        takeover: true,
        window,
    };
    let deflate = Deflate::default();
    let mut compressor = Compressor::new(context, &deflate);
    let mut decompressor = Decompressor::new(context, &deflate);
    let piece = Piece {
        plain,
        is_text: true,
        is_first: true,
        is_last: true,
    };
    (0..2).all(|_| {
        let compressed = compressor.compress(piece, Compress::Always);
        compressed.is_some_and(|compressed| {
            read(&mut decompressor, &compressed).as_deref() == Some(plain)
        })
    })
}

fn read(decompressor: &mut Decompressor, mut input: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    loop {
        match decompressor.inflate(&mut input, true).ok()? {
            Inflated::Output(piece) => plain.extend_from_slice(piece),
            Inflated::NeedInput => return None,
            Inflated::Done => return Some(plain),
        }
    }
}
