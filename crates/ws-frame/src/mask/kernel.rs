//! The mask kernels, in safe code, written once for masking in place and from one buffer to
//! another.
//!
//! A kernel takes eight bytes of key as they lie in memory, and leaves the number of registers and
//! their width to the compiler: the loops below become vector code for whatever instruction set
//! the function they end up in may use (`simd.rs` has those functions).
//!
//! No length is a multiple of a register. Rather than finish byte by byte, a kernel finishes with
//! one block that ends where the data ends and overlaps what came before. In place that would mask
//! the overlap twice, so the kernels load such a block before anything is stored, and store it
//! last:
//!
//! ```text
//! last = data[len - N..] ^ key      load
//! data[..k * N] ^= key              the whole blocks
//! data[len - N..] = last            store
//! ```

/// Bytes to mask, and where they go: one buffer, or one and another of the same length.
///
/// Reads are of bytes not yet masked only as long as nothing was written over them.
pub(super) trait Span {
    fn len(&self) -> usize;

    /// The address of the first byte to write, for alignment.
    fn address(&self) -> usize;

    fn first<const N: usize>(&self) -> Option<[u8; N]>;

    fn last<const N: usize>(&self) -> Option<[u8; N]>;

    fn set_first<const N: usize>(&mut self, block: [u8; N]);

    fn set_last<const N: usize>(&mut self, block: [u8; N]);

    /// Masks whole blocks of `N` bytes from `start` on, as many as leave at least one byte at the end
    /// for the last block.
    fn mask_blocks<const N: usize>(&mut self, start: usize, word: u64);

    /// Masks the first bytes, eight at most.
    fn mask_few(&mut self, word: u64);
}

/// The key word for data that starts `by` bytes further into the payload.
#[inline(always)]
pub(super) const fn turn(word: u64, by: usize) -> u64 {
    // In memory order, the next byte of key is the next lower one of a little-endian number.
    let bits = (by as u32 & 3).wrapping_mul(8);
    u64::from_le(word).rotate_right(bits).to_le()
}

/// The kernel for any machine, with no question asked: the one there is without the feature
/// `simd`.
pub(super) fn portable(word: u64, span: impl Span) {
    match span.len() {
        0..=MAX_SHORT_LEN => short(word, span),
        65..=128 => ends::<64>(word, span),
        _ if span.address().is_multiple_of(16) => blocks::<64>(word, span),
        _ => aligned::<64, 16>(word, span),
    }
}

/// Up to this length wider registers gain nothing, and data is masked where the caller is.
pub(super) const MAX_SHORT_LEN: usize = 64;

/// Masks up to [`MAX_SHORT_LEN`] bytes; is not for more.
///
/// Asks for longer data first: of 64 bytes it is the questions that take the time.
#[inline(always)]
pub(super) fn short(word: u64, mut span: impl Span) {
    debug_assert!(span.len() <= MAX_SHORT_LEN);
    match span.len() {
        33.. => ends::<32>(word, span),
        17.. => ends::<16>(word, span),
        8.. => ends::<8>(word, span),
        _ => span.mask_few(word),
    }
}

/// Masks `N` to `2 * N` bytes as two overlapping blocks, without a loop. Leaves fewer alone.
#[inline(always)]
pub(super) fn ends<const N: usize>(word: u64, mut span: impl Span) {
    let (Some(first), Some(last)) = (span.first::<N>(), span.last::<N>()) else {
        return;
    };
    let (first, last) = (masked(first, word), masked(last, turn(word, span.len())));
    span.set_first(first);
    span.set_last(last);
}

/// Masks blocks of `N` bytes at addresses that are multiples of `ALIGN`, between two that are not
/// and overlap them. `N` is at least `ALIGN`; leaves less than `N` bytes alone.
///
/// A store that crosses a cache line costs two; at odd addresses every other store of 32 bytes
/// would.
#[inline(always)]
pub(super) fn aligned<const N: usize, const ALIGN: usize>(word: u64, mut span: impl Span) {
    let start = span.address().wrapping_neg() & const { ALIGN.wrapping_sub(1) };
    let (Some(first), Some(last)) = (span.first::<ALIGN>(), span.last::<N>()) else {
        return;
    };
    let (first, last) = (masked(first, word), masked(last, turn(word, span.len())));
    span.mask_blocks::<N>(start, turn(word, start));
    span.set_first(first);
    span.set_last(last);
}

/// Masks blocks of `N` bytes from the first byte on, for data whose address is right already. Leaves
/// less than `N` bytes alone.
#[inline(always)]
pub(super) fn blocks<const N: usize>(word: u64, mut span: impl Span) {
    let Some(last) = span.last::<N>() else {
        return;
    };
    let last = masked(last, turn(word, span.len()));
    span.mask_blocks::<N>(0, word);
    span.set_last(last);
}

#[inline(always)]
fn masked<const N: usize>(mut block: [u8; N], word: u64) -> [u8; N] {
    mask_words(block.as_chunks_mut().0, word);
    block
}

#[inline(always)]
fn mask_words(words: &mut [[u8; 8]], word: u64) {
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
}

/// Data masked where it is.
pub(super) struct InPlace<'a>(pub(super) &'a mut [u8]);

impl Span for InPlace<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }

    #[inline(always)]
    fn first<const N: usize>(&self) -> Option<[u8; N]> {
        self.0.first_chunk().copied()
    }

    #[inline(always)]
    fn last<const N: usize>(&self) -> Option<[u8; N]> {
        self.0.last_chunk().copied()
    }

    #[inline(always)]
    fn set_first<const N: usize>(&mut self, block: [u8; N]) {
        set_first(self.0, block);
    }

    #[inline(always)]
    fn set_last<const N: usize>(&mut self, block: [u8; N]) {
        set_last(self.0, block);
    }

    #[inline(always)]
    fn mask_blocks<const N: usize>(&mut self, start: usize, word: u64) {
        let end = self.len().saturating_sub(1);
        let (blocks, _) = self
            .0
            .get_mut(start..end)
            .unwrap_or_default()
            .as_chunks_mut::<N>();
        // One loop over words, whose number the compiler knows to be a multiple of N / 8.
        mask_words(blocks.as_flattened_mut().as_chunks_mut().0, word);
    }

    #[inline(always)]
    fn mask_few(&mut self, word: u64) {
        for (byte, key) in self.0.iter_mut().zip(word.to_ne_bytes()) {
            *byte ^= key;
        }
    }
}

/// Data copied to a place of its own, and masked on the way.
pub(super) struct Copied<'a> {
    source: &'a [u8],
    target: &'a mut [u8],
}

impl<'a> Copied<'a> {
    /// As much as both have room for.
    pub(super) fn new(source: &'a [u8], target: &'a mut [u8]) -> Self {
        let len = source.len().min(target.len());
        Self {
            source: source.get(..len).unwrap_or_default(),
            target: target.get_mut(..len).unwrap_or_default(),
        }
    }
}

impl Span for Copied<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.target.len()
    }

    #[inline(always)]
    fn address(&self) -> usize {
        self.target.as_ptr().addr()
    }

    #[inline(always)]
    fn first<const N: usize>(&self) -> Option<[u8; N]> {
        self.source.first_chunk().copied()
    }

    #[inline(always)]
    fn last<const N: usize>(&self) -> Option<[u8; N]> {
        self.source.last_chunk().copied()
    }

    #[inline(always)]
    fn set_first<const N: usize>(&mut self, block: [u8; N]) {
        set_first(self.target, block);
    }

    #[inline(always)]
    fn set_last<const N: usize>(&mut self, block: [u8; N]) {
        set_last(self.target, block);
    }

    #[inline(always)]
    fn mask_blocks<const N: usize>(&mut self, start: usize, word: u64) {
        let end = self.len().saturating_sub(1);
        let (from, _) = self
            .source
            .get(start..end)
            .unwrap_or_default()
            .as_chunks::<N>();
        let (to, _) = self
            .target
            .get_mut(start..end)
            .unwrap_or_default()
            .as_chunks_mut::<N>();
        let from = from.as_flattened().as_chunks().0;
        for (to, from) in to.as_flattened_mut().as_chunks_mut().0.iter_mut().zip(from) {
            *to = (u64::from_ne_bytes(*from) ^ word).to_ne_bytes();
        }
    }

    #[inline(always)]
    fn mask_few(&mut self, word: u64) {
        for ((to, from), key) in self
            .target
            .iter_mut()
            .zip(self.source)
            .zip(word.to_ne_bytes())
        {
            *to = from ^ key;
        }
    }
}

#[inline(always)]
fn set_first<const N: usize>(data: &mut [u8], block: [u8; N]) {
    if let Some(first) = data.first_chunk_mut() {
        *first = block;
    }
}

#[inline(always)]
fn set_last<const N: usize>(data: &mut [u8], block: [u8; N]) {
    if let Some(last) = data.last_chunk_mut() {
        *last = block;
    }
}
