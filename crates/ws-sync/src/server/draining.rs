//! The end of a server.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ws_proto::State;
use ws_proto::serving::Drain;

use super::accepting::{admit, note_failed, spawn};
use super::listener::Accept;
use super::shared::{Books, Shared};
use super::trace;
use crate::Sender;
use crate::sync::now;
use crate::timed::has_passed;

/// How long a request that is on its way when the server begins to end is waited for, to be told 503. Who has not asked
/// by then waits for no answer.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// How long handlers whose connection was cut have to notice. A thread cannot be ended from outside.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a thread that was woken may take to notice, before it is woken again.
const WAKING: Duration = Duration::from_millis(10);

/// Ends the wait for connections. Those that wait to be accepted are told that there is no more place, unless there may be
/// others who accept them.
pub(super) fn stop_listening<A: Accept>(source: &A, shared: &Arc<Shared>) {
    let enough = now().checked_add(LAST_REQUESTS);
    if !source.is_shared() {
        turn_away_waiting(source, enough, shared);
    }
    let mut woken_for = Duration::ZERO;
    // Who listens at the same socket may take what was to wake this server.
    while !shared.wait(now().checked_add(woken_for), |books| !books.accepting) {
        if has_passed(enough) {
            break;
        }
        source.wake();
        woken_for = WAKING;
    }
}

/// Tells the connections that wait to be accepted that there is no more place, a few at a time.
fn turn_away_waiting<A: Accept>(source: &A, enough: Option<Instant>, shared: &Arc<Shared>) {
    while !has_passed(enough) {
        let accepted = match source.accept_waiting() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if note_failed(&error, shared) => continue,
            Err(_) => break,
        };
        shared.wait(enough, |books| books.registry.can_turn_away());
        if admit(accepted, shared).is_err() {
            break;
        }
    }
}

/// Ends everything as [`ServerHandle::drain`](crate::ServerHandle::drain) describes.
pub(super) fn drain(shared: &Arc<Shared>) {
    let Some(ending) = shared.books().ending.take() else {
        return;
    };
    let at = |time: Duration| ending.begun.checked_add(time);
    let mut waiting = Waiting {
        shared,
        last_requests: at(LAST_REQUESTS),
    };
    let count = ending.open.len();
    trace::draining(&ending.wanted, count);
    for (index, sender) in ending.open.into_iter().enumerate() {
        if waiting.until(at(ending.wanted.close_at(index, count))) {
            return;
        }
        close(sender, &ending.wanted, shared);
    }
    if waiting.until(at(ending.wanted.deadline())) {
        return;
    }
    cut(shared);
    shared.wait(now().checked_add(LAST_WORDS), is_over);
}

/// The waits of a server that ends, and what happens in between.
struct Waiting<'a> {
    shared: &'a Shared,
    last_requests: Option<Instant>,
}

impl Waiting<'_> {
    /// Waits until all threads have ended, or until `time`; tells whether they have.
    fn until(&mut self, time: Option<Instant>) -> bool {
        if let Some(last) = self.last_requests
            && time.is_none_or(|time| last <= time)
        {
            if self.shared.wait(Some(last), is_over) {
                return true;
            }
            self.last_requests = None;
            cut_opening(self.shared, |asked| !asked);
        }
        self.shared.wait(time, is_over)
    }
}

fn is_over(books: &mut Books) -> bool {
    books.threads == 0
}

/// Closes a connection, in a thread that waits for the peer's answer: that of the handler may be busy.
fn close(sender: Sender, wanted: &Drain, shared: &Arc<Shared>) {
    if sender.state() == State::Closed {
        return;
    }
    let (code, reason) = (wanted.code(), wanted.reason().to_owned());
    let closer = sender.clone();
    // How it went is what the books get.
    let closing = spawn(shared, move || drop(closer.close(code, &reason)));
    if closing.is_err() {
        // There is no further thread, so the answer is the handler's to hear.
        _ = sender.begin_close(wanted.code(), wanted.reason());
    }
}

/// Ends what is left: reads and writes that wait fail now.
fn cut(shared: &Shared) {
    let left = shared.books().registry.cut();
    for sender in left {
        sender.abort();
    }
    cut_opening(shared, |_| true);
}

/// Cuts connections in their opening handshake.
fn cut_opening(shared: &Shared, which: impl Fn(bool) -> bool) {
    for opening in shared.books().opening.values_mut() {
        if which(opening.asked) {
            // It has ended if it can.
            _ = opening.handle.shutdown_both();
        }
    }
}
