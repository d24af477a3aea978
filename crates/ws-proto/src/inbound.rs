//! Bytes to what they mean: headers, unmasking, payload (RFC 6455 §5.2, §5.3, §6.2). Knows nothing of what is sent.

use alloc::boxed::Box;

use bytes::{Buf, Bytes, BytesMut};
use ws_frame::{ClosePayload, FrameHeader, Opcode, Rsv};

use self::inflating::Inflating;
use crate::assembler::{Assembler, compressed_limit};
use crate::tap::TapSlot;
use crate::transmit::to_u64;
use crate::{
    Chunk, CloseFrame, Config, Direction, Message, ProtocolError, Role, Traffic, Utf8Bytes,
};

mod inflating;

/// Payload is unmasked and validated in steps of this size, so that the second pass finds it in the L1 cache and bad
/// text in a large frame fails early.
const DIGEST_BLOCK: usize = 4096;

/// Messages up to this size are copied out of the receive buffer; larger ones are split off and share it. At 125
/// bytes a copy takes as long as a split (98 against 97 ns for a whole echo in memory) and does not pin the buffer;
/// at 4 KiB it costs 55 ns more.
const COPY_MESSAGE_MAX: usize = 1024;

/// After the end (a Close frame or an error) this much more is read and thrown away, so that closing the transport
/// does not reset it and destroy our Close frame on its way to the peer (RFC 6455 §7.1.1).
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;

/// Capacity to read into between two frames, when it is not known what comes.
const READ_ROOM: usize = 64 * 1024;

/// Capacity that a partial frame may always ask for. Beyond it, capacity is at most four times what has arrived.
const RESERVE_FLOOR: usize = 16 * 1024;

/// A frame that lacks at least this much is read straight into its own buffer; less is cheaper to read with whatever
/// follows it into the binding's buffer, and to copy.
const OWN_READ_MIN: usize = 16 * 1024;

/// A frame of which at least this much has arrived is finished in its own buffer too: less is cheaper to carry over.
const CARRY_MAX: usize = 4 * 1024;

/// A waiting connection's own buffer of up to this size is not worth a smaller one.
const PARKED_MIN: usize = 256;

/// The receiving direction.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// Received and not yet consumed. The payload of the current frame lies at its front.
    buffer: BytesMut,
    /// Whether the allocation of `buffer` may be more than its own: a binding's read buffer, or a message's, or made
    /// for a frame that is done.
    shared: bool,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    assembler: Assembler,
    /// Reads compressed messages, if that was agreed.
    inflating: Option<Box<Inflating>>,
    role: Role,
    max_frame_size: usize,
    reception: Reception,
    /// Bytes thrown away since the end.
    drained: usize,
    eof: bool,
    /// Whether part of a data frame has arrived since somebody looked.
    active: bool,
    /// Frames whose header was accepted.
    frames: u64,
    /// Messages that were complete and valid.
    messages: u64,
}

/// A frame whose header was accepted.
#[derive(Clone, Copy, Debug)]
struct Frame {
    header: FrameHeader,
    /// How much of the payload has not been unmasked and validated.
    left: u64,
    /// Whether the payload stays where it was received until it is complete: that of a message in one frame, unless it
    /// is delivered in pieces.
    in_place: bool,
    /// How much unmasked and, unless it is compressed, validated payload lies at the front of the buffer.
    digested: usize,
}

impl Frame {
    /// How much of the payload to digest there is in `buffered` bytes.
    fn arrived(&self, buffered: usize) -> usize {
        let fresh = buffered.saturating_sub(self.digested);
        usize::try_from(self.left).map_or(fresh, |left| left.min(fresh))
    }
}

/// Whether the peer may still say something.
#[derive(Debug)]
enum Reception {
    Open,
    /// The peer's Close frame was the last thing that counts. Boxed, for most connections are open and wait.
    Closed(Option<Box<CloseFrame>>),
    /// The peer's bytes mean nothing any more (§7.1.7).
    Failed,
}

/// What a frame, or the last of several, said.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    Chunk(Chunk),
    /// So much has been decompressed that others may have their turn.
    Part,
    Ping(Bytes),
    Pong(Bytes),
    Close(Option<CloseFrame>),
}

impl Inbound {
    pub(crate) fn new(role: Role, config: &Config) -> Self {
        Self {
            buffer: BytesMut::new(),
            shared: false,
            frame: None,
            assembler: Assembler::new(config),
            inflating: None,
            role,
            max_frame_size: config.max_frame_size,
            reception: Reception::Open,
            drained: 0,
            eof: false,
            active: false,
            frames: 0,
            messages: 0,
        }
    }

    /// Takes what a binding read into a buffer of its own.
    pub(crate) fn handle_received(&mut self, received: BytesMut) {
        if self.buffer.is_empty() {
            self.buffer = received;
            self.shared = true;
        } else {
            // No copy where `received` lies right behind what is buffered.
            self.buffer.unsplit(received);
        }
    }

    /// The buffer to append received bytes to, with room for what the current frame lacks, within what the peer has
    /// paid for.
    pub(crate) fn receive_buffer(&mut self) -> &mut BytesMut {
        let room = self.room();
        if self.shared && self.prefers_receive_buffer() {
            self.relocate(room);
        } else {
            self.buffer.reserve(room);
        }
        &mut self.buffer
    }

    /// What was received so far, but for the bytes, which only the connection sees arrive.
    pub(crate) const fn traffic(&self, bytes: u64) -> Traffic {
        Traffic {
            bytes,
            frames: self.frames,
            messages: self.messages,
        }
    }

    /// Whether part of a data frame has arrived since the last time.
    pub(crate) const fn take_active(&mut self) -> bool {
        core::mem::replace(&mut self.active, false)
    }

    /// How many received bytes wait.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn max_message_size(&self) -> u64 {
        self.assembler.max_message_size()
    }

    /// How many bytes of the message in progress have left the buffer.
    pub(crate) fn assembled(&self) -> usize {
        self.assembler.len()
    }

    /// Whether the next header says that the peer closes or breaks the protocol.
    pub(crate) fn is_about_to_end(&self) -> bool {
        if self.frame.is_some() || !self.is_open() {
            return false;
        }
        match FrameHeader::parse(&self.buffer) {
            Ok(Some((header, _))) => {
                header.opcode == Opcode::Close
                    || self.judge(&header).is_err()
                    || header.opcode.is_data() && self.assembler.is_out_of_order(header.opcode)
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Whether the current frame is best read straight into `receive_buffer`.
    pub(crate) fn prefers_receive_buffer(&self) -> bool {
        // A fragment is copied to its message wherever it was read.
        let in_place = self.frame.is_some_and(|frame| frame.in_place);
        in_place && (self.missing() >= OWN_READ_MIN || self.buffer.len() >= CARRY_MAX)
    }

    /// Delivers the message in progress, or else the next one, in pieces.
    pub(crate) fn stream_message(&mut self, max_size: u64) {
        if self.is_open() {
            self.assembler.stream(max_size);
        }
    }

    /// Gives up the rest of the message that is delivered in pieces, or delivers it whole if nothing was handed out.
    pub(crate) fn discard_message(&mut self) {
        self.assembler.discard_rest();
    }

    /// Copies a partial frame out of a buffer that is shared or far too large, so that a few bytes do not pin it while
    /// the connection waits.
    pub(crate) fn park(&mut self) {
        let room = if self.prefers_receive_buffer() {
            self.room()
        } else {
            0
        };
        let needed = self.buffer.len().saturating_add(room);
        if self.shared || self.buffer.capacity() > needed.saturating_mul(2).max(PARKED_MIN) {
            self.relocate(room);
        }
    }

    /// Copies what waits into a buffer of its own with so much room behind it.
    fn relocate(&mut self, room: usize) {
        let mut own = BytesMut::with_capacity(self.buffer.len().saturating_add(room));
        own.extend_from_slice(&self.buffer);
        self.buffer = own;
        self.shared = false;
    }

    /// Moves what waits to the end of `buffer`.
    pub(crate) fn carry_into(&mut self, buffer: &mut BytesMut) {
        buffer.extend_from_slice(&self.buffer);
        self.buffer = BytesMut::new();
        self.shared = false;
    }

    /// How much of the current frame's payload has not arrived.
    fn missing(&self) -> usize {
        self.frame.map_or(0, |frame| {
            let fresh = self.buffer.len().saturating_sub(frame.digested);
            usize::try_from(frame.left.saturating_sub(to_u64(fresh))).unwrap_or(usize::MAX)
        })
    }

    /// Spare capacity to read into: what the frame lacks and the next header, at least a decent read, and never more
    /// than the peer has earned by sending.
    fn room(&self) -> usize {
        let buffered = self.buffer.len();
        let floor = match self.frame {
            None => READ_ROOM,
            Some(_) => RESERVE_FLOOR,
        };
        let wanted = self
            .missing()
            .saturating_add(FrameHeader::MAX_LEN)
            .max(floor);
        let earned = floor.max(buffered.saturating_mul(4));
        wanted.min(earned.saturating_sub(buffered).max(FrameHeader::MAX_LEN))
    }

    pub(crate) const fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// The next thing that the peer said; `None` when that takes more bytes.
    pub(crate) fn poll(&mut self, tap: &mut TapSlot) -> Result<Option<Received>, ProtocolError> {
        while self.is_open() {
            if self.assembler.is_streaming()
                && let Some(received) = self.begin_streaming()?
            {
                return Ok(Some(received));
            }
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.next_frame(tap)? {
                    Some(frame) => frame,
                    None => break,
                },
            };
            let progress = if frame.header.opcode.is_control() {
                self.control(frame)?
            } else {
                self.data(frame)?
            };
            match progress {
                Progress::Received(received) => return Ok(Some(received)),
                Progress::Fragment => {}
                Progress::Incomplete => break,
            }
        }
        if !self.is_open() {
            self.drained = self.drained.saturating_add(self.buffer.len());
            self.buffer = BytesMut::new();
        } else if self.buffer.is_empty() {
            // An empty `BytesMut` would still pin its allocation.
            self.buffer = BytesMut::new();
            self.shared = false;
        }
        Ok(None)
    }

    /// Ends reception: further input is discarded (§7.1.7).
    pub(crate) fn fail(&mut self) {
        self.reception = Reception::Failed;
        self.forget();
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.reception, Reception::Open)
    }

    pub(crate) const fn is_failed(&self) -> bool {
        matches!(self.reception, Reception::Failed)
    }

    /// Whether the transport has nothing more that we would read.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.eof || self.drained > DRAIN_LIMIT
    }

    /// The peer's Close frame, if one came.
    pub(crate) fn received_close(&self) -> Option<Option<&CloseFrame>> {
        match &self.reception {
            Reception::Closed(frame) => Some(frame.as_deref()),
            Reception::Open | Reception::Failed => None,
        }
    }

    /// Parses and judges the next header. Everything that can be refused is refused here, before any payload is read
    /// and before anything is reserved for it.
    fn next_frame(&mut self, tap: &mut TapSlot) -> Result<Option<Frame>, ProtocolError> {
        let Some((header, header_len)) = FrameHeader::parse(&self.buffer)? else {
            return Ok(None);
        };
        self.judge(&header)?;
        if header.opcode.is_data() {
            self.active = true;
            // The limit of a message that is delivered in pieces is that of its frames too.
            let is_streaming = self.assembler.is_streaming();
            let max_frame_size = to_u64(self.max_frame_size);
            let max_frame_size = match header.rsv.is_empty() {
                true => max_frame_size,
                false => compressed_limit(max_frame_size),
            };
            let fits = is_streaming || header.payload_len <= max_frame_size;
            // A frame that is out of order is that first and too large second.
            let payload_len = if fits { header.payload_len } else { 0 };
            self.assembler.begin(&header, payload_len)?;
            if !fits {
                return Err(ProtocolError::FrameTooLarge);
            }
        }
        self.frames = self.frames.wrapping_add(1);
        tap.show(Direction::Received, &header);
        self.buffer.advance(header_len);
        let is_whole_message = header.fin && matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let frame = Frame {
            header,
            left: header.payload_len,
            in_place: is_whole_message
                && !self.assembler.is_streaming()
                && !self.assembler.is_compressed(),
            digested: 0,
        };
        self.frame = Some(frame);
        Ok(Some(frame))
    }

    /// What no frame may have, whatever came before it.
    const fn judge(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // RSV1 says that a message is compressed, on its first frame and if that was agreed (RFC 7692 §6).
        let is_first = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let is_compressed = header.rsv.bits() == Rsv::RSV1.bits() && is_first;
        let is_allowed = header.rsv.is_empty() || is_compressed && self.inflating.is_some();
        if !is_allowed {
            return Err(ProtocolError::ReservedBits);
        }
        match (self.role, header.mask) {
            // "The server MUST close the connection upon receiving a frame that is not masked" (§5.1).
            (Role::Server, None) => Err(ProtocolError::UnmaskedFrame),
            // "A client MUST close a connection if it detects a masked frame" (§5.1).
            (Role::Client, Some(_)) => Err(ProtocolError::MaskedFrame),
            _ => Ok(()),
        }
    }

    /// Control frames are handled whole: 125 bytes at most (§5.5).
    fn control(&mut self, frame: Frame) -> Result<Progress, ProtocolError> {
        let payload_len = usize::try_from(frame.header.payload_len).unwrap_or(usize::MAX);
        let Some(payload) = self.buffer.get_mut(..payload_len) else {
            return Ok(Progress::Incomplete);
        };
        if let Some(key) = frame.header.mask {
            key.apply(0, payload);
        }
        let received = match frame.header.opcode {
            Opcode::Ping => Received::Ping(Bytes::copy_from_slice(payload)),
            Opcode::Pong => Received::Pong(Bytes::copy_from_slice(payload)),
            _ => {
                let close = ClosePayload::parse(payload)
                    .map_err(ProtocolError::ClosePayload)?
                    .map(|(code, reason)| CloseFrame {
                        code,
                        reason: Utf8Bytes::from(reason),
                    });
                self.reception = Reception::Closed(close.clone().map(Box::new));
                Received::Close(close)
            }
        };
        self.consume(payload_len);
        if self.is_open() {
            self.frame = None;
        } else {
            // "An endpoint discards any data received after a Close frame" (§1.4); a message in progress never ends.
            self.forget();
        }
        Ok(Progress::Received(received))
    }

    fn data(&mut self, mut frame: Frame) -> Result<Progress, ProtocolError> {
        self.active |= frame.arrived(self.buffer.len()) > 0;
        if self.assembler.is_compressed() {
            return self.data_compressed(frame);
        }
        if self.assembler.is_streaming() {
            return self.data_streamed(frame);
        }
        if frame.in_place {
            self.data_in_place(&mut frame)?;
        } else {
            self.data_appended(&mut frame)?;
        }
        if frame.left > 0 {
            self.frame = Some(frame);
            return Ok(Progress::Incomplete);
        }
        self.frame = None;
        if !frame.header.fin {
            return Ok(Progress::Fragment);
        }
        let message = if frame.in_place {
            let payload = self.take(frame.digested);
            self.assembler.finish(payload)
        } else {
            self.assembler.finish_fragmented()
        }?;
        self.messages = self.messages.wrapping_add(1);
        Ok(Progress::Received(Received::Message(message)))
    }

    /// The payload of a message in one frame stays where it was received until it is complete.
    fn data_in_place(&mut self, frame: &mut Frame) -> Result<(), ProtocolError> {
        let end = frame
            .digested
            .saturating_add(frame.arrived(self.buffer.len()));
        if let Some(fresh) = self.buffer.get_mut(frame.digested..end) {
            digest(&mut self.assembler, frame, fresh).map_err(|_| ProtocolError::InvalidUtf8)?;
            frame.digested = end;
        }
        Ok(())
    }

    /// The payload of a fragment moves to the message as it arrives.
    fn data_appended(&mut self, frame: &mut Frame) -> Result<(), ProtocolError> {
        let arrived = frame.arrived(self.buffer.len());
        if let Some(fresh) = self.buffer.get_mut(..arrived) {
            digest(&mut self.assembler, frame, fresh).map_err(|_| ProtocolError::InvalidUtf8)?;
            self.assembler.append(fresh)?;
        }
        self.consume(arrived);
        Ok(())
    }

    /// The payload of a message that is delivered in pieces leaves as it arrives.
    fn data_streamed(&mut self, mut frame: Frame) -> Result<Progress, ProtocolError> {
        let mut arrived = frame.arrived(self.buffer.len());
        let lacking = self.assembler.lacking();
        if lacking > 0 && arrived > COPY_MESSAGE_MAX {
            // The character that was cut is a piece of its own, or all that follows it would be copied to join it.
            arrived = lacking;
        }
        let mut is_invalid = false;
        if let Some(fresh) = self.buffer.get_mut(..arrived)
            && let Err(valid) = digest(&mut self.assembler, &mut frame, fresh)
        {
            // However the bytes are cut, what comes before the error is delivered and the error comes behind it.
            arrived = valid;
            is_invalid = true;
        }
        let ends = frame.left == 0 && frame.header.fin && !is_invalid;
        let payload = if self.assembler.is_discarding() {
            self.consume(arrived);
            Bytes::new()
        } else {
            self.take(arrived)
        };
        let chunk = self.assembler.chunk(payload, ends);
        if is_invalid {
            self.assembler.note_failure(ProtocolError::InvalidUtf8);
        }
        let is_complete = frame.left == 0;
        self.frame = (!is_complete).then_some(frame);
        if ends && self.assembler.failure().is_none() {
            self.messages = self.messages.wrapping_add(1);
        }
        match chunk {
            Some(chunk) => Ok(Progress::Received(Received::Chunk(chunk))),
            None if is_complete || is_invalid => Ok(Progress::Fragment),
            None => Ok(Progress::Incomplete),
        }
    }

    /// What was received of a message before it was to be delivered in pieces is its first piece.
    fn begin_streaming(&mut self) -> Result<Option<Received>, ProtocolError> {
        if let Some(error) = self.assembler.failure() {
            return Err(error);
        }
        let payload = match &mut self.frame {
            Some(frame) if frame.in_place => {
                frame.in_place = false;
                let digested = core::mem::take(&mut frame.digested);
                self.take(digested)
            }
            _ if self.assembler.len() > 0 => self.assembler.take_assembled(),
            _ => return self.release_held(),
        };
        Ok(self.assembler.chunk(payload, false).map(Received::Chunk))
    }

    fn take(&mut self, len: usize) -> Bytes {
        if len > COPY_MESSAGE_MAX {
            // The first bytes of the next frame must not keep the memory of this message.
            self.shared = true;
            return self.buffer.split_to(len).freeze();
        }
        let payload = Bytes::copy_from_slice(self.buffer.get(..len).unwrap_or_default());
        self.consume(len);
        payload
    }

    /// Drops payload that is done with. Its place in the allocation stays.
    fn consume(&mut self, len: usize) {
        self.buffer.advance(len);
        self.shared = true;
    }

    fn forget(&mut self) {
        self.frame = None;
        self.inflating = None;
        self.assembler.discard();
        self.drained = self.drained.saturating_add(self.buffer.len());
        self.buffer = BytesMut::new();
        self.shared = false;
    }
}

/// How far one look at the current frame got.
enum Progress {
    Received(Received),
    /// A frame is complete, the message is not.
    Fragment,
    Incomplete,
}

/// Unmasks and validates bytes that have just arrived, while they are in cache. The error is how many of them come
/// before the first that is wrong.
fn digest(assembler: &mut Assembler, frame: &mut Frame, fresh: &mut [u8]) -> Result<(), usize> {
    let mut valid: usize = 0;
    for block in fresh.chunks_mut(DIGEST_BLOCK) {
        unmask(frame, block);
        if let Err(error) = assembler.validate(block) {
            return Err(valid.saturating_add(error.position().unwrap_or_default()));
        }
        valid = valid.saturating_add(block.len());
        frame.left = frame.left.saturating_sub(to_u64(block.len()));
    }
    Ok(())
}

/// Unmasks the next bytes of the frame.
fn unmask(frame: &Frame, block: &mut [u8]) {
    if let Some(key) = frame.header.mask {
        // The key is four bytes long.
        let phase = frame.header.payload_len.wrapping_sub(frame.left) % 4;
        key.apply(usize::try_from(phase).unwrap_or_default(), block);
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

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
                assert!(inbound.buffer.capacity() <= PARKED_MIN);
                // Nor does more lie in front of it.
                let mut buffer = core::mem::take(&mut inbound.buffer);
                assert!(!buffer.try_reclaim(KIB), "{} bytes done", done.len());
            }
        }
    }

    #[test]
    fn a_parked_connection_keeps_what_a_large_frame_needs() {
        let mut inbound = inbound();
        read_and_park(&mut inbound, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
        read_and_park(&mut inbound, &[7; 1000]);
        assert!(inbound.prefers_receive_buffer());
        let capacity = inbound.buffer.capacity();
        let address = inbound.buffer.as_ptr();
        // Waiting again and again does not copy it again and again.
        for _ in 0..10 {
            read_and_park(&mut inbound, &[7; 100]);
            assert_eq!(inbound.buffer.capacity(), capacity);
            assert_eq!(inbound.buffer.as_ptr(), address);
        }
    }
}
