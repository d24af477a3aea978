//! A connection, and what its binding has to remember about it.
//!
//! Nothing here knows a stream, a thread or a lock. Two drive it: [`WebSocket`](crate::WebSocket) over one stream, and
//! after `split` whichever half is at work.

use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use ws_proto::{CloseCode, Connection, Event, ProtocolError, SendError};

use crate::Error;
use crate::sync::now;
use crate::timed::has_passed;

/// How long `recv` waits for the peer to take what is queued before it goes on reading.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_millis(5);

/// How long `recv` waits for input before it looks again whether the peer takes what is queued.
pub(crate) const WRITE_RETRY: Duration = Duration::from_millis(20);

/// What drives a connection, whoever holds it.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) connection: Connection,
    opened: Instant,
    /// Whether the write side has been shut down.
    shut_down: bool,
    /// Whether the peer has ended its side: there is nothing more to read.
    ended: bool,
    /// A deadline has passed. What had arrived by then is looked at first.
    due: bool,
    /// Bytes were written that the stream may still hold back.
    unflushed: bool,
    /// A Pong or a Close is owed; it goes out before the application, which may take its time, gets to see more.
    owes_answer: bool,
    /// The first error of the transport: why the connection was lost, if it was.
    transport_error: Option<io::Error>,
    /// Why the connection is over, to be reported once its end has been carried out.
    failure: Option<Error>,
    /// The same for whoever asks later.
    cause: Option<Cause>,
    /// Why nothing can be written any more.
    unwritable: Option<io::ErrorKind>,
}

/// What the stream has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Write what [`Connection::transmit`] holds.
    Write,
    /// Pass on what it holds back.
    Flush,
    /// Shut its write side down.
    ShutDown,
}

/// What ended a connection, to be told more than once.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Io(io::ErrorKind),
    Protocol(ProtocolError),
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Io(kind) => Self::Io(kind.into()),
            Cause::Protocol(error) => Self::Protocol(error),
        }
    }
}

impl Driver {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            opened: now(),
            shut_down: false,
            ended: false,
            due: false,
            unflushed: false,
            owes_answer: false,
            transport_error: None,
            failure: None,
            cause: None,
            unwritable: None,
        }
    }

    /// Begins the closing handshake, or finds it begun.
    pub(crate) fn begin_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        match self.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => Ok(()),
            Err(error) => Err(Error::Send(error)),
        }
    }

    /// The next event of what has arrived.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        match self.connection.poll_event() {
            Ok(event) => {
                if let Some(Event::Ping(_) | Event::Closed(_)) = event {
                    self.owes_answer = true;
                }
                event
            }
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// Whether an answer is owed that should go out before the application, which may be busy with `event` for long,
    /// gets to see it.
    pub(crate) const fn owes_answer(&self) -> bool {
        self.owes_answer
    }

    /// What the stream has to do, if anything.
    pub(crate) fn job(&mut self) -> Option<Job> {
        if self.connection.transmit().has_remaining() {
            return Some(Job::Write);
        }
        if self.unflushed {
            return Some(Job::Flush);
        }
        self.owes_answer = false;
        (!self.shut_down && self.connection.wants_shutdown()).then_some(Job::ShutDown)
    }

    /// Notes that so many bytes were written.
    pub(crate) fn wrote(&mut self, count: usize) {
        self.connection.transmit().advance(count);
        self.unflushed = true;
    }

    /// Notes that the stream holds nothing back.
    pub(crate) const fn flushed(&mut self) {
        self.unflushed = false;
    }

    /// Notes how shutting the write side down went.
    pub(crate) fn shut_down(&mut self, result: io::Result<()>) {
        self.shut_down = true;
        if result.is_err() {
            // The peer will only learn of the end when the stream is dropped: to wait for its end would be to wait
            // for each other.
            self.end();
        }
    }

    /// Notes that nothing can be written any more. Reading goes on: the peer may have closed the connection properly
    /// before it left.
    pub(crate) fn write_failed(&mut self, error: io::Error) {
        self.unwritable = Some(error.kind());
        self.transport_error.get_or_insert(error);
        self.unflushed = false;
        self.connection.handle_write_failed();
    }

    /// Hands over what was read.
    pub(crate) fn received(&mut self, received: &[u8]) {
        if received.is_empty() {
            self.end();
        } else if self.connection.prefers_receive_buffer() {
            self.connection.receive_buffer().extend_from_slice(received);
        } else {
            // As large as what was read: a message that is kept keeps nothing else.
            self.connection.handle_received(BytesMut::from(received));
        }
    }

    /// Notes that nothing can be read any more.
    pub(crate) fn read_failed(&mut self, error: io::Error) {
        self.transport_error.get_or_insert(error);
        self.end();
    }

    /// Whether there is nothing more to read.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next deadline of the connection.
    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        let deadline = self
            .connection
            .poll_timeout(now().saturating_duration_since(self.opened))?;
        self.opened.checked_add(deadline)
    }

    /// Notes that a wait until `deadline` is over.
    pub(crate) fn waited_until(&mut self, deadline: Option<Instant>) {
        self.due = has_passed(deadline);
    }

    /// Does what is due, if a deadline has passed.
    pub(crate) fn handle_timeout(&mut self) -> bool {
        let due = std::mem::take(&mut self.due);
        if due {
            self.connection
                .handle_timeout(now().saturating_duration_since(self.opened));
        }
        due
    }

    /// Whether the connection is over and its end has been carried out.
    pub(crate) fn is_finished(&self) -> bool {
        self.connection.is_finished()
    }

    /// Why a connection that is over has failed, if it has; told once.
    pub(crate) fn take_failure(&mut self) -> Result<(), Error> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn end(&mut self) {
        self.ended = true;
        self.connection.handle_eof();
    }

    fn fail(&mut self, error: ProtocolError) {
        let failure = self.blame(error);
        self.cause = Some(match &failure {
            Error::Io(error) => Cause::Io(error.kind()),
            _ => Cause::Protocol(error),
        });
        self.failure = Some(failure);
    }

    /// An error of the transport says more than the loss of the connection that follows from it.
    fn blame(&mut self, error: ProtocolError) -> Error {
        // A Close that could not be written is none that the peer failed to answer.
        let closing = self
            .connection
            .close_info()
            .is_some_and(|info| info.sent.is_some());
        match (error, self.transport_error.take()) {
            (ProtocolError::ConnectionLost, Some(transport)) => Error::Io(transport),
            (ProtocolError::CloseTimeout, Some(transport)) if !closing => Error::Io(transport),
            (error, _) => Error::Protocol(error),
        }
    }
}
