//! The half that receives.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ws_proto::{Agreement, Chunk, CloseInfo, Event, Message, Role, State, Stats};

use super::Shared;
use crate::Error;
#[cfg(doc)]
use crate::Sender;
use crate::driver::Driver;
use crate::streaming::MessageReader;
use crate::streaming::sealed::Receiving;

/// The half of a connection that receives; [`WebSocket::split`](crate::WebSocket::split) makes it.
///
/// Replies may be sent by other tasks: after a message, these get to run once before a frame is looked at that ends the
/// connection (a Close, or a breach of the protocol), because nothing can be sent after it.
///
/// Its messages are owned, and there is no [`recv_ref`](crate::WebSocket::recv_ref): the halves share the connection behind
/// a lock that is held for a moment at a time, and a message that is lent lies in the connection. Every [`Sender`] would
/// have to wait until it is dropped, and one in the same task would wait for ever.
///
/// When it is dropped, messages that still arrive are read and discarded by whichever [`Sender`] waits.
pub struct Receiver {
    pub(super) shared: Arc<Shared>,
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
        self.shared.poll_receiver(cx, Driver::poll_message)
    }

    /// The polled form of [`recv_event`](Self::recv_event), waiting as [`poll_recv`](Self::poll_recv) does.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        self.shared.poll_receiver(cx, Driver::poll_event_answered)
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

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
