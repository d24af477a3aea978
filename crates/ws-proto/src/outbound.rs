//! Messages to bytes (RFC 6455 §5, §6.1).

mod control;

use alloc::boxed::Box;

use bytes::{Buf, Bytes};
use ws_deflate::Compress;
use ws_frame::{CloseCode, Opcode, Utf8Validator};

pub(crate) use self::control::Reply;
use self::control::Reserved;
use crate::framing::{COPY_PAYLOAD_MAX, Framing};
use crate::side::Side;
use crate::transmit::to_u64;
use crate::waiting::{Data, Entry, Next, Waiting};
use crate::{
    Config, Message, MessageKind, MessageRef, Offered, OverflowPolicy, PreparedMessage, Role,
    SendError, Traffic, Transmit, Unsent,
};

/// The largest limit on what is queued: [`Transmit`] counts on it that this and one message are no more than a number holds.
const LIMIT_MAX: usize = usize::MAX / 2;

/// The sending direction.
#[derive(Debug)]
pub(crate) struct Outbound {
    framing: Framing,
    /// Whatever keeps a message from being queued at once. Most connections have nothing of it, most of the time.
    unusual: Option<Box<Unusual>>,
    reserved: Reserved,
    buffer_high: usize,
    buffer_limit: usize,
    /// How much of what was accepted and had to wait is framed, to the last frame: a count of calls.
    framed: u64,
}

/// What is looked at before anything is sent or written, in one place: to find that there is nothing of it takes one look.
#[derive(Debug, Default)]
struct Unusual {
    /// Data that is framed when the write buffer has room.
    waiting: Waiting,
    /// The message that `send_fragment` began.
    unfinished: Option<Unfinished>,
    /// The newest Ping that has not been answered because too much waits to be written.
    unanswered_ping: Option<Box<[u8]>>,
    /// The code of our Close frame, once it is queued.
    sent_close: Option<Option<CloseCode>>,
    /// Where our Close frame ends in the stream of all bytes sent. Pongs may follow it, which are owed until the peer's
    /// Close arrives.
    close_end: u64,
    /// Nobody is left to read what we would send.
    abandoned: bool,
}

impl Unusual {
    const fn is_open(&self) -> bool {
        self.sent_close.is_none() && !self.abandoned
    }

    /// Whether nothing is lost if this is.
    fn is_forgettable(&self) -> bool {
        self.is_open()
            && self.unfinished.is_none()
            && self.unanswered_ping.is_none()
            && self.waiting.is_forgettable()
    }
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

impl Outbound {
    pub(crate) fn new(side: Side, config: &Config) -> Self {
        Self {
            framing: Framing::new(side, config),
            unusual: None,
            reserved: Reserved::default(),
            // Something may always be queued on an empty buffer, and the mark lies at the limit at most: whatever the
            // configuration says, Pings and their answers find room.
            buffer_high: config
                .write_buffer_high
                .min(config.write_buffer_limit)
                .clamp(1, LIMIT_MAX),
            buffer_limit: config.write_buffer_limit.clamp(1, LIMIT_MAX),
            framed: 0,
        }
    }

    pub(crate) const fn framing(&mut self) -> &mut Framing {
        &mut self.framing
    }

    #[inline]
    pub(crate) fn send(&mut self, message: Message, compress: Compress) -> Result<(), Unsent> {
        let payload = message.as_bytes();
        if payload.len() <= COPY_PAYLOAD_MAX
            && self.is_clear()
            && self.framing.short(message.kind().opcode(), payload)
        {
            return Ok(());
        }
        self.send_any(message, compress)
    }

    /// The same by way of every rule there is.
    #[inline(never)]
    fn send_any(&mut self, message: Message, compress: Compress) -> Result<(), Unsent> {
        if message.len() <= COPY_PAYLOAD_MAX && self.is_clear_for(message.len()) {
            self.framing
                .copied(message.kind().opcode(), message.as_bytes());
            return Ok(());
        }
        if let Err(error) = self.admit_message() {
            return Err(Unsent { error, message });
        }
        let kind = message.kind();
        self.framing.begin_call();
        self.data(Data::message(kind, message.into_bytes(), compress));
        Ok(())
    }

    #[inline]
    pub(crate) fn send_ref(
        &mut self,
        message: MessageRef<'_>,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.send_payload(message.kind(), message.as_bytes(), compress)
    }

    /// The same, with what it takes in registers.
    #[inline(never)]
    fn send_payload(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), SendError> {
        if self.is_clear() && self.framing.short(kind.opcode(), payload) {
            return Ok(());
        }
        self.send_ref_any(kind, payload, compress)
    }

    /// The same by way of every rule there is.
    #[inline(never)]
    fn send_ref_any(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), SendError> {
        if self.is_clear_for(payload.len()) {
            self.framing.copied(kind.opcode(), payload);
            return Ok(());
        }
        self.admit_message()?;
        self.framing.begin_call();
        if self.must_wait(kind.opcode(), payload.len(), compress) {
            let payload = Bytes::copy_from_slice(payload);
            self.accept(Entry::Accepted(Data::message(kind, payload, compress)));
        } else {
            self.framing.message(kind.opcode(), payload, compress);
        }
        Ok(())
    }

    pub(crate) fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), SendError> {
        self.admit_message()?;
        self.framing.begin_call();
        self.prepared(message);
        Ok(())
    }

    pub(crate) fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        fin: bool,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.admit()?;
        self.framing.begin_call();
        let (opcode, mut utf8) = match self.unfinished() {
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
            compress,
        });
        if !fin {
            let unusual = self.unusual.get_or_insert_default();
            unusual.unfinished = Some(Unfinished { kind, utf8 });
        } else if let Some(unusual) = &mut self.unusual {
            unusual.unfinished = None;
            unusual.waiting.release();
            self.forget();
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
        self.framing.begin_call();
        self.refill();
        let held = self.unfinished().is_some();
        let is_first = self.waiting().is_none_or(Waiting::is_empty);
        if is_first && !held && !self.is_above_high() {
            self.prepared(message);
            return Offered::Queued;
        }
        let has_room = self.backlog() < capacity;
        if !has_room {
            let dropped = match (overflow, &mut self.unusual) {
                (OverflowPolicy::DropOldest, Some(unusual)) if capacity > 0 => {
                    unusual.waiting.drop_oldest()
                }
                _ => false,
            };
            if !dropped {
                return Offered::Refused;
            }
        }
        let unusual = self.unusual.get_or_insert_default();
        unusual.waiting.offer(message.clone(), held);
        match has_room {
            true => Offered::Backlogged,
            false => Offered::DroppedOldest,
        }
    }

    /// Whether nothing keeps a message from being queued at once: what most messages meet.
    #[inline]
    fn is_clear(&self) -> bool {
        self.unusual.is_none() && self.framing.transmit.remaining() < self.buffer_limit
    }

    /// The same for one of so many bytes, as one frame and as it is.
    fn is_clear_for(&self, len: usize) -> bool {
        self.is_clear() && self.framing.is_one_plain_frame(len)
    }

    /// Whether a whole message may be queued now.
    fn admit_message(&self) -> Result<(), SendError> {
        match self.admit() {
            Err(SendError::Closed) => Err(SendError::Closed),
            _ if self.unfinished().is_some() => Err(SendError::MessageUnfinished),
            admitted => admitted,
        }
    }

    /// Whether data may be queued now.
    fn admit(&self) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let overhead = self.waiting().map_or(0, Waiting::overhead);
        if self.queued().saturating_add(overhead) >= self.buffer_limit {
            return Err(SendError::BufferFull);
        }
        Ok(())
    }

    /// Frames a message now, or behind what waits, or fragment by fragment as the write buffer gets room.
    fn prepared(&mut self, message: &PreparedMessage) {
        if self.has_ready() || !self.framing.is_one_frame(message) {
            self.accept(Entry::Prepared(message.clone()));
        } else {
            self.framing.prepared(message);
        }
    }

    /// The same for data.
    fn data(&mut self, data: Data) {
        if self.must_wait(data.opcode, data.payload.len(), data.compress) {
            self.accept(Entry::Accepted(data));
        } else {
            self.framing.data(data);
        }
    }

    /// Whether data is not framed now: others wait before it, or it is framed piece by piece.
    fn must_wait(&self, opcode: Opcode, payload_len: usize, compress: Compress) -> bool {
        self.has_ready() || payload_len > self.framing.piece_size(opcode, compress)
    }

    fn accept(&mut self, entry: Entry) {
        let unusual = self.unusual.get_or_insert_default();
        unusual.waiting.accept(entry);
        self.refill();
    }

    /// Frames what waits, until that fills the write buffer up to its mark.
    fn refill(&mut self) {
        while !self.is_above_high() && !self.framing.has_compressed_enough() && self.frame_next() {}
    }

    /// Frames what waits first; `false` if nothing does.
    fn frame_next(&mut self) -> bool {
        let Some(unusual) = &mut self.unusual else {
            return false;
        };
        let waiting = &mut unusual.waiting;
        let before = waiting.accepted();
        let next = waiting.next(&self.framing);
        let framed = before.saturating_sub(waiting.accepted());
        self.framed = self.framed.saturating_add(to_u64(framed));
        if waiting.is_empty() {
            waiting.shrink();
            self.forget();
        }
        match next {
            Some(Next::Frame(data)) => self.framing.data(data),
            Some(Next::Prepared(message)) => self.framing.prepared(&message),
            None => return false,
        }
        true
    }

    /// Bytes owed to the wire.
    #[inline]
    pub(crate) fn transmit(&mut self) -> &mut Transmit {
        self.framing.begin_call();
        if self.unusual.is_some() {
            self.frame_unusual();
        }
        &mut self.framing.transmit
    }

    /// Queues what has waited for room.
    #[inline(never)]
    fn frame_unusual(&mut self) {
        self.answer_ping();
        self.refill();
    }

    /// The same, as they are.
    pub(crate) const fn unwritten(&mut self) -> &mut Transmit {
        &mut self.framing.transmit
    }

    /// Drops what was never written: nobody is left to read it. A Close frame among it was not sent.
    pub(crate) fn abandon(&mut self) {
        let written = self.written();
        let unusual = self.unusual.get_or_insert_default();
        if written < unusual.close_end {
            unusual.sent_close = None;
        }
        unusual.abandoned = true;
        unusual.unanswered_ping = None;
        unusual.waiting.drop_all();
        self.framing.transmit.clear();
    }

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        let unusual = self.unusual.as_ref();
        unusual.is_none_or(|unusual| unusual.is_open())
    }

    /// Whether nobody is left to read what we would send.
    fn is_abandoned(&self) -> bool {
        let unusual = self.unusual.as_ref();
        unusual.is_some_and(|unusual| unusual.abandoned)
    }

    #[inline]
    pub(crate) fn is_flushed(&self) -> bool {
        !self.framing.transmit.has_remaining() && !self.has_unframed()
    }

    /// Whether so much waits that it should be written before more is queued or looked at.
    #[inline]
    pub(crate) fn wants_flush(&self) -> bool {
        self.is_above_high() || self.has_unframed()
    }

    /// Whether something waits that is framed as soon as there is room.
    #[inline]
    fn has_unframed(&self) -> bool {
        let unusual = self.unusual.as_ref();
        unusual
            .is_some_and(|unusual| unusual.unanswered_ping.is_some() || unusual.waiting.is_ready())
    }

    /// Whether a message that is sent now finds a place near the front.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        match self.waiting() {
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
            end: self.framing.transmit.end(),
        }
    }

    /// Notes what has been framed so far.
    pub(crate) fn framed_mark(&self) -> FlushMark {
        FlushMark {
            framed: None,
            end: self.framing.transmit.end(),
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
            mark.end = self.framing.transmit.end();
        }
        self.written() >= mark.end || !self.owes()
    }

    /// Whether a call has compressed as much as it may, and not all.
    pub(crate) fn has_more_to_compress(&self) -> bool {
        self.framing.has_compressed_enough() && self.has_ready()
    }

    #[inline]
    pub(crate) fn is_above_high(&self) -> bool {
        self.framing.transmit.remaining() >= self.buffer_high
    }

    pub(crate) fn sent_close(&self) -> Option<Option<CloseCode>> {
        let unusual = self.unusual.as_ref();
        unusual.and_then(|unusual| unusual.sent_close)
    }

    pub(crate) const fn role(&self) -> Role {
        self.framing.role()
    }

    /// How many bytes wait to be written, framed or not.
    pub(crate) fn queued(&self) -> usize {
        let unframed = self.waiting().map_or(0, Waiting::owed_len);
        self.framing.transmit.remaining().saturating_add(unframed)
    }

    /// Whether there is something to write.
    pub(crate) fn owes(&self) -> bool {
        self.framing.transmit.has_remaining()
    }

    /// How many bytes were ever written.
    pub(crate) const fn written(&self) -> u64 {
        self.framing.transmit.written()
    }

    /// A number that grows whenever data is queued or written, and does not with control frames.
    pub(crate) fn data_progress(&self) -> u64 {
        let data_end = self.framing.data_end();
        data_end.saturating_add(data_end.min(self.written()))
    }

    /// What was sent so far.
    pub(crate) const fn traffic(&self) -> Traffic {
        self.framing.traffic()
    }

    /// How much of what was accepted waits to be framed.
    fn accepted(&self) -> u64 {
        let accepted = self.waiting().map_or(0, Waiting::accepted);
        to_u64(accepted)
    }

    /// How many offered messages wait.
    pub(crate) fn backlog(&self) -> usize {
        self.waiting().map_or(0, Waiting::offered)
    }

    /// How many offered messages were dropped after they had been taken.
    pub(crate) fn dropped(&self) -> u64 {
        self.waiting().map_or(0, Waiting::dropped)
    }

    /// Whether data waits that may be framed as soon as there is room.
    fn has_ready(&self) -> bool {
        self.waiting().is_some_and(Waiting::is_ready)
    }

    /// What waits for room, if anything does.
    #[inline]
    fn waiting(&self) -> Option<&Waiting> {
        self.unusual.as_ref().map(|unusual| &unusual.waiting)
    }

    /// The message that is sent in pieces, if one is.
    fn unfinished(&self) -> Option<Unfinished> {
        let unusual = self.unusual.as_ref();
        unusual.and_then(|unusual| unusual.unfinished)
    }

    /// Holds no memory for what is over.
    fn forget(&mut self) {
        let unusual = self.unusual.as_ref();
        if unusual.is_some_and(|unusual| unusual.is_forgettable()) {
            self.unusual = None;
        }
    }
}
