//! Bytes owed to the wire, in order.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};
use ws_frame::FrameHeader;

use crate::copy::append;

/// What an empty staging buffer reserves at least, so that a batch of small frames does not grow it frame by frame.
/// Echoing bursts of four messages of 125 bytes in memory takes 61 ns a message with it and 71 to 120 without; single
/// messages take the same time either way, which they do not beyond the 1032 bytes that malloc keeps at hand.
const STAGING_MIN: usize = 1024;

/// What it reserves at most for the answers to what was received: as much as one read brings. They are often as long as
/// that, and a buffer that grows to it frame by frame is copied each time.
const EXPECTED_MAX: usize = 65 * 1024;

/// In steps of so many bytes that is noted.
const EXPECTED_STEP: usize = 64;

/// Bytes owed to the wire, in order: what a binding writes next.
///
/// It is a [`Buf`]: write [`chunk`](Buf::chunk), or [`chunks_vectored`](Buf::chunks_vectored) with the feature `std`,
/// then [`advance`](Buf::advance) by what was written. Small frames lie together in one staging buffer, so that a
/// batch leaves in one write; large payloads are queued by reference and are never copied.
#[derive(Debug, Default)]
pub struct Transmit {
    /// The first chunk that was sealed or shared; empty if there is none. A message that is shared by many connections
    /// is the only one on most of them, and costs no allocation here.
    front: Bytes,
    /// What comes between `front` and `staging`; nothing unless there is a `front`.
    #[expect(
        clippy::box_collection,
        reason = "most connections never have it, and all would have room for it"
    )]
    queue: Option<Box<VecDeque<Bytes>>>,
    /// Frames that were copied because they are small; the end of what is owed.
    staging: Vec<u8>,
    /// The length of all that comes before `staging`, so that limits are checked without a walk.
    sealed_len: usize,
    /// Bytes ever advanced over. What is queued ends at this plus its length in the stream of all bytes sent.
    written: u64,
    /// How often everything was dropped: what was detached before that is owed no more.
    epoch: u32,
    /// How much the next frames may come to, in steps of [`EXPECTED_STEP`].
    expected: u16,
    /// Whether the transport writes one chunk at a time.
    single: bool,
}

/// What was detached from a [`Transmit`]: how much of it may still be written and advanced over.
#[derive(Debug)]
#[must_use = "what is written has to be advanced over"]
pub struct Detached {
    epoch: u32,
    len: usize,
}

impl Detached {
    /// How many of the detached bytes have not been advanced over.
    pub const fn remaining(&self) -> usize {
        self.len
    }
}

impl Transmit {
    /// Puts the first chunks into `chunks`, `max_chunks` at most, as handles that share the bytes. They stay owed until
    /// [`advance_detached`](Self::advance_detached) says that they were written.
    ///
    /// This is for a thread that writes without holding the lock that the connection is behind. Others may queue more
    /// meanwhile, and may even drop everything ([`Connection::handle_write_failed`]), but nobody else may advance.
    ///
    /// [`Connection::handle_write_failed`]: crate::Connection::handle_write_failed
    pub fn detach(&mut self, chunks: &mut Vec<Bytes>, max_chunks: usize) -> Detached {
        if self.sealed().take(max_chunks).count() < max_chunks {
            self.seal();
        }
        let before = chunks.len();
        chunks.extend(self.sealed().take(max_chunks).cloned());
        let detached = chunks.get(before..).unwrap_or_default();
        Detached {
            epoch: self.epoch,
            len: detached.iter().map(Bytes::len).sum(),
        }
    }

    /// Advances by `count` bytes of what was detached. `false` if everything was dropped since: nothing was advanced,
    /// and the rest of what was detached must not be written.
    ///
    /// # Panics
    ///
    /// When `count` is more than what remains of `detached`: the binding says it wrote what it was never given.
    pub fn advance_detached(&mut self, detached: &mut Detached, count: usize) -> bool {
        assert!(
            count <= detached.len,
            "advanced by {count} of {} detached bytes",
            detached.len
        );
        detached.len = detached.len.saturating_sub(count);
        let is_owed = detached.epoch == self.epoch;
        if is_owed {
            self.advance(count);
        }
        is_owed
    }

    /// Whether there is no memory to put small frames together in: the next one allocates it, unless it is
    /// [lent](Self::lend_memory) before.
    #[inline]
    pub fn wants_memory(&self) -> bool {
        self.staging.capacity() == 0
    }

    /// Lends memory to put small frames together in, for a binding that has many connections and writes for one at a time.
    /// Its contents are discarded, its capacity is used; if there is memory already, nothing is done. It comes back from
    /// [`advance_and_reclaim`](Self::advance_and_reclaim), or from [`reclaim`](Self::reclaim), also where nothing was queued;
    /// [`advance`](Buf::advance) frees it, and a partial write may make it a chunk of what is owed.
    #[inline]
    pub fn lend_memory(&mut self, mut memory: Vec<u8>) {
        if self.wants_memory() {
            memory.clear();
            self.staging = memory;
        }
    }

    /// As [`advance`](Buf::advance), but gives the memory of the frames that lay together back once nothing is owed, in
    /// place of freeing it. Until then, and where there is none, what it gives has no capacity.
    ///
    /// # Panics
    ///
    /// As [`advance`](Buf::advance).
    #[inline]
    #[must_use = "it is memory"]
    pub fn advance_and_reclaim(&mut self, count: usize) -> Vec<u8> {
        if count != self.remaining() {
            self.advance(count);
            return Vec::new();
        }
        let memory = core::mem::take(&mut self.staging);
        self.written = self.written.wrapping_add(to_u64(memory.len()));
        if self.sealed_len > 0 {
            self.advance(self.sealed_len);
        }
        memory
    }

    /// Gives memory back that is not needed for what is owed, before the transport makes that wait: a copy takes the place
    /// of frames that fill less than half of it.
    #[must_use = "it is memory"]
    pub fn reclaim(&mut self) -> Vec<u8> {
        let is_roomy = self.staging.capacity() / 2 >= self.staging.len();
        match is_roomy {
            true => {
                let own = self.staging.as_slice().to_vec();
                core::mem::replace(&mut self.staging, own)
            }
            false => Vec::new(),
        }
    }

    /// Bytes ever written: all that was [advanced](Buf::advance) over since the connection opened. As long as it
    /// grows, the peer takes what it is owed.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Where what is queued now ends, in the stream of all bytes sent: once [`written`](Self::written) has come there,
    /// the transport has taken it.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.written.wrapping_add(to_u64(self.remaining()))
    }

    /// Says whether the transport writes several chunks at once, which is so unless said otherwise.
    pub(crate) const fn set_vectored(&mut self, vectored: bool) {
        self.single = !vectored;
    }

    /// Whether payloads may be queued apart from their header.
    pub(crate) const fn is_vectored(&self) -> bool {
        !self.single
    }

    /// Drops everything; what was detached is owed no more.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            epoch: self.epoch.wrapping_add(1),
            written: self.written,
            single: self.single,
            ..Self::default()
        };
    }

    /// Copies `bytes` to the end.
    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        append(&mut self.staging, bytes);
    }

    /// Copies the first `len` of a few `bytes` to the end. All of them, to begin with: to copy a number of bytes that the
    /// compiler knows takes a few instructions, and any other number a call, which is 22 more for each message.
    #[inline]
    pub(crate) fn copy_beginning<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        let end = self.staging.len().saturating_add(len);
        self.staging.extend_from_slice(bytes);
        self.staging.truncate(end);
    }

    /// Copies `bytes` to the end and lets `edit` change the copy in place.
    pub(crate) fn copy_with(&mut self, bytes: &[u8], edit: impl FnOnce(&mut [u8])) {
        let start = self.staging.len();
        self.copy(bytes);
        if let Some(copied) = self.staging.get_mut(start..) {
            edit(copied);
        }
    }

    /// Makes room for `additional` more bytes in one step.
    #[inline]
    pub(crate) fn reserve(&mut self, additional: usize) {
        if self.staging.capacity() == 0 {
            self.stage(additional, STAGING_MIN);
        } else {
            self.staging.reserve(additional);
        }
    }

    /// The same for the first of several frames that may be as long together as what was received
    /// ([`expect`](Self::expect)). Memory that was lent and has room for the first is not exchanged: it grows as it must,
    /// and goes back as large as it has grown.
    #[inline]
    pub(crate) fn reserve_batch(&mut self, additional: usize) {
        let room = self.staging.capacity().wrapping_sub(self.staging.len());
        if room < additional {
            self.make_room(additional);
        }
    }

    #[inline(never)]
    fn make_room(&mut self, additional: usize) {
        if self.staging.is_empty() {
            let steps = usize::from(core::mem::take(&mut self.expected));
            let expected = steps.wrapping_mul(EXPECTED_STEP);
            self.stage(expected.max(additional), STAGING_MIN);
        } else {
            self.staging.reserve(additional);
        }
    }

    /// The same for a header in front of a payload that is [shared](Self::share). It is a chunk of its own then, which is
    /// to hold no more than it needs.
    #[inline]
    pub(crate) fn reserve_header(&mut self) {
        self.staging.reserve(FrameHeader::MAX_LEN);
    }

    #[inline(never)]
    fn stage(&mut self, additional: usize, capacity: usize) {
        self.staging = Vec::with_capacity(additional.max(capacity));
    }

    /// So many bytes were received, and the answers to them may be as many.
    #[inline]
    pub(crate) fn expect(&mut self, received: usize) {
        let steps = received.min(EXPECTED_MAX).div_ceil(EXPECTED_STEP);
        self.expected = u16::try_from(steps).unwrap_or_default();
    }

    /// Queues `bytes` at the end without copying them.
    pub(crate) fn share(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.seal();
        self.push(bytes);
    }

    /// Makes the staged frames a chunk that does not change any more, and that keeps no more than twice what it needs: limits
    /// count bytes, and there may be as many chunks as there are frames.
    fn seal(&mut self) {
        if self.staging.is_empty() {
            return;
        }
        let is_roomy = self.staging.capacity() / 2 > self.staging.len();
        let staged = if is_roomy {
            let staged = Bytes::copy_from_slice(&self.staging);
            self.staging.clear();
            staged
        } else {
            Bytes::from(core::mem::take(&mut self.staging))
        };
        self.push(staged);
    }

    fn push(&mut self, chunk: Bytes) {
        self.sealed_len = self.sealed_len.saturating_add(chunk.len());
        if self.front.is_empty() {
            self.front = chunk;
        } else {
            self.queue.get_or_insert_default().push_back(chunk);
        }
    }

    /// The chunks before `staging`.
    fn sealed(&self) -> impl Iterator<Item = &Bytes> {
        let front = Some(&self.front).filter(|front| !front.is_empty());
        front
            .into_iter()
            .chain(self.queue.iter().flat_map(|queue| queue.iter()))
    }
}

impl Buf for Transmit {
    #[inline]
    fn remaining(&self) -> usize {
        // No overflow: less than the limit, which is half of all numbers at most, and one message.
        self.sealed_len.wrapping_add(self.staging.len())
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        match self.front.is_empty() {
            false => &self.front,
            true => &self.staging,
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, target: &mut [std::io::IoSlice<'a>]) -> usize {
        let staging = Some(self.staging.as_slice()).filter(|staging| !staging.is_empty());
        let chunks = self.sealed().map(Bytes::as_ref).chain(staging);
        let mut filled: usize = 0;
        for (slot, chunk) in target.iter_mut().zip(chunks) {
            *slot = std::io::IoSlice::new(chunk);
            filled = filled.saturating_add(1);
        }
        filled
    }

    /// # Panics
    ///
    /// When `count` is more than [`remaining`](Buf::remaining): the binding says it wrote what it was never given.
    #[inline]
    fn advance(&mut self, count: usize) {
        let remaining = self.remaining();
        if count == remaining {
            self.drop_all();
        } else {
            self.advance_chunks(count);
        }
        self.written = self.written.wrapping_add(to_u64(count));
    }
}

impl Transmit {
    /// An idle connection holds no buffers.
    #[inline]
    fn drop_all(&mut self) {
        self.staging = Vec::new();
        if self.sealed_len > 0 {
            self.sealed_len = 0;
            self.front = Bytes::new();
            self.queue = None;
        }
    }

    #[inline(never)]
    fn advance_chunks(&mut self, mut count: usize) {
        let remaining = self.remaining();
        assert!(
            count < remaining,
            "advanced by {count} of {remaining} bytes"
        );
        self.sealed_len = self.sealed_len.saturating_sub(count);
        while !self.front.is_empty() {
            if count < self.front.len() {
                self.front.advance(count);
                return;
            }
            count = count.saturating_sub(self.front.len());
            let next = self.queue.as_mut().and_then(|queue| queue.pop_front());
            self.front = next.unwrap_or_default();
        }
        self.queue = None;
        if count > 0 {
            // The transport has taken some of them: the rest is a chunk like those before it.
            self.seal();
            self.sealed_len = self.sealed_len.saturating_sub(count);
            self.front.advance(count);
        }
    }
}

/// A `usize` always fits: no platform has more than 64 bits of address.
pub(crate) fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_held_when_nothing_is_owed() {
        let mut transmit = Transmit::default();
        transmit.reserve(100);
        transmit.copy(&[1; 100]);
        transmit.share(Bytes::from_static(&[2; 100]));
        transmit.copy(&[3; 100]);
        transmit.share(Bytes::from_static(&[4; 100]));
        transmit.advance(400);
        assert_eq!(transmit.staging.capacity(), 0);
        assert_eq!(transmit.queue, None);
    }

    /// Memory for `transmit`, and where it lies.
    fn lend(transmit: &mut Transmit) -> *const u8 {
        let memory = Vec::with_capacity(1000);
        let place = memory.as_ptr();
        assert!(transmit.wants_memory());
        transmit.lend_memory(memory);
        place
    }

    #[test]
    fn memory_that_was_lent_comes_back() {
        for shared in [0, 100] {
            let mut transmit = Transmit::default();
            transmit.share(Bytes::from(alloc::vec![7; shared]));
            let place = lend(&mut transmit);
            transmit.reserve_batch(10);
            transmit.copy(&[1; 10]);
            assert_eq!(transmit.remaining(), shared + 10);
            let memory = transmit.advance_and_reclaim(shared + 10);
            assert_eq!(memory.as_ptr(), place);
            assert_eq!(transmit.remaining(), 0);
            assert_eq!(transmit.written(), to_u64(shared + 10));
            // What it held is no part of what it is lent for next.
            transmit.lend_memory(memory);
            assert_eq!(transmit.remaining(), 0);
        }
    }

    #[test]
    fn memory_is_not_kept_by_a_few_bytes_that_wait() {
        let mut transmit = Transmit::default();
        let place = lend(&mut transmit);
        transmit.copy(b"ten bytes!");
        let memory = transmit.reclaim();
        assert_eq!(memory.as_ptr(), place);
        assert_eq!(transmit.chunk(), b"ten bytes!");
        assert_eq!(transmit.staging.capacity(), 10);
        assert_eq!(transmit.advance_and_reclaim(4).capacity(), 0, "six wait");
        assert_eq!(transmit.chunk(), b"bytes!");
        transmit.advance(6);
        assert_eq!(transmit.reclaim().capacity(), 0, "nothing is there");
        assert!(transmit.wants_memory());
    }

    #[test]
    fn memory_that_is_in_use_stays() {
        let mut transmit = Transmit::default();
        transmit.copy(&[1; 100]);
        let place = transmit.chunk().as_ptr();
        transmit.lend_memory(Vec::with_capacity(1000));
        assert_eq!(transmit.chunk().as_ptr(), place);
        transmit.copy(&[2; 400]);
        assert_eq!(transmit.reclaim().capacity(), 0, "it is well filled");
        assert_eq!(transmit.remaining(), 500);
    }
}
