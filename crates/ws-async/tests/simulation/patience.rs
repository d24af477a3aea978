//! Futures that are dropped while they wait.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use crate::scenario::Patience;

/// Who waits for another wake, and none comes, gives up after this time.
const LONG_ENOUGH: Duration = Duration::from_secs(2);

/// What `call` gives, as long as the patience lasts.
pub(crate) async fn patiently<T>(
    patience: Patience,
    mut call: impl AsyncFnMut() -> T,
) -> Option<T> {
    match patience {
        Patience::Endless => Some(call().await),
        Patience::Polls(polls) => {
            let dropped = dropped_when_pending(polls, call());
            timeout(LONG_ENOUGH, dropped).await.ok().flatten()
        }
        Patience::Again(polls) => Some(interrupted(polls, call).await),
        Patience::Millis(millis) => timeout(Duration::from_millis(millis), call()).await.ok(),
    }
}

/// Drops `future` as soon as it has been pending so often, at least once.
pub(crate) async fn dropped_when_pending<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls.max(1);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            left -= 1;
            match left {
                0 => Poll::Ready(None),
                _ => Poll::Pending,
            }
        }
    })
    .await
}

/// Drops each future of `call` when it is woken after having been pending so often, and makes another one, until one
/// of them is ready. So each of them has to see to its own wake, and has to leave nothing half done.
async fn interrupted<T>(polls: u32, mut call: impl AsyncFnMut() -> T) -> T {
    loop {
        let mut left = polls.max(1);
        let mut future = pin!(call());
        let polled = poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            future.as_mut().poll(cx).map(Some)
        });
        if let Some(output) = polled.await {
            return output;
        }
    }
}

/// Stops a task that is polled more often than any conversation takes.
pub(crate) async fn counted<F: Future>(limit: u32, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        assert!(polls <= limit, "polled {limit} times without end");
        future.as_mut().poll(cx)
    })
    .await
}
