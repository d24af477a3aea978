//! What goes into a codec and comes out of it.

use core::fmt;

/// A message to be compressed, or a piece of it.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a piece is bytes and its place in a message"
)]
pub struct Piece<'a> {
    /// The plain bytes.
    pub plain: &'a [u8],
    /// Whether the message is text.
    pub is_text: bool,
    /// Whether it is the message's first piece.
    pub is_first: bool,
    /// Whether it is the message's last piece.
    pub is_last: bool,
}

/// What one step of a [`Decompressor`](crate::Decompressor) led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a step produces something, or needs something, or is the last"
)]
pub enum Inflated<'a> {
    /// The next plain bytes of the message, perhaps none: ask again.
    Output(&'a [u8]),
    /// All input was taken, and there is more to come.
    NeedInput,
    /// The message is complete.
    Done,
}

/// Why a compressed message cannot be read. The peer wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InflateError {
    /// It has no bytes at all; even an empty message has one.
    Empty,
    /// It is no DEFLATE data, or refers further back than was agreed.
    Data,
    /// It ends inside a block.
    Truncated,
    /// It has too many last blocks.
    TooManyBlocks,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a compressed message has no bytes",
            Self::Data => "a compressed message is not valid DEFLATE data",
            Self::Truncated => "a compressed message ends inside a block",
            Self::TooManyBlocks => "a compressed message has too many final blocks",
        })
    }
}

impl core::error::Error for InflateError {}
