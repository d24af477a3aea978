//! zlib-rs.
//!
//! Its constructors panic for sizes and levels outside their range, so none but checked types get there. Two defects of
//! it (0.6.8) shape what is done here and in [`pool`](crate::pool): `Deflate::reset` while output is pending leads to a
//! panic many messages later, so a compressor that did not finish is dropped and never reset; and `Inflate` takes
//! references beyond its window, so the window is enforced by the dictionary that each message begins with.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::Step;
use crate::{Level, WindowBits};

/// Whether a message may refer to what [`Deflater::begin`] is given.
pub(crate) const TAKES_HISTORY: bool = true;

/// Size of the buffer that output passes through. Up to 16 KiB each larger one is quicker, beyond it by less than 5 %
/// for what is compressed with a window of 4 KiB.
const SCRATCH: usize = 16 * 1024;

/// Above 5 it costs time for clearing (8: 8 % of a message of 1 KiB), and saves no byte up to 4 KiB.
const MEM_LEVEL: i32 = 5;

/// zlib has no window of 8 bits. With 9 it never refers further back than 250 bytes, 262 less than the window's size:
/// that keeps to 8 bits too.
const MIN_WINDOW: u8 = 9;

/// A compressor, which may have the past of one connection in it.
pub(crate) struct Deflater {
    deflate: Deflate,
    scratch: Box<[u8]>,
}

impl Deflater {
    pub(crate) fn new(window: WindowBits) -> Self {
        let config = DeflateConfig {
            level: Level::DEFAULT.into(),
            window_bits: -i32::from(window.get().max(MIN_WINDOW)),
            mem_level: MEM_LEVEL,
            ..DeflateConfig::default()
        };
        Self {
            deflate: Deflate::new_with_config(config),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        }
    }

    /// Forgets everything but `history`. `None`: it is of no use any more.
    pub(crate) fn begin(&mut self, level: Level, history: [&[u8]; 2]) -> Option<()> {
        self.deflate.reset();
        self.deflate.set_level(level.into()).ok()?;
        for part in history {
            if !part.is_empty() {
                self.deflate.set_dictionary(part).ok()?;
            }
        }
        Some(())
    }

    /// Compresses all of `plain`, to the end of a block and of a byte, behind `compressed`. `None`: it is of no use any
    /// more, for it did not finish.
    pub(crate) fn compress(&mut self, plain: &[u8], compressed: &mut Vec<u8>) -> Option<()> {
        let mut rest = plain;
        loop {
            let (read, written) = (self.deflate.total_in(), self.deflate.total_out());
            let status = self
                .deflate
                .compress(rest, &mut self.scratch, DeflateFlush::SyncFlush);
            let consumed = difference(self.deflate.total_in(), read);
            let produced = difference(self.deflate.total_out(), written);
            rest = rest.get(consumed..)?;
            compressed.extend_from_slice(self.scratch.get(..produced)?);
            // Only with room to spare is it known that nothing is left to be written.
            match status {
                Ok(Status::Ok) if produced < SCRATCH && rest.is_empty() => return Some(()),
                Ok(Status::Ok) if consumed > 0 || produced > 0 => {}
                _ => return None,
            }
        }
    }
}

/// A decompressor.
pub(crate) struct Inflater {
    inflate: Inflate,
    scratch: Box<[u8]>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self {
            inflate: Inflate::new(false, WindowBits::MAX.get()),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        }
    }

    /// Forgets everything but `history`, which may be referred to, as far as the window reaches: no more is to be given.
    /// `None`: it is of no use any more.
    pub(crate) fn begin(&mut self, history: [&[u8]; 2], _: WindowBits) -> Option<()> {
        self.inflate.reset(false);
        for part in history {
            if !part.is_empty() {
                self.inflate.set_dictionary(part).ok()?;
            }
        }
        Some(())
    }

    /// Decompresses until `compressed` or the room for output is used up, or a last block ends, or what comes is no DEFLATE
    /// data, after which only [`begin`](Self::begin) is of use.
    pub(crate) fn inflate(&mut self, compressed: &[u8]) -> Step {
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(compressed, &mut self.scratch, InflateFlush::NoFlush);
        let produced = difference(self.inflate.total_out(), written);
        let is_end = matches!(status, Ok(Status::StreamEnd));
        Step {
            consumed: difference(self.inflate.total_in(), read),
            produced,
            is_end,
            is_broken: status.is_err(),
            is_full: produced >= SCRATCH && !is_end,
        }
    }

    /// What the last step produced.
    pub(crate) fn output(&self, produced: usize) -> &[u8] {
        self.scratch.get(..produced).unwrap_or_default()
    }
}

/// How far a counter has come, by no more than a buffer holds.
fn difference(now: u64, before: u64) -> usize {
    usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX)
}
