//! A connection and its stream: read, write, wait, and nothing else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use ws_proto::{
    Chunk, CloseCode, CloseInfo, Connection, Event, Lent, ProtocolError, SendError, State,
    TappedFrame,
};

use self::deadline::Deadline;
use crate::Error;
use crate::deferred::Owner;

mod deadline;
mod lending;
mod sending;
mod transfer;

/// Events and reads between two visits to the runtime. A peer that fills a read buffer with the smallest frames, or a
/// stream that is always ready, would otherwise keep its task on the thread for as long as it likes.
const MAX_BURST: u16 = 256;

/// Control events kept for a receiver that is not there while somebody sends. A data message ends reading ahead
/// anyway.
const MAX_AHEAD: usize = 16;

/// Input of an unfinished message up to which reading ahead goes on. Beyond it the message waits in the transport, as
/// it would if nobody sent.
const MAX_AHEAD_PARTIAL: usize = 16 * 1024;

/// What drives a connection, whoever holds it.
#[derive(Debug)]
pub(crate) struct Driver<S> {
    pub(crate) connection: Connection,
    pub(crate) stream: S,
    opened: Instant,
    deadline: Deadline,
    /// What was read while somebody was sending.
    ahead: Vec<Event>,
    /// The first of these is a message that is lent.
    lends_ahead: bool,
    /// The next message was asked for in chunks, and may yet be asked for whole: until its beginning is handed out
    /// nobody else may take it apart.
    reader_waits: bool,
    /// Nobody will ever take what arrives.
    deaf: bool,
    /// Whether the last read was pending, so that the stream wakes whoever waits.
    promised: bool,
    /// Whether a sender sleeps until it does.
    relied: bool,
    /// Whether somebody has listened since the last flush; a fresh connection has heard everything there is.
    listened: bool,
    /// Whether replies come from other tasks: these run once before input that ends the connection is looked at, for a
    /// request and a Close often arrive together.
    pub(crate) yields_to_replies: bool,
    /// Whether the task has gone on without a pause since it was given a message.
    delivered: bool,
    turn: Turn,
    /// How often a message in fragments has gone on.
    fragments: u32,
    /// Whether the write side has been shut down.
    shut_down: bool,
    /// Whether the peer has ended its side: there is nothing more to read.
    ended: bool,
    /// A deadline has passed. What had arrived by then is looked at first.
    due: bool,
    /// A long message has been compressed for long enough; the rest of it waits for the next turn of this task.
    rests: bool,
    /// Bytes were written that the stream may still hold back.
    unflushed: bool,
    /// Our Close frame, and so all data, was written and flushed.
    data_is_out: bool,
    /// What is queued was fed and not sent: whoever did that says when it is written.
    pub(crate) is_fed: bool,
    /// Something was sent that is to be written with what is sent next.
    is_deferred: bool,
    /// A task is about to write what nobody else does.
    pub(crate) has_writer: bool,
    /// It could not, and whoever sends next is to learn why.
    is_untold: bool,
    /// A polled form was pending, and the stream has its waker until somebody else polls it.
    pub(crate) waiting: Option<Box<Waker>>,
    /// Whether the tap is at work.
    is_tapped: Option<Arc<AtomicBool>>,
    /// What becomes of this when its owner, if it has one, is dropped.
    pub(crate) let_go: Option<fn(&mut Owner<S>)>,
    /// A Pong or a Close is owed; it goes out before the application, which may take its time, gets to see more.
    owes_answer: bool,
    burst: u16,
    /// The first error of the transport: why the connection was lost, if it was.
    transport_error: Option<io::Error>,
    /// Why the connection failed. The receiver is told once its end has been carried out, whoever asks later at once.
    cause: Option<Cause>,
    /// Whether the receiver is yet to be told.
    unreported: bool,
    /// Why nothing can be written any more.
    unwritable: Option<io::ErrorKind>,
}

/// What a task may be waiting for that waits for the connection. Two values differ whenever a task that waited at the
/// first should look again at the second.
pub(crate) type Outlook = (State, bool, bool, bool, bool, bool, bool, usize, bool);

/// Why a connection is over in one of whose tasks the stream or a tap has panicked.
const PANICKED: &str = "a task that was at work on the connection panicked";

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

impl<S> Driver<S> {
    pub(crate) fn new(connection: Connection, stream: S) -> Self {
        Self {
            connection,
            stream,
            opened: Instant::now(),
            deadline: Deadline::default(),
            ahead: Vec::new(),
            lends_ahead: false,
            reader_waits: false,
            deaf: false,
            promised: false,
            relied: false,
            listened: true,
            yields_to_replies: false,
            delivered: false,
            turn: Turn::Free,
            fragments: 0,
            shut_down: false,
            ended: false,
            due: false,
            rests: false,
            unflushed: false,
            data_is_out: false,
            is_fed: false,
            is_deferred: false,
            has_writer: false,
            waiting: None,
            is_tapped: None,
            let_go: None,
            is_untold: false,
            owes_answer: false,
            burst: 0,
            transport_error: None,
            cause: None,
            unreported: false,
            unwritable: None,
        }
    }

    /// The same connection over another face of its stream.
    pub(crate) fn map_stream<T>(self, face: impl FnOnce(S) -> T) -> Driver<T> {
        Driver {
            connection: self.connection,
            stream: face(self.stream),
            opened: self.opened,
            deadline: self.deadline,
            ahead: self.ahead,
            lends_ahead: self.lends_ahead,
            reader_waits: self.reader_waits,
            deaf: self.deaf,
            promised: self.promised,
            relied: self.relied,
            listened: self.listened,
            yields_to_replies: self.yields_to_replies,
            delivered: self.delivered,
            turn: self.turn,
            fragments: self.fragments,
            shut_down: self.shut_down,
            ended: self.ended,
            due: self.due,
            rests: self.rests,
            unflushed: self.unflushed,
            data_is_out: self.data_is_out,
            is_fed: self.is_fed,
            is_deferred: self.is_deferred,
            has_writer: self.has_writer,
            waiting: None,
            is_tapped: self.is_tapped,
            let_go: None,
            is_untold: self.is_untold,
            owes_answer: self.owes_answer,
            burst: self.burst,
            transport_error: self.transport_error,
            cause: self.cause,
            unreported: self.unreported,
            unwritable: self.unwritable,
        }
    }

    /// From now on what arrives is read and dropped.
    pub(crate) fn stop_listening(&mut self) {
        self.deaf = true;
        self.ahead = Vec::new();
        self.lends_ahead = false;
    }

    pub(crate) fn set_tap(&mut self, mut tap: impl FnMut(&TappedFrame) + Send + Sync + 'static) {
        let is_tapped = Arc::<AtomicBool>::default();
        self.is_tapped = Some(Arc::clone(&is_tapped));
        self.connection
            .set_tap(Some(Box::new(move |frame: &TappedFrame| {
                is_tapped.store(true, Ordering::Relaxed);
                tap(frame);
                // It stays so when the tap panics.
                is_tapped.store(false, Ordering::Relaxed);
            })));
    }

    pub(crate) fn remove_tap(&mut self) {
        self.connection.set_tap(None);
        self.is_tapped = None;
    }

    /// Whether it is the tap that panics.
    pub(crate) fn is_tapped(&self) -> bool {
        let is_tapped = self.is_tapped.as_ref();
        is_tapped.is_some_and(|is_tapped| is_tapped.load(Ordering::Relaxed))
    }

    /// Wakes whoever waits in a form that is polled.
    pub(crate) fn wake_waiting(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// Begins the closing handshake, or finds it begun.
    pub(crate) fn begin_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.rests = false;
        self.is_fed = false;
        match self.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => Ok(()),
            Err(error) => Err(Error::Send(error)),
        }
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

    /// Ends the connection at once.
    pub(crate) fn abort(&mut self) {
        self.connection.abort();
        self.unwritable
            .get_or_insert(io::ErrorKind::ConnectionAborted);
    }

    /// Ends the connection because a task has panicked that was at work on it.
    pub(crate) fn fail_by_panic(&mut self) {
        let kind = io::ErrorKind::Other;
        self.lose();
        self.unwritable.get_or_insert(kind);
        self.unflushed = false;
        self.is_deferred = false;
        if self.cause.is_none() {
            self.cause = Some(Cause::Io(kind));
            self.transport_error = Some(io::Error::other(PANICKED));
            self.unreported = true;
        }
        self.abort();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// The next event for the application; `None` at the end.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event>, Error>> {
        self.listened = true;
        self.rests = false;
        self.let_go();
        if !self.ahead.is_empty() {
            // They are few.
            let event = self.ahead.remove(0);
            return Poll::Ready(Ok(Some(event)));
        }
        let event = ready!(self.poll_drive(cx, usize::MAX)).and_then(|event| self.own(event));
        Poll::Ready(match event {
            Some(event) => Ok(Some(event)),
            None => self.report().map_or(Ok(None), Err),
        })
    }

    /// An event for whoever keeps it.
    fn own(&mut self, event: Lent) -> Option<Event> {
        match event {
            Lent::Event(event) => Some(event),
            Lent::Message => self.connection.take_lent().map(Event::Message),
        }
    }

    /// The next event, when what it obliges this end to send has been written.
    pub(crate) fn poll_event_answered(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event>, Error>> {
        let event = ready!(self.poll_event(cx));
        self.answer(cx);
        Poll::Ready(event)
    }

    /// The next chunk of the message that is being read, or of the next message if that is to `begin`, within a limit
    /// other than `Config::max_message_size` if one is given; `None` at the end of the connection.
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        begin: Option<Option<u64>>,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        // A message that was read ahead is there already, as one chunk.
        self.let_go();
        if let Some(max_size) = begin
            && !self.ahead.iter().any(is_data)
        {
            let max_size = max_size.unwrap_or(self.connection.max_message_size());
            self.connection.stream_message(max_size);
            self.reader_waits = true;
        }
        let chunk = loop {
            match ready!(self.poll_event(cx)) {
                Ok(Some(Event::Chunk(chunk))) => break Ok(Some(chunk)),
                Ok(Some(Event::Message(message))) => break Ok(Some(message.into())),
                Ok(Some(_)) => {}
                Ok(None) => break Ok(None),
                Err(error) => break Err(error),
            }
        };
        self.reader_waits = false;
        Poll::Ready(chunk)
    }

    /// Who waits for a chunk does not give it up: others may read it ahead.
    pub(crate) const fn reader_stays(&mut self) {
        self.reader_waits = false;
    }

    /// The rest of the message that is being read is not wanted; if nothing of it was handed out, it comes whole.
    pub(crate) fn discard_message(&mut self) {
        self.reader_waits = false;
        self.ahead.retain(|event| !matches!(event, Event::Chunk(_)));
        self.connection.discard_message();
    }

    /// Writes what answers owe before the application, which may take its time, looks at an event.
    #[inline]
    pub(crate) fn answer(&mut self, cx: &mut Context<'_>) {
        if self.owes_answer {
            self.write_and_shut_down(cx);
        }
    }

    /// Ready when the connection is over and its end has been carried out. What still arrives is for the receiver.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>, receiver_waits: bool) -> Poll<()> {
        self.rests = false;
        loop {
            self.write_and_shut_down(cx);
            if self.connection.is_finished() {
                return Poll::Ready(());
            }
            if self.poll_aside(cx, receiver_waits).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Does the receiver's work where it does not: ready when something has happened.
    fn poll_aside(&mut self, cx: &mut Context<'_>, receiver_waits: bool) -> Poll<()> {
        if receiver_waits || !self.has_room_for_events() {
            // The deadlines hold whoever reads.
            ready!(self.poll_deadline(cx));
            if !receiver_waits {
                // Nobody does: the answer to a Ping may lie behind what nobody takes.
                self.connection.excuse_silence();
            }
            self.connection.handle_timeout(self.opened.elapsed());
            if self.connection.is_overdue() {
                let event = self.next_event(cx);
                debug_assert!(event.is_none(), "a failure comes before what has arrived");
            }
            return Poll::Ready(());
        }
        let max_partial = match self.deaf {
            true => usize::MAX,
            false => MAX_AHEAD_PARTIAL,
        };
        let driven = self.poll_drive(cx, max_partial);
        self.relied = driven.is_pending() && self.promised;
        let driven = ready!(driven);
        if let Some(event) = driven.and_then(|event| self.own(event)) {
            self.keep(event);
            // It may have been the peer's Close, and nobody may come back.
            self.write_and_shut_down(cx);
        }
        Poll::Ready(())
    }

    /// Whether a sender that waits would read.
    pub(crate) fn may_read_ahead(&self) -> bool {
        let has_room = self.deaf || self.connection.buffered() < MAX_AHEAD_PARTIAL;
        has_room && self.has_room_for_events()
    }

    /// What others may be waiting for.
    pub(crate) fn outlook(&self) -> Outlook {
        (
            self.connection.state(),
            self.connection.is_finished(),
            self.connection.has_room(),
            self.connection.wants_flush(),
            self.connection.is_flushed(),
            self.unflushed,
            self.turn_is_taken(),
            self.ahead.len(),
            self.may_read_ahead(),
        )
    }

    /// Whether a sender sleeps for which the stream will do nothing, because it was read from since, and nobody has
    /// waited for it again. It has to be woken now.
    pub(crate) fn take_stranded(&mut self) -> bool {
        !self.promised && std::mem::take(&mut self.relied)
    }

    fn has_room_for_events(&self) -> bool {
        self.deaf
            || !self.reader_waits && self.ahead.len() < MAX_AHEAD && !self.ahead.iter().any(is_data)
    }

    fn keep(&mut self, event: Event) {
        if !self.deaf {
            self.ahead.push(event);
        }
    }

    /// An error of the transport says more than the loss of the connection that follows from it.
    fn blame(&self, error: ProtocolError) -> Cause {
        // A Close that could not be written is none that the peer failed to answer.
        let closing = self
            .connection
            .close_info()
            .is_some_and(|info| info.sent.is_some());
        match (error, &self.transport_error) {
            (ProtocolError::ConnectionLost, Some(transport)) => Cause::Io(transport.kind()),
            (ProtocolError::CloseTimeout, Some(transport)) if !closing => {
                Cause::Io(transport.kind())
            }
            (error, _) => Cause::Protocol(error),
        }
    }

    /// Why the connection failed, once, in the transport's own words where they are the cause.
    fn report(&mut self) -> Option<Error> {
        if !std::mem::take(&mut self.unreported) {
            return None;
        }
        let transport_error = self.transport_error.take();
        match (self.cause?, transport_error) {
            (Cause::Io(_), Some(error)) => Some(Error::Io(error)),
            (cause, _) => Some(cause.into()),
        }
    }

    /// The next event of what has arrived.
    fn next_event(&mut self, cx: &mut Context<'_>) -> Option<Lent> {
        match self.connection.poll_lent() {
            Ok(Some(event)) => {
                self.before_event(&event, cx);
                Some(event)
            }
            Ok(None) => None,
            Err(error) => {
                self.lose();
                self.cause = Some(self.blame(error));
                self.unreported = true;
                None
            }
        }
    }

    /// Everything that a connection does by itself, until there is an event or the end (`None`).
    #[inline]
    fn poll_drive(&mut self, cx: &mut Context<'_>, max_partial: usize) -> Poll<Option<Lent>> {
        match self.next_whole(cx) {
            true => Poll::Ready(Some(Lent::Message)),
            false => self.poll_drive_on(cx, max_partial),
        }
    }

    /// Whether the next event is a message that has come whole: in a burst of messages there is nothing else to do.
    #[inline(never)]
    fn next_whole(&mut self, cx: &mut Context<'_>) -> bool {
        let is_there = self.may_go_on() && self.connection.lend_whole();
        if is_there {
            self.answer(cx);
            self.note_event(true);
        }
        is_there
    }

    /// Whether others need not run first.
    #[inline]
    fn may_go_on(&self) -> bool {
        let replies_first = self.delivered && self.connection.is_about_to_end();
        self.burst < MAX_BURST && !replies_first
    }

    #[inline]
    const fn note_event(&mut self, is_message: bool) {
        self.burst += 1;
        self.delivered = self.yields_to_replies && is_message;
    }

    #[inline(never)]
    fn poll_drive_on(&mut self, cx: &mut Context<'_>, max_partial: usize) -> Poll<Option<Lent>> {
        loop {
            if !self.may_go_on() {
                self.due = self.due || self.poll_deadline(cx).is_ready();
                self.pause();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.connection.is_drained()
                && let Some(event) = self.next_event(cx)
            {
                if matches!(event, Lent::Event(Event::Part)) {
                    // A long message is being decompressed: others run before this goes on, and answers do not wait for it.
                    self.write_and_shut_down(cx);
                    self.burst = MAX_BURST;
                    continue;
                }
                self.note_event(matches!(event, Lent::Message));
                return Poll::Ready(Some(event));
            }
            if !self.is_quiet() {
                self.write_and_shut_down(cx);
                if self.connection.is_finished() {
                    self.deadline = Deadline::default();
                    return Poll::Ready(None);
                }
            }
            if std::mem::take(&mut self.due) {
                self.connection.handle_timeout(self.opened.elapsed());
                continue;
            }
            self.due = self.deadline.has_passed();
            // After the end there is nothing to wait for but room to write, and whoever makes room wakes this task.
            let read = if self.ended || self.connection.buffered() >= max_partial {
                Poll::Pending
            } else {
                self.poll_read(cx)
            };
            match read {
                Poll::Ready(Ok(0)) => self.end(),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    self.transport_error.get_or_insert(error);
                    self.end();
                }
                Poll::Pending => {
                    self.due = self.due || self.poll_deadline(cx).is_ready();
                    if !self.due {
                        self.pause();
                        return Poll::Pending;
                    }
                }
            }
            self.burst += 1;
        }
    }

    /// Others run before this goes on.
    const fn pause(&mut self) {
        self.burst = 0;
        self.delivered = false;
    }

    /// A Pong does not wait until the application, which may be busy with this message, calls again.
    fn before_event(&mut self, event: &Lent, cx: &mut Context<'_>) {
        let event = match event {
            Lent::Message => return self.answer(cx),
            Lent::Event(event) => event,
        };
        match event {
            // So many Pongs wait that the next one would have no room, while the peer may be reading.
            Event::Ping(_) if self.connection.wants_flush() => self.write_and_shut_down(cx),
            Event::Ping(_) | Event::Closed(_) => self.owes_answer = true,
            // The round trip ends here.
            Event::Pong(_) => self.connection.handle_timeout(self.opened.elapsed()),
            Event::Chunk(_) => self.answer(cx),
            _ => {}
        }
    }
}
