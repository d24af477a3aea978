//! What can go wrong for a client, and whose fault it is.

use alloc::boxed::Box;
use core::fmt;

use bytes::Bytes;

use super::Response;
use crate::fields::FieldError;
use crate::uri::UriError;

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This program: what it wanted to send is not allowed.
    Local,
    /// The server, or what answered in its place.
    Peer,
}

/// A request that may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The URI is not usable.
    Uri(UriError),
    /// A field name is not a token (RFC 9110 section 5.1).
    InvalidFieldName,
    /// A field value holds CR, LF, NUL or another control character (RFC 9110 section 5.5).
    InvalidFieldValue,
    /// The handshake itself decides this field.
    ReservedField,
    /// A subprotocol is not a token (RFC 6455 section 4.1 item 10).
    InvalidSubprotocol,
    /// A subprotocol is offered twice (RFC 6455 section 4.1 item 10).
    DuplicateSubprotocol,
    /// The origin is not `scheme://host[:port]` or `null`.
    InvalidOrigin,
    /// The host is not `host[:port]`.
    InvalidHost,
    /// The request line of a raw request is missing or holds a control character.
    InvalidRequestLine,
    /// A raw request needs exactly one `Sec-WebSocket-Key`, of 16 bytes in base64.
    InvalidKey,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri(error) => return error.fmt(f),
            Self::InvalidFieldName => "the field name is not a token",
            Self::InvalidFieldValue => "the field value holds a control character",
            Self::ReservedField => "the handshake itself decides this field",
            Self::InvalidSubprotocol => "the subprotocol is not a token",
            Self::DuplicateSubprotocol => "the subprotocol is offered twice",
            Self::InvalidOrigin => "the origin is not `scheme://host[:port]` or `null`",
            Self::InvalidHost => "the host is not `host[:port]`",
            Self::InvalidRequestLine => "the request line is missing or holds a control character",
            Self::InvalidKey => "exactly one Sec-WebSocket-Key of 16 bytes in base64 is needed",
        })
    }
}

impl core::error::Error for RequestError {}

impl From<UriError> for RequestError {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

impl From<FieldError> for RequestError {
    fn from(error: FieldError) -> Self {
        match error {
            FieldError::Name => Self::InvalidFieldName,
            FieldError::Value => Self::InvalidFieldValue,
            FieldError::Reserved => Self::ReservedField,
        }
    }
}

/// Why there is no connection. Close TCP; no Close frame is sent before the connection is open
/// (RFC 6455 section 7.1.7).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The request may not be sent.
    Request(RequestError),
    /// The server answered with another status than 101.
    Refused(Box<Refusal>),
    /// The connection ended before any answer.
    ClosedBeforeResponse,
    /// The connection ended inside the response head.
    ClosedInsideResponse,
    /// The first byte is that of a TLS record: the port speaks TLS and the URI says `ws`.
    TlsResponse,
    /// What arrives is not HTTP/1.1.
    NotHttp,
    /// The response head breaks the grammar of HTTP (RFC 9112).
    MalformedResponse,
    /// The response head exceeds one of the [`Limits`](crate::Limits).
    ResponseTooLarge,
    /// There were more than 8 interim (1xx) responses.
    TooManyInterimResponses,
    /// The 101 came as HTTP/1.0, which has no upgrade.
    UnsupportedHttpVersion,
    /// The Upgrade field of the 101 is not exactly `websocket` (RFC 6455 section 4.1).
    InvalidUpgrade,
    /// The Connection field of the 101 lacks `Upgrade` (RFC 6455 section 4.1).
    InvalidConnection,
    /// There is not exactly one `Sec-WebSocket-Accept`, or it does not answer our key: what answered
    /// did not understand the request, or it is an old answer from a cache.
    InvalidAccept,
    /// The server chose an extension that was not offered, or answered an offer with parameters that do not fit it
    /// (RFC 6455 section 4.1, RFC 7692 section 5.1).
    InvalidExtensions,
    /// The server chose a subprotocol that was not offered, or more than one (RFC 6455 section 4.1).
    InvalidSubprotocol,
    /// The server chose no subprotocol and the request requires one.
    MissingSubprotocol,
}

impl HandshakeError {
    /// Who has to change something.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Request(_) => Fault::Local,
            _ => Fault::Peer,
        }
    }

    /// What is probably the matter, if that can be guessed.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) => refusal.hint(),
            Self::TlsResponse => Some("the port speaks TLS; use a wss URI"),
            Self::ClosedBeforeResponse => Some("the port may speak TLS or no HTTP at all"),
            Self::InvalidUpgrade | Self::InvalidConnection => {
                Some("a proxy in between may not be set up for WebSocket")
            }
            _ => None,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Request(error) => return error.fmt(f),
            Self::Refused(refusal) => return refusal.fmt(f),
            Self::ClosedBeforeResponse => "the server closed the connection without an answer",
            Self::ClosedInsideResponse => "the server closed the connection inside its answer",
            Self::TlsResponse => "the server answered with TLS",
            Self::NotHttp => "the server does not speak HTTP/1.1",
            Self::MalformedResponse => "the response head is malformed",
            Self::ResponseTooLarge => "the response head is too large",
            Self::TooManyInterimResponses => "there are too many interim responses",
            Self::UnsupportedHttpVersion => "the server switched protocols in HTTP/1.0",
            Self::InvalidUpgrade => "the Upgrade field of the response is not `websocket`",
            Self::InvalidConnection => "the Connection field of the response lacks `Upgrade`",
            Self::InvalidAccept => "Sec-WebSocket-Accept does not answer the key",
            Self::InvalidExtensions => {
                "the server chose an extension that was not offered, or not as it was offered"
            }
            Self::InvalidSubprotocol => "the server chose a subprotocol that was not offered",
            Self::MissingSubprotocol => "the server chose no subprotocol",
        };
        match self.hint() {
            None => f.write_str(text),
            Some(hint) => write!(f, "{text} ({hint})"),
        }
    }
}

impl core::error::Error for HandshakeError {}

impl From<RequestError> for HandshakeError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<UriError> for HandshakeError {
    fn from(error: UriError) -> Self {
        Self::Request(RequestError::Uri(error))
    }
}

/// The answer of a server that said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    response: Response,
    body: Bytes,
}

impl Refusal {
    /// A refusal and as much of its body as was read, see [`ErrorBody`](super::ErrorBody).
    #[must_use]
    pub fn new(response: Response, body: impl Into<Bytes>) -> Self {
        Self {
            response,
            body: body.into(),
        }
    }

    /// The response head.
    #[must_use]
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// The body, as far as it was read. It comes from outside: escape it before showing it.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What is probably the matter, if that can be guessed.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.response.status() {
            300..=399 => Some("redirects are not followed"),
            400 if self.mentions_tls() => Some("the port speaks TLS; use a wss URI"),
            401 => Some("the server wants credentials"),
            403 => Some("the server may not accept this Origin"),
            404 => Some("there is nothing at this path"),
            407 => Some("a proxy in between wants credentials"),
            426 if !self.speaks_version_13() => {
                Some("the server speaks another version of the protocol")
            }
            426 => Some("a proxy in between may have removed the Upgrade field"),
            429 | 503 => Some("try again later"),
            _ => None,
        }
    }

    /// The texts of well-known servers that got a plain request on a TLS port.
    fn mentions_tls(&self) -> bool {
        let says = |text: &[u8]| {
            self.body
                .windows(text.len())
                .any(|part| part.eq_ignore_ascii_case(text))
        };
        says(b"HTTPS") || says(b"SSL-enabled")
    }

    fn speaks_version_13(&self) -> bool {
        let mut versions = self.response.header_all("Sec-WebSocket-Version").peekable();
        versions.peek().is_none()
            || versions
                .flat_map(crate::fields::list)
                .any(|version| version == b"13")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.response.status();
        match self.hint() {
            None => write!(f, "the server answered with status {status}"),
            Some(hint) => write!(f, "the server answered with status {status} ({hint})"),
        }
    }
}

impl core::error::Error for Refusal {}

impl From<Refusal> for HandshakeError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
