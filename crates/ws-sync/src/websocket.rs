//! The connection over a blocking stream, as its user sees it.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use ws_handshake::Negotiated;
use ws_proto::{CloseCode, CloseInfo, Config, Connection, Event, Message, Role, State};

use crate::driver::Driver;
use crate::mask_keys::OsMaskKeys;
use crate::split::{self, Receiver, Sender};
use crate::timed::{SHORTEST_WAIT, Timed};
use crate::whole::Whole;
use crate::{CloneStream, Error, Stream};

/// A WebSocket connection over a blocking [`Stream`].
///
/// Made by [`connect`](crate::connect), [`accept`](crate::accept) or, over a stream that some other HTTP stack has
/// upgraded, by [`WebSocket::server`] and [`WebSocket::client`].
///
/// Pings are answered and the closing handshake is completed inside [`recv`](Self::recv), so a connection has to be
/// read to stay alive; keepalive pings and their deadline run there too.
///
/// Dropping a `WebSocket` drops the stream: the peer sees a connection lost without a Close frame (1006). Call
/// [`close`](Self::close) to end it cleanly.
///
/// # Streams that do not block
///
/// On a stream in non-blocking mode, or with timeouts ([`set_read_timeout`](Self::set_read_timeout),
/// [`set_write_timeout`](Self::set_write_timeout)), a call may fail with
/// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut). Nothing is lost
/// then: call [`recv`](Self::recv) or [`flush`](Self::flush) again. A message whose [`send`](Self::send) failed so is
/// queued and goes out with them, so do not send it again; one that was not queued fails with
/// [`SendError::BufferFull`](crate::SendError::BufferFull).
///
/// The opening handshake needs a stream that blocks: switch it over afterwards.
#[derive(Debug)]
pub struct WebSocket<S> {
    whole: Whole<S>,
    negotiated: Negotiated,
}

impl<S: Stream> WebSocket<S> {
    /// The server's end of a connection whose opening handshake is done. `received` is what came behind it.
    pub fn server(stream: S, config: Config, received: BytesMut) -> Self {
        Self::new(Timed::new(stream), Connection::server(config), received)
    }

    /// The client's end of a connection whose opening handshake is done. `received` is what came behind it.
    pub fn client(stream: S, config: Config, received: BytesMut) -> Self {
        Self::new(
            Timed::new(stream),
            Connection::client(config, OsMaskKeys),
            received,
        )
    }

    pub(crate) fn new(stream: Timed<S>, connection: Connection, received: BytesMut) -> Self {
        let vectored = stream.stream.writes_vectored();
        let connection = connection
            .with_received(received)
            .with_vectored_writes(vectored);
        Self {
            whole: Whole::new(Driver::new(connection), stream),
            negotiated: Negotiated::default(),
        }
    }

    pub(crate) fn with_negotiated(mut self, negotiated: Negotiated) -> Self {
        self.negotiated = negotiated;
        self
    }

    /// The next message; `None` when the peer has closed the connection ([`close_info`](Self::close_info) tells how).
    ///
    /// Before it waits it writes what is queued, and goes on reading when the peer does not take it: two peers that
    /// both have Pongs to write must not wait for each other. (On an [`Untimed`](crate::Untimed) stream that write
    /// cannot be bounded.)
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] when the peer broke the protocol or left, [`Error::Io`] when the transport failed. The
    /// Close frame has then been sent and the transport shut down, and further calls give `Ok(None)`. The exception
    /// is a stream with a timeout of its own: see [above](Self#streams-that-do-not-block).
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.whole.next_event()? {
                Some(Event::Message(message)) => return Ok(Some(message)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next event, control frames included; `None` after the end. Pings have been answered and a Close has been
    /// returned when their event appears.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_event(&mut self) -> Result<Option<Event>, Error> {
        let event = self.whole.next_event()?;
        self.whole.answer();
        Ok(event)
    }

    /// Sends one message: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the connection is closing, [`Error::Io`] when the transport failed.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// Queues one message and writes only if `Config::write_buffer_high` is reached. Follow a batch with
    /// [`flush`](Self::flush); [`recv`](Self::recv) writes what is queued before it waits.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). If the stream only [would have blocked](Self#streams-that-do-not-block), the message
    /// is queued all the same, up to `Config::write_buffer_limit`.
    pub fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.whole.make_room()?;
        self.whole
            .driver
            .connection
            .send(message.into())
            .map_err(|unsent| Error::Send(unsent.error))
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the transport failed; what was queued is dropped, while reading may still go on. If the
    /// stream only [would have blocked](Self#streams-that-do-not-block), what is not written stays queued.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.whole.flush()
    }

    /// Sends a Ping with at most 125 bytes of application data.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the data is too long or the connection is closing, [`Error::Io`] when the transport
    /// failed.
    pub fn ping(&mut self, data: &[u8]) -> Result<(), Error> {
        self.whole.make_room()?;
        self.whole.driver.connection.ping(data)?;
        self.flush()
    }

    /// Carries out the whole closing handshake within `Config::close_timeout`: sends a Close frame, drops the messages
    /// that still arrive, waits for the peer's Close frame and for the end of the transport, and tells how it went.
    ///
    /// When the peer has closed already, or after an earlier `close`, it carries that closing handshake to its end.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the code may not be sent or the reason exceeds 123 bytes (nothing has happened then);
    /// [`Error::Protocol`] when the peer broke the protocol, left, or did not finish in time; [`Error::Io`] when the
    /// transport failed.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        self.whole.driver.begin_close(code, reason)?;
        while self.recv()?.is_some() {}
        self.whole.driver.outcome()
    }

    /// Makes two halves of the connection, to send and to receive from different threads.
    ///
    /// Neither names the type of the stream. What was queued or read so far goes with them, and so does
    /// [the bound on waits for input](Self::set_read_timeout); `Config::write_timeout` is what bounds writing.
    ///
    /// # Errors
    ///
    /// When the stream cannot be cloned. The connection is lost then.
    pub fn split(self) -> io::Result<(Sender, Receiver)>
    where
        S: CloneStream + Send + 'static,
    {
        let read_timeout = self.whole.stream.own_read_timeout;
        let (sender, mut receiver) =
            split::split(self.whole.driver, self.whole.stream.stream, self.negotiated)?;
        receiver.set_read_timeout(read_timeout);
        Ok((sender, receiver))
    }

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.negotiated.subprotocol.as_deref()
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.whole.driver.connection.close_info()
    }

    /// How the connection stands.
    pub fn state(&self) -> State {
        self.whole.driver.connection.state()
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.whole.driver.connection.role()
    }

    /// Bounds each wait for input where no deadline does: a [`recv`](Self::recv) in which nothing arrives for so long
    /// fails, and may be [called again](Self#streams-that-do-not-block). `None`, the default, waits as long as the
    /// connection lives, and less than a millisecond is taken for one. Timeouts set on the stream itself do not last:
    /// deadlines replace them.
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.whole.stream.own_read_timeout = timeout.map(|timeout| timeout.max(SHORTEST_WAIT));
    }

    /// Bounds each wait for a peer that does not read: a [`send`](Self::send) or [`flush`](Self::flush) that gets
    /// nothing written for so long fails, and what is queued goes out
    /// [with the next call](Self#streams-that-do-not-block). `None`, the default, waits as long as TCP lets it.
    pub fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.whole.stream.own_write_timeout = timeout.map(|timeout| timeout.max(SHORTEST_WAIT));
    }

    /// The stream underneath, for its address and options. Reading or writing it would break the framing.
    pub fn get_ref(&self) -> &S {
        &self.whole.stream.stream
    }
}
