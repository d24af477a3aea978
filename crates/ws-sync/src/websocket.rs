//! The connection over a blocking stream: read, write, wait, and nothing else.

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use ws_handshake::Negotiated;
use ws_proto::{
    CloseCode, CloseInfo, Config, Connection, Event, Message, ProtocolError, Role, SendError, State,
};

use crate::mask_keys::OsMaskKeys;
use crate::timed::{SHORTEST_WAIT, Timed, has_passed, is_timeout, remaining, was_wait_until};
use crate::{Error, Stream};

/// Chunks handed to one vectored write.
const MAX_CHUNKS: usize = 64;

/// The read buffer of a connection that has little to read.
const READ_MIN: usize = 4 * 1024;

/// The read buffer grows to this while reads fill it: 4 KiB reads would split bursts, and 64 KiB measured as fast as
/// anything larger.
const READ_MAX: usize = 64 * 1024;

/// The read buffer is let go after so many small reads in a row. Every large message ends with a small one.
const SMALL_READS: u8 = 8;

/// How long `recv` waits for the peer to take what is queued before it goes on reading.
const WRITE_PATIENCE: Duration = Duration::from_millis(5);

/// How long `recv` waits for input before it looks again whether the peer takes what is queued.
const WRITE_RETRY: Duration = Duration::from_millis(20);

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
/// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut). Nothing is lost then: call
/// [`recv`](Self::recv) or [`flush`](Self::flush) again. A message whose [`send`](Self::send) failed so is queued and
/// goes out with them, so do not send it again; one that was not queued fails with [`SendError::BufferFull`].
///
/// The opening handshake needs a stream that blocks: switch it over afterwards.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: Timed<S>,
    connection: Connection,
    negotiated: Negotiated,
    opened: Instant,
    /// Where reads go. Bytes leave it before the next read.
    read_buffer: Vec<u8>,
    /// How many reads in a row would have fitted the smallest read buffer.
    small_reads: u8,
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
    /// The first error of the transport: why the connection was lost, if it was.
    transport_error: Option<io::Error>,
    /// Why the connection is over, to be reported once its end has been carried out.
    failure: Option<Error>,
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
        Self {
            stream,
            connection: connection
                .with_received(received)
                .with_vectored_writes(vectored),
            negotiated: Negotiated::default(),
            opened: Instant::now(),
            read_buffer: Vec::new(),
            small_reads: 0,
            shut_down: false,
            ended: false,
            due: false,
            unflushed: false,
            owes_answer: false,
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
            match self.next_event()? {
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
        let event = self.next_event()?;
        self.answer();
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
        self.make_room()?;
        self.connection
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
        let timeout = match self.connection.state() {
            State::Open => None,
            State::Closing | State::Closed => remaining(self.deadline()),
        };
        let written = self.write(timeout);
        if written.as_ref().is_err_and(|error| !is_timeout(error)) {
            self.connection.handle_write_failed();
        }
        written.map_err(Error::Io)
    }

    /// Sends a Ping with at most 125 bytes of application data.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the data is too long or the connection is closing, [`Error::Io`] when the transport
    /// failed.
    pub fn ping(&mut self, data: &[u8]) -> Result<(), Error> {
        self.make_room()?;
        self.connection.ping(data)?;
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
        match self.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => return Err(Error::Send(error)),
        }
        while self.recv()?.is_some() {}
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

    /// Bounds each wait for input where no deadline does: a [`recv`](Self::recv) in which nothing arrives for so long
    /// fails, and may be [called again](Self#streams-that-do-not-block). `None`, the default, waits as long as the
    /// connection lives, and less than a millisecond is taken for one. Timeouts set on the stream itself do not last:
    /// deadlines replace them.
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.stream.own_read_timeout = timeout.map(|timeout| timeout.max(SHORTEST_WAIT));
    }

    /// Bounds each wait for a peer that does not read: a [`send`](Self::send) or [`flush`](Self::flush) that gets
    /// nothing written for so long fails, and what is queued goes out
    /// [with the next call](Self#streams-that-do-not-block). `None`, the default, waits as long as TCP lets it.
    pub fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.stream.own_write_timeout = timeout.map(|timeout| timeout.max(SHORTEST_WAIT));
    }

    /// The stream underneath, for its address and options. Reading or writing it would break the framing.
    pub fn get_ref(&self) -> &S {
        &self.stream.stream
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

    fn next_event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            match self.connection.poll_event() {
                Ok(Some(event)) => {
                    self.before_event(&event);
                    return Ok(Some(event));
                }
                Err(error) => self.failure = Some(self.blame(error)),
                Ok(None) => {}
            }
            let stalled = self.write_and_shut_down().err();
            if self.connection.is_finished() {
                return self.failure.take().map_or(Ok(None), Err);
            }
            if std::mem::take(&mut self.due) {
                self.connection.handle_timeout(self.opened.elapsed());
                continue;
            }
            match stalled {
                Some(error) if self.ended => self.wait_ended(error)?,
                stalled => self.read(stalled.is_some())?,
            }
        }
    }

    /// A Pong does not wait until the application, which may be busy with this message, calls again.
    fn before_event(&mut self, event: &Event) {
        match event {
            Event::Ping(_) | Event::Closed(_) => self.owes_answer = true,
            Event::Message(_) => self.answer(),
            _ => {}
        }
    }

    fn answer(&mut self) {
        if self.owes_answer {
            // What the peer does not take stays queued; the next call goes on.
            _ = self.write_and_shut_down();
        }
    }

    /// Writes what waits, if it is much. Where that would block there may be room for more all the same.
    fn make_room(&mut self) -> Result<(), Error> {
        if self.connection.wants_flush() {
            match self.flush() {
                Err(Error::Io(error)) if is_timeout(&error) => {}
                flushed => return flushed,
            }
        }
        Ok(())
    }

    /// Fails only if the peer does not take what is queued; it stays queued then.
    fn write_and_shut_down(&mut self) -> io::Result<()> {
        let timeout = match self.ended {
            // There is nothing to read meanwhile.
            true => remaining(self.deadline()),
            false => Some(WRITE_PATIENCE),
        };
        match self.write(timeout) {
            Err(error) if is_timeout(&error) => return Err(error),
            // Reading goes on: the peer may have closed the connection properly before it left.
            Err(error) => {
                self.transport_error.get_or_insert(error);
                self.connection.handle_write_failed();
            }
            Ok(()) => {}
        }
        self.owes_answer = false;
        if !self.shut_down && self.connection.wants_shutdown() {
            self.shut_down = true;
            if self.stream.stream.shutdown_write().is_err() {
                // The peer will only learn of the end when the stream is dropped: to wait for its end would be to wait
                // for each other.
                self.end();
            }
        }
        Ok(())
    }

    /// Writes what is queued, waiting `timeout` at most for each piece.
    fn write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let vectored = self.stream.stream.writes_vectored();
        while self.connection.transmit().has_remaining() {
            // A peer that takes a byte now and then must not outrun the closing handshake's deadline.
            if self.connection.state() != State::Open && has_passed(self.deadline()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.before_write(timeout)?;
            let transmit = self.connection.transmit();
            // Most writes are one chunk, and need no array of them.
            let written = if vectored && transmit.chunk().len() < transmit.remaining() {
                let mut chunks = [IoSlice::new(&[]); MAX_CHUNKS];
                let filled = transmit.chunks_vectored(&mut chunks);
                self.stream.stream.write_vectored(&chunks[..filled])
            } else {
                self.stream.stream.write(transmit.chunk())
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => transmit.advance(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.unflushed = true;
        }
        if self.unflushed {
            self.stream.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Reads once. If writing has `stalled`, it waits only until that is to be tried again.
    fn read(&mut self, stalled: bool) -> Result<(), Error> {
        if self.read_buffer.is_empty() {
            self.read_buffer.resize(READ_MIN, 0);
        }
        // The wait may be long: a partial frame keeps what it needs and no more.
        self.connection.park();
        let deadline = self.deadline();
        let mut until = deadline;
        if stalled {
            let retry = Instant::now() + WRITE_RETRY;
            until = Some(deadline.map_or(retry, |deadline| deadline.min(retry)));
        }
        match self.stream.read(&mut self.read_buffer, until) {
            Ok(0) => self.end(),
            Ok(count) => {
                let received = self.read_buffer.get(..count).unwrap_or_default();
                if self.connection.prefers_receive_buffer() {
                    self.connection.receive_buffer().extend_from_slice(received);
                } else {
                    // As large as what was read: a message that is kept keeps nothing else.
                    self.connection.handle_received(BytesMut::from(received));
                }
                self.adapt_read_buffer(count);
            }
            Err(error) if is_timeout(&error) && was_wait_until(until) => {}
            // The stream does not block, or has timeouts of its own.
            Err(error) if is_timeout(&error) => return Err(Error::Io(error)),
            Err(error) => {
                self.transport_error.get_or_insert(error);
                self.end();
            }
        }
        self.due = has_passed(deadline);
        Ok(())
    }

    /// Grows the read buffer while reads fill it, and lets it go when they have become small.
    fn adapt_read_buffer(&mut self, count: usize) {
        let len = self.read_buffer.len();
        self.small_reads = match count < READ_MIN {
            true => self.small_reads.saturating_add(1),
            false => 0,
        };
        if count == len && len < READ_MAX {
            self.read_buffer.resize(len * 2, 0);
        } else if self.small_reads >= SMALL_READS && len > READ_MIN {
            self.read_buffer.truncate(READ_MIN);
            self.read_buffer.shrink_to_fit();
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.connection.handle_eof();
    }

    /// The next deadline of the connection.
    fn deadline(&mut self) -> Option<Instant> {
        let deadline = self.connection.poll_timeout(self.opened.elapsed())?;
        self.opened.checked_add(deadline)
    }

    /// There was nothing to wait for but room to write, and there is none.
    fn wait_ended(&mut self, error: io::Error) -> Result<(), Error> {
        let deadline = self.deadline();
        self.due = has_passed(deadline);
        if was_wait_until(deadline) {
            Ok(())
        } else {
            Err(Error::Io(error))
        }
    }
}
