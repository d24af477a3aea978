//! The connection in two hands or more: [`Sender`] and [`Receiver`].

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_proto::{
    Chunk, CloseCode, CloseInfo, Event, Message, MessageKind, Offered, OverflowPolicy,
    PreparedMessage, Role, State, Stats, Unsent,
};

use crate::Error;
use crate::driver::Driver;
use crate::handover::{Handover, Signals, Ticket, Visit};
use crate::streaming::sealed::{Receiving, Sending};
use crate::streaming::{MessageReader, MessageWriter};

/// The half of a connection that sends; [`WebSocket::split`](crate::WebSocket::split) makes it. Clones send on the same
/// connection, from any task.
///
/// Whichever half is waiting drives the connection: a sender that waits also reads, up to the first message that nobody
/// has received, so that Pings are answered and the peer's Close is noticed; a [`Receiver`] that waits writes what
/// senders have queued. While nobody waits, nothing moves.
///
/// The stream is closed when the connection is over, or when the last half is dropped; in the latter case the peer
/// sees a connection lost without a Close frame (1006).
#[derive(Clone)]
pub struct Sender {
    shared: Arc<Shared>,
}

/// The half of a connection that receives; [`WebSocket::split`](crate::WebSocket::split) makes it.
///
/// Replies may be sent by other tasks: after a message, these get to run once before a frame is looked at that ends the
/// connection (a Close, or a breach of the protocol), because nothing can be sent after it.
///
/// When it is dropped, messages that still arrive are read and discarded by whichever [`Sender`] waits.
pub struct Receiver {
    shared: Arc<Shared>,
}

/// What the halves share.
struct Shared {
    handover: Handover<Driver<Transport>>,
    /// Agreed on once and for all.
    subprotocol: Option<Box<str>>,
    role: Role,
}

pub(crate) fn split<S>(mut driver: Driver<S>) -> (Sender, Receiver)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    driver.yields_to_replies = true;
    let shared = Arc::new(Shared {
        subprotocol: driver.negotiated.subprotocol.as_deref().map(Box::from),
        role: driver.connection.role(),
        handover: Handover::new(driver.map_stream(Transport::new)),
    });
    let sender = Sender {
        shared: Arc::clone(&shared),
    };
    (sender, Receiver { shared })
}

impl Sender {
    /// Sends one message: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the connection is closing, [`Error::Io`] or [`Error::Protocol`] when it was lost before
    /// everything was written.
    ///
    /// # Cancel safety
    ///
    /// A frame is never torn. If the future is dropped while it waits for room, the message is not sent; if it is
    /// dropped while it writes, the message stays queued, and whichever half waits next writes it.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues one message as soon as less than `Config::write_buffer_high` bytes wait to be written. Follow a batch
    /// with [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not queued; once it is ready, the message is queued
    /// whole.
    pub async fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        let mut message = Some(message.into());
        self.wait(|driver, visit| {
            ready!(driver.poll_turn(visit.cx, visit.receiver_waits))?;
            // There is one to take: once it is taken, this is ready.
            let sent = message
                .take()
                .map(|message| driver.connection.send(message));
            Poll::Ready(sent.unwrap_or(Ok(())).map_err(Error::from))
        })
        .await
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
    pub async fn send_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.wait(|driver, visit| {
            ready!(driver.poll_room(visit.cx, visit.receiver_waits))?;
            Poll::Ready(
                driver
                    .connection
                    .send_prepared(message)
                    .map_err(Error::from),
            )
        })
        .await?;
        self.flush().await
    }

    /// Queues one message and writes what can be written at once, or gives the message back: nothing is waited for.
    /// What remains is written by whichever half waits.
    ///
    /// # Errors
    ///
    /// [`SendError::BufferFull`](crate::SendError::BufferFull) while `Config::write_buffer_high` bytes wait to be
    /// written, [`SendError::Closed`](crate::SendError::Closed) when the connection is closing; the message comes back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), Unsent> {
        let message = message.into();
        self.shared
            .handover
            .with(|driver, visit| driver.try_send(visit.cx, message))
    }

    /// Writes everything that is queued, by whomever it was.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Protocol`] when the connection was lost before that.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is not written stays queued.
    pub async fn flush(&self) -> Result<(), Error> {
        self.wait(|driver, visit| driver.poll_flush(visit.cx, visit.receiver_waits))
            .await
    }

    /// Sends a Ping with at most 125 bytes of application data.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the data is too long or the connection is closing, otherwise as [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&self, data: &[u8]) -> Result<(), Error> {
        self.wait(|driver, visit| {
            ready!(driver.poll_room(visit.cx, visit.receiver_waits))?;
            Poll::Ready(driver.connection.ping(data).map_err(Error::from))
        })
        .await?;
        self.flush().await
    }

    /// Begins a message that is sent in fragments, for one that is larger than memory or not known in full. What other
    /// clones send waits until it is finished; Pings and Closes do not.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::MessageUnfinished`](crate::SendError::MessageUnfinished) when an earlier
    /// writer was dropped inside its message.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, no message was begun.
    pub async fn writer(&self, kind: MessageKind) -> Result<MessageWriter<Turn<'_>>, Error> {
        let turn = Turn {
            place: Place {
                shared: &self.shared,
                ticket: Ticket::default(),
            },
            is_taken: false,
        };
        MessageWriter::of(turn, kind).await
    }

    /// Carries out the whole closing handshake within `Config::close_timeout` and tells how it went. Messages that
    /// still arrive are for the [`Receiver`]: go on receiving meanwhile, or drop it; one that is neither used nor
    /// dropped holds up the peer's Close until the deadline.
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
    /// If the future is dropped, the closing handshake has begun and goes on with whichever half waits.
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        self.shared
            .handover
            .with(|driver, _| driver.begin_close(code, reason))?;
        self.wait(|driver, visit| driver.poll_over(visit.cx, visit.receiver_waits))
            .await;
        self.shared.handover.inspect(Driver::outcome)
    }

    /// Ends the connection at once, for those who cannot wait for [`close`](Self::close): what is queued is lost, the
    /// stream is dropped, the peer sees a connection lost without a Close frame (1006), and the [`Receiver`] has come
    /// to the end.
    pub fn abort(&self) {
        self.shared.handover.with(|driver, _| {
            driver.abort();
            driver.close_if_over();
        });
    }

    /// Ready when the connection is over, whoever ended it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn closed(&self) {
        self.wait(|driver, visit| driver.poll_over(visit.cx, visit.receiver_waits))
            .await;
    }

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.subprotocol.as_deref()
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.shared.close_info()
    }

    /// How the connection stands.
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.shared.role
    }

    /// What the connection has carried so far.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Queues or writes a message that may be dropped; nothing is waited for. Tells too whether nothing waits any more.
    pub(crate) fn offer(
        &self,
        message: &PreparedMessage,
        overflow: OverflowPolicy,
        capacity: usize,
    ) -> (Offered, bool) {
        self.shared
            .handover
            .with(|driver, visit| driver.offer(visit.cx, message, overflow, capacity))
    }

    /// Sends a message when there is room for it.
    pub(crate) async fn offer_when_room(&self, message: &PreparedMessage) -> (Offered, bool) {
        self.wait(|driver, visit| {
            let Visit { cx, receiver_waits } = visit;
            match ready!(driver.poll_room(cx, receiver_waits)) {
                Ok(()) => Poll::Ready(driver.offer(cx, message, OverflowPolicy::Refuse, 1)),
                Err(_) => Poll::Ready((Offered::Closed, false)),
            }
        })
        .await
    }

    /// Begins to close a connection whose owner will carry that out.
    pub(crate) fn begin_close(&self, code: CloseCode, reason: &'static str) {
        self.shared.handover.with(|driver, visit| {
            let begun = driver.begin_close(code, reason);
            debug_assert!(begun.is_ok(), "the code and the reason are fit to be sent");
            driver.write_and_shut_down(visit.cx);
        });
    }

    /// Waits until `operation` is ready. If the wait is given up, so is this task's place among those to be woken.
    async fn wait<R>(
        &self,
        mut operation: impl FnMut(&mut Driver<Transport>, Visit<'_, '_>) -> Poll<R>,
    ) -> R {
        let mut place = Place {
            shared: &self.shared,
            ticket: Ticket::default(),
        };
        poll_fn(|cx| place.poll(cx, &mut operation)).await
    }
}

/// A sender's place among those that wait.
struct Place<'a> {
    shared: &'a Shared,
    ticket: Ticket,
}

impl Place<'_> {
    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Driver<Transport>, Visit<'_, '_>) -> Poll<R>,
    ) -> Poll<R> {
        let handover = &self.shared.handover;
        handover.poll_sender(&mut self.ticket, cx, |driver, visit| {
            let result = operation(driver, visit);
            driver.close_if_over();
            result
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.handover.leave(&mut self.ticket);
    }
}

/// A [`Sender`]'s turn to send a message in fragments.
pub struct Turn<'a> {
    place: Place<'a>,
    is_taken: bool,
}

impl Sending for Turn<'_> {
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let begun = self.place.poll(cx, |driver, visit| {
            driver.poll_begin(visit.cx, visit.receiver_waits)
        });
        self.is_taken = matches!(begun, Poll::Ready(Ok(())));
        begun
    }

    fn poll_fragment(
        &mut self,
        cx: &mut Context<'_>,
        kind: MessageKind,
        fragment: &Bytes,
        fin: bool,
    ) -> Poll<Result<(), Error>> {
        self.place.poll(cx, |driver, visit| {
            driver.poll_fragment(visit.cx, visit.receiver_waits, kind, fragment, fin)
        })
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.place.poll(cx, |driver, visit| {
            driver.poll_flush(visit.cx, visit.receiver_waits)
        })
    }

    fn end(&mut self, whole: bool) {
        if std::mem::take(&mut self.is_taken) {
            let handover = &self.place.shared.handover;
            handover.with(|driver, _| driver.end_turn(whole));
        }
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("is_taken", &self.is_taken)
            .finish_non_exhaustive()
    }
}

impl Receiver {
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
        let mut seat = Seat::of(self);
        poll_fn(|cx| seat.poll(cx, Receiver::poll_recv)).await
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
        let mut seat = Seat::of(self);
        poll_fn(|cx| seat.poll(cx, Receiver::poll_event)).await
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

    /// The polled form of [`recv`](Self::recv). While it is pending, the task is taken to be waiting: senders leave
    /// the reading to it.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.shared.poll_receiver(cx, |driver, cx| {
            loop {
                match ready!(driver.poll_event(cx))? {
                    Some(Event::Message(message)) => return Poll::Ready(Ok(Some(message))),
                    Some(_) => {}
                    None => return Poll::Ready(Ok(None)),
                }
            }
        })
    }

    /// The polled form of [`recv_event`](Self::recv_event), waiting as [`poll_recv`](Self::poll_recv) does.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        self.shared.poll_receiver(cx, |driver, cx| {
            let event = ready!(driver.poll_event(cx));
            driver.answer(cx);
            Poll::Ready(event)
        })
    }

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.subprotocol.as_deref()
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.shared.close_info()
    }

    /// How the connection stands.
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.shared.role
    }

    /// What the connection has carried so far.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl Receiving for Receiver {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        begin: Option<Option<u64>>,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        self.shared
            .poll_receiver(cx, |driver, cx| driver.poll_chunk(cx, begin))
    }

    fn discard(&mut self) {
        self.shared
            .handover
            .with(|driver, _| driver.discard_message());
        self.shared.handover.leave_receiver();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared
            .handover
            .with(|driver, _| driver.stop_listening());
        self.shared.handover.leave_receiver();
    }
}

/// The receiver's place among those that wait, given up with the future.
struct Seat<'a> {
    receiver: &'a mut Receiver,
    taken: bool,
}

impl<'a> Seat<'a> {
    fn of(receiver: &'a mut Receiver) -> Self {
        Self {
            receiver,
            taken: false,
        }
    }

    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Receiver, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let result = poll(self.receiver, cx);
        self.taken = result.is_pending();
        result
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if self.taken {
            self.receiver.shared.handover.leave_receiver();
        }
    }
}

impl Shared {
    fn poll_receiver<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Driver<Transport>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.handover.poll_receiver(cx, |driver, visit| {
            let result = operation(driver, visit.cx);
            driver.close_if_over();
            result
        })
    }

    fn close_info(&self) -> Option<CloseInfo> {
        self.handover
            .inspect(|driver| driver.connection.close_info())
    }

    fn stats(&self) -> Stats {
        self.handover.inspect(|driver| driver.connection.stats())
    }

    fn state(&self) -> State {
        self.handover.inspect(|driver| driver.connection.state())
    }
}

impl Signals for Driver<Transport> {
    type Signals = (State, bool, bool, bool, bool, usize);

    fn signals(&self) -> Self::Signals {
        (
            self.connection.state(),
            self.connection.is_finished(),
            self.connection.wants_flush(),
            self.connection.is_flushed(),
            self.turn_is_taken(),
            self.events_ahead(),
        )
    }
}

impl Driver<Transport> {
    /// A half that is kept for its [`close_info`](Sender::close_info) must not keep the stream open.
    fn close_if_over(&mut self) {
        if self.connection.is_finished() {
            self.stream.0 = None;
        }
    }
}

/// The stream of a split connection, until it is over.
struct Transport(Option<Box<dyn Stream>>);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Transport {
    fn new(stream: impl Stream + 'static) -> Self {
        Self(Some(Box::new(stream)))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Some(stream) => Pin::new(stream).poll_read(cx, buffer),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Some(stream) => Pin::new(stream).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Some(stream) => Pin::new(stream).poll_write_vectored(cx, chunks),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|stream| stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Some(stream) => Pin::new(stream).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Some(stream) => Pin::new(stream).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Transport").field(&self.0.is_some()).finish()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
