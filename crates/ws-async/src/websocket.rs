//! The connection over a tokio stream: read, write, wait, and nothing else.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};
use ws_handshake::Negotiated;
use ws_proto::{
    CloseCode, CloseInfo, Config, Connection, Event, Message, ProtocolError, Role, SendError, State,
};

use crate::mask_keys::OsMaskKeys;
use crate::{Error, scratch};

/// Chunks handed to one vectored write.
const MAX_CHUNKS: usize = 64;

/// Events and reads between two visits to the runtime. A peer that fills a read buffer with the smallest frames, or a
/// stream that is always ready, would otherwise keep its task on the thread for as long as it likes.
const MAX_BURST: u32 = 256;

/// A WebSocket connection over any tokio stream.
///
/// Made by [`connect`](crate::connect), [`accept`](crate::accept) or, over a stream that some other HTTP stack has
/// upgraded, by [`WebSocket::server`] and [`WebSocket::client`].
///
/// Pings are answered and the closing handshake is completed inside [`recv`](Self::recv), so a connection has to be
/// read to stay alive; keepalive pings and their deadline run there too.
///
/// Dropping a `WebSocket` drops the stream: the peer sees a connection lost without a Close frame (1006). Call
/// [`close`](Self::close) to end it cleanly.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    connection: Connection,
    negotiated: Negotiated,
    opened: Instant,
    deadline: Deadline,
    /// Whether the write side has been shut down.
    shut_down: bool,
    /// Whether the peer has ended its side: there is nothing more to read.
    ended: bool,
    /// A deadline has passed. What had arrived by then is looked at first.
    due: bool,
    /// Bytes were written that the stream may still hold back.
    unflushed: bool,
    /// A Pong or a Close is owed; it goes out before the application, which may take its time, gets to see more.
    owes_answer: bool,
    burst: u32,
    /// The first error of the transport: why the connection was lost, if it was.
    transport_error: Option<io::Error>,
    /// Why the connection is over, to be reported once its end has been carried out.
    failure: Option<Error>,
}

#[derive(Debug, Default)]
struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
    /// The state that the timer was set for. While it lasts the deadline does not move, and nobody asks for the time.
    armed_for: Option<State>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The server's end of a connection whose opening handshake is done. `received` is what came behind it.
    pub fn server(stream: S, config: Config, received: BytesMut) -> Self {
        Self::new(stream, Connection::server(config), received)
    }

    /// The client's end of a connection whose opening handshake is done. `received` is what came behind it.
    pub fn client(stream: S, config: Config, received: BytesMut) -> Self {
        Self::new(stream, Connection::client(config, OsMaskKeys), received)
    }

    fn new(stream: S, connection: Connection, received: BytesMut) -> Self {
        let vectored = stream.is_write_vectored();
        Self {
            stream,
            connection: connection
                .with_received(received)
                .with_vectored_writes(vectored),
            negotiated: Negotiated::default(),
            opened: Instant::now(),
            deadline: Deadline::default(),
            shut_down: false,
            ended: false,
            due: false,
            unflushed: false,
            owes_answer: false,
            burst: 0,
            transport_error: None,
            failure: None,
        }
    }

    pub(crate) fn with_negotiated(mut self, negotiated: Negotiated) -> Self {
        self.negotiated = negotiated;
        self
    }

    /// The next message; `None` when the peer has closed the connection ([`close_info`](Self::close_info) tells how).
    ///
    /// Before it waits it writes what is queued, but it never waits for the peer to take it.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] when the peer broke the protocol or left, [`Error::Io`] when the transport failed. The
    /// Close frame has then been sent and the transport shut down, and further calls give `Ok(None)`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: all progress lives in the connection. If the future is dropped, no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next event, control frames included; `None` after the end. Pings have been answered and a Close has been
    /// returned when their event appears.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`recv`](Self::recv).
    pub async fn recv_event(&mut self) -> Result<Option<Event>, Error> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Sends one message: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the connection is closing, [`Error::Io`] when the transport failed.
    ///
    /// # Cancel safety
    ///
    /// A frame is never torn. If the future is dropped while it waits for room, the message is not sent; if it is
    /// dropped while it writes, the message stays queued and goes out with the next call on this connection.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues one message and writes only if `Config::write_buffer_high` is reached. Follow a batch with
    /// [`flush`](Self::flush); [`recv`](Self::recv) writes what is queued before it waits.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued; once it is ready, the message is queued
    /// whole. So this, followed by [`flush`](Self::flush), sends each message exactly once whatever is dropped.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        if self.connection.wants_flush() {
            self.flush().await?;
        }
        self.connection
            .send(message.into())
            .map_err(|unsent| Error::Send(unsent.error))
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the transport failed; what was queued is dropped, while reading may still go on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is not written stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await.map_err(Error::Io)
    }

    /// Sends a Ping with at most 125 bytes of application data.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the data is too long or the connection is closing, [`Error::Io`] when the transport
    /// failed.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&mut self, data: &[u8]) -> Result<(), Error> {
        if self.connection.wants_flush() {
            self.flush().await?;
        }
        self.connection.ping(data)?;
        self.flush().await
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
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the closing handshake has begun and goes on with the next `recv` or `close`.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        match self.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => return Err(Error::Send(error)),
        }
        while self.recv().await?.is_some() {}
        self.connection
            .close_info()
            .ok_or(Error::Protocol(ProtocolError::ConnectionLost))
    }

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.negotiated.subprotocol.as_deref()
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.connection.close_info()
    }

    /// How the connection stands.
    pub fn state(&self) -> State {
        self.connection.state()
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.connection.role()
    }

    /// The stream underneath, for its address and options. Reading or writing it would break the framing.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The polled form of [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        loop {
            match ready!(self.poll_next_event(cx))? {
                Some(Event::Message(message)) => return Poll::Ready(Ok(Some(message))),
                Some(_) => {}
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// The polled form of [`recv_event`](Self::recv_event).
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        let event = ready!(self.poll_next_event(cx));
        self.answer(cx);
        Poll::Ready(event)
    }

    /// The polled form of [`flush`](Self::flush).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = self.poll_write_queued(cx);
        if written.is_pending() {
            // The wait may be long, and input that has not been looked at yet pins the thread's read buffer.
            self.connection.park();
        }
        written
    }

    /// An error of the transport says more than the loss of the connection that follows from it.
    fn blame(&mut self, error: ProtocolError) -> Error {
        // A Close that could not be written is none that the peer failed to answer.
        let closing = self
            .connection
            .close_info()
            .is_some_and(|info| info.sent.is_some());
        match (error, self.transport_error.take()) {
            (ProtocolError::ConnectionLost, Some(transport)) => Error::Io(transport),
            (ProtocolError::CloseTimeout, Some(transport)) if !closing => Error::Io(transport),
            (error, _) => Error::Protocol(error),
        }
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        loop {
            if self.burst >= MAX_BURST {
                self.burst = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.connection.poll_event() {
                Ok(Some(event)) => {
                    self.burst += 1;
                    self.before_event(&event, cx);
                    return Poll::Ready(Ok(Some(event)));
                }
                Err(error) => self.failure = Some(self.blame(error)),
                Ok(None) => {}
            }
            self.write_and_shut_down(cx);
            if self.connection.is_finished() {
                self.deadline = Deadline::default();
                return Poll::Ready(self.failure.take().map_or(Ok(None), Err));
            }
            if std::mem::take(&mut self.due) {
                self.connection.handle_timeout(self.opened.elapsed());
                continue;
            }
            self.due = self.poll_deadline(cx).is_ready();
            // After the end there is nothing to wait for but room to write, and whoever makes room wakes this task.
            let read = if self.ended {
                Poll::Pending
            } else {
                self.poll_read(cx)
            };
            match read {
                Poll::Ready(Ok(0)) => self.end(),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    self.transport_error.get_or_insert(error);
                    self.end();
                }
                Poll::Pending if self.due => {}
                Poll::Pending => {
                    self.burst = 0;
                    return Poll::Pending;
                }
            }
            self.burst += 1;
        }
    }

    /// A Pong does not wait until the application, which may be busy with this message, calls again.
    fn before_event(&mut self, event: &Event, cx: &mut Context<'_>) {
        match event {
            Event::Ping(_) | Event::Closed(_) => self.owes_answer = true,
            Event::Message(_) => self.answer(cx),
            _ => {}
        }
    }

    fn answer(&mut self, cx: &mut Context<'_>) {
        if self.owes_answer {
            self.write_and_shut_down(cx);
        }
    }

    /// Writes as much as the stream takes, without waiting: reading must never wait for writing, or two peers that
    /// both have Pongs to write would wait for each other.
    fn write_and_shut_down(&mut self, cx: &mut Context<'_>) {
        self.owes_answer = false;
        if let Poll::Ready(Err(error)) = self.poll_write_queued(cx) {
            // Reading goes on: the peer may have closed the connection properly before it left.
            self.transport_error.get_or_insert(error);
        }
        if !self.shut_down
            && self.connection.wants_shutdown()
            && let Poll::Ready(shut_down) = Pin::new(&mut self.stream).poll_shutdown(cx)
        {
            self.shut_down = true;
            if shut_down.is_err() {
                // The peer will only learn of the end when the stream is dropped: to wait for its end would be to wait
                // for each other.
                self.end();
            }
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.connection.handle_eof();
    }

    fn poll_write_queued(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = ready!(self.poll_write(cx));
        if written.is_err() {
            self.connection.handle_write_failed();
        }
        Poll::Ready(written)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let vectored = self.stream.is_write_vectored();
        loop {
            let transmit = self.connection.transmit();
            if !transmit.has_remaining() {
                break;
            }
            let stream = Pin::new(&mut self.stream);
            // Most writes are one chunk, and need no array of them.
            let written = if vectored && transmit.chunk().len() < transmit.remaining() {
                let mut chunks = [IoSlice::new(&[]); MAX_CHUNKS];
                let filled = transmit.chunks_vectored(&mut chunks);
                ready!(stream.poll_write_vectored(cx, &chunks[..filled]))?
            } else {
                ready!(stream.poll_write(cx, transmit.chunk()))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            transmit.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once: the rest of a large frame into that frame's own buffer, anything else into the thread's.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.connection.prefers_receive_buffer() {
            return scratch::poll_read_into(&mut self.stream, cx, self.connection.receive_buffer());
        }
        match scratch::poll_read(&mut self.stream, cx) {
            Poll::Ready(Ok(received)) => {
                let count = received.len();
                if count > 0 {
                    self.connection.handle_received(received);
                }
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.connection.park();
                Poll::Pending
            }
        }
    }

    /// Ready when a deadline has passed.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.connection.state();
        if self.deadline.armed_for != Some(state) {
            let deadline = self.connection.poll_timeout(self.opened.elapsed());
            self.deadline
                .set(deadline.and_then(|deadline| self.opened.checked_add(deadline)));
            self.deadline.armed_for = Some(state);
        }
        let Some(timer) = &mut self.deadline.timer else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        self.deadline.armed_for = None;
        Poll::Ready(())
    }
}

impl Deadline {
    fn set(&mut self, deadline: Option<Instant>) {
        match (deadline, &mut self.timer) {
            (None, timer) => *timer = None,
            (Some(deadline), Some(timer)) => timer.as_mut().reset(deadline),
            (Some(deadline), timer) => *timer = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }
}
