//! Subprotocols: the list in `Sec-WebSocket-Protocol` and the choice from it (RFC 6455 sections 1.9,
//! 4.1 item 10, 4.2.2 item 4).

use crate::fields::{is_token, list};

/// Whose order decides when several subprotocols are known to both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The first one in the client's list that the server supports. The client's list is ordered by
    /// its preference (RFC 6455 section 4.1 item 10).
    Client,
    /// The first one in the server's list that the client offers.
    #[default]
    Server,
}

/// Checks the field lines of an offer, of which there are some: they hold at least one item, and only tokens.
pub(crate) fn check<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<(), MalformedList> {
    let mut is_empty = true;
    for item in lines.flat_map(list) {
        is_empty = false;
        if !is_token(item) {
            return Err(MalformedList);
        }
    }
    if is_empty { Err(MalformedList) } else { Ok(()) }
}

/// The items of checked field lines, in order.
pub(crate) fn names<'a>(
    lines: impl Iterator<Item = &'a [u8]> + Clone,
) -> impl Iterator<Item = &'a str> + Clone {
    lines
        .flat_map(list)
        .filter_map(|item| core::str::from_utf8(item).ok())
}

/// The first common name by the order of one side. Names are compared with their letter case
/// (RFC 7936 section 2). The work is at most the product of the two lists, of which the server's is
/// ours and the client's is bounded by [`Limits::max_field_line`](crate::Limits::max_field_line).
pub(crate) fn select<'a, 's>(
    mut offered: impl Iterator<Item = &'a str> + Clone,
    supported: &[&'s str],
    preference: Preference,
) -> Option<&'s str> {
    match preference {
        Preference::Client => offered.find_map(|name| {
            supported
                .iter()
                .copied()
                .find(|candidate| *candidate == name)
        }),
        Preference::Server => supported
            .iter()
            .copied()
            .find(|candidate| offered.clone().any(|name| name == *candidate)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedList;
