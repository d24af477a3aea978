//! A parsed head: one buffer and where its parts lie in it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use httparse::Status;

use crate::Limits;

/// A range of bytes of a head. Heads are at most [`crate::Limits::HEAD_CEILING`] long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        }
    }

    /// The span of `part`, which must be a slice of `whole`.
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        Self::new(start, start.saturating_add(part.len()))
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
        let candidate: (&str, Self) = match name.len() {
            4 => ("host", Self::Host),
            6 if name
                .first()
                .is_some_and(|byte| byte.eq_ignore_ascii_case(&b'o')) =>
            {
                ("origin", Self::Origin)
            }
            6 => ("expect", Self::Expect),
            7 => ("upgrade", Self::Upgrade),
            10 => ("connection", Self::Connection),
            14 => ("content-length", Self::ContentLength),
            17 if name
                .first()
                .is_some_and(|byte| byte.eq_ignore_ascii_case(&b't')) =>
            {
                ("transfer-encoding", Self::TransferEncoding)
            }
            17 => ("sec-websocket-key", Self::Key),
            20 => ("sec-websocket-accept", Self::Accept),
            21 => ("sec-websocket-version", Self::Version),
            22 => ("sec-websocket-protocol", Self::Protocol),
            24 => ("sec-websocket-extensions", Self::Extensions),
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

/// A head with no more fields is parsed without a temporary allocation.
const USUAL_FIELDS: usize = 24;

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
        let index = Index::new(&bytes, fields);
        Some(Self(Arc::new(Parts { bytes, index })))
    }

    /// The same for a head that has not been scanned, in one pass. It succeeds for the head of a usual
    /// request that arrived in one piece, and only where scanning first would end in the same head.
    /// `None` decides nothing.
    pub(crate) fn parse_unscanned(
        received: &[u8],
        fields_at: usize,
        limits: &Limits,
    ) -> Option<Self> {
        let mut parsed = [httparse::EMPTY_HEADER; USUAL_FIELDS];
        let section = received.get(fields_at..)?;
        let Ok(Status::Complete((length, fields))) = httparse::parse_headers(section, &mut parsed)
        else {
            return None;
        };
        let head = received.get(..fields_at.saturating_add(length))?;
        let is_allowed = head.len() <= limits.head()
            && fields.len() <= limits.max_fields
            && has_strict_lines(section.get(..length)?, fields, limits.max_field_line);
        is_allowed.then(|| {
            let index = Index::new(head, fields);
            Self(Arc::new(Parts {
                bytes: Bytes::copy_from_slice(head),
                index,
            }))
        })
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
            .fields
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
        match (places.count, parts.index.fields.get(to_usize(places.first))) {
            (1, Some(field)) => Occurrence::Once(field.value.of(&parts.bytes)),
            (2.., _) => Occurrence::Repeated,
            _ => Occurrence::Absent,
        }
    }

    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers {
            bytes: &self.0.bytes,
            fields: self.0.index.fields.iter(),
        }
    }
}

/// Where the fields of a head are.
#[derive(Debug, PartialEq, Eq)]
struct Index {
    fields: Box<[Field]>,
    /// Where the fields with these names begin in `fields` and how many there are, so that asking for
    /// one does not go through all.
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

impl Index {
    fn new(head: &[u8], fields: &[httparse::Header<'_>]) -> Self {
        let mut known = [Places::default(); Name::Other as usize];
        let mut position: u32 = 0;
        let fields = fields
            .iter()
            .map(|field| {
                let kind = Name::of(field.name.as_bytes());
                if let Some(places) = known.get_mut(kind as usize) {
                    if places.count == 0 {
                        places.first = position;
                    }
                    places.count = places.count.saturating_add(1);
                }
                position = position.saturating_add(1);
                let name = Span::within(head, field.name.as_bytes());
                Field {
                    kind,
                    name,
                    value: Span::within(head, field.value),
                }
            })
            .collect();
        Self { fields, known }
    }

    fn places(&self, name: Name) -> Places {
        self.known.get(name as usize).copied().unwrap_or_default()
    }
}

/// Whether each line of a parsed section ends with CRLF and keeps to the limit. The parser has seen to
/// everything else.
fn has_strict_lines(
    section: &[u8],
    fields: &[httparse::Header<'_>],
    max_field_line: usize,
) -> bool {
    let Some(mut rest) = section.strip_suffix(b"\r\n") else {
        return false;
    };
    for field in fields.iter().rev() {
        let start = to_usize(Span::within(section, field.name.as_bytes()).start);
        match rest
            .get(start..)
            .and_then(|line| line.strip_suffix(b"\r\n"))
        {
            Some(line) if line.len() <= max_field_line => {
                rest = rest.get(..start).unwrap_or_default()
            }
            _ => return false,
        }
    }
    true
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
