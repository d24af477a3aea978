//! What a connection has carried, as plain numbers.

use core::time::Duration;

/// What a connection has carried so far: a snapshot of plain numbers, from
/// [`Connection::stats`](crate::Connection::stats).
///
/// Counting is a few additions a frame and cannot be switched off. The numbers only grow, but for
/// [`queued`](Self::queued), [`backlog`](Self::backlog) and [`rtt`](Self::rtt).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What came from the peer.
    pub received: Traffic,
    /// What went to the peer.
    pub sent: Traffic,
    /// Bytes owed to the wire now, headers included ([`Connection::queued`](crate::Connection::queued)).
    pub queued: usize,
    /// Offered messages that wait for room now ([`Connection::backlog`](crate::Connection::backlog)).
    pub backlog: usize,
    /// Offered messages that were taken and dropped ([`Connection::dropped`](crate::Connection::dropped)).
    pub dropped: u64,
    /// The round-trip time of the newest keepalive Ping that was answered
    /// ([`Connection::rtt`](crate::Connection::rtt)).
    pub rtt: Option<Duration>,
}

/// One direction of a connection, counted since its opening handshake, which itself does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes of the transport, headers included. Received: all that was handed to the connection, also what it
    /// discarded after its end. Sent: what the transport has taken.
    pub bytes: u64,
    /// Frames of every kind. Received: those whose header was accepted. Sent: those that were queued.
    pub frames: u64,
    /// Data messages, whole: a message in ten fragments is one. Received: those that were complete and valid. Sent:
    /// those whose last frame was queued.
    pub messages: u64,
}
