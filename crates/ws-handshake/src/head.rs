//! A parsed head: one buffer and where its parts lie in it.

use alloc::sync::Arc;
use alloc::vec;

use bytes::Bytes;

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
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let end = usize::try_from(self.end).unwrap_or(usize::MAX);
        bytes.get(start..end).unwrap_or_default()
    }

    /// The same as text; only for parts that were checked to be ASCII.
    pub(crate) fn text_of(self, bytes: &[u8]) -> &str {
        core::str::from_utf8(self.of(bytes)).unwrap_or_default()
    }
}

/// The fields that the handshake itself reads, told apart once so that no look-up compares names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Host,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    kind: Name,
    name: Span,
    value: Span,
}

/// Cheap to clone: both parts are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    bytes: Bytes,
    fields: Arc<[Field]>,
}

impl Head {
    /// Parses the field lines that begin at `fields_at`, blank line included, of a complete head with
    /// at most `field_lines` lines.
    pub(crate) fn parse(
        bytes: Bytes,
        fields_at: usize,
        field_lines: usize,
    ) -> Result<Self, httparse::Error> {
        let mut parsed = vec![httparse::EMPTY_HEADER; field_lines];
        let section = bytes.get(fields_at..).unwrap_or_default();
        let fields = match httparse::parse_headers(section, &mut parsed)? {
            httparse::Status::Complete((_, fields)) => fields,
            // The blank line is there, so the parser reaches it or fails before.
            httparse::Status::Partial => return Err(httparse::Error::NewLine),
        };
        let fields = fields
            .iter()
            .map(|field| Field {
                kind: Name::of(field.name.as_bytes()),
                name: Span::within(&bytes, field.name.as_bytes()),
                value: Span::within(&bytes, field.value),
            })
            .collect();
        Ok(Self { fields, bytes })
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The values of a field, one per line, in order.
    pub(crate) fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> + Clone {
        self.fields
            .iter()
            .filter(move |field| field.kind == name)
            .map(|field| field.value.of(&self.bytes))
    }

    /// How often a field occurs, with its value if that is once.
    pub(crate) fn single(&self, name: Name) -> Occurrence<'_> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (None, _) => Occurrence::Absent,
            (Some(value), None) => Occurrence::Once(value),
            (Some(_), Some(_)) => Occurrence::Repeated,
        }
    }

    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers {
            bytes: &self.bytes,
            fields: self.fields.iter(),
        }
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
