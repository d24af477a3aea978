//! What is compressed is read back, by us and by another reader, whatever is agreed and whatever goes before.

use flate2::{Decompress, FlushDecompress};
use ws_deflate::{
    Compress, Compressor, Context, Decompressor, Deflate, DeflateConfig, Inflated, Piece, Terms,
    WindowBits,
};

pub(crate) fn run(data: &[u8]) {
    let Some((&[agreed, how], data)) = data.split_first_chunk() else {
        return;
    };
    let context = Context {
        takeover: agreed & 8 != 0,
        window: WindowBits::new(8 + agreed % 8).expect("8 to 15"),
    };
    let config = match agreed >> 4 & 3 {
        0 => DeflateConfig::default(),
        1 => DeflateConfig::ultra(),
        2 => DeflateConfig::default().with_terms(Terms::default()),
        _ => DeflateConfig::tiny(),
    };
    let deflate = Deflate::new(config.with_min_len(usize::from(how & 7)));
    let mut compressor = Compressor::new(context, &deflate);
    // Another connection takes turns with it, and its contexts.
    let mut rival = Compressor::new(context, &deflate);
    let mut decompressor = Decompressor::new(context, &deflate);
    let mut other = Decompress::new(false);
    for (at, message) in crate::cuts::cut(data).into_iter().enumerate() {
        let compress = match how >> 3 & 3 {
            0 => Compress::Always,
            1 if at % 3 == 0 => Compress::Never,
            _ => Compress::Auto,
        };
        // Each in up to four pieces.
        let pieces = 1 + at % 4;
        let mut payload = Some(Vec::new());
        for (index, plain) in split(message, pieces).into_iter().enumerate() {
            let piece = Piece {
                plain,
                is_text: how & 0x20 != 0,
                is_first: index == 0,
                is_last: index + 1 == pieces,
            };
            if index == 0 && how & 0x40 != 0 {
                rival.compress(piece, Compress::Always);
            }
            if let Some(so_far) = &mut payload {
                match compressor.compress(piece, compress) {
                    Some(compressed) => so_far.extend_from_slice(&compressed),
                    None => {
                        assert!(index == 0 && compress != Compress::Always);
                        payload = None;
                    }
                }
            }
        }
        let Some(payload) = payload else {
            continue;
        };
        assert_eq!(read(&mut decompressor, &payload), message);
        if !context.takeover {
            other.reset(false);
        }
        let with_tail = [&payload[..], &[0x00, 0x00, 0xff, 0xff]].concat();
        let mut plain = Vec::with_capacity(message.len() + 1);
        other
            .decompress_vec(&with_tail, &mut plain, FlushDecompress::Sync)
            .expect("good");
        assert_eq!(plain, message);
    }
}

fn split(message: &[u8], pieces: usize) -> Vec<&[u8]> {
    let size = message.len() / pieces;
    (0..pieces)
        .map(|index| match index + 1 == pieces {
            true => &message[index * size..],
            false => &message[index * size..(index + 1) * size],
        })
        .collect()
}

fn read(decompressor: &mut Decompressor, mut payload: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    loop {
        match decompressor.inflate(&mut payload, true).expect("good") {
            Inflated::Output(piece) => plain.extend_from_slice(piece),
            Inflated::NeedInput => unreachable!("that was all"),
            Inflated::Done => return plain,
        }
    }
}
