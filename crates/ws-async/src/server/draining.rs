//! The end of a server.

use std::io;
use std::sync::Arc;

use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use ws_proto::serving::Drain;

use super::accepting::{Tasks, admit, note_failed, note_task};
use super::listener::Accept;
use super::race::{First, first};
use super::shared::{LAST_REQUESTS, Shared};
use super::trace;

/// Ends everything as [`ServerHandle::drain`](crate::ServerHandle::drain) describes.
pub(super) async fn drain<A: Accept>(
    wanted: Drain,
    source: A,
    mut tasks: Tasks,
    shared: &Arc<Shared>,
) {
    close_all(&wanted, &mut tasks, shared);
    let all = async {
        // Newcomers without end must not keep it from ending.
        _ = timeout(LAST_REQUESTS, turn_away_waiting(source, &mut tasks, shared)).await;
        while let Some(ended) = tasks.join_next().await {
            note_task(ended);
        }
    };
    if timeout(wanted.deadline(), all).await.is_ok() {
        return;
    }
    let left = shared.registry().cut();
    // Whoever else holds a half, in a task that the handler spawned, must not keep the connection open.
    for sender in left {
        sender.abort();
    }
    tasks.abort_all();
    while let Some(ended) = tasks.join_next().await {
        note_task(ended);
    }
}

/// Closes every connection, each at its time.
fn close_all(wanted: &Drain, tasks: &mut Tasks, shared: &Shared) {
    let open = shared.registry().begin_drain();
    let count = open.len();
    trace::draining(wanted, count);
    for (index, sender) in open.into_iter().enumerate() {
        let wanted = wanted.clone();
        tasks.spawn(async move {
            let its_turn = sleep(wanted.close_at(index, count));
            // Who leaves before is not waited for.
            if let First::Other(()) = first(sender.closed(), its_turn).await {
                // How it went is what the books get.
                _ = sender.close(wanted.code(), wanted.reason()).await;
            }
        });
    }
}

/// Tells the connections that wait to be accepted that there is no more place, a few at a time, and stops listening.
async fn turn_away_waiting<A: Accept>(source: A, tasks: &mut Tasks, shared: &Arc<Shared>) {
    let mut accept_waiting = source.close();
    loop {
        let accepted = match accept_waiting() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if note_failed(&error, shared) => {
                // However many there are of these, the time that they may take is looked at.
                yield_now().await;
                continue;
            }
            Err(_) => break,
        };
        while !shared.registry().can_turn_away() {
            match tasks.join_next().await {
                Some(ended) => note_task(ended),
                None => break,
            }
        }
        admit(accepted, tasks, shared);
    }
}
