//! The timer of a connection.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::task::coop;
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
    /// Whom the timer wakes, and so need not be told again.
    waker: Option<Waker>,
    /// Whether the timer is what the connection last said. While that stands nobody asks for the time.
    is_known: bool,
}

impl<S> Driver<S> {
    /// Ready when a deadline has passed.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.deadline.is_known || self.connection.deadline_moved() {
            self.set_deadline();
        }
        ready!(self.deadline.poll(cx));
        self.deadline.is_known = false;
        Poll::Ready(())
    }

    #[inline(never)]
    fn set_deadline(&mut self) {
        let now = self.opened.elapsed();
        let deadline = self.connection.poll_timeout(now);
        let deadline = deadline.and_then(|deadline| self.opened.checked_add(deadline));
        self.deadline.set(deadline, self.opened + now + FIRST);
    }
}

impl Deadline {
    fn set(&mut self, deadline: Option<Instant>, first: Instant) {
        self.is_known = true;
        self.next = deadline;
        match (deadline, &mut self.timer) {
            (None, timer) => {
                *timer = None;
                self.waker = None;
            }
            (Some(deadline), Some(timer)) => {
                if deadline < timer.deadline() || timer.is_elapsed() {
                    timer.as_mut().reset(deadline);
                    self.waker = None;
                }
            }
            (Some(deadline), timer) => {
                *timer = Some(Box::pin(tokio::time::sleep_until(deadline.min(first))));
            }
        }
    }

    /// Whether the deadline has passed, without a waker.
    pub(super) fn has_passed(&mut self) -> bool {
        let (Some(next), Some(timer)) = (self.next, &self.timer) else {
            return false;
        };
        let has_passed = self.is_known
            && timer.is_elapsed()
            && (timer.deadline() >= next || Instant::now() >= next);
        self.is_known &= !has_passed;
        has_passed
    }

    /// Whether the timer was told to wake this task, and has yet to run out.
    #[inline]
    fn will_wake(&self, cx: &Context<'_>) -> bool {
        let (Some(told), Some(timer)) = (&self.waker, &self.timer) else {
            return false;
        };
        told.will_wake(cx.waker()) && !timer.is_elapsed()
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.will_wake(cx) {
            // If it runs out now, this task is woken.
            return Poll::Pending;
        }
        self.poll_timer(cx)
    }

    #[inline(never)]
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Even a task that has had its share of the thread, time and again before it comes to this, is to see that.
        if self.has_passed() {
            return Poll::Ready(());
        }
        let (Some(next), Some(timer)) = (self.next, &mut self.timer) else {
            return Poll::Pending;
        };
        self.waker = None;
        // A task that has had its share of the thread is woken to ask again, and the timer learns nothing.
        let mut has_budget = coop::has_budget_remaining();
        let mut polled = timer.as_mut().poll(cx);
        if polled.is_ready() && timer.deadline() < next {
            timer.as_mut().reset(next);
            has_budget = coop::has_budget_remaining();
            polled = timer.as_mut().poll(cx);
        }
        if has_budget && polled.is_pending() {
            self.waker = Some(cx.waker().clone());
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;

    use super::*;

    thread_local! {
        /// What a task may do in one turn.
        static SHARE: Cell<Option<usize>> = const { Cell::new(None) };
    }

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
        poll_fn(|cx| deadline.poll(cx)).await;
        assert_eq!(Instant::now(), at(11));
        deadline.set(Some(at(41)), at(21));
        assert_eq!(timer(&deadline), Some(at(41)));
        deadline.set(Some(at(13)), at(23));
        assert_eq!(timer(&deadline), Some(at(13)), "it would have been late");
    }

    /// Uses up what a task may do in one turn, but for what is to be `left`.
    fn spend(cx: &mut Context<'_>, left: usize) -> Poll<usize> {
        let mut spent = 0;
        let share = SHARE.get().unwrap_or(usize::MAX);
        while spent + left < share && coop::has_budget_remaining() {
            ready!(coop::poll_proceed(cx)).made_progress();
            spent += 1;
        }
        Poll::Ready(spent)
    }

    /// A timer that is asked by a task that has had its share of the thread is not told whom to wake.
    #[tokio::test(start_paused = true)]
    async fn a_timer_is_told_whom_to_wake_when_there_was_no_time_for_it() {
        tokio::task::yield_now().await;
        SHARE.set(Some(poll_fn(|cx| spend(cx, 0)).await));
        // None is left for the timer, or none to ask it again after it has run out early.
        for left in [0, 1] {
            tokio::task::yield_now().await;
            let opened = Instant::now();
            let mut deadline = Deadline::default();
            deadline.set(
                Some(opened + Duration::from_secs(20)),
                opened + Duration::from_secs(10),
            );
            let mut is_spent = false;
            let waiting = poll_fn(|cx| {
                let timer = deadline.timer.as_ref();
                let is_time = left == 0 || timer.is_some_and(|timer| timer.is_elapsed());
                if is_time && !std::mem::replace(&mut is_spent, true) {
                    ready!(spend(cx, left));
                }
                deadline.poll(cx)
            });
            let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
            assert_eq!(waited, Ok(()), "{left} left");
            assert_eq!(opened.elapsed().as_secs(), 20);
        }
    }

    /// What a task does with its share of the thread may be something else each time.
    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_has_passed_needs_no_time() {
        let opened = Instant::now();
        let mut deadline = Deadline::default();
        deadline.set(Some(opened + Duration::from_secs(5)), opened + FIRST);
        assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx).is_pending())).await);
        tokio::time::advance(Duration::from_secs(6)).await;
        SHARE.set(None);
        let polled = poll_fn(|cx| {
            ready!(spend(cx, 0));
            Poll::Ready(deadline.poll(cx))
        });
        assert_eq!(polled.await, Poll::Ready(()));
    }

    /// The task that waits may be another each time.
    #[tokio::test(start_paused = true)]
    async fn a_timer_wakes_who_has_asked_last() {
        let now = Instant::now();
        let mut deadline = Deadline::default();
        deadline.set(Some(now + Duration::from_secs(5)), now);
        let mut other = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            assert!(deadline.poll(&mut other).is_pending());
        }
        let waited = tokio::time::timeout(Duration::from_secs(60), poll_fn(|cx| deadline.poll(cx)));
        assert_eq!(waited.await, Ok(()));
        assert_eq!(now.elapsed().as_secs(), 5);
    }
}
