//! Which request goes where.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::String;
use core::fmt;

use super::target::is_path;
use super::{Rejection, Request};

/// What a server has at which path.
///
/// Paths are compared as they stand in the request, byte by byte and without the query: `/chat` is
/// neither `/chat/` nor `/Chat` nor `/%63hat`, and no spelling leads where the plain one does not.
///
/// ```
/// # use ws_handshake::Limits;
/// # use ws_handshake::server::{RequestReader, Routes, Rejection};
/// let mut routes = Routes::new();
/// routes.insert("/chat", 1)?;
/// let head = b"GET /chat?room=2 HTTP/1.1\r\nHost: a\r\n\r\n";
/// let request = RequestReader::new(Limits::default()).read(head).unwrap().unwrap();
/// assert_eq!(routes.find(&request), Some(&1));
/// # Ok::<(), ws_handshake::server::RouteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes<T> {
    exact: BTreeMap<String, T>,
    fallback: Option<T>,
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Routes<T> {
    /// Nothing at any path.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            exact: BTreeMap::new(),
            fallback: None,
        }
    }

    /// Puts something at a path.
    ///
    /// # Errors
    /// No request can ask for that path, or there is something at it already.
    pub fn insert(&mut self, path: impl Into<String>, target: T) -> Result<(), RouteError> {
        let path = path.into();
        if !is_path(path.as_bytes()) {
            return Err(RouteError::NoPath);
        }
        match self.exact.entry(path) {
            Entry::Vacant(place) => {
                place.insert(target);
                Ok(())
            }
            Entry::Occupied(_) => Err(RouteError::Taken),
        }
    }

    /// Sets what is at every path that has nothing of its own.
    pub fn set_fallback(&mut self, target: T) {
        self.fallback = Some(target);
    }

    /// What is at the path of `request`.
    #[must_use]
    pub fn find(&self, request: &Request) -> Option<&T> {
        self.exact.get(request.path()).or(self.fallback.as_ref())
    }

    /// The refusal of a request that leads nowhere: 404.
    #[must_use]
    pub fn not_found(request: &Request) -> Rejection {
        match request.method() {
            // RFC 9110 section 9.3.2.
            "HEAD" => Rejection::not_found().without_content(),
            _ => Rejection::not_found(),
        }
    }
}

/// Why nothing can be put at a path. The fault is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// It does not begin with `/`, or has a character that cannot stand in a path, such as `?` or a
    /// blank (RFC 9112 section 3.2.1).
    NoPath,
    /// There is something at it already.
    Taken,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPath => "this is no path that a request could ask for",
            Self::Taken => "there is something at this path already",
        })
    }
}

impl core::error::Error for RouteError {}
