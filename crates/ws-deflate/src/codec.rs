//! The DEFLATE implementation (RFC 1951), behind what the rest of this crate asks of it.

#[cfg(not(feature = "zlib"))]
mod miniz;
#[cfg(feature = "zlib")]
mod zlib;

#[cfg(not(feature = "zlib"))]
pub(crate) use miniz::{Deflater, Inflater, TAKES_HISTORY};
#[cfg(feature = "zlib")]
pub(crate) use zlib::{Deflater, Inflater, TAKES_HISTORY};

/// What an empty stored block ends with: "an empty DEFLATE block with no compression" (RFC 7692 section 7.2.1) ends each
/// message, and these bytes of it are left out.
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What one step of an [`Inflater`] did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) consumed: usize,
    pub(crate) produced: usize,
    /// Whether a block marked as the last one has ended.
    pub(crate) is_end: bool,
    /// Whether what comes next is no DEFLATE data. What was produced before it is good.
    pub(crate) is_broken: bool,
    /// Whether there may be more to produce without more input.
    pub(crate) is_full: bool,
}
