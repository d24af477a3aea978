//! The answer to a request that is no handshake (RFC 9110 section 15).

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::status::phrase;
use super::{Request, ResponseError};
use crate::fields::{check_outgoing, is_field_value, is_protocol_field, write_field};

/// A plain HTTP response, such as a page, from the port that also speaks WebSocket. The connection is
/// closed after it, as the response says.
///
/// What it may hold is checked as it is added, so encoding cannot fail. Cloning shares the content.
///
/// ```
/// use ws_handshake::server::HttpResponse;
///
/// let page = HttpResponse::html("<!doctype html><title>Hello</title>");
/// let health = HttpResponse::new(200)?
///     .header("Cache-Control", "no-store")?
///     .content("application/json", r#"{"ok":true}"#)?;
/// # Ok::<(), ws_handshake::server::ResponseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    status: u16,
    fields: Vec<u8>,
    content: Option<Content>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    media_type: String,
    bytes: Bytes,
}

impl HttpResponse {
    /// A response without content.
    ///
    /// # Errors
    /// The status is not 200 to 599.
    pub fn new(status: u16) -> Result<Self, ResponseError> {
        match status {
            200..=599 => Ok(Self::with(status, None)),
            _ => Err(ResponseError::InvalidStatus),
        }
    }

    /// 200 with a page in UTF-8.
    #[must_use]
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::ok("text/html; charset=utf-8", page.into())
    }

    /// 200 with plain text in UTF-8.
    #[must_use]
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::ok("text/plain; charset=utf-8", text.into())
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
        write_field(&mut self.fields, name, value.as_ref());
        Ok(self)
    }

    /// Sets the content and its type.
    ///
    /// # Errors
    /// The media type holds a control character, or the status is 204, 205 or 304, which have no
    /// content (RFC 9110 section 6.4.1).
    pub fn content(
        mut self,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<Self, ResponseError> {
        if !is_field_value(media_type.as_bytes()) {
            return Err(ResponseError::InvalidFieldValue);
        }
        if matches!(self.status, 204 | 205 | 304) {
            return Err(ResponseError::ContentNotAllowed);
        }
        self.content = Some(Content {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        });
        Ok(self)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Appends the bytes that answer `request`. To HEAD that is the head alone, with the length that
    /// the content would have (RFC 9110 section 9.3.2).
    pub fn encode(&self, request: &Request, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(phrase(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        write_field(out, "Connection", b"close");
        let bytes: &[u8] = match &self.content {
            Some(content) => {
                write_field(out, "Content-Type", content.media_type.as_bytes());
                &content.bytes
            }
            None => &[],
        };
        // RFC 9110 section 8.6 forbids the length in 204. In 304 it would be that of another response.
        if !matches!(self.status, 204 | 304) {
            write_field(out, "Content-Length", bytes.len().to_string().as_bytes());
        }
        out.extend_from_slice(&self.fields);
        out.extend_from_slice(b"\r\n");
        if request.method() != "HEAD" {
            out.extend_from_slice(bytes);
        }
    }

    fn ok(media_type: &str, bytes: Bytes) -> Self {
        let content = Content {
            media_type: media_type.to_owned(),
            bytes,
        };
        Self::with(200, Some(content))
    }

    fn with(status: u16, content: Option<Content>) -> Self {
        Self {
            status,
            fields: Vec::new(),
            content,
        }
    }
}
