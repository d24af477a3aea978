//! The payload of data frames, unmasked and validated as it arrives (RFC 6455 §5.3, §5.6, §6.2).

use bytes::Bytes;

use super::buffer::COPY_MESSAGE_MAX;
use super::frame::{Frame, unmask};
use super::{Current, Inbound, Progress, Received};
use crate::ProtocolError;
use crate::assembler::Assembler;
use crate::transmit::to_u64;

/// Payload is unmasked and validated in steps of this size, so that the second pass finds it in the L1 cache and bad
/// text in a large frame fails early.
pub(super) const DIGEST_BLOCK: usize = 4096;

impl Inbound {
    pub(super) fn data(&mut self, mut frame: Frame) -> Result<Progress, ProtocolError> {
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
            self.current = Current::Frame(frame);
            return Ok(Progress::Incomplete);
        }
        self.current = Current::Nothing;
        if !frame.header.fin {
            return Ok(Progress::Fragment);
        }
        let kind = self.assembler.finish()?;
        let len = frame.digested;
        let message = if frame.in_place {
            self.consume(len);
            Current::Received { kind, len }
        } else {
            Current::Assembled { kind }
        };
        self.complete(message);
        Ok(Progress::Received(Received::Message))
    }

    /// What was received of a message before it was to be delivered in pieces is its first piece.
    pub(super) fn begin_streaming(&mut self) -> Result<Option<Received>, ProtocolError> {
        if let Some(error) = self.assembler.failure() {
            return Err(error);
        }
        let payload = match &mut self.current {
            Current::Frame(frame) if frame.in_place => {
                frame.in_place = false;
                let digested = core::mem::take(&mut frame.digested);
                self.take(digested)
            }
            _ if self.assembler.len() > 0 => self.assembler.take_assembled(),
            _ => return self.release_held(),
        };
        Ok(self.assembler.chunk(payload, false).map(Received::Chunk))
    }

    /// The payload of a message in one frame stays where it was received until it is complete.
    fn data_in_place(&mut self, frame: &mut Frame) -> Result<(), ProtocolError> {
        let end = frame
            .digested
            .saturating_add(frame.arrived(self.buffer.len()));
        if let Some(fresh) = self.buffer.arrived_mut().get_mut(frame.digested..end) {
            digest(&mut self.assembler, frame, fresh).map_err(|_| ProtocolError::InvalidUtf8)?;
            frame.digested = end;
        }
        Ok(())
    }

    /// The payload of a fragment moves to the message as it arrives.
    fn data_appended(&mut self, frame: &mut Frame) -> Result<(), ProtocolError> {
        let arrived = frame.arrived(self.buffer.len());
        if let Some(fresh) = self.buffer.waiting_mut().get_mut(..arrived) {
            digest(&mut self.assembler, frame, fresh).map_err(|_| ProtocolError::InvalidUtf8)?;
            self.assembler.append(fresh)?;
        }
        self.buffer.consume(arrived);
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
        if let Some(fresh) = self.buffer.waiting_mut().get_mut(..arrived)
            && let Err(valid) = digest(&mut self.assembler, &mut frame, fresh)
        {
            // However the bytes are cut, what comes before the error is delivered and the error comes behind it.
            arrived = valid;
            is_invalid = true;
        }
        let ends = frame.left == 0 && frame.header.fin && !is_invalid;
        let payload = if self.assembler.is_discarding() {
            self.buffer.consume(arrived);
            Bytes::new()
        } else {
            self.take(arrived)
        };
        let chunk = self.assembler.chunk(payload, ends);
        if is_invalid {
            self.assembler.note_failure(ProtocolError::InvalidUtf8);
        }
        let is_complete = frame.left == 0;
        self.current = (!is_complete).then_some(frame).into();
        if ends && self.assembler.failure().is_none() {
            self.messages = self.messages.wrapping_add(1);
        }
        match chunk {
            Some(chunk) => Ok(Progress::Received(Received::Chunk(chunk))),
            None if is_complete || is_invalid => Ok(Progress::Fragment),
            None => Ok(Progress::Incomplete),
        }
    }
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
