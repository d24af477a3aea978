//! What can be seen of a server.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::SocketAddr;
use core::time::Duration;

use ws_frame::CloseCode;

use crate::{CloseInfo, Initiator, Stats, Traffic};

/// What a server has done so far: a snapshot of plain numbers.
///
/// Every transport connection is counted once by what became of it:
/// `accepted = in_handshake + opened + answered + refused + failed + turned_away`, with `refused` summed over its
/// statuses; and every WebSocket connection by how it ended: `opened = open + closes`, summed over its codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Transport connections accepted.
    pub accepted: u64,
    /// Transport connections now that have not been answered yet, those that will be told 503 included.
    pub in_handshake: usize,
    /// WebSocket connections now.
    pub open: usize,
    /// WebSocket connections ever: opening handshakes that were accepted.
    pub opened: u64,
    /// Plain HTTP requests that got a response.
    pub answered: u64,
    /// Requests that were refused, by HTTP status.
    pub refused: BTreeMap<u16, u64>,
    /// Transport connections that ended before anything could be answered: the client left, fell silent, was too slow
    /// (it may have been told 408) or does not speak HTTP.
    pub failed: u64,
    /// Transport connections above the limit that were closed without a word, because as many were being told 503 as
    /// may be at once.
    pub turned_away: u64,
    /// Handlers that ended with an error. That of the connection itself, which the handler passed on, counts too.
    pub handler_errors: u64,
    /// Panics in what the application gave to the server: its handlers, and what answers plain requests or decides who
    /// may connect. A panic anywhere else in the server is none of these.
    pub handler_panics: u64,
    /// Times that accepting a connection failed.
    pub accept_errors: u64,
    /// What came over all WebSocket connections, those that are over included.
    pub received: Traffic,
    /// What went over all WebSocket connections, those that are over included.
    pub sent: Traffic,
    /// Bytes owed now to the WebSocket connections that are open, headers included ([`Stats::queued`]).
    pub queued: usize,
    /// Messages that wait now for room in the WebSocket connections that are open ([`Stats::backlog`]).
    pub backlog: usize,
    /// Offered messages that were dropped because a peer was too slow ([`Stats::dropped`]), over all WebSocket
    /// connections, those that are over included.
    pub dropped: u64,
    /// The longest round trip of the WebSocket connections that are open, each by its newest keepalive Ping that was
    /// answered ([`Stats::rtt`]); `None` where no Ping has been.
    pub longest_rtt: Option<Duration>,
    /// How many WebSocket connections ended with which connection close code (RFC 6455 §7.1.5,
    /// [`CloseInfo::code`]), and who began to end them.
    pub closes: BTreeMap<(CloseCode, Initiator), u64>,
    /// How many WebSocket connections that are over were sent a Close frame with which code, whatever the peer said or did
    /// not say; 1005 where it had none. A peer that never answered a 1013 counts above as 1006 and here as 1013.
    pub closes_sent: BTreeMap<CloseCode, u64>,
}

impl ServerStats {
    /// Adds what a connection that is open has carried, and what waits in it.
    pub fn add_open(&mut self, stats: &Stats) {
        self.add_past(stats);
        self.queued = self.queued.saturating_add(stats.queued);
        self.backlog = self.backlog.saturating_add(stats.backlog);
        self.longest_rtt = self.longest_rtt.max(stats.rtt);
    }

    /// Adds what a connection that is over has carried.
    pub(super) fn add_past(&mut self, stats: &Stats) {
        self.dropped = self.dropped.saturating_add(stats.dropped);
        for (sum, traffic) in [
            (&mut self.received, &stats.received),
            (&mut self.sent, &stats.sent),
        ] {
            sum.bytes = sum.bytes.saturating_add(traffic.bytes);
            sum.frames = sum.frames.saturating_add(traffic.frames);
            sum.messages = sum.messages.saturating_add(traffic.messages);
        }
    }

    /// Counts how one connection ended. Without a word about it, it was dropped here.
    pub(super) fn count_close(&mut self, info: Option<&CloseInfo>) {
        let how = match info {
            Some(info) => (info.code(), info.initiator),
            None => (CloseCode::ABNORMAL, Initiator::Local),
        };
        count(self.closes.entry(how).or_default());
        if let Some(sent) = info.and_then(|info| info.sent) {
            let code = sent.unwrap_or(CloseCode::NO_STATUS);
            count(self.closes_sent.entry(code).or_default());
        }
    }
}

pub(super) fn count(number: &mut u64) {
    *number = number.saturating_add(1);
}

/// What can be seen of one WebSocket connection of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Its number on this server; the first connection accepted has 1.
    pub id: u64,
    /// Where it comes from; `None` over a Unix socket.
    pub peer_addr: Option<SocketAddr>,
    /// The path that was asked for, percent-encoded as received.
    pub path: String,
    /// The time since it was accepted.
    pub age: Duration,
    /// What it has carried.
    pub stats: Stats,
}
