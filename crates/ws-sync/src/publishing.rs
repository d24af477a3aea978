//! What a publisher does with a connection that several threads hold, and who goes on where it leaves off.
//!
//! A publisher has many connections to write to, so it waits for the peer of each a few milliseconds at most, and only
//! once: what is left then falls to a thread that is started for this connection, and while that thread is there,
//! publishers only queue. So it is with whoever tries to send: what was accepted is on its way, whether or not anybody
//! calls again.
//!
//! Nobody else would do. The receiver may be in a read that only input ends, and nothing but the end of the connection
//! interrupts; senders come and go. One thread for all connections would have to ask each of them in turn, because the
//! standard library waits for one stream at a time. So there is at most one such thread for each connection, beside the
//! one that serves it, and only while its peer is behind. It writes as the peer reads, keeps the deadlines that this has
//! ([`Config::write_timeout`](ws_proto::Config::write_timeout) gives up a peer that takes nothing), carries out a closing
//! handshake that was begun, and ends when nothing is left to do, or when all halves have been dropped.

use std::cell::RefCell;
use std::time::Duration;

use ws_proto::{CloseCode, Offered, OverflowPolicy, PreparedMessage, State};

use crate::driver::{Job, LOOK_AROUND, WRITE_PATIENCE, WRITE_RETRY};
use crate::handover::{Guard, Handover, Held, Patience, Written};
use crate::sync::now;

/// Who writes what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "somebody has to be started"]
pub(crate) enum Rest {
    /// There is nothing left.
    None,
    /// Who is at it already, or whoever uses the connection next.
    Others,
    /// A thread that has yet to be started, to [`Handover::follow_up`].
    Nobody,
}

impl Handover {
    /// Queues or writes a message that may be dropped.
    pub(crate) fn offer(
        &self,
        message: &PreparedMessage,
        overflow: OverflowPolicy,
        capacity: usize,
    ) -> (Offered, Rest) {
        self.offer_held(self.lock(), message, overflow, capacity)
    }

    /// Queues or writes a message as soon as fewer than `capacity` wait that were offered; at least one may. `None` when
    /// that would have to wait for a message in fragments that has not gone on for `Config::write_timeout`, or never will.
    pub(crate) fn offer_when_room(
        &self,
        message: &PreparedMessage,
        capacity: usize,
    ) -> Option<(Offered, Rest)> {
        let capacity = capacity.max(1);
        let has_room = |held: &Held| held.is_over() || held.driver.connection.backlog() < capacity;
        // Behind a message that will never be finished nobody's turn comes.
        let enough = |held: &Held| has_room(held) || held.driver.turn_is_forfeited();
        let patience = Patience::Brief(LOOK_AROUND);
        let mut held = self.lock();
        loop {
            let fragments = held.driver.fragments();
            let timeout = held.driver.connection.write_timeout();
            let until = timeout.and_then(|timeout| now().checked_add(timeout));
            // Nobody can tell a thread that reads that there is room, so it reads for a moment at a time. If it cannot
            // wait, offering the message tells what becomes of it.
            let waited;
            (held, waited) = self.drive_until(held, patience, Some(WRITE_RETRY), until, enough);
            if waited.is_err() || has_room(&held) {
                return Some(self.offer_held(held, message, OverflowPolicy::Refuse, capacity));
            }
            if held.driver.turn_is_forfeited() || held.driver.is_held_up_since(fragments) {
                return None;
            }
        }
    }

    /// Begins a closing handshake that others carry out.
    pub(crate) fn disconnect(&self, code: CloseCode, reason: &'static str) -> Rest {
        let mut held = self.lock();
        let begun = held.driver.begin_close(code, reason);
        debug_assert!(begun.is_ok(), "the code and the reason are fit to be sent");
        held.leave_to_follower()
    }

    /// Writes what others have left until there is nothing left to do, or `nobody_is_left` to do it for.
    ///
    /// If something was put off that is written all the same, and then no more.
    pub(crate) fn follow_up(&self, nobody_is_left: impl Fn() -> bool) {
        let last = RefCell::new(None);
        let has_written_last = |held: &Held| {
            let mut last = last.borrow_mut();
            let last = last.get_or_insert_with(|| held.driver.last_owed());
            held.driver.has_written(last)
        };
        let is_done = |held: &Held| {
            let is_open = held.driver.connection.state() == State::Open;
            held.is_over()
                || is_open && held.driver.is_flushed()
                || nobody_is_left() && (!held.is_promised || has_written_last(held))
        };
        let patience = Patience::Committed(LOOK_AROUND);
        // A stream that does not wait leaves no more to do here: it is for those who know when it is ready.
        let (mut held, _) =
            self.drive_until(self.lock(), patience, Some(LOOK_AROUND), None, is_done);
        held.follower_ends();
        held.is_slow &= !held.driver.is_flushed();
    }

    /// There is no thread to be had: what is left goes out with the next call on either half.
    pub(crate) fn nobody_follows(&self) {
        self.lock().follower_ends();
    }

    fn offer_held<'a>(
        &'a self,
        mut held: Guard<'a>,
        message: &PreparedMessage,
        overflow: OverflowPolicy,
        capacity: usize,
    ) -> (Offered, Rest) {
        match held.driver.connection.offer(message, overflow, capacity) {
            Offered::Closed => (Offered::Closed, Rest::None),
            offered => (offered, self.write_for_a_moment(held, WRITE_PATIENCE).1),
        }
    }

    /// Writes what is queued, unless that is another's affair or the peer keeps it waiting for longer than `patience`. What is
    /// told of the rest stands as long as the lock is held.
    pub(crate) fn write_for_a_moment<'a>(
        &'a self,
        mut held: Guard<'a>,
        patience: Duration,
    ) -> (Guard<'a>, Rest) {
        if !held.is_timed && !held.driver.is_flushed() {
            let rest = held.leave_to_follower();
            return (held, rest);
        }
        let until = now() + patience;
        while !held.driver.is_flushed() {
            if held.followed {
                return (held, Rest::Others);
            }
            let written;
            (held, written) = self.write(held, Patience::Brief(patience));
            match written {
                Written::All => break,
                Written::Refused(_) => return (held, Rest::Others),
                // If there is nothing left but to flush, this thread was kept waiting, and not by the peer.
                Written::Some if held.driver.job() != Some(Job::Write) || now() < until => {}
                // Whoever has the writer will have written this too, if the peer takes it, or puts it back.
                Written::Elsewhere if now() < until => held = self.wait_until(held, Some(until)),
                Written::Some | Written::Elsewhere | Written::Stalled => {
                    let rest = held.leave_to_follower();
                    return (held, rest);
                }
            }
        }
        (held, Rest::None)
    }
}

impl Held {
    pub(crate) fn leave_to_follower(&mut self) -> Rest {
        match std::mem::replace(&mut self.followed, true) {
            true => Rest::Others,
            false => Rest::Nobody,
        }
    }

    fn follower_ends(&mut self) {
        self.followed = false;
        self.is_promised = false;
    }
}
