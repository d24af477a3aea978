//! The size of an LZ77 sliding window.

use core::fmt;

/// The base-2 logarithm of an LZ77 window's size, 8 to 15 (RFC 7692 section 7.1.2): how far back a compressed message may
/// refer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 256 bytes.
    pub const MIN: Self = Self(8);
    /// 32 KiB: what holds where nothing is agreed.
    pub const MAX: Self = Self(15);

    /// `None` outside 8 to 15.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The number of bits.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The size of the window in bytes: 256 to 32,768.
    #[must_use]
    pub const fn size(self) -> usize {
        1 << self.0
    }

    /// Reads a parameter's value: decimal without a leading zero (section 7.1.2.1).
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let bits = match value.as_bytes() {
            [digit @ b'8'..=b'9'] => digit.wrapping_sub(b'0'),
            [b'1', digit @ b'0'..=b'5'] => digit.wrapping_sub(b'0').wrapping_add(10),
            _ => return None,
        };
        Self::new(bits)
    }
}

/// Nothing is agreed.
impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
