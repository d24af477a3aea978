//! A connection, and what its binding has to remember about it.
//!
//! Nothing here knows a stream, a thread or a lock. Two drive it: [`WebSocket`](crate::WebSocket) over one stream, and
//! after `split` whichever half is at work.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use ws_proto::{CloseCode, CloseInfo, Connection, Event, Lent, ProtocolError, SendError, State};

pub(crate) use self::sending::Last;
pub(crate) use self::transfer::Job;
use crate::Error;
use crate::sync::now;

mod deadline;
mod lending;
mod sending;
mod transfer;

/// Chunks handed to one vectored write.
pub(crate) const MAX_CHUNKS: usize = 64;

/// Control events kept for a receiver that is not there while somebody sends. A data message ends reading ahead
/// anyway.
const MAX_AHEAD: usize = 16;

/// Input of an unfinished message up to which reading ahead goes on. Beyond it the message waits in the transport, as
/// it would if nobody sent.
const MAX_AHEAD_PARTIAL: usize = 16 * 1024;

/// How long a thread that writes waits, at most, for the peer to take something before it looks around. Also how often a
/// thread that only sends reads.
pub(crate) const LOOK_AROUND: Duration = Duration::from_millis(250);

/// How long `recv` waits for the peer to take what is queued before it goes on reading.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_millis(5);

/// How long `recv` waits for input before it looks again whether the peer takes what is queued.
pub(crate) const WRITE_RETRY: Duration = Duration::from_millis(20);

/// Why a connection is over in one of whose threads the stream or a tap has panicked.
const PANICKED: &str = "a thread that was at work on the connection panicked";

/// What drives a connection, whoever holds it.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) connection: Connection,
    opened: Instant,
    /// What was read while somebody was sending.
    ahead: VecDeque<Event>,
    /// The first of these is a message that is lent.
    lends_ahead: bool,
    /// Nobody will ever take what arrives.
    deaf: bool,
    /// Whether anybody has read since a sender last asked.
    heard: bool,
    /// When a sender last read, or first found that nobody had.
    listened: Option<Instant>,
    turn: Turn,
    /// How often a message in fragments has gone on.
    fragments: u32,
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
    /// What was sent is queued with more to come, and its sender has gone on.
    is_deferred: bool,
    /// Whether somebody else has seen that.
    is_seen: bool,
    /// Up to where that is owed, if nobody will send any more.
    last: Option<Last>,
    /// Writing has failed while nobody was there to be told.
    is_untold: bool,
}

/// Whose turn it is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Free,
    /// A message is being sent in fragments; other messages wait until it is finished.
    Taken,
    /// Such a message was left unfinished, and no other can follow it.
    Forfeited,
}

const fn is_data(event: &Event) -> bool {
    matches!(event, Event::Message(_) | Event::Chunk(_))
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
            ahead: VecDeque::new(),
            lends_ahead: false,
            deaf: false,
            heard: false,
            listened: None,
            turn: Turn::Free,
            fragments: 0,
            shut_down: false,
            ended: false,
            due: false,
            unflushed: false,
            owes_answer: false,
            transport_error: None,
            failure: None,
            cause: None,
            unwritable: None,
            is_deferred: false,
            is_seen: false,
            last: None,
            is_untold: false,
        }
    }

    /// Begins the closing handshake, or finds it begun.
    pub(crate) fn begin_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        match self.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => Ok(()),
            Err(error) => Err(Error::Send(error)),
        }
    }

    /// From now on what arrives is read and dropped.
    pub(crate) fn stop_listening(&mut self) {
        self.deaf = true;
        self.ahead = VecDeque::new();
        self.lends_ahead = false;
    }

    /// The next event for the application, of what has arrived. [`Event::Part`] is none, but time for others.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.let_go();
        self.ahead.pop_front().or_else(|| self.poll_once())
    }

    /// Looks at what has arrived while the application is not there to take it: answers what there is to answer and
    /// keeps the rest, as far as there is room. Either everything has been looked at then, or something is kept.
    pub(crate) fn keep_events(&mut self) {
        while self.has_room_for_events()
            && let Some(event) = self.poll_event()
        {
            if !self.deaf {
                self.ahead.push_back(event);
            }
        }
    }

    /// How many events wait that were read ahead.
    pub(crate) fn events_ahead(&self) -> usize {
        self.ahead.len()
    }

    /// Whether reading may go on while the application is not there to take what arrives.
    pub(crate) fn has_room_ahead(&self) -> bool {
        self.has_room_for_events() && (self.deaf || self.connection.buffered() < MAX_AHEAD_PARTIAL)
    }

    fn has_room_for_events(&self) -> bool {
        self.deaf || self.ahead.len() < MAX_AHEAD && !self.ahead.iter().any(is_data)
    }

    fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.poll_once() {
                // Much is being decompressed, and a thread has nothing better to do.
                Some(Event::Part) => {}
                event => return event,
            }
        }
    }

    fn poll_once(&mut self) -> Option<Event> {
        match self.poll_lent()? {
            Lent::Message => self.connection.take_lent().map(Event::Message),
            Lent::Event(event) => Some(event),
        }
    }

    fn poll_lent(&mut self) -> Option<Lent> {
        match self.connection.poll_lent() {
            Ok(lent) => {
                match lent {
                    Some(Lent::Event(Event::Ping(_) | Event::Closed(_))) => self.owes_answer = true,
                    // The round trip ends here.
                    Some(Lent::Event(Event::Pong(_))) => {
                        self.connection.handle_timeout(self.elapsed());
                    }
                    _ => {}
                }
                lent
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

    /// Whether there is nothing more to read.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the connection is over and its end has been carried out.
    pub(crate) fn is_finished(&self) -> bool {
        self.connection.is_finished()
    }

    /// Why a connection that is over has failed, if it has; told once.
    pub(crate) fn take_failure(&mut self) -> Result<(), Error> {
        let failure = self.failure.take();
        // Nobody need hear of it twice.
        self.is_untold &= failure.is_none();
        failure.map_or(Ok(()), Err)
    }

    /// Begins to receive the next message in chunks, within a limit other than `Config::max_message_size` if one is
    /// given.
    pub(crate) fn begin_chunks(&mut self, max_size: Option<u64>) {
        self.let_go();
        // A message that was read ahead is there already, as one chunk.
        if !self.ahead.iter().any(is_data) {
            let max_size = max_size.unwrap_or(self.connection.max_message_size());
            self.connection.stream_message(max_size);
        }
    }

    /// The rest of the message that is being received in chunks is not wanted; if nothing of it was handed out, it comes
    /// whole.
    pub(crate) fn discard_message(&mut self) {
        self.ahead.retain(|event| !matches!(event, Event::Chunk(_)));
        self.connection.discard_message();
    }

    /// Ends the connection at once.
    pub(crate) fn abort(&mut self) {
        self.connection.abort();
        self.unwritable
            .get_or_insert(io::ErrorKind::ConnectionAborted);
    }

    /// Ends the connection because a thread has panicked that was at work on it.
    pub(crate) fn fail_by_panic(&mut self) {
        let kind = io::ErrorKind::Other;
        self.unwritable.get_or_insert(kind);
        if self.cause.is_none() {
            self.cause = Some(Cause::Io(kind));
            self.failure = Some(Error::Io(io::Error::other(PANICKED)));
        }
        self.lose();
        self.abort();
    }

    /// Why what was queued will never arrive, if so.
    fn lost(&self) -> Option<Error> {
        match (self.unwritable, self.cause) {
            (Some(kind), _) => Some(Error::Io(kind.into())),
            // The Close frame that says so goes out behind what was queued before it.
            (None, Some(Cause::Protocol(error)))
                if error.close_code().is_some() && !self.gave_up_writing() =>
            {
                None
            }
            (None, Some(cause)) => Some(cause.into()),
            (None, None) => self
                .gave_up_writing()
                .then_some(Error::Protocol(ProtocolError::CloseTimeout)),
        }
    }

    /// Whether the connection ended before our Close frame was written, and so perhaps what was queued before it.
    fn gave_up_writing(&self) -> bool {
        self.connection.state() == State::Closed
            && self
                .connection
                .close_info()
                .is_some_and(|info| info.sent.is_none())
    }

    /// How a connection that is over has ended.
    pub(crate) fn outcome(&self) -> Result<CloseInfo, Error> {
        match (self.cause, self.unwritable, self.connection.close_info()) {
            (Some(cause), ..) => Err(cause.into()),
            (None, Some(kind), Some(info)) if !info.clean => Err(Error::Io(kind.into())),
            (None, None, Some(_)) if self.gave_up_writing() => {
                Err(Error::Protocol(ProtocolError::CloseTimeout))
            }
            (None, _, Some(info)) => Ok(info),
            (None, _, None) => Err(Error::Protocol(ProtocolError::ConnectionLost)),
        }
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
        self.lose();
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
