//! The half that sends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ws_proto::{
    Agreement, CloseCode, CloseInfo, Compress, Message, MessageKind, MessageRef, Offered,
    OverflowPolicy, PreparedMessage, Role, State, Stats, TappedFrame, Unsent,
};

use super::Shared;
use crate::Error;
#[cfg(doc)]
use crate::Receiver;
use crate::handover::Handover;
use crate::streaming::MessageWriter;
use crate::streaming::sealed::Sending;

/// The half of a connection that sends; [`WebSocket::split`](crate::WebSocket::split) makes it. Clones send on the same
/// connection, from any thread.
///
/// Whichever half is at work drives the connection: a sender that waits, or that has been sending for a while, also
/// reads, up to the first message that nobody has received, so that Pings are answered and the peer's Close is noticed;
/// a [`Receiver`] that waits writes what senders have queued. While nobody is at work, nothing moves, save for what was
/// [sent](Self::send), what [`try_send`](Self::try_send) has accepted and what a [`Hub`](crate::Hub) has published.
///
/// The stream is closed when the connection is over, or when the last half is dropped; in the latter case the peer
/// sees a connection lost without a Close frame (1006).
#[derive(Clone)]
pub struct Sender {
    pub(super) shared: Arc<Shared>,
}

impl Sender {
    /// Sends one message.
    ///
    /// When this returns the transport has taken the message, with one exception, as with
    /// [`WebSocket::send`](crate::WebSocket::send): in the thread that has received last, while more of what the peer sent
    /// has arrived and waits to be received, the message only joins the queue. [`Receiver::recv`] writes it before it waits,
    /// and if that is not what the thread does next, another thread writes it within about a millisecond, also when
    /// the halves are dropped. Whoever wants to know that it was written calls [`flush`](Self::flush).
    ///
    /// Every message is written at once where `Config::write_timeout` is `None`, and on an [`Untimed`](crate::Untimed) stream.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the connection is closing, or an earlier [`writer`](Self::writer) was dropped inside its
    /// message; [`Error::Io`] or [`Error::Protocol`] when it was lost before everything was written.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.send_with(message, Compress::Auto)
    }

    /// As [`send`](Self::send), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_with(&self, message: impl Into<Message>, compress: Compress) -> Result<(), Error> {
        let message = message.into();
        self.shared
            .send(|connection| connection.send_with(message, compress))
    }

    /// As [`send`](Self::send), straight from where the message lies, as
    /// [`WebSocket::send_ref`](crate::WebSocket::send_ref) does.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_ref<'a>(&self, message: impl Into<MessageRef<'a>>) -> Result<(), Error> {
        let message = message.into();
        self.shared
            .send(|connection| connection.send_ref(message, Compress::Auto))
    }

    /// Queues one message as soon as less than `Config::write_buffer_high` bytes wait to be written. Follow a batch
    /// with [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed_with(message, Compress::Auto)
    }

    /// As [`feed`](Self::feed), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed_with(&self, message: impl Into<Message>, compress: Compress) -> Result<(), Error> {
        let message = message.into();
        self.shared
            .handover
            .feed(|connection| connection.send_with(message, compress))
    }

    /// Sends one message that was framed for many connections ([`PreparedMessage`]), as [`send`](Self::send) does.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.shared
            .send(|connection| connection.send_prepared(message))
    }

    /// Queues one message and writes what can be written at once, or gives the message back: nothing is waited for,
    /// save for some milliseconds by the stream.
    ///
    /// What was accepted is on its way, and needs no further call on either half: what the peer does not take at once
    /// goes out as it reads, from a thread that is started for it and ends when nothing waits any more. There is at most
    /// one such thread for each connection, and none for a peer that keeps up. It keeps the connection's deadlines, so
    /// that `Config::write_timeout` gives up a peer that takes nothing, and it ends with the last half. Only if the
    /// operating system has no thread to give, or if the stream
    /// [does not wait](crate::WebSocket#streams-that-do-not-block), the rest goes out with the next call.
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
        let rest = self.shared.handover.try_send(message.into(), compress)?;
        self.shared.see_to(rest);
        Ok(())
    }

    /// Writes everything that is queued, by whomever it was.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Protocol`] when the connection was lost before that.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.handover.flush()
    }

    /// Sends a Ping with at most 125 bytes of application data. It is queued at once, in front of what waits to be framed,
    /// unless 1 KiB of them wait already behind a full write buffer.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the data is too long or the connection is closing, otherwise as [`flush`](Self::flush).
    pub fn ping(&self, data: &[u8]) -> Result<(), Error> {
        self.shared.handover.ping(data)
    }

    /// Begins a message that is sent in fragments, for one that is larger than memory or not known in full. What other
    /// clones send waits until it is finished; Pings and Closes do not.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::MessageUnfinished`](crate::SendError::MessageUnfinished) when an earlier
    /// writer was dropped inside its message.
    pub fn writer(&self, kind: MessageKind) -> Result<MessageWriter<Turn<'_>>, Error> {
        let turn = Turn {
            handover: &self.shared.handover,
            is_taken: false,
        };
        MessageWriter::of(turn, kind)
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
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        self.shared.handover.close(code, reason)
    }

    /// Ends the connection at once, for those who cannot wait for [`close`](Self::close): what is queued is lost, the
    /// stream is dropped, the peer sees a connection lost without a Close frame (1006), and the [`Receiver`] has come
    /// to the end. Threads that wait on either half return.
    pub fn abort(&self) {
        self.shared.handover.abort();
    }

    /// Begins the closing handshake and leaves it to the [`Receiver`] to carry it out: what still arrives is delivered until the
    /// peer's Close comes, all within `Config::close_timeout`. [`close`](Self::close) does both, and waits for the end.
    ///
    /// If the connection is closing already, nothing is done.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the code may not be sent or the reason exceeds 123 bytes.
    pub fn begin_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.shared.handover.begin_close(code, reason)
    }

    /// Waits until the connection is over, whoever ends it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the stream does not wait. How the connection ended is no error here:
    /// [`close_info`](Self::close_info) tells.
    pub fn closed(&self) -> Result<(), Error> {
        self.shared.handover.closed()
    }

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.negotiated.subprotocol.as_deref()
    }

    /// What the opening handshake agreed on compression (RFC 7692), if anything.
    pub fn deflate(&self) -> Option<Agreement> {
        self.shared.negotiated.deflate
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
    /// If it panics, the connection is over for every half; one that waits for input learns of that at its next deadline,
    /// or when another half is used.
    pub fn set_tap(&self, mut tap: impl FnMut(&TappedFrame, Instant) + Send + Sync + 'static) {
        let tap = Box::new(move |frame: &TappedFrame| tap(frame, Instant::now()));
        self.shared
            .handover
            .inspect(|driver| driver.connection.set_tap(Some(tap)));
    }

    /// Takes the tap off again.
    pub fn remove_tap(&self) {
        self.shared
            .handover
            .inspect(|driver| driver.connection.set_tap(None));
    }

    /// Queues or writes a message that may be dropped; the peer is waited for a few milliseconds at most. Tells too
    /// whether nothing waits any more.
    pub(crate) fn offer(
        &self,
        message: &PreparedMessage,
        overflow: OverflowPolicy,
        capacity: usize,
    ) -> (Offered, bool) {
        let handover = &self.shared.handover;
        let (offered, rest) = handover.offer(message, overflow, capacity);
        (offered, self.shared.see_to(rest))
    }

    /// Queues or writes a message as soon as fewer than `capacity` wait that were offered. `None` when that would have to
    /// wait for a message in fragments that has not gone on for `Config::write_timeout`, or never will.
    pub(crate) fn offer_when_room(
        &self,
        message: &PreparedMessage,
        capacity: usize,
    ) -> Option<(Offered, bool)> {
        let (offered, rest) = self.shared.handover.offer_when_room(message, capacity)?;
        Some((offered, self.shared.see_to(rest)))
    }

    /// Closes the connection without waiting for that.
    pub(crate) fn disconnect(&self, code: CloseCode, reason: &'static str) {
        let rest = self.shared.handover.disconnect(code, reason);
        self.shared.see_to(rest);
    }
}

/// A [`Sender`]'s turn to send a message in fragments.
#[derive(Debug)]
pub struct Turn<'a> {
    handover: &'a Handover,
    is_taken: bool,
}

impl Sending for Turn<'_> {
    fn begin(&mut self) -> Result<(), Error> {
        self.handover.take_turn()?;
        self.is_taken = true;
        Ok(())
    }

    fn fragment(
        &mut self,
        kind: MessageKind,
        fragment: Bytes,
        fin: bool,
        compress: Compress,
    ) -> Result<(), Error> {
        self.handover.feed_fragment(kind, fragment, fin, compress)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.handover.flush()
    }

    fn end(&mut self, whole: bool) {
        if std::mem::take(&mut self.is_taken) {
            self.handover.end_turn(whole);
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
