//! A client and a server joined without IO: the loop of a binding, without a binding.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use ws_proto::{Config, Connection, Event, Message, ProtocolError};

use crate::{Chunks, CounterKeys};

/// Rounds after which a pair that does not come to rest is taken to be in an endless loop.
const MAX_ROUNDS: usize = 50_000_000;

/// How received bytes reach the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Appended to [`Connection::receive_buffer`].
    ReceiveBuffer,
    /// Appended to [`Connection::payload_buffer`] where there is one, and to the other where there is none.
    PayloadBuffer,
    /// The same, to [`Connection::take_payload_buffer`], while others ask the connection for events.
    TakenPayload,
    /// Handed over in a buffer of their own.
    Handed,
    /// Handed over as split off one read buffer, so that pieces lie side by side; parked before each wait.
    Scratch,
    /// Handed over behind what waited.
    Carried,
    /// Offered as a message that comes alone, and handed over if it is none.
    Alone,
}

impl Delivery {
    /// Every way there is.
    pub const ALL: [Self; 7] = [
        Self::ReceiveBuffer,
        Self::PayloadBuffer,
        Self::TakenPayload,
        Self::Handed,
        Self::Scratch,
        Self::Carried,
        Self::Alone,
    ];
}

/// A client and a server with a wire between them.
#[derive(Debug)]
pub struct Pair {
    /// The client's end.
    pub client: End,
    /// The server's end.
    pub server: End,
}

/// One end: a connection, what it has received and what it has sent.
#[derive(Debug)]
pub struct End {
    /// The connection, to send on and to ask.
    pub connection: Connection,
    /// The events so far, in order.
    pub events: Vec<Event>,
    /// The error that ended the connection.
    pub error: Option<ProtocolError>,
    /// Every byte this end has put on the wire.
    pub written: Vec<u8>,
    /// In what pieces this end writes.
    pub writes: Chunks,
    /// In what pieces this end reads.
    pub reads: Chunks,
    /// How what this end reads reaches its connection.
    pub delivery: Delivery,
    /// This end does not read; its peer's writes go nowhere.
    pub stalled: bool,
    /// On its way to this end.
    incoming: VecDeque<u8>,
    /// The peer will send nothing more.
    ended: bool,
    eof_given: bool,
    scratch: BytesMut,
}

impl Pair {
    /// Both ends with the default configuration, but without keepalive.
    pub fn new() -> Self {
        let config = Config::default().with_ping_interval(None);
        Self::with_configs(config.clone(), config)
    }

    /// Each end with its own configuration.
    pub fn with_configs(client: Config, server: Config) -> Self {
        Self {
            client: End::new(Connection::client(client, CounterKeys::default())),
            server: End::new(Connection::server(server)),
        }
    }

    /// Lets both ends write and read in pieces.
    #[must_use]
    pub fn with_chunks(mut self, writes: Chunks, reads: Chunks) -> Self {
        for end in [&mut self.client, &mut self.server] {
            end.writes = writes.clone();
            end.reads = reads.clone();
        }
        self
    }

    /// Lets both ends receive in this way.
    #[must_use]
    pub const fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.client.delivery = delivery;
        self.server.delivery = delivery;
        self
    }

    /// Moves bytes and collects events until nothing moves any more.
    ///
    /// # Panics
    ///
    /// If the two never come to rest.
    pub fn drive(&mut self) {
        for _ in 0..MAX_ROUNDS {
            self.round();
            if self.is_idle() {
                return;
            }
        }
        panic!("the pair does not come to rest: {self:?}");
    }

    /// One piece in each direction.
    pub fn round(&mut self) {
        self.client.turn();
        self.server.turn();
        self.client.write_to(&mut self.server);
        self.server.write_to(&mut self.client);
    }

    /// Calls `handle_timeout` on both ends with what their `poll_timeout` says is due by `now`.
    pub fn tick(&mut self, now: Duration) {
        for end in [&mut self.client, &mut self.server] {
            if end
                .connection
                .poll_timeout(now)
                .is_some_and(|due| due <= now)
            {
                end.connection.handle_timeout(now);
            }
        }
        self.drive();
    }

    fn is_idle(&mut self) -> bool {
        let Self { client, server } = self;
        client.is_idle(server.stalled) && server.is_idle(client.stalled)
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl End {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            events: Vec::new(),
            error: None,
            written: Vec::new(),
            writes: Chunks::Whole,
            reads: Chunks::Whole,
            delivery: Delivery::ReceiveBuffer,
            stalled: false,
            incoming: VecDeque::new(),
            ended: false,
            eof_given: false,
            scratch: BytesMut::new(),
        }
    }

    /// The messages among the events.
    pub fn messages(&self) -> Vec<Message> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Message(message) => Some(message.clone()),
                _ => None,
            })
            .collect()
    }

    /// Puts bytes on the wire to this end as if its peer had sent them.
    pub fn inject(&mut self, bytes: &[u8]) {
        self.incoming.extend(bytes);
    }

    /// Ends the wire to this end, after what is already on it.
    pub const fn inject_eof(&mut self) {
        self.ended = true;
    }

    fn turn(&mut self) {
        self.poll();
        if self.stalled {
            return;
        }
        let received = match self.reads.next_len(self.incoming.len()) {
            Some(len) => self.incoming.drain(..len).collect::<Vec<u8>>(),
            None => return,
        };
        if !received.is_empty() {
            match self.delivery {
                Delivery::ReceiveBuffer => {
                    let buffer = self.connection.receive_buffer();
                    buffer.extend_from_slice(&received);
                }
                Delivery::PayloadBuffer => receive_in_place(&mut self.connection, &received),
                Delivery::TakenPayload => receive_in_taken(&mut self.connection, &received),
                Delivery::Handed => self.connection.handle_received(BytesMut::from(&*received)),
                Delivery::Scratch => {
                    self.scratch.reserve(received.len().max(1024));
                    self.scratch.extend_from_slice(&received);
                    self.connection.handle_received(self.scratch.split());
                }
                Delivery::Carried => receive_carried(&mut self.connection, &received),
                Delivery::Alone => {
                    let message = receive_alone(&mut self.connection, &received);
                    self.events.extend(message.map(Event::Message));
                }
            }
        } else if self.ended && !self.eof_given {
            self.eof_given = true;
            self.connection.handle_eof();
        } else if self.delivery == Delivery::Scratch {
            self.connection.park();
        }
        self.poll();
    }

    fn poll(&mut self) {
        loop {
            match self.connection.poll_event() {
                Ok(Some(event)) => self.events.push(event),
                Ok(None) => return,
                Err(error) => {
                    assert_eq!(self.error, None, "an error is reported once");
                    self.error = Some(error);
                }
            }
        }
    }

    fn write_to(&mut self, peer: &mut Self) {
        let transmit = self.connection.transmit();
        if !peer.stalled
            && let Some(len) = self.writes.next_len(transmit.remaining())
        {
            let bytes = transmit.copy_to_bytes(len);
            self.written.extend_from_slice(&bytes);
            peer.incoming.extend(bytes);
        }
        if self.connection.wants_shutdown() || self.connection.is_finished() {
            peer.ended = true;
        }
        if self.connection.is_finished() {
            self.incoming.clear();
        }
    }

    fn is_idle(&mut self, peer_is_stalled: bool) -> bool {
        let all_written = peer_is_stalled || !self.connection.transmit().has_remaining();
        let all_read = self.stalled
            || (self.incoming.is_empty()
                && (!self.ended || self.eof_given || self.connection.is_finished()));
        all_written && all_read
    }
}

/// Offers `received` as a message that comes alone, which is taken then, and hands it over if it is none.
pub(crate) fn receive_alone(connection: &mut Connection, received: &[u8]) -> Option<Message> {
    let mut buffer = BytesMut::from(received);
    if connection.receive_alone(&mut buffer) {
        let message = connection.take_lent();
        assert!(message.is_some(), "it was found");
        return message;
    }
    assert_eq!(buffer, received, "nothing has happened");
    connection.handle_received(buffer);
    None
}

/// Appends `received` to the payload that it continues, never more than there is room for, and to the buffer for all where
/// there is no such payload.
///
/// # Panics
///
/// If there is such a payload and no room for more of it.
pub fn receive_in_place(connection: &mut Connection, mut received: &[u8]) {
    while !received.is_empty() {
        let Some(payload) = connection.payload_buffer() else {
            connection.receive_buffer().extend_from_slice(received);
            return;
        };
        let room = payload.capacity() - payload.len();
        assert!(room > 0, "to read into");
        let (part, rest) = received.split_at(room.min(received.len()));
        payload.extend_from_slice(part);
        received = rest;
    }
}

/// The same, where the payload is taken out of the connection meanwhile.
pub(crate) fn receive_in_taken(connection: &mut Connection, mut received: &[u8]) {
    while !received.is_empty() {
        let buffered = connection.buffered();
        let Some(mut payload) = connection.take_payload_buffer() else {
            connection.receive_buffer().extend_from_slice(received);
            return;
        };
        let room = payload.capacity() - payload.len();
        assert!(room > 0, "to read into");
        // Nothing comes of whatever others do now.
        connection.park();
        assert_eq!(connection.poll_event(), Ok(None));
        assert_eq!(connection.buffered(), buffered, "what waits still counts");
        assert_eq!(connection.take_payload_buffer(), None);
        let (part, rest) = received.split_at(room.min(received.len()));
        payload.extend_from_slice(part);
        connection.restore_payload_buffer(payload);
        received = rest;
    }
}

/// Takes what waits out of the connection and gives it back with `received` behind it.
pub(crate) fn receive_carried(connection: &mut Connection, received: &[u8]) {
    let mut buffer = BytesMut::new();
    connection.carry_into(&mut buffer);
    buffer.extend_from_slice(received);
    connection.handle_received(buffer);
}
