//! Fragments to messages (RFC 6455 §5.4): order rules, limits, UTF-8. Knows nothing of masks or control frames.

use bytes::{Bytes, BytesMut};
use ws_frame::{FrameHeader, Opcode, Utf8Validator};

use crate::{Config, Message, ProtocolError, Utf8Bytes};

/// The message in progress.
///
/// There is one contiguous buffer per message and no list of fragments, so that half a million fragments of one byte
/// cost half a million bytes.
#[derive(Debug)]
pub(crate) struct Assembler {
    /// The type of the message in progress, from its first frame.
    kind: Option<Kind>,
    /// Payload of the fragments so far. Stays empty for a message in one frame.
    buffer: BytesMut,
    continuations: u32,
    utf8: Utf8Validator,
    max_message_size: usize,
    max_fragments: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

impl Assembler {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            kind: None,
            buffer: BytesMut::new(),
            continuations: 0,
            utf8: Utf8Validator::new(),
            max_message_size: config.max_message_size,
            max_fragments: config.max_fragments,
        }
    }

    /// Admits a data frame of `payload_len` bytes, or says why not; on the header alone.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        payload_len: usize,
    ) -> Result<(), ProtocolError> {
        match (header.opcode, self.kind) {
            // "Fragments of one message MUST NOT be interleaved between the fragments of another message" (§5.4).
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(ProtocolError::ExpectedContinuation);
            }
            (Opcode::Text, None) => self.start(Kind::Text),
            (Opcode::Binary, None) => self.start(Kind::Binary),
            (_, Some(_)) => {}
            (_, None) => return Err(ProtocolError::UnexpectedContinuation),
        }
        let total = self.buffer.len().checked_add(payload_len);
        if total.is_none_or(|total| total > self.max_message_size) {
            return Err(ProtocolError::MessageTooLarge);
        }
        if header.opcode == Opcode::Continuation {
            self.continuations = self.continuations.saturating_add(1);
            if self.continuations > self.max_fragments {
                return Err(ProtocolError::TooManyFragments);
            }
        }
        Ok(())
    }

    fn start(&mut self, kind: Kind) {
        self.kind = Some(kind);
        self.continuations = 0;
        self.utf8 = Utf8Validator::new();
    }

    /// Looks at unmasked payload as it arrives: text fails at the first byte that cannot become valid, even in the
    /// middle of a frame.
    pub(crate) fn validate(&mut self, payload: &[u8]) -> Result<(), ProtocolError> {
        match self.kind {
            Some(Kind::Text) => self
                .utf8
                .feed(payload)
                .map_err(|_| ProtocolError::InvalidUtf8),
            _ => Ok(()),
        }
    }

    /// Whether a data frame with this opcode may not come now.
    pub(crate) fn is_out_of_order(&self, opcode: Opcode) -> bool {
        (opcode == Opcode::Continuation) != self.kind.is_some()
    }

    /// How much of the message in progress has been taken.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Takes validated payload of a fragment.
    pub(crate) fn append(&mut self, payload: &[u8]) {
        self.buffer.extend_from_slice(payload);
    }

    /// The last fragment is complete.
    pub(crate) fn finish_fragmented(&mut self) -> Result<Message, ProtocolError> {
        let payload = core::mem::take(&mut self.buffer).freeze();
        self.finish(payload)
    }

    /// A message that came in one frame is complete; its payload was validated but never appended.
    pub(crate) fn finish(&mut self, payload: Bytes) -> Result<Message, ProtocolError> {
        match self.kind.take() {
            Some(Kind::Text) => {
                // "The message MUST contain valid UTF-8" (§8.1): it may not end inside a character.
                self.utf8.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
                Ok(Message::Text(Utf8Bytes::from_validated(payload)))
            }
            _ => Ok(Message::Binary(payload)),
        }
    }

    /// Drops the message in progress.
    pub(crate) fn discard(&mut self) {
        self.kind = None;
        self.buffer = BytesMut::new();
    }
}
