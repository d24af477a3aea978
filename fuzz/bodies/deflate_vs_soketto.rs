//! Another library's permessage-deflate, on zlib, reads what this one compresses, and the other way round. It takes nothing
//! over between messages.

use soketto::base::{Header, OpCode};
use soketto::extension::deflate::Deflate as Other;
use soketto::extension::{Extension, Param};
use soketto::{Mode, Storage};
use ws_deflate::{
    Compress, Compressor, Context, Decompressor, Deflate, DeflateConfig, Inflated, Piece,
    WindowBits,
};

pub(crate) fn run(data: &[u8]) {
    let Some((&settings, data)) = data.split_first() else {
        return;
    };
    let bits = 9 + settings % 7;
    let context = Context {
        takeover: false,
        window: WindowBits::new(bits).expect("9 to 15"),
    };
    let deflate = Deflate::new(match settings & 0x80 {
        0 => DeflateConfig::default(),
        _ => DeflateConfig::tiny(),
    });
    let mut compressor = Compressor::new(context, &deflate);
    let mut decompressor = Decompressor::new(context, &deflate);
    let mut other = agreed(bits);
    for message in crate::cuts::cut(data) {
        let piece = Piece {
            plain: message,
            is_text: false,
            is_first: true,
            is_last: true,
        };
        let sent = compressor.compress(piece, Compress::Always);
        let sent = sent.expect("always");
        assert_eq!(read_by_other(&mut other, &sent).as_deref(), Some(message));
        if let Some(received) = written_by_other(&mut other, message) {
            let read = read(&mut decompressor, &received);
            assert_eq!(read.as_deref(), Some(message));
        }
        // What both take for a message is the same one. (Each takes what the other does not: it does not look at how a
        // message ends, and nothing may come behind a last block.)
        let mut fresh = Decompressor::new(context, &deflate);
        if let (Some(plain), Some(by_other)) = (
            read(&mut fresh, message),
            read_by_other(&mut other, message),
        ) {
            assert!(plain.starts_with(&by_other));
        }
    }
}

/// The other one as a server that keeps to a window of so many bits.
fn agreed(bits: u8) -> Other {
    let mut window = Param::new("server_max_window_bits");
    window.set_value(Some(bits.to_string()));
    let mut other = Other::new(Mode::Server);
    other.configure(&[window]).expect("it accepts that");
    assert!(other.is_enabled());
    other
}

fn read_by_other(other: &mut Other, payload: &[u8]) -> Option<Vec<u8>> {
    let mut header = Header::new(OpCode::Binary);
    header.set_fin(true).set_rsv1(true);
    let mut data = payload.to_vec();
    other.decode(&mut header, &mut data).ok()?;
    Some(data)
}

/// `None` for an empty message, which it does not compress.
fn written_by_other(other: &mut Other, message: &[u8]) -> Option<Vec<u8>> {
    let mut header = Header::new(OpCode::Binary);
    header.set_fin(true);
    let mut data = Storage::Shared(message);
    other.encode(&mut header, &mut data).expect("it compresses");
    header.is_rsv1().then(|| data.as_ref().to_vec())
}

fn read(decompressor: &mut Decompressor, mut payload: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    loop {
        match decompressor.inflate(&mut payload, true) {
            Ok(Inflated::Output(output)) => plain.extend_from_slice(output),
            Ok(Inflated::NeedInput) => unreachable!("that was the last of it"),
            Ok(Inflated::Done) => return Some(plain),
            Err(_) => return None,
        }
    }
}
