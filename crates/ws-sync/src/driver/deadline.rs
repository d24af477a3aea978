//! When something is due: the connection's deadlines, and the looks aside of who only sends.

use std::time::{Duration, Instant};

use super::{Driver, LOOK_AROUND};
use crate::sync::now;
use crate::timed::has_passed;

impl Driver {
    /// The next deadline of the connection.
    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        let deadline = self.connection.poll_timeout(self.elapsed())?;
        self.opened.checked_add(deadline)
    }

    /// Notes that a wait until `deadline` is over.
    pub(crate) fn waited_until(&mut self, deadline: Option<Instant>) {
        self.due |= has_passed(deadline);
    }

    /// Does what is due, if a deadline has passed, on behalf of an application that is not there to take what arrives.
    pub(crate) fn handle_timeout_aside(&mut self) -> bool {
        if self.due && !self.has_room_ahead() {
            // The answer to a Ping may lie behind what nobody takes.
            self.connection.excuse_silence();
        }
        self.handle_timeout()
    }

    /// Does what is due, if a deadline has passed.
    pub(crate) fn handle_timeout(&mut self) -> bool {
        let due = std::mem::take(&mut self.due);
        if due {
            let state = self.connection.state();
            self.connection.handle_timeout(self.elapsed());
            // The end is heard of by asking, also where there is no room for anything else.
            if self.connection.state() != state
                && let Some(event) = self.poll_event()
                && !self.deaf
            {
                self.ahead.push_back(event);
            }
        }
        due
    }

    /// Whether somebody who only sends, or sends for long, should read: they must hear Pings and the peer's Close too.
    pub(crate) fn should_listen(&mut self) -> bool {
        if std::mem::take(&mut self.heard) {
            // Who answers what comes need not look at the clock.
            self.listened = None;
            return false;
        }
        let since = *self.listened.get_or_insert_with(now);
        has_passed(since.checked_add(LOOK_AROUND))
    }

    /// Notes that a sender has read.
    pub(crate) fn listened(&mut self) {
        self.heard = false;
        self.listened = Some(now());
    }

    pub(super) fn elapsed(&self) -> Duration {
        now().saturating_duration_since(self.opened)
    }
}
