//! What a handler gets: [`Session`].

use std::net::SocketAddr;

use ws_handshake::server::Request;
use ws_proto::{
    Agreement, CloseCode, CloseInfo, Compress, Event, Message, MessageRef, PreparedMessage, State,
    Stats, Unsent,
};

use super::trace::Payloads;
use crate::{Error, Receiver, Sender};

/// One connection of a [`Server`](crate::Server), given to the handler of its path: both halves of the connection, the
/// request that opened it, and where it comes from.
///
/// The connection is driven as [`Sender`] describes: while the handler waits for something else, nothing moves. To send
/// from other threads, clone its [`sender`](Self::sender).
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
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        let received = self.receiver.recv()?;
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
    pub fn recv_event(&mut self) -> Result<Option<Event>, Error> {
        let received = self.receiver.recv_event()?;
        if let Some(Event::Message(message)) = &received {
            self.payloads.received(message);
        }
        Ok(received)
    }

    /// Sends one message: while more of what the peer sent waits to be received it only joins the queue, so that replies
    /// leave together, as with [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.send_with(message, Compress::Auto)
    }

    /// As [`send`](Self::send), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn send_with(&self, message: impl Into<Message>, compress: Compress) -> Result<(), Error> {
        let message = message.into();
        let sending = self.payloads.sending(&message);
        self.sender.send_with(message, compress)?;
        sending.done();
        Ok(())
    }

    /// As [`send`](Self::send), straight from where the message lies, as [`Sender::send_ref`] does.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn send_ref<'a>(&self, message: impl Into<MessageRef<'a>>) -> Result<(), Error> {
        let message = message.into();
        self.sender.send_ref(message)?;
        self.payloads.sent(message);
        Ok(())
    }

    /// Sends a message that was framed before. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn send_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.sender.send_prepared(message)
    }

    /// Queues one message as soon as there is room.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed_with(message, Compress::Auto)
    }

    /// As [`feed`](Self::feed), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn feed_with(&self, message: impl Into<Message>, compress: Compress) -> Result<(), Error> {
        let message = message.into();
        let sending = self.payloads.sending(&message);
        self.sender.feed_with(message, compress)?;
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
    pub fn flush(&self) -> Result<(), Error> {
        self.sender.flush()
    }

    /// Sends a Ping with at most 125 bytes of application data.
    ///
    /// # Errors
    ///
    /// As [`Sender::ping`].
    pub fn ping(&self, data: &[u8]) -> Result<(), Error> {
        self.sender.ping(data)
    }

    /// Carries out the whole closing handshake within `Config::close_timeout`, drops the messages that still arrive, and
    /// tells how it went.
    ///
    /// # Errors
    ///
    /// As [`Sender::close`].
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        self.sender.begin_close(code, reason)?;
        while self.receiver.recv()?.is_some() {}
        // It is over: this tells how.
        self.sender.close(code, reason)
    }

    /// The half that sends, to be cloned for other threads, and for what is not here.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The half that receives, for what is not here: a message in pieces, say.
    pub fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// The halves, for threads of their own. The server closes the connection when the handler ends, so the handler should
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
