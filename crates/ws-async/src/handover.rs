//! One connection in the hands of several tasks: who holds it, and who is woken.
//!
//! Every operation locks the connection, does all that can be done without waiting, and unlocks; the lock is never
//! held across an await. What remains is that nobody sleeps through what they wait for, and three rules see to that:
//!
//! 1. The stream and the timer know a single waker, the [`Waiters`] themselves, which passes each wake on to every
//!    task that waits. A stream remembers only the waker of the last poll, so with a waker for each task one half
//!    would unhook the other.
//! 2. A task goes to sleep only if no wake has come since before its last attempt. Whoever was woken in between, or has
//!    woken itself in order to yield, lets the runtime call again.
//! 3. An operation that changes what others may be waiting for wakes them itself.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What several tasks hold together.
#[derive(Debug)]
pub(crate) struct Handover<D> {
    waiters: Arc<Waiters>,
    /// The waiters, as the one waker that the stream gets to know.
    waker: Waker,
    held: Mutex<D>,
}

/// What tasks may be waiting for.
pub(crate) trait Signals {
    type Signals: PartialEq;

    /// Two values differ whenever a task that waited at the first should look again at the second.
    fn signals(&self) -> Self::Signals;
}

/// A task's place among those that wait; empty while it does not.
#[derive(Debug, Default)]
pub(crate) struct Ticket(Option<u64>);

/// How a sender that may have to wait finds the connection.
#[derive(Debug)]
pub(crate) struct Visit<'a, 'b> {
    /// To be given to the stream and the timer.
    pub(crate) cx: &'a mut Context<'b>,
    /// Whether the receiver sleeps until something arrives, so that reading can be left to it.
    pub(crate) receiver_waits: bool,
}

impl<D: Signals> Handover<D> {
    pub(crate) fn new(held: D) -> Self {
        let waiters = Arc::new(Waiters::default());
        let waker = Waker::from(Arc::clone(&waiters));
        Self {
            waiters,
            waker,
            held: Mutex::new(held),
        }
    }

    /// Does something that does not wait.
    pub(crate) fn with<R>(&self, operation: impl FnOnce(&mut D, &mut Context<'_>) -> R) -> R {
        let mut held = self.lock();
        let before = held.signals();
        let result = operation(&mut held, &mut Context::from_waker(&self.waker));
        let changed = held.signals() != before;
        drop(held);
        if changed {
            self.waiters.wake_all();
        }
        result
    }

    /// Only looks.
    pub(crate) fn inspect<R>(&self, look: impl FnOnce(&D) -> R) -> R {
        look(&self.lock())
    }

    /// Tries `operation` for a sender; while it is pending the sender waits with `ticket`, which must be handed to
    /// [`leave`](Self::leave) if the wait is given up.
    pub(crate) fn poll_sender<R>(
        &self,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut D, Visit<'_, '_>) -> Poll<R>,
    ) -> Poll<R> {
        let seen = self.waiters.wakes();
        let result = self.with(|held, cx| {
            let receiver_waits = self.waiters.receiver_waits();
            operation(held, Visit { cx, receiver_waits })
        });
        if let Poll::Ready(result) = result {
            self.leave(ticket);
            return Poll::Ready(result);
        }
        if !self.waiters.wait_as_sender(ticket, cx.waker(), seen) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Tries `operation` for the receiver, of which there is one.
    pub(crate) fn poll_receiver<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut D, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let seen = self.waiters.receiver_awake();
        if let Poll::Ready(result) = self.with(operation) {
            return Poll::Ready(result);
        }
        if !self.waiters.wait_as_receiver(cx.waker(), seen) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Gives up a sender's wait.
    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        if let Some(id) = ticket.0.take() {
            self.waiters.forget_sender(id);
        }
    }

    /// Gives up the receiver's wait. Senders that wait have to read for themselves now.
    pub(crate) fn leave_receiver(&self) {
        if self.waiters.forget_receiver() {
            self.waiters.wake_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, D> {
        // A panic can only come out of the stream or a tap; the connection itself is whole between its own calls.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tasks that wait, and the waker that wakes them all.
///
/// Its own lock is held for a few instructions and never while a waker runs, because a stream may wake from inside a
/// lock of its own, and from inside a poll that holds the connection.
#[derive(Debug, Default)]
struct Waiters(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    receiver: Option<Waker>,
    senders: Vec<(u64, Waker)>,
    /// The place given last.
    newest: u64,
    /// Wakes so far.
    wakes: u64,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wakes(&self) -> u64 {
        self.lock().wakes
    }

    /// The receiver is about to try; it does not sleep meanwhile.
    fn receiver_awake(&self) -> u64 {
        let mut waiting = self.lock();
        waiting.receiver = None;
        waiting.wakes
    }

    fn receiver_waits(&self) -> bool {
        self.lock().receiver.is_some()
    }

    /// Goes to sleep, unless a wake has come since `seen` was read.
    fn wait_as_receiver(&self, waker: &Waker, seen: u64) -> bool {
        let mut waiting = self.lock();
        let may_wait = waiting.wakes == seen;
        if may_wait {
            waiting.receiver = Some(waker.clone());
        }
        may_wait
    }

    /// Goes to sleep, unless a wake has come since `seen` was read.
    fn wait_as_sender(&self, ticket: &mut Ticket, waker: &Waker, seen: u64) -> bool {
        let mut waiting = self.lock();
        if waiting.wakes != seen {
            return false;
        }
        let id = *ticket.0.get_or_insert_with(|| {
            waiting.newest = waiting.newest.wrapping_add(1);
            waiting.newest
        });
        match waiting.senders.iter_mut().find(|(other, _)| *other == id) {
            Some((_, known)) => known.clone_from(waker),
            None => waiting.senders.push((id, waker.clone())),
        }
        true
    }

    fn forget_sender(&self, id: u64) {
        self.lock().senders.retain(|(other, _)| *other != id);
    }

    /// Whether senders are left behind.
    fn forget_receiver(&self) -> bool {
        let mut waiting = self.lock();
        waiting.receiver.take().is_some() && !waiting.senders.is_empty()
    }

    fn wake_all(&self) {
        let mut waiting = self.lock();
        waiting.wakes = waiting.wakes.wrapping_add(1);
        let receiver = waiting.receiver.take();
        let senders = std::mem::take(&mut waiting.senders);
        drop(waiting);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        for (_, sender) in senders {
            sender.wake();
        }
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
