//! A request written by hand, for servers that want it exactly so.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Expectation, RequestError};
use crate::fields::{is_field_value, is_token, trim};
use crate::key::{AcceptKey, is_key};
use crate::subprotocol;

/// The opt-out from [`Request`](super::Request): the caller writes every line, and answers for it.
///
/// Only what protects the connection itself is checked: no line can smuggle in another one, and there is
/// exactly one well-formed key, so that the answer can still be verified. Whether the server finds a
/// Host, a version, or the right request line is up to the caller. A key that is written down is not
/// random: prefer [`Request::header`](super::Request::header) where that is enough.
///
/// ```
/// # use ws_handshake::client::{RawRequest, RequestError};
/// let (bytes, expectation) = RawRequest::from_lines([
///     "GET /ajaxchattest HTTP/1.1",
///     "Host: example.com:9010",
///     "Connection: Upgrade",
///     "Upgrade: websocket",
///     "Origin: http://coolaf.com",
///     "Sec-WebSocket-Key: RmDgZzaqqvC4hGlWBsEmwQ==",
///     "Sec-WebSocket-Version: 13",
/// ])?
/// .encode();
/// assert!(bytes.ends_with(b"Sec-WebSocket-Version: 13\r\n\r\n"));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RawRequest {
    bytes: Vec<u8>,
    accept: AcceptKey,
    subprotocols: Vec<String>,
}

impl RawRequest {
    /// A request from its request line and field lines, without line ends. Empty lines are left out;
    /// the blank line that ends the head is added.
    ///
    /// # Errors
    /// A line holds a control character, a line after the first is not `name: value`, or there is not
    /// exactly one well-formed `Sec-WebSocket-Key`.
    pub fn from_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, RequestError> {
        let mut lines = lines.into_iter().filter(|line| !line.is_empty());
        let request_line = lines.next().ok_or(RequestError::InvalidRequestLine)?;
        if !is_field_value(request_line.as_bytes()) {
            return Err(RequestError::InvalidRequestLine);
        }
        let mut bytes = request_line.as_bytes().to_vec();
        bytes.extend_from_slice(b"\r\n");
        let mut accept = None;
        let mut subprotocols = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(RequestError::InvalidFieldName)?;
            if !is_token(name.as_bytes()) {
                return Err(RequestError::InvalidFieldName);
            }
            if !is_field_value(value.as_bytes()) {
                return Err(RequestError::InvalidFieldValue);
            }
            let value = trim(value.as_bytes());
            if name.eq_ignore_ascii_case("sec-websocket-key") {
                if !is_key(value) || accept.is_some() {
                    return Err(RequestError::InvalidKey);
                }
                accept = Some(AcceptKey::from_key(value));
            } else if name.eq_ignore_ascii_case("sec-websocket-protocol") {
                subprotocols
                    .extend(subprotocol::names(core::iter::once(value)).map(ToOwned::to_owned));
            }
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        Ok(Self {
            bytes,
            accept: accept.ok_or(RequestError::InvalidKey)?,
            subprotocols,
        })
    }

    /// The bytes to send, and what the server must answer to them.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Expectation) {
        (
            self.bytes.clone(),
            Expectation::new(self.accept, self.subprotocols.clone(), false),
        )
    }
}
