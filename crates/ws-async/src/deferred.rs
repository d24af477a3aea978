//! Replies that leave together: who writes what a task has sent and not waited for.
//!
//! While more of what the peer sent is there to be looked at, [`send`](crate::WebSocket::send) only queues, and whoever
//! receives next writes before it waits: the replies to one read leave in one write. But the task may do something else
//! instead of receiving. So a connection that owes bytes while none of its owner's operations is under way lies where the
//! runtime can find it, and the scheduler holds a waker that it uses when the task has had its turn. By then
//! everything has mostly been written. If not, a task is spawned that writes it.
//!
//! A connection that owes nothing, which is one that answers one message at a time, is in its owner's hand, and
//! nothing of this costs it anything.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use ws_proto::FlushMark;

use crate::driver::Driver;

mod owner;
mod turn;

pub(crate) use self::owner::Owner;
pub(crate) use self::turn::{Unattended, after_all, after_this_turn, is_possible};

/// Where a connection is that is not in its owner's hand.
const IS_DEFERRED: &str = "a connection that is not in its owner's hand is deferred";

/// The place of a connection that owes bytes and rests.
#[derive(Debug)]
struct Deferred<S> {
    slot: Mutex<Slot<S>>,
    /// Who was told to see to the connection has found it at work, and may never come to it.
    is_missed: AtomicBool,
}

#[derive(Debug)]
struct Slot<S> {
    driver: Option<Box<Driver<S>>>,
    /// The scheduler has a waker and will use it.
    is_armed: bool,
    writer: Writer,
    is_orphan: bool,
}

/// The task that writes what nobody else has.
#[derive(Debug)]
enum Writer {
    None,
    /// It has been spawned, or woken, and will look.
    Comes,
    /// It waits for the stream, with this waker.
    Waits(Waker),
}

/// What is to be done, once it is unlocked, for a connection that was put down.
enum Errand {
    Arm,
    Wake(Waker),
}

impl<S> Slot<S> {
    /// The waker of a task that waits to write. It will look then; if the connection has been taken, it finds nothing and
    /// ends.
    #[inline]
    fn take_waiting_writer(&mut self) -> Option<Waker> {
        if !matches!(self.writer, Writer::Waits(_)) {
            return None;
        }
        match std::mem::replace(&mut self.writer, Writer::Comes) {
            Writer::Waits(waker) => Some(waker),
            Writer::None | Writer::Comes => None,
        }
    }

    /// Whether somebody will look at the connection that lies here.
    #[inline]
    const fn is_seen_to(&self) -> bool {
        match self.writer {
            Writer::None => self.is_armed,
            Writer::Comes => true,
            // The owner may have polled the stream since, which knows one waker only: the task has to ask again.
            Writer::Waits(_) => false,
        }
    }

    /// The end of an operation: the connection stays if it `rests`, and is taken in hand otherwise.
    #[inline(never)]
    fn leave(&mut self, rests: bool) -> (Option<Box<Driver<S>>>, Option<Errand>) {
        if rests {
            (None, self.see_to_it())
        } else {
            let writer = self.take_waiting_writer();
            (self.driver.take(), writer.map(Errand::Wake))
        }
    }

    /// Sees to it that somebody will look at the connection that lies here.
    fn see_to_it(&mut self) -> Option<Errand> {
        if self.is_seen_to() {
            return None;
        }
        Some(match self.take_waiting_writer() {
            Some(writer) => Errand::Wake(writer),
            None => {
                self.is_armed = true;
                Errand::Arm
            }
        })
    }
}

impl<S> Deferred<S> {
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Slot<S>> {
        match self.slot.lock() {
            Ok(slot) => slot,
            Err(poisoned) => self.fail_by_panic(poisoned.into_inner()),
        }
    }

    /// Nobody knows what the stream, or a tap, has left undone.
    #[cold]
    fn fail_by_panic<'a>(&self, mut slot: MutexGuard<'a, Slot<S>>) -> MutexGuard<'a, Slot<S>> {
        self.slot.clear_poison();
        if let Some(driver) = &mut slot.driver {
            driver.fail_by_panic();
        }
        slot
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Deferred<S> {
    /// Its owner has been dropped.
    fn orphan(&self) {
        let mut slot = self.lock();
        let Some(mut driver) = slot.driver.take() else {
            return;
        };
        // Nobody will take what arrives.
        driver.stop_listening();
        if !std::thread::panicking() {
            driver.write_owed();
        }
        let writer = slot.take_waiting_writer();
        if driver.is_owing() {
            slot.driver = Some(driver);
            slot.is_orphan = true;
            drop(slot);
        } else {
            drop(slot);
            drop(driver);
        }
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, mark: &mut Option<FlushMark>) -> Poll<()> {
        let mut slot = self.lock();
        let is_orphan = slot.is_orphan;
        if let Some(driver) = &mut slot.driver
            && driver
                .poll_write_deferred(cx, false, is_orphan, mark)
                .is_pending()
        {
            slot.writer = Writer::Waits(cx.waker().clone());
            return Poll::Pending;
        }
        Self::end_writing(slot);
        Poll::Ready(())
    }

    /// From here on somebody else has to be seen to.
    fn end_writing(mut slot: MutexGuard<'_, Slot<S>>) {
        slot.writer = Writer::None;
        let orphan = match slot.is_orphan {
            true => slot.driver.take(),
            false => None,
        };
        drop(slot);
        drop(orphan);
    }

    /// Writes until everything is written, the connection fails, if only by its write deadline, or its owner takes it.
    fn write(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        struct Writing<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
            deferred: Arc<Deferred<S>>,
            is_over: bool,
        }
        impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Writing<S> {
            fn drop(&mut self) {
                // The runtime shuts down, perhaps before this has run at all.
                if !self.is_over {
                    Deferred::end_writing(self.deferred.lock());
                }
            }
        }

        let mut writing = Writing {
            deferred: self,
            is_over: false,
        };
        let mut mark = None;
        poll_fn(move |cx| {
            let written = writing.deferred.poll_write(cx, &mut mark);
            writing.is_over = written.is_ready();
            written
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Unattended for Deferred<S> {
    fn see_to_it(self: Arc<Self>) {
        let runtime = Handle::try_current();
        let mut slot = match (self.slot.try_lock(), &runtime) {
            (Ok(slot), _) => slot,
            (Err(TryLockError::Poisoned(poisoned)), _) => self.fail_by_panic(poisoned.into_inner()),
            (Err(TryLockError::WouldBlock), Ok(runtime)) => {
                self.is_missed.store(true, Ordering::Relaxed);
                return after_all(Arc::clone(&self), runtime);
            }
            // Outside of a runtime no task is at work on this thread.
            (Err(TryLockError::WouldBlock), Err(_)) => self.lock(),
        };
        slot.is_armed = false;
        let is_owing = slot.driver.as_ref().is_some_and(|driver| driver.is_owing());
        if is_owing
            && matches!(slot.writer, Writer::None)
            && let Ok(runtime) = runtime
        {
            slot.writer = Writer::Comes;
            drop(slot);
            runtime.spawn(self.write());
        }
    }
}
