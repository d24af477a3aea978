//! What a connection tells its owner.

use bytes::Bytes;

use crate::{Chunk, CloseFrame, Message};

/// Something the peer sent, in the order of the wire.
///
/// Pings and Closes have been answered when the event appears: the reply waits in
/// [`Connection::transmit`](crate::Connection::transmit).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A whole data message, reassembled and, if text, valid.
    Message(Message),
    /// A piece of a data message, where pieces were asked for
    /// ([`Connection::stream_message`](crate::Connection::stream_message)).
    Chunk(Chunk),
    /// So much has been decompressed since the last event of this kind, 256 KiB or what 64 KiB came to, of one message or
    /// of many, and there is more. Ask again; it tells nothing and is an event so that whoever has other things to do gets
    /// to do them after a millisecond.
    Part,
    /// A Ping with its application data, at most 125 bytes (RFC 6455 §5.5.2).
    Ping(Bytes),
    /// A Pong with its application data, solicited or not (RFC 6455 §5.5.3).
    Pong(Bytes),
    /// The peer's Close frame, the last event of a connection that ends cleanly (RFC 6455 §5.5.1). `None` when its
    /// body was empty (local status 1005).
    Closed(Option<CloseFrame>),
}

/// What [`Connection::poll_lent`](crate::Connection::poll_lent) has found: a message that stays where it is, or anything
/// else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a message stays where it is, or it is not one"
)]
pub enum Lent {
    /// A whole data message, reassembled and, if text, valid: [`Connection::lent`](crate::Connection::lent) shows it.
    Message,
    /// Something else. It is never [`Event::Message`].
    Event(Event),
}
