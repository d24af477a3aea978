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
        let origin = core::str::from_utf8(value)
            .ok()
            .and_then(|text| Origin::parse(text).ok());
        let is_allowed = match self {
            Self::AllowAny => true,
            Self::AllowList(allowed) => origin.is_some_and(|origin| allowed.contains(&origin)),
            Self::SameHost => origin.is_some_and(|origin| origin.is_same_host(request.host())),
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
        if text == "null" {
            return Ok(Self(Form::Null));
        }
        let (scheme, authority) = text.split_once("://").ok_or(InvalidOrigin)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let authority = Authority::parse(authority.as_bytes()).ok_or(InvalidOrigin)?;
        if !is_scheme || authority.host.is_empty() {
            return Err(InvalidOrigin);
        }
        let scheme = scheme.to_ascii_lowercase();
        let port = authority.port.or_else(|| default_port(&scheme));
        Ok(Self(Form::Tuple {
            scheme,
            host: authority.host.to_ascii_lowercase(),
            port,
        }))
    }

    /// Whether a page of this origin belongs to the host and port a request is addressed to.
    fn is_same_host(&self, request_host: &str) -> bool {
        let (Form::Tuple { scheme, host, port }, Some(request)) =
            (&self.0, Authority::parse(request_host.as_bytes()))
        else {
            return false;
        };
        let default = default_port(scheme);
        default.is_some()
            && request.host.eq_ignore_ascii_case(host)
            && request.port.or(default) == *port
    }
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
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}
