//! The grammar of HTTP field values that the handshake needs: tokens and lists (RFC 9110 section 5.6).
//!
//! Everything here is one pass over bytes. A value is never assumed to be UTF-8: bytes from 0x80 on
//! are legal in it and mean nothing (RFC 9110 section 5.5).

/// A class of bytes as a table, because most bytes of a head are looked up in one.
pub(crate) struct Class([bool; 256]);

impl Class {
    /// The letters, the digits and these bytes.
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut table = [false; 256];
        let mut rest: &mut [bool] = &mut table;
        let mut byte: u8 = 0;
        while let [entry, after @ ..] = rest {
            *entry = byte.is_ascii_alphanumeric() || contains(others, byte);
            byte = byte.wrapping_add(1);
            rest = after;
        }
        Self(table)
    }

    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or_default()
    }

    /// Looks at all bytes in any case: what is right is looked at to the end anyhow, and a branch at
    /// each byte costs more than the rest of what is wrong.
    pub(crate) fn has_all(&self, bytes: &[u8]) -> bool {
        bytes.iter().fold(true, |all, byte| all & self.has(*byte))
    }
}

const fn contains(mut bytes: &[u8], wanted: u8) -> bool {
    while let [byte, after @ ..] = bytes {
        if *byte == wanted {
            return true;
        }
        bytes = after;
    }
    false
}

static TCHAR: Class = Class::alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// A byte of a token (RFC 9110 section 5.6.2).
pub(crate) fn is_tchar(byte: u8) -> bool {
    TCHAR.has(byte)
}

pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && TCHAR.has_all(text)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Removes optional white space (OWS, RFC 9110 section 5.6.3) from both ends.
#[inline]
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    match text {
        // One space before a value, as nearly everybody writes it.
        [b' ', value @ ..] if matches!(value, [first, .., last] if !is_blank(*first) && !is_blank(*last)) => {
            value
        }
        _ => trim_any(text),
    }
}

fn trim_any(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

/// The items of a comma-separated list without quoted strings, in order; empty ones are skipped, as
/// recipients must (RFC 9110 section 5.6.1).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value
        .split(|byte| *byte == b',')
        .map(trim)
        .filter(|item| !item.is_empty())
}

/// Looks for a token in a list that may be spread over several field lines, without regard to letter
/// case; `wanted` is in lower case. `Err` means that an item is not even `token["/" token]` (RFC 9110 section 7.8).
pub(crate) fn list_contains<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    wanted: &str,
) -> Result<bool, MalformedList> {
    let mut found = false;
    for line in lines {
        for item in list(line) {
            if is_lowercase_of(item, wanted) {
                found = true;
            } else {
                let mut parts = item.splitn(2, |byte| *byte == b'/');
                if !parts.all(is_token) {
                    return Err(MalformedList);
                }
            }
        }
    }
    Ok(found)
}

/// Whether `text` is `lowercase` but for letter case. Two spellings, `upgrade` and `Upgrade`, are nearly
/// all there are, and are compared without a look at each letter.
#[inline(always)]
pub(crate) fn is_lowercase_of(text: &[u8], lowercase: &str) -> bool {
    match (text, lowercase.as_bytes()) {
        ([initial, rest @ ..], [lowercase, lower @ ..]) => {
            initial.eq_ignore_ascii_case(lowercase)
                && (rest == lower || rest.eq_ignore_ascii_case(lower))
        }
        (text, lowercase) => text == lowercase,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedList;

/// Why a field that the application wants to send was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldError {
    Name,
    Value,
    Reserved,
}

/// Checks a field that the application wants to send: the name is a token, the value holds no control
/// byte (so no injected line), and the name is none of those that the handshake itself decides.
pub(crate) fn check_outgoing(
    name: &str,
    value: &[u8],
    is_reserved: impl Fn(&str) -> bool,
) -> Result<(), FieldError> {
    if !is_token(name.as_bytes()) {
        Err(FieldError::Name)
    } else if is_reserved(name) {
        Err(FieldError::Reserved)
    } else if !is_field_value(value) {
        Err(FieldError::Value)
    } else {
        Ok(())
    }
}

/// Field content (RFC 9110 section 5.5): visible bytes, bytes from 0x80 on, and blanks.
pub(crate) fn is_field_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| matches!(byte, b'\t' | b' '..=0x7e | 0x80..))
}

/// Field names that decide framing or the upgrade: nobody sets them beside the handshake.
pub(crate) fn is_protocol_field(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "connection",
        "content-length",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "keep-alive",
    ];
    NAMES
        .iter()
        .any(|reserved| name.eq_ignore_ascii_case(reserved))
        || name
            .get(..14)
            .is_some_and(|start| start.eq_ignore_ascii_case("sec-websocket-"))
}

/// Appends `name: value CRLF`.
pub(crate) fn write_field(out: &mut alloc::vec::Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(trim(value));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec: P-04: the table, byte by byte.
    #[test]
    fn token_bytes() {
        for byte in 0..=255 {
            let is_separator = b"()<>@,;:\\\"/[]?={} ".contains(&byte);
            assert_eq!(
                is_tchar(byte),
                byte.is_ascii_graphic() && !is_separator,
                "{byte}"
            );
        }
        let class = Class::alphanumeric_and(b"-\xff");
        for byte in 0..=255 {
            assert_eq!(
                class.has(byte),
                byte.is_ascii_alphanumeric() || byte == b'-' || byte == 0xff
            );
        }
        assert!(!is_token(b"") && is_token(b"a") && !is_token(b"a b"));
    }

    /// spec: P-05, P-07
    #[test]
    fn blanks_and_empty_items() {
        for text in [&b"a"[..], b" a", b"a\t", b" \t a \t "] {
            assert_eq!(trim(text), b"a");
        }
        assert_eq!(trim(b" \t "), b"");
        assert!(list(b",, a ,\t,b c,").eq([&b"a"[..], b"b c"]));
        assert_eq!(list(b" , ").count(), 0);
    }
}
