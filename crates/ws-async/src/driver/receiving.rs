//! What a connection does by itself, up to the next event.

use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{Chunk, Event, Lent, Whole};

use super::Driver;
use super::ahead::is_data;
use super::deadline::Deadline;
use crate::Error;
use crate::hint::rarely;

/// Events and reads between two visits to the runtime. A peer that fills a read buffer with the smallest frames, or a
/// stream that is always ready, would otherwise keep its task on the thread for as long as it likes.
const MAX_BURST: u16 = 256;

/// What a connection has come to by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A message, which the connection lends.
    Message,
    /// Another event.
    Event,
    End,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Driver<S> {
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
        let mut event = None;
        let next = ready!(self.poll_drive(cx, usize::MAX, Some(&mut event)));
        Poll::Ready(match self.own(next, event) {
            Some(event) => Ok(Some(event)),
            None => self.report().map_or(Ok(None), Err),
        })
    }

    /// An event for whoever keeps it.
    pub(super) fn own(&mut self, next: Next, event: Option<Event>) -> Option<Event> {
        match next {
            Next::Message => self.connection.take_lent().map(Event::Message),
            Next::Event | Next::End => event,
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
        if rarely(self.owes_answer) {
            self.write_and_shut_down(cx);
        }
    }

    /// The next event of what has arrived.
    pub(super) fn next_event(&mut self, cx: &mut Context<'_>) -> Option<Lent> {
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

    /// Everything that a connection does by itself, until there is an event or the end.
    #[inline]
    pub(super) fn poll_drive(
        &mut self,
        cx: &mut Context<'_>,
        max_partial: usize,
        event: Option<&mut Option<Event>>,
    ) -> Poll<Next> {
        match self.next_whole(cx) {
            true => Poll::Ready(Next::Message),
            false => self.poll_drive_on(cx, max_partial, event, true),
        }
    }

    /// Whether the next event is a message that has come whole: in a burst of messages there is nothing else to do.
    #[inline]
    pub(super) fn next_whole(&mut self, cx: &mut Context<'_>) -> bool {
        self.connection.has_input() && self.take_whole(cx)
    }

    #[inline(never)]
    fn take_whole(&mut self, cx: &mut Context<'_>) -> bool {
        let is_there = self.may_go_on() && self.connection.lend_whole() == Whole::Message;
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

    /// What is no message is put where the caller wants it, for it is larger than all that is said here, and rare; a caller
    /// that does not want it goes on to the next message. Whether the caller `keeps` a message makes it come from memory of
    /// its own, if it is all there is.
    #[inline(never)]
    pub(super) fn poll_drive_on(
        &mut self,
        cx: &mut Context<'_>,
        max_partial: usize,
        mut event: Option<&mut Option<Event>>,
        keeps: bool,
    ) -> Poll<Next> {
        loop {
            if rarely(!self.may_go_on()) {
                self.due = self.due || self.poll_deadline(cx).is_ready();
                self.pause();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.connection.is_drained() {
                match self.connection.lend_whole() {
                    Whole::Message => {
                        self.answer(cx);
                        self.note_event(true);
                        return Poll::Ready(Next::Message);
                    }
                    Whole::Nothing => {}
                    Whole::Unknown => match self.next_any(cx, event.as_deref_mut()) {
                        Some(Next::Event) if event.is_none() => continue,
                        Some(next) => return Poll::Ready(next),
                        None if self.burst >= MAX_BURST => continue,
                        None => {}
                    },
                }
            }
            if rarely(!self.is_quiet()) {
                self.write_and_shut_down(cx);
                if self.connection.is_finished() {
                    self.deadline = Deadline::default();
                    return Poll::Ready(Next::End);
                }
            }
            if rarely(std::mem::take(&mut self.due)) {
                self.connection.handle_timeout(self.opened.elapsed());
                continue;
            }
            let mut is_alone = false;
            // After the end there is nothing to wait for but room to write, and whoever makes room wakes this task.
            let read = if rarely(self.ended || self.connection.buffered() >= max_partial) {
                Poll::Pending
            } else {
                self.poll_read(cx, keeps.then_some(&mut is_alone))
            };
            match read {
                Poll::Ready(Ok(0)) => self.end(),
                // Where there was nothing to be read the timer is asked with a waker.
                Poll::Ready(Ok(_)) => {
                    self.due = self.deadline.has_passed();
                    if is_alone {
                        self.note_event(true);
                        return Poll::Ready(Next::Message);
                    }
                }
                Poll::Ready(Err(error)) => {
                    self.transport_error.get_or_insert(error);
                    self.end();
                }
                Poll::Pending => {
                    if self.poll_deadline(cx).is_pending() {
                        self.pause();
                        return Poll::Pending;
                    }
                    self.due = true;
                }
            }
            self.burst += 1;
        }
    }

    /// What comes next, by way of every rule there is.
    #[inline(never)]
    fn next_any(
        &mut self,
        cx: &mut Context<'_>,
        event: Option<&mut Option<Event>>,
    ) -> Option<Next> {
        Some(match self.next_event(cx)? {
            Lent::Message => {
                self.note_event(true);
                Next::Message
            }
            Lent::Event(Event::Part) => {
                // A long message is being decompressed: others run before this goes on, and answers do not wait for it.
                self.write_and_shut_down(cx);
                self.burst = MAX_BURST;
                return None;
            }
            Lent::Event(other) => {
                self.note_event(false);
                if let Some(event) = event {
                    *event = Some(other);
                }
                Next::Event
            }
        })
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
