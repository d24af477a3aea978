//! The connection in one hand: [`WebSocket`].

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use ws_handshake::Negotiated;
use ws_proto::{
    Agreement, Chunk, CloseCode, CloseInfo, Compress, Config, Connection, Event, Message,
    MessageKind, MessageRef, PreparedMessage, Role, SendError, State, Stats, TappedFrame, Unsent,
};

use crate::Error;
use crate::byte_stream::ByteStream;
use crate::deferred::Owner;
use crate::driver::Driver;
use crate::lent::{Received, StreamRef};
use crate::mask_keys::OsMaskKeys;
use crate::split::{self, Receiver, Sender};
use crate::streaming::sealed::{Receiving, Sending};
use crate::streaming::{MessageReader, MessageWriter};

/// A WebSocket connection over any tokio stream.
///
/// Made by [`connect`](crate::connect), [`accept`](crate::accept) or, over a stream that some other HTTP stack has
/// upgraded, by [`WebSocket::server`] and [`WebSocket::client`].
///
/// Pings are answered, the closing handshake is completed and deadlines are kept inside every call that waits,
/// [`recv`](Self::recv) above all: a connection that nobody uses does nothing by itself, but for writing what was sent.
/// While only [`send`](Self::send) is called, what arrives is read ahead up to the first message, so Pings are answered
/// and the peer's Close is noticed then too.
///
/// Dropping a `WebSocket` drops the stream, and the peer sees a connection lost without a Close frame (1006). What was
/// [sent](Self::send) is written first: what the stream does not take at once by a task of its own, within
/// `Config::write_timeout`, or not at all if that is `None`. Call [`close`](Self::close) to end it cleanly, or [`abort`](Self::abort) to end it at once.
#[derive(Debug)]
pub struct WebSocket<S> {
    pub(crate) owner: Owner<S>,
    /// What the opening handshake agreed on, if anything: mostly nothing.
    negotiated: Option<Box<Negotiated>>,
}

/// Queues a message that is kept until it is.
#[inline(always)]
pub(crate) fn queue(
    connection: &mut Connection,
    message: &Message,
    compress: Compress,
) -> Result<(), SendError> {
    if Connection::copies(message.len()) {
        connection.send_ref(message.into(), compress)
    } else {
        Ok(connection.send_with(message.clone(), compress)?)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocket<S> {
    /// The server's end of a connection whose opening handshake is done. `received` is what came behind it.
    pub fn server(stream: S, config: Config, received: BytesMut) -> Self {
        Self::new(stream, Connection::server(config), received)
    }

    /// The client's end of a connection whose opening handshake is done. `received` is what came behind it.
    pub fn client(stream: S, config: Config, received: BytesMut) -> Self {
        Self::new(stream, Connection::client(config, OsMaskKeys), received)
    }

    fn new(stream: S, connection: Connection, received: BytesMut) -> Self {
        let connection = connection
            .with_received(received)
            .with_vectored_writes(stream.is_write_vectored());
        Self {
            owner: Owner::new(Driver::new(connection, stream)),
            negotiated: None,
        }
    }

    pub(crate) fn with_negotiated(mut self, negotiated: Negotiated) -> Self {
        let is_something = negotiated != Negotiated::default();
        self.negotiated = is_something.then(|| Box::new(negotiated));
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
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> {
        // No `async fn`: a future around this one moves the message once more.
        self.owner.until_taken(
            |driver, cx| driver.poll_found(cx),
            |driver, is_there| driver.take_found(is_there),
        )
    }

    /// The next message, where it lies: nothing is allocated for it and nothing copied. `None` as with
    /// [`recv`](Self::recv).
    ///
    /// ```no_run
    /// # async fn echo(mut ws: ws_async::WebSocket<tokio::net::TcpStream>) -> Result<(), ws_async::Error> {
    /// while let Some(mut received) = ws.recv_ref().await? {
    ///     let (message, mut replies) = received.parts();
    ///     replies.send(message, ws_async::Compress::Auto)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It waits until there is room for a reply, for what is sent through [`Received::parts`] is queued at once.
    ///
    /// There is no such call once the connection is [split](Self::split): a [`Receiver`] gives away messages that are
    /// owned, and says why.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`recv`](Self::recv).
    pub async fn recv_ref(&mut self) -> Result<Option<Received<'_, S>>, Error> {
        let is_there = self.owner.hold_until(Driver::poll_lent).await?;
        let owner = &mut self.owner;
        Ok(is_there.then(|| Received::new(owner)))
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
        self.owner.until(Driver::poll_event_answered).await
    }

    /// Sends one message.
    ///
    /// When this is ready the transport has taken the message, with one exception: while more of what the peer sent has
    /// arrived and waits to be received, and less than `Config::write_buffer_high` is queued, the message only joins the
    /// queue. [`recv`](Self::recv) writes it before it waits, so that replies to what came together leave together.
    /// And if it is not that which the task does next, the message is written after the task has had its turn, when the
    /// runtime next looks for events: nothing is left behind, and no timer is involved. Whoever wants to know that it was
    /// written calls [`flush`](Self::flush).
    ///
    /// Every message is written at once where `Config::write_timeout` is `None`, for then nobody could be left to write
    /// to a peer that takes nothing, and outside of a task, such as in the future that a runtime was told to run.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the connection is closing, or an earlier [`writer`](Self::writer) was dropped inside its
    /// message; [`Error::Io`] or [`Error::Protocol`] when it was lost before everything was written.
    ///
    /// # Cancel safety
    ///
    /// A frame is never torn. If the future is dropped while it waits for room, the message is not sent; if it is
    /// dropped while it writes, the message stays queued and is written all the same: by the runtime, or, where there is none
    /// or `Config::write_timeout` is `None`, with the next call.
    #[inline]
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.send_with(message, Compress::Auto)
    }

    /// As [`send`](Self::send), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> {
        // No `async fn`, which would keep room for what this was made of beside it, in every task that ever sends.
        let message = message.into();
        self.send_by(move |connection| queue(connection, &message, compress))
    }

    /// As [`send`](Self::send), straight from where the message lies: it is copied into what is written, and masked there
    /// if this is a client. For a large message that is owned already `send` is the better call, for a server does not copy
    /// it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_ref(&mut self, message: impl Into<MessageRef<'_>>) -> Result<(), Error> {
        let message = message.into();
        self.send_by(|connection| connection.send_ref(message, Compress::Auto))
            .await
    }

    #[inline]
    fn send_by(
        &mut self,
        mut queue: impl FnMut(&mut Connection) -> Result<(), SendError> + Unpin,
    ) -> impl Future<Output = Result<(), Error>> {
        let mut is_queued = false;
        self.owner.until_taken(
            move |driver, cx| driver.poll_send(cx, &mut is_queued, &mut queue),
            |_, sent| sent.map_err(|error| *error),
        )
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
    #[inline]
    pub fn feed(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.feed_with(message, Compress::Auto)
    }

    /// As [`feed`](Self::feed), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`feed`](Self::feed).
    #[inline]
    pub fn feed_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> {
        let message = message.into();
        self.owner.until_taken(
            move |driver, cx| {
                driver.poll_feed(cx, false, |connection| {
                    queue(connection, &message, compress)
                })
            },
            |_, fed| fed.map_err(|error| *error),
        )
    }

    /// Sends one message that was framed for many connections ([`PreparedMessage`]), as [`send`](Self::send) does.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.send_by(|connection| connection.send_prepared(message))
            .await
    }

    /// Queues one message and writes what can be written at once, or gives the message back: nothing is waited for.
    /// What remains is written as the peer takes it: by the runtime, or, where there is none or `Config::write_timeout` is
    /// `None`, with the next call.
    ///
    /// # Errors
    ///
    /// [`SendError::BufferFull`](crate::SendError::BufferFull) while `Config::write_buffer_high` bytes wait to be
    /// written, [`SendError::Closed`](crate::SendError::Closed) when the connection is closing,
    /// [`SendError::MessageUnfinished`](crate::SendError::MessageUnfinished) when an earlier writer was dropped inside its
    /// message; the message comes back.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), Unsent> {
        self.try_send_with(message, Compress::Auto)
    }

    /// As [`try_send`](Self::try_send), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), Unsent> {
        let message = message.into();
        self.owner
            .with(|driver, cx| driver.try_send(cx, message, compress))
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the transport failed, [`Error::Protocol`] when the connection was lost in another way, such as
    /// by a deadline: what was queued is dropped. After the former reading may still go on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is not written stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.owner
            .until(|driver, cx| driver.poll_flush(cx, false))
            .await
    }

    /// Sends a Ping with at most 125 bytes of application data. It is queued at once, in front of what waits to be framed,
    /// unless 1 KiB of them wait already behind a full write buffer.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the data is too long or the connection is closing, otherwise as [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&mut self, data: &[u8]) -> Result<(), Error> {
        let mut is_queued = false;
        self.owner
            .until(|driver, cx| {
                if !is_queued {
                    ready!(driver.poll_ping(cx, false, data))?;
                    is_queued = true;
                }
                driver.poll_flush(cx, false)
            })
            .await
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
        self.owner
            .with(|driver, _| driver.begin_close(code, reason))?;
        while self.recv().await?.is_some() {}
        self.owner.look(Driver::outcome)
    }

    /// Begins the closing handshake and leaves it to [`recv`](Self::recv) to carry it out: what still arrives is delivered until the
    /// peer's Close comes, all within `Config::close_timeout`. [`close`](Self::close) does both, and drops those messages.
    ///
    /// If the connection is closing already, nothing is done.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the code may not be sent or the reason exceeds 123 bytes.
    pub fn begin_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.owner.with(|driver, cx| {
            driver.begin_close(code, reason)?;
            driver.write_and_shut_down(cx);
            // There is a deadline now.
            driver.wake_waiting();
            Ok(())
        })
    }

    /// Waits for the next message and receives it in chunks, within the limits of `Config`; `None` at the end. What has
    /// arrived of it already is the first chunk.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, the message comes with the next call of whatever kind.
    pub async fn reader(&mut self) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::of(self, None).await
    }

    /// As [`reader`](Self::reader), for a message of up to `max_size` bytes, whatever `Config::max_message_size` and
    /// `Config::max_frame_size` say.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As [`reader`](Self::reader).
    pub async fn reader_up_to(
        &mut self,
        max_size: u64,
    ) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::of(self, Some(max_size)).await
    }

    /// Begins a message that is sent in fragments, for one that is larger than memory or not known in full. While it is
    /// written Pings are answered, and what arrives is read ahead up to the first message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::MessageUnfinished`](crate::SendError::MessageUnfinished) when an earlier
    /// writer was dropped inside its message.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, no message was begun.
    pub async fn writer(&mut self, kind: MessageKind) -> Result<MessageWriter<&mut Self>, Error> {
        MessageWriter::of(self, kind).await
    }

    /// A stream of bytes over binary messages.
    pub fn into_byte_stream(self) -> ByteStream<S> {
        ByteStream::new(self)
    }

    /// Makes two halves of the connection, to send and to receive from different tasks.
    ///
    /// Neither names the type of the stream. What was queued or read so far goes with them.
    pub fn split(self) -> (Sender, Receiver) {
        split::split(self.owner.into_driver(), self.negotiated)
    }

    /// Ends the connection at once, for those who cannot wait for [`close`](Self::close): what is queued is lost, the
    /// stream is dropped, and the peer sees a connection lost without a Close frame (1006).
    pub fn abort(self) {
        // Dropping it would write what was sent first.
        drop(self.owner.into_driver());
    }

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        let negotiated = self.negotiated.as_ref()?;
        negotiated.subprotocol.as_deref()
    }

    /// What the opening handshake agreed on compression (RFC 7692), if anything.
    pub fn deflate(&self) -> Option<Agreement> {
        self.negotiated.as_ref()?.deflate
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.owner.look(|driver| driver.connection.close_info())
    }

    /// How the connection stands.
    pub fn state(&self) -> State {
        self.owner.look(|driver| driver.connection.state())
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.owner.look(|driver| driver.connection.role())
    }

    /// What the connection has carried so far.
    pub fn stats(&self) -> Stats {
        self.owner.look(|driver| driver.connection.stats())
    }

    /// The round-trip time of the newest keepalive Ping that was answered; `None` before the first.
    pub fn rtt(&self) -> Option<Duration> {
        self.owner.look(|driver| driver.connection.rtt())
    }

    /// Lets `tap` see each frame from now on, both ways: its header, its sizes, and the time at which its header was
    /// accepted or queued. Without a tap nothing of this is done. There is one tap: this one takes
    /// the place of the one before.
    ///
    /// If it panics, the connection is over.
    pub fn set_tap(&mut self, mut tap: impl FnMut(&TappedFrame, Instant) + Send + Sync + 'static) {
        self.owner
            .with(|driver, _| driver.set_tap(move |frame| tap(frame, Instant::now())));
    }

    /// Takes the tap off again.
    pub fn remove_tap(&mut self) {
        self.owner.with(|driver, _| driver.remove_tap());
    }

    /// The stream underneath, for its address and options. Reading or writing it would break the framing.
    ///
    /// What [`send`](Self::send) has left to be written waits while this is held.
    pub fn get_ref(&mut self) -> StreamRef<'_, S> {
        self.owner.hold();
        StreamRef::new(&mut self.owner)
    }

    /// The polled form of [`recv`](Self::recv).
    ///
    /// While it is pending, what is queued is written when the task that it was called from calls again.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.owner.poll_form(cx, Driver::poll_message)
    }

    /// The polled form of [`recv_event`](Self::recv_event), as [`poll_recv`](Self::poll_recv).
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        self.owner.poll_form(cx, Driver::poll_event_answered)
    }

    /// The polled form of [`flush`](Self::flush), as [`poll_recv`](Self::poll_recv).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.owner
            .poll_form(cx, |driver, cx| driver.poll_flush(cx, false))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Receiving for WebSocket<S> {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        begin: Option<Option<u64>>,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        self.owner
            .poll_form(cx, |driver, cx| driver.poll_chunk(cx, begin))
    }

    fn discard(&mut self) {
        self.owner.with(|driver, _| driver.discard_message());
    }

    fn settle(&mut self) {
        self.owner.settle();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Sending for &mut WebSocket<S> {
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.owner
            .poll_form(cx, |driver, cx| driver.poll_begin(cx, false))
    }

    fn poll_fragment(
        &mut self,
        cx: &mut Context<'_>,
        kind: MessageKind,
        fragment: &Bytes,
        fin: bool,
        compress: Compress,
    ) -> Poll<Result<(), Error>> {
        self.owner.poll_form(cx, |driver, cx| {
            driver.poll_fragment(cx, false, kind, fragment, fin, compress)
        })
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.owner
            .poll_form(cx, |driver, cx| driver.poll_flush(cx, false))
    }

    fn end(&mut self, whole: bool) {
        self.owner.with(|driver, _| driver.end_turn(whole));
    }

    fn settle(&mut self) {
        self.owner.settle();
    }
}
