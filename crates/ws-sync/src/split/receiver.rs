//! The half that receives.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ws_proto::{Agreement, Chunk, CloseInfo, Event, Message, Role, State, Stats};

use super::Shared;
use crate::Error;
#[cfg(doc)]
use crate::Sender;
use crate::streaming::MessageReader;
use crate::streaming::sealed::Receiving;
use crate::timed::SHORTEST_WAIT;

/// The half of a connection that receives; [`WebSocket::split`](crate::WebSocket::split) makes it.
///
/// A request and the peer's Close often arrive together, and nothing can be sent once a frame that ends the connection
/// has been looked at, as the next [`recv`](Self::recv) does, or a [`Sender`] that is at work. No thread is waited for
/// meanwhile: a reply that another thread sends may come too late, and fails with
/// [`SendError::Closed`](crate::SendError::Closed). Where every reply counts, send it from the thread that receives,
/// before it receives again, and from no other. (`ws-async` lets other tasks run once before it looks; threads know
/// nothing of the kind.)
///
/// Its messages are owned, and there is no [`recv_ref`](crate::WebSocket::recv_ref): the halves share the connection behind
/// a lock that is held for a moment at a time, and a message that is lent lies in the connection. Every [`Sender`] would
/// have to wait until it is dropped, and one in the same thread would wait for ever.
///
/// When it is dropped, messages that still arrive are read and discarded by whichever [`Sender`] is at work.
pub struct Receiver {
    pub(super) shared: Arc<Shared>,
}

impl Receiver {
    /// The next message; `None` when the peer has closed the connection ([`close_info`](Self::close_info) tells how).
    ///
    /// Before it waits it writes what is queued, and goes on reading when the peer does not take it.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] when the peer broke the protocol or left, [`Error::Io`] when the transport failed. The
    /// Close frame has then been sent and the transport shut down, and further calls give `Ok(None)`. The exception
    /// is a stream with a timeout of its own: see
    /// [`WebSocket`](crate::WebSocket#streams-that-do-not-block).
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.shared.handover.next_event(false)? {
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
        self.shared.handover.next_event(true)
    }

    /// Waits for the next message and receives it in chunks, within the limits of `Config`; `None` at the end. What has
    /// arrived of it already is the first chunk.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn reader(&mut self) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::of(self, None)
    }

    /// As [`reader`](Self::reader), for a message of up to `max_size` bytes, whatever `Config::max_message_size` and
    /// `Config::max_frame_size` say.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn reader_up_to(
        &mut self,
        max_size: u64,
    ) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::of(self, Some(max_size))
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

    /// Bounds each wait for input, as
    /// [`WebSocket::set_read_timeout`](crate::WebSocket::set_read_timeout).
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        let timeout = timeout.map(|timeout| timeout.max(SHORTEST_WAIT));
        self.shared.handover.set_read_timeout(timeout);
    }
}

impl Receiving for Receiver {
    fn first_chunk(&mut self, max_size: Option<u64>) -> Result<Option<Chunk>, Error> {
        self.shared.handover.first_chunk(max_size)
    }

    fn next_chunk(&mut self) -> Result<Option<Chunk>, Error> {
        self.shared.handover.next_chunk()
    }

    fn discard(&mut self) {
        self.shared.handover.discard_message();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.handover.stop_listening();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
