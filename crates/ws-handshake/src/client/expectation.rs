//! What the server must answer (RFC 6455 section 4.1, second list).

use alloc::string::String;
use alloc::vec::Vec;

use ws_deflate::{Agreement, Answer};

use super::{HandshakeError, Refusal, Response};
use crate::Negotiated;
use crate::extension;
use crate::fields::is_lowercase_of;
use crate::head::{Head, Name, Occurrence};
use crate::key::AcceptKey;

/// What the response to one request must say. It belongs to that request's key and is used once.
#[derive(Clone, Debug)]
pub struct Expectation {
    accept: AcceptKey,
    subprotocols: Vec<String>,
    require_subprotocol: bool,
    deflate: Option<ws_deflate::Offer>,
}

impl Expectation {
    pub(super) fn new(
        accept: AcceptKey,
        subprotocols: Vec<String>,
        require_subprotocol: bool,
    ) -> Self {
        Self {
            accept,
            subprotocols,
            require_subprotocol,
            deflate: None,
        }
    }

    pub(super) const fn with_deflate(mut self, offered: Option<ws_deflate::Offer>) -> Self {
        self.deflate = offered;
        self
    }

    /// The answer that the key demands.
    #[must_use]
    pub fn accept_key(&self) -> &AcceptKey {
        &self.accept
    }

    /// The subprotocols offered, in order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.iter().map(String::as_str)
    }

    /// Checks the server's opening handshake. After `Ok` the connection is open, and the bytes after
    /// [`Response::head_len`] are frames.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`] for any status but 101, without a body: read that with
    /// [`ErrorBody`](super::ErrorBody) if it is wanted. For a 101, the first thing that is wrong with it.
    pub fn verify(&self, response: &Response) -> Result<Negotiated, HandshakeError> {
        if response.status() != 101 {
            return Err(Refusal::new(response.clone(), bytes::Bytes::new()).into());
        }
        if response.minor_version() == 0 {
            return Err(HandshakeError::UnsupportedHttpVersion);
        }
        let head = response.head();
        match head.single(Name::Upgrade) {
            Occurrence::Once(value) if is_lowercase_of(value, "websocket") => {}
            _ => return Err(HandshakeError::InvalidUpgrade),
        }
        if head.lists(Name::Connection, "upgrade") != Ok(true) {
            return Err(HandshakeError::InvalidConnection);
        }
        match head.single(Name::Accept) {
            Occurrence::Once(value) if self.accept.matches(value) => {}
            _ => return Err(HandshakeError::InvalidAccept),
        }
        Ok(Negotiated {
            deflate: self.verify_extensions(head)?,
            subprotocol: self.verify_subprotocol(head)?,
        })
    }

    /// No extension but permessage-deflate is ever offered, and that once at most.
    fn verify_extensions(&self, head: &Head) -> Result<Option<Agreement>, HandshakeError> {
        if head.values(Name::Extensions).next().is_none() {
            return Ok(None);
        }
        let mut extensions = extension::parse(head.values(Name::Extensions))
            .map_err(|_| HandshakeError::InvalidExtensions)?;
        let (Some(extension), None) = (extensions.next(), extensions.next()) else {
            return Err(HandshakeError::InvalidExtensions);
        };
        let answer = extension::deflate(&extension, |parameters| Answer::parse(parameters));
        match (answer, self.deflate) {
            (Some(Ok(answer)), Some(offered)) => answer
                .confirm(&offered)
                .map(Some)
                .map_err(|_| HandshakeError::InvalidExtensions),
            _ => Err(HandshakeError::InvalidExtensions),
        }
    }

    fn verify_subprotocol(&self, head: &Head) -> Result<Option<String>, HandshakeError> {
        match head.single(Name::Protocol) {
            Occurrence::Absent if self.require_subprotocol => {
                Err(HandshakeError::MissingSubprotocol)
            }
            Occurrence::Absent => Ok(None),
            Occurrence::Repeated => Err(HandshakeError::InvalidSubprotocol),
            Occurrence::Once(value) => {
                let chosen = self
                    .subprotocols
                    .iter()
                    .find(|offered| offered.as_bytes() == value);
                chosen
                    .cloned()
                    .map(Some)
                    .ok_or(HandshakeError::InvalidSubprotocol)
            }
        }
    }
}
