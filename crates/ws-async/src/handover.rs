//! One connection in the hands of several tasks: who holds it, and who is woken.
//!
//! Every operation locks the connection, does all that can be done without waiting, and unlocks; the lock is never
//! held across an await. What remains is that nobody sleeps through what they wait for, and three rules see to that:
//!
//! 1. The stream and the timer know a single waker, the [`Waiters`] themselves, which passes each wake on to every
//!    task that waits. A stream remembers only the waker of the last poll, so with a waker for each task one half
//!    would unhook the other.
//! 2. A task goes to sleep only if no wake has come since before its last attempt, and no receiver has come or gone.
//!    Whoever was woken in between, or has woken itself in order to yield, lets the runtime call again.
//! 3. An operation that changes what others may be waiting for wakes them itself. So does one that has read and does
//!    not wait for more: a stream keeps the promise of its last poll only, and that one was kept.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, TryLockError};

/// What several tasks hold together.
#[derive(Debug)]
pub(crate) struct Handover<D: Signals> {
    waiters: Arc<Waiters>,
    /// The waiters, as the one waker that the stream gets to know.
    waker: Waker,
    held: Mutex<Held<D, D::Signals>>,
}

#[derive(Debug)]
struct Held<D, S> {
    held: D,
    /// As of the end of the last operation, so that each operation looks once.
    signals: S,
}

/// What tasks may be waiting for.
pub(crate) trait Signals {
    type Signals: PartialEq;

    /// Two values differ whenever a task that waited at the first should look again at the second.
    fn signals(&self) -> Self::Signals;

    /// A task has panicked in what is not ours, the stream or a tap, and nobody knows what it has left undone: this is
    /// to be over. Said again whenever anybody looks.
    fn panicked(&mut self);

    /// Whether a task sleeps that the stream was to wake and now will not. Asked once after each operation.
    fn take_stranded(&mut self) -> bool;
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
            held: Mutex::new(Held {
                signals: held.signals(),
                held,
            }),
        }
    }

    /// Does something that does not wait.
    pub(crate) fn with<R>(&self, operation: impl FnOnce(&mut D, &mut Context<'_>) -> R) -> R {
        self.with_locked(self.lock(), operation)
    }

    /// The same, unless somebody is at work, which may be whoever calls this.
    pub(crate) fn try_with<R>(
        &self,
        operation: impl FnOnce(&mut D, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let guard = match self.held.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => Self::panicked(poisoned),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(self.with_locked(guard, operation))
    }

    fn with_locked<R>(
        &self,
        guard: MutexGuard<'_, Held<D, D::Signals>>,
        operation: impl FnOnce(&mut D, &mut Context<'_>) -> R,
    ) -> R {
        let on_panic = WakeAll(&self.waiters);
        // It is unlocked before that.
        let mut guard = guard;
        let Held { held, signals } = &mut *guard;
        let result = operation(held, &mut Context::from_waker(&self.waker));
        let before = std::mem::replace(signals, held.signals());
        let changed = held.take_stranded() || *signals != before;
        drop(guard);
        std::mem::forget(on_panic);
        if changed {
            self.waiters.wake_all();
        }
        result
    }

    /// Only looks.
    pub(crate) fn inspect<R>(&self, look: impl FnOnce(&D) -> R) -> R {
        look(&self.lock().held)
    }

    /// Tries `operation` for a sender; while it is pending the sender waits with `ticket`, which must be handed to
    /// [`leave`](Self::leave) if the wait is given up.
    pub(crate) fn poll_sender<R>(
        &self,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut D, Visit<'_, '_>) -> Poll<R>,
    ) -> Poll<R> {
        let seen = self.waiters.outlook();
        let receiver_waits = seen.receiver_waits();
        let result = self.with(|held, cx| operation(held, Visit { cx, receiver_waits }));
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

    /// Gives up the receiver's wait, also one that a wake has ended already. Senders that wait have to read for
    /// themselves now.
    pub(crate) fn leave_receiver(&self) {
        if self.waiters.forget_receiver() {
            self.waiters.wake_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held<D, D::Signals>> {
        self.held.lock().unwrap_or_else(Self::panicked)
    }

    fn panicked(
        poisoned: PoisonError<MutexGuard<'_, Held<D, D::Signals>>>,
    ) -> MutexGuard<'_, Held<D, D::Signals>> {
        let mut guard = poisoned.into_inner();
        guard.held.panicked();
        guard
    }
}

/// Wakes everybody when it is dropped, for an operation that panics: whoever waits finds out that it did.
struct WakeAll<'a>(&'a Waiters);

impl Drop for WakeAll<'_> {
    fn drop(&mut self) {
        self.0.wake_all();
    }
}

/// The tasks that wait, and the waker that wakes them all.
///
/// Its own lock is held for a few instructions and never while a waker runs, because a stream may wake from inside a
/// lock of its own, and from inside a poll that holds the connection. Nor is a waker cloned or dropped under it: with
/// the last waker of a task its executor may drop the task, and with that whatever it holds, such as a wait for this
/// very connection.
#[derive(Debug, Default)]
struct Waiters {
    /// The [`Outlook`]. It changes under the lock only, and is read without it.
    outlook: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    receiver: Option<Waker>,
    senders: Vec<(u64, Waker)>,
    /// The place given last.
    newest: u64,
}

/// How many wakes there have been, and whether the receiver waits: in one number, so that both are of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outlook(u64);

impl Outlook {
    const RECEIVER: u64 = 1;
    const WAKE: u64 = 2;

    const fn receiver_waits(self) -> bool {
        self.0 & Self::RECEIVER != 0
    }

    const fn with_receiver(self, waits: bool) -> Self {
        match waits {
            true => Self(self.0 | Self::RECEIVER),
            false => Self(self.0 & !Self::RECEIVER),
        }
    }

    const fn woken(self) -> Self {
        Self(self.0.wrapping_add(Self::WAKE)).with_receiver(false)
    }
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outlook(&self) -> Outlook {
        Outlook(self.outlook.load(Ordering::SeqCst))
    }

    fn set_outlook(&self, _: &MutexGuard<'_, Waiting>, outlook: Outlook) {
        self.outlook.store(outlook.0, Ordering::SeqCst);
    }

    /// The receiver is about to try; it does not sleep meanwhile.
    fn receiver_awake(&self) -> Outlook {
        // Nobody but the receiver, of which there is one, says that it waits.
        if self.outlook().receiver_waits() {
            self.forget_receiver();
        }
        self.outlook()
    }

    /// Goes to sleep, unless a wake has come since `seen`.
    fn wait_as_receiver(&self, waker: &Waker, seen: Outlook) -> bool {
        let mut waker = Some(waker.clone());
        let mut waiting = self.lock();
        let may_wait = self.outlook() == seen;
        if may_wait {
            std::mem::swap(&mut waiting.receiver, &mut waker);
            self.set_outlook(&waiting, seen.with_receiver(true));
        }
        drop(waiting);
        // What was here before, or what did not get here, is dropped now.
        drop(waker);
        may_wait
    }

    /// Goes to sleep, unless a wake or a receiver has come, or the receiver has gone, since `seen`.
    fn wait_as_sender(&self, ticket: &mut Ticket, waker: &Waker, seen: Outlook) -> bool {
        let mut waker = waker.clone();
        let mut waiting = self.lock();
        if self.outlook() != seen {
            drop(waiting);
            return false;
        }
        let id = *ticket.0.get_or_insert_with(|| {
            waiting.newest = waiting.newest.wrapping_add(1);
            waiting.newest
        });
        match waiting.senders.iter_mut().find(|(other, _)| *other == id) {
            Some((_, known)) => std::mem::swap(known, &mut waker),
            None => {
                waiting.senders.push((id, waker));
                return true;
            }
        }
        drop(waiting);
        // The one from before is dropped now.
        drop(waker);
        true
    }

    fn forget_sender(&self, id: u64) {
        let mut waiting = self.lock();
        let place = waiting.senders.iter().position(|(other, _)| *other == id);
        let forgotten = place.map(|place| waiting.senders.remove(place));
        drop(waiting);
        drop(forgotten);
    }

    /// Whether senders are left behind.
    fn forget_receiver(&self) -> bool {
        let mut waiting = self.lock();
        let forgotten = waiting.receiver.take();
        self.set_outlook(&waiting, self.outlook().with_receiver(false));
        let senders_wait = !waiting.senders.is_empty();
        drop(waiting);
        drop(forgotten);
        senders_wait
    }

    fn wake_all(&self) {
        let mut waiting = self.lock();
        self.set_outlook(&waiting, self.outlook().woken());
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
