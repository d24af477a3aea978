//! Masking (RFC 6455 section 5.3): each byte of a payload, exclusive-or a byte of the key.

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
        apply_words(self.word(phase), data);
    }

    /// Masks or unmasks from `source` to `target`, in one pass, and says how many bytes that was:
    /// as many as the shorter of the two has. The rest of `target` is left alone.
    ///
    /// `phase` as in [`apply`](Self::apply).
    #[inline]
    pub fn apply_into(self, phase: usize, source: &[u8], target: &mut [u8]) -> usize {
        let len = source.len().min(target.len());
        if let (Some(source), Some(target)) = (source.get(..len), target.get_mut(..len)) {
            target.copy_from_slice(source);
            self.apply(phase, target);
        }
        len
    }

    /// Eight bytes of key for data that `phase` bytes of the payload went before.
    #[inline]
    const fn word(self, phase: usize) -> u64 {
        let bits = (phase as u32 & 3).wrapping_mul(8);
        let key = u32::from_le_bytes(self.0).rotate_right(bits);
        let [a, b, c, d] = key.to_le_bytes();
        u64::from_ne_bytes([a, b, c, d, a, b, c, d])
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

#[inline]
fn apply_words(word: u64, data: &mut [u8]) {
    let (words, tail) = data.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
    }
}
