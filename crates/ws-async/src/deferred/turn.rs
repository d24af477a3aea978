//! The end of a task's turn: what is seen to then.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use tokio::runtime::Handle;

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
