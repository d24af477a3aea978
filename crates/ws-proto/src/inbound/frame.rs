//! Frame headers, and everything that is refused on them (RFC 6455 §5.2); control frames (§5.5).

use alloc::boxed::Box;

use bytes::Bytes;
use ws_frame::{ClosePayload, FrameHeader, Opcode, Rsv};

use super::{Current, Inbound, Progress, Received, Reception};
use crate::assembler::compressed_limit;
use crate::tap::TapSlot;
use crate::transmit::to_u64;
use crate::{CloseFrame, Direction, ProtocolError, Role, Utf8Bytes};

/// A frame whose header was accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) header: FrameHeader,
    /// How much of the payload has not been unmasked and validated.
    pub(super) left: u64,
    /// Whether the payload stays where it was received until it is complete: that of a message in one frame, unless it
    /// is delivered in pieces.
    pub(super) in_place: bool,
    /// How much unmasked and, unless it is compressed, validated payload lies at the front of the buffer.
    pub(super) digested: usize,
}

impl Frame {
    /// How much of the payload to digest there is in `buffered` bytes.
    pub(super) fn arrived(&self, buffered: usize) -> usize {
        let fresh = buffered.saturating_sub(self.digested);
        usize::try_from(self.left).map_or(fresh, |left| left.min(fresh))
    }
}

impl Inbound {
    /// Whether the next header says that the peer closes or breaks the protocol.
    #[inline]
    pub(crate) fn is_about_to_end(&self) -> bool {
        // Mostly nothing waits when that is asked.
        self.buffer.small_len() > 0 && self.has_end_waiting()
    }

    #[inline(never)]
    fn has_end_waiting(&self) -> bool {
        if matches!(self.current, Current::Frame(_)) || !self.is_open() {
            return false;
        }
        match FrameHeader::parse(self.buffer.waiting()) {
            Ok(Some((header, _))) => {
                header.opcode == Opcode::Close
                    || self.judge(&header).is_err()
                    || header.opcode.is_data() && self.assembler.is_out_of_order(header.opcode)
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Whether all of a frame is there: the rest of the current one, or the next from its header on.
    #[inline]
    pub(crate) fn has_frame_waiting(&self) -> bool {
        if matches!(self.current, Current::Frame(_)) || !self.is_open() {
            return self.has_any_frame_waiting();
        }
        match self.short_frame_len() {
            Some(len) => self.buffer.small_len() >= len,
            // Mostly nothing waits then.
            None => self.buffer.small_len() > 0 && self.has_any_frame_waiting(),
        }
    }

    #[inline(never)]
    fn has_any_frame_waiting(&self) -> bool {
        if !self.is_open() {
            return false;
        }
        let (left, lies_behind) = match self.current.frame() {
            Some(frame) => (frame.left, frame.digested),
            None => match FrameHeader::parse(self.buffer.waiting()) {
                Ok(Some((header, header_len))) => (header.payload_len, header_len),
                Ok(None) | Err(_) => return false,
            },
        };
        to_u64(self.buffer.len().saturating_sub(lies_behind)) >= left
    }

    /// Parses and judges the next header. Everything that can be refused is refused here, before any payload is read
    /// and before anything is reserved for it.
    pub(super) fn next_frame(&mut self, tap: &mut TapSlot) -> Result<Option<Frame>, ProtocolError> {
        let Some((header, header_len)) = FrameHeader::parse(self.buffer.waiting())? else {
            return Ok(None);
        };
        self.judge(&header)?;
        if header.opcode.is_data() {
            self.active = true;
            // The limit of a message that is delivered in pieces is that of its frames too.
            let is_streaming = self.assembler.is_streaming();
            let max_frame_size = to_u64(self.max_frame_size);
            let is_compressed = !header.rsv.is_empty() || self.assembler.is_compressed();
            let max_frame_size = match is_compressed {
                false => max_frame_size,
                true => compressed_limit(max_frame_size),
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
        self.buffer.skip_header(header_len);
        let is_whole_message = header.fin && matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let frame = Frame {
            header,
            left: header.payload_len,
            in_place: is_whole_message
                && !self.assembler.is_streaming()
                && !self.assembler.is_compressed(),
            digested: 0,
        };
        self.current = Current::Frame(frame);
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
    pub(super) fn control(&mut self, frame: Frame) -> Result<Progress, ProtocolError> {
        let payload_len = usize::try_from(frame.header.payload_len).unwrap_or(usize::MAX);
        let Some(payload) = self.buffer.waiting_mut().get_mut(..payload_len) else {
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
                self.reception = Reception::Closed;
                self.close = close.clone().map(Box::new);
                Received::Close(close)
            }
        };
        self.buffer.consume(payload_len);
        if self.is_open() {
            self.current = Current::Nothing;
        } else {
            // "An endpoint discards any data received after a Close frame" (§1.4); a message in progress never ends.
            self.forget();
        }
        Ok(Progress::Received(received))
    }
}

/// Unmasks the next bytes of the frame.
pub(super) fn unmask(frame: &Frame, block: &mut [u8]) {
    if let Some(key) = frame.header.mask {
        // The key is four bytes long.
        let phase = frame.header.payload_len.wrapping_sub(frame.left) % 4;
        key.apply(usize::try_from(phase).unwrap_or_default(), block);
    }
}
