//! The timer of a connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::Driver;

/// When a connection's first timer runs out at the latest, which is when a closing handshake that begins at once would
/// have to be done. Most deadlines are later, but a timer that is set to run out sooner than all others makes tokio wake
/// itself up, by a system call; a connection that is soon closed again needs no other timer this way.
const FIRST: Duration = Duration::from_secs(10);

/// The connection's next deadline.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    next: Option<Instant>,
    /// Runs out at that deadline or earlier, and is then set to it.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the timer is what the connection last said. While that stands nobody asks for the time.
    is_known: bool,
}

impl<S> Driver<S> {
    /// Whether the deadline that was waited for last has passed. This costs less than
    /// [`poll_deadline`](Self::poll_deadline), and wakes nobody later.
    pub(super) fn deadline_has_passed(&mut self) -> bool {
        let has_passed = self.deadline.is_known && self.deadline.timer_has_run_out();
        self.deadline.is_known &= !has_passed;
        has_passed
    }

    /// Ready when a deadline has passed.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.deadline.is_known || self.connection.deadline_moved() {
            let now = self.opened.elapsed();
            let deadline = self.connection.poll_timeout(now);
            let deadline = deadline.and_then(|deadline| self.opened.checked_add(deadline));
            self.deadline.set(deadline, self.opened + now + FIRST);
        }
        ready!(self.deadline.poll(cx));
        self.deadline.is_known = false;
        Poll::Ready(())
    }
}

impl Deadline {
    fn set(&mut self, deadline: Option<Instant>, first: Instant) {
        self.is_known = true;
        self.next = deadline;
        match (deadline, &mut self.timer) {
            (None, timer) => *timer = None,
            (Some(deadline), Some(timer)) => {
                if deadline < timer.deadline() || timer.is_elapsed() {
                    timer.as_mut().reset(deadline);
                }
            }
            (Some(deadline), timer) => {
                *timer = Some(Box::pin(tokio::time::sleep_until(deadline.min(first))));
            }
        }
    }

    /// Whether the timer has run out, and was set to the deadline when it did.
    fn timer_has_run_out(&self) -> bool {
        self.timer
            .as_ref()
            .is_some_and(|timer| timer.is_elapsed() && self.next <= Some(timer.deadline()))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (Some(next), Some(timer)) = (self.next, &mut self.timer) else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        if timer.deadline() < next {
            timer.as_mut().reset(next);
            return timer.as_mut().poll(cx);
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_runs_out_early_is_set_again() {
        let opened = Instant::now();
        let at = |seconds| opened + Duration::from_secs(seconds);
        let mut deadline = Deadline::default();
        deadline.set(Some(at(30)), at(10));
        deadline.set(Some(at(11)), at(12));
        let timer = |deadline: &Deadline| deadline.timer.as_ref().map(|timer| timer.deadline());
        assert_eq!(timer(&deadline), Some(at(10)), "it was left alone");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!deadline.timer_has_run_out());
        poll_fn(|cx| deadline.poll(cx)).await;
        assert_eq!(Instant::now(), at(11));
        assert!(deadline.timer_has_run_out());
        deadline.set(Some(at(41)), at(21));
        assert_eq!(timer(&deadline), Some(at(41)));
        deadline.set(Some(at(13)), at(23));
        assert_eq!(timer(&deadline), Some(at(13)), "it would have been late");
    }
}
