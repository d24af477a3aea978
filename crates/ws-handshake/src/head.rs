//! A parsed head: one buffer and where its parts lie in it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use httparse::Status;

use crate::Limits;
use crate::fields::{is_token, trim};
use crate::scan::{find_byte, split_line};

/// A range of bytes of a head. Heads are at most [`crate::Limits::HEAD_CEILING`] long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// The span of `part`, which must be a slice of `whole`.
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        Self::new(start, start.wrapping_add(part.len()))
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(to_usize(self.start)..to_usize(self.end))
            .unwrap_or_default()
    }

    /// The same as text; only for parts that were checked to be ASCII.
    pub(crate) fn text_of(self, bytes: &[u8]) -> &str {
        core::str::from_utf8(self.of(bytes)).unwrap_or_default()
    }
}

/// The fields that the handshake itself reads, told apart once so that no look-up compares names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Host = 0,
    Upgrade,
    Connection,
    Origin,
    Expect,
    ContentLength,
    TransferEncoding,
    Key,
    Version,
    Protocol,
    Extensions,
    Accept,
    /// Last, because it has no place in [`Known::values`].
    Other,
}

impl Name {
    /// A place of its own in a set of names. [`Name::Other`] has one too.
    const fn bit(self) -> u16 {
        1 << self as u16
    }

    fn of(name: &[u8]) -> Self {
        // As RFC 6455 spells them, and nearly everybody: comparisons with constants, unlike those
        // without regard to letter case.
        match name {
            b"Host" => Self::Host,
            b"Upgrade" => Self::Upgrade,
            b"Connection" => Self::Connection,
            b"Origin" => Self::Origin,
            b"Sec-WebSocket-Key" => Self::Key,
            b"Sec-WebSocket-Version" => Self::Version,
            b"Sec-WebSocket-Protocol" => Self::Protocol,
            b"Sec-WebSocket-Extensions" => Self::Extensions,
            b"Sec-WebSocket-Accept" => Self::Accept,
            _ => Self::spelled_otherwise(name),
        }
    }

    fn spelled_otherwise(name: &[u8]) -> Self {
        let Some(initial) = name.first().map(u8::to_ascii_lowercase) else {
            return Self::Other;
        };
        let candidate: (&str, Self) = match (name.len(), initial) {
            (4, b'h') => ("host", Self::Host),
            (6, b'o') => ("origin", Self::Origin),
            (6, b'e') => ("expect", Self::Expect),
            (7, b'u') => ("upgrade", Self::Upgrade),
            (10, b'c') => ("connection", Self::Connection),
            (14, b'c') => ("content-length", Self::ContentLength),
            (17, b't') => ("transfer-encoding", Self::TransferEncoding),
            (17, b's') => ("sec-websocket-key", Self::Key),
            (20, b's') => ("sec-websocket-accept", Self::Accept),
            (21, b's') => ("sec-websocket-version", Self::Version),
            (22, b's') => ("sec-websocket-protocol", Self::Protocol),
            (24, b's') => ("sec-websocket-extensions", Self::Extensions),
            _ => return Self::Other,
        };
        if name.eq_ignore_ascii_case(candidate.0.as_bytes()) {
            candidate.1
        } else {
            Self::Other
        }
    }
}

/// Cheap to clone: everything is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head(Arc<Parts>);

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    bytes: Bytes,
    /// Where the first field line begins.
    fields_at: usize,
    /// How many fields there are.
    count: usize,
    known: Known,
}

/// A head with no more fields is parsed without an allocation for them. A browser sends about 15.
const USUAL_FIELDS: usize = 20;

impl Head {
    /// Parses the field lines that begin at `fields_at`, blank line included, of a complete head with
    /// at most `field_lines` lines. `None` if a line is not of the form `name: value`.
    pub(crate) fn parse(bytes: Bytes, fields_at: usize, field_lines: usize) -> Option<Self> {
        let mut few = [httparse::EMPTY_HEADER; USUAL_FIELDS];
        let mut many = Vec::new();
        let parsed = if field_lines > USUAL_FIELDS {
            many.resize(field_lines, httparse::EMPTY_HEADER);
            many.as_mut_slice()
        } else {
            few.as_mut_slice()
        };
        let Ok(Status::Complete((_, fields))) =
            httparse::parse_headers(bytes.get(fields_at..)?, parsed)
        else {
            return None;
        };
        let count = fields.len();
        let mut known = Known::NONE;
        for field in fields {
            known.note(
                Name::of(field.name.as_bytes()),
                Span::within(&bytes, field.value),
            );
        }
        Some(Self(Arc::new(Parts {
            bytes,
            fields_at,
            count,
            known,
        })))
    }

    /// The same for a head that has not been scanned, in one pass. It succeeds for the head of a usual
    /// request that arrived in one piece, and only where scanning first would end in the same head.
    /// `None` decides nothing.
    #[inline(never)]
    pub(crate) fn parse_unscanned(
        received: &[u8],
        fields_at: usize,
        limits: &Limits,
    ) -> Option<Self> {
        let window = received.get(..limits.head()).unwrap_or(received);
        let mut count = 0_usize;
        let mut known = Known::NONE;
        let mut rest = window.get(fields_at..)?;
        loop {
            let (line, after) = split_line(rest)?;
            let line_and_more = rest;
            rest = after;
            if line.is_empty() {
                break;
            }
            if line.len() > limits.max_field_line || count == limits.max_fields {
                return None;
            }
            // The search is faster with more behind the line, and a colon there is beyond the line.
            let (name, value) = line.split_at_checked(find_byte::<b':'>(line_and_more)?)?;
            let kind = Name::of(name);
            if kind == Name::Other && !is_token(name) {
                return None;
            }
            known.note(kind, Span::within(window, trim(value.get(1..)?)));
            count = count.wrapping_add(1);
        }
        let head = window.get(..window.len().wrapping_sub(rest.len()))?;
        let bytes = Bytes::copy_from_slice(head);
        Some(Self(Arc::new(Parts {
            bytes,
            fields_at,
            count,
            known,
        })))
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The values of a field, one per line, in order.
    pub(crate) fn values(&self, name: Name) -> Values<'_> {
        let (first, lines) = match self.single(name) {
            Occurrence::Absent => (None, Headers::NONE),
            Occurrence::Once(value) => (Some(value), Headers::NONE),
            Occurrence::Repeated => (None, self.headers()),
        };
        Values { first, name, lines }
    }

    /// How often a field occurs, with its value if that is once.
    pub(crate) fn single(&self, name: Name) -> Occurrence<'_> {
        let Parts { bytes, known, .. } = &*self.0;
        let bit = name.bit();
        if known.repeated & bit != 0 {
            Occurrence::Repeated
        } else if known.seen & bit != 0 {
            let value = known.values.get(name as usize);
            Occurrence::Once(value.copied().unwrap_or_default().of(bytes))
        } else {
            Occurrence::Absent
        }
    }

    pub(crate) fn headers(&self) -> Headers<'_> {
        let parts = &*self.0;
        Headers {
            rest: parts.bytes.get(parts.fields_at..).unwrap_or_default(),
            count: parts.count,
        }
    }
}

/// What the handshake asks for, found as the head is parsed. The other fields are looked for when
/// somebody wants them.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    /// A bit for each name that occurs.
    seen: u16,
    /// A bit for each name that occurs more than once.
    repeated: u16,
    /// The last value of each name.
    values: [Span; Name::Other as usize],
}

impl Known {
    const NONE: Self = Self {
        seen: 0,
        repeated: 0,
        values: [Span { start: 0, end: 0 }; Name::Other as usize],
    };

    fn note(&mut self, name: Name, value: Span) {
        self.repeated |= self.seen & name.bit();
        self.seen |= name.bit();
        if let Some(place) = self.values.get_mut(name as usize) {
            *place = value;
        }
    }
}

/// The values of the fields with one name.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    first: Option<&'a [u8]>,
    name: Name,
    /// Where to look for more.
    lines: Headers<'a>,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.first.take().or_else(|| {
            self.lines
                .find(|(name, _)| Name::of(name.as_bytes()) == self.name)
                .map(|(_, value)| value)
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occurrence<'a> {
    Absent,
    Once(&'a [u8]),
    Repeated,
}

/// The fields of a head in the order received: the name as it was spelled, and the value without the
/// blanks around it. A value may hold any byte from 0x80 on; it is not assumed to be UTF-8.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    /// The lines of fields that were parsed before.
    rest: &'a [u8],
    /// How many they are.
    count: usize,
}

impl<'a> Headers<'a> {
    const NONE: Self = Self { rest: &[], count: 0 };

    /// The values of the fields with this name, in any letter case, one per line.
    pub(crate) fn named(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.filter(move |field| field.0.eq_ignore_ascii_case(name))
            .map(|field| field.1)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let (line, rest) = self.rest.split_at_checked(find_byte::<b'\n'>(self.rest)?)?;
        self.rest = rest.get(1..)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (name, value) = line.split_at_checked(find_byte::<b':'>(line)?)?;
        Some((core::str::from_utf8(name).ok()?, trim(value.get(1..)?)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Headers<'_> {}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
