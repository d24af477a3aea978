//! The receiver's work where it does not do it: what is read ahead of it, and how much.

use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::Event;

use super::Driver;

/// Control events kept for a receiver that is not there while somebody sends. A data message ends reading ahead
/// anyway.
const MAX_AHEAD: usize = 16;

/// Input of an unfinished message up to which reading ahead goes on. Beyond it the message waits in the transport, as
/// it would if nobody sent.
const MAX_AHEAD_PARTIAL: usize = 16 * 1024;

pub(super) const fn is_data(event: &Event) -> bool {
    matches!(event, Event::Message(_) | Event::Chunk(_))
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Driver<S> {
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
    pub(super) fn poll_aside(&mut self, cx: &mut Context<'_>, receiver_waits: bool) -> Poll<()> {
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
        let mut event = None;
        let driven = self.poll_drive(cx, max_partial, Some(&mut event));
        self.relied = driven.is_pending() && self.promised;
        let next = ready!(driven);
        if let Some(event) = self.own(next, event) {
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
}
