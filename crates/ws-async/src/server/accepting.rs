//! Taking connections in, and what becomes of their tasks.

use std::future::pending;
use std::io;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use ws_proto::serving::{Admission, Backoff};

use super::connection::{Place, serve, turn_away};
use super::draining::drain;
use super::listener::{Accept, Accepted, is_about_one_connection};
use super::race::{First, first};
use super::shared::Shared;
use super::trace;

/// The tasks of a server.
pub(super) type Tasks = JoinSet<()>;

/// Serves until the server is drained and all its tasks have ended.
pub(super) async fn run<A: Accept>(mut source: A, shared: &Arc<Shared>) {
    let mut tasks = Tasks::new();
    let mut backoff = Backoff::new();
    let wanted = loop {
        let ended_or_accepted = first(
            next_ended(&mut tasks),
            next_accepted(&mut source, &mut backoff, shared),
        );
        match first(shared.draining(), ended_or_accepted).await {
            First::One(wanted) => break wanted,
            First::Other(First::One(ended)) => note_task(ended),
            First::Other(First::Other(accepted)) => admit(accepted, &mut tasks, shared),
        }
    };
    drain(wanted, source, tasks, shared).await;
}

/// Gives a connection a place, or tells it that there is none.
pub(super) fn admit<A>(accepted: Accepted<A>, tasks: &mut Tasks, shared: &Arc<Shared>)
where
    A: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (stream, peer_addr) = accepted;
    let place = |id| Place::new(Arc::clone(shared), id, peer_addr);
    let admission = shared.registry().admit(peer_addr, shared.now());
    // The opening handshake is the task's own affair: a slow client holds up nobody.
    match admission {
        Admission::Served(id) => {
            let place = place(id);
            _ = tasks.spawn(place.span().around(serve(stream, place)));
        }
        Admission::TurnedAway(id) => {
            let place = place(id);
            _ = tasks.spawn(place.span().around(turn_away(stream, place)));
        }
        Admission::Dropped => trace::dropped(peer_addr),
    }
}

/// Ready when a task has ended.
async fn next_ended(tasks: &mut Tasks) -> Result<(), JoinError> {
    match tasks.join_next().await {
        Some(ended) => ended,
        None => pending().await,
    }
}

/// A task that panicked outside its handler has met a bug of this crate, or of what a handler that was cut dropped. It
/// has said so on standard error and hurt nobody else.
pub(super) fn note_task(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        trace::task_panicked();
    }
}

/// The next connection, whatever it takes. Cancel safe: to try again early, because a task has ended, is right, for it
/// may have left what was lacking.
async fn next_accepted<A: Accept>(
    source: &mut A,
    backoff: &mut Backoff,
    shared: &Shared,
) -> Accepted<A::Stream> {
    loop {
        let error: io::Error = match source.accept().await {
            Ok(accepted) => {
                backoff.reset();
                return accepted;
            }
            Err(error) => error,
        };
        let wait = if note_failed(&error, shared) {
            backoff.wait_after_one()
        } else {
            Some(backoff.wait())
        };
        if let Some(wait) = wait {
            sleep(wait).await;
        }
    }
}

/// Accepting has failed; tells whether that concerns one connection alone.
pub(super) fn note_failed(error: &io::Error, shared: &Shared) -> bool {
    let about_one = is_about_one_connection(error);
    trace::accept_failed(error, about_one);
    shared.registry().accept_failed();
    about_one
}
