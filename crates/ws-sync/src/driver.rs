//! A connection, and what its binding has to remember about it.
//!
//! Nothing here knows a stream, a thread or a lock. Two drive it: [`WebSocket`](crate::WebSocket) over one stream, and
//! after `split` whichever half is at work.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use ws_proto::{
    CloseCode, CloseInfo, Compress, Connection, Detached, Event, FlushMark, Lent, Message,
    MessageKind, MessageRef, ProtocolError, Replies, SendError, State,
};

use crate::Error;
use crate::read_buffer::READ_MIN;
use crate::sync::now;
use crate::timed::has_passed;

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

/// What is owed at the end, when all who send have gone. What is queued later, Pongs above all, is owed to nobody: who
/// goes on asking for it is not to keep the connection.
#[derive(Debug)]
pub(crate) struct Last {
    mark: FlushMark,
    /// When it is given up.
    until: Option<Instant>,
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

    /// Whether what has just been sent may wait for what is sent next: as long as a frame that has arrived whole is yet
    /// to be looked at, and less than one write takes is queued. Without a deadline nobody could be left to write it.
    pub(crate) fn may_defer(&self) -> bool {
        (self.connection.has_frame_waiting() || self.ahead.iter().any(is_data))
            && !self.deaf
            && self.connection.write_timeout().is_some()
            && !self.connection.wants_flush()
    }

    /// Leaves what has been sent to the next call, or to somebody else if there is none soon.
    pub(crate) fn defer(&mut self) {
        if !self.is_owing() {
            self.is_deferred = true;
            self.is_seen = false;
        }
    }

    /// Whether something was put off and is not written yet.
    pub(crate) fn is_owing(&mut self) -> bool {
        self.is_deferred = self.is_deferred
            && !self.is_flushed()
            && self.unwritable.is_none()
            && !self.connection.is_finished()
            && !self.has_written_last();
        self.is_deferred
    }

    /// Whether something was put off, and was not written when that was last [asked](Self::is_owing).
    pub(crate) const fn has_deferred(&self) -> bool {
        self.is_deferred
    }

    /// Nobody will take what arrives, nor send any more.
    pub(crate) fn abandon(&mut self) {
        self.stop_listening();
        self.last = Some(self.last_owed());
    }

    fn has_written_last(&mut self) -> bool {
        let Some(mut last) = self.last.take() else {
            return false;
        };
        let has_written = self.has_written(&mut last);
        self.last = Some(last);
        has_written
    }

    /// What is owed if nobody sends any more.
    pub(crate) fn last_owed(&self) -> Last {
        let timeout = self.connection.write_timeout();
        Last {
            mark: self.connection.flush_mark(),
            until: timeout.and_then(|timeout| now().checked_add(timeout)),
        }
    }

    /// Whether that was written, or is given up.
    pub(crate) fn has_written(&self, last: &mut Last) -> bool {
        has_passed(last.until) || !self.unflushed && self.connection.is_written(&mut last.mark)
    }

    /// Whether nobody else has seen yet what was put off, before now.
    pub(crate) const fn is_unseen(&mut self) -> bool {
        !std::mem::replace(&mut self.is_seen, true)
    }

    /// Nothing more will be written. If something was put off, its sender has gone on, and somebody is to be told.
    fn lose(&mut self) {
        self.is_untold |= self.is_deferred;
    }

    /// The same for what others than its sender have tried to write.
    pub(crate) fn lose_for_others(&mut self) {
        self.is_untold = true;
    }

    /// Why nothing can be sent any more, if that was found out while nobody was there to be told.
    pub(crate) fn untold(&mut self) -> Option<Error> {
        match self.is_untold {
            true => self.tell_lost(),
            false => None,
        }
    }

    /// What to tell who was refused.
    pub(crate) fn refused(&mut self, error: SendError) -> Error {
        self.untold().unwrap_or(error.into())
    }

    /// Why what was queued will never arrive, if so, to be told to somebody.
    pub(crate) fn tell_lost(&mut self) -> Option<Error> {
        let lost = self.lost();
        // Nobody need hear of it twice.
        self.is_untold &= lost.is_none();
        lost
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

    /// The same, but a message stays where it is: [`lent`](Self::lent) shows it.
    pub(crate) fn next_lent(&mut self) -> Option<Lent> {
        self.let_go();
        if let Some(Event::Message(_)) = self.ahead.front() {
            self.lends_ahead = true;
            return Some(Lent::Message);
        }
        match self.ahead.pop_front() {
            Some(event) => Some(Lent::Event(event)),
            None => self.poll_lent(),
        }
    }

    /// The message that [`next_lent`](Self::next_lent) has found.
    pub(crate) fn lent(&self) -> Option<MessageRef<'_>> {
        match self.ahead.front() {
            Some(Event::Message(message)) if self.lends_ahead => Some(message.into()),
            _ => self.connection.lent(),
        }
    }

    /// The same, and the means to answer it.
    pub(crate) fn lent_with_replies(&mut self) -> Option<(MessageRef<'_>, Replies<'_>)> {
        match self.ahead.front() {
            Some(Event::Message(message)) if self.lends_ahead => {
                Some((message.into(), self.connection.replies()))
            }
            _ => self.connection.lent_with_replies(),
        }
    }

    /// The same, to keep.
    pub(crate) fn take_lent(&mut self) -> Option<Message> {
        if !self.lends_ahead {
            return self.connection.take_lent();
        }
        self.lends_ahead = false;
        match self.ahead.pop_front() {
            Some(Event::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// The message that was lent is done with.
    pub(crate) fn let_go(&mut self) {
        if std::mem::take(&mut self.lends_ahead) {
            self.ahead.pop_front();
        }
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

    /// What the stream has to do, if anything.
    pub(crate) fn job(&mut self) -> Option<Job> {
        if !self.connection.is_flushed() {
            return Some(Job::Write);
        }
        if self.unflushed {
            return Some(Job::Flush);
        }
        self.owes_answer = false;
        (!self.shut_down && self.connection.wants_shutdown()).then_some(Job::ShutDown)
    }

    /// Whether everything that could be written has been, and passed on.
    pub(crate) fn is_flushed(&self) -> bool {
        self.connection.is_flushed() && !self.unflushed
    }

    /// What one read takes at most.
    pub(crate) fn read_limit(&mut self) -> usize {
        if self.connection.unwritten().has_remaining() {
            // The peer does not take what it is owed. What it goes on sending is to cost little memory.
            READ_MIN
        } else if self.connection.prefers_receive_buffer() {
            // A large message is not to keep much of what comes behind it.
            let buffer = self.connection.receive_buffer();
            buffer.capacity().saturating_sub(buffer.len())
        } else {
            usize::MAX
        }
    }

    /// Notes that so many bytes were written.
    pub(crate) fn wrote(&mut self, count: usize) {
        self.connection.unwritten().advance(count);
        self.unflushed = true;
    }

    /// Notes that so many bytes of what was detached were written; `false` if they are owed no more.
    pub(crate) fn wrote_detached(&mut self, detached: &mut Detached, count: usize) -> bool {
        let was_owed = self
            .connection
            .unwritten()
            .advance_detached(detached, count);
        self.unflushed |= was_owed;
        was_owed
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
        self.lose();
        self.connection.handle_write_failed();
    }

    /// Notes how many bytes were read: none at the end of the stream.
    pub(crate) fn received(&mut self, count: usize) {
        self.heard = true;
        if count == 0 {
            self.end();
        }
    }

    /// Hands over what was read elsewhere.
    pub(crate) fn take_in(&mut self, received: BytesMut) {
        if self.connection.prefers_receive_buffer() {
            self.connection
                .receive_buffer()
                .extend_from_slice(&received);
        } else if !received.is_empty() {
            self.connection.handle_received(received);
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
        let deadline = self.connection.poll_timeout(self.elapsed())?;
        self.opened.checked_add(deadline)
    }

    /// Notes that a wait until `deadline` is over.
    pub(crate) fn waited_until(&mut self, deadline: Option<Instant>) {
        self.due |= has_passed(deadline);
    }

    /// Does what is due, if a deadline has passed, on behalf of an application that is not there to take what arrives.
    pub(crate) fn handle_timeout_aside(&mut self) -> bool {
        if self.due && !self.has_room_ahead() {
            // The answer to a Ping may lie behind what nobody takes.
            self.connection.excuse_silence();
        }
        self.handle_timeout()
    }

    /// Does what is due, if a deadline has passed.
    pub(crate) fn handle_timeout(&mut self) -> bool {
        let due = std::mem::take(&mut self.due);
        if due {
            let state = self.connection.state();
            self.connection.handle_timeout(self.elapsed());
            // The end is heard of by asking, also where there is no room for anything else.
            if self.connection.state() != state
                && let Some(event) = self.poll_event()
                && !self.deaf
            {
                self.ahead.push_back(event);
            }
        }
        due
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

    /// Whether somebody who only sends, or sends for long, should read: they must hear Pings and the peer's Close too.
    pub(crate) fn should_listen(&mut self) -> bool {
        if std::mem::take(&mut self.heard) {
            // Who answers what comes need not look at the clock.
            self.listened = None;
            return false;
        }
        let since = *self.listened.get_or_insert_with(now);
        has_passed(since.checked_add(LOOK_AROUND))
    }

    /// Notes that a sender has read.
    pub(crate) fn listened(&mut self) {
        self.heard = false;
        self.listened = Some(now());
    }

    /// Whether a message is being sent in fragments, and others have to wait for its end.
    pub(crate) fn turn_is_taken(&self) -> bool {
        self.turn == Turn::Taken && self.connection.state() == State::Open
    }

    /// Whether a message in fragments was left unfinished, so that no other can follow it.
    pub(crate) fn turn_is_forfeited(&self) -> bool {
        self.turn == Turn::Forfeited
    }

    /// Takes the turn to send a message in fragments, when nobody has it.
    pub(crate) fn take_turn(&mut self) -> Result<(), SendError> {
        match (self.connection.state(), self.turn) {
            (State::Open, Turn::Forfeited) => Err(SendError::MessageUnfinished),
            (State::Open, _) => {
                self.turn = Turn::Taken;
                Ok(())
            }
            _ => Err(SendError::Closed),
        }
    }

    /// Queues a fragment of the message whose turn it is.
    pub(crate) fn send_fragment(
        &mut self,
        kind: MessageKind,
        fragment: Bytes,
        fin: bool,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.connection
            .send_fragment_with(kind, fragment, fin, compress)?;
        self.fragments = self.fragments.wrapping_add(1);
        Ok(())
    }

    /// How often a message in fragments has gone on.
    pub(crate) const fn fragments(&self) -> u32 {
        self.fragments
    }

    /// Whether all else waits for the next fragment of a message that has not gone on since there were this many.
    pub(crate) fn is_held_up_since(&self, fragments: u32) -> bool {
        self.turn_is_taken() && self.fragments == fragments && self.connection.is_flushed()
    }

    /// Gives the turn back; `whole` is whether no message is left unfinished.
    pub(crate) fn end_turn(&mut self, whole: bool) {
        self.turn = match whole {
            true => Turn::Free,
            false => Turn::Forfeited,
        };
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

    fn elapsed(&self) -> Duration {
        now().saturating_duration_since(self.opened)
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
