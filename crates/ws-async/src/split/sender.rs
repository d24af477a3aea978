//! The half that sends.

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use ws_proto::{
    Agreement, CloseCode, CloseInfo, Compress, Connection, Message, MessageKind, MessageRef,
    PreparedMessage, Role, State, Stats, TappedFrame, Unsent,
};

use self::waiting::Place;
use super::Shared;
use crate::Error;
#[cfg(doc)]
use crate::Receiver;
use crate::driver::Driver;
use crate::handover::Visit;
use crate::streaming::MessageWriter;
use crate::websocket::queue;

mod turn;
mod waiting;

pub use self::turn::Turn;

/// The half of a connection that sends; [`WebSocket::split`](crate::WebSocket::split) makes it. Clones send on the same
/// connection, from any task.
///
/// Whichever half is waiting drives the connection: a sender that waits also reads, up to the first message that nobody
/// has received, so that Pings are answered and the peer's Close is noticed; a [`Receiver`] that waits writes what
/// senders have queued. While nobody waits, nothing moves, but for what was sent and is yet to be written.
///
/// The stream is closed when the connection is over, or when the last half is dropped and what was sent is written; in the
/// latter case the peer sees a connection lost without a Close frame (1006).
#[derive(Clone)]
pub struct Sender {
    pub(super) shared: Arc<Shared>,
}

impl Sender {
    /// Sends one message. When this is ready the transport has taken it, or will at the latest when the task that runs
    /// now has had its turn: replies leave together, as [`WebSocket::send`](crate::WebSocket::send) describes.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the connection is closing, or an earlier [`writer`](Self::writer) was dropped inside its
    /// message; [`Error::Io`] or [`Error::Protocol`] when it was lost before everything was written.
    ///
    /// # Cancel safety
    ///
    /// A frame is never torn. If the future is dropped while it waits for room, the message is not sent; if it is
    /// dropped while it writes, the message stays queued and is written all the same.
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
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
    pub fn send_with(
        &self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> {
        // No `async fn`, which would keep room for what this was made of beside it, in every task that ever sends.
        let message = message.into();
        self.queue_and_flush(move |driver, visit| {
            ready!(driver.poll_turn(visit.cx, visit.receiver_waits))?;
            let queue = |connection: &mut Connection| queue(connection, &message, compress);
            let fed = driver.poll_feed(visit.cx, visit.receiver_waits, queue);
            fed.map_err(|error| *error)
        })
    }

    /// As [`send`](Self::send), straight from where the message lies, as
    /// [`WebSocket::send_ref`](crate::WebSocket::send_ref) does.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_ref(&self, message: impl Into<MessageRef<'_>>) -> Result<(), Error> {
        let message = message.into();
        self.queue_and_flush(|driver, visit| {
            ready!(driver.poll_turn(visit.cx, visit.receiver_waits))?;
            let sent = driver.connection.send_ref(message, Compress::Auto);
            Poll::Ready(sent.map_err(Error::from))
        })
        .await
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
    pub fn feed(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
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
    pub fn feed_with(
        &self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> {
        let message = message.into();
        self.wait(move |driver, visit| {
            let Visit { cx, receiver_waits } = visit;
            ready!(driver.poll_turn(cx, receiver_waits))?;
            let queue = |connection: &mut Connection| queue(connection, &message, compress);
            let fed = driver.poll_feed(cx, receiver_waits, queue);
            fed.map_err(|error| *error)
        })
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
        self.queue_and_flush(|driver, visit| {
            ready!(driver.poll_turn(visit.cx, visit.receiver_waits))?;
            Poll::Ready(
                driver
                    .connection
                    .send_prepared(message)
                    .map_err(Error::from),
            )
        })
        .await
    }

    /// Queues one message and writes what can be written at once, or gives the message back: nothing is waited for.
    ///
    /// What was accepted is on its way, and needs no further call: whoever waits on the connection, the [`Receiver`] in
    /// [`recv`](Receiver::recv) or any [`Sender`], is woken to write what the transport did not take, now and whenever it
    /// takes more; if nobody does, a task is started for it. Where there is no runtime to start it on, or
    /// `Config::write_timeout` is `None`, it goes out with the next call that waits.
    ///
    /// # Errors
    ///
    /// [`SendError::BufferFull`](crate::SendError::BufferFull) while `Config::write_buffer_high` bytes wait to be
    /// written, [`SendError::Closed`](crate::SendError::Closed) when the connection is closing,
    /// [`SendError::MessageUnfinished`](crate::SendError::MessageUnfinished) between the pieces of a message that a
    /// writer has begun; the message comes back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), Unsent> {
        self.try_send_with(message, Compress::Auto)
    }

    /// As [`try_send`](Self::try_send), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_with(
        &self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), Unsent> {
        let message = message.into();
        self.without_wait(|driver, cx| driver.try_send(cx, message, compress))
    }

    /// Writes everything that is queued now, by whomever it was. What others queue meanwhile is not waited for.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Protocol`] when the connection was lost before that.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is not written stays queued.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut mark = None;
        self.wait(|driver, visit| {
            let mark = mark.get_or_insert_with(|| driver.connection.flush_mark());
            driver.poll_flush_to(visit.cx, visit.receiver_waits, mark)
        })
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
    pub async fn ping(&self, data: &[u8]) -> Result<(), Error> {
        let mut mark = None;
        self.wait(|driver, visit| {
            let Visit { cx, receiver_waits } = visit;
            let mark = match &mut mark {
                Some(mark) => mark,
                unqueued @ None => {
                    ready!(driver.poll_ping(cx, receiver_waits, data))?;
                    unqueued.insert(driver.connection.framed_mark())
                }
            };
            driver.poll_flush_to(cx, receiver_waits, mark)
        })
        .await
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
        let turn = Turn::of(Place::of(&self.shared));
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

    /// Begins the closing handshake and leaves it to the [`Receiver`] to carry it out: what still arrives is delivered until the
    /// peer's Close comes, all within `Config::close_timeout`. [`close`](Self::close) does both, and waits for the end.
    ///
    /// If the connection is closing already, nothing is done. The Close frame is written as what
    /// [`try_send`](Self::try_send) has accepted is.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the code may not be sent or the reason exceeds 123 bytes.
    pub fn begin_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.without_wait(|driver, cx| {
            driver.begin_close(code, reason)?;
            driver.write_and_shut_down(cx);
            Ok(())
        })
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

    /// What the opening handshake agreed on compression (RFC 7692), if anything.
    pub fn deflate(&self) -> Option<Agreement> {
        self.shared.deflate
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

    /// The round-trip time of the newest keepalive Ping that was answered; `None` before the first.
    pub fn rtt(&self) -> Option<Duration> {
        self.shared.stats().rtt
    }

    /// Lets `tap` see each frame from now on, both ways: its header, its sizes, and the time at which its header was
    /// accepted or queued. Without a tap nothing of this is done.
    ///
    /// There is one tap: this one takes the place of the one before. On a connection of a [`Server`](crate::Server) that is
    /// the server's own, with the feature `tracing` while somebody listens at the level `trace`: it tells of no frame then.
    ///
    /// The connection is locked meanwhile: a tap that uses one of its halves would wait for itself.
    /// If it panics, the connection is over for every half.
    pub fn set_tap(&self, mut tap: impl FnMut(&TappedFrame, Instant) + Send + Sync + 'static) {
        self.shared
            .handover
            .with(|driver, _| driver.set_tap(move |frame| tap(frame, Instant::now())));
    }

    /// Takes the tap off again.
    pub fn remove_tap(&self) {
        self.shared.handover.with(|driver, _| driver.remove_tap());
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
