//! The received bytes that wait, and room for more of them.

use alloc::boxed::Box;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ws_frame::FrameHeader;

use super::large::LargePayload;
use super::{Current, Inbound};
use crate::copy::append;
use crate::transmit::to_u64;

/// Received bytes, of which those at the front are done with.
///
/// They leave together, when more is to come or the rest is to move: an offset counts them until then. What was lent lies
/// at the end of them.
#[derive(Debug, Default)]
pub(super) struct ReceiveBuffer {
    bytes: BytesMut,
    done: usize,
    /// How many of `bytes` were there when somebody last looked; more than there are while some of them are carried
    /// elsewhere ([`Inbound::carry_into`]).
    seen: usize,
    /// Whether the allocation of `bytes` may be more than its own: a binding's read buffer, or a message's, or made for a
    /// frame that is done. Where it is not and something is consumed, that is the copy of a message that came alone.
    shared: bool,
    /// The payload of a large frame while it arrives. There is nothing in `bytes` then, which count as shared: nobody is to
    /// take that for nothing. Small frames, which are many, know only `bytes`.
    large: Option<Box<LargePayload>>,
}

/// Messages up to this size are copied out of the receive buffer; larger ones are split off and share it. In a prototype
/// a copy of 125 bytes took as long as a split (98 against 97 ns for a whole echo in memory), and it does not pin the
/// buffer; one of 4 KiB took 55 ns more.
pub(crate) const COPY_MESSAGE_MAX: usize = 1024;

/// Capacity to read into between two frames, when it is not known what comes.
const READ_ROOM: usize = 64 * 1024;

/// Capacity that a partial frame may always ask for. Beyond it, capacity is at most four times what has arrived.
pub(super) const RESERVE_FLOOR: usize = 16 * 1024;

/// A waiting connection's own buffer of up to this size is not worth a smaller one.
const PARKED_MIN: usize = 256;

impl ReceiveBuffer {
    /// What waits.
    #[inline]
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.done..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn waiting_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.done..).unwrap_or_default()
    }

    /// The same for the shortest way: without an answer for what cannot be, that more is done with than there is.
    #[inline]
    pub(super) fn try_waiting_mut(&mut self) -> Option<&mut [u8]> {
        self.bytes.get_mut(self.done..)
    }

    /// What has arrived of the payload of the current frame, and what lies behind it.
    pub(super) fn arrived_mut(&mut self) -> &mut [u8] {
        match &mut self.large {
            Some(large) => large.bytes_mut(),
            None => self.bytes.get_mut(self.done..).unwrap_or_default(),
        }
    }

    /// How much waits that is not of a large frame.
    #[inline]
    pub(super) fn small_len(&self) -> usize {
        self.bytes.len().saturating_sub(self.done)
    }

    /// How much waits, of a large frame too.
    pub(super) fn len(&self) -> usize {
        match &self.large {
            Some(large) => large.len(),
            None => self.small_len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes have come since somebody looked.
    pub(super) fn fresh(&self) -> usize {
        match &self.large {
            Some(large) => large.fresh(),
            None => self.bytes.len().saturating_sub(self.seen),
        }
    }

    /// The same but for a large frame, and notes that somebody has looked.
    #[inline]
    pub(super) fn see(&mut self) -> usize {
        let fresh = self.bytes.len().saturating_sub(self.seen);
        if fresh > 0 {
            self.seen = self.bytes.len();
        }
        fresh
    }

    /// The same for a large frame.
    pub(super) fn see_large(&mut self) -> usize {
        self.large.as_mut().map_or(0, |large| large.see())
    }

    /// Whether there is not even an allocation.
    #[inline]
    pub(super) fn is_nothing(&self) -> bool {
        !self.shared && self.bytes.capacity() == 0
    }

    /// Goes past a header: the payload behind it keeps its place.
    pub(super) const fn skip_header(&mut self, len: usize) {
        self.done = self.done.wrapping_add(len);
    }

    /// Goes past payload. Its place in the allocation stays.
    #[inline]
    pub(super) const fn consume(&mut self, len: usize) {
        self.done = self.done.wrapping_add(len);
        self.shared = true;
    }

    /// The payload that was consumed last.
    #[inline]
    pub(super) fn consumed(&self, len: usize) -> Option<&[u8]> {
        let start = self.done.checked_sub(len)?;
        self.bytes.get(start..self.done)
    }

    /// Makes a copy of `payload` all there is, consumed. It is not shared then, as nothing else is that was consumed.
    #[inline]
    pub(super) fn put_consumed(&mut self, payload: &[u8]) {
        *self = Self {
            bytes: BytesMut::from(payload),
            done: payload.len(),
            seen: payload.len(),
            shared: false,
            large: None,
        };
    }

    /// Gives the payload that was consumed last away.
    #[inline]
    pub(super) fn take_consumed(&mut self, len: usize) -> Bytes {
        match self.consumed(len) {
            Some(consumed) if len <= COPY_MESSAGE_MAX && self.shared => {
                Bytes::copy_from_slice(consumed)
            }
            _ => self.split_consumed(len),
        }
    }

    #[inline(never)]
    fn split_consumed(&mut self, len: usize) -> Bytes {
        if !self.shared {
            return core::mem::take(self).bytes.freeze();
        }
        self.done = self.done.saturating_sub(len);
        self.settle();
        self.seen = self.seen.saturating_sub(len);
        // The first bytes of the next frame must not keep the memory of this message.
        self.shared = true;
        self.bytes.split_to(len).freeze()
    }

    /// Drops everything, the allocation too: an empty `BytesMut` would still pin it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops everything but the place of a payload that was taken out, for it to come back to.
    pub(super) fn discard(&mut self) {
        let large = self.large.take();
        self.clear();
        if let Some(mut large) = large.filter(|large| large.is_taken()) {
            large.forget();
            self.set_large(large);
        }
    }

    /// Lets what is done with go.
    fn settle(&mut self) {
        let done = core::mem::take(&mut self.done);
        if done > 0 {
            self.bytes.advance(done.min(self.bytes.len()));
            self.seen = self.seen.saturating_sub(done);
        }
    }

    /// Copies what waits into an allocation of its own with so much room behind it.
    fn relocate(&mut self, room: usize) {
        let waiting = self.waiting();
        let mut own = BytesMut::with_capacity(waiting.len().saturating_add(room));
        append(&mut own, waiting);
        *self = Self {
            bytes: own,
            done: 0,
            seen: self.seen.saturating_sub(self.done),
            shared: false,
            large: None,
        };
    }

    /// The payload of a large frame, if that is what waits.
    pub(super) fn large(&mut self) -> Option<&mut LargePayload> {
        self.large.as_deref_mut()
    }

    /// Whether that is what waits.
    pub(super) fn is_large(&self) -> bool {
        self.large.is_some()
    }

    /// Whether that was taken out.
    pub(super) fn is_taken(&self) -> bool {
        matches!(&self.large, Some(large) if large.is_taken())
    }

    /// Makes what waits the payload of a large frame. What has arrived of it is copied to memory of its own with so much
    /// room behind it, if it lies elsewhere.
    pub(super) fn make_large(&mut self, room: usize) -> &mut LargePayload {
        let large = self.large.take().unwrap_or_else(|| {
            let seen = self.seen.saturating_sub(self.done);
            Box::new(LargePayload::new(self.waiting(), seen, room))
        });
        self.set_large(large)
    }

    fn set_large(&mut self, large: Box<LargePayload>) -> &mut LargePayload {
        *self = Self {
            shared: true,
            ..Self::default()
        };
        self.large.insert(large)
    }

    /// Puts what waits where it may be taken apart again, if it is the payload of a large frame.
    #[inline(never)]
    pub(super) fn unite(&mut self) {
        debug_assert!(!self.is_taken(), "the payload is given back first");
        if let Some(large) = self.large.take() {
            let (bytes, seen) = large.into_parts();
            *self = Self {
                // No copy, for nobody shares it.
                bytes: BytesMut::from(Bytes::from(bytes)),
                seen,
                ..Self::default()
            };
        }
    }
}

impl Inbound {
    /// Takes what a binding read into a buffer of its own.
    #[inline]
    pub(crate) fn handle_received(&mut self, received: BytesMut) {
        if !self.is_lent() && self.buffer.is_nothing() {
            // Mostly: all that came before is done with, and let go.
            self.buffer.bytes = received;
            self.buffer.shared = true;
        } else {
            self.add_received(received);
        }
    }

    #[inline(never)]
    fn add_received(&mut self, received: BytesMut) {
        self.let_go();
        if self.buffer.is_empty() {
            self.buffer = ReceiveBuffer {
                bytes: received,
                done: 0,
                // Something was seen before only if it comes back.
                seen: self.buffer.seen.saturating_sub(self.buffer.done),
                shared: true,
                large: None,
            };
        } else {
            self.buffer.unite();
            self.buffer.settle();
            // No copy where `received` lies right behind what is buffered.
            self.buffer.bytes.unsplit(received);
        }
    }

    /// The buffer to append received bytes to, with room for what the current frame lacks, within what the peer has
    /// paid for.
    pub(crate) fn receive_buffer(&mut self) -> &mut BytesMut {
        self.let_go();
        self.buffer.unite();
        let room = self.room();
        if self.buffer.shared && self.prefers_payload_buffer() {
            self.buffer.relocate(room);
        } else {
            self.buffer.settle();
            self.buffer.bytes.reserve(room);
        }
        &mut self.buffer.bytes
    }

    /// How many of so many bytes, of which those that wait here or were carried elsewhere are the first, nobody has looked at.
    #[inline]
    pub(crate) fn fresh_of(&self, len: usize) -> u64 {
        to_u64(len.saturating_sub(self.buffer.seen))
    }

    /// How many bytes have come since somebody looked.
    pub(crate) fn fresh(&self) -> u64 {
        to_u64(self.buffer.fresh())
    }

    /// The same but for a large frame, and notes that somebody has looked.
    #[inline]
    pub(crate) fn see(&mut self) -> u64 {
        to_u64(self.buffer.see())
    }

    /// The same for a large frame.
    pub(crate) fn see_large(&mut self) -> u64 {
        to_u64(self.buffer.see_large())
    }

    /// Whether received bytes wait.
    #[inline]
    pub(crate) fn has_input(&self) -> bool {
        self.buffer.small_len() > 0 || !self.buffer.is_empty()
    }

    /// How many received bytes wait.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Copies a partial frame out of a buffer that is shared or far too large, so that a few bytes do not pin it while
    /// the connection waits.
    #[inline]
    pub(crate) fn park(&mut self) {
        let is_parked = matches!(self.current, Current::Nothing)
            && self.assembler.is_parked()
            && self.buffer.is_nothing();
        if !is_parked {
            self.park_any();
        }
    }

    #[inline(never)]
    fn park_any(&mut self) {
        self.let_go();
        self.assembler.park();
        if self.buffer.is_nothing() || self.buffer.is_large() {
            return;
        }
        self.buffer.settle();
        if self.buffer.shared && self.prefers_payload_buffer() {
            let (room, _) = self.large_room();
            self.buffer.make_large(room);
            return;
        }
        let room = if self.prefers_payload_buffer() {
            self.room()
        } else {
            0
        };
        let needed = self.buffer.len().saturating_add(room);
        let capacity = self.buffer.bytes.capacity();
        // A message that came alone was all that its memory has room for.
        let is_spent = capacity == 0;
        if self.buffer.shared || is_spent || capacity > needed.saturating_mul(2).max(PARKED_MIN) {
            self.buffer.relocate(room);
        }
    }

    /// Moves what waits to the end of `buffer`.
    #[inline]
    pub(crate) fn carry_into(&mut self, buffer: &mut impl BufMut) {
        self.let_go();
        if !self.buffer.is_nothing() {
            self.carry_any_into(buffer);
        }
    }

    #[inline(never)]
    fn carry_any_into(&mut self, buffer: &mut impl BufMut) {
        self.buffer.unite();
        buffer.put_slice(self.buffer.waiting());
        let seen = self.buffer.seen.saturating_sub(self.buffer.done);
        self.buffer.clear();
        self.buffer.seen = seen;
    }

    /// How much of the current frame's payload has not arrived.
    pub(super) fn missing(&self) -> usize {
        self.current.frame().map_or(0, |frame| {
            let fresh = self.buffer.len().saturating_sub(frame.digested);
            usize::try_from(frame.left.saturating_sub(to_u64(fresh))).unwrap_or(usize::MAX)
        })
    }

    /// Spare capacity to read into: what the frame lacks and the next header, at least a decent read, and never more
    /// than the peer has earned by sending.
    fn room(&self) -> usize {
        let floor = match self.current.frame() {
            None => READ_ROOM,
            Some(_) => RESERVE_FLOOR,
        };
        self.room_for(self.missing_and_header().max(floor), floor)
    }

    /// The next header is to come with the rest of a frame: it says whether to read on.
    pub(super) fn missing_and_header(&self) -> usize {
        self.missing().saturating_add(FrameHeader::MAX_LEN)
    }

    /// So much of what is wanted as the peer has earned, beyond what may always be asked for.
    pub(super) fn room_for(&self, wanted: usize, floor: usize) -> usize {
        let buffered = self.buffer.len();
        let earned = floor.max(buffered.saturating_mul(4));
        wanted.min(earned.saturating_sub(buffered).max(FrameHeader::MAX_LEN))
    }

    /// Takes what waits of a payload, out of whatever lies there.
    pub(super) fn take(&mut self, len: usize) -> Bytes {
        self.consume(len);
        self.buffer.take_consumed(len)
    }

    /// Goes past payload that may be that of a large frame.
    pub(super) fn consume(&mut self, len: usize) {
        self.buffer.unite();
        self.buffer.consume(len);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::tap::TapSlot;
    use crate::{Config, Role};

    /// A client's end, so that no frame has a mask.
    fn inbound() -> Inbound {
        Inbound::new(Role::Client, &Config::default())
    }

    /// Reads `bytes` as a binding does that only knows `receive_buffer`, and waits.
    fn read_and_park(inbound: &mut Inbound, bytes: &[u8]) {
        inbound.receive_buffer().extend_from_slice(bytes);
        while inbound
            .poll(&mut TapSlot::default())
            .expect("good frames")
            .is_some()
        {}
        inbound.park();
    }

    #[test]
    fn a_parked_connection_keeps_little_more_than_what_waits() {
        const KIB: usize = 1024;
        // They almost fill the 64 KiB of `READ_ROOM`.
        let header = |opcode: u8, len: u16| [opcode, 126, (len >> 8) as u8, len as u8];
        let large = [&header(0x82, 60_000)[..], &vec![7; 60_000]].concat();
        let fragment = [&header(0x02, 60_000)[..], &vec![7; 60_000]].concat();
        let small = [&[0x82, 125][..], &[7; 125]].concat().repeat(515);
        let pings = [&[0x89, 125][..], &[7; 125]].concat().repeat(515);
        let nothing = vec![];
        for done in [large, fragment, small, pings, nothing] {
            // Part of a header, and part of a small frame.
            for rest in [&[0x89][..], &[0x89, 125, 7, 7, 7]] {
                let mut inbound = inbound();
                read_and_park(&mut inbound, &[&done[..], rest].concat());
                assert!(inbound.buffer.bytes.capacity() <= PARKED_MIN);
                // Nor does more lie in front of it.
                let mut buffer = core::mem::take(&mut inbound.buffer.bytes);
                assert!(!buffer.try_reclaim(KIB), "{} bytes done", done.len());
            }
        }
    }

    #[test]
    fn a_parked_connection_keeps_what_a_large_frame_needs() {
        let mut inbound = inbound();
        read_and_park(&mut inbound, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
        read_and_park(&mut inbound, &[7; 1000]);
        assert!(inbound.prefers_payload_buffer());
        let capacity = inbound.buffer.bytes.capacity();
        let address = inbound.buffer.bytes.as_ptr();
        // Waiting again and again does not copy it again and again.
        for _ in 0..10 {
            read_and_park(&mut inbound, &[7; 100]);
            assert_eq!(inbound.buffer.bytes.capacity(), capacity);
            assert_eq!(inbound.buffer.bytes.as_ptr(), address);
        }
    }

    #[test]
    fn a_message_that_came_alone_is_let_go_with_its_memory() {
        let alone = |len: u8| {
            let mut inbound = inbound();
            assert!(inbound.take_alone(&mut [&[0x82, len][..], &vec![7; len.into()]].concat()));
            assert_eq!(
                inbound.lent().map(|message| message.len()),
                Some(len.into())
            );
            inbound
        };
        for len in [0, 125] {
            let mut inbound = alone(len);
            inbound.handle_received(BytesMut::from(&[0x82, 0][..]));
            assert_eq!(inbound.lent(), None, "{len}");

            let mut inbound = alone(len);
            inbound.park();
            assert_eq!(inbound.lent(), None, "{len}");
            assert!(!inbound.buffer.bytes.try_reclaim(1), "{len}");
        }
    }
}
