//! Messages that stay where they lie.

use ws_proto::{Event, Lent, Message, MessageRef, Replies};

use super::Driver;

impl Driver {
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
}
