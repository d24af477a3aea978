//! `ws` and `wss` URIs (RFC 6455 section 3, RFC 3986).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::authority::{self, Authority};

/// A `ws` or `wss` URI, taken apart for who has to connect, to verify a name and to ask for a resource.
///
/// ```
/// # use ws_handshake::Uri;
/// let uri = Uri::parse("wss://Example.com/chat?room=1")?;
/// assert!(uri.is_secure());
/// assert_eq!((uri.host(), uri.port()), ("example.com", 443));
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// assert_eq!(uri.authority(), "example.com");
/// # Ok::<(), ws_handshake::UriError>(())
/// ```
///
/// `Display` and `Debug` never show a password; [`without_query`](Self::without_query) leaves the query
/// out too, which often holds a token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    is_secure: bool,
    /// Lower case, an IPv6 address without brackets and zone.
    host: String,
    zone: Option<String>,
    is_ipv6: bool,
    port: u16,
    resource_name: String,
    authorization: Option<String>,
}

/// What to accept beyond RFC 6455 section 3. Everything is off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UriOptions {
    /// Take `http` for `ws` and `https` for `wss`, as browsers do.
    pub http_schemes: bool,
    /// What to do with `user:password@` before the host.
    pub userinfo: Userinfo,
}

/// What to do with `user:password@` in a URI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Userinfo {
    /// Refuse the URI: RFC 6455 section 3 has no userinfo.
    #[default]
    Refuse,
    /// Send it as Basic authorization (RFC 7617), over TLS only; refuse it in a `ws` URI.
    BasicOverTls,
    /// Send it as Basic authorization even where everybody on the way can read it.
    Basic,
}

impl Uri {
    /// Parses a `ws` or `wss` URI with the default [`UriOptions`].
    ///
    /// # Errors
    /// What is wrong with it; the fault is the caller's.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        Self::parse_with(text, UriOptions::default())
    }

    /// Parses a URI.
    ///
    /// Percent escapes stay as they are. Characters of path and query that a URI may not hold but that
    /// cannot mislead anybody, such as `{` or `é`, are escaped, as browsers do. White space and control
    /// characters are refused, because they would end the request line.
    ///
    /// # Errors
    /// What is wrong with it; the fault is the caller's.
    pub fn parse_with(text: &str, options: UriOptions) -> Result<Self, UriError> {
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(UriError::ForbiddenCharacter);
        }
        if text.contains('#') {
            return Err(UriError::Fragment);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        let is_secure = is_secure_scheme(scheme, options)?;
        let rest = rest.strip_prefix("//").ok_or(UriError::EmptyHost)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (authorization, authority) = match authority.split_once('@') {
            Some((userinfo, authority)) => (
                Some(basic_authorization(userinfo, is_secure, options.userinfo)?),
                authority,
            ),
            None => (None, authority),
        };
        let (host, port) = authority::split(authority.as_bytes()).ok_or(UriError::Host)?;
        let host = Host::parse(host)?;
        let port = match authority::parse_port(port) {
            Some(None) => default_port(is_secure),
            Some(Some(port)) if port > 0 => port,
            _ => return Err(UriError::Port),
        };
        Ok(Self {
            is_secure,
            host: host.name.to_ascii_lowercase(),
            zone: host.zone.map(ToOwned::to_owned),
            is_ipv6: host.is_ipv6,
            port,
            resource_name: resource_name(resource)?,
            authorization,
        })
    }

    /// Whether the scheme is `wss`: TLS first.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The host to look up, in lower case; an IPv6 address stands without brackets and zone.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host if it is an address: then there is nothing to look up, and no server name to send in
    /// TLS (RFC 6066 section 3).
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The zone of an IPv6 address, `eth0` in `[fe80::1%25eth0]` (RFC 6874). It means something on this
    /// machine only and is never sent.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// The port, written or default: 80 for `ws`, 443 for `wss`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The resource name: path and query as they stand in the request line (RFC 6455 section 3).
    #[must_use]
    pub fn resource_name(&self) -> &str {
        &self.resource_name
    }

    /// The value of the Host field: the host, and the port if it is not the default one (RFC 6455
    /// section 4.1 item 4).
    #[must_use]
    pub fn authority(&self) -> String {
        let is_default = self.port == default_port(self.is_secure);
        match (self.is_ipv6, is_default) {
            (false, true) => self.host.clone(),
            (false, false) => format!("{}:{}", self.host, self.port),
            (true, true) => format!("[{}]", self.host),
            (true, false) => format!("[{}]:{}", self.host, self.port),
        }
    }

    /// The value of the Authorization field made from userinfo, see [`Userinfo`]. It is a secret.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// The URI without its query, for logs.
    #[must_use]
    pub fn without_query(&self) -> impl fmt::Display {
        let path = self
            .resource_name
            .split_once('?')
            .map_or(&*self.resource_name, |(path, _)| path);
        format!("{}://{}{path}", self.scheme(), self.authority())
    }

    fn scheme(&self) -> &'static str {
        if self.is_secure { "wss" } else { "ws" }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}{}",
            self.scheme(),
            self.authority(),
            self.resource_name
        )
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({self})")
    }
}

impl core::str::FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Why a text is not a WebSocket URI. It shows nothing of the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is missing or not `ws` or `wss`.
    Scheme,
    /// There is no `//` with a host behind it.
    EmptyHost,
    /// The host is neither a name, nor an IPv4 address, nor an IPv6 address in brackets. Numbers that
    /// some resolvers take for an IPv4 address (`127.1`, `0x7f.1`) are refused as well.
    Host,
    /// The host has non-ASCII characters. Write its ASCII form (`xn--...`), IDNA is not applied.
    NonAsciiHost,
    /// The port is not a number from 1 to 65535.
    Port,
    /// There is userinfo, and [`UriOptions::userinfo`] refuses it.
    Userinfo,
    /// There is a `#`: WebSocket URIs have no fragment (RFC 6455 section 3). Write `%23` for the
    /// character itself.
    Fragment,
    /// There is white space or a control character.
    ForbiddenCharacter,
    /// There is a `%` without two hexadecimal digits after it.
    PercentEscape,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URI scheme is not ws or wss",
            Self::EmptyHost => "the URI has no host",
            Self::Host => "the host of the URI is malformed",
            Self::NonAsciiHost => "the host of the URI is not ASCII; write its xn-- form",
            Self::Port => "the port of the URI is not a number from 1 to 65535",
            Self::Userinfo => "the URI has userinfo, which is not accepted here",
            Self::Fragment => "the URI has a fragment; write %23 for the character #",
            Self::ForbiddenCharacter => "the URI has white space or a control character",
            Self::PercentEscape => "the URI has a % without two hexadecimal digits",
        })
    }
}

impl core::error::Error for UriError {}

fn is_secure_scheme(scheme: &str, options: UriOptions) -> Result<bool, UriError> {
    let is = |wanted| scheme.eq_ignore_ascii_case(wanted);
    if is("wss") || (options.http_schemes && is("https")) {
        Ok(true)
    } else if is("ws") || (options.http_schemes && is("http")) {
        Ok(false)
    } else {
        Err(UriError::Scheme)
    }
}

const fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

struct Host<'a> {
    name: &'a str,
    zone: Option<&'a str>,
    is_ipv6: bool,
}

impl<'a> Host<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, UriError> {
        let text = core::str::from_utf8(text).map_err(|_| UriError::Host)?;
        if text.is_empty() {
            return Err(UriError::EmptyHost);
        }
        if !text.is_ascii() {
            return Err(UriError::NonAsciiHost);
        }
        let Some(literal) = text.strip_prefix('[') else {
            let is_name = authority::is_registered_name(text.as_bytes());
            // What ends in a number is an address to browsers and resolvers, in forms that a filter of
            // addresses may not know. Only the plain form is unambiguous.
            let is_clear = !ends_in_number(text) || text.parse::<Ipv4Addr>().is_ok();
            return if is_name && is_clear {
                Ok(Self {
                    name: text,
                    zone: None,
                    is_ipv6: false,
                })
            } else {
                Err(UriError::Host)
            };
        };
        let literal = literal.strip_suffix(']').ok_or(UriError::Host)?;
        let (address, zone) = match literal.split_once("%25") {
            Some((_, zone))
                if zone.is_empty() || !authority::is_registered_name(zone.as_bytes()) =>
            {
                return Err(UriError::Host);
            }
            Some((address, zone)) => (address, Some(zone)),
            None => (literal, None),
        };
        let bracketed = format!("[{address}]");
        if Authority::parse(bracketed.as_bytes()).is_none() {
            return Err(UriError::Host);
        }
        Ok(Self {
            name: address,
            zone,
            is_ipv6: true,
        })
    }
}

/// Whether the last label is a decimal or hexadecimal number (WHATWG URL, "ends in a number").
fn ends_in_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let label = host.rsplit_once('.').map_or(host, |(_, label)| label);
    let hexadecimal = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Path and query as the request line needs them. An empty path is `/`, an empty query is none.
fn resource_name(text: &str) -> Result<String, UriError> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let mut name = String::with_capacity(text.len().saturating_add(1));
    if path.is_empty() {
        name.push('/');
    }
    push_escaped(&mut name, path)?;
    if !query.is_empty() {
        name.push('?');
        push_escaped(&mut name, query)?;
    }
    Ok(name)
}

fn push_escaped(name: &mut String, text: &str) -> Result<(), UriError> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |digit: u8| char::from(HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
    let mut bytes = text.as_bytes();
    while let [byte, rest @ ..] = bytes {
        match byte {
            b'%' if !matches!(rest, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()) =>
            {
                return Err(UriError::PercentEscape);
            }
            b'"'
            | b'<'
            | b'>'
            | b'['
            | b']'
            | b'\\'
            | b'^'
            | b'`'
            | b'{'
            | b'|'
            | b'}'
            | 0x80.. => {
                name.extend(['%', hex(byte >> 4), hex(byte & 0x0f)]);
            }
            _ => name.push(char::from(*byte)),
        }
        bytes = rest;
    }
    Ok(())
}

fn basic_authorization(
    userinfo: &str,
    is_secure: bool,
    policy: Userinfo,
) -> Result<String, UriError> {
    match policy {
        Userinfo::Basic => {}
        Userinfo::BasicOverTls if is_secure => {}
        Userinfo::BasicOverTls | Userinfo::Refuse => return Err(UriError::Userinfo),
    }
    let mut credentials = percent_decode(userinfo)?;
    // RFC 7617 section 2: the colon is there even if the password is empty.
    if !userinfo.contains(':') {
        credentials.push(b':');
    }
    let length = base64::encoded_len(credentials.len(), true).ok_or(UriError::Userinfo)?;
    let mut encoded = alloc::vec![0; length];
    let written = STANDARD
        .encode_slice(&credentials, &mut encoded)
        .map_err(|_| UriError::Userinfo)?;
    encoded.truncate(written);
    let encoded = String::from_utf8(encoded).map_err(|_| UriError::Userinfo)?;
    Ok(format!("Basic {encoded}"))
}

fn percent_decode(text: &str) -> Result<Vec<u8>, UriError> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [byte, rest @ ..] = bytes {
        bytes = rest;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let [high, low, rest @ ..] = rest else {
            return Err(UriError::PercentEscape);
        };
        let (high, low) = digit(*high)
            .zip(digit(*low))
            .ok_or(UriError::PercentEscape)?;
        decoded.push(high << 4 | low);
        bytes = rest;
    }
    Ok(decoded)
}
