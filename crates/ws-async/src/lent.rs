//! What a connection lends: its stream, and messages where they lie.

use std::ops::Deref;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{MessageRef, Replies};

use crate::deferred::Owner;

/// What borrows the connection lets nobody else take the message away.
const IS_LENT: &str = "a message that is held is lent";

/// The stream of a [`WebSocket`](crate::WebSocket), from [`WebSocket::get_ref`](crate::WebSocket::get_ref).
#[derive(Debug)]
pub struct StreamRef<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    owner: &'a mut Owner<S>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'static> StreamRef<'a, S> {
    /// Of a connection that is held.
    pub(crate) const fn new(owner: &'a mut Owner<S>) -> Self {
        Self { owner }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Deref for StreamRef<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.owner.held().stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for StreamRef<'_, S> {
    fn drop(&mut self) {
        self.owner.settle();
    }
}

/// A message that was received and lies in the connection, from [`WebSocket::recv_ref`](crate::WebSocket::recv_ref).
///
/// While this is held the connection does nothing else; the buffer that the message came in is kept, and replies wait. To
/// wait for something else meanwhile, keep a copy ([`MessageRef::to_message`]) and drop this.
///
/// A panic while it is held, other than one of a tap's, is no concern of the connection's: that can be used as before.
#[derive(Debug)]
pub struct Received<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    owner: &'a mut Owner<S>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Received<'a, S> {
    /// Of a connection that is held and lends a message.
    pub(crate) const fn new(owner: &'a mut Owner<S>) -> Self {
        Self { owner }
    }

    /// The message.
    pub fn message(&self) -> MessageRef<'_> {
        self.owner.held().lent().expect(IS_LENT)
    }

    /// The message, and the means to answer it while it is borrowed.
    ///
    /// What is sent through them is queued, and leaves with what is sent in reply to the rest of what came together, as
    /// with [`WebSocket::send`](crate::WebSocket::send): at the earliest when this is dropped.
    pub fn parts(&mut self) -> (MessageRef<'_>, Replies<'_>) {
        self.owner.hold().lent_with_replies().expect(IS_LENT)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Received<'_, S> {
    fn drop(&mut self) {
        self.owner.write_replies();
    }
}
