//! The connection over a blocking stream, as its user sees it.

use std::io;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ws_handshake::Negotiated;
use ws_proto::{
    Agreement, Chunk, CloseCode, CloseInfo, Compress, Config, Connection, Event, Message,
    MessageKind, MessageRef, PreparedMessage, Role, SendError, State, Stats, TappedFrame, Unsent,
};

use crate::byte_stream::ByteStream;
use crate::deferred::Owner;
use crate::driver::Driver;
use crate::lent::{Received, StreamRef};
use crate::mask_keys::OsMaskKeys;
use crate::split::{self, Receiver, Sender};
use crate::streaming::sealed::{Receiving, Sending};
use crate::streaming::{MessageReader, MessageWriter};
use crate::timed::{SHORTEST_WAIT, Timed};
use crate::whole::Whole;
use crate::{CloneStream, Error, Stream};

/// A WebSocket connection over a blocking [`Stream`].
///
/// Made by [`connect`](crate::connect), [`accept`](crate::accept) or, over a stream that some other HTTP stack has
/// upgraded, by [`WebSocket::server`] and [`WebSocket::client`].
///
/// Pings are answered, the closing handshake is completed and deadlines are kept inside every call that waits,
/// [`recv`](Self::recv) above all: a connection that nobody uses does nothing by itself, but for writing what was
/// [sent](Self::send). While only [`send`](Self::send) is called, what arrives is read ahead now and then, up to the first message, so Pings are
/// answered and the peer's Close is noticed then too, if a little later.
///
/// Dropping a `WebSocket` drops the stream, and the peer sees a connection lost without a Close frame (1006). What
/// [`send`](Self::send) has left to be written, or a [reply](Received::parts) to a message that was lent, is written first:
/// what the stream does not take at once by a thread of its own, within `Config::write_timeout`. What else was queued is lost.
/// Call [`close`](Self::close) to end it cleanly, or [`abort`](Self::abort) to end it at once.
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
///
/// # Calls that only look
///
/// [`state`](Self::state), [`stats`](Self::stats) and others that only tell something wait for no peer. While another thread
/// writes what [`send`](Self::send) has put off, they tell how things stood when that last began to wait for the peer, some
/// 20 milliseconds ago at most.
#[derive(Debug)]
pub struct WebSocket<S> {
    owner: Owner<S>,
    role: Role,
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
            role: connection.role(),
            owner: Owner::new(Whole::new(Driver::new(connection), stream)),
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
        let mut held = self.owner.hold();
        loop {
            match held.next_event()? {
                Some(Event::Message(message)) => return Ok(Some(message)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next message, where it lies: nothing is allocated for it and nothing copied. `None` as with
    /// [`recv`](Self::recv).
    ///
    /// ```no_run
    /// # fn echo(mut ws: ws_sync::WebSocket<std::net::TcpStream>) -> Result<(), ws_sync::Error> {
    /// while let Some(mut received) = ws.recv_ref()? {
    ///     let (message, mut replies) = received.parts();
    ///     replies.send(message, ws_sync::Compress::Auto)?;
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
    pub fn recv_ref(&mut self) -> Result<Option<Received<'_, S>>, Error> {
        let mut held = self.owner.hold();
        Ok(held.next_lent()?.then(|| Received::new(held)))
    }

    /// The next event, control frames included; `None` after the end. Pings have been answered and a Close has been
    /// returned when their event appears.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_event(&mut self) -> Result<Option<Event>, Error> {
        let mut held = self.owner.hold();
        let event = held.next_event()?;
        held.answer();
        Ok(event)
    }

    /// Sends one message.
    ///
    /// When this returns the transport has taken the message, with one exception: while more of what the peer sent has
    /// arrived and waits to be received, and less than `Config::write_buffer_high` is queued, the message only joins the
    /// queue. [`recv`](Self::recv) writes it before it waits, so that replies to what came together leave together.
    /// And if that is not what the thread does next, another thread, of which there is one in the process, writes the
    /// message within about a millisecond: nothing is left behind, unless the process exits before that without dropping
    /// the connection. Whoever wants to know that it was written calls [`flush`](Self::flush); if it could not be, the next
    /// call tells.
    ///
    /// Every message is written at once where the stream [has not said](Stream::attendance) that another thread may write
    /// to it, and where `Config::write_timeout` is `None`, for then nobody could be left to write to a peer that takes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the connection is closing, or an earlier [`writer`](Self::writer) was dropped inside its
    /// message; [`Error::Io`] or [`Error::Protocol`] when it was lost before everything was written.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.send_with(message, Compress::Auto)
    }

    /// As [`send`](Self::send), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        self.owner
            .hold()
            .send(|connection| Ok(connection.send_with(message, compress)?))
    }

    /// As [`send`](Self::send), straight from where the message lies: it is copied into what is written, and masked there
    /// if this is a client. For a large message that is owned already `send` is the better call, for a server does not copy
    /// it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_ref<'a>(&mut self, message: impl Into<MessageRef<'a>>) -> Result<(), Error> {
        let message = message.into();
        self.owner
            .hold()
            .send(|connection| connection.send_ref(message, Compress::Auto))
    }

    /// Queues one message and writes only if `Config::write_buffer_high` is reached. Follow a batch with
    /// [`flush`](Self::flush); [`recv`](Self::recv) writes what is queued before it waits.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). If the stream only [would have blocked](Self#streams-that-do-not-block), the message
    /// is queued all the same, up to `Config::write_buffer_limit`.
    pub fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed_with(message, Compress::Auto)
    }

    /// As [`feed`](Self::feed), saying whether the message is compressed where compression was agreed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        self.owner
            .hold()
            .feed(|connection| Ok(connection.send_with(message, compress)?))
    }

    /// Sends one message that was framed for many connections ([`PreparedMessage`]), as [`send`](Self::send) does.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.owner
            .hold()
            .send(|connection| connection.send_prepared(message))
    }

    /// Queues one message and writes what can be written at once, or gives the message back: nothing is waited for,
    /// save for some milliseconds by the stream. What remains goes out with the next call, such as [`recv`](Self::recv) or
    /// [`flush`](Self::flush). On an [`Untimed`](crate::Untimed) stream nothing is written at once.
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
        self.owner.hold().try_send(message, compress)
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the transport failed, [`Error::Protocol`] when the connection was lost in another way, such as
    /// by a deadline: what was queued is dropped. After the former reading may still go on. If the
    /// stream only [would have blocked](Self#streams-that-do-not-block), what is not written stays queued.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.owner.hold().flush()
    }

    /// Sends a Ping with at most 125 bytes of application data. It is queued at once, in front of what waits to be framed,
    /// unless 1 KiB of them wait already behind a full write buffer.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] when the data is too long or the connection is closing, otherwise as [`flush`](Self::flush).
    pub fn ping(&mut self, data: &[u8]) -> Result<(), Error> {
        let mut held = self.owner.hold();
        let mut queued = held.driver.connection.ping(data);
        if queued == Err(SendError::BufferFull) {
            held.make_room()?;
            queued = held.driver.connection.ping(data);
        }
        queued.map_err(|error| held.driver.refused(error))?;
        held.flush()
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
        let mut held = self.owner.hold();
        held.driver.begin_close(code, reason)?;
        held.drain()?;
        held.driver.outcome()
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
        let mut held = self.owner.hold();
        held.driver.begin_close(code, reason)?;
        held.write_briefly();
        Ok(())
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

    /// Begins a message that is sent in fragments, for one that is larger than memory or not known in full. While it is
    /// written Pings are answered, and what arrives is read ahead up to the first message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::MessageUnfinished`](crate::SendError::MessageUnfinished) when an earlier
    /// writer was dropped inside its message.
    pub fn writer(&mut self, kind: MessageKind) -> Result<MessageWriter<&mut Self>, Error> {
        MessageWriter::of(self, kind)
    }

    /// A stream of bytes over binary messages.
    pub fn into_byte_stream(self) -> ByteStream<S> {
        ByteStream::new(self)
    }

    /// Makes two halves of the connection, to send and to receive from different threads.
    ///
    /// Neither names the type of the stream. What was queued or read so far goes with them, and so does
    /// [the bound on waits for input](Self::set_read_timeout); `Config::write_timeout` is what bounds writing.
    ///
    /// # Errors
    ///
    /// When the stream cannot be cloned, or does not let go of a timeout that was set. The connection is lost then.
    pub fn split(self) -> io::Result<(Sender, Receiver)>
    where
        S: CloneStream + Send + 'static,
    {
        let whole = self.owner.into_whole();
        let read_timeout = whole.read_timeout;
        let (sender, mut receiver) =
            split::split(whole.driver, whole.stream.into_stream()?, self.negotiated)?;
        receiver.set_read_timeout(read_timeout);
        Ok((sender, receiver))
    }

    /// Ends the connection at once, for those who cannot wait for [`close`](Self::close): what is queued is lost, the
    /// stream is dropped, and the peer sees a connection lost without a Close frame (1006).
    pub fn abort(self) {
        // Dropping it would write what was put off first.
        drop(self.owner.into_whole());
    }

    /// The subprotocol agreed on in the opening handshake, if one was (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.negotiated.subprotocol.as_deref()
    }

    /// What the opening handshake agreed on compression (RFC 7692), if anything.
    pub fn deflate(&self) -> Option<Agreement> {
        self.negotiated.deflate
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.owner
            .look(Connection::close_info, |seen| seen.close_info.clone())
    }

    /// How the connection stands.
    pub fn state(&self) -> State {
        self.owner.look(Connection::state, |seen| seen.state)
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What the connection has carried so far.
    pub fn stats(&self) -> Stats {
        self.owner.look(Connection::stats, |seen| seen.stats)
    }

    /// The round-trip time of the newest keepalive Ping that was answered; `None` before the first.
    pub fn rtt(&self) -> Option<Duration> {
        self.owner.look(Connection::rtt, |seen| seen.stats.rtt)
    }

    /// Lets `tap` see each frame from now on, both ways: its header, its sizes, and the time at which its header was
    /// accepted or queued. Without a tap nothing of this is done. There is one tap: this one takes
    /// the place of the one before.
    pub fn set_tap(&mut self, mut tap: impl FnMut(&TappedFrame, Instant) + Send + Sync + 'static) {
        self.owner
            .hold()
            .set_tap(move |frame| tap(frame, Instant::now()));
    }

    /// Takes the tap off again.
    pub fn remove_tap(&mut self) {
        self.owner.hold().driver.connection.set_tap(None);
    }

    /// Bounds each wait for input: a [`recv`](Self::recv) in which nothing arrives for so long fails, and may be
    /// [called again](Self#streams-that-do-not-block). `None`, the default, waits as long as the connection lives, and
    /// less than a millisecond is taken for one. What a [`close`](Self::close) waits for is bounded by
    /// `Config::close_timeout` instead. Timeouts set on the stream itself do not last: deadlines replace them.
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.owner.hold().read_timeout = timeout.map(|timeout| timeout.max(SHORTEST_WAIT));
    }

    /// Bounds each wait for a peer that does not read: a [`send`](Self::send) or [`flush`](Self::flush) that gets
    /// nothing written for so long fails, and what is queued goes out
    /// [with the next call](Self#streams-that-do-not-block). `None`, the default, waits as long as TCP lets it.
    pub fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.owner.hold().stream.own_write_timeout =
            timeout.map(|timeout| timeout.max(SHORTEST_WAIT));
    }

    /// The stream underneath, for its address and options. Reading or writing it would break the framing.
    ///
    /// What [`send`](Self::send) has left to be written waits while this is held.
    pub fn get_ref(&mut self) -> StreamRef<'_, S> {
        StreamRef::new(self.owner.hold())
    }

    /// The next message is to come in chunks, within a limit if one is given.
    pub(crate) fn begin_chunks(&mut self, max_size: Option<u64>) {
        self.owner.hold().driver.begin_chunks(max_size);
    }
}

impl<S: Stream> Receiving for WebSocket<S> {
    fn first_chunk(&mut self, max_size: Option<u64>) -> Result<Option<Chunk>, Error> {
        self.begin_chunks(max_size);
        let first = self.next_chunk();
        if first.is_err() {
            self.discard();
        }
        first
    }

    fn next_chunk(&mut self) -> Result<Option<Chunk>, Error> {
        let mut held = self.owner.hold();
        loop {
            match held.next_event()? {
                Some(Event::Chunk(chunk)) => return Ok(Some(chunk)),
                Some(Event::Message(message)) => return Ok(Some(message.into())),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    fn discard(&mut self) {
        self.owner.hold().driver.discard_message();
    }
}

impl<S: Stream> Sending for &mut WebSocket<S> {
    fn begin(&mut self) -> Result<(), Error> {
        let mut held = self.owner.hold();
        let taken = held.driver.take_turn();
        taken.map_err(|error| held.driver.refused(error))
    }

    fn fragment(
        &mut self,
        kind: MessageKind,
        fragment: Bytes,
        fin: bool,
        compress: Compress,
    ) -> Result<(), Error> {
        self.owner
            .hold()
            .feed(|connection| connection.send_fragment_with(kind, fragment, fin, compress))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.owner.hold().flush()
    }

    fn end(&mut self, whole: bool) {
        self.owner.hold().driver.end_turn(whole);
    }
}
