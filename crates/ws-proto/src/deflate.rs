//! Compressing what is framed (RFC 7692 §6.1), and the codec for it, or its absence.

use alloc::vec::Vec;

use ws_deflate::{Compress, Piece};
use ws_frame::{Opcode, Rsv};

use crate::PreparedMessage;
use crate::prepared::Deflated;

/// Longer messages are compressed and framed in pieces of this size: each takes half a millisecond, a whole one at the
/// worst, and then what else there is to do gets its turn.
const PIECE: usize = 32 * 1024;

/// Once a call has compressed so many bytes, it leaves the rest to the next: the plain bytes of two pieces.
const BURST: usize = 2 * PIECE;

/// Compresses what a connection sends.
#[derive(Debug)]
pub(crate) struct Deflating {
    compressor: Compressor,
    /// Whether the message whose fragments are being framed is compressed.
    compressing: bool,
    /// Whether that message is text.
    is_text: bool,
    /// How many plain bytes the call has compressed.
    burst: usize,
    /// Whether what is framed now is not to be compressed if that can be avoided.
    pub(crate) hurried: bool,
}

impl Deflating {
    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    pub(crate) const fn new(compressor: Compressor) -> Self {
        Self {
            compressor,
            compressing: false,
            is_text: false,
            burst: 0,
            hurried: false,
        }
    }

    /// A call begins, which may do some work again.
    pub(crate) const fn begin_call(&mut self) {
        self.burst = 0;
    }

    /// Whether the call has compressed as much as it may.
    pub(crate) const fn is_enough(&self) -> bool {
        self.burst >= BURST
    }

    /// How much of a message is compressed at once; `None` if it will not be.
    pub(crate) fn piece_size(&self, opcode: Opcode, compress: Compress) -> Option<usize> {
        let may_compress = match opcode {
            Opcode::Continuation => self.compressing,
            _ => compress != Compress::Never,
        };
        may_compress.then_some(PIECE)
    }

    /// The payload of a piece of a message and the reserved bits of its first frame; `None` if it goes as it is.
    pub(crate) fn compress(
        &mut self,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
        compress: Compress,
    ) -> Option<(Rsv, Vec<u8>)> {
        let is_first = opcode != Opcode::Continuation;
        if is_first {
            self.is_text = opcode == Opcode::Text;
        } else if !self.compressing {
            return None;
        }
        let piece = Piece {
            plain: payload,
            is_text: self.is_text,
            is_first,
            is_last: fin,
        };
        let compress = match self.hurried {
            true => Compress::Never,
            false => compress,
        };
        let compressed = self.compressor.compress(piece, compress);
        self.compressing = compressed.is_some();
        let compressed = compressed?;
        // What does not shrink is tried ever less often, and need not be counted.
        self.burst = self.burst.saturating_add(payload.len());
        let rsv = if is_first { Rsv::RSV1 } else { Rsv::NONE };
        Some((rsv, compressed))
    }

    /// What was compressed of `message` for all connections, if it serves this one too: if it keeps to its window.
    pub(crate) fn serves<'a>(
        &self,
        message: &'a PreparedMessage,
        fragment_size: usize,
    ) -> Option<&'a Deflated> {
        let deflated = message.deflated()?;
        let serves =
            deflated.window <= self.compressor.window() && deflated.payload_len <= fragment_size;
        serves.then_some(deflated)
    }

    /// The same, for it to be sent next.
    pub(crate) fn adopt<'a>(
        &mut self,
        message: &'a PreparedMessage,
        fragment_size: usize,
    ) -> Option<&'a Deflated> {
        let deflated = self.serves(message, fragment_size)?;
        self.compressor.adopt(message.as_bytes());
        Some(deflated)
    }
}

#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
pub(crate) use ws_deflate::{Compressor, Decompressor};

#[cfg(not(any(feature = "deflate", feature = "deflate-miniz")))]
pub(crate) use absent::{Compressor, Decompressor};

/// What there is none of without the codec.
#[cfg(not(any(feature = "deflate", feature = "deflate-miniz")))]
mod absent {
    use alloc::vec::Vec;

    use ws_deflate::{Compress, InflateError, Inflated, Piece, WindowBits};

    #[derive(Debug)]
    pub(crate) enum Compressor {}

    #[derive(Debug)]
    pub(crate) enum Decompressor {}

    impl Compressor {
        pub(crate) fn compress(&mut self, _: Piece<'_>, _: Compress) -> Option<Vec<u8>> {
            match *self {}
        }

        pub(crate) fn adopt(&mut self, _: &[u8]) {
            match *self {}
        }

        pub(crate) fn window(&self) -> WindowBits {
            match *self {}
        }
    }

    impl Decompressor {
        pub(crate) fn hold_nothing(&mut self) {
            match *self {}
        }

        pub(crate) fn produced(&self) -> u64 {
            match *self {}
        }

        pub(crate) fn inflate(
            &mut self,
            _: &mut &[u8],
            _: bool,
        ) -> Result<Inflated<'_>, InflateError> {
            match *self {}
        }
    }
}
