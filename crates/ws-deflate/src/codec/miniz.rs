//! miniz_oxide: without `std`, and without `unsafe` code in it.
//!
//! It has no dictionary for compressing, so what is sent refers to nothing before its own piece. Its `window_bits` are not
//! kept to (0.9.1 refers up to 32,681 bytes back with 8), so a smaller window is kept by beginning anew after each so many
//! bytes. Decompressing works in a buffer of ours, of the size of the window, so no reference can reach beyond it.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress_with_limit};

use super::Step;
use crate::{Level, WindowBits};

/// Whether a message may refer to what [`Deflater::begin`] is given.
pub(crate) const TAKES_HISTORY: bool = false;

/// Output of one step at most.
const STEP: usize = 16 * 1024;

/// A compressor.
pub(crate) struct Deflater {
    deflate: Box<CompressorOxide>,
    window: usize,
    level: Level,
}

impl Deflater {
    pub(crate) fn new(window: WindowBits) -> Self {
        Self {
            deflate: Box::default(),
            window: window.size(),
            level: Level::DEFAULT,
        }
    }

    /// Begins with nothing to refer to.
    pub(crate) fn begin(&mut self, level: Level, _: [&[u8]; 2]) -> Option<()> {
        self.level = level;
        Some(())
    }

    /// Compresses all of `plain`, to the end of a block and of a byte, behind `compressed`. `None`: it is of no use any
    /// more, for it did not finish.
    pub(crate) fn compress(&mut self, plain: &[u8], compressed: &mut Vec<u8>) -> Option<()> {
        let mut rest = plain;
        loop {
            // What is no longer than the window can refer to nothing beyond it.
            let (part, behind) = rest.split_at_checked(self.window).unwrap_or((rest, &[]));
            rest = behind;
            self.deflate.reset();
            self.deflate
                .set_format_and_level(DataFormat::Raw, self.level.into());
            let write = |written: &[u8]| {
                compressed.extend_from_slice(written);
                true
            };
            let (status, consumed) =
                compress_to_output(&mut self.deflate, part, TDEFLFlush::Sync, write);
            if status != TDEFLStatus::Okay || consumed != part.len() {
                return None;
            }
            if rest.is_empty() {
                return Some(());
            }
        }
    }
}

/// A decompressor.
pub(crate) struct Inflater {
    inflate: Box<DecompressorOxide>,
    /// As much as may be referred to: what came before in front of `at`, and once it has been full, older bytes behind it.
    ring: Vec<u8>,
    at: usize,
    has_been_full: bool,
    /// Where the output of the last step begins.
    output: usize,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self {
            inflate: Box::default(),
            ring: Vec::new(),
            at: 0,
            has_been_full: false,
            output: 0,
        }
    }

    /// Forgets everything but `history`, which may be referred to, as far as `window` reaches. `None`: it is of no use any
    /// more.
    pub(crate) fn begin(&mut self, history: [&[u8]; 2], window: WindowBits) -> Option<()> {
        self.inflate.init();
        if self.ring.len() != window.size() {
            self.ring = vec![0; window.size()];
        }
        self.at = 0;
        self.has_been_full = false;
        for part in history {
            let end = self.at.checked_add(part.len())?;
            self.ring.get_mut(self.at..end)?.copy_from_slice(part);
            self.advance(part.len());
        }
        Some(())
    }

    /// Decompresses until `compressed` or the room for output is used up, or a last block ends, or what comes is no DEFLATE
    /// data, after which only [`begin`](Self::begin) is of use.
    pub(crate) fn inflate(&mut self, compressed: &[u8]) -> Step {
        // A reference as far back as the window is the byte that is about to be replaced. As long as the window has not
        // been full, what is behind `at` is of another message, and this flag forbids to refer to it.
        let flags = match self.has_been_full {
            true => TINFL_FLAG_HAS_MORE_INPUT,
            false => TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
        };
        let (status, consumed, produced) = decompress_with_limit(
            &mut self.inflate,
            compressed,
            &mut self.ring,
            self.at,
            STEP,
            flags,
        );
        self.output = self.at;
        self.advance(produced);
        Step {
            consumed,
            produced,
            is_end: status == TINFLStatus::Done,
            is_broken: !matches!(
                status,
                TINFLStatus::Done | TINFLStatus::HasMoreOutput | TINFLStatus::NeedsMoreInput
            ),
            is_full: status == TINFLStatus::HasMoreOutput,
        }
    }

    /// What the last step produced.
    pub(crate) fn output(&self, produced: usize) -> &[u8] {
        let end = self.output.saturating_add(produced);
        self.ring.get(self.output..end).unwrap_or_default()
    }

    /// Notes that so many bytes were written.
    fn advance(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
        if self.at >= self.ring.len() {
            self.at = 0;
            self.has_been_full = true;
        }
    }
}
