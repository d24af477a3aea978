//! Whose turn it is to send, room to queue, and the wait until all is written.

use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{
    Compress, Connection, FlushMark, Message, MessageKind, Offered, OverflowPolicy,
    PreparedMessage, SendError, State, Unsent,
};

use super::ahead::is_data;
use super::{Driver, Turn};
use crate::{Error, deferred, scratch};

impl<S> Driver<S> {
    /// Whether nothing is left to be written and flushed.
    #[inline]
    pub(super) fn is_out(&self) -> bool {
        self.connection.is_flushed() && !self.unflushed
    }

    /// Whether bytes are queued whose sender takes them to be on their way, so that they are to be written whatever
    /// becomes of it. Without a deadline for that nobody could be left to do it.
    #[inline]
    pub(crate) fn is_owing(&self) -> bool {
        // That ends with the write that takes everything, or fails.
        self.is_deferred || !self.is_fed && !self.is_out() && self.is_left_over()
    }

    #[inline(never)]
    fn is_left_over(&self) -> bool {
        self.unwritable.is_none()
            && self.connection.write_timeout().is_some()
            && !self.connection.is_finished()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Driver<S> {
    /// Ready when a message may be queued.
    #[inline]
    pub(crate) fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
    ) -> Poll<Result<(), Error>> {
        match self.connection.has_room() {
            true => Poll::Ready(Ok(())),
            false => self.poll_for_room(cx, receiver_waits),
        }
    }

    #[cold]
    fn poll_for_room(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
    ) -> Poll<Result<(), Error>> {
        while !self.connection.has_room() {
            ready!(
                self.poll_writing(cx, receiver_waits, |driver, _| driver.connection.has_room())
            )?;
            // Meanwhile it may have looked aside, and the answer to a Ping may have taken the room.
        }
        Poll::Ready(Ok(()))
    }

    /// Queues a message when there is room, and writes it. While more of what the peer sent is there to be answered it
    /// is left to the next call to write: then the answers leave together.
    ///
    /// What this tells fits two registers. More would be written to memory, and read again in pieces of another size, which
    /// takes longer than to copy a small message.
    #[inline]
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        is_queued: &mut bool,
        queue: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Poll<Result<(), Box<Error>>> {
        if !*is_queued {
            ready!(self.poll_room(cx, false))?;
            self.lend_staging();
            if let Err(error) = queue(&mut self.connection) {
                return Poll::Ready(Err(self.refused(error)));
            }
            *is_queued = true;
            if self.defers() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_flush(cx, false).map_err(Box::new)
    }

    /// What is queued next is put together in the thread's memory.
    #[inline]
    pub(super) fn lend_staging(&mut self) {
        if self.connection.unwritten().wants_memory() {
            self.lend_memory();
        }
    }

    #[inline(never)]
    fn lend_memory(&mut self) {
        let transmit = self.connection.unwritten();
        transmit.lend_memory(scratch::take_staging());
    }

    /// A message that was lent is done with. What was queued in reply is written now or with what follows it.
    pub(crate) fn write_replies(&mut self) {
        if self.is_tapped() {
            // It has panicked, in the middle of a reply.
            return self.fail_by_panic();
        }
        self.let_go();
        let has_frame_waiting = self.connection.has_frame_waiting();
        // Where the application panics they leave later: the stream is not to do so too.
        if !self.is_out() && !self.defers_to(has_frame_waiting) && !std::thread::panicking() {
            self.write_and_shut_down(&mut Context::from_waker(Waker::noop()));
        }
        if has_frame_waiting {
            self.connection.let_go();
        } else {
            self.park();
        }
    }

    /// Writes what is owed, as far as the stream takes it at once.
    pub(crate) fn write_owed(&mut self) {
        if self.is_owing() {
            self.write_and_shut_down(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Something is about to be queued of which somebody says when it is written. It does not make that right for what
    /// is owed before it.
    pub(crate) fn is_about_to_feed(&mut self) {
        self.is_fed |= self.is_out();
    }

    /// Queues a message when there is room. When it is written is for the caller to say.
    #[inline]
    pub(crate) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
        queue: impl FnOnce(&mut Connection) -> Result<(), SendError>,
    ) -> Poll<Result<(), Box<Error>>> {
        ready!(self.poll_room(cx, receiver_waits))?;
        self.is_about_to_feed();
        self.lend_staging();
        let queued = queue(&mut self.connection);
        Poll::Ready(queued.map_err(|error| self.refused(error)))
    }

    /// Whether what has just been sent may wait for what is sent next: as long as a frame that has arrived whole is yet
    /// to be looked at, and less than one write takes is queued.
    #[inline]
    pub(crate) fn defers(&mut self) -> bool {
        if self.connection.has_input() || !self.ahead.is_empty() {
            return self.defers_to(self.connection.has_frame_waiting());
        }
        self.is_fed = false;
        self.is_deferred = false;
        false
    }

    #[inline]
    fn defers_to(&mut self, has_frame_waiting: bool) -> bool {
        self.is_fed = false;
        let more_comes = has_frame_waiting || self.ahead.iter().any(is_data);
        self.is_deferred = more_comes
            && !self.deaf
            && self.connection.write_timeout().is_some()
            && !self.connection.wants_flush()
            && deferred::is_possible();
        self.is_deferred
    }

    /// Queues a Ping. Room is kept for it in front of what waits to be framed: a connection that is stuck, or busy with
    /// a long message, is one to be pinged.
    pub(crate) fn poll_ping(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
        data: &[u8],
    ) -> Poll<Result<(), Error>> {
        let mut queued = self.connection.ping(data);
        if queued == Err(SendError::BufferFull) {
            ready!(self.poll_room(cx, receiver_waits))?;
            queued = self.connection.ping(data);
        }
        Poll::Ready(queued.map_err(|error| *self.refused(error)))
    }

    /// Ready when everything that is queued has been written.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
    ) -> Poll<Result<(), Error>> {
        self.is_fed = false;
        // A stream that has taken everything may hold it back until it is flushed: nothing less than all is enough.
        self.poll_writing(cx, receiver_waits, |_, _| false)
    }

    /// Writes for those who have not waited for it: ready when there is nothing left to be written.
    ///
    /// Where it `is_orphan`, and nobody can send any more, it is ready when that is written which was queued before the
    /// `mark`: a peer that goes on sending Pings is not to keep what its owner has dropped.
    pub(crate) fn poll_write_deferred(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
        is_orphan: bool,
        mark: &mut Option<FlushMark>,
    ) -> Poll<()> {
        let written = if is_orphan {
            let mark = mark.get_or_insert_with(|| self.connection.flush_mark());
            ready!(self.poll_flush_to(cx, receiver_waits, mark))
        } else {
            ready!(self.poll_flush(cx, receiver_waits))
        };
        self.is_deferred = false;
        self.is_untold |= written.is_err();
        Poll::Ready(())
    }

    /// Ready when everything that was queued before the `mark` has been written.
    pub(crate) fn poll_flush_to(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
        mark: &mut FlushMark,
    ) -> Poll<Result<(), Error>> {
        self.is_fed = false;
        self.poll_writing(cx, receiver_waits, |driver, cx| {
            driver.connection.is_written(mark) && driver.poll_flush_written(cx).is_ready()
        })
    }

    /// Queues a message if that needs no wait, and writes what can be written at once.
    pub(crate) fn try_send(
        &mut self,
        cx: &mut Context<'_>,
        message: Message,
        compress: Compress,
    ) -> Result<(), Unsent> {
        self.rests = false;
        if !self.connection.has_room() {
            self.write_and_shut_down(cx);
        }
        if !self.connection.has_room() && self.connection.state() == State::Open {
            return Err(Unsent {
                error: SendError::BufferFull,
                message,
            });
        }
        self.connection.send_with(message, compress)?;
        self.is_fed = false;
        self.write_and_shut_down(cx);
        Ok(())
    }

    /// Sends a message that may be dropped for being too much; tells too whether nothing waits any more.
    pub(crate) fn offer(
        &mut self,
        cx: &mut Context<'_>,
        message: &PreparedMessage,
        overflow: OverflowPolicy,
        capacity: usize,
    ) -> (Offered, bool) {
        self.rests = false;
        let offered = self.connection.offer(message, overflow, capacity);
        self.write_and_shut_down(cx);
        (offered, self.connection.is_flushed())
    }

    /// Sends a message as soon as fewer than `capacity` wait that were offered; at least one may. `None` if these wait for
    /// ever, behind a message that will never be finished.
    pub(crate) fn poll_offer(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
        message: &PreparedMessage,
        capacity: usize,
    ) -> Poll<Option<(Offered, bool)>> {
        let capacity = capacity.max(1);
        while self.connection.backlog() >= capacity {
            if self.turn == Turn::Forfeited {
                return Poll::Ready(None);
            }
            let written = self.poll_writing(cx, receiver_waits, |driver, _| {
                driver.connection.backlog() < capacity
            });
            if ready!(written).is_err() {
                break;
            }
            if self.connection.backlog() >= capacity {
                // All is written but what lies behind a message that somebody is in the middle of.
                ready!(self.poll_aside(cx, receiver_waits));
            }
        }
        Poll::Ready(Some(self.offer(
            cx,
            message,
            OverflowPolicy::Refuse,
            capacity,
        )))
    }

    /// Ready when nobody is in the middle of a message of their own and there is room for another.
    pub(crate) fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
    ) -> Poll<Result<(), Error>> {
        self.rests = false;
        while self.turn == Turn::Taken && self.connection.state() == State::Open {
            ready!(self.poll_aside(cx, receiver_waits));
        }
        self.poll_room(cx, receiver_waits)
    }

    /// Takes the turn to send a message in fragments.
    pub(crate) fn poll_begin(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_turn(cx, receiver_waits))?;
        let error = match (self.connection.state(), self.turn) {
            (State::Open, Turn::Forfeited) => SendError::MessageUnfinished,
            (State::Open, _) => {
                self.turn = Turn::Taken;
                return Poll::Ready(Ok(()));
            }
            _ => SendError::Closed,
        };
        Poll::Ready(Err(*self.refused(error)))
    }

    pub(crate) fn poll_fragment(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
        kind: MessageKind,
        fragment: &Bytes,
        fin: bool,
        compress: Compress,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx, receiver_waits))?;
        self.is_about_to_feed();
        let sent = self
            .connection
            .send_fragment_with(kind, fragment.clone(), fin, compress);
        self.fragments = self.fragments.wrapping_add(u32::from(sent.is_ok()));
        Poll::Ready(sent.map_err(|error| *self.refused(error)))
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

    /// Whether somebody is in the middle of a message of their own.
    pub(crate) fn turn_is_taken(&self) -> bool {
        self.turn == Turn::Taken
    }

    /// Writes until `enough`. Somebody who only ever sends must also hear Pings and the peer's Close, and a peer that
    /// writes must not wait for one that writes: so this reads too, unless the receiver does.
    fn poll_writing(
        &mut self,
        cx: &mut Context<'_>,
        receiver_waits: bool,
        mut enough: impl FnMut(&mut Self, &mut Context<'_>) -> bool,
    ) -> Poll<Result<(), Error>> {
        self.rests = false;
        let mut listen = !std::mem::take(&mut self.listened) && !receiver_waits;
        loop {
            let written = self.poll_write_queued(cx);
            if let Poll::Ready(Err(error)) = written {
                // In its own words.
                _ = self.tell_lost();
                return Poll::Ready(Err(Error::Io(error)));
            }
            let is_enough = written.is_ready() || enough(self, cx);
            if let Some(lost) = self.lost() {
                self.is_untold = false;
                return Poll::Ready(Err(lost));
            }
            if is_enough {
                if listen {
                    // One look is enough, and what it finds out is for the receiver.
                    _ = self.poll_aside(cx, receiver_waits);
                }
                return Poll::Ready(Ok(()));
            }
            if self.connection.is_finished() {
                self.give_up_flushing();
                continue;
            }
            listen = false;
            if self.poll_aside(cx, receiver_waits).is_pending() {
                // The receiver's work includes writing. If that got through now, nobody will wake this task for it.
                if self.is_out() || enough(self, cx) {
                    return Poll::Ready(self.tell_lost().map_or(Ok(()), Err));
                }
                // The wait may be long, and input that has not been looked at yet pins the thread's read buffer.
                self.connection.park();
                return Poll::Pending;
            }
        }
    }
}
