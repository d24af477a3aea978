//! How a server is to end, and how it ended.

use alloc::boxed::Box;
use core::time::Duration;

use ws_frame::{CloseCode, ClosePayload, ClosePayloadError};

use crate::SendError;

/// How a server is to end: what its peers are told, over which time, and when it stops waiting for them.
///
/// ```
/// use std::time::Duration;
/// use ws_proto::CloseCode;
/// use ws_proto::serving::Drain;
///
/// let restart = Drain::new(CloseCode::SERVICE_RESTART, "back in a minute")?
///     .with_window(Duration::from_secs(20))
///     .with_deadline(Duration::from_secs(30));
/// # Ok::<(), ws_proto::SendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    code: CloseCode,
    reason: Box<str>,
    window: Duration,
    deadline: Duration,
}

impl Drain {
    /// Closes each connection with this code and reason. The usual codes are 1001, the server goes away, and 1012, it
    /// comes back (RFC 6455 §7.4.1 and the registry of §11.7).
    ///
    /// # Errors
    ///
    /// [`SendError::ClosePayload`] when a server may not send the code or the reason exceeds 123 bytes.
    pub fn new(code: CloseCode, reason: &str) -> Result<Self, SendError> {
        // RFC 6455 §7.4.1: 1010 is a client's to send.
        if code == CloseCode::MANDATORY_EXTENSION {
            return Err(SendError::ClosePayload(ClosePayloadError::Code(code)));
        }
        ClosePayload::new(code, reason).map_err(SendError::ClosePayload)?;
        Ok(Self::with(code, reason.into()))
    }

    /// Sets the time over which the Close frames are spread, evenly and the oldest connection first. Clients that
    /// connect again at once, here or elsewhere, then do not all come in the same moment. Default 1 s; no more than the
    /// deadline is used.
    #[must_use]
    pub const fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets the time after which what is still there is cut, counted from the beginning. It should leave the last
    /// connection of the window the time for a closing handshake. Default 10 s.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What each peer is told.
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// The words that go with it; possibly none.
    pub const fn reason(&self) -> &str {
        &self.reason
    }

    /// When what is still there is cut, as time since the beginning.
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// When the connection at `index` of `count` is closed, as time since the beginning.
    pub fn close_at(&self, index: usize, count: usize) -> Duration {
        let share = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let window = self.window.min(self.deadline);
        let step = window.checked_div(share(count)).unwrap_or_default();
        step.saturating_mul(share(index)).min(window)
    }

    fn with(code: CloseCode, reason: Box<str>) -> Self {
        Self {
            code,
            reason,
            window: Duration::from_secs(1),
            deadline: Duration::from_secs(10),
        }
    }
}

impl Default for Drain {
    /// 1001 without words.
    fn default() -> Self {
        Self::with(CloseCode::GOING_AWAY, Box::default())
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// WebSocket connections that ended with a Close frame from each side.
    pub closed: usize,
    /// WebSocket connections that ended without: the peer left, broke the protocol or did not answer in time.
    pub lost: usize,
    /// Connections that were cut at the deadline, those without a finished opening handshake included.
    pub aborted: usize,
    /// Handlers that had not returned a second after that. Only the blocking binding has such: a thread cannot be ended
    /// from outside, so it is left behind. The thread that accepts counts as well, if nothing could wake it.
    pub left: usize,
}
