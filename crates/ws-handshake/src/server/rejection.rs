//! The answer of a server that says no (RFC 6455 section 4.2.2, RFC 9110 section 15).

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::ResponseError;
use super::status::phrase;
use crate::fields::{check_outgoing, is_field_value, is_protocol_field, write_field};

/// A refusal: a complete HTTP response with a short text, after which the connection is closed.
///
/// It repeats nothing that the client sent and tells nothing about the inside of the server. Sending
/// it well takes three steps: write it, shut down the write side, then read and discard for a moment
/// before closing; closing at once while bytes are unread makes TCP discard the response too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// 0: close without a word.
    status: u16,
    extra: Extra,
    without_content: bool,
    reason: &'static str,
    custom: Option<Box<Custom>>,
}

/// Fields that the status itself requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extra {
    None,
    /// RFC 9110 section 15.5.6.
    Allow,
    /// RFC 9110 section 15.5.22, RFC 6455 section 4.2.2 item 4.
    UpgradeAndVersion,
    Version,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Custom {
    fields: Vec<u8>,
    content: Option<Content>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    media_type: String,
    bytes: Vec<u8>,
}

impl Rejection {
    /// A refusal with any status from 300 to 599, for what the constructors below do not name.
    /// `reason` is the text the client gets.
    ///
    /// ```
    /// # use ws_handshake::server::{Rejection, ResponseError};
    /// let moved = Rejection::new(307, "Moved.")?.header("Location", "https://example.org/chat")?;
    /// # Ok::<(), ResponseError>(())
    /// ```
    ///
    /// # Errors
    /// The status is not one of a refusal.
    pub fn new(status: u16, reason: &'static str) -> Result<Self, ResponseError> {
        match status {
            405 => Ok(Self::with(status, Extra::Allow, reason)),
            426 => Ok(Self::with(status, Extra::UpgradeAndVersion, reason)),
            300..=599 => Ok(Self::with(status, Extra::None, reason)),
            _ => Err(ResponseError::InvalidStatus),
        }
    }

    /// 400 with this text.
    #[must_use]
    pub fn bad_request(reason: &'static str) -> Self {
        Self::with(400, Extra::None, reason)
    }

    /// 401: who are you? `challenge` is the value of WWW-Authenticate, such as `Basic realm="chat"`.
    ///
    /// # Errors
    /// The challenge holds a control character.
    pub fn unauthorized(challenge: &str) -> Result<Self, ResponseError> {
        Self::with(401, Extra::None, "Authentication is required.")
            .header("WWW-Authenticate", challenge)
    }

    /// 403: not for you. The right answer to a page of another site.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::with(403, Extra::None, "Access is refused.")
    }

    /// 404: there is nothing at this path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::with(404, Extra::None, "There is nothing at this path.")
    }

    /// 408: the handshake deadline passed. With nothing received at all, close without it: nobody
    /// asked anything yet.
    #[must_use]
    pub fn timeout() -> Self {
        Self::with(408, Extra::None, "The request was not complete in time.")
    }

    /// 429: too many connections from you. `retry_after` is in seconds.
    #[must_use]
    pub fn too_many_requests(retry_after: Option<u32>) -> Self {
        Self::with(429, Extra::None, "There are too many connections.").retry_after(retry_after)
    }

    /// 500: the application failed.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::with(500, Extra::None, "The server failed.")
    }

    /// 503: overloaded, or about to stop. `retry_after` is in seconds.
    #[must_use]
    pub fn service_unavailable(retry_after: Option<u32>) -> Self {
        Self::with(
            503,
            Extra::None,
            "The server cannot take this connection now.",
        )
        .retry_after(retry_after)
    }

    /// Adds a field. It may be called several times with the same name.
    ///
    /// # Errors
    /// The name is not a token, the value holds a control character, or the name is one that the
    /// response decides: Connection, Content-Type, Content-Length and so on.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, ResponseError> {
        check_outgoing(name, value.as_ref(), |name| {
            is_protocol_field(name) || name.eq_ignore_ascii_case("content-type")
        })?;
        write_field(&mut self.custom_mut().fields, name, value.as_ref());
        Ok(self)
    }

    /// Replaces the text by other content, such as an HTML page.
    ///
    /// # Errors
    /// The media type holds a control character.
    pub fn content(
        mut self,
        media_type: &str,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<Self, ResponseError> {
        if !is_field_value(media_type.as_bytes()) {
            return Err(ResponseError::InvalidFieldValue);
        }
        let content = Content {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        };
        self.custom_mut().content = Some(content);
        Ok(self)
    }

    /// Leaves the content away but keeps its length: the response to a HEAD request.
    #[must_use]
    pub fn without_content(mut self) -> Self {
        self.without_content = true;
        self
    }

    /// The status, or `None` for closing without an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        (!self.closes_silently()).then_some(self.status)
    }

    /// What is wrong, in a sentence for the client and for a log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Whether the connection is to be closed without an answer, because the peer is gone or does not
    /// speak HTTP at all.
    #[must_use]
    pub fn closes_silently(&self) -> bool {
        self.status == 0
    }

    /// Appends the bytes to send; none if [`closes_silently`](Self::closes_silently).
    pub fn encode(&self, out: &mut Vec<u8>) {
        if self.closes_silently() {
            return;
        }
        let content = self
            .custom
            .as_ref()
            .and_then(|custom| custom.content.as_ref());
        let (media_type, bytes) = content.map_or(
            ("text/plain; charset=utf-8", self.reason.as_bytes()),
            |content| (content.media_type.as_str(), content.bytes.as_slice()),
        );
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(phrase(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        match self.extra {
            // Upgrade must be named in Connection by whoever sends it (RFC 9110 section 7.8).
            Extra::UpgradeAndVersion => {
                write_field(out, "Upgrade", b"websocket");
                write_field(out, "Connection", b"Upgrade, close");
                write_field(out, "Sec-WebSocket-Version", b"13");
            }
            Extra::Version => {
                write_field(out, "Connection", b"close");
                write_field(out, "Sec-WebSocket-Version", b"13");
            }
            Extra::Allow => {
                write_field(out, "Connection", b"close");
                write_field(out, "Allow", b"GET");
            }
            Extra::None => write_field(out, "Connection", b"close"),
        }
        write_field(out, "Content-Type", media_type.as_bytes());
        write_field(out, "Content-Length", bytes.len().to_string().as_bytes());
        if let Some(custom) = &self.custom {
            out.extend_from_slice(&custom.fields);
        }
        out.extend_from_slice(b"\r\n");
        if !self.without_content {
            out.extend_from_slice(bytes);
        }
    }

    pub(crate) fn origin_not_allowed() -> Self {
        Self::with(
            403,
            Extra::None,
            "Pages of this origin may not connect here.",
        )
    }

    pub(super) fn silent(reason: &'static str) -> Self {
        Self::with(0, Extra::None, reason)
    }

    pub(super) fn upgrade_required(reason: &'static str) -> Self {
        Self::with(426, Extra::UpgradeAndVersion, reason)
    }

    pub(super) fn unsupported_version() -> Self {
        Self::upgrade_required("Only version 13 of the WebSocket protocol is supported.")
    }

    pub(super) fn bad_version(reason: &'static str) -> Self {
        Self::with(400, Extra::Version, reason)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::with(405, Extra::Allow, "A WebSocket handshake is a GET request.")
    }

    pub(super) fn uri_too_long() -> Self {
        Self::with(414, Extra::None, "The request line is too long.")
    }

    pub(super) fn expectation_failed() -> Self {
        Self::with(
            417,
            Extra::None,
            "The only expectation known here is 100-continue.",
        )
    }

    pub(super) fn head_too_large(reason: &'static str) -> Self {
        Self::with(431, Extra::None, reason)
    }

    pub(super) fn not_implemented() -> Self {
        Self::with(501, Extra::None, "The method is not known here.")
    }

    pub(super) fn version_not_supported() -> Self {
        Self::with(505, Extra::None, "Only HTTP/1.1 is spoken here.")
    }

    fn with(status: u16, extra: Extra, reason: &'static str) -> Self {
        Self {
            status,
            extra,
            without_content: false,
            reason,
            custom: None,
        }
    }

    fn retry_after(mut self, seconds: Option<u32>) -> Self {
        if let Some(seconds) = seconds {
            write_field(
                &mut self.custom_mut().fields,
                "Retry-After",
                seconds.to_string().as_bytes(),
            );
        }
        self
    }

    fn custom_mut(&mut self) -> &mut Custom {
        self.custom.get_or_insert_default()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            None => f.write_str(self.reason),
            Some(status) => write!(f, "{status} {}: {}", phrase(status), self.reason),
        }
    }
}

impl core::error::Error for Rejection {}
