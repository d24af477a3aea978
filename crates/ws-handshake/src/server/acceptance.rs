//! The answer of a server that says yes (RFC 6455 section 4.2.2 item 5).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ws_deflate::{Answer, Terms};

use super::{Offer, Rejection};
use crate::Negotiated;
use crate::fields::{FieldError, check_outgoing, is_protocol_field, write_field};

/// A 101 response in the making. What it may hold is checked as it is added, so encoding cannot fail.
#[derive(Clone, Debug)]
pub struct Acceptance {
    offer: Offer,
    subprotocol: Option<String>,
    deflate: Option<Answer>,
    fields: Vec<u8>,
}

impl Acceptance {
    pub(super) fn new(offer: Offer) -> Self {
        Self {
            offer,
            subprotocol: None,
            deflate: None,
            fields: Vec::new(),
        }
    }

    /// Agrees on a subprotocol. Without this call the response names none.
    ///
    /// # Errors
    /// The client did not offer it, letter case included: it would have to fail the connection
    /// (RFC 6455 section 4.1).
    pub fn subprotocol(mut self, name: &str) -> Result<Self, ResponseError> {
        if !self.offer.subprotocols().any(|offered| offered == name) {
            return Err(ResponseError::SubprotocolNotOffered);
        }
        self.subprotocol = Some(name.to_owned());
        Ok(self)
    }

    /// Agrees on permessage-deflate (RFC 7692) if the client made an offer that fits the terms. Without this call, or
    /// without such an offer, messages are not compressed.
    #[must_use]
    pub fn deflate(mut self, terms: &Terms) -> Self {
        self.deflate = terms.accept(self.offer.deflate_offers());
        self
    }

    /// Adds a field, such as Set-Cookie. It may be called several times with the same name.
    ///
    /// # Errors
    /// The name is not a token, the value holds a control character, or the name is one that the
    /// handshake decides: Upgrade, Connection, `Sec-WebSocket-*` and the framing of bodies.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, ResponseError> {
        check_outgoing(name, value.as_ref(), is_protocol_field)?;
        write_field(&mut self.fields, name, value.as_ref());
        Ok(self)
    }

    /// The offer that this accepts.
    #[must_use]
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// What the connection is to know after the response is sent.
    #[must_use]
    pub fn negotiated(&self) -> Negotiated {
        Negotiated {
            subprotocol: self.subprotocol.clone(),
            deflate: self.deflate.map(|answer| answer.agreement()),
        }
    }

    /// Appends the bytes to send. Frames may follow in the same packet.
    ///
    /// A client that sent `Expect: 100-continue` gets its 100 first, as RFC 9110 section 7.8 demands.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(192_usize.saturating_add(self.fields.len()));
        if self.offer.expects_continue() {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\n\
              Upgrade: websocket\r\n\
              Connection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
        );
        out.extend_from_slice(self.offer.accept_key().as_bytes());
        out.extend_from_slice(b"\r\n");
        if let Some(name) = &self.subprotocol {
            write_field(out, "Sec-WebSocket-Protocol", name.as_bytes());
        }
        if let Some(answer) = &self.deflate {
            let answer = alloc::format!("{answer}");
            write_field(out, "Sec-WebSocket-Extensions", answer.as_bytes());
        }
        out.extend_from_slice(&self.fields);
        out.extend_from_slice(b"\r\n");
    }
}

/// A response that the application may not send. The fault is ours and not the client's, so a server
/// that has nothing better to say turns it into a 500: `?` does that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The client did not offer this subprotocol.
    SubprotocolNotOffered,
    /// The field name is not a token (RFC 9110 section 5.1).
    InvalidFieldName,
    /// The field value holds CR, LF, NUL or another control character (RFC 9110 section 5.5).
    InvalidFieldValue,
    /// The handshake itself decides this field.
    ReservedField,
    /// The status of a refusal is outside 300..=599, or that of another response outside 200..=599.
    InvalidStatus,
    /// A response with this status has no content (RFC 9110 section 6.4.1).
    ContentNotAllowed,
    /// It agrees on permessage-deflate, which the connection is not configured for.
    DeflateNotConfigured,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SubprotocolNotOffered => "the client did not offer this subprotocol",
            Self::InvalidFieldName => "the field name is not a token",
            Self::InvalidFieldValue => "the field value holds a control character",
            Self::ReservedField => "the handshake itself decides this field",
            Self::InvalidStatus => {
                "the status of a refusal must be 300 to 599, that of another response 200 to 599"
            }
            Self::ContentNotAllowed => "a response with this status has no content",
            Self::DeflateNotConfigured => {
                "it agrees on permessage-deflate, which the connection is not configured for"
            }
        })
    }
}

impl core::error::Error for ResponseError {}

impl From<FieldError> for ResponseError {
    fn from(error: FieldError) -> Self {
        match error {
            FieldError::Name => Self::InvalidFieldName,
            FieldError::Value => Self::InvalidFieldValue,
            FieldError::Reserved => Self::ReservedField,
        }
    }
}

impl From<ResponseError> for Rejection {
    fn from(_: ResponseError) -> Self {
        Self::internal_error()
    }
}
