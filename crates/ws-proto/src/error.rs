//! Errors, one type for each culprit: [`ProtocolError`] is the peer's fault, [`SendError`] is ours.

use core::fmt;

use ws_frame::{CloseCode, ClosePayloadError, HeaderError};

use crate::Message;

/// The peer broke the protocol, or left without closing. The connection is over.
///
/// What the peer was told about it is [`close_code`](Self::close_code), unless a Close frame of ours had gone before:
/// there is only one ([`CloseInfo::sent`](crate::CloseInfo::sent)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame header that no receiver may accept (RFC 6455 §5.2, §5.5).
    Header(HeaderError),
    /// A reserved bit without an extension that gives it a meaning (§5.2).
    ReservedBits,
    /// A frame without a mask reached a server (§5.1).
    UnmaskedFrame,
    /// A masked frame reached a client (§5.1).
    MaskedFrame,
    /// A continuation frame without a message to continue (§5.4).
    UnexpectedContinuation,
    /// A new message before the last one was finished (§5.4).
    ExpectedContinuation,
    /// A frame announced more than `Config::max_frame_size` bytes (§10.4).
    FrameTooLarge,
    /// A message would exceed `Config::max_message_size` bytes (§10.4).
    MessageTooLarge,
    /// More than `Config::max_fragments` fragments followed the first one of a message (§10.4).
    TooManyFragments,
    /// Text that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A compressed message that is no DEFLATE data, or refers further back than was agreed (RFC 7692 §7.2.2).
    InvalidDeflate,
    /// A Close frame with a forbidden code, a body of one byte, or a reason that is not UTF-8 (§5.5.1, §7.4, §8.1).
    ClosePayload(ClosePayloadError),
    /// The transport ended without a Close frame: local status 1006 (§7.1.5).
    ConnectionLost,
    /// The peer sent nothing for `Config::pong_timeout` after a Ping.
    PongTimeout,
    /// The peer took none of the bytes that it was owed for `Config::write_timeout`.
    WriteTimeout,
    /// The peer did not finish the closing handshake within `Config::close_timeout`.
    CloseTimeout,
}

impl ProtocolError {
    /// The status code of the Close frame that this error obliges us to send; `None` when nobody is left to hear it.
    pub const fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Header(_)
            | Self::ReservedBits
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation => Some(CloseCode::PROTOCOL_ERROR),
            Self::FrameTooLarge | Self::MessageTooLarge | Self::TooManyFragments => {
                Some(CloseCode::MESSAGE_TOO_BIG)
            }
            Self::InvalidUtf8 | Self::InvalidDeflate => Some(CloseCode::INVALID_PAYLOAD),
            Self::ClosePayload(error) => Some(error.close_code()),
            Self::ConnectionLost | Self::PongTimeout | Self::WriteTimeout | Self::CloseTimeout => {
                None
            }
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Header(error) => return write!(f, "the peer sent a bad frame header: {error}"),
            Self::ClosePayload(error) => {
                return write!(f, "the peer sent a bad Close frame: {error}");
            }
            Self::ReservedBits => "the peer set a reserved bit that no extension defines",
            Self::UnmaskedFrame => "the client sent a frame without a mask",
            Self::MaskedFrame => "the server sent a masked frame",
            Self::UnexpectedContinuation => "the peer continued a message that it had not begun",
            Self::ExpectedContinuation => {
                "the peer began a message before it had finished the last one"
            }
            Self::FrameTooLarge => "the peer announced a frame over the size limit",
            Self::MessageTooLarge => "the peer sent a message over the size limit",
            Self::TooManyFragments => "the peer sent a message in too many fragments",
            Self::InvalidUtf8 => "the peer sent text that is not UTF-8",
            Self::InvalidDeflate => "the peer sent a compressed message that cannot be read",
            Self::ConnectionLost => "the peer left without a Close frame",
            Self::PongTimeout => "the peer did not answer a Ping in time",
            Self::WriteTimeout => "the peer did not take what it was sent in time",
            Self::CloseTimeout => "the peer did not finish the closing handshake in time",
        };
        f.write_str(text)
    }
}

impl core::error::Error for ProtocolError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Header(error) => Some(error),
            Self::ClosePayload(error) => Some(error),
            _ => None,
        }
    }
}

impl From<HeaderError> for ProtocolError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

/// This end asked for something that cannot be sent. The connection is not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame was sent or the connection is over: nothing may follow (RFC 6455 §5.5.1).
    Closed,
    /// `Config::write_buffer_limit` bytes are waiting to be written.
    BufferFull,
    /// A message that [`Connection::send_fragment`](crate::Connection::send_fragment) began, of this kind or the
    /// other, is unfinished: nothing else may come between its fragments (§5.4).
    MessageUnfinished,
    /// Text in fragments that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// The application data of a Ping may not exceed 125 bytes (§5.5).
    PingTooLong,
    /// A status code that may not appear in a Close frame (§7.4), or a reason of more than 123 bytes.
    ClosePayload(ClosePayloadError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::BufferFull => f.write_str("the write buffer is full"),
            Self::MessageUnfinished => {
                f.write_str("a message that is sent in fragments is unfinished")
            }
            Self::InvalidUtf8 => f.write_str("this text is not UTF-8"),
            Self::PingTooLong => {
                f.write_str("the application data of a Ping may not exceed 125 bytes")
            }
            Self::ClosePayload(error) => write!(f, "this Close frame may not be sent: {error}"),
        }
    }
}

impl core::error::Error for SendError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::ClosePayload(error) => Some(error),
            _ => None,
        }
    }
}

/// A message that was not sent, given back with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the pair is all there is to say")]
pub struct Unsent {
    /// Why it was not sent.
    pub error: SendError,
    /// The message, untouched.
    pub message: Message,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Unsent {}

impl From<Unsent> for SendError {
    fn from(unsent: Unsent) -> Self {
        unsent.error
    }
}
