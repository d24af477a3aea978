//! Fragments to messages (RFC 6455 §5.4): order rules, limits, UTF-8. Knows nothing of masks or control frames.

use alloc::boxed::Box;

use bytes::{Bytes, BytesMut};
use ws_frame::{FrameHeader, Opcode, Utf8Error, Utf8Validator};

use crate::chunk::Streaming;
use crate::copy::append;
use crate::transmit::to_u64;
use crate::{Chunk, Config, MessageKind, ProtocolError};

/// The message in progress.
///
/// There is one contiguous buffer per message and no list of fragments, so that half a million fragments of one byte
/// cost half a million bytes.
#[derive(Debug)]
pub(crate) struct Assembler {
    /// The type of the message in progress, from its first frame.
    kind: Option<MessageKind>,
    /// Payload of the fragments so far. Stays empty for a message in one frame.
    buffer: BytesMut,
    /// Payload that the headers of the message have announced so far.
    admitted: u64,
    continuations: u32,
    /// Whether the message in progress is compressed.
    compressed: bool,
    utf8: Utf8Validator,
    max_message_size: usize,
    max_fragments: u32,
    /// How the message in progress, or else the next one, is delivered in pieces; `None` if it is delivered whole.
    streaming: Option<Box<Streaming>>,
}

/// What cannot be compressed gets longer, by a ninth at the worst, and by [`FLUSHED`] with each fragment. What comes out is
/// limited for itself.
pub(crate) const fn compressed_limit(limit: u64) -> u64 {
    limit.saturating_add(limit / 8).saturating_add(1024)
}

/// A fragment that its sender has flushed ends with an empty block, and begins with a block of its own: so many bytes more,
/// which do not count. There are as many such fragments as there may be empty ones.
const FLUSHED: u64 = 8;

/// A buffer of up to this size is kept for the next message that is lent, until the connection waits.
const KEPT_MAX: usize = 4096;

impl Assembler {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            kind: None,
            buffer: BytesMut::new(),
            admitted: 0,
            continuations: 0,
            compressed: false,
            utf8: Utf8Validator::new(),
            max_message_size: config.max_message_size,
            max_fragments: config.max_fragments,
            streaming: None,
        }
    }

    /// Admits a data frame of `payload_len` bytes, or says why not; on the header alone.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        payload_len: u64,
    ) -> Result<(), ProtocolError> {
        match (header.opcode, self.kind) {
            // "Fragments of one message MUST NOT be interleaved between the fragments of another message" (§5.4).
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(ProtocolError::ExpectedContinuation);
            }
            (Opcode::Text, None) => self.start(MessageKind::Text, header),
            (Opcode::Binary, None) => self.start(MessageKind::Binary, header),
            (_, Some(_)) => {}
            (_, None) => return Err(ProtocolError::UnexpectedContinuation),
        }
        let free = match self.compressed && header.opcode == Opcode::Continuation {
            true => FLUSHED,
            false => 0,
        };
        self.admitted = self
            .admitted
            .saturating_add(payload_len.saturating_sub(free));
        let (max_size, is_counted) = match &self.streaming {
            None => (to_u64(self.max_message_size), true),
            // A fragment that brings something is paid for by the limit on the size, which may be lifted for a message
            // of any number of fragments.
            Some(streaming) => (streaming.max_size, payload_len <= free),
        };
        let max_size = match self.compressed {
            false => max_size,
            true => compressed_limit(max_size),
        };
        if self.admitted > max_size {
            return Err(ProtocolError::MessageTooLarge);
        }
        if header.opcode == Opcode::Continuation && is_counted {
            self.continuations = self.continuations.saturating_add(1);
            if self.continuations > self.max_fragments {
                return Err(ProtocolError::TooManyFragments);
            }
        }
        Ok(())
    }

    fn start(&mut self, kind: MessageKind, header: &FrameHeader) {
        self.kind = Some(kind);
        self.compressed = !header.rsv.is_empty();
        self.admitted = 0;
        self.continuations = 0;
        self.utf8 = Utf8Validator::new();
    }

    /// Looks at unmasked payload as it arrives: text fails at the first byte that cannot become valid, even in the
    /// middle of a frame.
    pub(crate) fn validate(&mut self, payload: &[u8]) -> Result<(), Utf8Error> {
        match self.kind {
            Some(MessageKind::Text) => self.utf8.feed(payload),
            _ => Ok(()),
        }
    }

    /// Whether no message is in progress, and none is to be delivered in pieces.
    #[inline]
    pub(crate) const fn is_idle(&self) -> bool {
        self.kind.is_none() && self.streaming.is_none()
    }

    /// Whether a data frame with this opcode may not come now.
    pub(crate) fn is_out_of_order(&self, opcode: Opcode) -> bool {
        (opcode == Opcode::Continuation) != self.kind.is_some()
    }

    pub(crate) fn max_message_size(&self) -> u64 {
        to_u64(self.max_message_size)
    }

    /// How much of the message in progress has been taken.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Takes validated payload of a fragment.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<(), ProtocolError> {
        let total = self.buffer.len().saturating_add(payload.len());
        if total > self.max_message_size {
            // Its header was admitted while the message was to be delivered in pieces.
            return Err(ProtocolError::MessageTooLarge);
        }
        self.buffer.reserve(payload.len());
        append(&mut self.buffer, payload);
        Ok(())
    }

    /// Whether the message in progress is compressed.
    pub(crate) const fn is_compressed(&self) -> bool {
        self.compressed && self.kind.is_some()
    }

    /// Takes what a piece of a compressed message came to, behind so many bytes of it, and tells what to hand out of it.
    ///
    /// How a message is cut into such pieces depends on how it arrives. So the bytes are judged one behind the other: what
    /// is within the limit is validated, and what comes before the first that is wrong is handed out.
    pub(crate) fn take_inflated(
        &mut self,
        piece: &[u8],
        came_before: u64,
    ) -> Result<Option<Chunk>, ProtocolError> {
        let streaming = self.streaming.as_ref();
        let max_size = streaming.map_or(self.max_message_size(), |streaming| streaming.max_size);
        let room = usize::try_from(max_size.saturating_sub(came_before)).unwrap_or(usize::MAX);
        let admitted = piece.get(..room).unwrap_or(piece);
        let (good, failure) = match self.validate(admitted) {
            Err(error) => {
                let valid = error.position().unwrap_or_default();
                let good = admitted.get(..valid).unwrap_or_default();
                (good, Some(ProtocolError::InvalidUtf8))
            }
            Ok(()) if admitted.len() < piece.len() => {
                (admitted, Some(ProtocolError::MessageTooLarge))
            }
            Ok(()) => (admitted, None),
        };
        let chunk = if !self.is_streaming() {
            if failure.is_none() {
                self.append_inflated(good);
            }
            None
        } else if self.is_discarding() {
            None
        } else {
            self.chunk(Bytes::copy_from_slice(good), false)
        };
        match (chunk, failure) {
            (None, Some(error)) => Err(error),
            (Some(chunk), Some(error)) => {
                self.note_failure(error);
                Ok(Some(chunk))
            }
            (chunk, None) => Ok(chunk),
        }
    }

    /// Grows in steps that end at the limit: halves of it, halves of these, and so on. While the old half is copied the
    /// two together are no more than the limit.
    fn append_inflated(&mut self, piece: &[u8]) {
        let needed = self.buffer.len().saturating_add(piece.len());
        if needed > self.buffer.capacity() {
            let mut capacity = self.max_message_size;
            while capacity / 2 >= needed && !self.buffer.is_empty() {
                capacity /= 2;
            }
            // The first piece is often all there is.
            let capacity = if self.buffer.is_empty() {
                needed
            } else {
                capacity
            };
            self.buffer
                .reserve(capacity.max(needed).saturating_sub(self.buffer.len()));
        }
        append(&mut self.buffer, piece);
    }

    /// The message in progress is complete: tells what it is. Its payload was validated, and lies here unless it came in
    /// one frame.
    pub(crate) fn finish(&mut self) -> Result<MessageKind, ProtocolError> {
        match self.kind.take() {
            Some(MessageKind::Text) => {
                // "The message MUST contain valid UTF-8" (§8.1): it may not end inside a character.
                self.utf8.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
                Ok(MessageKind::Text)
            }
            _ => Ok(MessageKind::Binary),
        }
    }

    /// What was assembled.
    pub(crate) fn assembled(&self) -> &[u8] {
        &self.buffer
    }

    /// The same, given away: a message that is complete, or what there is of one that is to be delivered in pieces.
    pub(crate) fn take_assembled(&mut self) -> Bytes {
        core::mem::take(&mut self.buffer).freeze()
    }

    /// Drops the message that is complete. Its buffer may hold the next one, if it is small.
    pub(crate) fn let_go(&mut self) {
        if self.buffer.capacity() <= KEPT_MAX {
            self.buffer.clear();
        } else {
            self.buffer = BytesMut::new();
        }
    }

    /// Whether there is no buffer for a message that has not begun.
    #[inline]
    pub(crate) fn is_parked(&self) -> bool {
        self.buffer.capacity() == 0 || !self.buffer.is_empty()
    }

    /// Keeps no buffer for a message that has not begun.
    pub(crate) fn park(&mut self) {
        if !self.is_parked() {
            self.buffer = BytesMut::new();
        }
    }

    /// Delivers the message in progress, or else the next one, in pieces.
    pub(crate) fn stream(&mut self, max_size: u64) {
        match &mut self.streaming {
            Some(streaming) => streaming.ask(max_size),
            None => self.streaming = Some(Box::new(Streaming::new(max_size))),
        }
    }

    /// Gives up the rest of the message that is delivered in pieces, or delivers it whole if nothing was handed out.
    pub(crate) fn discard_rest(&mut self) {
        if let Some(streaming) = &mut self.streaming
            && !streaming.discard()
        {
            self.buffer.extend_from_slice(streaming.held());
            self.streaming = None;
        }
    }

    pub(crate) const fn is_streaming(&self) -> bool {
        self.streaming.is_some()
    }

    /// Whether the rest of the message is not wanted.
    pub(crate) fn is_discarding(&self) -> bool {
        let streaming = self.streaming.as_ref();
        streaming.is_some_and(|streaming| streaming.is_discarding())
    }

    /// How many bytes complete the character that is held back; 0 if there is none.
    pub(crate) fn lacking(&self) -> usize {
        let streaming = self.streaming.as_ref();
        streaming.map_or(0, |streaming| streaming.lacking())
    }

    /// What is wrong with the message behind what was handed out of it.
    pub(crate) fn failure(&self) -> Option<ProtocolError> {
        let streaming = self.streaming.as_ref();
        streaming.and_then(|streaming| streaming.failure())
    }

    /// Notes what is wrong with the message behind what is handed out now.
    pub(crate) fn note_failure(&mut self, error: ProtocolError) {
        if let Some(streaming) = &mut self.streaming {
            streaming.note_failure(error);
        }
    }

    /// Makes a piece of `payload`, which was validated; `None` if there is nothing to tell. The message may `end` with
    /// it; that it may not end there is told by the next look at the message.
    pub(crate) fn chunk(&mut self, payload: Bytes, ends: bool) -> Option<Chunk> {
        let kind = self.kind?;
        let streaming = self.streaming.as_mut()?;
        // "The message MUST contain valid UTF-8" (§8.1): it may not end inside a character.
        let is_cut = ends && kind == MessageKind::Text && self.utf8.finish().is_err();
        let last = ends && !is_cut;
        let chunk = streaming.chunk(kind, payload, last);
        if is_cut {
            streaming.note_failure(ProtocolError::InvalidUtf8);
        } else if last {
            let after = streaming.after();
            self.kind = None;
            self.streaming = after.map(Box::new);
        }
        chunk
    }

    /// Drops the message in progress.
    pub(crate) fn discard(&mut self) {
        self.kind = None;
        self.buffer = BytesMut::new();
        self.streaming = None;
    }
}
