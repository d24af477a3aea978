//! The payload of a large frame, which is read straight to where its message will lie.

use alloc::vec::Vec;

use super::buffer::RESERVE_FLOOR;
use super::frame::Frame;
use super::{Current, Inbound};
use crate::copy::append;

/// A frame that lacks at least this much is read straight into memory of its own; less is cheaper to read with whatever
/// follows it into the binding's buffer, and to copy.
const OWN_READ_MIN: usize = 16 * 1024;

/// A frame of which at least this much has arrived is finished in its own memory too: less is cheaper to carry over.
const CARRY_MAX: usize = 4 * 1024;

/// The payload of a large frame so far, in memory of its own that a binding reads into.
#[derive(Debug)]
pub(super) struct LargePayload {
    /// A `Vec`, for that is what can be read into by safe code that does not initialize it first.
    bytes: Vec<u8>,
    /// How many of them were there when somebody last looked.
    seen: usize,
    /// How many there were when `bytes` were taken out, if they were.
    taken: Option<usize>,
}

impl LargePayload {
    /// A copy of what is `waiting`, and was `seen` so far, with so much room behind it.
    pub(super) fn new(waiting: &[u8], seen: usize, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(waiting.len().saturating_add(room));
        append(&mut bytes, waiting);
        Self {
            bytes,
            seen,
            taken: None,
        }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// How much has arrived, wherever it is.
    pub(super) fn len(&self) -> usize {
        self.taken.unwrap_or(self.bytes.len())
    }

    /// How many bytes have come since somebody looked.
    pub(super) fn fresh(&self) -> usize {
        self.bytes.len().saturating_sub(self.seen)
    }

    /// The same, and notes that somebody has looked.
    pub(super) fn see(&mut self) -> usize {
        let fresh = self.fresh();
        self.seen = self.seen.saturating_add(fresh);
        fresh
    }

    /// The memory, with so much room, or enough for now. What may be asked for grows with every byte, and to grow is to copy.
    /// So it is at least doubled, but for the last time.
    fn grow(&mut self, (room, is_all): (usize, bool)) -> &mut Vec<u8> {
        let spare = self.bytes.capacity().saturating_sub(self.bytes.len());
        if spare <= self.bytes.capacity() / 2 || is_all {
            self.bytes.reserve_exact(room);
        }
        &mut self.bytes
    }

    fn take_out(&mut self) -> Vec<u8> {
        self.taken = Some(self.bytes.len());
        core::mem::take(&mut self.bytes)
    }

    fn restore(&mut self, bytes: Vec<u8>) {
        if self.taken.take().is_some() {
            self.bytes = bytes;
        }
    }

    pub(super) const fn is_taken(&self) -> bool {
        self.taken.is_some()
    }

    /// What was taken out is worth nothing any more.
    pub(super) const fn forget(&mut self) {
        self.taken = Some(0);
    }

    /// What has arrived, and how much of it was seen.
    pub(super) fn into_parts(self) -> (Vec<u8>, usize) {
        (self.bytes, self.seen)
    }
}

impl Inbound {
    /// The memory of the large frame whose payload arrives, if there is one, with room for what it lacks, within what the
    /// peer has paid for.
    #[inline(never)]
    pub(crate) fn payload_buffer(&mut self) -> Option<&mut Vec<u8>> {
        let is_there = self.prefers_payload_buffer() && !self.buffer.is_taken();
        is_there.then(|| {
            let room = self.large_room();
            self.buffer.make_large(room.0).grow(room)
        })
    }

    /// The same, taken out.
    pub(crate) fn take_payload(&mut self) -> Option<Vec<u8>> {
        self.payload_buffer()?;
        self.buffer.large().map(LargePayload::take_out)
    }

    /// Puts it back.
    pub(crate) fn restore_payload(&mut self, payload: Vec<u8>) {
        if let Some(large) = self.buffer.large() {
            large.restore(payload);
        }
    }

    /// Whether the current frame is best read straight into memory of its own.
    #[inline]
    pub(crate) fn prefers_payload_buffer(&self) -> bool {
        // A fragment is copied to its message wherever it was read.
        matches!(self.current, Current::Frame(Frame { in_place: true, .. })) && self.is_large()
    }

    fn is_large(&self) -> bool {
        let missing = self.missing();
        let lies_apart = self.buffer.is_large() || self.buffer.len() >= CARRY_MAX;
        missing >= OWN_READ_MIN || missing > 0 && lies_apart
    }

    /// Room for a large frame: what is received next belongs to it, so that no more is needed than it lacks.
    ///
    /// Tells whether that is all it lacks.
    pub(super) fn large_room(&self) -> (usize, bool) {
        let wanted = self.missing_and_header();
        let room = self.room_for(wanted, RESERVE_FLOOR);
        (room, room == wanted)
    }
}
