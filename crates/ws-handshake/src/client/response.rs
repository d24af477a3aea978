//! A response head.

use core::ops::Range;

use bytes::Bytes;

use super::HandshakeError;
use crate::head::{Head, Headers, Span};
use crate::scan::find_byte;

/// A complete final response head. It owns its bytes and is cheap to clone.
///
/// Any status but 101 is a refusal; [`Expectation::verify`](super::Expectation::verify) says so, and
/// says whether a 101 is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    head: Head,
    line: StatusLine,
    head_len: usize,
}

impl Response {
    pub(super) fn new(line: StatusLine, head: Head, head_len: usize) -> Self {
        Self {
            head,
            line,
            head_len,
        }
    }

    /// The status code, three digits.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.line.status
    }

    /// The reason phrase as sent, possibly empty. It means nothing and need not be UTF-8.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.line.reason.of(self.bytes())
    }

    /// The minor version of HTTP/1.
    #[must_use]
    pub fn minor_version(&self) -> u8 {
        self.line.minor_version
    }

    /// All fields in the order received. Folded lines are joined.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The value of the first field with this name, in any letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.header_all(name).next()
    }

    /// The values of all fields with this name, in any letter case, in order; Set-Cookie needs that.
    pub fn header_all<'r>(&'r self, name: &str) -> impl Iterator<Item = &'r [u8]> {
        self.headers().named(name)
    }

    /// How many of the received bytes were heads, interim responses included. After a 101 the rest are
    /// frames, otherwise the beginning of the body.
    #[must_use]
    pub fn head_len(&self) -> usize {
        self.head_len
    }

    /// The head of the final response, blank line included. Folded lines are joined.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.head.bytes()
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }
}

/// Where the parts of the status line are, counted from the beginning of this head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatusLine {
    status: u16,
    minor_version: u8,
    reason: Span,
}

impl StatusLine {
    /// Whether another response follows (RFC 9110 section 15.2). After 101 it is another protocol.
    pub(super) const fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// Parses the line at `range` of `received`, line end excluded (RFC 9112 section 4). `head_start`
    /// is where its head begins. The space before an empty reason phrase may be missing.
    pub(super) fn parse(
        received: &[u8],
        range: Range<usize>,
        head_start: usize,
    ) -> Result<Self, HandshakeError> {
        let line = received.get(range).unwrap_or_default();
        let [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            minor @ b'0'..=b'9',
            b' ',
            rest @ ..,
        ] = line
        else {
            return Err(HandshakeError::NotHttp);
        };
        let [
            first @ b'1'..=b'9',
            second @ b'0'..=b'9',
            third @ b'0'..=b'9',
            rest @ ..,
        ] = rest
        else {
            return Err(HandshakeError::MalformedResponse);
        };
        let reason = match rest {
            [] => rest,
            [b' ', reason @ ..] if find_byte::<0x7f>(reason).is_none() => reason,
            _ => return Err(HandshakeError::MalformedResponse),
        };
        let status = [first, second, third].iter().fold(0_u16, |sum, digit| {
            sum.wrapping_mul(10)
                .wrapping_add(u16::from(digit.wrapping_sub(b'0')))
        });
        let head = received.get(head_start..).unwrap_or_default();
        Ok(Self {
            status,
            minor_version: minor.wrapping_sub(b'0'),
            reason: Span::within(head, reason),
        })
    }
}
