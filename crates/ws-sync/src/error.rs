//! Errors, one type per operation.

use std::{fmt, io};

use ws_proto::{ProtocolError, SendError};

/// Why an established connection failed or refused an operation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed: nobody's fault at this level. The connection is over.
    Io(io::Error),
    /// The peer broke the protocol, fell silent or left without closing. The connection is over; what the peer was
    /// told is [`ProtocolError::close_code`].
    Protocol(ProtocolError),
    /// This end asked for something that cannot be sent. The connection is not affected.
    Send(SendError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Send(error) => Some(error),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}
