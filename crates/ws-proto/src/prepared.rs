//! A message framed once, for many connections.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
use ws_deflate::Piece;
use ws_deflate::{Compress, WindowBits};
use ws_frame::{FrameHeader, Rsv};

#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
use crate::deflate::Compressor;
use crate::framing::COPY_PAYLOAD_MAX;
use crate::transmit::to_u64;
use crate::waiting::Data;
#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
use crate::{Context, Deflate};
use crate::{Message, MessageKind, Utf8Bytes};

/// A message that is framed once and sent to any number of connections: the thing to broadcast.
///
/// A server's connections send it without copying it: all of them, and all clones, share its bytes. (Frames of less than
/// 64 bytes are copied where others wait before them, for a reference takes about as much.) A client masks every frame
/// with a key of its own (RFC 6455 §5.3) and therefore masks a copy, as it does with any message.
///
/// ```
/// use ws_proto::{Config, Connection, PreparedMessage};
///
/// let news = PreparedMessage::text("to all");
/// let mut servers = [(); 3].map(|()| Connection::server(Config::default()));
/// for server in &mut servers {
///     server.send_prepared(&news).unwrap();
///     assert_eq!(bytes::Buf::chunk(server.transmit()), b"\x81\x06to all");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    kind: MessageKind,
    bytes: Framed,
    /// The same message compressed.
    deflated: Option<Deflated>,
    compress: Compress,
}

/// A server's whole compressed frame.
#[derive(Clone, Debug)]
pub(crate) struct Deflated {
    pub(crate) frame: Bytes,
    pub(crate) payload_len: usize,
    /// The receiver needs a window of this size.
    pub(crate) window: WindowBits,
}

impl Deflated {
    pub(crate) fn payload(&self) -> &[u8] {
        let header_len = self.frame.len().saturating_sub(self.payload_len);
        self.frame.get(header_len..).unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
enum Framed {
    /// A server's whole frame in one allocation.
    Together { frame: Bytes, header_len: usize },
    /// A payload too large to be worth a copy. Its header is written anew each time, which is cheaper than to share it.
    Apart { payload: Bytes },
}

impl PreparedMessage {
    /// Frames `message`. A payload of at most 8 KiB is copied this once; a larger one is shared with `message`.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let kind = message.kind();
        let payload = message.into_bytes();
        if payload.len() > COPY_PAYLOAD_MAX {
            return Self::of(kind, Framed::Apart { payload });
        }
        let (frame, header_len) = frame(kind, Rsv::NONE, &payload);
        Self::of(kind, Framed::Together { frame, header_len })
    }

    const fn of(kind: MessageKind, bytes: Framed) -> Self {
        Self {
            kind,
            bytes,
            deflated: None,
            compress: Compress::Auto,
        }
    }

    /// Compresses the message too, once for every connection on which compression was agreed, whether with takeover or
    /// not; to the others it goes as it is. Without this, each connection compresses it for itself.
    ///
    /// Nothing is done for a message that gets no shorter. The time it takes grows with the message, 15 microseconds for
    /// each KiB.
    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    #[must_use]
    pub fn compressed(mut self, deflate: &Deflate) -> Self {
        // Small enough for every connection that has not asked for less.
        let context = Context {
            takeover: false,
            window: deflate.terms().send_max_window,
        };
        let mut compressor = Compressor::new(context, deflate);
        let piece = Piece {
            plain: self.as_bytes(),
            is_text: self.is_text(),
            is_first: true,
            is_last: true,
        };
        let compressed = compressor.compress(piece, self.compress);
        self.deflated = compressed.map(|compressed| {
            let (frame, _) = frame(self.kind, Rsv::RSV1, &compressed);
            Deflated {
                frame,
                payload_len: compressed.len(),
                window: compressor.window(),
            }
        });
        if self.deflated.is_none() && self.len() >= deflate.config().min_len.saturating_mul(4) {
            // It was tried, and no connection needs to try again.
            self.compress = Compress::Never;
        }
        self
    }

    /// Says whether connections compress the message.
    #[must_use]
    pub fn with_compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        if compress == Compress::Never {
            self.deflated = None;
        }
        self
    }

    /// A text message.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::new(Message::text(text))
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::new(Message::binary(bytes))
    }

    /// Whether it is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Whether this is a text message.
    pub const fn is_text(&self) -> bool {
        matches!(self.kind, MessageKind::Text)
    }

    /// The length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.bytes {
            Framed::Together { frame, header_len } => frame.get(*header_len..).unwrap_or_default(),
            Framed::Apart { payload } => payload,
        }
    }

    /// The message again; its payload is shared and not copied.
    pub fn to_message(&self) -> Message {
        Message::from_parts(self.kind, self.payload())
    }

    pub(crate) const fn compress(&self) -> Compress {
        self.compress
    }

    pub(crate) const fn deflated(&self) -> Option<&Deflated> {
        self.deflated.as_ref()
    }

    /// The message to be framed anew.
    pub(crate) fn to_data(&self) -> Data {
        Data::message(self.kind, self.payload(), self.compress)
    }

    /// The payload, shared.
    pub(crate) fn payload(&self) -> Bytes {
        match &self.bytes {
            Framed::Together { frame, header_len } => frame.slice(*header_len..),
            Framed::Apart { payload } => payload.clone(),
        }
    }

    /// A server's whole frame, where it is one piece.
    pub(crate) const fn frame(&self) -> Option<&Bytes> {
        match &self.bytes {
            Framed::Together { frame, .. } => Some(frame),
            Framed::Apart { .. } => None,
        }
    }
}

/// A server's whole frame, and how long its header is.
fn frame(kind: MessageKind, rsv: Rsv, payload: &[u8]) -> (Bytes, usize) {
    let header = FrameHeader {
        fin: true,
        rsv,
        opcode: kind.opcode(),
        mask: None,
        payload_len: to_u64(payload.len()),
    }
    .to_bytes();
    let mut frame = BytesMut::with_capacity(header.len().saturating_add(payload.len()));
    frame.extend_from_slice(&header);
    frame.extend_from_slice(payload);
    (frame.freeze(), header.len())
}

impl From<Message> for PreparedMessage {
    fn from(message: Message) -> Self {
        Self::new(message)
    }
}

impl From<&Message> for PreparedMessage {
    fn from(message: &Message) -> Self {
        Self::new(message.clone())
    }
}

impl From<Utf8Bytes> for PreparedMessage {
    fn from(text: Utf8Bytes) -> Self {
        Self::new(text)
    }
}

impl From<String> for PreparedMessage {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for PreparedMessage {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Bytes> for PreparedMessage {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

impl From<Vec<u8>> for PreparedMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl From<&[u8]> for PreparedMessage {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}
