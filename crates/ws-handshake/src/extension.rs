//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1), the same in offers and answers.
//!
//! ```text
//! Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits="10"
//!                           `---- name ------'  `----- parameter ----'  `--- parameter, value ---'
//! ```
//!
//! Parsing is one pass without backtracking, and nothing is kept per item: what is a list here is an
//! iterator over the bytes of the field.

use alloc::borrow::Cow;
use core::fmt;

use crate::fields::is_tchar;

/// Most extensions in one handshake, and most parameters of one extension. Real offers have one or two.
pub const MAX_ITEMS: usize = 32;

/// Checks the values of all `Sec-WebSocket-Extensions` lines of a head and iterates over the extensions
/// in them, in order: that is the client's order of preference in an offer, and the order in which they
/// apply to the data in an answer.
///
/// No lines at all are an empty list; a line without any item is an error (RFC 9110 section 5.6.1).
/// Names and parameters mean nothing here: what is unknown is for the caller to skip or to refuse.
///
/// ```
/// # use ws_handshake::extension;
/// let lines = [b"permessage-deflate; server_max_window_bits=\"10\", x-unknown".as_slice()];
/// let mut extensions = extension::parse(lines.into_iter())?;
/// let deflate = extensions.next().unwrap();
/// assert_eq!(deflate.name(), "permessage-deflate");
/// let parameter = deflate.parameters().next().unwrap();
/// assert_eq!((parameter.name(), parameter.value()), ("server_max_window_bits", Some("10")));
/// assert_eq!(extensions.next().unwrap().name(), "x-unknown");
/// # Ok::<(), extension::ExtensionError>(())
/// ```
///
/// # Errors
/// A breach of the grammar, or more than [`MAX_ITEMS`] extensions or parameters.
pub fn parse<'a, L>(lines: L) -> Result<impl Iterator<Item = Extension<'a>>, ExtensionError>
where
    L: Iterator<Item = &'a [u8]> + Clone,
{
    check(lines.clone())?;
    Ok(checked(lines))
}

pub(crate) fn check<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<(), ExtensionError> {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return Ok(());
    }
    let mut extensions: usize = 0;
    for line in lines {
        let mut cursor = Cursor(line);
        while cursor.extension()?.is_some() {
            extensions = extensions.saturating_add(1);
            if extensions > MAX_ITEMS {
                return Err(ExtensionError::TooMany);
            }
        }
    }
    if extensions == 0 {
        Err(ExtensionError::Malformed)
    } else {
        Ok(())
    }
}

/// Iterates over lines that [`check`] found to be right.
pub(crate) fn checked<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Extension<'a>> {
    lines.flat_map(|line| {
        let mut cursor = Cursor(line);
        core::iter::from_fn(move || cursor.extension().ok().flatten())
    })
}

/// One item of the list: a name and its parameters. `Display` writes it in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    name: &'a [u8],
    parameters: &'a [u8],
}

impl<'a> Extension<'a> {
    /// The name, a token; compare it with its letter case.
    #[must_use]
    pub fn name(&self) -> &'a str {
        core::str::from_utf8(self.name).unwrap_or_default()
    }

    /// The parameters in order. The same name may occur twice; whether that is an error is the
    /// extension's matter.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let mut cursor = Cursor(self.parameters);
        core::iter::from_fn(move || cursor.parameter().ok().flatten())
    }
}

/// The parameters of an extension that is permessage-deflate, read by `parse`; `None` if it is another.
pub(crate) fn deflate<T>(
    extension: &Extension<'_>,
    parse: impl for<'p> FnOnce(&mut dyn Iterator<Item = (&'p str, Option<&'p str>)>) -> T,
) -> Option<T> {
    if extension.name() != ws_deflate::EXTENSION_NAME {
        return None;
    }
    // Names and values are borrowed from what is kept here; of more than there are
    // parameters one is too much, whatever comes behind it.
    let mut parameters = [const { None }; 5];
    for (slot, parameter) in parameters.iter_mut().zip(extension.parameters()) {
        *slot = Some(parameter);
    }
    let mut parameters = parameters
        .iter()
        .flatten()
        .map(|parameter: &Parameter<'_>| (parameter.name(), parameter.value()));
    Some(parse(&mut parameters))
}

impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.parameters()
            .try_for_each(|parameter| match parameter.value() {
                None => write!(f, "; {}", parameter.name()),
                Some(value) => write!(f, "; {}={value}", parameter.name()),
            })
    }
}

/// A parameter of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    name: &'a [u8],
    value: Option<Cow<'a, [u8]>>,
}

impl<'a> Parameter<'a> {
    /// The name, a token; compare it with its letter case.
    #[must_use]
    pub fn name(&self) -> &'a str {
        core::str::from_utf8(self.name).unwrap_or_default()
    }

    /// The value without quotes and escapes. It is a token even if it was quoted (RFC 6455
    /// section 9.1).
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value
            .as_deref()
            .map(|value| core::str::from_utf8(value).unwrap_or_default())
    }
}

/// Why a `Sec-WebSocket-Extensions` field cannot be used. The peer wrote it, so it is the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtensionError {
    /// It does not follow the grammar of RFC 6455 section 9.1.
    Malformed,
    /// It has more than [`MAX_ITEMS`] extensions, or one of them more parameters than that.
    TooMany,
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the extension list is malformed",
            Self::TooMany => "the extension list has too many items",
        })
    }
}

impl core::error::Error for ExtensionError {}

/// What is left to parse of one line.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// The next item; `None` at the end. Empty items are skipped (RFC 9110 section 5.6.1).
    fn extension(&mut self) -> Result<Option<Extension<'a>>, ExtensionError> {
        self.skip(|byte| matches!(byte, b',' | b' ' | b'\t'));
        if self.0.is_empty() {
            return Ok(None);
        }
        let name = self.token()?;
        let whole = self.0;
        let mut count: usize = 0;
        while self.parameter()?.is_some() {
            count = count.saturating_add(1);
            if count > MAX_ITEMS {
                return Err(ExtensionError::TooMany);
            }
        }
        let consumed = whole.len().saturating_sub(self.0.len());
        let parameters = whole.get(..consumed).unwrap_or_default();
        self.skip_blanks();
        match self.0 {
            [] | [b',', ..] => Ok(Some(Extension { name, parameters })),
            _ => Err(ExtensionError::Malformed),
        }
    }

    /// `OWS ";" OWS token [ OWS "=" OWS ( token / quoted-string ) ]`; `None` without the semicolon.
    fn parameter(&mut self) -> Result<Option<Parameter<'a>>, ExtensionError> {
        self.skip_blanks();
        if !self.eat(b';') {
            return Ok(None);
        }
        self.skip_blanks();
        let name = self.token()?;
        self.skip_blanks();
        if !self.eat(b'=') {
            return Ok(Some(Parameter { name, value: None }));
        }
        self.skip_blanks();
        let value = if self.eat(b'"') {
            self.quoted()?
        } else {
            Cow::Borrowed(self.token()?)
        };
        Ok(Some(Parameter {
            name,
            value: Some(value),
        }))
    }

    fn token(&mut self) -> Result<&'a [u8], ExtensionError> {
        match self.skip(is_tchar) {
            [] => Err(ExtensionError::Malformed),
            token => Ok(token),
        }
    }

    /// The rest of a quoted-string whose first quote is behind us. What it says once unescaped must be
    /// a token, so a byte that is none ends the search.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, ExtensionError> {
        let plain = self.skip(is_tchar);
        if !plain.is_empty() && self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            self.0 = match self.0 {
                [b'\\', byte, rest @ ..] | [byte, rest @ ..] if is_tchar(*byte) => {
                    text.push(*byte);
                    rest
                }
                [b'"', rest @ ..] if !text.is_empty() => {
                    self.0 = rest;
                    return Ok(Cow::Owned(text));
                }
                _ => return Err(ExtensionError::Malformed),
            };
        }
    }

    fn skip_blanks(&mut self) {
        self.skip(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// Passes the bytes that belong to a class.
    fn skip(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self
            .0
            .iter()
            .position(|byte| !belongs(*byte))
            .unwrap_or(self.0.len());
        let (passed, rest) = self.0.split_at_checked(end).unwrap_or((self.0, &[]));
        self.0 = rest;
        passed
    }

    fn eat(&mut self, byte: u8) -> bool {
        let rest = self
            .0
            .split_first()
            .filter(|(first, _)| **first == byte)
            .map(|(_, rest)| rest);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}
