//! Messages that are delivered in pieces while they arrive (RFC 6455 §5.4).

use bytes::{Bytes, BytesMut};

use crate::{Message, MessageKind, ProtocolError};

/// A piece of a message, in the order of its payload
/// ([`Connection::stream_message`](crate::Connection::stream_message)).
///
/// How a message is cut into pieces depends on how its bytes arrive and means nothing. The pieces of a text are cut
/// between characters, so each is a text by itself. A piece may be empty only if it is the last.
///
/// A piece may share the buffer that it was read into, as a [`Message`](crate::Message) may.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// What the message is.
    pub kind: MessageKind,
    /// The piece. Of a text it is valid UTF-8.
    pub data: Bytes,
    /// Whether it is the message's first piece.
    pub first: bool,
    /// Whether the message is complete with it. Otherwise more follows, or an error, or a Close frame.
    pub last: bool,
}

impl Chunk {
    /// The piece as text; `None` of a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match self.kind {
            MessageKind::Text => ws_frame::str_from_utf8(&self.data).ok(),
            MessageKind::Binary => None,
        }
    }
}

/// A whole message as its only piece.
impl From<Message> for Chunk {
    fn from(message: Message) -> Self {
        Self {
            kind: message.kind(),
            data: message.into_bytes(),
            first: true,
            last: true,
        }
    }
}

/// How a message is delivered in pieces.
#[derive(Debug)]
pub(crate) struct Streaming {
    /// The largest size that it may have.
    pub(crate) max_size: u64,
    phase: Phase,
    /// The beginning of a character whose end has not come.
    held: Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was handed out.
    Armed,
    Begun,
    /// What was handed out last is followed by what fails the connection.
    Failed(ProtocolError),
    /// The rest is not wanted. The message after it may be, with this limit.
    Discarding {
        next: Option<u64>,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    bytes: [u8; 3],
    len: usize,
}

impl Streaming {
    pub(crate) fn new(max_size: u64) -> Self {
        Self {
            max_size,
            phase: Phase::Armed,
            held: Held::default(),
        }
    }

    /// Asks for pieces of this message, or of the next one if the rest of this is not wanted.
    pub(crate) const fn ask(&mut self, size: u64) {
        match &mut self.phase {
            Phase::Discarding { next } => *next = Some(size),
            _ => self.max_size = size,
        }
    }

    /// Gives the rest up; `false` if nothing was handed out, so that there is no rest of anything.
    pub(crate) fn discard(&mut self) -> bool {
        match &mut self.phase {
            Phase::Armed => return false,
            Phase::Begun => {
                self.held = Held::default();
                self.phase = Phase::Discarding { next: None };
            }
            Phase::Discarding { next } => *next = None,
            Phase::Failed(_) => {}
        }
        true
    }

    /// What follows the message: pieces of the next one, if they were asked for already.
    pub(crate) fn after(&self) -> Option<Self> {
        match self.phase {
            Phase::Discarding { next } => next.map(Self::new),
            _ => None,
        }
    }

    pub(crate) const fn is_discarding(&self) -> bool {
        matches!(self.phase, Phase::Discarding { .. })
    }

    /// What follows what was handed out last and fails the connection.
    pub(crate) const fn failure(&self) -> Option<ProtocolError> {
        match self.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    pub(crate) const fn note_failure(&mut self, error: ProtocolError) {
        self.phase = Phase::Failed(error);
    }

    /// How many bytes complete the character that is held back; 0 if there is none.
    pub(crate) fn lacking(&self) -> usize {
        match self.held.as_slice() {
            [] => 0,
            held @ [first, ..] => character_len(*first).saturating_sub(held.len()),
        }
    }

    /// The bytes held back, to give them back.
    pub(crate) fn held(&self) -> &[u8] {
        self.held.as_slice()
    }

    /// Makes a piece of `payload`, which was validated up to here; `None` if there is nothing to tell.
    pub(crate) fn chunk(
        &mut self,
        kind: MessageKind,
        mut payload: Bytes,
        last: bool,
    ) -> Option<Chunk> {
        if self.is_discarding() {
            return None;
        }
        if kind == MessageKind::Text {
            if self.held.len > 0 {
                let mut joined =
                    BytesMut::with_capacity(self.held.len.saturating_add(payload.len()));
                joined.extend_from_slice(self.held.as_slice());
                joined.extend_from_slice(&payload);
                payload = joined.freeze();
            }
            let whole = payload.len().saturating_sub(unfinished_len(&payload));
            self.held = Held::new(payload.get(whole..).unwrap_or_default());
            payload.truncate(whole);
        }
        if payload.is_empty() && !last {
            return None;
        }
        let first = self.phase == Phase::Armed;
        self.phase = Phase::Begun;
        Some(Chunk {
            kind,
            data: payload,
            first,
            last,
        })
    }
}

impl Held {
    /// Of the beginning of a character, which three bytes always hold.
    fn new(beginning: &[u8]) -> Self {
        let mut bytes = [0; 3];
        for (to, from) in bytes.iter_mut().zip(beginning) {
            *to = *from;
        }
        Self {
            bytes,
            len: beginning.len().min(bytes.len()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// How many bytes the character that begins with `first` has, in valid text (RFC 3629 §3).
const fn character_len(first: u8) -> usize {
    match first {
        ..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}

/// How many bytes at the end of `text`, the beginning of valid text, belong to a character that ends beyond it.
fn unfinished_len(text: &[u8]) -> usize {
    let from_end = text.iter().rev().take(3).zip(1..);
    let first = from_end
        .map(|(byte, len)| (*byte, len))
        .find(|(byte, _)| !(0x80..0xc0).contains(byte));
    match first {
        Some((byte, len)) if character_len(byte) > len => len,
        // The last character is whole; if no first byte is among three, it is whole with the one before them.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_text_is_cut_between_characters() {
        for character in ['a', 'é', '€', '\u{10ffff}'] {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).as_bytes();
            for end in 1..=bytes.len() {
                let unfinished = if end == bytes.len() { 0 } else { end };
                for before in ["", "x", "\u{10ffff}"] {
                    let text = [before.as_bytes(), &bytes[..end]].concat();
                    assert_eq!(unfinished_len(&text), unfinished, "{text:x?}");
                }
            }
        }
        assert_eq!(unfinished_len(b""), 0);
    }
}
