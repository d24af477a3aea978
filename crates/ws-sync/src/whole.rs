//! A connection over one stream that does one thing at a time: read, write, wait, and nothing else.

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::Buf;
use ws_proto::{Event, State};

use crate::driver::{Driver, Job, MAX_CHUNKS, WRITE_PATIENCE, WRITE_RETRY};
use crate::read_buffer::ReadBuffer;
use crate::sync::now;
use crate::timed::{Timed, has_passed, is_timeout, remaining, was_wait_until};
use crate::{Error, Stream};

/// A connection and its stream, in one hand.
#[derive(Debug)]
pub(crate) struct Whole<S> {
    pub(crate) driver: Driver,
    buffer: ReadBuffer,
    pub(crate) stream: Timed<S>,
}

impl<S: Stream> Whole<S> {
    pub(crate) fn new(driver: Driver, stream: Timed<S>) -> Self {
        Self {
            driver,
            buffer: ReadBuffer::default(),
            stream,
        }
    }

    /// The next event for the application; `None` at the end.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.driver.next_event() {
                // A Pong does not wait until the application, which may be busy with this message, calls again.
                if matches!(event, Event::Message(_)) {
                    self.answer();
                }
                return Ok(Some(event));
            }
            let stalled = self.write_before_reading().err();
            if self.driver.is_finished() {
                return self.driver.take_failure().map(|()| None);
            }
            if self.driver.handle_timeout() {
                continue;
            }
            match stalled {
                Some(error) if self.driver.has_ended() => self.wait_ended(error)?,
                stalled => self.read(stalled.is_some())?,
            }
        }
    }

    /// Writes what answers owe. What the peer does not take stays queued; the next call goes on.
    pub(crate) fn answer(&mut self) {
        if self.driver.owes_answer() {
            _ = self.write_before_reading();
        }
    }

    /// Writes everything that is queued.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let timeout = match self.driver.connection.state() {
            State::Open => None,
            State::Closing | State::Closed => remaining(self.driver.deadline()),
        };
        self.write(timeout).map_err(|error| {
            if !is_timeout(&error) {
                self.driver.write_failed(error.kind().into());
            }
            Error::Io(error)
        })
    }

    /// Writes what waits, if it is much. Where that would block there may be room for more all the same.
    pub(crate) fn make_room(&mut self) -> Result<(), Error> {
        if self.driver.connection.wants_flush() {
            match self.flush() {
                Err(Error::Io(error)) if is_timeout(&error) => {}
                flushed => return flushed,
            }
        }
        Ok(())
    }

    /// Writes what is queued and shuts the write side down when it is time. Fails only if the peer does not take what
    /// is queued; it stays queued then.
    fn write_before_reading(&mut self) -> io::Result<()> {
        let timeout = match self.driver.has_ended() {
            // There is nothing to read meanwhile.
            true => remaining(self.driver.deadline()),
            false => Some(WRITE_PATIENCE),
        };
        match self.write(timeout) {
            Err(error) if is_timeout(&error) => return Err(error),
            Err(error) => self.driver.write_failed(error),
            Ok(()) => {}
        }
        if self.driver.job() == Some(Job::ShutDown) {
            self.driver.shut_down(self.stream.stream.shutdown_write());
        }
        Ok(())
    }

    /// Writes what is queued, waiting `timeout` at most for each piece.
    fn write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let vectored = self.stream.stream.writes_vectored();
        loop {
            match self.driver.job() {
                Some(Job::Write) => {}
                Some(Job::Flush) => {
                    self.stream.flush()?;
                    self.driver.flushed();
                    continue;
                }
                Some(Job::ShutDown) | None => return Ok(()),
            }
            // A peer that takes a byte now and then must not outrun the closing handshake's deadline.
            let is_open = self.driver.connection.state() == State::Open;
            if !is_open && has_passed(self.driver.deadline()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.before_write(timeout)?;
            let transmit = self.driver.connection.transmit();
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
                Ok(written) => self.driver.wrote(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads once. If writing has `stalled`, it waits only until that is to be tried again.
    fn read(&mut self, stalled: bool) -> Result<(), Error> {
        // The wait may be long: a partial frame keeps what it needs and no more.
        self.driver.connection.park();
        let deadline = self.driver.deadline();
        let mut until = deadline;
        if stalled {
            let retry = now() + WRITE_RETRY;
            until = Some(deadline.map_or(retry, |deadline| deadline.min(retry)));
        }
        match self.buffer.read(&mut self.stream, until) {
            Ok(received) => self.driver.received(received),
            Err(error) if is_timeout(&error) && was_wait_until(until) => {}
            // The stream does not block, or has timeouts of its own.
            Err(error) if is_timeout(&error) => return Err(Error::Io(error)),
            Err(error) => self.driver.read_failed(error),
        }
        self.driver.waited_until(deadline);
        Ok(())
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
