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
    /// Last, because it has no place in [`Head::known`].
    Other,
}

impl Name {
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
    index: Index,
}

/// The fields of a head that has no more need no allocation of their own. A browser sends about 15.
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
        let mut index = Index::EMPTY;
        for field in fields {
            index.push(Field {
                kind: Name::of(field.name.as_bytes()),
                name: Span::within(&bytes, field.name.as_bytes()),
                value: Span::within(&bytes, field.value),
            });
        }
        Some(Self(Arc::new(Parts { bytes, index })))
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
        let mut index = Index::EMPTY;
        let mut rest = window.get(fields_at..)?;
        loop {
            let (line, after) = split_line(rest)?;
            let line_and_more = rest;
            rest = after;
            if line.is_empty() {
                break;
            }
            if line.len() > limits.max_field_line || index.count == limits.max_fields {
                return None;
            }
            index.push(Field::parse(window, line, line_and_more)?);
        }
        let head = window.get(..window.len().wrapping_sub(rest.len()))?;
        let bytes = Bytes::copy_from_slice(head);
        Some(Self(Arc::new(Parts { bytes, index })))
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The values of a field, one per line, in order.
    pub(crate) fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> + Clone {
        let parts = &*self.0;
        let places = parts.index.places(name);
        let from = parts
            .index
            .fields()
            .get(to_usize(places.first)..)
            .unwrap_or_default();
        from.iter()
            .filter(move |field| field.kind == name)
            .take(to_usize(places.count))
            .map(|field| field.value.of(&parts.bytes))
    }

    /// How often a field occurs, with its value if that is once.
    pub(crate) fn single(&self, name: Name) -> Occurrence<'_> {
        let parts = &*self.0;
        let places = parts.index.places(name);
        match (
            places.count,
            parts.index.fields().get(to_usize(places.first)),
        ) {
            (1, Some(field)) => Occurrence::Once(field.value.of(&parts.bytes)),
            (2.., _) => Occurrence::Repeated,
            _ => Occurrence::Absent,
        }
    }

    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers {
            bytes: &self.0.bytes,
            fields: self.0.index.fields().iter(),
        }
    }
}

/// Where the fields of a head are.
#[derive(Debug, PartialEq, Eq)]
struct Index {
    /// The fields, as long as they are few: these lie with what they belong to, in one allocation.
    few: [Field; USUAL_FIELDS],
    /// How many fields there are.
    count: usize,
    /// All fields, if they are not few.
    many: Vec<Field>,
    /// Where the fields with each name begin and how many there are, so that asking for one does not go
    /// through all.
    known: [Places; Name::Other as usize],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    kind: Name,
    name: Span,
    value: Span,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Places {
    first: u32,
    count: u32,
}

impl Field {
    const NONE: Self = Self {
        kind: Name::Other,
        name: Span { start: 0, end: 0 },
        value: Span { start: 0, end: 0 },
    };

    /// Parses a line of `head` without its line end. `None` unless it is `name: value`.
    ///
    /// Where the next line begins must not depend on this: then processors work on several lines at once.
    fn parse(head: &[u8], line: &[u8], line_and_more: &[u8]) -> Option<Self> {
        // The search is faster with more behind the line, and a colon there is beyond the line.
        let (name, value) = line.split_at_checked(find_byte::<b':'>(line_and_more)?)?;
        let kind = Name::of(name);
        if kind == Name::Other && !is_token(name) {
            return None;
        }
        Some(Self {
            kind,
            name: Span::within(head, name),
            value: Span::within(head, trim(value.get(1..)?)),
        })
    }
}

impl Index {
    const EMPTY: Self = Self {
        few: [Field::NONE; USUAL_FIELDS],
        count: 0,
        many: Vec::new(),
        known: [Places { first: 0, count: 0 }; Name::Other as usize],
    };

    fn push(&mut self, field: Field) {
        if let Some(places) = self.known.get_mut(field.kind as usize) {
            if places.count == 0 {
                places.first = self.count as u32;
            }
            places.count = places.count.saturating_add(1);
        }
        match self.few.get_mut(self.count) {
            Some(place) => *place = field,
            None => {
                if self.many.is_empty() {
                    self.many.extend_from_slice(&self.few);
                }
                self.many.push(field);
            }
        }
        self.count = self.count.wrapping_add(1);
    }

    fn fields(&self) -> &[Field] {
        if self.many.is_empty() {
            self.few.get(..self.count).unwrap_or_default()
        } else {
            &self.many
        }
    }

    fn places(&self, name: Name) -> Places {
        self.known.get(name as usize).copied().unwrap_or_default()
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
    bytes: &'a [u8],
    fields: core::slice::Iter<'a, Field>,
}

impl<'a> Headers<'a> {
    /// The values of the fields with this name, in any letter case, one per line.
    pub(crate) fn named(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.filter(move |field| field.0.eq_ignore_ascii_case(name))
            .map(|field| field.1)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let field = self.fields.next()?;
        Some((field.name.text_of(self.bytes), field.value.of(self.bytes)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.fields.size_hint()
    }
}

impl ExactSizeIterator for Headers<'_> {}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
