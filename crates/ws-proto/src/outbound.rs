//! Messages to bytes (RFC 6455 §5, §6.1), and the one place where receiving obliges sending: [`Outbound::answer`].

use alloc::boxed::Box;

use bytes::{Buf, Bytes};
use ws_deflate::Compress;
use ws_frame::{CloseCode, ClosePayload, FrameHeader, Opcode, Rsv, Utf8Validator};

#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
use crate::deflate::Compressor;
use crate::deflate::Deflating;
use crate::side::Side;
use crate::tap::TapSlot;
use crate::transmit::to_u64;
use crate::waiting::{Data, Next, Waiting};
use crate::{
    Config, Direction, Message, MessageKind, Offered, OverflowPolicy, PreparedMessage, Role,
    SendError, Traffic, Transmit, Unsent,
};

/// Server payloads up to this size are copied behind their header; larger ones are queued by reference. Echoing
/// bursts of four, the copy is 6 to 9 % ahead up to 4 KiB, equal at 8 KiB and 10 % behind at 16 KiB.
pub(crate) const COPY_PAYLOAD_MAX: usize = 8 * 1024;

/// Behind other frames a prepared one is shared from this size on. A reference takes 32 bytes in the queue, which limits
/// in bytes do not count: half a million of the smallest frames would take sixteen times what
/// `Config::write_buffer_limit` says.
const SHARE_FRAME_MIN: usize = 64;

/// A client copies and masks in steps of this size, so that masking finds the copy in the L1 cache.
const MASK_BLOCK: usize = 4096;

/// The longest application data of a control frame (§5.5).
const MAX_CONTROL_LEN: usize = 125;

/// Pongs are queued one for one until so many bytes of them wait to be written; beyond that only the newest Ping is
/// remembered. Room for 64 of the longest, so that whoever reads gets every answer, and whoever does not costs this.
const PONG_RESERVE: usize = 8 * 1024;

/// Room for Pings where `Config::write_buffer_limit` leaves none: a connection that is stuck is one to be pinged.
const PING_RESERVE: usize = 1024;

/// The sending direction.
#[derive(Debug)]
pub(crate) struct Outbound {
    side: Side,
    transmit: Transmit,
    /// Data that is framed when `transmit` has room. Most connections never have any.
    waiting: Option<Box<Waiting>>,
    /// The message that `send_fragment` began.
    unfinished: Option<Unfinished>,
    /// The newest Ping that has not been answered because too much waits to be written.
    unanswered_ping: Option<Box<[u8]>>,
    /// The code of our Close frame, once it is queued.
    sent_close: Option<Option<CloseCode>>,
    /// Where our Close frame ends in the stream of all bytes sent. Pongs may follow it, which are owed until the peer's
    /// Close arrives.
    close_end: u64,
    reserved: Reserved,
    /// Nobody is left to read what we would send.
    abandoned: bool,
    /// Whether payloads may be queued apart from their header.
    vectored: bool,
    /// Compresses messages, if that was agreed.
    deflating: Option<Box<Deflating>>,
    fragment_size: usize,
    buffer_high: usize,
    buffer_limit: usize,
    /// Sees every frame, those of the other direction too.
    tap: TapSlot,
    /// Where the newest data frame ends in the stream of all bytes sent.
    data_end: u64,
    /// Frames queued so far.
    frames: u64,
    /// Messages queued so far, to their last frame.
    messages: u64,
    /// How much of what was accepted and had to wait is framed, to the last frame: a count of calls.
    framed: u64,
}

/// A place in the order of what a connection sends, from [`Connection::flush_mark`](crate::Connection::flush_mark).
#[derive(Clone, Debug)]
pub struct FlushMark {
    /// How much of what had to wait must be framed before it is known where in the stream that ends.
    framed: Option<u64>,
    /// Where in the stream of all bytes sent it ends.
    end: u64,
}

/// A message that is sent in pieces and whose last one has not come.
#[derive(Clone, Copy, Debug)]
struct Unfinished {
    kind: MessageKind,
    utf8: Utf8Validator,
}

/// What waits to be written of the room that is kept for control frames.
///
/// They lie between other frames, and where each one lies nobody remembers: they count until the last is written.
#[derive(Debug, Default)]
struct Reserved {
    len: usize,
    /// Where the last of them ends in the stream of all bytes sent.
    end: u64,
}

impl Reserved {
    /// How many bytes of them wait, at most, when so many bytes were written.
    const fn len(&self, written: u64) -> usize {
        if self.end <= written { 0 } else { self.len }
    }

    fn add(&mut self, len: usize, end: u64, written: u64) {
        self.len = self.len(written).saturating_add(len);
        self.end = end;
    }
}

/// What a received frame, or an error about one, obliges us to send.
#[derive(Debug)]
pub(crate) enum Reply<'a> {
    Pong(&'a Bytes),
    /// The Close frame that answers a Close frame.
    Close(Option<CloseCode>),
    /// The Close frame that fails the connection.
    Fail(CloseCode),
}

impl Outbound {
    pub(crate) fn new(side: Side, config: &Config) -> Self {
        Self {
            side,
            transmit: Transmit::default(),
            waiting: None,
            unfinished: None,
            unanswered_ping: None,
            sent_close: None,
            close_end: 0,
            reserved: Reserved::default(),
            abandoned: false,
            vectored: true,
            deflating: None,
            fragment_size: config.fragment_size.unwrap_or(usize::MAX).max(1),
            // Something may always be queued on an empty buffer, and the mark lies at the limit at most: whatever the
            // configuration says, Pings and their answers find room.
            buffer_high: config
                .write_buffer_high
                .min(config.write_buffer_limit)
                .max(1),
            buffer_limit: config.write_buffer_limit.max(1),
            tap: TapSlot::default(),
            data_end: 0,
            frames: 0,
            messages: 0,
            framed: 0,
        }
    }

    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    pub(crate) fn set_compressor(&mut self, compressor: Compressor) {
        self.deflating = Some(Box::new(Deflating::new(compressor)));
    }

    /// A call begins, which may compress some more.
    fn begin_call(&mut self) {
        if let Some(deflating) = &mut self.deflating {
            deflating.begin_call();
        }
    }

    /// Whether the call has compressed as much as it may.
    fn has_compressed_enough(&self) -> bool {
        let deflating = self.deflating.as_ref();
        deflating.is_some_and(|deflating| deflating.is_enough())
    }

    pub(crate) const fn set_vectored(&mut self, vectored: bool) {
        self.vectored = vectored;
    }

    pub(crate) fn set_tap(&mut self, tap: TapSlot) {
        self.tap = tap;
    }

    pub(crate) const fn tap(&mut self) -> &mut TapSlot {
        &mut self.tap
    }

    pub(crate) fn send(&mut self, message: Message, compress: Compress) -> Result<(), Unsent> {
        if let Err(error) = self.admit_message() {
            return Err(Unsent { error, message });
        }
        let kind = message.kind();
        self.begin_call();
        self.data(Data::message(kind, message.into_bytes(), compress));
        Ok(())
    }

    pub(crate) fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), SendError> {
        self.admit_message()?;
        self.prepared(message);
        Ok(())
    }

    pub(crate) fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        fin: bool,
    ) -> Result<(), SendError> {
        self.admit()?;
        self.begin_call();
        let (opcode, mut utf8) = match self.unfinished {
            None => (kind.opcode(), Utf8Validator::new()),
            Some(unfinished) if unfinished.kind == kind => (Opcode::Continuation, unfinished.utf8),
            Some(_) => return Err(SendError::MessageUnfinished),
        };
        if kind == MessageKind::Text {
            // "The message MUST contain valid UTF-8" (§8.1); a fragment may end inside a character (§5.6).
            utf8.feed(&payload).map_err(|_| SendError::InvalidUtf8)?;
            if fin {
                utf8.finish().map_err(|_| SendError::InvalidUtf8)?;
            }
        }
        self.data(Data {
            opcode,
            fin,
            payload,
            compress: Compress::Auto,
        });
        self.unfinished = (!fin).then_some(Unfinished { kind, utf8 });
        if fin && let Some(waiting) = &mut self.waiting {
            waiting.release();
        }
        Ok(())
    }

    pub(crate) fn offer(
        &mut self,
        message: &PreparedMessage,
        overflow: OverflowPolicy,
        capacity: usize,
    ) -> Offered {
        if !self.is_open() {
            return Offered::Closed;
        }
        self.begin_call();
        self.refill();
        let held = self.unfinished.is_some();
        let is_first = self
            .waiting
            .as_ref()
            .is_none_or(|waiting| waiting.is_empty());
        if is_first && !held && !self.is_above_high() {
            self.prepared(message);
            return Offered::Queued;
        }
        let has_room = self.backlog() < capacity;
        if !has_room {
            let dropped = match (overflow, &mut self.waiting) {
                (OverflowPolicy::DropOldest, Some(waiting)) if capacity > 0 => {
                    waiting.drop_oldest()
                }
                _ => false,
            };
            if !dropped {
                return Offered::Refused;
            }
        }
        let waiting = self.waiting.get_or_insert_default();
        waiting.offer(message.clone(), held);
        match has_room {
            true => Offered::Backlogged,
            false => Offered::DroppedOldest,
        }
    }

    /// Whether a whole message may be queued now.
    fn admit_message(&self) -> Result<(), SendError> {
        match self.admit() {
            Err(SendError::Closed) => Err(SendError::Closed),
            _ if self.unfinished.is_some() => Err(SendError::MessageUnfinished),
            admitted => admitted,
        }
    }

    /// Whether data may be queued now.
    fn admit(&self) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let waiting = self.waiting.as_ref();
        let overhead = waiting.map_or(0, |waiting| waiting.overhead());
        if self.queued().saturating_add(overhead) >= self.buffer_limit {
            return Err(SendError::BufferFull);
        }
        Ok(())
    }

    fn prepared(&mut self, message: &PreparedMessage) {
        let size = self.piece_size(message.kind().opcode(), message.compress());
        if self.has_ready() || message.len() > size {
            let compress = message.compress();
            self.data(Data::message(message.kind(), message.payload(), compress));
        } else {
            self.prepared_frame(message);
        }
    }

    /// Frames `data` now, or behind what waits, or fragment by fragment as the write buffer gets room.
    fn data(&mut self, data: Data) {
        let size = self.piece_size(data.opcode, data.compress);
        if self.has_ready() || data.payload.len() > size {
            self.waiting.get_or_insert_default().accept(data);
            self.refill();
        } else {
            self.data_frame(data);
        }
    }

    /// Frames what waits, until that fills the write buffer up to its mark.
    fn refill(&mut self) {
        while !self.is_above_high() && !self.has_compressed_enough() && self.frame_next() {}
    }

    /// How much of a message is framed at once.
    fn piece_size(&self, opcode: Opcode, compress: Compress) -> usize {
        piece_size(
            self.deflating.as_deref(),
            self.fragment_size,
            opcode,
            compress,
        )
    }

    /// Frames what waits first; `false` if nothing does.
    fn frame_next(&mut self) -> bool {
        let Some(waiting) = &mut self.waiting else {
            return false;
        };
        let before = waiting.accepted();
        let (deflating, fragment_size) = (self.deflating.as_deref(), self.fragment_size);
        let next =
            waiting.next(|opcode, compress| piece_size(deflating, fragment_size, opcode, compress));
        let framed = before.saturating_sub(waiting.accepted());
        self.framed = self.framed.saturating_add(to_u64(framed));
        if waiting.is_forgettable() {
            self.waiting = None;
        } else if waiting.is_empty() {
            waiting.shrink();
        }
        match next {
            Some(Next::Frame(data)) => self.data_frame(data),
            Some(Next::Prepared(message)) => self.prepared_frame(&message),
            None => return false,
        }
        true
    }

    pub(crate) fn ping(&mut self, data: &[u8]) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        if data.len() > MAX_CONTROL_LEN {
            return Err(SendError::PingTooLong);
        }
        if self.transmit.remaining() < self.buffer_limit {
            self.frame(true, Rsv::NONE, Opcode::Ping, data);
        } else if self.reserved.len(self.written()) < PING_RESERVE {
            self.reserved_frame(Opcode::Ping, data);
        } else {
            return Err(SendError::BufferFull);
        }
        Ok(())
    }

    /// Queues a Ping of our own, whatever else waits, and tells where it ends in the stream of all bytes sent. There is
    /// one in the queue at most.
    pub(crate) fn keepalive_ping(&mut self, data: &[u8]) -> u64 {
        self.frame(true, Rsv::NONE, Opcode::Ping, data);
        self.transmit.end()
    }

    pub(crate) fn close(&mut self, payload: &ClosePayload) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let code = payload.code();
        if self.role() == Role::Server && code == Some(CloseCode::MANDATORY_EXTENSION) {
            // "1010 indicates that an endpoint (client) is terminating the connection" (§7.4.1).
            return Err(SendError::ClosePayload(ws_frame::ClosePayloadError::Code(
                CloseCode::MANDATORY_EXTENSION,
            )));
        }
        self.close_frame(payload);
        Ok(())
    }

    /// Sends what receiving obliges us to send. There is at most one Close frame (§5.5.1).
    pub(crate) fn answer(&mut self, reply: Reply<'_>) {
        match reply {
            // "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received
            // a Close frame" (§5.5.2): also after it has sent one, which only forbids further data.
            Reply::Pong(_) if self.abandoned => {}
            Reply::Pong(data) => {
                // "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous
                // Ping frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed
                // Ping frame" (§5.5.3): a peer that pings and never reads costs one remembered Ping.
                if self.has_room_for_pong() {
                    self.unanswered_ping = None;
                    self.reserved_frame(Opcode::Pong, data);
                } else {
                    self.unanswered_ping = Some(data.as_ref().into());
                }
            }
            Reply::Close(code) => {
                // "When sending a Close frame in response, the endpoint typically echos the status code" (§5.5.1).
                // The code was valid on the wire, and without a reason the payload always fits.
                let payload = code.and_then(|code| ClosePayload::new(code, "").ok());
                self.finish(&payload.unwrap_or(ClosePayload::EMPTY));
            }
            Reply::Fail(code) => {
                let payload = ClosePayload::new(code, "").unwrap_or(ClosePayload::EMPTY);
                self.finish(&payload);
            }
        }
    }

    /// Bytes owed to the wire.
    pub(crate) fn transmit(&mut self) -> &mut Transmit {
        self.begin_call();
        if self.unanswered_ping.is_some() {
            self.answer_ping();
        }
        if self.waiting.is_some() {
            self.refill();
        }
        &mut self.transmit
    }

    /// Drops what was never written: nobody is left to read it. A Close frame among it was not sent.
    pub(crate) fn abandon(&mut self) {
        if self.written() < self.close_end {
            self.sent_close = None;
        }
        self.abandoned = true;
        self.unanswered_ping = None;
        if let Some(waiting) = &mut self.waiting {
            waiting.drop_all();
        }
        self.transmit.clear();
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.sent_close.is_none() && !self.abandoned
    }

    pub(crate) fn is_flushed(&self) -> bool {
        !self.transmit.has_remaining() && self.unanswered_ping.is_none() && !self.has_ready()
    }

    /// Whether so much waits that it should be written before more is queued or looked at.
    pub(crate) fn wants_flush(&self) -> bool {
        self.is_above_high() || self.has_ready() || self.unanswered_ping.is_some()
    }

    /// Whether a message that is sent now finds a place near the front.
    pub(crate) fn has_room(&self) -> bool {
        match &self.waiting {
            // As this is written, more is offered. What is sent waits for its place among that, and not for its end.
            Some(waiting) if waiting.is_offered_ready() => {
                waiting.owed_len().saturating_add(waiting.overhead()) < self.buffer_high
            }
            _ => !self.is_above_high() && !self.has_ready(),
        }
    }

    /// Notes what has been sent so far.
    pub(crate) fn flush_mark(&self) -> FlushMark {
        let accepted = self.accepted();
        FlushMark {
            framed: (accepted > 0).then(|| self.framed.saturating_add(accepted)),
            end: self.transmit.end(),
        }
    }

    /// Notes what has been framed so far.
    pub(crate) fn framed_mark(&self) -> FlushMark {
        FlushMark {
            framed: None,
            end: self.transmit.end(),
        }
    }

    /// Whether all that was sent before the `mark` is written, or dropped.
    pub(crate) fn is_written(&self, mark: &mut FlushMark) -> bool {
        if let Some(framed) = mark.framed {
            // What is dropped is dropped together.
            if self.framed < framed && self.accepted() > 0 {
                return false;
            }
            mark.framed = None;
            mark.end = self.transmit.end();
        }
        self.written() >= mark.end || !self.owes()
    }

    /// Whether a call has compressed as much as it may, and not all.
    pub(crate) fn has_more_to_compress(&self) -> bool {
        self.has_compressed_enough() && self.has_ready()
    }

    pub(crate) fn is_above_high(&self) -> bool {
        self.transmit.remaining() >= self.buffer_high
    }

    pub(crate) const fn sent_close(&self) -> Option<Option<CloseCode>> {
        self.sent_close
    }

    pub(crate) const fn role(&self) -> Role {
        self.side.role()
    }

    /// How many bytes wait to be written, framed or not.
    pub(crate) fn queued(&self) -> usize {
        let waiting = self.waiting.as_ref();
        let unframed = waiting.map_or(0, |waiting| waiting.owed_len());
        self.transmit.remaining().saturating_add(unframed)
    }

    /// Whether there is something to write.
    pub(crate) fn owes(&self) -> bool {
        self.transmit.has_remaining()
    }

    /// How many bytes were ever written.
    pub(crate) const fn written(&self) -> u64 {
        self.transmit.written()
    }

    /// A number that grows whenever data is queued or written, and does not with control frames.
    pub(crate) fn data_progress(&self) -> u64 {
        self.data_end
            .saturating_add(self.data_end.min(self.written()))
    }

    /// What was sent so far.
    pub(crate) const fn traffic(&self) -> Traffic {
        Traffic {
            bytes: self.transmit.written(),
            frames: self.frames,
            messages: self.messages,
        }
    }

    /// How much of what was accepted waits to be framed.
    fn accepted(&self) -> u64 {
        let waiting = self.waiting.as_ref();
        waiting.map_or(0, |waiting| to_u64(waiting.accepted()))
    }

    /// How many offered messages wait.
    pub(crate) fn backlog(&self) -> usize {
        let waiting = self.waiting.as_ref();
        waiting.map_or(0, |waiting| waiting.offered())
    }

    /// How many offered messages were dropped after they had been taken.
    pub(crate) fn dropped(&self) -> u64 {
        let waiting = self.waiting.as_ref();
        waiting.map_or(0, |waiting| waiting.dropped())
    }

    /// Whether data waits that may be framed as soon as there is room.
    fn has_ready(&self) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.is_ready())
    }

    fn has_room_for_pong(&self) -> bool {
        !self.is_above_high() && self.reserved.len(self.written()) < PONG_RESERVE
    }

    /// Answers the Ping that waits, if there is room again.
    fn answer_ping(&mut self) {
        if self.has_room_for_pong()
            && let Some(data) = self.unanswered_ping.take()
        {
            self.reserved_frame(Opcode::Pong, &data);
        }
    }

    /// Queues a control frame in the room that is kept for such.
    fn reserved_frame(&mut self, opcode: Opcode, data: &[u8]) {
        let before = self.transmit.remaining();
        self.frame(true, Rsv::NONE, opcode, data);
        let len = self.transmit.remaining().saturating_sub(before);
        self.reserved.add(len, self.transmit.end(), self.written());
    }

    /// The peer will say nothing more that counts: no Pong is owed, only a Close frame if none was sent.
    fn finish(&mut self, payload: &ClosePayload) {
        self.unanswered_ping = None;
        if self.is_open() {
            self.close_frame(payload);
        }
    }

    /// Frames what was accepted, for nothing may follow a Close frame, and drops what was only offered.
    fn settle(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.drop_offered();
        }
        // All of it at once: no time to compress what has not begun to be.
        self.set_hurried(true);
        while self.frame_next() {}
        self.set_hurried(false);
    }

    fn set_hurried(&mut self, hurried: bool) {
        if let Some(deflating) = &mut self.deflating {
            deflating.hurried = hurried;
        }
    }

    fn close_frame(&mut self, payload: &ClosePayload) {
        self.settle();
        self.frame(true, Rsv::NONE, Opcode::Close, payload.as_bytes());
        self.sent_close = Some(payload.code());
        self.close_end = self.transmit.end();
    }

    fn prepared_frame(&mut self, message: &PreparedMessage) {
        if self.deflating.is_some() {
            self.prepared_frame_deflated(message);
            return;
        }
        match message.frame() {
            Some(frame) if self.may_share(frame) => {
                self.shared_frame(Rsv::NONE, message.kind().opcode(), frame, message.len());
            }
            _ => self.plain_frame(message.kind().opcode(), true, message.payload()),
        }
    }

    /// Whether a frame is queued by reference.
    fn may_share(&self, frame: &Bytes) -> bool {
        // Without vectored writes each chunk is a write of its own, so only a lonely frame stays one.
        let is_lonely = !self.transmit.has_remaining();
        self.role() == Role::Server
            && (is_lonely || self.vectored && frame.len() >= SHARE_FRAME_MIN)
    }

    /// The same where compression was agreed: what was compressed for all serves this one too, if it keeps to its window.
    #[cold]
    fn prepared_frame_deflated(&mut self, message: &PreparedMessage) {
        let opcode = message.kind().opcode();
        let deflating = self.deflating.as_mut();
        match deflating.and_then(|deflating| deflating.adopt(message, self.fragment_size)) {
            Some(deflated) if self.may_share(&deflated.frame) => {
                self.shared_frame(Rsv::RSV1, opcode, &deflated.frame, deflated.payload_len);
            }
            Some(deflated) => self.frame(true, Rsv::RSV1, opcode, deflated.payload()),
            None => {
                let compress = message.compress();
                self.data_frame(Data::message(message.kind(), message.payload(), compress));
            }
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

    // Of the 1027 instructions that a small message takes, there and back, this saves 26.
    #[inline(always)]
    fn data_frame(&mut self, data: Data) {
        if self.deflating.is_some() {
            self.data_frames(data);
        } else {
            self.plain_frame(data.opcode, data.fin, data.payload);
        }
    }

    fn plain_frame(&mut self, opcode: Opcode, fin: bool, payload: Bytes) {
        if self.vectored && self.role() == Role::Server && payload.len() > COPY_PAYLOAD_MAX {
            self.header(fin, Rsv::NONE, opcode, payload.len(), None);
            self.transmit.share(payload);
        } else {
            self.frame(fin, Rsv::NONE, opcode, &payload);
        }
    }

    /// Compresses a piece of a message, if that is worth it, and frames it.
    #[cold]
    fn data_frames(&mut self, data: Data) {
        let deflating = self.deflating.as_mut();
        let compressed = deflating.and_then(|deflating| deflating.compress(&data));
        let is_plain = compressed.is_none();
        let (mut rsv, mut payload) = compressed.unwrap_or((Rsv::NONE, data.payload));
        let mut opcode = data.opcode;
        // Compressed or not, what is no frame yet may be cut anywhere (RFC 7692 §6.1).
        while payload.len() > self.fragment_size {
            let fragment = payload.split_to(self.fragment_size);
            self.frame(false, rsv, opcode, &fragment);
            (rsv, opcode) = (Rsv::NONE, Opcode::Continuation);
        }
        if is_plain {
            self.plain_frame(opcode, data.fin, payload);
        } else {
            self.frame(data.fin, rsv, opcode, &payload);
        }
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

    // And this saved 15.
    #[inline(always)]
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

/// How much of a message is framed at once: a fragment, or what is compressed at once, which is cut into fragments then.
fn piece_size(
    deflating: Option<&Deflating>,
    fragment_size: usize,
    opcode: Opcode,
    compress: Compress,
) -> usize {
    let piece_size = deflating.and_then(|deflating| deflating.piece_size(opcode, compress));
    piece_size.unwrap_or(fragment_size)
}
