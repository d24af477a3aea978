//! What a handler gets: [`Session`].

use std::future::pending;
use std::net::SocketAddr;

use ws_handshake::server::Request;
use ws_proto::{
    Agreement, CloseCode, CloseInfo, Compress, Event, Message, MessageRef, PreparedMessage, State,
    Stats, Unsent,
};

use super::race::{First, first};
use super::trace::Payloads;
use crate::{Error, Receiver, Sender};

/// One connection of a [`Server`](crate::Server), given to the handler of its path: both halves of the connection, the
/// request that opened it, and where it comes from.
///
/// The connection is driven as [`Sender`] describes: while the handler waits for something else, nothing moves. To send
/// from other tasks, clone its [`sender`](Self::sender).
#[derive(Debug)]
pub struct Session {
    sender: Sender,
    receiver: Receiver,
    request: Request,
    peer_addr: Option<SocketAddr>,
    id: u64,
    payloads: Payloads,
}

impl Session {
    pub(super) fn new(
        (sender, receiver): (Sender, Receiver),
        request: Request,
        peer_addr: Option<SocketAddr>,
        id: u64,
        payloads: Payloads,
    ) -> Self {
        Self {
            sender,
            receiver,
            request,
            peer_addr,
            id,
            payloads,
        }
    }

    /// The next message; `None` when the peer, or the server as it drains, has closed the connection.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        let received = self.receiver.recv().await?;
        if let Some(message) = &received {
            self.payloads.received(message);
        }
        Ok(received)
    }

    /// The next event, control frames included; `None` after the end.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`recv`](Self::recv).
    pub async fn recv_event(&mut self) -> Result<Option<Event>, Error> {
        let received = self.receiver.recv_event().await?;
        if let Some(Event::Message(message)) = &received {
            self.payloads.received(message);
        }
        Ok(received)
    }

    /// Sends one message, as [`Sender::send`] does: replies leave together.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.send_with(message, Compress::Auto).await
    }

    /// As [`send`](Self::send), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub async fn send_with(
        &self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        let sending = self.payloads.sending(&message);
        self.sender.send_with(message, compress).await?;
        sending.done();
        Ok(())
    }

    /// As [`send`](Self::send), straight from where the message lies, as [`Sender::send_ref`] does.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub async fn send_ref(&self, message: impl Into<MessageRef<'_>>) -> Result<(), Error> {
        let message = message.into();
        self.sender.send_ref(message).await?;
        self.payloads.sent(message);
        Ok(())
    }

    /// Sends a message that was framed before. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub async fn send_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.sender.send_prepared(message).await
    }

    /// Queues one message as soon as there is room.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::feed`].
    pub async fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed_with(message, Compress::Auto).await
    }

    /// As [`feed`](Self::feed), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::feed`].
    pub async fn feed_with(
        &self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        let sending = self.payloads.sending(&message);
        self.sender.feed_with(message, compress).await?;
        sending.done();
        Ok(())
    }

    /// Queues one message and writes what can be written at once, or gives the message back.
    ///
    /// # Errors
    ///
    /// As [`Sender::try_send`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), Unsent> {
        let message = message.into();
        let sending = self.payloads.sending(&message);
        self.sender.try_send(message)?;
        sending.done();
        Ok(())
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// As [`Sender::flush`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is not written stays queued.
    pub async fn flush(&self) -> Result<(), Error> {
        self.sender.flush().await
    }

    /// Sends a Ping with at most 125 bytes of application data.
    ///
    /// # Errors
    ///
    /// As [`Sender::ping`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::send`].
    pub async fn ping(&self, data: &[u8]) -> Result<(), Error> {
        self.sender.ping(data).await
    }

    /// Carries out the whole closing handshake within `Config::close_timeout`, drops the messages that still arrive, and
    /// tells how it went.
    ///
    /// # Errors
    ///
    /// As [`Sender::close`].
    ///
    /// # Cancel safety
    ///
    /// As [`Sender::close`].
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        let Self {
            sender, receiver, ..
        } = self;
        // How it ended is what the sender says.
        let discard = async {
            while let Ok(Some(_)) = receiver.recv().await {}
            pending().await
        };
        match first(sender.close(code, reason), discard).await {
            First::One(closed) | First::Other(closed) => closed,
        }
    }

    /// The half that sends, to be cloned for other tasks, and for what is not here.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The half that receives, for what is not here: a message in pieces, say.
    pub fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// The halves, for tasks of their own. The server closes the connection when the handler ends, so the handler should
    /// wait for them.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// The request that opened the connection: its path and query, cookies, and what else the client said.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Where the connection comes from, which may be a proxy; `None` over a Unix socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }

    /// The connection's number on this server, as in [`ServerHandle::connections`](crate::ServerHandle::connections).
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.sender.subprotocol()
    }

    /// What the opening handshake agreed on compression (RFC 7692), if anything.
    pub fn deflate(&self) -> Option<Agreement> {
        self.sender.deflate()
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.sender.close_info()
    }

    /// How the connection stands.
    pub fn state(&self) -> State {
        self.sender.state()
    }

    /// What the connection has carried so far.
    pub fn stats(&self) -> Stats {
        self.sender.stats()
    }
}
