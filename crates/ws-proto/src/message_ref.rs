//! Messages that somebody else owns.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::{Message, MessageKind, Utf8Bytes};

/// A data message (RFC 6455 §5.6) whose payload is borrowed: one that is sent from where it lies
/// ([`Connection::send_ref`](crate::Connection::send_ref)), or one that was received and lies in the connection.
///
/// [`to_message`](Self::to_message) makes a [`Message`] of it, which may be kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageRef<'a> {
    kind: MessageKind,
    /// Of a text it is valid UTF-8.
    payload: &'a [u8],
}

impl<'a> MessageRef<'a> {
    /// A text message.
    pub const fn text(text: &'a str) -> Self {
        Self {
            kind: MessageKind::Text,
            payload: text.as_bytes(),
        }
    }

    /// A binary message.
    pub const fn binary(bytes: &'a [u8]) -> Self {
        Self {
            kind: MessageKind::Binary,
            payload: bytes,
        }
    }

    /// Whether this is text or binary.
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Whether this is a text message.
    #[inline]
    pub const fn is_text(&self) -> bool {
        matches!(self.kind, MessageKind::Text)
    }

    /// Whether this is a binary message.
    #[inline]
    pub const fn is_binary(&self) -> bool {
        matches!(self.kind, MessageKind::Binary)
    }

    /// The length of the payload in bytes (not in characters).
    #[inline]
    pub const fn len(&self) -> usize {
        self.payload.len()
    }

    /// Whether the payload is empty. An empty message is a message like any other.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// The payload, whichever kind the message is.
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.payload
    }

    /// The text of a text message, `None` of a binary one. This looks at the bytes again, as
    /// [`Utf8Bytes::as_str`] does.
    pub fn as_text(&self) -> Option<&'a str> {
        match self.kind {
            MessageKind::Text => Some(ws_frame::str_from_utf8(self.payload).unwrap_or_default()),
            MessageKind::Binary => None,
        }
    }

    /// The message with a payload of its own; a copy.
    pub fn to_message(&self) -> Message {
        Message::from_parts(self.kind, Bytes::copy_from_slice(self.payload))
    }

    /// Wraps bytes that are known to be what `kind` says.
    pub(crate) fn from_parts(kind: MessageKind, payload: &'a [u8]) -> Self {
        debug_assert!(kind == MessageKind::Binary || ws_frame::str_from_utf8(payload).is_ok());
        Self { kind, payload }
    }
}

/// As that of the [`Message`].
impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => f.debug_tuple("Text").field(&text).finish(),
            None => f.debug_tuple("Binary").field(&self.payload).finish(),
        }
    }
}

impl PartialEq<Message> for MessageRef<'_> {
    fn eq(&self, other: &Message) -> bool {
        (self.kind, self.payload) == (other.kind(), other.as_bytes())
    }
}

impl<'a> From<&'a Message> for MessageRef<'a> {
    fn from(message: &'a Message) -> Self {
        Self::from_parts(message.kind(), message.as_bytes())
    }
}

impl<'a> From<&'a str> for MessageRef<'a> {
    fn from(text: &'a str) -> Self {
        Self::text(text)
    }
}

impl<'a> From<&'a String> for MessageRef<'a> {
    fn from(text: &'a String) -> Self {
        Self::text(text)
    }
}

impl<'a> From<&'a Utf8Bytes> for MessageRef<'a> {
    fn from(text: &'a Utf8Bytes) -> Self {
        Self::from_parts(MessageKind::Text, text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for MessageRef<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::binary(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for MessageRef<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::binary(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for MessageRef<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl<'a> From<&'a Bytes> for MessageRef<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self::binary(bytes)
    }
}

impl From<MessageRef<'_>> for Message {
    fn from(message: MessageRef<'_>) -> Self {
        message.to_message()
    }
}
