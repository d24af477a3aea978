//! Messages that stay where they lie.

use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{Event, Lent, MessageRef, Replies};

use super::Driver;
use crate::Error;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Whether there is another message, which [`lent`](Self::lent) shows then; `false` at the end.
    ///
    /// Replies to it are queued without a wait, so this waits until there is room for them.
    pub(crate) fn poll_lent(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        self.let_go();
        if !self.connection.has_room() {
            // What comes of it is told by what is received next.
            _ = ready!(self.poll_room(cx, false));
        }
        self.listened = true;
        self.rests = false;
        while let Some(event) = self.ahead.first() {
            if matches!(event, Event::Message(_)) {
                self.lends_ahead = true;
                return Poll::Ready(Ok(true));
            }
            self.ahead.remove(0);
        }
        loop {
            match ready!(self.poll_drive(cx, usize::MAX)) {
                Some(Lent::Message) => return Poll::Ready(Ok(true)),
                Some(Lent::Event(_)) => {}
                None => return Poll::Ready(self.report().map_or(Ok(false), Err)),
            }
        }
    }

    /// The message that [`poll_lent`](Self::poll_lent) has found.
    pub(crate) fn lent(&self) -> Option<MessageRef<'_>> {
        match self.ahead.first() {
            Some(Event::Message(message)) if self.lends_ahead => Some(message.into()),
            _ => self.connection.lent(),
        }
    }

    /// The same, and the means to answer it.
    pub(crate) fn lent_with_replies(&mut self) -> Option<(MessageRef<'_>, Replies<'_>)> {
        match self.ahead.first() {
            Some(Event::Message(message)) if self.lends_ahead => {
                Some((message.into(), self.connection.replies()))
            }
            _ => self.connection.lent_with_replies(),
        }
    }

    /// The message that was lent is done with.
    pub(super) fn let_go(&mut self) {
        if std::mem::take(&mut self.lends_ahead) {
            self.ahead.remove(0);
        }
    }
}
