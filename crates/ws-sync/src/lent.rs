//! What a connection lends: its stream, and messages where they lie.

use std::ops::Deref;

use ws_proto::{MessageRef, Replies};

use crate::Stream;
use crate::deferred::Held;

/// What borrows the connection lets nobody else take the message away.
const IS_LENT: &str = "a message that is held is lent";

/// The stream of a [`WebSocket`](crate::WebSocket), from [`WebSocket::get_ref`](crate::WebSocket::get_ref).
///
/// As with [`Received`], the connection is locked while this is held, and it stays in its thread.
#[derive(Debug)]
pub struct StreamRef<'a, S: Stream> {
    held: Held<'a, S>,
}

impl<'a, S: Stream> StreamRef<'a, S> {
    pub(crate) fn new(mut held: Held<'a, S>) -> Self {
        held.lend();
        Self { held }
    }
}

impl<S: Stream> Deref for StreamRef<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.held.stream.stream
    }
}

/// A message that was received and lies in the connection, from [`WebSocket::recv_ref`](crate::WebSocket::recv_ref).
///
/// While this is held the connection does nothing else; the buffer that the message came in is kept, and replies wait. To
/// wait for something else meanwhile, keep a copy ([`MessageRef::to_message`]) and drop this.
///
/// It stays in its thread: it is not [`Send`], for it holds a lock. If it is never dropped ([`std::mem::forget`]) that
/// stays locked, and the next call on the connection waits for ever. A panic while it is held, other than one of the
/// stream's or of a tap's, is no concern of the connection's: that can be used as before.
#[derive(Debug)]
pub struct Received<'a, S: Stream> {
    held: Held<'a, S>,
}

impl<'a, S: Stream> Received<'a, S> {
    /// Of a connection that lends a message.
    pub(crate) fn new(mut held: Held<'a, S>) -> Self {
        held.lend();
        Self { held }
    }

    /// The message.
    pub fn message(&self) -> MessageRef<'_> {
        self.held.driver.lent().expect(IS_LENT)
    }

    /// The message, and the means to answer it while it is borrowed.
    ///
    /// What is sent through them is queued, and leaves with what is sent in reply to the rest of what came together, as
    /// with [`WebSocket::send`](crate::WebSocket::send): at the earliest when this is dropped, for which that
    /// waits some milliseconds at most (on an [`Untimed`](crate::Untimed) stream as long as the stream does). What the peer
    /// does not take by then another thread writes as it does.
    ///
    /// Where nobody [attends to the stream](Stream::attendance), or `Config::write_timeout` is `None`, that is left to the
    /// next call instead, and so are replies if more of what the peer sent has arrived. Who does something else than to
    /// receive next calls [`flush`](crate::WebSocket::flush) first.
    pub fn parts(&mut self) -> (MessageRef<'_>, Replies<'_>) {
        self.held.driver.lent_with_replies().expect(IS_LENT)
    }
}

impl<S: Stream> Drop for Received<'_, S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.held.leave_replies();
        }
        self.held.take_back();
        self.held.write_replies();
    }
}
