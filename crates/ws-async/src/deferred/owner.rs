//! The one who uses a connection, and takes it in hand for that.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Deferred, Errand, IS_DEFERRED, Slot, Writer, after_this_turn};
use crate::driver::Driver;

/// The one who uses a connection.
///
/// It is in its hand, or, while it owes bytes and no operation is under way, [`Deferred`].
#[derive(Debug)]
pub(crate) struct Owner<S> {
    hand: Option<Box<Driver<S>>>,
    /// Where it is deferred, or was: most connections never are.
    deferred: Option<Arc<Deferred<S>>>,
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
        if let Some(driver) = &mut self.hand {
            let Poll::Ready(value) = operation(driver, cx) else {
                return Poll::Pending;
            };
            if !driver.is_owing() {
                return Poll::Ready(take(driver, value));
            }
            let result = take(driver, value);
            self.put_down();
            return Poll::Ready(result);
        }
        // In a burst of messages the connection lies where it is.
        let deferred = self.deferred.as_ref().expect(IS_DEFERRED);
        let mut slot = deferred.lock();
        let is_seen_to = slot.is_seen_to();
        let driver = slot.driver.as_mut().expect(IS_DEFERRED);
        let Poll::Ready(value) = operation(driver, cx) else {
            let left = slot.leave(false);
            drop(slot);
            self.take_up(left);
            return Poll::Pending;
        };
        let rests = driver.is_owing();
        if rests && is_seen_to {
            return Poll::Ready(take(driver, value));
        }
        let result = take(driver, value);
        let left = slot.leave(rests);
        drop(slot);
        self.take_up(left);
        Poll::Ready(result)
    }

    /// Ends an operation on a connection that was [left](Slot::leave).
    #[inline(never)]
    fn take_up(&mut self, (driver, errand): (Option<Box<Driver<S>>>, Option<Errand>)) {
        if let Some(driver) = driver {
            self.hand = Some(driver);
        }
        self.run(errand);
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
