//! The pace of a listener that cannot accept.

use core::time::Duration;

/// How long to wait after each failure to accept a connection that is this machine's own, such as no file descriptor
/// left: asking again at once would only burn time, and giving up would end the server for what may pass in a moment.
///
/// A failure that concerns one connection is no reason to wait, unless nothing else comes: what looks like one
/// connection's trouble may be the listener's, or the network's, and stay.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    /// Failures since something succeeded that concerned one connection each.
    of_one: u32,
}

impl Backoff {
    /// The first wait: 5 ms.
    pub const FIRST: Duration = Duration::from_millis(5);

    /// No wait is longer: 1 s.
    pub const LONGEST: Duration = Duration::from_secs(1);

    /// So many failures in a row that concern one connection each are followed by a wait: 16.
    pub const IN_A_ROW: u32 = 16;

    /// Nothing has failed yet.
    pub const fn new() -> Self {
        Self {
            next: Self::FIRST,
            of_one: 0,
        }
    }

    /// How long to wait now. The next wait is twice as long.
    pub fn wait(&mut self) -> Duration {
        let now = self.next;
        self.next = now.saturating_mul(2).min(Self::LONGEST);
        now
    }

    /// How long to wait after a failure that concerns one connection: [`FIRST`](Self::FIRST) after each
    /// [`IN_A_ROW`](Self::IN_A_ROW) of them, and otherwise not at all. It does not grow, or clients that come and go
    /// could keep others waiting.
    pub fn wait_after_one(&mut self) -> Option<Duration> {
        self.of_one = self.of_one.saturating_add(1);
        if self.of_one < Self::IN_A_ROW {
            return None;
        }
        self.of_one = 0;
        Some(Self::FIRST)
    }

    /// Something has succeeded.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}
