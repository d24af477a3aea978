//! A stream during the opening handshake: one absolute deadline over everything.

use std::io;
use std::time::{Duration, Instant};

use ws_handshake::server::Rejection;

use crate::timed::{Timed, has_passed, is_timeout, was_wait_until};
use crate::{AcceptError, Stream};

/// What a buffer for a head begins with; heads are rarely longer.
const READ_SIZE: usize = 4 * 1024;

/// After a refusal this much more is read and thrown away, so that closing the transport does not reset it and
/// destroy the answer on its way to the client.
const DRAIN_LIMIT: usize = 1024 * 1024;

/// For that there is at least this much time, even if the deadline is nearer: a client that drips until the deadline is
/// to see why it was refused.
const DRAIN_TIME: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Exchange<S> {
    pub(crate) stream: Timed<S>,
    pub(crate) deadline: Option<Instant>,
    /// The deadline has passed, and what had arrived by then has been read.
    pub(crate) is_late: bool,
}

impl<S: Stream> Exchange<S> {
    pub(crate) fn new(stream: S, timeout: Option<Duration>) -> Self {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self {
            stream: Timed::new(stream),
            deadline,
            is_late: false,
        }
    }

    /// Appends what one read gives to `buffer`. A peer that always has another byte does not outrun the deadline.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if std::mem::replace(&mut self.is_late, has_passed(self.deadline)) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if buffer.len() == buffer.capacity() {
            buffer.reserve(READ_SIZE);
        }
        let read = self.stream.read(buffer, READ_SIZE, self.deadline);
        read.map_err(|error| self.explain(error))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream
            .write_all(bytes, self.deadline)
            .map_err(|error| self.explain(error))
    }

    pub(crate) fn refuse(&mut self, rejection: &Rejection) -> Result<(), AcceptError> {
        let mut response = Vec::new();
        rejection.encode(&mut response);
        self.respond(&response)
    }

    pub(crate) fn respond(&mut self, response: &[u8]) -> Result<(), AcceptError> {
        self.write(response).map_err(AcceptError::from_io)?;
        if self.stream.stream.shutdown_write().is_err() {
            // The client will only learn of the end when the stream is dropped, so there is no end of its to wait for.
            return Ok(());
        }
        let soonest = Instant::now() + DRAIN_TIME;
        let deadline = self.deadline.map(|deadline| deadline.max(soonest));
        let mut chunk = Vec::with_capacity(READ_SIZE);
        let mut drained = 0;
        while drained < DRAIN_LIMIT && !has_passed(deadline) {
            chunk.clear();
            match self.stream.read(&mut chunk, READ_SIZE, deadline) {
                Ok(count) if count > 0 => drained += count,
                // The answer is written; how the client leaves is its own affair.
                Ok(_) | Err(_) => break,
            }
        }
        Ok(())
    }

    /// Whether a failed read or write means that the deadline has passed.
    pub(crate) fn is_overdue(&self, error: &io::Error) -> bool {
        self.deadline.is_some() && error.kind() == io::ErrorKind::TimedOut
    }

    /// A wait that was cut short looks like a stream that does not block; only the time tells them apart.
    fn explain(&self, error: io::Error) -> io::Error {
        if is_timeout(&error) && was_wait_until(self.deadline) {
            return io::ErrorKind::TimedOut.into();
        }
        error
    }
}
