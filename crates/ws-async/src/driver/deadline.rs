//! The timer of a connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

use super::Driver;

/// The connection's next deadline.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the timer is what the connection last said. While that stands nobody asks for the time.
    is_known: bool,
}

impl<S> Driver<S> {
    /// Whether the deadline that was waited for last has passed. This costs less than
    /// [`poll_deadline`](Self::poll_deadline), and wakes nobody later.
    pub(super) fn deadline_has_passed(&mut self) -> bool {
        let timer = self.deadline.timer.as_ref();
        let has_passed = self.deadline.is_known && timer.is_some_and(|timer| timer.is_elapsed());
        self.deadline.is_known &= !has_passed;
        has_passed
    }

    /// Ready when a deadline has passed.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.deadline.is_known || self.connection.deadline_moved() {
            let deadline = self.connection.poll_timeout(self.opened.elapsed());
            self.deadline
                .set(deadline.and_then(|deadline| self.opened.checked_add(deadline)));
        }
        let Some(timer) = &mut self.deadline.timer else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        self.deadline.is_known = false;
        Poll::Ready(())
    }
}

impl Deadline {
    fn set(&mut self, deadline: Option<Instant>) {
        self.is_known = true;
        match (deadline, &mut self.timer) {
            (None, timer) => *timer = None,
            (Some(deadline), Some(timer)) => timer.as_mut().reset(deadline),
            (Some(deadline), timer) => *timer = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }
}
