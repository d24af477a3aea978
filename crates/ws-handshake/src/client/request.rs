//! The request of a client (RFC 6455 section 4.1).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Expectation, RequestError};
use crate::authority::Authority;
use crate::fields::{check_outgoing, is_protocol_field, is_token, write_field};
use crate::key::{AcceptKey, encode_key};
use crate::origin::Origin;
use crate::uri::Uri;

/// An opening handshake in the making. What it may hold is checked as it is added, so encoding cannot
/// fail; it may be encoded again for another attempt, with another key.
#[derive(Clone, Debug)]
pub struct Request {
    host: String,
    resource_name: String,
    subprotocols: Vec<String>,
    require_subprotocol: bool,
    origin: Option<Origin>,
    deflate: Option<ws_deflate::Offer>,
    fields: Vec<u8>,
}

impl Request {
    /// A request for a resource, with nothing but what RFC 6455 demands; with an Authorization field if
    /// the URI had userinfo and its options allow that.
    #[must_use]
    pub fn new(uri: &Uri) -> Self {
        let mut fields = Vec::new();
        if let Some(authorization) = uri.authorization() {
            write_field(&mut fields, "Authorization", authorization.as_bytes());
        }
        Self {
            host: uri.authority(),
            resource_name: uri.resource_name().to_owned(),
            subprotocols: Vec::new(),
            require_subprotocol: false,
            origin: None,
            deflate: None,
            fields,
        }
    }

    /// Offers a subprotocol; offer the preferred one first. The server chooses one or none.
    ///
    /// # Errors
    /// It is not a token, or was offered before (RFC 6455 section 4.1 item 10).
    pub fn subprotocol(mut self, name: &str) -> Result<Self, RequestError> {
        if !is_token(name.as_bytes()) {
            return Err(RequestError::InvalidSubprotocol);
        }
        if self.subprotocols.iter().any(|offered| offered == name) {
            return Err(RequestError::DuplicateSubprotocol);
        }
        self.subprotocols.push(name.to_owned());
        Ok(self)
    }

    /// Fails the handshake if the server chooses none of the subprotocols offered, as browsers do.
    /// RFC 6455 lets it choose none.
    #[must_use]
    pub fn require_subprotocol(mut self) -> Self {
        self.require_subprotocol = true;
        self
    }

    /// Sends an Origin field, as a browser would for a page of this origin. Some servers insist on one.
    ///
    /// # Errors
    /// It is not an origin.
    pub fn origin(mut self, origin: &str) -> Result<Self, RequestError> {
        self.origin = Some(Origin::parse(origin).map_err(|_| RequestError::InvalidOrigin)?);
        Ok(self)
    }

    /// Offers permessage-deflate (RFC 7692). The server accepts it or not.
    #[must_use]
    pub fn deflate(mut self, offer: ws_deflate::Offer) -> Self {
        self.deflate = Some(offer);
        self
    }

    /// Adds a field, such as Cookie or User-Agent. It may be called several times with the same name.
    ///
    /// # Errors
    /// The name is not a token, the value holds a control character, or the name is one that the
    /// handshake decides: Host, Upgrade, Connection, `Sec-WebSocket-*`, Expect and the framing of
    /// bodies. For Origin there is [`origin`](Self::origin), for Host [`host`](Self::host).
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, RequestError> {
        check_outgoing(name, value.as_ref(), is_reserved)?;
        write_field(&mut self.fields, name, value.as_ref());
        Ok(self)
    }

    /// Sends another Host field than the URI says, for a server reached under a name that is not its own.
    ///
    /// # Errors
    /// It is not `host[:port]`.
    pub fn host(mut self, host: &str) -> Result<Self, RequestError> {
        match Authority::parse(host.as_bytes()) {
            Some(authority) if !authority.host.is_empty() => self.host = host.to_owned(),
            _ => return Err(RequestError::InvalidHost),
        }
        Ok(self)
    }

    /// The bytes to send, and what the server must answer to them.
    ///
    /// `nonce` must be fresh and random for each attempt (RFC 6455 section 4.1 item 7): it is how the
    /// client knows that the answer was made for its request.
    #[must_use]
    pub fn encode(&self, nonce: [u8; 16]) -> (Vec<u8>, Expectation) {
        let key = encode_key(nonce);
        let mut out = Vec::with_capacity(256_usize.saturating_add(self.fields.len()));
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.resource_name.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        write_field(&mut out, "Host", self.host.as_bytes());
        out.extend_from_slice(b"Upgrade: websocket\r\nConnection: Upgrade\r\n");
        write_field(&mut out, "Sec-WebSocket-Key", &key);
        out.extend_from_slice(b"Sec-WebSocket-Version: 13\r\n");
        if !self.subprotocols.is_empty() {
            write_field(
                &mut out,
                "Sec-WebSocket-Protocol",
                self.subprotocols.join(", ").as_bytes(),
            );
        }
        if let Some(offer) = &self.deflate {
            let offer = alloc::format!("{offer}");
            write_field(&mut out, "Sec-WebSocket-Extensions", offer.as_bytes());
        }
        if let Some(origin) = &self.origin {
            write_field(&mut out, "Origin", alloc::format!("{origin}").as_bytes());
        }
        out.extend_from_slice(&self.fields);
        out.extend_from_slice(b"\r\n");
        let accept = AcceptKey::from_key(&key);
        (
            out,
            Expectation::new(accept, self.subprotocols.clone(), self.require_subprotocol)
                .with_deflate(self.deflate),
        )
    }
}

fn is_reserved(name: &str) -> bool {
    is_protocol_field(name)
        || ["host", "origin", "expect"]
            .iter()
            .any(|reserved| name.eq_ignore_ascii_case(reserved))
}
