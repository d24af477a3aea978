//! What a frame is (RFC 6455 section 5.2, "Opcode").

use core::fmt;

/// The interpretation of a frame's payload, RFC 6455 section 5.2.
///
/// Exhaustive on purpose: the other ten values are reserved, a frame that carries one fails the
/// connection (`F-03`), and no extension that defines another has ever been registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message in progress.
    Continuation = 0x0,
    /// The first, or only, frame of a text message.
    Text = 0x1,
    /// The first, or only, frame of a binary message.
    Binary = 0x2,
    /// The closing handshake, section 5.5.1.
    Close = 0x8,
    /// A request for a Pong with the same body, section 5.5.2.
    Ping = 0x9,
    /// The answer to a Ping, or a one-way sign of life, section 5.5.3.
    Pong = 0xa,
}

impl Opcode {
    /// The opcode whose four bits are `bits`; `None` for a reserved value or one above 15.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// The four bits of this opcode, as they stand in the low half of a frame's first byte.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Whether this is Close, Ping or Pong: never fragmented, at most 125 bytes of body.
    #[inline]
    #[must_use]
    pub const fn is_control(self) -> bool {
        // Section 5.5: "Control frames are identified by opcodes where the most significant bit
        // of the opcode is 1."
        self.bits() & 0x8 != 0
    }

    /// Whether this is Text, Binary or Continuation: a frame that carries message data.
    #[inline]
    #[must_use]
    pub const fn is_data(self) -> bool {
        !self.is_control()
    }
}

/// The opcode's name in the RFC, lower case.
impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
        })
    }
}
