//! `host [":" port]`, as in the Host field and in URIs (RFC 3986 section 3.2, RFC 9110 section 7.2).

use core::net::Ipv6Addr;

use crate::fields::Class;
use crate::scan::find_byte;

/// A host and the port written after it. The host keeps its spelling; an IPv6 address keeps its
/// brackets. The host may be empty when nothing at all was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    pub(crate) host: &'a str,
    /// `None` also for an empty port, which means the default one (RFC 3986 section 3.2.3).
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// `None` when the text is not of that form. Userinfo is not part of it.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let (host, port) = parse(text)?;
        Some(Self {
            host: core::str::from_utf8(host).ok()?,
            port,
        })
    }
}

/// The same where nobody needs the host as text.
pub(crate) fn parse(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    if NAME.has_all(text) {
        return Some((text, None));
    }
    let (host, port) = split(text)?;
    let is_host = match host {
        [b'[', literal @ .., b']'] => is_ipv6(literal),
        [] => text.is_empty(),
        name => is_registered_name(name),
    };
    is_host.then_some((host, parse_port(port)?))
}

/// Splits before the colon of the port. The second part is empty or begins with that colon.
pub(crate) fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match text {
        [b'[', ..] => text.iter().position(|byte| *byte == b']')?.checked_add(1)?,
        _ => find_byte::<b':'>(text).unwrap_or(text.len()),
    };
    text.split_at_checked(end)
}

/// `""`, `":"` or `":" 1*DIGIT` up to 65535. The outer `None` means that it is none of these.
pub(crate) fn parse_port(text: &[u8]) -> Option<Option<u16>> {
    match text {
        [] | [b':'] => Some(None),
        [b':', digits @ ..] => digits
            .iter()
            .try_fold(0_u16, |port, digit| {
                let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
                port.checked_mul(10)?.checked_add(u16::from(digit))
            })
            .map(Some),
        _ => None,
    }
}

/// Letters, digits, `-._~` and `!$&'()*+,;=` (RFC 3986 section 3.2.2).
static NAME: Class = Class::alphanumeric_and(b"-._~!$&'()*+,;=");

/// A name of such bytes and percent escapes.
pub(crate) fn is_registered_name(mut name: &[u8]) -> bool {
    if NAME.has_all(name) {
        return true;
    }
    while let Some(other) = name.iter().position(|byte| !NAME.has(*byte)) {
        match name.get(other..) {
            Some([b'%', high, low, rest @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                name = rest;
            }
            _ => return false,
        }
    }
    true
}

fn is_ipv6(literal: &[u8]) -> bool {
    core::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}
