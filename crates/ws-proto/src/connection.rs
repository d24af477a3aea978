//! The connection: two directions, and the one coupling between them.

mod lending;
mod receiving;
mod sending;

use alloc::boxed::Box;
use core::time::Duration;

use bytes::BytesMut;
use ws_frame::{CloseCode, ClosePayload};

#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
use crate::deflate::{Compressor, Decompressor};
use crate::inbound::{Inbound, Received};
use crate::keepalive::{Due, Keepalive, View};
use crate::outbound::{Outbound, Reply};
use crate::side::Side;
use crate::tap::TapSlot;
#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
use crate::{Agreement, Deflate};
use crate::{
    CloseInfo, Config, Event, Initiator, Lent, MaskKeys, ProtocolError, Role, SendError, State,
    Stats, Tap, Whole,
};

pub use self::lending::Replies;

/// Why a connection was closed for which `Config::idle_timeout` has passed, in the words of the Close frame.
const IDLE_REASON: &str = "idle";

/// A WebSocket connection after its opening handshake.
///
/// `handle_*` methods take what happened in the world, `poll_*` methods tell what follows from it, plain verbs are
/// what you want. See the [crate documentation](crate) for the loop that drives one.
///
/// Its state is derived from its two directions and never stored:
///
/// ```text
///                  Close not sent         Close sent
/// receiving        Open                   Closing   (we began)
/// Close received   (answered at once)     Closed    server: end TCP now; client: wait for the end of TCP
/// failed           (answered at once)     Closed    end TCP now; further input is discarded (§7.1.7)
/// ```
#[derive(Debug)]
pub struct Connection {
    inbound: Inbound,
    outbound: Outbound,
    keepalive: Keepalive,
    initiator: Option<Initiator>,
    /// How many bytes had been received when `poll_event` was last called.
    received: u64,
    /// Why the connection failed.
    failure: Option<ProtocolError>,
    /// It failed by a deadline, which the next `poll_event` reports.
    overdue: bool,
    /// Waiting for the end of the transport is over, whether it came or not.
    gave_up: bool,
    /// The transport has taken bytes that it has not let go.
    held_back: bool,
}

impl Connection {
    /// The server's end. It expects masked frames and sends unmasked ones.
    pub fn server(config: Config) -> Self {
        Self::new(Side::Server, &config)
    }

    /// The client's end. It expects unmasked frames and masks what it sends with keys from `mask_keys`.
    pub fn client(config: Config, mask_keys: impl MaskKeys + 'static) -> Self {
        let mask_keys = Box::new(mask_keys);
        Self::new(Side::Client { mask_keys }, &config)
    }

    fn new(side: Side, config: &Config) -> Self {
        let connection = Self::plain(side, config);
        #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
        if let Some(agreed) = config.agreed {
            return connection.deflating(agreed, config.deflate.clone().unwrap_or_default());
        }
        connection
    }

    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    fn deflating(mut self, agreed: Agreement, deflate: Deflate) -> Self {
        let (sent, received) = match self.role() {
            Role::Server => (agreed.server, agreed.client),
            Role::Client => (agreed.client, agreed.server),
        };
        self.inbound
            .set_decompressor(Decompressor::new(received, &deflate));
        self.outbound
            .framing()
            .set_compressor(Compressor::new(sent, &deflate));
        self
    }

    fn plain(side: Side, config: &Config) -> Self {
        Self {
            inbound: Inbound::new(side.role(), config),
            keepalive: Keepalive::new(config),
            outbound: Outbound::new(side, config),
            initiator: None,
            received: 0,
            failure: None,
            overdue: false,
            gave_up: false,
            held_back: false,
        }
    }

    /// Starts with bytes that came behind the opening handshake: the peer may speak at once (RFC 6455 §4.2.2).
    #[must_use]
    pub fn with_received(mut self, received: BytesMut) -> Self {
        if !received.is_empty() {
            self.handle_received(received);
        }
        self
    }

    /// Says whether the transport writes several chunks at once. Where it does not, every payload is copied behind its
    /// header: a header of two bytes must not leave as a packet or a TLS record of its own. Default `true`.
    #[must_use]
    pub fn with_vectored_writes(mut self, vectored: bool) -> Self {
        self.outbound.framing().set_vectored(vectored);
        self
    }

    /// The next event; `Ok(None)` when it takes more bytes, or when the connection is over.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol or left. The Close frame that says so is queued in [`transmit`](Self::transmit).
    /// An error is reported once; after it, `poll_event` gives `Ok(None)` for ever.
    #[inline]
    pub fn poll_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        Ok(match self.poll()? {
            Some(Lent::Event(event)) => Some(event),
            Some(Lent::Message) => self.inbound.take_lent().map(Event::Message),
            None => None,
        })
    }

    /// Delivers one message in pieces, as [`Event::Chunk`]s, while it arrives: the message that is arriving, of which
    /// the first piece then is all that has arrived, or else the next one. The one after it is an [`Event::Message`]
    /// again. What the peer has flushed is told at once, compressed or not: it may wait for an answer.
    ///
    /// It may have `max_size` bytes in all, in frames of any size, whatever `Config::max_message_size` and
    /// `Config::max_frame_size` say, and any number of fragments, of which `Config::max_fragments` may be empty. What
    /// is larger fails the connection with 1009, on a frame's header as always; a header that was accepted before this
    /// call stays so. Text is validated as it arrives.
    ///
    /// Asked for again, the message gets another limit; while the rest of a message is being
    /// [discarded](Self::discard_message), it is the message after that which is asked for.
    pub fn stream_message(&mut self, max_size: u64) {
        self.inbound.stream_message(max_size);
    }

    /// `Config::max_message_size`, the limit of messages that are delivered whole.
    pub fn max_message_size(&self) -> u64 {
        self.inbound.max_message_size()
    }

    /// `Config::write_timeout`, after which a peer that takes nothing is given up.
    #[inline]
    pub fn write_timeout(&self) -> Option<Duration> {
        self.keepalive.write_timeout()
    }

    /// Skips the rest of the message that is delivered in pieces: no more of them come. What is skipped is validated and
    /// limited all the same.
    ///
    /// Before its first piece was delivered there is nothing to skip: the message is delivered whole as if
    /// [`stream_message`](Self::stream_message) had not been called, within the limit of `Config::max_message_size`.
    pub fn discard_message(&mut self) {
        self.inbound.discard_message();
    }

    /// Queues a Ping with at most 125 bytes of application data (RFC 6455 §5.5.2). Room is kept for it: where
    /// `Config::write_buffer_limit` refuses a message, 1 KiB of Pings goes in all the same.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::BufferFull`] or [`SendError::PingTooLong`]; nothing was queued.
    pub fn ping(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.outbound.ping(data)
    }

    /// Queues a Close frame and so begins the closing handshake (RFC 6455 §7.1.2). Messages may still arrive until
    /// the peer's Close does; nothing more can be sent. What was sent before goes out first, except for messages that
    /// were only [offered](Self::offer) and still wait: they are dropped.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when a Close frame was sent already, [`SendError::ClosePayload`] when the code may not
    /// appear on the wire (1005, 1006, 1015 and the like; 1010 from a server) or the reason exceeds 123 bytes.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let payload = ClosePayload::new(code, reason).map_err(SendError::ClosePayload)?;
        self.begin_close(&payload)
    }

    /// Queues a Close frame without a status code; the peer sees 1005.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when a Close frame was sent already.
    pub fn close_without_code(&mut self) -> Result<(), SendError> {
        self.begin_close(&ClosePayload::EMPTY)
    }

    fn begin_close(&mut self, payload: &ClosePayload) -> Result<(), SendError> {
        self.outbound.close(payload)?;
        self.initiator.get_or_insert(Initiator::Local);
        Ok(())
    }

    /// Notes whether the transport has taken bytes that it still holds back, as a TLS stream does that could not be
    /// flushed. They are owed to the peer like those in [`transmit`](Self::transmit): `Config::write_timeout` runs, and
    /// what it waits for is that they are let go.
    pub fn handle_held_back(&mut self, held_back: bool) {
        self.held_back = held_back;
    }

    /// Notes that writing has become impossible: what waits to be written is dropped. Reading may go on, for the peer
    /// may have said why.
    pub fn handle_write_failed(&mut self) {
        self.outbound.abandon();
    }

    /// Ends the connection at once, for those who cannot wait for [`close`](Self::close): what waits to be written is
    /// dropped, what still arrives is discarded, and [`is_finished`](Self::is_finished) says to drop the transport. The
    /// peer sees a connection lost without a Close frame (1006), unless both had crossed already.
    ///
    /// That is no failure: [`poll_event`](Self::poll_event) gives `Ok(None)` from now on.
    pub fn abort(&mut self) {
        self.initiator.get_or_insert(Initiator::Local);
        self.overdue = false;
        if self.inbound.is_open() {
            self.inbound.fail();
        }
        self.give_up();
    }

    /// The next deadline, as time since the connection opened, given that as `now`. Deadlines are armed by asking: ask
    /// before every wait, or at least before each for which [`deadline_moved`](Self::deadline_moved) says so.
    ///
    /// Ask after writing what the transport takes at once. Bytes that are owed by then are taken for bytes that the
    /// peer makes wait: `Config::write_timeout` begins to run, and that it takes them later shows that it lives.
    pub fn poll_timeout(&mut self, now: Duration) -> Option<Duration> {
        if self.is_finished() {
            return None;
        }
        self.keepalive.poll_timeout(now, self.view())
    }

    /// Whether [`poll_timeout`](Self::poll_timeout) has a new answer: the state has changed, bytes are owed that were
    /// not or the peer has taken some of them, a Ping has left or its Pong has come, or, with `Config::idle_timeout`,
    /// data has flowed. Otherwise the last answer stands until it has passed, and a binding that keeps a timer need
    /// not look at the clock before it waits.
    #[inline]
    pub fn deadline_moved(&self) -> bool {
        !self.is_finished() && self.keepalive.is_stale(self.view())
    }

    /// Does what is due at `now`: sends a Ping, begins to close an idle connection, or gives the peer up, which the
    /// next [`poll_event`](Self::poll_event) reports. When nothing is due nothing happens.
    ///
    /// Call it when the deadline of [`poll_timeout`](Self::poll_timeout) has passed, and right after
    /// [`Event::Pong`]: that is how the round trip is measured ([`rtt`](Self::rtt)), for there is no clock in here.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.keepalive.handle_timeout(now, self.view()) {
            None => {}
            Some(Due::Ping(data)) => {
                let end = self.outbound.keepalive_ping(&data);
                self.keepalive.ping_queued(end);
            }
            Some(Due::PongTimeout) => self.fail_late(ProtocolError::PongTimeout),
            Some(Due::WriteTimeout) => self.fail_late(ProtocolError::WriteTimeout),
            Some(Due::Idle) => {
                // Open, and a code and a reason that any end may send: nothing can refuse it.
                let closed = self.close(CloseCode::GOING_AWAY, IDLE_REASON);
                debug_assert_eq!(closed, Ok(()));
            }
            Some(Due::CloseTimeout) if self.inbound.is_open() => {
                self.fail_late(ProtocolError::CloseTimeout)
            }
            Some(Due::CloseTimeout) => self.give_up(),
        }
    }

    /// Whether a deadline has passed that fails the connection: the next [`poll_event`](Self::poll_event) reports it,
    /// whatever has arrived.
    #[inline]
    pub fn is_overdue(&self) -> bool {
        self.overdue
    }

    /// Notes that nobody reads what the peer may have sent, because nobody takes what arrived before it: its silence
    /// proves nothing then. Say so before [`handle_timeout`](Self::handle_timeout); `Config::pong_timeout` has no hold on
    /// the peer this time. The other deadlines have.
    pub fn excuse_silence(&mut self) {
        self.keepalive.heard(self.outbound.written());
    }

    /// Whether the write side of the transport should be shut down now: everything is written, and it is this end's
    /// turn. A server ends TCP first, so that it is the one to hold TIME_WAIT (RFC 6455 §7.1.1), and a client follows
    /// when it sees that; after failing a connection either end goes first.
    #[inline]
    pub fn wants_shutdown(&self) -> bool {
        self.writes_last() && self.outbound.is_flushed()
    }

    /// Whether the write side of the transport is shut down behind what is queued, which is then
    /// [wanted](Self::wants_shutdown) as soon as that is written. A transport that is told so can send the last bytes and the
    /// end together.
    #[inline]
    pub fn writes_last(&self) -> bool {
        let turn = self.outbound.role() == Role::Server
            || self.inbound.is_failed()
            || self.inbound.is_exhausted();
        turn && self.state() == State::Closed
    }

    /// Whether there is nothing left to wait for: the connection is over, its last bytes are written, and the
    /// transport has ended or the wait for that was given up. Drop the transport now.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.state() == State::Closed
            && self.outbound.is_flushed()
            && (self.gave_up || self.inbound.is_exhausted())
    }

    /// How the connection stands.
    #[inline]
    pub fn state(&self) -> State {
        match (
            self.inbound.is_open() && !self.overdue,
            self.outbound.is_open(),
        ) {
            (true, true) => State::Open,
            (true, false) | (false, true) => State::Closing,
            (false, false) => State::Closed,
        }
    }

    /// Which end this is.
    #[inline]
    pub fn role(&self) -> Role {
        self.outbound.role()
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn close_info(&self) -> Option<CloseInfo> {
        let initiator = self.initiator?;
        let received = self.inbound.received_close().map(Option::<&_>::cloned);
        let sent = self.outbound.sent_close();
        let clean = received.is_some() && sent.is_some();
        Some(CloseInfo {
            received,
            sent,
            initiator,
            failure: self.failure,
            clean,
        })
    }

    /// Lets `tap` see the header of each frame from now on, both ways; `None` takes it off again. Without one, a frame
    /// costs one branch more.
    pub fn set_tap(&mut self, tap: Option<Box<dyn Tap>>) {
        self.outbound.framing().set_tap(TapSlot::new(tap));
    }

    /// What this connection has carried so far (a snapshot; this neither waits nor changes anything).
    pub fn stats(&self) -> Stats {
        let received = self.received.saturating_add(self.inbound.fresh());
        Stats {
            received: self.inbound.traffic(received),
            sent: self.outbound.traffic(),
            queued: self.queued(),
            backlog: self.backlog(),
            dropped: self.dropped(),
            rtt: self.rtt(),
        }
    }

    /// The round-trip time of the newest keepalive Ping (`Config::ping_interval`) that was answered: from when it was
    /// given to the transport to the call that followed its Pong, of [`handle_timeout`](Self::handle_timeout) or
    /// [`poll_timeout`](Self::poll_timeout). `None` before the first.
    ///
    /// A round trip may be longer than the interval. If the next Ping has been sent by the time, it counts from when its
    /// own was queued, which is what the Ping carries (with its number) and the Pong brings back.
    pub fn rtt(&self) -> Option<Duration> {
        self.keepalive.rtt()
    }

    /// What the deadlines look at.
    fn view(&self) -> View {
        View {
            closing: self.state() != State::Open,
            owed: self.outbound.owes() || self.held_back,
            written: self.outbound.written(),
            data_sent: self.outbound.data_progress(),
        }
    }

    /// What the peer said next. A message stays in the receiving direction.
    ///
    /// It is inlined so that the caller need not write down which of two words it was told, and read it again.
    #[inline]
    fn poll(&mut self) -> Result<Option<Lent>, ProtocolError> {
        match self.poll_whole() {
            Whole::Message => Ok(Some(Lent::Message)),
            Whole::Nothing => Ok(None),
            Whole::Unknown => self.poll_any(),
        }
    }

    /// The shortest way to what most peers say next.
    #[inline(never)]
    fn poll_whole(&mut self) -> Whole {
        // Only bytes are a sign of life, and the binding may have put them straight into the receive buffer.
        let fresh = self.inbound.see();
        self.note_received(fresh);
        if self.overdue {
            return Whole::Unknown;
        }
        let whole = self.inbound.take_whole(self.outbound.framing().tap());
        if matches!(whole, Whole::Message) {
            self.keepalive.data_received();
        }
        whole
    }

    /// What the peer said next, by way of every rule there is.
    #[inline(never)]
    fn poll_any(&mut self) -> Result<Option<Lent>, ProtocolError> {
        let fresh = self.inbound.see_large();
        self.note_received(fresh);
        let received = match self.failure {
            Some(error) if self.overdue => Err(error),
            _ => self.inbound.poll(self.outbound.framing().tap()),
        };
        if self.inbound.take_active() {
            self.keepalive.data_received();
        }
        match received {
            Ok(Some(received)) => Ok(Some(self.answer(received))),
            Ok(None) if self.inbound.is_open() && self.inbound.is_exhausted() => {
                Err(self.fail(ProtocolError::ConnectionLost))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    #[inline]
    fn note_received(&mut self, fresh: u64) {
        if fresh > 0 {
            self.received = self.received.saturating_add(fresh);
            self.keepalive.heard(self.outbound.written());
        }
    }

    fn answer(&mut self, received: Received) -> Lent {
        Lent::Event(match received {
            Received::Message => return Lent::Message,
            Received::Chunk(chunk) => Event::Chunk(chunk),
            Received::Part => Event::Part,
            Received::Ping(data) => {
                self.outbound.answer(Reply::Pong(&data));
                Event::Ping(data)
            }
            Received::Pong(data) => {
                self.keepalive.pong(&data);
                Event::Pong(data)
            }
            Received::Close(frame) => {
                self.initiator.get_or_insert(Initiator::Remote);
                self.outbound
                    .answer(Reply::Close(frame.as_ref().map(|frame| frame.code)));
                Event::Closed(frame)
            }
        })
    }

    /// Fails the connection with the next `poll_event`, for a deadline has passed.
    fn fail_late(&mut self, error: ProtocolError) {
        self.initiator.get_or_insert(Initiator::Local);
        self.failure = Some(error);
        self.overdue = true;
    }

    /// Fails the connection (RFC 6455 §7.1.7).
    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.failure = Some(error);
        self.overdue = false;
        self.inbound.fail();
        let culprit = match error {
            ProtocolError::ConnectionLost => Initiator::Remote,
            _ => Initiator::Local,
        };
        self.initiator.get_or_insert(culprit);
        match error.close_code() {
            Some(code) => self.outbound.answer(Reply::Fail(code)),
            None => self.give_up(),
        }
        error
    }

    fn give_up(&mut self) {
        self.gave_up = true;
        self.outbound.abandon();
    }
}
