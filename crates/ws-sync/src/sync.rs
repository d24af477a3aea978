//! What the hand-over between threads is built on: a lock, a place to wait, a turn for others, who a thread is, and a clock.
//!
//! They are named here and nowhere else, so that a test can run the same code on a scheduler that tries what threads
//! can do to each other, by a clock of its own.

use std::time::Instant;

pub(crate) use std::sync::atomic::{AtomicU8, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
pub(crate) use std::thread::{ThreadId, current, yield_now};

/// The time.
pub(crate) fn now() -> Instant {
    Instant::now()
}
