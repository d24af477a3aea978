//! Messages that stay where they lie.

use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{Event, Message, MessageRef, Replies};

use super::Driver;
use super::receiving::Next;
use crate::Error;

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Driver<S> {
    /// Whether there is another message, which [`take_found`](Self::take_found) gives then; `false` at the end.
    #[inline]
    pub(crate) fn poll_found(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_find(cx, true)
    }

    #[inline]
    fn poll_find(&mut self, cx: &mut Context<'_>, keeps: bool) -> Poll<bool> {
        self.listened = true;
        self.rests = false;
        if !self.ahead.is_empty() && self.find_ahead() || self.next_whole(cx) {
            return Poll::Ready(true);
        }
        let next = self.poll_drive_on(cx, usize::MAX, None, keeps);
        next.map(|next| next == Next::Message)
    }

    /// Whether a message was read ahead.
    #[cold]
    fn find_ahead(&mut self) -> bool {
        self.let_go();
        while let Some(event) = self.ahead.first() {
            if matches!(event, Event::Message(_)) {
                self.lends_ahead = true;
                return true;
            }
            // They are few.
            self.ahead.remove(0);
        }
        false
    }

    /// The message that [`poll_found`](Self::poll_found) has found, to keep, or why there is none.
    #[inline]
    pub(crate) fn take_found(&mut self, is_there: bool) -> Result<Option<Message>, Error> {
        match is_there && !self.lends_ahead {
            true => Ok(self.connection.take_lent()),
            false => self.take_found_ahead(),
        }
    }

    #[cold]
    fn take_found_ahead(&mut self) -> Result<Option<Message>, Error> {
        if std::mem::take(&mut self.lends_ahead)
            && let Event::Message(message) = self.ahead.remove(0)
        {
            return Ok(Some(message));
        }
        self.report().map_or(Ok(None), Err)
    }

    /// The next message; `None` at the end.
    pub(crate) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        let is_there = ready!(self.poll_found(cx));
        Poll::Ready(self.take_found(is_there))
    }

    /// Whether there is another message, which [`lent`](Self::lent) shows then; `false` at the end.
    ///
    /// Replies to it are queued without a wait, so this waits until there is room for them.
    #[inline]
    pub(crate) fn poll_lent(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        if self.lends_ahead || !self.connection.has_room() {
            self.let_go();
            // What comes of it is told by what is received next.
            _ = ready!(self.poll_room(cx, false));
        }
        match ready!(self.poll_find(cx, false)) {
            true => Poll::Ready(Ok(true)),
            false => Poll::Ready(self.report().map_or(Ok(false), Err)),
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
        self.lend_staging();
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncWriteExt, duplex};
    use ws_proto::{Config, Connection};

    use super::*;
    use crate::scratch;

    #[tokio::test]
    async fn a_message_without_a_reply_leaves_the_memory_for_replies_to_the_thread() {
        let (near, mut far) = duplex(1024);
        let mut driver = Driver::new(Connection::server(Config::default()), near);
        scratch::keep_staging(Vec::with_capacity(100));
        let empty = b"\x82\x80\x37\xfa\x21\x3d";
        far.write_all(empty).await.expect("written");
        let is_there = poll_fn(|cx| driver.poll_lent(cx)).await;
        assert!(is_there.expect("no failure"));
        assert!(driver.lent_with_replies().is_some());
        assert!(!driver.connection.unwritten().wants_memory());
        driver.write_replies();
        assert!(driver.connection.unwritten().wants_memory());
        assert_eq!(scratch::take_staging().capacity(), 100);
    }
}
