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
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use ws_proto::FlushMark;

use crate::driver::Driver;

/// Where a connection is that is not in its owner's hand.
const IS_DEFERRED: &str = "a connection that is not in its owner's hand is deferred";

/// Whether what a task puts off would be written when it has had its turn.
///
/// Not so for the future that a runtime is told to run: nobody may run anything after it.
pub(crate) fn is_possible() -> bool {
    tokio::task::try_id().is_some()
}

/// What has to be seen to when the task that runs now has had its turn.
pub(crate) trait Unattended: Send + Sync + 'static {
    /// This may run inside the scheduler, which may hold things that a stream would want to have.
    fn see_to_it(self: Arc<Self>);
}

/// The scheduler has this. It lets go of it when the turn is over, and also when there will be none.
struct Turn<U: Unattended>(Option<Arc<U>>);

impl<U: Unattended> Drop for Turn<U> {
    fn drop(&mut self) {
        if let Some(unattended) = self.0.take() {
            unattended.see_to_it();
        }
    }
}

impl<U: Unattended> Wake for Turn<U> {
    fn wake(self: Arc<Self>) {}
}

/// Has `unattended` seen to by a task. Who is told to see to it may find it at work: `block_in_place` ends the turn of the
/// task that calls it, and a stream or a tap may call that.
///
/// A runtime that shuts down does not come to it. Then nobody does, as where there is no runtime: to try again here would
/// be to wait for what may be at work below on this very stack.
pub(crate) fn after_all<U: Unattended>(unattended: Arc<U>, runtime: &Handle) {
    runtime.spawn(async move { unattended.see_to_it() });
}

/// Has `unattended` seen to when the task that runs now has had its turn; at once if it is no task.
pub(crate) fn after_this_turn<U: Unattended>(unattended: &Arc<U>) {
    if is_possible() {
        let waker = Waker::from(Arc::new(Turn(Some(Arc::clone(unattended)))));
        // What yields is not the task but a future that is dropped here: the scheduler keeps its waker.
        let yielded = pin!(tokio::task::yield_now());
        _ = Future::poll(yielded, &mut Context::from_waker(&waker));
    } else {
        Arc::clone(unattended).see_to_it();
    }
}

/// The one who uses a connection.
///
/// It is in its hand, or, while it owes bytes and no operation is under way, [`Deferred`].
#[derive(Debug)]
pub(crate) struct Owner<S> {
    hand: Option<Box<Driver<S>>>,
    /// Where it is deferred, or was: most connections never are.
    deferred: Option<Arc<Deferred<S>>>,
}

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

impl<S> Owner<S> {
    /// Takes the connection in hand. It stays there until [`settle`](Self::settle) or the end of the next operation.
    #[inline]
    pub(crate) fn hold(&mut self) -> &mut Driver<S> {
        if self.hand.is_none() {
            self.recall();
        }
        self.hand.as_mut().expect(IS_DEFERRED)
    }

    #[inline(never)]
    fn recall(&mut self) {
        let deferred = self.deferred.as_ref().expect(IS_DEFERRED);
        let mut slot = deferred.lock();
        self.hand = slot.driver.take();
        let writer = slot.take_waiting_writer();
        drop(slot);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// A connection that was taken in hand.
    pub(crate) fn held(&self) -> &Driver<S> {
        let driver = self.hand.as_ref();
        driver.expect("what a connection lends is lent while it is held")
    }

    /// Gives the connection away.
    pub(crate) fn into_driver(mut self) -> Driver<S> {
        self.hold();
        *self.hand.take().expect("it has just been taken in hand")
    }

    /// Looks at the connection, wherever it is.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Driver<S>) -> R) -> R {
        if let Some(driver) = &self.hand {
            return look(driver);
        }
        let slot = self.deferred.as_ref().expect(IS_DEFERRED).lock();
        look(slot.driver.as_ref().expect(IS_DEFERRED))
    }
}

/// Fails the connection when it is dropped, for an operation that panics: nobody knows what the stream, or a tap, has left
/// undone. Where a connection is deferred its lock tells.
struct FailByPanic<'a, S>(&'a mut Owner<S>);

impl<S> Drop for FailByPanic<'_, S> {
    fn drop(&mut self) {
        if let Some(driver) = &mut self.0.hand {
            driver.fail_by_panic();
            driver.wake_waiting();
        }
    }
}

impl<'a, S> FailByPanic<'a, S> {
    /// What may panic.
    #[inline]
    fn guard<R>(owner: &'a mut Owner<S>, operation: impl FnOnce(&mut Owner<S>) -> R) -> R {
        let guard = Self(owner);
        let result = operation(&mut *guard.0);
        std::mem::forget(guard);
        result
    }
}

impl<S> Drop for Owner<S> {
    fn drop(&mut self) {
        let let_go = match (&self.hand, &self.deferred) {
            (Some(driver), _) => driver.let_go,
            (None, Some(deferred)) => {
                let slot = deferred.lock();
                slot.driver.as_ref().and_then(|driver| driver.let_go)
            }
            (None, None) => None,
        };
        if let Some(let_go) = let_go {
            let_go(self);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Owner<S> {
    pub(crate) fn new(mut driver: Driver<S>) -> Self {
        driver.let_go = Some(Self::let_go);
        Self {
            hand: Some(Box::new(driver)),
            deferred: None,
        }
    }

    /// What was accepted is written first: now, or as the peer takes it.
    fn let_go(&mut self) {
        // It may be the stream that panics.
        if !std::thread::panicking() {
            if let Some(driver) = &mut self.hand {
                driver.write_owed();
            }
            self.settle();
        }
        if self.hand.is_none()
            && let Some(deferred) = &self.deferred
        {
            deferred.orphan();
        }
    }

    /// As [`poll`](Self::poll), for a form that is polled: nobody tells when it is given up.
    pub(crate) fn poll_form<R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let result = FailByPanic::guard(self, |owner| owner.poll(cx, operation));
        if result.is_pending() {
            match &mut self.hold().waiting {
                Some(waiting) => (**waiting).clone_from(cx.waker()),
                waiting @ None => *waiting = Some(Box::new(cx.waker().clone())),
            }
        }
        result
    }

    /// Tries an operation. If it is left with bytes owed, somebody will write them.
    ///
    /// While it is pending the connection stays in hand, where the stream has the operation's waker: who gives it up has
    /// to [`settle`](Self::settle).
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.poll_and_take(cx, operation, |_, result| result)
    }

    /// The same in two steps: what the operation has come to fits a register, and its result is made where it is
    /// returned. To move a message, which takes several words, costs as much as to parse its frame.
    #[inline]
    pub(crate) fn poll_and_take<V, R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> Poll<V>,
        take: impl FnOnce(&mut Driver<S>, V) -> R,
    ) -> Poll<R> {
        let result;
        if let Some(driver) = &mut self.hand {
            result = operation(driver, cx).map(|value| take(driver, value));
            if result.is_ready() && driver.is_owing() {
                self.put_down();
            }
        } else {
            // In a burst of messages the connection lies where it is.
            let deferred = self.deferred.as_ref().expect(IS_DEFERRED);
            let mut slot = deferred.lock();
            let driver = slot.driver.as_mut().expect(IS_DEFERRED);
            result = operation(driver, cx).map(|value| take(driver, value));
            let rests = result.is_ready() && driver.is_owing();
            if !(rests && slot.is_seen_to()) {
                let (driver, errand) = slot.leave(rests);
                drop(slot);
                if let Some(driver) = driver {
                    self.hand = Some(driver);
                }
                self.run(errand);
            }
        }
        result
    }

    /// Waits until an operation is ready. If the wait is given up, what it leaves owed is written all the same.
    pub(crate) fn until<F, R>(&mut self, operation: F) -> impl Future<Output = R>
    where
        F: FnMut(&mut Driver<S>, &mut Context<'_>) -> Poll<R> + Unpin,
    {
        self.until_taken(operation, |_, result| result)
    }

    /// The same in [two steps](Self::poll_and_take).
    #[inline]
    pub(crate) fn until_taken<F, G, V, R>(
        &mut self,
        operation: F,
        take: G,
    ) -> impl Future<Output = R>
    where
        F: FnMut(&mut Driver<S>, &mut Context<'_>) -> Poll<V> + Unpin,
        G: FnMut(&mut Driver<S>, V) -> R + Unpin,
    {
        Operation {
            owner: self,
            operation,
            take,
            is_pending: false,
            stays: false,
        }
    }

    /// The same, but when the operation is ready the connection stays in hand.
    pub(crate) fn hold_until<F, R>(&mut self, operation: F) -> impl Future<Output = R>
    where
        F: FnMut(&mut Driver<S>, &mut Context<'_>) -> Poll<R> + Unpin,
    {
        self.hold();
        Operation {
            owner: self,
            operation,
            take: |_: &mut Driver<S>, result| result,
            is_pending: false,
            stays: true,
        }
    }

    /// Does something that does not wait.
    pub(crate) fn with<R>(
        &mut self,
        operation: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> R,
    ) -> R {
        // Whoever waits in a form that is polled is still to be woken by the stream.
        let waiting = self.hold().waiting.clone();
        let mut cx = Context::from_waker(waiting.as_deref().unwrap_or(Waker::noop()));
        let result = FailByPanic::guard(self, |owner| operation(owner.hold(), &mut cx));
        self.settle();
        result
    }

    /// A message that was lent is done with. What was queued in reply is written now or with what follows it.
    #[inline]
    pub(crate) fn write_replies(&mut self) {
        FailByPanic::guard(self, |owner| owner.hold().write_replies());
        self.settle();
    }

    /// Puts the connection down if it owes bytes.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.hand.as_ref().is_some_and(|driver| driver.is_owing()) {
            self.put_down();
        }
    }

    #[inline(never)]
    fn put_down(&mut self) {
        let Some(deferred) = &self.deferred else {
            return self.put_down_first();
        };
        // Whoever writes takes the place of its waker: it has to poll again.
        let driver = self.hand.as_mut();
        let waiting = driver.and_then(|driver| driver.waiting.take());
        let mut slot = deferred.lock();
        slot.driver = self.hand.take();
        if deferred.is_missed.load(Ordering::Relaxed) {
            deferred.is_missed.store(false, Ordering::Relaxed);
            slot.is_armed = false;
        }
        if slot.is_seen_to() && waiting.is_none() {
            return;
        }
        let errand = slot.see_to_it();
        drop(slot);
        self.run(errand);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    #[cold]
    fn put_down_first(&mut self) {
        self.deferred = Some(Arc::new(Deferred {
            slot: Mutex::new(Slot {
                driver: None,
                is_armed: false,
                writer: Writer::None,
                is_orphan: false,
            }),
            is_missed: AtomicBool::new(false),
        }));
        self.put_down();
    }

    #[inline(never)]
    fn run(&self, errand: Option<Errand>) {
        match (errand, &self.deferred) {
            (Some(Errand::Arm), Some(deferred)) => after_this_turn(deferred),
            (Some(Errand::Wake(waker)), _) => waker.wake(),
            _ => {}
        }
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

/// The future of one operation.
#[derive(Debug)]
struct Operation<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'static, F, G> {
    owner: &'a mut Owner<S>,
    operation: F,
    take: G,
    is_pending: bool,
    /// Whether the connection stays in hand when this is ready.
    stays: bool,
}

impl<S, F, G, V, R> Future for Operation<'_, S, F, G>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: FnMut(&mut Driver<S>, &mut Context<'_>) -> Poll<V> + Unpin,
    G: FnMut(&mut Driver<S>, V) -> R + Unpin,
{
    type Output = R;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.get_mut();
        // If it panics, it is not to be gone on with.
        this.is_pending = false;
        let (operation, take, stays) = (&mut this.operation, &mut this.take, this.stays);
        let result = FailByPanic::guard(this.owner, |owner| {
            if stays {
                let driver = owner.hold();
                operation(driver, cx).map(|value| take(driver, value))
            } else {
                owner.poll_and_take(cx, operation, take)
            }
        });
        this.is_pending = result.is_pending();
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, F, G> Drop for Operation<'_, S, F, G> {
    fn drop(&mut self) {
        if self.is_pending {
            self.owner.settle();
        }
    }
}
