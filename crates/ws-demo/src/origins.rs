//! Which pages may connect.

use ws_async::OriginPolicy;
use ws_async::handshake::server::{Rejection, Request};

use crate::PLAIN;

/// The route that is there to show the check.
pub(crate) const CHECKED: &str = "/origin-checked";

/// Pages of this server and those that are `allowed` may connect. A program that sends no Origin is no
/// browser with somebody's cookies in it, and may too, unless the route is there to show the check.
///
/// # Errors
///
/// The refusal of a page that may not connect: 403.
pub(crate) fn check(request: &Request, allowed: &OriginPolicy) -> Result<(), Rejection> {
    let path = request.path();
    let is_checked = path.strip_prefix(PLAIN).unwrap_or(path) == CHECKED;
    if is_checked && request.origin().is_none() {
        return Err(Rejection::forbidden());
    }
    OriginPolicy::SameHost
        .check(request)
        .or_else(|_| allowed.check(request))
}
