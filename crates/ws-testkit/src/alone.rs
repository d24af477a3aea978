//! One connection whose peer is the test itself.

use bytes::{Buf, BytesMut};
use ws_proto::{Config, Connection, Event, Lent, ProtocolError};

use crate::oracle::{self, Outcome};
use crate::{FixedKey, vectors};

/// One connection whose peer is the test: bytes in, events and bytes out.
///
/// A client masks with the key of [`vectors::KEY`], so that a test can write down what it sends.
#[derive(Debug)]
pub struct Alone {
    /// The connection.
    pub connection: Connection,
    /// The error that ended it.
    pub error: Option<ProtocolError>,
}

impl Alone {
    /// A server with the default configuration.
    pub fn server() -> Self {
        Self::server_with(Config::default())
    }

    /// A client with the default configuration.
    pub fn client() -> Self {
        Self::client_with(Config::default())
    }

    /// A server.
    pub fn server_with(config: Config) -> Self {
        Self::new(Connection::server(config))
    }

    /// A client.
    pub fn client_with(config: Config) -> Self {
        Self::new(Connection::client(config, FixedKey(vectors::KEY)))
    }

    /// Any connection.
    pub const fn new(connection: Connection) -> Self {
        Self {
            connection,
            error: None,
        }
    }

    /// Receives `bytes` and gives the events that follow; an error stays in [`error`](Self::error).
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.connection.receive_buffer().extend_from_slice(bytes);
        self.events()
    }

    /// Receives `bytes` in a buffer of their own.
    pub fn receive_handed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.connection.handle_received(BytesMut::from(bytes));
        self.events()
    }

    /// Notes the end of the transport.
    pub fn receive_eof(&mut self) -> Vec<Event> {
        self.connection.handle_eof();
        self.events()
    }

    /// The events that are due.
    ///
    /// # Panics
    ///
    /// If a second error is reported.
    pub fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            match self.connection.poll_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return events,
                Err(error) => {
                    assert_eq!(self.error, None, "an error is reported once");
                    self.error = Some(error);
                }
            }
        }
    }

    /// The next event, of a message a copy of what was lent.
    ///
    /// # Errors
    ///
    /// As [`Connection::poll_event`].
    ///
    /// # Panics
    ///
    /// If a message is found and not lent, or something is lent that was not found.
    pub fn poll_lent(&mut self) -> Result<Option<Event>, ProtocolError> {
        let polled = self.connection.poll_lent();
        let lent = self.connection.lent().map(|message| message.to_message());
        match polled? {
            Some(Lent::Message) => Ok(Some(Event::Message(lent.expect("it was found")))),
            other => {
                assert_eq!(lent, None);
                Ok(match other {
                    Some(Lent::Event(event)) => Some(event),
                    _ => None,
                })
            }
        }
    }

    /// Takes everything that is owed to the wire.
    pub fn sent(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        // Asked again, for a Pong may wait until there is room.
        while self.connection.transmit().has_remaining() {
            let transmit = self.connection.transmit();
            let len = transmit.chunk().len();
            sent.extend_from_slice(transmit.chunk());
            transmit.advance(len);
        }
        sent
    }

    /// Where the connection stands, in the words of the oracle.
    pub fn outcome(&self) -> Outcome {
        match self.error {
            Some(error) => Outcome::Failed(error.close_code().map_or(1006, |code| code.get())),
            None if self.connection.close_info().is_some() => Outcome::Closed,
            None => Outcome::Open,
        }
    }
}

impl From<Event> for oracle::Event {
    fn from(event: Event) -> Self {
        match event {
            Event::Message(message) => match message.as_text() {
                Some(text) => Self::Text(text.to_owned()),
                None => Self::Binary(message.as_bytes().to_vec()),
            },
            Event::Ping(data) => Self::Ping(data.to_vec()),
            Event::Pong(data) => Self::Pong(data.to_vec()),
            Event::Closed(frame) => {
                Self::Close(frame.map(|frame| (frame.code.get(), frame.reason.as_str().to_owned())))
            }
            other => panic!("the oracle knows no {other:?}"),
        }
    }
}
