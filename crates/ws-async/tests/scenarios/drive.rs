//! A hand-driven executor: whoever waits without having been promised a wake hangs, and is caught.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::{Builder, Runtime};

/// Polls after which a future that does not end is taken to hang. The longest conversation takes about 500 operations.
const MAX_POLLS: usize = 5_000;

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where the timers of the futures under test live. Its clock stands still.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
});

/// Polls `future` once and drops it: what it gave, and whether it wants to be polled again at once.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> (Option<T>, bool) {
    let _entered = RUNTIME.enter();
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let polled = match pin!(future).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    };
    (polled, flag.0.load(Ordering::Relaxed))
}

/// Polls `future` to its end. Nothing happens between two polls, so it has to have been woken by the time it waits.
pub(crate) fn drive<T>(future: impl Future<Output = T>) -> T {
    let _entered = RUNTIME.enter();
    let mut future = pin!(future);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let mut context = Context::from_waker(&waker);
    for _ in 0..MAX_POLLS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        let woken = flag.0.swap(false, Ordering::Relaxed);
        assert!(woken, "nobody will ever wake it");
    }
    panic!("it never ends");
}
