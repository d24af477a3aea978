//! What a peer's bytes can be refused for, and the close code each refusal obliges us to send.

use core::fmt;

use crate::{CloseCode, Opcode};

/// Why the bytes of a frame header are not a frame header (RFC 6455 section 5.2).
///
/// Each is the peer's fault and fails the connection with [`close_code`](Self::close_code).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeaderError {
    /// The opcode, given here, is one of the ten reserved ones. Decided by the first byte.
    ReservedOpcode(u8),
    /// A control frame without FIN: section 5.5 forbids fragments of them. Decided by the first
    /// byte.
    FragmentedControl(Opcode),
    /// A control frame that announces more than 125 bytes. Decided by the second byte.
    OversizedControl(Opcode),
    /// The length stands in a longer form than it needs. Decided by the last byte that had to be
    /// other than zero.
    NonMinimalLength,
    /// The 64-bit length has its top bit set. Decided by the third byte.
    LengthOverflow,
}

impl HeaderError {
    /// The status code to fail the connection with: 1002, whatever was wrong.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        CloseCode::PROTOCOL_ERROR
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedOpcode(bits) => write!(f, "reserved opcode {bits:#x}"),
            Self::FragmentedControl(opcode) => write!(f, "{opcode} frame without FIN"),
            Self::OversizedControl(opcode) => {
                write!(f, "{opcode} frame of more than 125 bytes")
            }
            Self::NonMinimalLength => f.write_str("payload length not in its shortest form"),
            Self::LengthOverflow => f.write_str("payload length with its top bit set"),
        }
    }
}

impl core::error::Error for HeaderError {}

/// Text that is not UTF-8 (RFC 6455 section 8.1): the bytes seen so far can never become valid,
/// or they ended inside a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Utf8Error {
    position: Option<usize>,
}

impl Utf8Error {
    pub(crate) const fn at(position: usize) -> Self {
        Self {
            position: Some(position),
        }
    }

    pub(crate) const fn incomplete() -> Self {
        Self { position: None }
    }

    /// The index, in the chunk last fed, of the byte that no valid text could have had there.
    ///
    /// `None` if every byte was possible and the text ended inside a character.
    #[must_use]
    pub const fn position(self) -> Option<usize> {
        self.position
    }

    /// The status code to fail the connection with: 1007.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        CloseCode::INVALID_PAYLOAD
    }
}

impl fmt::Display for Utf8Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "invalid UTF-8 at byte {position}"),
            None => f.write_str("text ends inside a UTF-8 character"),
        }
    }
}

impl core::error::Error for Utf8Error {}

/// Why a Close frame's body cannot be sent or must be refused (RFC 6455 sections 5.5.1 and 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClosePayloadError {
    /// A body of one byte: half a status code.
    Truncated,
    /// A status code that never appears on the wire.
    Code(CloseCode),
    /// A reason of more than the 123 bytes that fit into a control frame beside the code.
    ReasonTooLong,
    /// A reason that is not UTF-8.
    ReasonNotUtf8,
}

impl ClosePayloadError {
    /// The status code to fail the connection with when a peer sent this: 1007 for a reason that
    /// is not UTF-8, else 1002.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::ReasonNotUtf8 => CloseCode::INVALID_PAYLOAD,
            Self::Truncated | Self::Code(_) | Self::ReasonTooLong => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for ClosePayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("close body of one byte"),
            Self::Code(code) => write!(f, "close code {} is not allowed on the wire", code.get()),
            Self::ReasonTooLong => f.write_str("close reason of more than 123 bytes"),
            Self::ReasonNotUtf8 => f.write_str("close reason is not UTF-8"),
        }
    }
}

impl core::error::Error for ClosePayloadError {}
