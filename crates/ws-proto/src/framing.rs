//! Data to frames (RFC 6455 §5, §6.1; RFC 7692 §6.1): headers, masks, fragments, and what is copied and what is shared.

use alloc::boxed::Box;

use bytes::{Buf, Bytes};
use ws_deflate::Compress;
use ws_frame::{FrameHeader, Opcode, Rsv};

#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
use crate::deflate::Compressor;
use crate::deflate::Deflating;
use crate::inbound::{LEN16, MASK, MAX_LEN7};
use crate::side::Side;
use crate::tap::TapSlot;
use crate::transmit::to_u64;
use crate::waiting::Data;
use crate::{Config, Direction, PreparedMessage, Role, Traffic, Transmit};

/// Server payloads up to this size are copied behind their header; larger ones are queued by reference. Echoing
/// bursts of four in a prototype, the copy was 6 to 9 % ahead up to 4 KiB, equal at 8 KiB and 10 % behind at 16 KiB.
pub(crate) const COPY_PAYLOAD_MAX: usize = 8 * 1024;

/// Behind other frames a prepared one is shared from this size on. A reference takes 32 bytes in the queue, which limits
/// in bytes do not count: half a million of the smallest frames would take sixteen times what
/// `Config::write_buffer_limit` says.
const SHARE_FRAME_MIN: usize = 64;

/// The longest header of a payload that is [short](Framing::short), where there is no mask: FIN and the opcode, and the
/// length.
const SHORT_HEADER_LEN: usize = 4;

/// The same with the masking key behind it.
const SHORT_MASKED_HEADER_LEN: usize = 8;

/// In the first byte of a frame: it is the last of its message.
const FIN: u8 = 0x80;

/// A client copies and masks in steps of this size, so that masking finds the copy in the L1 cache. To mask from one place
/// to the other (`MaskKey::apply_into`) is two passes too: memory to write to has to be initialized first.
const MASK_BLOCK: usize = 4096;

/// A client's payload shorter than this is one such step.
const ONE_BLOCK_END: u16 = MASK_BLOCK as u16 + 1;

/// Turns data into frames and queues them.
#[derive(Debug)]
pub(crate) struct Framing {
    side: Side,
    pub(crate) transmit: Transmit,
    /// Compresses messages, if that was agreed.
    deflating: Option<Box<Deflating>>,
    fragment_size: usize,
    /// A server's message shorter than this goes the shortest way ([`short`](Self::short)): 65,534 bytes at most, or none
    /// where there is more to do than to write a header and the payload.
    short_end: u16,
    /// The same for a [client's message](Self::short_masked): 4096 bytes at most.
    masked_end: u16,
    /// Sees every frame, those of the other direction too.
    tap: TapSlot,
    /// Where the newest data frame ends in the stream of all bytes sent.
    data_end: u64,
    /// Frames queued so far.
    frames: u64,
    /// Messages queued so far, to their last frame.
    messages: u64,
}

impl Framing {
    pub(crate) fn new(side: Side, config: &Config) -> Self {
        let mut framing = Self {
            side,
            transmit: Transmit::default(),
            deflating: None,
            fragment_size: config.fragment_size.unwrap_or(usize::MAX).max(1),
            short_end: 0,
            masked_end: 0,
            tap: TapSlot::default(),
            data_end: 0,
            frames: 0,
            messages: 0,
        };
        framing.find_short_ends();
        framing
    }

    /// Says what goes the shortest way, whenever something that it depends on is set.
    fn find_short_ends(&mut self) {
        let is_plain = self.deflating.is_none() && !self.tap.is_set();
        let end = match is_plain {
            true => self.fragment_size.saturating_add(1),
            false => 0,
        };
        let end = u16::try_from(end).unwrap_or(u16::MAX);
        (self.short_end, self.masked_end) = match self.role() {
            Role::Server => (end, 0),
            Role::Client => (0, end.min(ONE_BLOCK_END)),
        };
    }

    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    pub(crate) fn set_compressor(&mut self, compressor: Compressor) {
        self.deflating = Some(Box::new(Deflating::new(compressor)));
        self.find_short_ends();
    }

    pub(crate) const fn set_vectored(&mut self, vectored: bool) {
        self.transmit.set_vectored(vectored);
    }

    pub(crate) fn set_tap(&mut self, tap: TapSlot) {
        self.tap = tap;
        self.find_short_ends();
    }

    pub(crate) const fn tap(&mut self) -> &mut TapSlot {
        &mut self.tap
    }

    pub(crate) const fn role(&self) -> Role {
        self.side.role()
    }

    /// Where the newest data frame ends in the stream of all bytes sent.
    pub(crate) const fn data_end(&self) -> u64 {
        self.data_end
    }

    /// What was sent so far.
    pub(crate) const fn traffic(&self) -> Traffic {
        Traffic {
            bytes: self.transmit.written(),
            frames: self.frames,
            messages: self.messages,
        }
    }

    /// A call begins, which may compress some more.
    #[inline]
    pub(crate) fn begin_call(&mut self) {
        if let Some(deflating) = &mut self.deflating {
            deflating.begin_call();
        }
    }

    /// Whether the call has compressed as much as it may.
    pub(crate) fn has_compressed_enough(&self) -> bool {
        let deflating = self.deflating.as_ref();
        deflating.is_some_and(|deflating| deflating.is_enough())
    }

    /// Whether what is framed now is not to be compressed if that can be avoided.
    pub(crate) fn set_hurried(&mut self, hurried: bool) {
        if let Some(deflating) = &mut self.deflating {
            deflating.hurried = hurried;
        }
    }

    /// How much of a message is framed at once: a fragment, or what is compressed at once, which is cut into fragments
    /// then.
    pub(crate) fn piece_size(&self, opcode: Opcode, compress: Compress) -> usize {
        let deflating = self.deflating.as_ref();
        let piece_size = deflating.and_then(|deflating| deflating.piece_size(opcode, compress));
        piece_size.unwrap_or(self.fragment_size)
    }

    /// Whether a message is framed at once, in one step.
    pub(crate) fn is_one_frame(&self, message: &PreparedMessage) -> bool {
        let deflating = self.deflating.as_ref();
        deflating.is_some_and(|deflating| deflating.serves(message, self.fragment_size).is_some())
            || message.len() <= self.piece_size(message.kind().opcode(), message.compress())
    }

    /// Queues a message that was framed before.
    pub(crate) fn prepared(&mut self, message: &PreparedMessage) {
        if self.deflating.is_some() {
            self.prepared_deflated(message);
            return;
        }
        match message.frame() {
            Some(frame) if self.may_share(frame) => {
                self.shared_frame(Rsv::NONE, message.kind().opcode(), frame, message.len());
            }
            _ => self.plain(message.kind().opcode(), true, message.payload()),
        }
    }

    /// Whether a frame is queued by reference.
    fn may_share(&self, frame: &Bytes) -> bool {
        // Without vectored writes each chunk is a write of its own, so only a lonely frame stays one.
        let is_lonely = !self.transmit.has_remaining();
        self.role() == Role::Server
            && (is_lonely || self.transmit.is_vectored() && frame.len() >= SHARE_FRAME_MIN)
    }

    /// The same where compression was agreed: what was compressed for all serves this one too, if it keeps to its window.
    #[cold]
    fn prepared_deflated(&mut self, message: &PreparedMessage) {
        let opcode = message.kind().opcode();
        let deflating = self.deflating.as_mut();
        match deflating.and_then(|deflating| deflating.adopt(message, self.fragment_size)) {
            Some(deflated) if self.may_share(&deflated.frame) => {
                self.shared_frame(Rsv::RSV1, opcode, &deflated.frame, deflated.payload_len);
            }
            Some(deflated) => self.frame(true, Rsv::RSV1, opcode, deflated.payload()),
            None => self.deflated(message.to_data()),
        }
    }

    /// Queues a server's whole frame, which others may share.
    fn shared_frame(&mut self, rsv: Rsv, opcode: Opcode, frame: &Bytes, payload_len: usize) {
        let header = FrameHeader {
            fin: true,
            rsv,
            opcode,
            mask: None,
            payload_len: to_u64(payload_len),
        };
        self.note_frame(&header, frame.len());
        self.transmit.share(frame.clone());
    }

    pub(crate) fn data(&mut self, data: Data) {
        if self.deflating.is_some() {
            self.deflated(data);
        } else {
            self.plain(data.opcode, data.fin, data.payload);
        }
    }

    /// Whether a message of so many bytes is one frame and not compressed.
    #[inline]
    pub(crate) const fn is_one_plain_frame(&self, len: usize) -> bool {
        self.deflating.is_none() && len <= self.fragment_size
    }

    /// Queues a message that [is one plain frame](Self::is_one_plain_frame), whose payload is copied.
    #[inline]
    pub(crate) fn copied(&mut self, opcode: Opcode, payload: &[u8]) {
        self.transmit
            .reserve_batch(payload.len().saturating_add(FrameHeader::MAX_LEN));
        self.frame(true, Rsv::NONE, opcode, payload);
    }

    /// Queues a whole message by the shortest way, if it is one for that: its payload is copied. It is what
    /// [`frame`](Self::frame) does, where there is no tap and a length of up to two bytes.
    #[inline(always)]
    pub(crate) fn short(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let len = payload.len();
        if len >= usize::from(self.short_end) {
            return self.short_masked(opcode, payload);
        }
        self.transmit
            .reserve_batch(len.wrapping_add(SHORT_HEADER_LEN));
        let first = FIN | opcode.bits();
        if len <= MAX_LEN7.into() {
            self.transmit.copy(&[first, len as u8]);
        } else {
            let [high, low] = (len as u16).to_be_bytes();
            self.transmit.copy(&[first, LEN16, high, low]);
        }
        self.transmit.copy(payload);
        self.note_short();
        true
    }

    /// The same for a client, which masks the copy of the payload (§5.3).
    #[inline(never)]
    fn short_masked(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let len = payload.len();
        if len >= usize::from(self.masked_end) {
            return false;
        }
        let Some(key) = self.side.next_key() else {
            return false;
        };
        self.transmit
            .reserve_batch(len.wrapping_add(SHORT_MASKED_HEADER_LEN));
        let first = FIN | opcode.bits();
        let [a, b, c, d] = key.to_bytes();
        if len <= MAX_LEN7.into() {
            self.transmit.copy(&[first, MASK | len as u8, a, b, c, d]);
        } else {
            let [high, low] = (len as u16).to_be_bytes();
            self.transmit
                .copy(&[first, MASK | LEN16, high, low, a, b, c, d]);
        }
        self.transmit
            .copy_with(payload, |copied| key.apply(0, copied));
        self.note_short();
        true
    }

    /// A message that is one frame has been queued.
    #[inline(always)]
    fn note_short(&mut self) {
        self.frames = self.frames.wrapping_add(1);
        self.messages = self.messages.wrapping_add(1);
        self.data_end = self.transmit.end();
    }

    /// Queues a whole message, whose payload is copied.
    pub(crate) fn message(&mut self, opcode: Opcode, payload: &[u8], compress: Compress) {
        if self.deflating.is_some() {
            self.message_deflated(opcode, payload, compress);
        } else {
            self.frame(true, Rsv::NONE, opcode, payload);
        }
    }

    /// Queues a control frame.
    pub(crate) fn control(&mut self, opcode: Opcode, payload: &[u8]) {
        self.frame(true, Rsv::NONE, opcode, payload);
    }

    fn plain(&mut self, opcode: Opcode, fin: bool, payload: Bytes) {
        if self.transmit.is_vectored()
            && self.role() == Role::Server
            && payload.len() > COPY_PAYLOAD_MAX
        {
            self.transmit.reserve_header();
            self.header(fin, Rsv::NONE, opcode, payload.len(), None);
            self.transmit.share(payload);
        } else {
            self.frame(fin, Rsv::NONE, opcode, &payload);
        }
    }

    /// Frames a piece of a message where compression was agreed.
    #[cold]
    fn deflated(&mut self, mut data: Data) {
        if self.compressed(data.opcode, data.fin, &data.payload, data.compress) {
            return;
        }
        while data.payload.len() > self.fragment_size {
            let fragment = data.payload.split_to(self.fragment_size);
            self.frame(false, Rsv::NONE, data.opcode, &fragment);
            data.opcode = Opcode::Continuation;
        }
        self.plain(data.opcode, data.fin, data.payload);
    }

    /// The same for a message whose payload is copied if it is not compressed.
    #[cold]
    fn message_deflated(&mut self, opcode: Opcode, payload: &[u8], compress: Compress) {
        if !self.compressed(opcode, true, payload, compress) {
            self.fragments(true, Rsv::NONE, opcode, payload);
        }
    }

    /// Compresses a piece of a message, if that is worth it, and frames it; `false` if it goes as it is.
    fn compressed(
        &mut self,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
        compress: Compress,
    ) -> bool {
        let deflating = self.deflating.as_mut();
        let compressed =
            deflating.and_then(|deflating| deflating.compress(opcode, fin, payload, compress));
        let Some((rsv, compressed)) = compressed else {
            return false;
        };
        self.fragments(fin, rsv, opcode, &compressed);
        true
    }

    /// Queues frames whose payload is copied, as many as the longest fragment makes necessary: compressed or not, what is
    /// no frame yet may be cut anywhere (RFC 7692 §6.1).
    fn fragments(&mut self, fin: bool, mut rsv: Rsv, mut opcode: Opcode, mut payload: &[u8]) {
        while let Some((fragment, rest)) = payload.split_at_checked(self.fragment_size)
            && !rest.is_empty()
        {
            self.frame(false, rsv, opcode, fragment);
            (rsv, opcode, payload) = (Rsv::NONE, Opcode::Continuation, rest);
        }
        self.frame(fin, rsv, opcode, payload);
    }

    /// Queues a frame whose payload is copied and, by a client, masked (§5.3).
    fn frame(&mut self, fin: bool, rsv: Rsv, opcode: Opcode, payload: &[u8]) {
        let mask = self.side.next_key();
        self.transmit
            .reserve(payload.len().saturating_add(FrameHeader::MAX_LEN));
        self.header(fin, rsv, opcode, payload.len(), mask);
        let Some(key) = mask else {
            self.transmit.copy(payload);
            return;
        };
        let mut phase: usize = 0;
        for block in payload.chunks(MASK_BLOCK) {
            self.transmit
                .copy_with(block, |copied| key.apply(phase, copied));
            phase = phase.saturating_add(block.len());
        }
    }

    /// Every frame passes here before its `len` bytes, header included, are queued.
    #[inline]
    fn note_frame(&mut self, header: &FrameHeader, len: usize) {
        self.frames = self.frames.wrapping_add(1);
        if header.opcode.is_data() {
            self.data_end = self.transmit.end().wrapping_add(to_u64(len));
            self.messages = self.messages.wrapping_add(u64::from(header.fin));
        }
        self.tap.show(Direction::Sent, header);
    }

    fn header(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload_len: usize,
        mask: Option<ws_frame::MaskKey>,
    ) {
        let header = FrameHeader {
            fin,
            rsv,
            opcode,
            mask,
            payload_len: to_u64(payload_len),
        };
        let mut encoded = [0; FrameHeader::MAX_LEN];
        let len = header.encode(&mut encoded);
        self.note_frame(&header, len.saturating_add(payload_len));
        self.transmit.copy_beginning(&encoded, len);
    }
}
