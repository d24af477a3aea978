//! The codec of permessage-deflate, or its absence.

#[cfg(feature = "deflate")]
pub(crate) use ws_deflate::{Compressor, Decompressor};

#[cfg(not(feature = "deflate"))]
pub(crate) use absent::{Compressor, Decompressor};

/// What there is none of without the codec.
#[cfg(not(feature = "deflate"))]
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
        pub(crate) fn inflate(
            &mut self,
            _: &mut &[u8],
            _: bool,
        ) -> Result<Inflated<'_>, InflateError> {
            match *self {}
        }
    }
}
