//! A client's opening handshake that passed every check of RFC 6455 section 4.2.1.

use super::{Acceptance, Rejection, Request};
use crate::extension::{self, Extension};
use crate::head::{Head, Name, Occurrence};
use crate::key::{AcceptKey, is_key};
use crate::subprotocol::{self, Preference};

/// What a client offers in a valid opening handshake. It owns what it shows and is cheap to clone.
#[derive(Clone, Debug)]
pub struct Offer {
    head: Head,
    accept: AcceptKey,
    expects_continue: bool,
}

impl Offer {
    /// The checks in the order in which their answers help the client most: first what kind of request
    /// it is, then the version, then the details.
    pub(super) fn check(request: &Request) -> Result<Self, Rejection> {
        let head = request.head();
        check_method(request)?;
        if request.minor_version() == 0 {
            // RFC 9110 section 7.8: Upgrade in HTTP/1.0 must be ignored, so nothing is left to offer.
            return Err(Rejection::bad_request(
                "A WebSocket handshake needs HTTP/1.1.",
            ));
        }
        let expects_continue = check_expect(head)?;
        match head.lists(Name::Upgrade, "websocket") {
            Ok(true) => {}
            Ok(false) => {
                return Err(Rejection::upgrade_required(
                    "This resource speaks WebSocket only.",
                ));
            }
            Err(_) => return Err(Rejection::bad_request("The Upgrade field is malformed.")),
        }
        match head.lists(Name::Connection, "upgrade") {
            Ok(true) => {}
            // Upgrade belongs to one hop. A proxy that is not set up for it removes or replaces Connection.
            Ok(false) => {
                return Err(Rejection::bad_request(
                    "The Connection field lacks `Upgrade`; a proxy in between may have removed it.",
                ));
            }
            Err(_) => return Err(Rejection::bad_request("The Connection field is malformed.")),
        }
        check_version(head)?;
        let key = check_key(head)?;
        if head.single(Name::Protocol) != Occurrence::Absent
            && subprotocol::check(head.values(Name::Protocol)).is_err()
        {
            return Err(Rejection::bad_request(
                "The Sec-WebSocket-Protocol field is malformed.",
            ));
        }
        if !offers_as_browsers(head) && extension::check(head.values(Name::Extensions)).is_err() {
            return Err(Rejection::bad_request(
                "The Sec-WebSocket-Extensions field is malformed.",
            ));
        }
        if request.origin_lines() == Occurrence::Repeated {
            return Err(Rejection::bad_request(
                "There is more than one Origin field.",
            ));
        }
        Ok(Self {
            head: head.clone(),
            accept: AcceptKey::from_key(key),
            expects_continue,
        })
    }

    /// Accepts the handshake. Nothing is decided yet about subprotocol and fields of the response.
    #[must_use]
    pub fn accept(self) -> Acceptance {
        Acceptance::new(self)
    }

    /// The client's key as received: 24 base64 characters.
    #[must_use]
    pub fn key(&self) -> &str {
        let key = self.head.values(Name::Key).next().unwrap_or_default();
        core::str::from_utf8(key).unwrap_or_default()
    }

    /// The answer to the key.
    #[must_use]
    pub fn accept_key(&self) -> &AcceptKey {
        &self.accept
    }

    /// The subprotocols offered, in the client's order of preference (RFC 6455 section 4.2.1 item 8).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        subprotocol::names(self.head.values(Name::Protocol))
    }

    /// The first subprotocol that both sides know, by whose order counts. `None` if there is none:
    /// then accept without one, or refuse.
    ///
    /// Names are compared with their letter case (RFC 7936 section 2).
    #[must_use]
    pub fn select_subprotocol<'s>(
        &self,
        supported: &[&'s str],
        preference: Preference,
    ) -> Option<&'s str> {
        subprotocol::select(
            subprotocol::names(self.head.values(Name::Protocol)),
            supported,
            preference,
        )
    }

    /// The extensions offered, in the client's order of preference (RFC 6455 section 9.1). One that is
    /// not known is to be skipped, it is no error.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        extension::checked(self.head.values(Name::Extensions))
    }

    /// What the client offers of permessage-deflate, in its order of preference (RFC 7692 section 5.1). An offer that
    /// breaks the rules is not among them: it is to be declined, and the handshake goes on.
    pub fn deflate_offers(&self) -> impl Iterator<Item = ws_deflate::Offer> {
        let offers = self.extensions().filter_map(|extension| {
            extension::deflate(&extension, |parameters| {
                ws_deflate::Offer::parse(parameters)
            })
        });
        offers.filter_map(Result::ok)
    }

    /// The Origin field, see [`Request::origin`].
    #[must_use]
    pub fn origin(&self) -> Option<&[u8]> {
        self.head.values(Name::Origin).next()
    }

    pub(super) fn expects_continue(&self) -> bool {
        self.expects_continue
    }
}

/// RFC 6455 section 4.2.1 item 1: GET, in capitals.
fn check_method(request: &Request) -> Result<(), Rejection> {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    if request.is_get() {
        return Ok(());
    }
    let method = request.method();
    if KNOWN.iter().any(|known| known.eq_ignore_ascii_case(method)) {
        Err(Rejection::method_not_allowed())
    } else {
        Err(Rejection::not_implemented())
    }
}

/// RFC 9110 section 10.1.1: `100-continue` is the only expectation there is.
fn check_expect(head: &Head) -> Result<bool, Rejection> {
    if head.single(Name::Expect) == Occurrence::Absent {
        return Ok(false);
    }
    let mut values = head.values(Name::Expect);
    if values.all(|value| value.eq_ignore_ascii_case(b"100-continue")) {
        Ok(true)
    } else {
        Err(Rejection::expectation_failed())
    }
}

/// RFC 6455 section 4.2.1 item 6 and the ABNF of section 4.3: one number up to 255 without leading zeros.
fn check_version(head: &Head) -> Result<(), Rejection> {
    let problem = match head.single(Name::Version) {
        Occurrence::Once(b"13") => return Ok(()),
        Occurrence::Once(value) if is_version(value) => {
            return Err(Rejection::unsupported_version());
        }
        Occurrence::Once(_) => "The Sec-WebSocket-Version field is malformed.",
        Occurrence::Absent => "There is no Sec-WebSocket-Version field.",
        Occurrence::Repeated => "There is more than one Sec-WebSocket-Version field.",
    };
    Err(Rejection::bad_version(problem))
}

fn is_version(value: &[u8]) -> bool {
    match value {
        [b'0'..=b'9'] | [b'1'..=b'9', b'0'..=b'9'] => true,
        [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => value <= b"255".as_slice(),
        _ => false,
    }
}

/// What browsers offer is right without a look at each byte.
fn offers_as_browsers(head: &Head) -> bool {
    match head.single(Name::Extensions) {
        Occurrence::Once(value) => {
            value == b"permessage-deflate; client_max_window_bits" || value == b"permessage-deflate"
        }
        Occurrence::Absent | Occurrence::Repeated => false,
    }
}

/// RFC 6455 section 4.2.1 item 5: exactly one key, and a well-formed one.
fn check_key(head: &Head) -> Result<&[u8], Rejection> {
    match head.single(Name::Key) {
        Occurrence::Once(key) if is_key(key) => Ok(key),
        Occurrence::Once(_) => Err(Rejection::bad_request(
            "Sec-WebSocket-Key is not 16 bytes in base64.",
        )),
        Occurrence::Absent => Err(Rejection::bad_request(
            "There is no Sec-WebSocket-Key field.",
        )),
        Occurrence::Repeated => Err(Rejection::bad_request(
            "There is more than one Sec-WebSocket-Key field.",
        )),
    }
}
