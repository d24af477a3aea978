//! A connection over one stream that does one thing at a time: read, write, wait, and nothing else.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Buf;
use ws_proto::{Compress, Connection, Event, Lent, Message, SendError, State, TappedFrame, Unsent};

use crate::attendant;
use crate::driver::{Driver, Job, LOOK_AROUND, MAX_CHUNKS, WRITE_PATIENCE, WRITE_RETRY};
use crate::listing::Listing;
use crate::read_buffer::ReadBuffer;
use crate::sync::now;
use crate::timed::{
    SHORTEST_WAIT, Silence, Timed, earlier, has_passed, is_timeout, remaining, wait_out_until,
    was_wait_until,
};
use crate::{Error, Stream};

/// What came of an attempt to write.
#[derive(Debug)]
enum Written {
    /// There is nothing to write.
    All,
    /// There may be more.
    Some,
    /// The peer takes nothing for the time being.
    Stalled(io::Error),
    /// The stream does not wait, or not so long.
    Refused(io::Error),
    /// The stream is broken.
    Failed(io::Error),
}

impl Written {
    /// How long to wait for input before the next attempt.
    const fn retry(&self) -> Duration {
        match self {
            Self::Some => SHORTEST_WAIT,
            _ => WRITE_RETRY,
        }
    }
}

/// A connection and its stream, in one hand.
#[derive(Debug)]
pub(crate) struct Whole<S> {
    pub(crate) driver: Driver,
    buffer: ReadBuffer,
    pub(crate) stream: Timed<S>,
    /// The silence that the caller bears.
    pub(crate) read_timeout: Option<Duration>,
    /// Whether somebody writes what is put off.
    pub(crate) is_attended: bool,
    /// Whether somebody has been told to. Most connections never put anything off.
    pub(crate) listing: Option<Arc<Listing>>,
    /// Whether its peer kept others waiting that wrote, and nobody has found it otherwise since.
    pub(crate) is_slow: bool,
    /// Whether it is lent, so that nothing of its own is at work on it but a tap.
    is_lent: bool,
    /// Whether the tap is at work, if there is one.
    is_tapped: Option<Arc<AtomicBool>>,
}

impl<S: Stream> Whole<S> {
    pub(crate) fn new(driver: Driver, stream: Timed<S>) -> Self {
        Self {
            driver,
            buffer: ReadBuffer::default(),
            stream,
            read_timeout: None,
            is_attended: false,
            listing: None,
            is_slow: false,
            is_lent: false,
            is_tapped: None,
        }
    }

    /// From now on it is in the hands of the application, which may take its time.
    pub(crate) fn lend(&mut self) {
        self.is_lent = true;
        if self.listing.is_some() && !self.driver.has_deferred() {
            self.is_about_to_wait();
        }
    }

    /// From now on it is at work.
    pub(crate) const fn take_back(&mut self) {
        self.is_lent = false;
    }

    /// Whether a panic now is none of the stream's, nor of the tap's.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_tapped = |is_tapped: &Arc<AtomicBool>| is_tapped.load(Ordering::Relaxed);
        self.is_lent && !self.is_tapped.as_ref().is_some_and(is_tapped)
    }

    /// Lets `tap` see each frame from now on.
    pub(crate) fn set_tap(&mut self, mut tap: impl FnMut(&TappedFrame) + Send + Sync + 'static) {
        let is_tapped = Arc::<AtomicBool>::default();
        self.is_tapped = Some(Arc::clone(&is_tapped));
        self.driver
            .connection
            .set_tap(Some(Box::new(move |frame: &TappedFrame| {
                is_tapped.store(true, Ordering::Relaxed);
                tap(frame);
                // It stays so when the tap panics.
                is_tapped.store(false, Ordering::Relaxed);
            })));
    }

    /// The next event for the application; `None` at the end.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event>, Error> {
        Ok(match self.next_within(Silence::new(self.read_timeout))? {
            Some(Lent::Message) => self.driver.take_lent().map(Event::Message),
            Some(Lent::Event(event)) => Some(event),
            None => None,
        })
    }

    /// Whether there is another message, which the driver lends then; `false` at the end.
    ///
    /// Replies to it are queued without a wait, so this waits until there is room for them.
    pub(crate) fn next_lent(&mut self) -> Result<bool, Error> {
        self.driver.let_go();
        // If nothing can be written any more, that is told by what is received next, or by the reply.
        _ = self.make_room();
        loop {
            match self.next_within(Silence::new(self.read_timeout))? {
                Some(Lent::Message) => return Ok(true),
                Some(Lent::Event(_)) => {}
                None => return Ok(false),
            }
        }
    }

    /// Writes what was queued in reply to a message that was lent, unless there is another to be answered with it.
    pub(crate) fn write_replies(&mut self) {
        self.driver.let_go();
        self.driver.connection.let_go();
        let waits = !self.driver.is_flushed() && self.defers() || self.leaves_replies();
        if !waits {
            // Nobody waits for this in vain: what the peer does not take soon is the attendant's, or else the next call's.
            if !self.driver.has_ended() {
                _ = self.write_before_reading();
            }
            self.leave_to_attendant();
            self.driver.connection.park();
        }
    }

    /// Leaves what was queued in reply to a message that was lent to the attendant, if there is one: whoever had the
    /// message panics, and the stream might too.
    pub(crate) fn leave_replies(&mut self) {
        if self.is_at_rest() {
            self.driver.let_go();
            self.driver.connection.let_go();
            self.leave_to_attendant();
        }
    }

    fn leave_to_attendant(&mut self) {
        if !self.driver.is_flushed()
            && self.is_attended
            && self.driver.connection.write_timeout().is_some()
            && attendant::is_there()
        {
            self.driver.defer();
        }
    }

    /// Queues a message when there is room.
    pub(crate) fn feed(
        &mut self,
        queue: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.make_room()?;
        queue(&mut self.driver.connection).map_err(|error| self.driver.refused(error))
    }

    /// The same, and writes it. While more of what the peer sent is there to be answered it is left to the next call to
    /// write: then the answers leave together.
    pub(crate) fn send(
        &mut self,
        queue: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        self.feed(queue)?;
        match self.defers() {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Puts off the writing of what was sent, if that may be and there is something to write.
    fn defers(&mut self) -> bool {
        let defers = self.is_attended && self.driver.may_defer() && attendant::is_there();
        if defers {
            self.driver.defer();
        }
        defers
    }

    /// Where nobody writes what is put off, replies to messages that were lent wait for the next call all the same.
    fn leaves_replies(&self) -> bool {
        let connection = &self.driver.connection;
        connection.has_frame_waiting() && !connection.wants_flush()
    }

    /// Writes what was put off by an owner who is busy elsewhere, as far as the peer takes it soon.
    /// It ends when the owner `is_back`.
    pub(crate) fn write_for_owner(&mut self, is_back: impl Fn() -> bool) {
        // As long as its owner waits at first: to change the timeout of a stream takes a system call.
        self.write_for_a_moment(WRITE_PATIENCE, is_back);
    }

    /// The same for a peer that is slow, for a while; whether to go on.
    pub(crate) fn follow_up(&mut self) -> bool {
        let goes_on = match self.write(Some(WRITE_RETRY)) {
            Written::Some => true,
            Written::Stalled(_) => {
                // The peer may be writing too. And there is a deadline.
                self.listen();
                true
            }
            // What the stream does not wait for is for those who know when it is ready.
            Written::All | Written::Failed(_) | Written::Refused(_) => false,
        };
        self.is_slow &= !self.driver.is_flushed();
        goes_on && self.driver.is_owing()
    }

    /// The attendant is not to wait for the end of an operation that may last.
    fn is_about_to_wait(&self) {
        if let Some(listing) = &self.listing {
            listing.owner_waits();
        }
    }

    /// Drops what still arrives, until the end.
    pub(crate) fn drain(&mut self) -> Result<(), Error> {
        loop {
            // The closing handshake has a deadline of its own.
            let bearable = match self.driver.deadline() {
                Some(_) => None,
                None => self.read_timeout,
            };
            if self.next_within(Silence::new(bearable))?.is_none() {
                return Ok(());
            }
        }
    }

    fn next_within(&mut self, mut silence: Silence) -> Result<Option<Lent>, Error> {
        loop {
            if let Some(event) = self.driver.next_lent() {
                match event {
                    // There are no others.
                    Lent::Event(Event::Part) => continue,
                    // A Pong does not wait until the application, which may be busy with this message, calls again.
                    Lent::Message | Lent::Event(Event::Chunk(_)) => self.answer(),
                    Lent::Event(_) => {}
                }
                return Ok(Some(event));
            }
            self.is_about_to_wait();
            let left = self.write_before_reading();
            if self.driver.is_finished() {
                return self.driver.take_failure().map(|()| None);
            }
            if self.driver.handle_timeout() {
                continue;
            }
            match left {
                Some(Written::Stalled(error) | Written::Refused(error))
                    if self.driver.has_ended() =>
                {
                    self.wait_ended(error)?;
                }
                left => self.read(left.map(|left| left.retry()), &mut silence)?,
            }
        }
    }

    /// Writes what answers owe. What the peer does not take stays queued; the next call goes on.
    pub(crate) fn answer(&mut self) {
        if self.driver.owes_answer() {
            _ = self.write_before_reading();
        }
    }

    /// Writes everything that is queued. While the peer takes nothing, and now and then, this reads too: two peers that
    /// both write must not wait for each other, and who sends for long must hear Pings and the peer's Close.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.write_queued()?;
        if self.driver.should_listen() {
            self.listen();
            if self.driver.job().is_some() {
                // What was to be sent is written. Whether this is too, the next call will find out.
                _ = self.write_queued();
            }
        }
        Ok(())
    }

    /// Writes what waits, if it is much. Where that would block there may be room for more all the same.
    pub(crate) fn make_room(&mut self) -> Result<(), Error> {
        if !self.driver.connection.has_room() {
            match self.write_queued() {
                Err(Error::Io(error)) if is_timeout(&error) => {}
                flushed => return flushed,
            }
        }
        Ok(())
    }

    /// Queues a message if that needs no wait, and writes what can be written at once.
    pub(crate) fn try_send(&mut self, message: Message, compress: Compress) -> Result<(), Unsent> {
        if !self.driver.connection.has_room() {
            self.write_briefly();
        }
        let connection = &mut self.driver.connection;
        if !connection.has_room() && connection.state() == State::Open {
            let error = SendError::BufferFull;
            return Err(Unsent { error, message });
        }
        connection.send_with(message, compress)?;
        self.write_briefly();
        Ok(())
    }

    /// Writes what the stream takes at once.
    pub(crate) fn write_briefly(&mut self) {
        if self.is_timed() {
            // What it does not take stays queued.
            self.write_for_a_moment(SHORTEST_WAIT, || false);
        }
    }

    /// Writes as long as the peer takes something within `patience`, but for a moment at most in all: one that takes a byte
    /// now and then is not to be waited for.
    fn write_for_a_moment(&mut self, patience: Duration, is_enough: impl Fn() -> bool) {
        let until = now() + WRITE_PATIENCE;
        while matches!(self.write(Some(patience)), Written::Some)
            && !is_enough()
            // If there is nothing left but to flush, this thread was kept waiting, and not by the peer.
            && (now() < until || self.driver.job() != Some(Job::Write))
        {}
    }

    fn write_queued(&mut self) -> Result<(), Error> {
        self.is_about_to_wait();
        // Always the same at first: to change the timeout of a stream takes a system call.
        let own = self.stream.own_write_timeout;
        let first = own.map_or(WRITE_PATIENCE, |own| own.min(WRITE_PATIENCE));
        let mut patience = first;
        let mut stalled_since = None;
        loop {
            let written = match self.is_timed() {
                true => self.write(Some(patience)),
                false => self.write(None),
            };
            match written {
                Written::All => return self.driver.tell_lost().map_or(Ok(()), Err),
                Written::Some => {
                    stalled_since = None;
                    if self.driver.should_listen() {
                        self.listen();
                    }
                }
                Written::Failed(error) => {
                    // In its own words.
                    _ = self.driver.tell_lost();
                    return Err(Error::Io(error));
                }
                Written::Refused(error) => return Err(Error::Io(error)),
                Written::Stalled(error) => {
                    let since = *stalled_since.get_or_insert_with(|| now() - patience);
                    if own.is_some_and(|own| was_wait_until(since.checked_add(own))) {
                        return Err(Error::Io(error));
                    }
                    // The peer may be writing too, and take more when it has been heard.
                    patience = match self.listen() {
                        true => first,
                        false => (patience * 2)
                            .min(own.unwrap_or(LOOK_AROUND))
                            .min(LOOK_AROUND),
                    };
                }
            }
        }
    }

    /// Reads for a moment, keeps what comes for later, and does what is due. Tells whether something came.
    fn listen(&mut self) -> bool {
        self.driver.keep_events();
        let mut heard = false;
        let deadline = self.driver.deadline();
        if self.is_timed() && !self.driver.has_ended() && self.driver.has_room_ahead() {
            match self.read_once(Some(now() + SHORTEST_WAIT), None) {
                Ok(()) => heard = true,
                Err(error) if is_timeout(&error) => {}
                Err(error) => self.driver.read_failed(error),
            }
        }
        self.driver.listened();
        self.driver.waited_until(deadline);
        self.driver.keep_events();
        if self.driver.handle_timeout_aside() {
            self.driver.keep_events();
        }
        heard
    }

    /// Whether waits can be bounded.
    pub(crate) fn is_timed(&self) -> bool {
        self.stream.stream.has_timeouts()
    }

    /// Writes what is queued and shuts the write side down when it is time, for a moment if the peer takes it now and then.
    /// Gives what has kept it from that: what the peer does not take stays queued.
    fn write_before_reading(&mut self) -> Option<Written> {
        let timeout = match self.driver.has_ended() {
            // There is nothing to read meanwhile.
            true => remaining(self.driver.deadline()),
            false => Some(WRITE_PATIENCE),
        };
        let mut until = None;
        while let Some(job) = self.driver.job() {
            // Mostly one write takes everything, and nobody need look at the clock.
            if job == Job::Write && has_passed(until) && !self.driver.has_ended() {
                return Some(Written::Some);
            }
            match self.perform(job, timeout) {
                Written::Some => {}
                // Reading goes on: the peer may have closed the connection properly before it left.
                Written::All | Written::Failed(_) => return None,
                left => return Some(left),
            }
            if until.is_none() && !self.driver.connection.is_flushed() {
                until = Some(now() + WRITE_PATIENCE);
            }
        }
        None
    }

    /// One attempt to write what is owed, waiting for `patience` at most.
    fn write(&mut self, patience: Option<Duration>) -> Written {
        match self.driver.job() {
            Some(job) => self.perform(job, patience),
            None => Written::All,
        }
    }

    /// Does this, waiting for `patience` at most.
    fn perform(&mut self, job: Job, patience: Option<Duration>) -> Written {
        let mut patience = patience.or(self.stream.own_write_timeout);
        if self.driver.connection.state() != State::Open {
            // A peer that takes a byte now and then must not outrun the closing handshake's deadline.
            let deadline = self.driver.deadline();
            if has_passed(deadline) {
                self.driver.waited_until(deadline);
                return Written::Stalled(io::ErrorKind::TimedOut.into());
            }
            if let Some(left) = remaining(deadline) {
                patience = Some(patience.map_or(left, |patience| patience.min(left)));
            }
        }
        let until = patience.and_then(|patience| now().checked_add(patience));
        let performed = match job {
            Job::Write => wait_out_until(until, || self.write_chunks(patience)),
            Job::Flush => self.stream.flush().map(|()| 0),
            Job::ShutDown => {
                let shut_down = self.stream.stream.shutdown_write();
                self.driver.shut_down(shut_down);
                return Written::Some;
            }
        };
        match performed {
            Ok(count) if job == Job::Write => self.driver.wrote(count),
            Ok(_) => self.driver.flushed(),
            Err(error) if is_timeout(&error) => {
                return match was_wait_until(until) {
                    true => Written::Stalled(error),
                    false => Written::Refused(error),
                };
            }
            Err(error) => {
                self.driver.write_failed(error.kind().into());
                return Written::Failed(error);
            }
        }
        Written::Some
    }

    fn write_chunks(&mut self, patience: Option<Duration>) -> io::Result<usize> {
        self.stream.before_write(patience)?;
        let vectored = self.stream.stream.writes_vectored();
        let transmit = self.driver.connection.transmit();
        loop {
            // Most writes are one chunk, and need no array of them.
            let written = if vectored && transmit.chunk().len() < transmit.remaining() {
                let mut chunks = [IoSlice::new(&[]); MAX_CHUNKS];
                let filled = transmit.chunks_vectored(&mut chunks);
                self.stream.stream.write_vectored(&chunks[..filled])
            } else {
                self.stream.stream.write(transmit.chunk())
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    /// Reads once. If something is left to be written, it waits only until that is to be tried again.
    fn read(&mut self, retry: Option<Duration>, silence: &mut Silence) -> Result<(), Error> {
        let deadline = self.driver.deadline();
        let until = earlier(deadline, retry.map(|retry| now() + retry));
        match self.read_once(until, silence.left()) {
            Ok(()) => silence.end(),
            Err(error) if is_timeout(&error) && was_wait_until(until) && !silence.is_over() => {}
            // The stream does not block, or the caller waits no longer.
            Err(error) if is_timeout(&error) => return Err(Error::Io(error)),
            Err(error) => self.driver.read_failed(error),
        }
        self.driver.waited_until(deadline);
        Ok(())
    }

    /// Reads once, waiting until then at most and for as long as the caller has `patience`: the rest of a large frame into
    /// that frame's own memory, anything else into the buffer for all.
    fn read_once(&mut self, until: Option<Instant>, patience: Option<Duration>) -> io::Result<()> {
        // The wait may be long: a partial frame keeps what it needs and no more.
        self.driver.connection.park();
        let limit = self.driver.read_limit();
        let connection = &mut self.driver.connection;
        let stream = &mut self.stream;
        let read = if let Some(payload) = connection.payload_buffer() {
            self.buffer
                .read_into(payload, stream, until, patience, limit)
        } else {
            // The beginning of a frame that the last read ended with goes in front of what comes.
            let carry = |buffer: &mut Vec<u8>| connection.carry_into(buffer);
            let (read, received) = self.buffer.read(stream, until, patience, limit, carry);
            if !received.is_empty() {
                connection.handle_received(received);
            }
            if read.is_err() {
                connection.park();
            }
            read
        };
        read.map(|count| self.driver.received(count))
    }

    /// There was nothing to wait for but room to write, and there is none.
    fn wait_ended(&mut self, error: io::Error) -> Result<(), Error> {
        let deadline = self.driver.deadline();
        self.driver.waited_until(deadline);
        if was_wait_until(deadline) {
            Ok(())
        } else {
            Err(Error::Io(error))
        }
    }
}
