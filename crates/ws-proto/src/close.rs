//! How a connection stands and how it ended.

use core::fmt;

use ws_frame::CloseCode;

use crate::{ProtocolError, Utf8Bytes};

/// The body of a Close frame (RFC 6455 §5.5.1).
///
/// The reason is for logs and debugging. The RFC forbids showing it to end users, and it is the peer's text: escape
/// it before it reaches a terminal or a page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 6455 fixes the two parts of a Close body"
)]
pub struct CloseFrame {
    /// The status code.
    pub code: CloseCode,
    /// The reason, at most 123 bytes, often empty.
    pub reason: Utf8Bytes,
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.reason.is_empty() {
            write!(f, " {:?}", self.reason)?;
        }
        Ok(())
    }
}

/// The readyState of an established connection, as the W3C API names it. CONNECTING is no state here: before the
/// opening handshake is done there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 6455 §7.1 and the browser API know these three"
)]
pub enum State {
    /// Messages flow both ways.
    Open,
    /// A Close frame was sent or received (§7.1.3).
    Closing,
    /// Both Close frames crossed, or the connection failed, or its transport is gone (§7.1.4, §7.1.7).
    Closed,
}

/// Who began to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Initiator {
    /// This end: by `close`, or by failing the connection.
    Local,
    /// The peer: by its Close frame, or by leaving.
    Remote,
}

/// How a connection ended, or is ending.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseInfo {
    /// The peer's Close frame: outer `None` when none came, inner `None` when its body was empty.
    pub received: Option<Option<CloseFrame>>,
    /// The code of our Close frame: outer `None` when none was sent, inner `None` when its body was empty.
    pub sent: Option<Option<CloseCode>>,
    /// Who began.
    pub initiator: Initiator,
    /// Why the connection failed, if it did (RFC 6455 §7.1.7): what the peer did wrong, or that it left, or which
    /// deadline it missed.
    pub failure: Option<ProtocolError>,
    /// Whether both Close frames crossed without a protocol error (RFC 6455 §7.1.4).
    pub clean: bool,
}

impl CloseInfo {
    /// How the connection ended, as one code (RFC 6455 §7.1.5): the peer's, or 1005 when its Close had no code. When
    /// none came: the code with which we failed the connection, so that a log says 1007 or 1009 and not what went
    /// wrong everywhere, or else 1006.
    pub fn code(&self) -> CloseCode {
        match &self.received {
            Some(Some(frame)) => frame.code,
            Some(None) => CloseCode::NO_STATUS,
            None => self.failed_with().unwrap_or(CloseCode::ABNORMAL),
        }
    }

    /// The code of the failure, if the peer was told of it.
    fn failed_with(&self) -> Option<CloseCode> {
        let code = self.failure?.close_code()?;
        (self.sent == Some(Some(code))).then_some(code)
    }

    /// The connection close reason (RFC 6455 §7.1.6): the peer's, or empty.
    pub fn reason(&self) -> &str {
        match &self.received {
            Some(Some(frame)) => frame.reason.as_str(),
            _ => "",
        }
    }
}
