//! Compressed messages mean the same however they are cut, bounded in what a step does; what is taken is what another
//! reader makes of it, and what is refused stays refused.

use flate2::{Decompress, FlushDecompress, Status};
use ws_deflate::{Context, Decompressor, Deflate, InflateError, Inflated, WindowBits};

/// What a test is willing to decompress.
const MAX_PLAIN: usize = 4 * 1024 * 1024;

/// A step gives so much at most.
const MAX_STEP: usize = 16 * 1024;

pub(crate) fn run(data: &[u8]) {
    let Some((&settings, data)) = data.split_first() else {
        return;
    };
    let context = Context {
        takeover: settings & 8 != 0,
        window: WindowBits::new(8 + settings % 8).expect("8 to 15"),
    };
    let deflate = Deflate::default();
    let mut whole = Decompressor::new(context, &deflate);
    let mut cut = Decompressor::new(context, &deflate);
    let mut other = context.takeover.then(|| Decompress::new(false));
    let mut budget = MAX_PLAIN;
    for message in crate::cuts::cut(data) {
        let read = inflate(&mut whole, message, usize::MAX, budget);
        // All of it would be held otherwise, but for long messages.
        cut.hold_nothing();
        let in_pieces = inflate(&mut cut, message, usize::from(settings >> 4) + 1, budget);
        let (Some(read), Some(in_pieces)) = (read, in_pieces) else {
            return;
        };
        // Also what comes before an error, and which one it is.
        assert_eq!(in_pieces, read);
        let (plain, error) = read;
        if error.is_some() {
            // It is over, for good messages too.
            for decompressor in [&mut whole, &mut cut] {
                let again = inflate(decompressor, b"\x00", usize::MAX, 1);
                assert_eq!(again, Some((Vec::new(), error)));
            }
            return;
        }
        budget -= plain.len();
        if !context.takeover {
            other = Some(Decompress::new(false));
        }
        other = other.and_then(|other| compare(other, message, &plain));
    }
}

/// Reads a message in pieces of `size`, up to its end or what is wrong with it; `None` if it comes to more than `budget`.
fn inflate(
    decompressor: &mut Decompressor,
    message: &[u8],
    size: usize,
    budget: usize,
) -> Option<(Vec<u8>, Option<InflateError>)> {
    let mut plain = Vec::new();
    let mut rest = message;
    loop {
        let (mut piece, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        loop {
            let before = piece.len();
            match decompressor.inflate(&mut piece, rest.is_empty()) {
                Ok(Inflated::Output(output)) => {
                    assert!(output.len() <= MAX_STEP && before - piece.len() <= MAX_STEP);
                    plain.extend_from_slice(output);
                    if plain.len() > budget {
                        return None;
                    }
                }
                Ok(Inflated::NeedInput) => {
                    assert!(piece.is_empty() && !rest.is_empty());
                    break;
                }
                Ok(Inflated::Done) => {
                    assert!(piece.is_empty() && rest.is_empty());
                    return Some((plain, None));
                }
                Err(error) => return Some((plain, Some(error))),
            }
        }
    }
}

/// Lets another reader read the message; `None` when it knows no more of what comes next, because a last block has ended.
fn compare(mut other: Decompress, message: &[u8], plain: &[u8]) -> Option<Decompress> {
    let message = [message, &[0x00, 0x00, 0xff, 0xff]].concat();
    let mut read = Vec::with_capacity(plain.len() + 1);
    let before = other.total_in();
    loop {
        let done = usize::try_from(other.total_in() - before).expect("in memory");
        let status = other.decompress_vec(&message[done..], &mut read, FlushDecompress::Sync);
        match status.expect("what we take is good") {
            Status::StreamEnd => {
                assert!(plain.starts_with(&read));
                return None;
            }
            Status::Ok if read.len() == read.capacity() => read.reserve(1),
            Status::Ok | Status::BufError => break,
        }
    }
    assert_eq!(read, plain);
    Some(other)
}
