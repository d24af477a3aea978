//! Errors, one type per operation.

use std::{fmt, io};

use ws_handshake::client::HandshakeError;
use ws_handshake::server::{Rejection, ResponseError};
use ws_proto::{ProtocolError, SendError, Unsent};

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
    /// The peer closed the connection inside the message that was being received in chunks. It is over.
    Truncated,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Truncated => f.write_str("the peer closed the connection inside a message"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Send(error) => Some(error),
            Self::Truncated => None,
        }
    }
}

/// For the faces that speak of bytes. The error is inside unless it was one of the transport's.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io(_) => io::ErrorKind::Other,
            Error::Truncated | Error::Protocol(ProtocolError::ConnectionLost) => {
                io::ErrorKind::UnexpectedEof
            }
            Error::Protocol(
                ProtocolError::PongTimeout
                | ProtocolError::WriteTimeout
                | ProtocolError::CloseTimeout,
            ) => io::ErrorKind::TimedOut,
            Error::Protocol(_) => io::ErrorKind::InvalidData,
            Error::Send(SendError::Closed) => io::ErrorKind::BrokenPipe,
            Error::Send(_) => io::ErrorKind::InvalidInput,
        };
        match error {
            Error::Io(error) => error,
            error => Self::new(kind, error),
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

impl From<Unsent> for Error {
    fn from(unsent: Unsent) -> Self {
        Self::Send(unsent.error)
    }
}

/// Why no connection came about on a server.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The transport failed before the handshake was done.
    Io(io::Error),
    /// The client's request was refused: its fault, or a matter of policy. The client was told so, unless it had left
    /// or does not speak HTTP ([`Rejection::closes_silently`]).
    Rejected(Rejection),
    /// The opening handshake took longer than `Config::handshake_timeout`, or the transport gave up waiting.
    TimedOut,
    /// The answer that this end wanted to give is not allowed. The client was told 500.
    Response(ResponseError),
}

impl AcceptError {
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(
                f,
                "the transport failed during the opening handshake: {error}"
            ),
            Self::Rejected(rejection) => write!(f, "the request was refused: {rejection}"),
            Self::TimedOut => {
                f.write_str("the client did not finish the opening handshake in time")
            }
            Self::Response(error) => write!(f, "the response is not allowed: {error}"),
        }
    }
}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Rejected(rejection) => Some(rejection),
            Self::Response(error) => Some(error),
            Self::TimedOut => None,
        }
    }
}

/// Why no connection came about on a client.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The transport failed before the handshake was done.
    Io(io::Error),
    /// The request may not be sent, or the server refused it or answered wrongly; the error says which.
    Handshake(HandshakeError),
    /// Connecting and the opening handshake took longer than `Config::handshake_timeout`, or the transport gave up
    /// waiting.
    TimedOut,
    /// A `wss` URI needs a TLS stream: make one and give it to [`Connector::handshake`](crate::Connector::handshake).
    TlsRequired,
}

impl ConnectError {
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(
                f,
                "the transport failed during the opening handshake: {error}"
            ),
            Self::Handshake(error) => write!(f, "the opening handshake failed: {error}"),
            Self::TimedOut => f.write_str("the opening handshake did not finish in time"),
            Self::TlsRequired => f.write_str(
                "a wss URI needs a TLS stream: make one and give it to Connector::handshake",
            ),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Handshake(error) => Some(error),
            Self::TimedOut | Self::TlsRequired => None,
        }
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}
