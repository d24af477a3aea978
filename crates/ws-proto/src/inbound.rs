//! Bytes to what they mean: headers, unmasking, payload (RFC 6455 §5.2, §5.3, §6.2). Knows nothing of what is sent.

use alloc::boxed::Box;

use bytes::Bytes;

pub(crate) use self::buffer::COPY_MESSAGE_MAX;
use self::buffer::ReceiveBuffer;
use self::frame::Frame;
use self::inflating::Inflating;
pub use self::whole::Whole;
pub(crate) use self::whole::{LEN16, MASK, MAX_LEN7};
use crate::assembler::Assembler;
use crate::tap::TapSlot;
use crate::{Chunk, CloseFrame, Config, MessageKind, ProtocolError, Role, Traffic};

mod buffer;
mod data;
mod frame;
mod inflating;
mod large;
mod lending;
mod whole;

/// After the end (a Close frame or an error) this much more is read and thrown away, so that closing the transport
/// does not reset it and destroy our Close frame on its way to the peer (RFC 6455 §7.1.1).
const DRAIN_LIMIT: u32 = 16 * 1024 * 1024;

/// The receiving direction.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// Received and not yet consumed. The payload of the current frame lies at the front of what waits.
    buffer: ReceiveBuffer,
    current: Current,
    assembler: Assembler,
    /// Reads compressed messages, if that was agreed.
    inflating: Option<Box<Inflating>>,
    role: Role,
    max_frame_size: usize,
    /// The longest message that the shortest way takes.
    max_whole: u16,
    reception: Reception,
    /// The peer's Close frame, if it had a payload. Boxed, for most connections are open and wait.
    close: Option<Box<CloseFrame>>,
    /// Bytes thrown away since the end.
    drained: u32,
    eof: bool,
    /// Whether part of a data frame has arrived since somebody looked.
    active: bool,
    /// Frames whose header was accepted.
    frames: u64,
    /// Messages that were complete and valid.
    messages: u64,
}

/// What the front of the receive buffer belongs to.
///
/// Its variants are told apart by a byte of their own. Left to choose, the compiler hides that in a byte of the header,
/// and four instructions find it there, three times a message.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Current {
    /// The next frame, from its header on.
    Nothing,
    /// A frame whose payload is arriving.
    Frame(Frame),
    /// The next frame, and what was consumed last is the payload of a complete message, which came in one frame.
    Received { kind: MessageKind, len: usize },
    /// The next frame, and in the assembler lies a complete message, which came in fragments or compressed.
    Assembled { kind: MessageKind },
}

/// Whether the peer may still say something.
#[derive(Clone, Copy, Debug)]
enum Reception {
    Open,
    /// The peer's Close frame was the last thing that counts.
    Closed,
    /// The peer's bytes mean nothing any more (§7.1.7).
    Failed,
}

/// What a frame, or the last of several, said.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message that is complete, which [`Inbound::lent`] gives.
    Message,
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
            buffer: ReceiveBuffer::default(),
            current: Current::Nothing,
            assembler: Assembler::new(config),
            inflating: None,
            role,
            max_frame_size: config.max_frame_size,
            max_whole: whole::max_len(config),
            reception: Reception::Open,
            close: None,
            drained: 0,
            eof: false,
            active: false,
            frames: 0,
            messages: 0,
        }
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

    pub(crate) fn max_message_size(&self) -> u64 {
        self.assembler.max_message_size()
    }

    /// How many bytes of the message in progress have left the buffer.
    pub(crate) fn assembled(&self) -> usize {
        match self.is_assembled_lent() {
            true => 0,
            false => self.assembler.len(),
        }
    }

    /// Delivers the message in progress, or else the next one, in pieces.
    pub(crate) fn stream_message(&mut self, max_size: u64) {
        self.let_go();
        if self.is_open() {
            self.assembler.stream(max_size);
        }
    }

    /// Gives up the rest of the message that is delivered in pieces, or delivers it whole if nothing was handed out.
    pub(crate) fn discard_message(&mut self) {
        self.let_go();
        self.assembler.discard_rest();
    }

    pub(crate) const fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// The next thing that the peer said; `None` when that takes more bytes.
    pub(crate) fn poll(&mut self, tap: &mut TapSlot) -> Result<Option<Received>, ProtocolError> {
        self.let_go();
        if self.buffer.is_taken() {
            // Whatever has come belongs to it.
            return Ok(None);
        }
        while self.is_open() {
            if self.assembler.is_streaming()
                && let Some(received) = self.begin_streaming()?
            {
                return Ok(Some(received));
            }
            let frame = match self.current.frame() {
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
            self.drain();
        } else if self.buffer.is_empty() {
            self.buffer.clear();
        }
        Ok(None)
    }

    /// Ends reception: further input is discarded (§7.1.7).
    pub(crate) fn fail(&mut self) {
        self.reception = Reception::Failed;
        self.forget();
    }

    #[inline]
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.reception, Reception::Open)
    }

    #[inline]
    pub(crate) const fn is_failed(&self) -> bool {
        matches!(self.reception, Reception::Failed)
    }

    /// Whether the transport has nothing more that we would read.
    #[inline]
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.eof || self.drained > DRAIN_LIMIT
    }

    /// The peer's Close frame, if one came.
    pub(crate) fn received_close(&self) -> Option<Option<&CloseFrame>> {
        match self.reception {
            Reception::Closed => Some(self.close.as_deref()),
            Reception::Open | Reception::Failed => None,
        }
    }

    fn forget(&mut self) {
        self.let_go();
        self.current = Current::Nothing;
        self.inflating = None;
        self.assembler.discard();
        self.drain();
    }

    /// Throws away what waits.
    fn drain(&mut self) {
        let len = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
        self.drained = self.drained.saturating_add(len);
        self.buffer.discard();
    }
}

impl Current {
    /// The frame whose payload is arriving.
    #[inline]
    const fn frame(&self) -> Option<Frame> {
        match self {
            Self::Frame(frame) => Some(*frame),
            _ => None,
        }
    }
}

impl From<Option<Frame>> for Current {
    fn from(frame: Option<Frame>) -> Self {
        frame.map_or(Self::Nothing, Self::Frame)
    }
}

/// How far one look at the current frame got.
enum Progress {
    Received(Received),
    /// A frame is complete, the message is not.
    Fragment,
    Incomplete,
}
