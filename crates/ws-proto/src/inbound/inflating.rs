//! Compressed messages are decompressed as they arrive (RFC 7692 §6.2).

use bytes::Bytes;
use ws_deflate::Inflated;

use super::frame::{Frame, unmask};
use super::{Current, Inbound, Progress, Received};
use crate::assembler::Assembler;
use crate::deflate::Decompressor;
use crate::transmit::to_u64;
use crate::{Chunk, ProtocolError};

/// What is decompressed, of one message or of many, until the caller gets to do something else: a millisecond's work at
/// the worst.
const OUTPUT_MAX: usize = 256 * 1024;

/// The same, in compressed bytes: blocks that give nothing cost time too.
const INPUT_MAX: usize = 64 * 1024;

/// Decompresses what a connection receives.
#[derive(Debug)]
pub(super) struct Inflating {
    decompressor: Decompressor,
    /// What was taken and given since the last pause.
    consumed: usize,
    produced: usize,
}

/// Where decompressing has stopped.
enum Stop {
    /// There is something to tell.
    Chunk(Chunk),
    /// Others are to have their turn.
    Pause,
    NeedInput,
    /// The message is complete.
    Done,
}

impl Inflating {
    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    pub(super) const fn new(decompressor: Decompressor) -> Self {
        Self {
            decompressor,
            consumed: 0,
            produced: 0,
        }
    }

    /// Decompresses `input`, which is the `last` of the message or not, into `assembler`.
    fn inflate(
        &mut self,
        input: &mut &[u8],
        last: bool,
        assembler: &mut Assembler,
    ) -> Result<Stop, ProtocolError> {
        if assembler.is_streaming() {
            // The peer may have flushed what it sent so far, and wait for what is said to it.
            self.decompressor.hold_nothing();
        }
        loop {
            if self.consumed >= INPUT_MAX || self.produced >= OUTPUT_MAX {
                (self.consumed, self.produced) = (0, 0);
                return Ok(Stop::Pause);
            }
            let before = input.len();
            let came_before = self.decompressor.produced();
            let inflated = self.decompressor.inflate(input, last);
            let inflated = inflated.map_err(|_| ProtocolError::InvalidDeflate)?;
            let consumed = before.saturating_sub(input.len());
            self.consumed = self.consumed.saturating_add(consumed);
            match inflated {
                Inflated::Output(piece) => {
                    self.produced = self.produced.saturating_add(piece.len());
                    if let Some(chunk) = assembler.take_inflated(piece, came_before)? {
                        return Ok(Stop::Chunk(chunk));
                    }
                }
                Inflated::NeedInput => return Ok(Stop::NeedInput),
                Inflated::Done => return Ok(Stop::Done),
            }
        }
    }
}

impl Inbound {
    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    pub(crate) fn set_decompressor(&mut self, decompressor: Decompressor) {
        self.inflating = Some(alloc::boxed::Box::new(Inflating::new(decompressor)));
    }

    /// The payload of a compressed message is unmasked and decompressed as it arrives.
    pub(super) fn data_compressed(&mut self, mut frame: Frame) -> Result<Progress, ProtocolError> {
        let end = frame
            .digested
            .saturating_add(frame.arrived(self.buffer.len()));
        if let Some(fresh) = self.buffer.waiting_mut().get_mut(frame.digested..end) {
            unmask(&frame, fresh);
            frame.left = frame.left.saturating_sub(to_u64(fresh.len()));
            frame.digested = end;
        }
        let is_complete = frame.left == 0;
        let last = is_complete && frame.header.fin;
        let Some(inflating) = &mut self.inflating else {
            return Err(ProtocolError::ReservedBits);
        };
        let mut input = self
            .buffer
            .waiting()
            .get(..frame.digested)
            .unwrap_or_default();
        let available = input.len();
        let stop = inflating.inflate(&mut input, last, &mut self.assembler)?;
        let consumed = available.saturating_sub(input.len());
        self.buffer.consume(consumed);
        frame.digested = frame.digested.saturating_sub(consumed);
        let is_done = match stop {
            Stop::Done => true,
            Stop::NeedInput => is_complete,
            Stop::Chunk(_) | Stop::Pause => false,
        };
        self.current = (!is_done).then_some(frame).into();
        match stop {
            Stop::Done => self.finish_inflated(),
            Stop::NeedInput if is_complete => Ok(Progress::Fragment),
            Stop::NeedInput => Ok(Progress::Incomplete),
            Stop::Chunk(chunk) => Ok(Progress::Received(Received::Chunk(chunk))),
            Stop::Pause => Ok(Progress::Received(Received::Part)),
        }
    }

    /// What was held back of a compressed message, and what of it is still to come out, before it was to be delivered in
    /// pieces; and none of its frames is there to ask for it.
    pub(super) fn release_held(&mut self) -> Result<Option<Received>, ProtocolError> {
        let is_within = self
            .current
            .frame()
            .is_some_and(|frame| frame.header.opcode.is_data());
        let Some(inflating) = &mut self.inflating else {
            return Ok(None);
        };
        if is_within || !self.assembler.is_compressed() {
            return Ok(None);
        }
        let stop = inflating.inflate(&mut [].as_slice(), false, &mut self.assembler)?;
        Ok(match stop {
            Stop::Chunk(chunk) => Some(Received::Chunk(chunk)),
            Stop::Pause => Some(Received::Part),
            Stop::NeedInput | Stop::Done => None,
        })
    }

    /// The end of a compressed message.
    fn finish_inflated(&mut self) -> Result<Progress, ProtocolError> {
        if !self.assembler.is_streaming() {
            let kind = self.assembler.finish()?;
            self.complete(Current::Assembled { kind });
            return Ok(Progress::Received(Received::Message));
        }
        let chunk = self.assembler.chunk(Bytes::new(), true);
        if self.assembler.failure().is_none() {
            self.messages = self.messages.wrapping_add(1);
        }
        Ok(chunk.map_or(Progress::Fragment, |chunk| {
            Progress::Received(Received::Chunk(chunk))
        }))
    }
}
