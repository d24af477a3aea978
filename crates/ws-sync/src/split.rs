//! The connection in two hands or more: [`Sender`] and [`Receiver`].

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ws_handshake::Negotiated;
use ws_proto::{CloseCode, CloseInfo, Event, Message, Role, State, Unsent};

use crate::driver::Driver;
use crate::handles::Handle;
use crate::handover::Handover;
use crate::timed::SHORTEST_WAIT;
use crate::{CloneStream, Error};

/// The half of a connection that sends; [`WebSocket::split`](crate::WebSocket::split) makes it. Clones send on the same
/// connection, from any thread.
///
/// Whichever half is at work drives the connection: a sender that waits, or that has been sending for a while, also
/// reads, up to the first message that nobody has received, so that Pings are answered and the peer's Close is noticed;
/// a [`Receiver`] that waits writes what senders have queued. While nobody is at work, nothing moves.
///
/// The stream is closed when the connection is over, or when the last half is dropped; in the latter case the peer
/// sees a connection lost without a Close frame (1006).
#[derive(Clone)]
pub struct Sender {
    shared: Arc<Shared>,
}

/// The half of a connection that receives; [`WebSocket::split`](crate::WebSocket::split) makes it.
///
/// When it is dropped, messages that still arrive are read and discarded by whichever [`Sender`] is at work.
pub struct Receiver {
    shared: Arc<Shared>,
}

/// What the halves share.
struct Shared {
    handover: Handover,
    /// Agreed on once and for all.
    negotiated: Negotiated,
    role: Role,
}

pub(crate) fn split<S: CloneStream + Send + 'static>(
    driver: Driver,
    stream: S,
    negotiated: Negotiated,
) -> io::Result<(Sender, Receiver)> {
    let (writer, control) = (stream.try_clone()?, stream.try_clone()?);
    let handles: [Handle; 3] = [Box::new(stream), Box::new(writer), Box::new(control)];
    let shared = Arc::new(Shared {
        role: driver.connection.role(),
        handover: Handover::new(driver, handles),
        negotiated,
    });
    let sender = Sender {
        shared: Arc::clone(&shared),
    };
    Ok((sender, Receiver { shared }))
}

impl Sender {
    /// Sends one message: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the connection is closing, [`Error::Io`] or [`Error::Protocol`] when it was lost before
    /// everything was written.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        self.shared
            .handover
            .send(|connection| connection.send(message), true)
    }

    /// Queues one message as soon as less than `Config::write_buffer_high` bytes wait to be written. Follow a batch
    /// with [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        self.shared
            .handover
            .send(|connection| connection.send(message), false)
    }

    /// Queues one message and writes what can be written at once, or gives the message back: nothing is waited for,
    /// save for a millisecond by the stream. What remains is written with the next call on either half.
    ///
    /// # Errors
    ///
    /// [`SendError::BufferFull`](crate::SendError::BufferFull) while `Config::write_buffer_high` bytes wait to be
    /// written, [`SendError::Closed`](crate::SendError::Closed) when the connection is closing; the message comes back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), Unsent> {
        self.shared.handover.try_send(message.into())
    }

    /// Writes everything that is queued, by whomever it was.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Protocol`] when the connection was lost before that.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.handover.flush()
    }

    /// Sends a Ping with at most 125 bytes of application data.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the data is too long or the connection is closing, otherwise as [`flush`](Self::flush).
    pub fn ping(&self, data: &[u8]) -> Result<(), Error> {
        self.shared
            .handover
            .send(|connection| connection.ping(data), true)
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

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.negotiated.subprotocol.as_deref()
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

    /// Bounds each wait for input where no deadline does, as
    /// [`WebSocket::set_read_timeout`](crate::WebSocket::set_read_timeout).
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        let timeout = timeout.map(|timeout| timeout.max(SHORTEST_WAIT));
        self.shared.handover.set_read_timeout(timeout);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.handover.stop_listening();
    }
}

impl Shared {
    fn close_info(&self) -> Option<CloseInfo> {
        self.handover
            .inspect(|driver| driver.connection.close_info())
    }

    fn state(&self) -> State {
        self.handover.inspect(|driver| driver.connection.state())
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
