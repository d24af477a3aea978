//! A parsed head: one buffer and where its parts lie in it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use httparse::Status;

use crate::Limits;
use crate::fields::{MalformedList, is_lowercase_of, is_token, list_contains, trim};
use crate::scan::{find_byte, find_line_feed, line_len, word_len};

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
    /// The name that a line begins with, and its length: a token, and a colon behind it.
    #[inline]
    fn begins(line: &[u8]) -> Option<(Self, usize)> {
        // As RFC 6455 spells them, and nearly everybody: comparisons with constants, unlike those
        // without regard to letter case.
        let spelled = |spelling: &[u8], name: Self| {
            line.starts_with(spelling)
                .then_some((name, spelling.len().wrapping_sub(1)))
        };
        let usual = match line.first()? {
            b'H' => spelled(b"Host:", Self::Host),
            b'U' => spelled(b"Upgrade:", Self::Upgrade),
            b'C' => spelled(b"Connection:", Self::Connection),
            b'O' => spelled(b"Origin:", Self::Origin),
            b'S' => match line.get(b"Sec-WebSocket-".len())? {
                b'K' => spelled(b"Sec-WebSocket-Key:", Self::Key),
                b'V' => spelled(b"Sec-WebSocket-Version:", Self::Version),
                b'P' => spelled(b"Sec-WebSocket-Protocol:", Self::Protocol),
                b'E' => spelled(b"Sec-WebSocket-Extensions:", Self::Extensions),
                b'A' => spelled(b"Sec-WebSocket-Accept:", Self::Accept),
                _ => None,
            },
            _ => None,
        };
        usual.or_else(|| Self::begins_otherwise(line))
    }

    /// Not inlined, so that the loop over the lines keeps its registers.
    #[inline(never)]
    fn begins_otherwise(line: &[u8]) -> Option<(Self, usize)> {
        // Nearly all other names are of letters and hyphens.
        let end = line.first_chunk().map_or(0, word_len);
        let end = match line.get(end) {
            Some(b':') if end > 0 => end,
            _ => find_byte::<b':'>(line)
                .filter(|end| is_token(line.get(..*end).unwrap_or_default()))?,
        };
        Some((Self::of(line.get(..end)?), end))
    }

    fn of(name: &[u8]) -> Self {
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

    /// The same for a head that has not been scanned, in one pass. `window` is what was received, up to
    /// where a head is too large. It succeeds for the head of a usual request that arrived in one piece, and
    /// only where scanning first would end in the same head. `None` decides nothing.
    #[inline(never)]
    pub(crate) fn parse_unscanned(
        window: &[u8],
        fields_at: usize,
        limits: &Limits,
    ) -> Option<Self> {
        let mut known = Known::NONE;
        let mut count = 0_usize;
        let mut at = fields_at;
        loop {
            let rest = window.get(at..)?;
            let length = line_len(rest)?;
            at = at.wrapping_add(length).wrapping_add(2);
            if length == 0 {
                break;
            }
            if length > limits.max_field_line || count == limits.max_fields {
                return None;
            }
            // Where the next line begins does not depend on this, so that processors work on several at once.
            let (name, name_len) = Name::begins(rest)?;
            if name != Name::Other {
                let value = trim(rest.get(name_len.wrapping_add(1)..length)?);
                known.note(name, Span::within(window, value));
            }
            count = count.wrapping_add(1);
        }
        let bytes = Bytes::copy_from_slice(window.get(..at)?);
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

    /// Whether a field whose value is a list holds a token, see [`list_contains`].
    #[inline(always)]
    pub(crate) fn lists(&self, name: Name, wanted: &str) -> Result<bool, MalformedList> {
        match self.single(name) {
            // Nearly always it is the only item.
            Occurrence::Once(value) if is_lowercase_of(value, wanted) => Ok(true),
            _ => list_contains(self.values(name), wanted),
        }
    }

    /// How often a field occurs, with its value if that is once.
    #[inline]
    pub(crate) fn single(&self, name: Name) -> Occurrence<'_> {
        let Parts { bytes, known, .. } = &*self.0;
        match known.values.get(name as usize) {
            _ if known.repeated & 1 << name as u16 != 0 => Occurrence::Repeated,
            Some(value) if value.end != 0 => Occurrence::Once(value.of(bytes)),
            _ => Occurrence::Absent,
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
    /// The last value of each name. It ends at 0 if there is none.
    values: [Span; Name::Other as usize],
    /// A bit for each name that occurs more than once.
    repeated: u16,
}

impl Known {
    const NONE: Self = Self {
        values: [Span { start: 0, end: 0 }; Name::Other as usize],
        repeated: 0,
    };

    fn note(&mut self, name: Name, value: Span) {
        if let Some(place) = self.values.get_mut(name as usize) {
            if place.end != 0 {
                self.repeated |= 1 << name as u16;
            }
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
    const NONE: Self = Self {
        rest: &[],
        count: 0,
    };

    /// The values of the fields with this name, in any letter case, one per line.
    pub(crate) fn named(mut self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let name = name.as_bytes();
        core::iter::from_fn(move || {
            loop {
                // Only where a colon is in the right place there is a name to compare; a name with a colon in
                // it could be one and the beginning of its value.
                if let Some((begin, [b':', value @ ..])) = self.line()?.split_at_checked(name.len())
                    && begin.eq_ignore_ascii_case(name)
                    && !name.contains(&b':')
                {
                    return Some(trim(value));
                }
            }
        })
    }

    /// The next line without its line end.
    fn line(&mut self) -> Option<&'a [u8]> {
        self.count = self.count.checked_sub(1)?;
        let (line, rest) = self.rest.split_at_checked(find_line_feed(self.rest)?)?;
        self.rest = rest.get(1..)?;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{LineEnds, StartLineScanner};

    /// The head as it is parsed by who had to wait for the rest of it.
    fn scanned(received: &[u8], line_ends: LineEnds, limits: &Limits) -> Option<Head> {
        let (_, mut fields) = StartLineScanner::new(line_ends, 0)
            .scan(received, limits)
            .ok()??;
        let end = fields.scan(received, limits).ok()??;
        let bytes = Bytes::copy_from_slice(&received[..end]);
        Head::parse(bytes, fields.start(), fields.count())
    }

    /// Whatever is in a head, parsing it at once decides nothing or ends in the head that scanning ends in,
    /// with the same limits.
    #[test]
    fn scanned_or_not() {
        const HEAD: &[u8] = b"GET / HTTP/1.1\r\n\
            Host: a.b\r\n\
            A_1:x  \r\n\
            Origin:  \r\n\
            Sec-WebSocket-Key:  y\r\n\
            connection: Upgrade\r\n\
            HOST:\r\n\
            \r\n\
            \x81\x02hi";
        let mut limits = Limits::default();
        let mut parsed = 0;
        for at in 0..HEAD.len() {
            let mut received = HEAD.to_vec();
            for byte in *b"\0\t\n\r !-:;AaHcko_\x1f\x7f\x80\xff" {
                received[at] = byte;
                for (max_head, max_field_line, max_fields) in
                    [(200, 100, 20), (105, 100, 20), (200, 20, 20), (200, 100, 5)]
                {
                    limits.max_head = max_head;
                    limits.max_field_line = max_field_line;
                    limits.max_fields = max_fields;
                    let window = &received[..received.len().min(max_head)];
                    let Some(head) = Head::parse_unscanned(window, 16, &limits) else {
                        continue;
                    };
                    parsed += 1;
                    for line_ends in [LineEnds::Strict, LineEnds::Lenient] {
                        let expected = scanned(&received, line_ends, &limits);
                        // A start line that has been broken is not this one's to find.
                        assert!(
                            at < 16 || expected.as_ref() == Some(&head),
                            "{byte} at {at}"
                        );
                        let Some(expected) = expected.filter(|_| at >= 16) else {
                            continue;
                        };
                        assert!(head.headers().eq(expected.headers()));
                        assert_eq!(head.headers().len(), head.headers().count());
                        for name in [Name::Host, Name::Origin, Name::Key, Name::Connection] {
                            assert!(head.values(name).eq(expected.values(name)));
                        }
                    }
                }
            }
        }
        assert!(parsed > 500, "{parsed}");
    }

    /// What is known of a field is what looking for it by name finds.
    #[test]
    fn known_fields() {
        const NAMES: [(&str, Name); 12] = [
            ("Host", Name::Host),
            ("Upgrade", Name::Upgrade),
            ("Connection", Name::Connection),
            ("Origin", Name::Origin),
            ("Expect", Name::Expect),
            ("Content-Length", Name::ContentLength),
            ("Transfer-Encoding", Name::TransferEncoding),
            ("Sec-WebSocket-Key", Name::Key),
            ("Sec-WebSocket-Version", Name::Version),
            ("Sec-WebSocket-Protocol", Name::Protocol),
            ("Sec-WebSocket-Extensions", Name::Extensions),
            ("Sec-WebSocket-Accept", Name::Accept),
        ];
        let limits = Limits::default();
        for (spelling, name) in NAMES {
            for spelling in [
                spelling.into(),
                spelling.to_ascii_lowercase(),
                spelling.to_ascii_uppercase(),
            ] {
                for (lines, values) in [
                    (alloc::format!("x: 0\r\n{spelling}s: 1"), [].as_slice()),
                    (alloc::format!("{spelling}:one"), &[b"one".as_slice()]),
                    (alloc::format!("{spelling}: \r\nx: 2"), &[b""]),
                    (
                        alloc::format!("{spelling}: 1\r\nx: 2\r\n{spelling}: 3"),
                        &[b"1", b"3"],
                    ),
                ] {
                    let head = alloc::format!("{lines}\r\n\r\n");
                    let head = Head::parse_unscanned(head.as_bytes(), 0, &limits);
                    let head = head.expect("a head");
                    assert!(head.values(name).eq(values.iter().copied()), "{lines}");
                    let expected = match values {
                        [] => Occurrence::Absent,
                        [value] => Occurrence::Once(value),
                        _ => Occurrence::Repeated,
                    };
                    assert_eq!(head.single(name), expected, "{lines}");
                }
            }
        }
    }
}
