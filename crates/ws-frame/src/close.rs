//! The body of a Close frame (RFC 6455 sections 5.5.1 and 7.4).

use core::fmt;

use crate::{ClosePayloadError, str_from_utf8};

/// A status code: why an endpoint closes (RFC 6455 section 7.4 and the IANA registry).
///
/// Any 16-bit value, since a peer can put any into a frame;
/// [`is_allowed_on_wire`](Self::is_allowed_on_wire) tells which it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the connection has done what it was for.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server going down, or a browser leaving the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a type of data this endpoint does not take, say binary at a text-only one.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: stands for a Close frame without a code. Local only, never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: stands for the end of a connection without a Close frame. Local only, never on the
    /// wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a rule of the application was broken, and no other code fits or may be told.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message larger than this endpoint takes.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the server did not grant an extension the client needs. Sent by clients.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition kept this endpoint from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; reconnect after a random 5 to 30 seconds.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: stands for a failed TLS handshake. Local only, never on the wire.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// The code with this number.
    #[inline]
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number of this code.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether a Close frame may carry this code.
    ///
    /// True for the registered codes 1000 to 1003 and 1007 to 1014, for 3000 to 3999 (libraries
    /// and frameworks, registered) and for 4000 to 4999 (private use). False for the codes that
    /// only stand for something locally (1005, 1006, 1015) and for all that nothing defines.
    #[inline]
    #[must_use]
    pub const fn is_allowed_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The name of this code, or of the range it lies in, as the registry has it.
    const fn name(self) -> &'static str {
        match self.0 {
            1000 => "Normal Closure",
            1001 => "Going Away",
            1002 => "Protocol Error",
            1003 => "Unsupported Data",
            1004 => "Reserved",
            1005 => "No Status Rcvd",
            1006 => "Abnormal Closure",
            1007 => "Invalid frame payload data",
            1008 => "Policy Violation",
            1009 => "Message Too Big",
            1010 => "Mandatory Extension",
            1011 => "Internal Error",
            1012 => "Service Restart",
            1013 => "Try Again Later",
            1014 => "Bad Gateway",
            1015 => "TLS handshake",
            1016..=2999 => "Unassigned",
            3000..=3999 => "Registered Use",
            4000..=4999 => "Private Use",
            _ => "Undefined",
        }
    }
}

impl From<u16> for CloseCode {
    #[inline]
    fn from(code: u16) -> Self {
        Self::new(code)
    }
}

impl From<CloseCode> for u16 {
    #[inline]
    fn from(code: CloseCode) -> Self {
        code.get()
    }
}

/// The number and the name, as in `1000 Normal Closure`.
impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

/// The body of a Close frame to send: nothing, or a status code and a reason (RFC 6455 section
/// 5.5.1). There is no reason without a code.
///
/// Holds its up to 125 bytes itself; every value is one that a peer must accept.
#[derive(Clone, Copy)]
pub struct ClosePayload {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl ClosePayload {
    /// The longest body in bytes: that of any control frame.
    pub const MAX_LEN: usize = 125;
    /// The longest reason in bytes, which is what a code leaves of [`MAX_LEN`](Self::MAX_LEN).
    pub const MAX_REASON_LEN: usize = 123;

    /// The body without a code; the receiver reports it as [`CloseCode::NO_STATUS`].
    pub const EMPTY: Self = Self {
        bytes: [0; Self::MAX_LEN],
        len: 0,
    };

    /// The body with this code and reason. The reason is for logs, not for users (section
    /// 5.5.1), and may be empty.
    ///
    /// # Errors
    ///
    /// [`ClosePayloadError::Code`] if the code is not allowed on the wire,
    /// [`ClosePayloadError::ReasonTooLong`] if the reason has more than
    /// [`MAX_REASON_LEN`](Self::MAX_REASON_LEN) bytes.
    pub fn new(code: CloseCode, reason: &str) -> Result<Self, ClosePayloadError> {
        if !code.is_allowed_on_wire() {
            return Err(ClosePayloadError::Code(code));
        }
        if reason.len() > Self::MAX_REASON_LEN {
            return Err(ClosePayloadError::ReasonTooLong);
        }
        let mut payload = Self {
            len: (reason.len() as u8).saturating_add(2),
            ..Self::EMPTY
        };
        let [high, low, rest @ ..] = &mut payload.bytes;
        [*high, *low] = code.get().to_be_bytes();
        for (to, from) in rest.iter_mut().zip(reason.bytes()) {
            *to = from;
        }
        Ok(payload)
    }

    /// Takes a received body apart, after unmasking; `Ok(None)` if it is empty.
    ///
    /// # Errors
    ///
    /// What [`ClosePayloadError`] lists; its [`close_code`](ClosePayloadError::close_code) is what
    /// to fail the connection with.
    pub fn parse(body: &[u8]) -> Result<Option<(CloseCode, &str)>, ClosePayloadError> {
        if body.is_empty() {
            return Ok(None);
        }
        let (&code, reason) = body
            .split_first_chunk()
            .ok_or(ClosePayloadError::Truncated)?;
        let code = CloseCode(u16::from_be_bytes(code));
        if !code.is_allowed_on_wire() {
            return Err(ClosePayloadError::Code(code));
        }
        if reason.len() > Self::MAX_REASON_LEN {
            return Err(ClosePayloadError::ReasonTooLong);
        }
        match str_from_utf8(reason) {
            Ok(reason) => Ok(Some((code, reason))),
            Err(_) => Err(ClosePayloadError::ReasonNotUtf8),
        }
    }

    /// The body as it goes on the wire, before masking.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The code, or `None` if the body is empty.
    #[must_use]
    pub fn code(&self) -> Option<CloseCode> {
        self.as_bytes()
            .first_chunk()
            .map(|&code| CloseCode(u16::from_be_bytes(code)))
    }

    /// The reason; empty if there is none.
    #[must_use]
    pub fn reason(&self) -> &str {
        let reason = self.as_bytes().get(2..).unwrap_or_default();
        // It came from a `&str`, so this cannot fail.
        str_from_utf8(reason).unwrap_or_default()
    }
}

/// [`ClosePayload::EMPTY`].
impl Default for ClosePayload {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for ClosePayload {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for ClosePayload {}

impl fmt::Debug for ClosePayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosePayload")
            .field("code", &self.code().map(CloseCode::get))
            .field("reason", &self.reason())
            .finish()
    }
}
