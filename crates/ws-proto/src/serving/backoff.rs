//! The pace of a listener that cannot accept.

use core::time::Duration;

/// How long to wait after each failure to accept a connection that is this machine's own, such as no file descriptor
/// left: asking again at once would only burn time, and giving up would end the server for what may pass in a moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// The first wait: 5 ms.
    pub const FIRST: Duration = Duration::from_millis(5);

    /// No wait is longer: 1 s.
    pub const LONGEST: Duration = Duration::from_secs(1);

    /// Nothing has failed yet.
    pub const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// How long to wait now. The next wait is twice as long.
    pub fn wait(&mut self) -> Duration {
        let now = self.next;
        self.next = now.saturating_mul(2).min(Self::LONGEST);
        now
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
