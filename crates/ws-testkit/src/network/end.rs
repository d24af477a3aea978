//! One end's socket: what it holds back, and whom it wakes.

use std::task::Waker;
use std::time::Duration;

use super::Socket;

#[derive(Debug)]
pub(super) struct End {
    pub(super) plan: Socket,
    /// Written by the user and not on the wire yet.
    pub(super) held: Vec<u8>,
    pub(super) reading: Interest,
    pub(super) writing: Interest,
    /// When a reset arrives here.
    pub(super) reset: Option<Duration>,
    /// A reset has arrived.
    pub(super) is_reset: bool,
    pub(super) is_dropped: bool,
    pub(super) operations: u64,
    pub(super) read_len: usize,
}

/// Who waits to read, or to write.
#[derive(Debug, Default)]
pub(super) struct Interest {
    waker: Option<Waker>,
    /// It was told "not ready" for no reason, and will be woken then.
    wakes_at: Option<Duration>,
}

impl End {
    pub(super) const fn new(plan: Socket) -> Self {
        Self {
            plan,
            held: Vec::new(),
            reading: Interest::NONE,
            writing: Interest::NONE,
            reset: None,
            is_reset: false,
            is_dropped: false,
            operations: 0,
            read_len: 0,
        }
    }
}

impl Interest {
    const NONE: Self = Self {
        waker: None,
        wakes_at: None,
    };

    /// A poll begins: who waited before is forgotten.
    pub(super) fn forget(&mut self) {
        *self = Self::NONE;
    }

    /// The poll was not ready.
    pub(super) fn wait(&mut self, waker: &Waker) {
        self.waker = Some(waker.clone());
    }

    /// The poll could have been ready, and was not. The task is woken at `at` by the clock.
    pub(super) fn wait_until(&mut self, waker: &Waker, at: Duration) {
        self.wait(waker);
        self.wakes_at = Some(at);
    }

    pub(super) const fn wakes_at(&self) -> Option<Duration> {
        self.wakes_at
    }

    pub(super) fn wake(&mut self, wakers: &mut Vec<Waker>) {
        self.wakes_at = None;
        wakers.extend(self.waker.take());
    }

    /// Wakes who was promised it by now.
    pub(super) fn wake_due(&mut self, now: Duration, wakers: &mut Vec<Waker>) {
        if self.wakes_at.is_some_and(|at| at <= now) {
            self.wake(wakers);
        }
    }
}
