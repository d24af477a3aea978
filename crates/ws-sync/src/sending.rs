//! What senders do with a connection that several threads hold.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ws_proto::{
    CloseCode, CloseInfo, Compress, Connection, FlushMark, Message, MessageKind, SendError, State,
    Unsent,
};

use crate::Error;
use crate::driver::{Job, LOOK_AROUND, WRITE_PATIENCE, WRITE_RETRY};
use crate::handover::{Guard, Handover, Held, Patience, Written};
use crate::publishing::Rest;
use crate::sync::now;
use crate::timed::{SHORTEST_WAIT, Silence, has_passed, is_timeout};

/// What a thread that has written owes to others, which may have left something to it.
struct Duty {
    /// Up to where it has to write.
    mark: Option<FlushMark>,
    /// When it first could have left, but for that.
    since: Option<Instant>,
}

impl Duty {
    const fn new() -> Self {
        Self {
            mark: None,
            since: None,
        }
    }

    /// Whether this thread has done enough for others, although there is more to write. It goes on for a while, for the
    /// sake of those who cannot wait; but they may never cease, and then it has to do only for those who rely on it, or
    /// for nobody if there is a thread that does nothing else.
    fn is_done(&mut self, held: &mut Held) -> bool {
        // To flush and to shut down is never for the sake of what comes later.
        let has_more = held.driver.job() == Some(Job::Write);
        let connection = &held.driver.connection;
        if std::mem::take(&mut held.relied) {
            self.mark = Some(connection.flush_mark());
        }
        let since = *self.since.get_or_insert_with(now);
        has_more
            && has_passed(since.checked_add(LOOK_AROUND))
            && self
                .mark
                .as_mut()
                .is_none_or(|mark| held.followed || connection.is_written(mark))
    }
}

impl Handover {
    /// Queues a message when it is its turn and there is room.
    pub(crate) fn feed<R>(
        &self,
        queue: impl FnOnce(&mut Connection) -> Result<(), R>,
    ) -> Result<(), Error>
    where
        Error: From<R>,
    {
        self.feed_held(queue).map(drop)
    }

    /// The same, and writes it. While more of what the peer sent is there to be answered it is left to the next call to
    /// write, if it `is_attended`. Whether it is put off so.
    pub(crate) fn send<R>(
        &self,
        is_attended: impl FnOnce() -> bool,
        queue: impl FnOnce(&mut Connection) -> Result<(), R>,
    ) -> Result<bool, Error>
    where
        Error: From<R>,
    {
        let mut held = self.feed_held(queue)?;
        let defers = held.may_defer() && is_attended();
        if defers {
            held.driver.defer();
        } else {
            self.flush_held(held)?;
        }
        Ok(defers)
    }

    /// Writes what was put off by a thread that has not come back, as far as the peer takes it soon. `None` if it is to be
    /// looked at again: somebody is at work on it, or nothing was put off when this was called before, or now, and it may not
    /// leave then. It does `leave` otherwise. If it may not wait, or if the peer was slow before, all that was put off is left.
    pub(crate) fn write_deferred(
        &self,
        may_leave: bool,
        may_wait: bool,
        leave: impl Fn(),
    ) -> Option<Rest> {
        // Others have put something off too, and a tap may have the lock for as long as it likes.
        let mut held = self.try_lock()?;
        if !held.driver.is_owing() {
            return may_leave.then(|| {
                leave();
                Rest::None
            });
        }
        if held.driver.is_unseen() {
            return None;
        }
        let rest;
        if may_wait && !held.is_slow {
            (held, rest) = self.write_for_a_moment(held, WRITE_PATIENCE);
            held.is_slow = rest == Rest::Nobody;
        } else {
            rest = held.leave_to_follower();
        }
        held.is_promised |= held.followed;
        // Under the lock: who puts something off from now on finds that it has left.
        leave();
        Some(rest)
    }

    fn feed_held<R>(
        &self,
        queue: impl FnOnce(&mut Connection) -> Result<(), R>,
    ) -> Result<Guard<'_>, Error>
    where
        Error: From<R>,
    {
        let mut held = self.lock();
        loop {
            held = self.wait_turn(held)?;
            let room;
            (held, room) = self.make_room(held);
            room?;
            if !held.driver.turn_is_taken() {
                break;
            }
        }
        match queue(&mut held.driver.connection) {
            Ok(()) => Ok(held),
            Err(error) => Err(held.driver.untold().unwrap_or(error.into())),
        }
    }

    /// Sends a Ping. Room is kept for it in front of what waits to be framed: a connection that is stuck, or busy with a
    /// long message, is one to be pinged.
    pub(crate) fn ping(&self, data: &[u8]) -> Result<(), Error> {
        let mut held = self.lock();
        let mut queued = held.driver.connection.ping(data);
        if queued == Err(SendError::BufferFull) {
            let room;
            (held, room) = self.make_room(held);
            room?;
            queued = held.driver.connection.ping(data);
        }
        queued.map_err(|error| held.driver.refused(error))?;
        let mut mark = held.driver.connection.framed_mark();
        let (held, written) = self.write_until(held, |connection| connection.is_written(&mut mark));
        drop(held);
        written
    }

    /// Waits until everything that is queued now is written.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.flush_held(self.lock())
    }

    /// Takes the turn to send a message in fragments.
    pub(crate) fn take_turn(&self) -> Result<(), Error> {
        let mut held = self.wait_turn(self.lock())?;
        let taken = held.driver.take_turn();
        taken.map_err(|error| held.driver.refused(error))
    }

    /// Queues a fragment of the message whose turn it is, when there is room.
    pub(crate) fn feed_fragment(
        &self,
        kind: MessageKind,
        fragment: Bytes,
        fin: bool,
        compress: Compress,
    ) -> Result<(), Error> {
        let (mut held, room) = self.make_room(self.lock());
        room?;
        let sent = held.driver.send_fragment(kind, fragment, fin, compress);
        sent.map_err(|error| held.driver.refused(error))
    }

    /// Gives the turn back; `whole` is whether no message is left unfinished.
    pub(crate) fn end_turn(&self, whole: bool) {
        let mut held = self.lock();
        held.driver.end_turn(whole);
        self.notify(&held);
    }

    /// Queues a message if that needs no wait, and writes what can be written at once. Somebody has to see to the rest.
    pub(crate) fn try_send(&self, message: Message, compress: Compress) -> Result<Rest, Unsent> {
        let mut held = self.lock();
        if !held.driver.connection.has_room() {
            held = self.write_briefly(held);
        }
        let connection = &mut held.driver.connection;
        if !connection.has_room() && connection.state() == State::Open {
            let error = SendError::BufferFull;
            return Err(Unsent { error, message });
        }
        connection.send_with(message, compress)?;
        Ok(self.write_for_a_moment(held, SHORTEST_WAIT).1)
    }

    /// Begins the closing handshake. Whoever does so waits for its end, or sees to it that somebody else does.
    pub(crate) fn begin_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let mut held = self.lock();
        held.driver.begin_close(code, reason)?;
        drop(self.write_briefly(held));
        Ok(())
    }

    /// Carries out the whole closing handshake.
    pub(crate) fn close(&self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        let mut held = self.lock();
        held.driver.begin_close(code, reason)?;
        let (held, ended) = self.wait_over(held);
        ended?;
        held.driver.outcome()
    }

    /// Ends the connection at once.
    pub(crate) fn abort(&self) {
        let mut held = self.lock();
        held.driver.abort();
        self.settle(&mut held);
    }

    /// Waits until the connection is over, whoever ended it.
    pub(crate) fn closed(&self) -> Result<(), Error> {
        self.wait_over(self.lock()).1
    }

    /// Waits until nobody is in the middle of a message of their own.
    fn wait_turn<'a>(&'a self, held: Guard<'a>) -> Result<Guard<'a>, Error> {
        // Nobody can tell a thread that reads that it is its turn, so it reads for a moment at a time; and when it is,
        // there may be more to write.
        let (held, waited) = self.drive_until(
            held,
            Patience::Brief(LOOK_AROUND),
            Some(WRITE_RETRY),
            None,
            |held| !held.driver.turn_is_taken(),
        );
        waited.map(|()| held)
    }

    /// Waits until a message may be queued.
    fn make_room<'a>(&'a self, held: Guard<'a>) -> (Guard<'a>, Result<(), Error>) {
        if held.driver.connection.has_room() {
            return (held, Ok(()));
        }
        match self.write_until(held, |connection| connection.has_room()) {
            // Where that would block there may be room for more all the same.
            (held, Err(Error::Io(error))) if is_timeout(&error) => (held, Ok(())),
            room => room,
        }
    }

    fn flush_held<'a>(&'a self, held: Guard<'a>) -> Result<(), Error> {
        let (mut held, result) = self.write_queued(held);
        if result.is_ok() {
            held = self.listen_now_and_then(held);
            if held.driver.job().is_some() {
                // What was to be sent is written. Whether this is too, the next call will find out.
                drop(self.write_queued(held));
            }
        }
        result
    }

    /// Waits until everything that is queued now is written.
    fn write_queued<'a>(&'a self, held: Guard<'a>) -> (Guard<'a>, Result<(), Error>) {
        let mut mark = held.driver.connection.flush_mark();
        self.write_until(held, |connection| connection.is_written(&mut mark))
    }

    /// Waits until it is `enough`, and writes unless another thread does.
    fn write_until<'a>(
        &'a self,
        mut held: Guard<'a>,
        mut enough: impl FnMut(&Connection) -> bool,
    ) -> (Guard<'a>, Result<(), Error>) {
        held.flushing += 1;
        let (mut held, result) = self.write_as_sender(held, &mut enough);
        held.flushing -= 1;
        (held, result)
    }

    fn write_as_sender<'a>(
        &'a self,
        mut held: Guard<'a>,
        enough: &mut impl FnMut(&Connection) -> bool,
    ) -> (Guard<'a>, Result<(), Error>) {
        // Always the same at first: to change the timeout of a stream takes a system call.
        let mut patience = WRITE_PATIENCE;
        let mut duty: Option<Duty> = None;
        loop {
            if let Some(lost) = held.driver.tell_lost() {
                return (held, Err(lost));
            }
            let enough = enough(&held.driver.connection);
            // Who has not begun to write has no duties.
            let is_free = duty.is_none() || held.flushing > 1;
            if enough && (is_free || duty.as_mut().is_some_and(|duty| duty.is_done(&mut held))) {
                return (held, Ok(()));
            }
            let written;
            (held, written) = self.write(held, Patience::Committed(patience));
            duty.get_or_insert_with(Duty::new);
            match written {
                Written::Some => held = self.listen_now_and_then(held),
                Written::All => {
                    let lost = held.driver.tell_lost();
                    return (held, lost.map_or(Ok(()), Err));
                }
                Written::Elsewhere if enough && held.may_rely() => return (held, Ok(())),
                Written::Elsewhere => {
                    held = self.wait(held);
                    self.keep_events(&mut held);
                }
                Written::Stalled => {
                    let heard;
                    (held, heard) = self.listen(held, Some(SHORTEST_WAIT));
                    // The peer may be writing too, and take more when it has been heard.
                    patience = match heard {
                        Ok(true) => WRITE_PATIENCE,
                        _ => (patience * 2).min(LOOK_AROUND),
                    };
                }
                Written::Refused(error) => return (held, Err(Error::Io(error))),
            }
        }
    }

    /// Writes what the stream takes at once, for a moment at most.
    fn write_briefly<'a>(&'a self, mut held: Guard<'a>) -> Guard<'a> {
        if held.writer.is_none() || !held.is_timed {
            return held;
        }
        let until = now() + WRITE_PATIENCE;
        loop {
            let written;
            (held, written) = self.write(held, Patience::Brief(SHORTEST_WAIT));
            let goes_on = now() < until || held.driver.job() != Some(Job::Write);
            if !matches!(written, Written::Some) || !goes_on {
                return held;
            }
        }
    }

    /// Waits until the connection is over and its end has been carried out. What still arrives is for the receiver.
    fn wait_over<'a>(&'a self, held: Guard<'a>) -> (Guard<'a>, Result<(), Error>) {
        self.drive_until(
            held,
            Patience::Committed(LOOK_AROUND),
            None,
            None,
            Held::is_over,
        )
    }

    /// Does everything that a connection does by itself until it is `enough`, or about until then, with this patience
    /// for each write and each read.
    pub(crate) fn drive_until<'a>(
        &'a self,
        mut held: Guard<'a>,
        writing: Patience,
        reading: Option<Duration>,
        until: Option<Instant>,
        enough: impl Fn(&Held) -> bool,
    ) -> (Guard<'a>, Result<(), Error>) {
        while !enough(&held) && !has_passed(until) {
            // The receiver may have left after the first of several events that came together.
            self.keep_events(&mut held);
            let written;
            (held, written) = self.write(held, writing);
            let (patience, stalled) = match written {
                Written::Some => continue,
                Written::Refused(error) => return (held, Err(Error::Io(error))),
                Written::Stalled => (Some(SHORTEST_WAIT), true),
                Written::Elsewhere if !held.may_rely() => (Some(WRITE_RETRY), false),
                Written::Elsewhere | Written::All => (reading, false),
            };
            if enough(&held) {
                break;
            }
            if stalled || held.may_listen() {
                let heard;
                (held, heard) = self.listen(held, patience);
                if let Err(error) = heard {
                    return (held, Err(Error::Io(error)));
                }
            } else {
                held = self.wait_at_most(held, until);
            }
        }
        (held, Ok(()))
    }

    /// Reads now and then.
    fn listen_now_and_then<'a>(&'a self, mut held: Guard<'a>) -> Guard<'a> {
        if !held.receiving && held.driver.should_listen() {
            (held, _) = self.listen(held, Some(SHORTEST_WAIT));
        }
        held
    }

    /// Reads once where the receiver does not, waiting for so long at most, and does what is due. Tells whether
    /// something came; fails if the stream does not wait.
    fn listen<'a>(
        &'a self,
        mut held: Guard<'a>,
        patience: Option<Duration>,
    ) -> (Guard<'a>, io::Result<bool>) {
        self.keep_events(&mut held);
        let mut heard = Ok(false);
        // Without timeouts there is no short wait.
        if held.may_listen()
            && (held.is_timed || patience.is_none())
            && let Some(reader) = held.reader.take()
        {
            let until = patience.map(|patience| now() + patience);
            (held, heard) = self.read(held, reader, until, &mut Silence::new(None));
        } else {
            let deadline = held.driver.deadline();
            held.driver.waited_until(deadline);
        }
        held.driver.listened();
        self.keep_events(&mut held);
        (held, heard)
    }

    /// Looks at what has arrived and does what is due, on behalf of a receiver that is not there.
    fn keep_events(&self, held: &mut Held) {
        let before = held.driver.events_ahead();
        held.driver.keep_events();
        let was_due = match held.receiving {
            true => held.driver.handle_timeout(),
            false => held.driver.handle_timeout_aside(),
        };
        if was_due {
            held.driver.keep_events();
        }
        // Threads that wake each other for nothing would never cease to.
        if held.driver.events_ahead() != before {
            self.notify(held);
        }
        self.settle(held);
    }
}
