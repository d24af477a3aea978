//! A connection and its stream: read, write, wait, and nothing else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use ws_proto::{Connection, Event, State, TappedFrame};

use self::deadline::Deadline;
use self::ending::Cause;
use crate::deferred::Owner;

mod ahead;
mod deadline;
mod ending;
mod lending;
mod receiving;
mod sending;
mod transfer;

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

/// Whose turn it is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Free,
    /// A message is being sent in fragments; other messages wait until it is finished.
    Taken,
    /// Such a message was left unfinished, and no other can follow it.
    Forfeited,
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
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Driver<S> {
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
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::Driver;

    /// Almost all that a connection holds on to while it waits: 616 bytes of it are the [`Connection`](super::Connection).
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn what_drives_a_connection_stays_small() {
        let size = size_of::<Driver<TcpStream>>();
        assert!(size <= 800, "{size}");
    }
}
