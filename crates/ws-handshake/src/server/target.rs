//! The request target: what the client asks for (RFC 9112 section 3.2, RFC 6455 section 4.2.1 item 1).

use crate::authority::Authority;
use crate::fields::Class;
use crate::head::Span;
use crate::scan::find_byte;

/// An origin-form or absolute-form target; the other two forms have no resource name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Only absolute-form has one; it then replaces the Host field (RFC 9112 section 3.2.2).
    pub(super) authority: Option<Span>,
    /// Empty in `http://host`; that means `/`.
    pub(super) path: Span,
    pub(super) query: Option<Span>,
}

impl Target {
    /// `target` is a slice of `head`.
    pub(super) fn parse(target: &[u8], head: &[u8]) -> Result<Self, &'static str> {
        // No part may hold a `#`, so that only what is refused has to be searched for it.
        Self::parse_parts(target, head).map_err(|problem| {
            if target.contains(&b'#') {
                "The request target has a fragment."
            } else {
                problem
            }
        })
    }

    fn parse_parts(target: &[u8], head: &[u8]) -> Result<Self, &'static str> {
        let (authority, resource) = match target {
            [b'/', ..] => (None, target),
            _ => split_absolute(target)
                .ok_or("The request target is neither a path nor an http or ws URI.")?,
        };
        let end = find_byte::<b'?'>(resource).unwrap_or(resource.len());
        let (path, query) = resource.split_at_checked(end).unwrap_or((resource, &[]));
        if !PATH.has_all(path) {
            return Err("The path has a character that must be percent-encoded.");
        }
        if !QUERY.has_all(query) {
            return Err("The query has a character that must be percent-encoded.");
        }
        Ok(Self {
            authority: authority.map(|part| Span::within(head, part)),
            path: Span::within(head, path),
            query: query.get(1..).map(|part| Span::within(head, part)),
        })
    }
}

/// Whether this can be the path of a target.
pub(super) fn is_path(path: &[u8]) -> bool {
    path.starts_with(b"/") && PATH.has_all(path)
}

/// The authority and the rest of an `http`, `https`, `ws` or `wss` URI.
fn split_absolute(target: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    const SCHEMES: [&[u8]; 4] = [b"http", b"https", b"ws", b"wss"];
    let colon = target.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    if !SCHEMES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme))
    {
        return None;
    }
    let rest = rest.strip_prefix(b"://")?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (authority, resource) = rest.split_at_checked(end)?;
    // Userinfo fails here: a trap for whoever reads the URI, and RFC 9110 section 4.2.4 forbids it.
    if Authority::parse(authority)?.host.is_empty() {
        return None;
    }
    Some((Some(authority), resource))
}

/// RFC 3986 wants more characters escaped than browsers escape (WHATWG URL): they send `[`, `]` and
/// `|` as they are, so these pass. Everything that browsers always escape is refused.
static PATH: Class = Class::alphanumeric_and(b"-._~!$&'()*+,;=:@%/[]|");

/// In a query browsers leave still more as it is, such as the braces of JSON.
static QUERY: Class = Class::alphanumeric_and(b"-._~!$&'()*+,;=:@%/[]|?^{}\\`");
