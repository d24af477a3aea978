//! What one message to many connections means: what becomes of those that are slow, and the count of it.

use core::ops::AddAssign;

use crate::Offered;

/// What a broadcast does about a connection whose peer reads too slowly: one for which as many messages wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a full queue can wait, lose its newest or its oldest, or be given up"
)]
pub enum SlowConsumer {
    /// Wait until it has room, and everybody else with it: nothing is lost, and the slowest that reads at all sets the
    /// pace.
    ///
    /// Each stall is bounded by `Config::write_timeout`: a peer that takes nothing for so long is given up. A connection
    /// on which a message in pieces keeps the others waiting is closed with 1013 when no further piece has been sent for
    /// so long, which is noticed before twice that time has passed, and at once when that message was left unfinished.
    /// Without that timeout both may be waited for without end.
    Wait,
    /// Drop the message that is being published, for this connection only: what it sees is old but without gaps
    /// before the last.
    DropNewest,
    /// Drop the message that has waited longest, for this connection only: what it sees is recent. The policy for
    /// positions, prices and other news that replaces older news.
    DropOldest,
    /// Close it with 1013, "try again later": whoever must not miss anything has to start again.
    Disconnect,
}

/// How many connections a message was published to, by what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Connections whose transport has taken it, and all before it.
    pub delivered: usize,
    /// Connections for which it waits, in the write buffer or in the backlog behind that.
    pub queued: usize,
    /// Messages dropped: this one or an older one, as [`SlowConsumer`] says.
    pub dropped: usize,
    /// Connections that were closed for being slow, or for a message of their own that held this one up.
    pub disconnected: usize,
}

impl Published {
    /// Counts what became of the message on one connection; `flushed` is whether nothing waits there any more.
    pub fn count(&mut self, offered: Offered, flushed: bool) {
        let add = |count: &mut usize| *count = count.saturating_add(1);
        match offered {
            Offered::Queued if flushed => add(&mut self.delivered),
            Offered::Queued | Offered::Backlogged => add(&mut self.queued),
            Offered::DroppedOldest => {
                add(&mut self.queued);
                add(&mut self.dropped);
            }
            Offered::Refused => add(&mut self.dropped),
            Offered::Closed => {}
        }
    }
}

impl AddAssign for Published {
    fn add_assign(&mut self, other: Self) {
        self.delivered = self.delivered.saturating_add(other.delivered);
        self.queued = self.queued.saturating_add(other.queued);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.disconnected = self.disconnected.saturating_add(other.disconnected);
    }
}
