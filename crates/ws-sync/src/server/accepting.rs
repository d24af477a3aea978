//! Taking connections in, each to a thread of its own.

use std::io;
use std::sync::Arc;
use std::thread;

use ws_proto::serving::{Admission, Backoff};

use super::connection::{Place, serve, turn_away};
use super::draining::{drain, stop_listening};
use super::listener::{Accept, Accepted, is_about_one_connection};
use super::shared::{Opening, Shared};
use super::trace;
use crate::CloneStream;
use crate::sync::now;

/// Serves until the server is drained and all its threads have ended.
pub(super) fn run<A: Accept>(source: A, shared: &Arc<Shared>) {
    let source = Arc::new(source);
    begin_accepting(&source, shared);
    shared.wait(None, |books| {
        books.registry.is_draining() || !books.accepting
    });
    assert!(shared.is_draining(), "the accepting thread has panicked");
    stop_listening(&*source, shared);
    drop(source);
    drain(shared);
}

/// Accepts in a thread of its own: what waits for a connection cannot always be woken, and must not hold up the end.
fn begin_accepting<A: Accept>(source: &Arc<A>, shared: &Arc<Shared>) {
    let mut backoff = Backoff::new();
    while !shared.is_draining() {
        let accepting = Accepting::new(Arc::clone(source), Arc::clone(shared));
        match spawn(shared, move || accepting.run()) {
            Ok(()) => return,
            Err(error) => wait_out(&error, &mut backoff, shared),
        }
    }
}

/// What accepts. The books say for how long there is such a thing.
struct Accepting<A> {
    source: Arc<A>,
    shared: Arc<Shared>,
}

impl<A: Accept> Accepting<A> {
    fn new(source: Arc<A>, shared: Arc<Shared>) -> Self {
        shared.books().accepting = true;
        Self { source, shared }
    }

    fn run(self) {
        let Self { source, shared } = &self;
        let mut backoff = Backoff::new();
        while !shared.is_draining() {
            let admitted = source.accept().and_then(|accepted| admit(accepted, shared));
            match admitted {
                Ok(()) => backoff.reset(),
                // It is the end that has ended the wait.
                Err(_) if shared.is_draining() => {}
                Err(error) => wait_out(&error, &mut backoff, shared),
            }
        }
    }
}

impl<A> Drop for Accepting<A> {
    fn drop(&mut self) {
        self.shared.change(|books| books.accepting = false);
    }
}

/// Gives a connection a place, or tells it that there is none.
pub(super) fn admit<S>(accepted: Accepted<S>, shared: &Arc<Shared>) -> io::Result<()>
where
    S: CloneStream + Send + 'static,
{
    let (stream, peer_addr) = accepted;
    let admission = shared.books().registry.admit(peer_addr, shared.now());
    let place = |id| Place::new(Arc::clone(shared), id, peer_addr);
    // The opening handshake is the thread's own affair: a slow client holds up nobody.
    match admission {
        Admission::Served(id) => {
            let place = place(id);
            let opening = Opening {
                handle: Box::new(stream.try_clone()?),
                asked: false,
            };
            shared.books().opening.insert(id, opening);
            let span = place.span();
            spawn(shared, move || span.around(|| serve(stream, place)))
        }
        Admission::TurnedAway(id) => {
            let place = place(id);
            let span = place.span();
            spawn(shared, move || span.around(|| turn_away(stream, place)))
        }
        Admission::Dropped => {
            trace::dropped(peer_addr);
            Ok(())
        }
    }
}

/// Does something in a thread of the server's.
pub(super) fn spawn(shared: &Arc<Shared>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let member = Member::new(Arc::clone(shared));
    thread::Builder::new()
        .spawn(move || {
            let _member = member;
            work();
        })
        .map(drop)
}

/// A thread's place among those that the server waits for at its end.
struct Member(Arc<Shared>);

impl Member {
    fn new(shared: Arc<Shared>) -> Self {
        shared.books().threads += 1;
        Self(shared)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // A thread that panicked outside its handler has met a bug of this crate. It has said so on standard error and
        // hurt nobody else.
        if thread::panicking() {
            trace::thread_panicked();
        }
        self.0.change(|books| books.threads -= 1);
    }
}

/// Accepting has failed; tells whether that concerns one connection alone.
pub(super) fn note_failed(error: &io::Error, shared: &Shared) -> bool {
    let about_one = is_about_one_connection(error);
    trace::accept_failed(error, about_one);
    shared.books().registry.accept_failed();
    about_one
}

/// Waits before the next attempt to accept, if the last one has failed for a reason that may still be there. A thread
/// that ends may leave what was lacking, so that it is tried early then.
fn wait_out(error: &io::Error, backoff: &mut Backoff, shared: &Shared) {
    let threads = shared.books().threads;
    let wait = if note_failed(error, shared) {
        backoff.wait_after_one()
    } else {
        Some(backoff.wait())
    };
    if let Some(wait) = wait {
        shared.wait(now().checked_add(wait), |books| {
            books.threads < threads || books.registry.is_draining()
        });
    }
}
