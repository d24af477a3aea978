//! A request head that is safe to answer.

use core::ops::Range;

use bytes::Bytes;

use super::target::Target;
use super::{Offer, Rejection};
use crate::authority;
use crate::head::{Head, Headers, Name, Occurrence, Span};
use crate::scan::find_byte;

/// A complete request head. It owns its bytes and is cheap to clone.
///
/// It may be any request, a page load as well as a handshake: one port serves both.
#[derive(Clone, Debug)]
pub struct Request {
    head: Head,
    line: RequestLine,
}

impl Request {
    /// Checks what decides where a request begins, ends and belongs: Host and the absence of a body.
    pub(super) fn new(line: RequestLine, head: Head) -> Result<Self, Rejection> {
        check_host(&line, &head)?;
        check_no_body(&head)?;
        Ok(Self { head, line })
    }

    /// Whether the client asks for the WebSocket protocol: HTTP/1.1 or later and `websocket` in the
    /// Upgrade field (RFC 9110 section 7.8 has HTTP/1.0's Upgrade ignored). If so, [`offer`](Self::offer)
    /// says whether it asks properly; if not, it is a request for something else at this path.
    #[must_use]
    pub fn wants_websocket(&self) -> bool {
        self.line.minor_version > 0 && self.head.lists(Name::Upgrade, "websocket").unwrap_or(true)
    }

    /// Checks the client's opening handshake (RFC 6455 section 4.2.1).
    ///
    /// The origin is not judged here, see [`OriginPolicy`](crate::OriginPolicy).
    ///
    /// # Errors
    /// The refusal to send, whose status says what is wrong: 405 or 501 for another method than GET,
    /// 417 for an unknown Expect value, 426 for a request without `Upgrade: websocket` or for another
    /// version than 13, 400 for everything else.
    pub fn offer(&self) -> Result<Offer, Rejection> {
        Offer::check(self).map_err(|rejection| match self.method() {
            // RFC 9110 section 9.3.2.
            "HEAD" => rejection.without_content(),
            _ => rejection,
        })
    }

    /// The method, in the letter case received: methods are case-sensitive.
    #[must_use]
    pub fn method(&self) -> &str {
        self.line.method.text_of(self.bytes())
    }

    /// The request target as received: `/chat?room=1`, or an absolute URI.
    #[must_use]
    pub fn target(&self) -> &str {
        self.line.target.text_of(self.bytes())
    }

    /// The path, percent-encoded as received; at least `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.line.parts.path.text_of(self.bytes()) {
            "" => "/",
            path => path,
        }
    }

    /// What follows the `?`, percent-encoded as received; it may be empty.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.line
            .parts
            .query
            .map(|query| query.text_of(self.bytes()))
    }

    /// The minor version of HTTP/1: 0, 1 or larger. HTTP/1.0 clients cannot upgrade.
    #[must_use]
    pub fn minor_version(&self) -> u8 {
        self.line.minor_version
    }

    /// The host and port the request is addressed to, in the client's spelling: the authority of an
    /// absolute target, otherwise the Host field (RFC 9112 section 3.2.2). Empty only in HTTP/1.0.
    #[must_use]
    pub fn host(&self) -> &str {
        core::str::from_utf8(self.host_bytes()).unwrap_or_default()
    }

    pub(crate) fn host_bytes(&self) -> &[u8] {
        match (self.line.parts.authority, self.head.single(Name::Host)) {
            (Some(authority), _) => authority.of(self.bytes()),
            (None, Occurrence::Once(host)) => host,
            (None, _) => &[],
        }
    }

    /// The Origin field, if there is one: where the page comes from that opens the connection, as the
    /// browser states it (RFC 6454). A program that is not a browser can send any value or none.
    #[must_use]
    pub fn origin(&self) -> Option<&[u8]> {
        self.head.values(Name::Origin).next()
    }

    /// All fields in the order received.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The value of the first field with this name, in any letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.header_all(name).next()
    }

    /// The values of all fields with this name, in any letter case, in order.
    pub fn header_all<'r>(&'r self, name: &str) -> impl Iterator<Item = &'r [u8]> {
        self.headers().named(name)
    }

    /// How many of the received bytes were the head. What follows them belongs to the connection: the
    /// first frames, sent without waiting for the answer.
    #[must_use]
    pub fn head_len(&self) -> usize {
        self.bytes().len()
    }

    /// The head as received, blank line included.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.head.bytes()
    }

    pub(crate) fn origin_lines(&self) -> Occurrence<'_> {
        self.head.single(Name::Origin)
    }

    pub(super) fn is_get(&self) -> bool {
        self.line.method.of(self.bytes()) == b"GET"
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }
}

/// Where the parts of the request line are.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine {
    method: Span,
    target: Span,
    parts: Target,
    minor_version: u8,
}

impl RequestLine {
    /// Parses the line that nearly all requests begin with. It succeeds only where [`parse`](Self::parse)
    /// does, with the same line. `None` decides nothing.
    pub(super) fn parse_usual(line: &[u8]) -> Option<Self> {
        let (method, rest) = line.split_first_chunk::<4>()?;
        let (target, version) = rest.split_last_chunk::<9>()?;
        if method != b"GET " || version != b" HTTP/1.1" {
            return None;
        }
        // No part of a target may hold a space.
        let parts = Target::parse(target, line).ok()?;
        Some(Self {
            method: Span::within(line, method.get(..3)?),
            target: Span::within(line, target),
            parts,
            minor_version: 1,
        })
    }

    /// Parses the line at `range`, line end excluded (RFC 9112 section 3). It is known to begin with a
    /// method and a space.
    pub(super) fn parse(received: &[u8], range: Range<usize>) -> Result<Self, Rejection> {
        let line = received.get(range).unwrap_or_default();
        let Some((method, target, version)) = split_in_three(line) else {
            return Err(Rejection::bad_request(
                "The request line is not `method target version`.",
            ));
        };
        let minor_version = match version {
            [
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'1',
                b'.',
                minor @ b'0'..=b'9',
            ] => minor.wrapping_sub(b'0'),
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                return Err(Rejection::version_not_supported());
            }
            _ => return Err(Rejection::bad_request("The HTTP version is malformed.")),
        };
        let parts = Target::parse(target, received).map_err(Rejection::bad_request)?;
        Ok(Self {
            method: Span::within(received, method),
            target: Span::within(received, target),
            parts,
            minor_version,
        })
    }
}

/// The parts between two spaces, of which there must be no more.
fn split_in_three(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (first, rest) = line.split_at_checked(find_byte::<b' '>(line)?)?;
    let rest = rest.get(1..)?;
    let (second, third) = rest.split_at_checked(find_byte::<b' '>(rest)?)?;
    let third = third.get(1..)?;
    find_byte::<b' '>(third)
        .is_none()
        .then_some((first, second, third))
}

/// RFC 9112 section 3.2: exactly one Host field, and a valid one; HTTP/1.0 may lack it.
fn check_host(line: &RequestLine, head: &Head) -> Result<(), Rejection> {
    match head.single(Name::Host) {
        Occurrence::Absent if line.minor_version == 0 => Ok(()),
        Occurrence::Absent => Err(Rejection::bad_request("There is no Host field.")),
        Occurrence::Repeated => Err(Rejection::bad_request("There is more than one Host field.")),
        Occurrence::Once(host) => match authority::parse(host) {
            None => Err(Rejection::bad_request("The Host field is malformed.")),
            Some((host, _))
                if host.is_empty() && line.parts.authority.is_none() && line.minor_version > 0 =>
            {
                Err(Rejection::bad_request("The Host field is empty."))
            }
            Some(_) => Ok(()),
        },
    }
}

/// A body would be read as WebSocket frames, or as a second request by whoever stands in front of us:
/// request smuggling. No handshake has one, so there is nothing to weigh up.
fn check_no_body(head: &Head) -> Result<(), Rejection> {
    if head.values(Name::TransferEncoding).next().is_some() {
        return Err(Rejection::bad_request(
            "A request with Transfer-Encoding is not accepted here.",
        ));
    }
    match head.single(Name::ContentLength) {
        Occurrence::Absent | Occurrence::Once(b"0") => Ok(()),
        Occurrence::Once(_) => Err(Rejection::bad_request(
            "A request with a body is not accepted here.",
        )),
        Occurrence::Repeated => Err(Rejection::bad_request(
            "There is more than one Content-Length field.",
        )),
    }
}
