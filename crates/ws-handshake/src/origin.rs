//! The Origin field and what a server makes of it (RFC 6454, RFC 6455 section 10.2).
//!
//! A browser lets any page open a WebSocket to any server and sends the cookies along. What protects
//! the user is that the browser also states which page it was. A server that does not look lets every
//! page speak in its users' names: cross-site WebSocket hijacking. Origin protects users with browsers;
//! it authenticates nobody, since a program can send what it likes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::authority::Authority;
use crate::head::Occurrence;
use crate::server::{Rejection, Request};

/// Which pages may connect. Requests without an Origin field pass: they do not come from a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Pages from the host and port that the request itself is addressed to.
    ///
    /// Whether the page was fetched by http or https is not compared, because a server behind a proxy
    /// cannot know; a port that is not written is the default one of the page's scheme.
    #[default]
    SameHost,
    /// Pages from these origins, compared as a whole: scheme, host and port.
    AllowList(Vec<Origin>),
    /// Pages from anywhere. Right only for a service without cookies and without anything else that a
    /// browser adds by itself.
    AllowAny,
}

impl OriginPolicy {
    /// An allow-list from texts such as `https://example.com` or `http://localhost:8080`.
    ///
    /// ```
    /// # use ws_handshake::OriginPolicy;
    /// let policy = OriginPolicy::allow_list(["https://example.com", "https://www.example.com"])?;
    /// # Ok::<(), ws_handshake::InvalidOrigin>(())
    /// ```
    ///
    /// # Errors
    /// One of them is not an origin; a path or a final slash is enough for that.
    pub fn allow_list<'a>(
        origins: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidOrigin> {
        origins
            .into_iter()
            .map(Origin::parse)
            .collect::<Result<_, _>>()
            .map(Self::AllowList)
    }

    /// Judges a request.
    ///
    /// # Errors
    /// 403 for an origin that may not connect, 400 for two Origin fields.
    pub fn check(&self, request: &Request) -> Result<(), Rejection> {
        let value = match request.origin_lines() {
            Occurrence::Absent => return Ok(()),
            Occurrence::Once(value) => value,
            Occurrence::Repeated => {
                return Err(Rejection::bad_request(
                    "There is more than one Origin field.",
                ));
            }
        };
        let is_allowed = match self {
            Self::AllowAny => true,
            Self::AllowList(allowed) => {
                View::parse(value).is_some_and(|origin| allowed.iter().any(|one| one.is(&origin)))
            }
            Self::SameHost => is_same_host(value, request.host_bytes()),
        };
        if is_allowed {
            Ok(())
        } else {
            Err(Rejection::origin_not_allowed())
        }
    }
}

/// An origin: scheme, host and port, or `null` (RFC 6454 section 4).
///
/// Scheme and host are compared without regard to letter case, and a port that is not written is the
/// default port of http or https.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin(Form);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    /// What browsers send for pages without an address of their own: sandboxed frames, files.
    Null,
    Tuple {
        scheme: String,
        host: String,
        port: Option<u16>,
    },
}

impl Origin {
    /// Parses `scheme://host[:port]` or `null`.
    ///
    /// # Errors
    /// It is neither; whoever wrote it is at fault.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        Ok(Self(
            match View::parse(text.as_bytes()).ok_or(InvalidOrigin)? {
                View::Null => Form::Null,
                View::Tuple { scheme, host, port } => Form::Tuple {
                    scheme: scheme.to_ascii_lowercase(),
                    host: host.to_ascii_lowercase(),
                    port,
                },
            },
        ))
    }

    fn is(&self, view: &View<'_>) -> bool {
        match (&self.0, view) {
            (Form::Null, View::Null) => true,
            (
                Form::Tuple { scheme, host, port },
                View::Tuple {
                    scheme: s,
                    host: h,
                    port: p,
                },
            ) => scheme.eq_ignore_ascii_case(s) && host.eq_ignore_ascii_case(h) && port == p,
            _ => false,
        }
    }
}

/// An origin as it stands in a request: nothing copied, letter case as received.
enum View<'a> {
    Null,
    Tuple {
        scheme: &'a str,
        host: &'a str,
        port: Option<u16>,
    },
}

impl<'a> View<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        if text == b"null" {
            return Some(Self::Null);
        }
        let colon = text.iter().position(|byte| *byte == b':')?;
        let (scheme, rest) = text.split_at_checked(colon)?;
        let is_scheme = scheme.first()?.is_ascii_alphabetic()
            && scheme
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let authority = Authority::parse(rest.strip_prefix(b"://")?)?;
        if !is_scheme || authority.host.is_empty() {
            return None;
        }
        let scheme = core::str::from_utf8(scheme).ok()?;
        let port = authority.port.or_else(|| default_port(scheme));
        Some(Self::Tuple {
            scheme,
            host: authority.host,
            port,
        })
    }
}

/// Whether a page of this origin belongs to the host and port a request is addressed to.
fn is_same_host(origin: &[u8], request_host: &[u8]) -> bool {
    // Spelled alike, as browsers do. The request's own host has been checked when it was read.
    let spelled = [b"https://".as_slice(), b"http://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(*scheme));
    if spelled == Some(request_host) && !request_host.is_empty() {
        return true;
    }
    let (Some(View::Tuple { scheme, host, port }), Some(request)) =
        (View::parse(origin), Authority::parse(request_host))
    else {
        return false;
    };
    let default = default_port(scheme);
    default.is_some() && request.host.eq_ignore_ascii_case(host) && request.port.or(default) == port
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Null => f.write_str("null"),
            Form::Tuple { scheme, host, port } => {
                write!(f, "{scheme}://{host}")?;
                match port {
                    Some(port) if Some(*port) != default_port(scheme) => write!(f, ":{port}"),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// A text that is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOrigin;

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an origin: write `scheme://host[:port]` or `null`, without a path")
    }
}

impl core::error::Error for InvalidOrigin {}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else {
        None
    }
}
