//! Masking (RFC 6455 section 5.3): each byte of a payload, exclusive-or a byte of the key.

mod kernel;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod simd;

use kernel::{Copied, InPlace, Span};

/// The fastest kernel there is for what is compiled in.
#[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
use kernel::portable as apply;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use simd::apply;

/// The four bytes a frame's payload is masked with (RFC 6455 section 5.3).
///
/// Masking and unmasking are the same operation. It hides nothing from anyone who sees the frame:
/// it keeps a script from choosing the bytes that go over the wire, for which the key must be
/// new for each frame and unpredictable (section 10.3). Where keys come from is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MaskKey([u8; 4]);

impl MaskKey {
    /// The key with these bytes, in the order they have on the wire.
    #[inline]
    #[must_use]
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The bytes of this key, in the order they have on the wire.
    #[inline]
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// Masks or unmasks `data` in place.
    ///
    /// `phase` is how many bytes of the same payload went before `data`: 0 at its start. A payload
    /// masked in pieces, each with its phase, is masked as if at once.
    #[inline]
    pub fn apply(self, phase: usize, data: &mut [u8]) {
        apply(self.word(phase), InPlace(data));
    }

    /// Masks or unmasks from `source` to `target`, in one pass, and says how many bytes that was:
    /// as many as the shorter of the two has. The rest of `target` is left alone.
    ///
    /// `phase` as in [`apply`](Self::apply).
    #[inline]
    pub fn apply_into(self, phase: usize, source: &[u8], target: &mut [u8]) -> usize {
        let span = Copied::new(source, target);
        let len = span.len();
        apply(self.word(phase), span);
        len
    }

    /// Eight bytes of key for data that `phase` bytes of the payload went before.
    const fn word(self, phase: usize) -> u64 {
        let half = u32::from_ne_bytes(self.0) as u64;
        kernel::turn(half << 32 | half, phase)
    }
}

impl From<[u8; 4]> for MaskKey {
    #[inline]
    fn from(bytes: [u8; 4]) -> Self {
        Self::new(bytes)
    }
}

impl From<MaskKey> for [u8; 4] {
    #[inline]
    fn from(key: MaskKey) -> Self {
        key.to_bytes()
    }
}

#[cfg(test)]
mod tests;
