//! Who is there, and how they ended.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::stats::count;
use super::{ConnectionStats, Drained, ServerStats};
use crate::{CloseInfo, Stats};

/// Connections above the limit that are told 503 at once. Beyond these they are closed without a word: being polite must
/// not be a way to exhaust us.
const MAX_TURNED_AWAY: usize = 64;

/// The connections of a server, from the moment they are accepted. `S` is what the server holds on to of each WebSocket
/// connection.
///
/// Each accepted connection is told about once at each step: [`admit`](Self::admit), for a handshake that succeeds
/// [`open`](Self::open) and [`closed`](Self::closed), and otherwise one of [`answered`](Self::answered),
/// [`refused`](Self::refused) and [`failed`](Self::failed). Times are times since the server began.
#[derive(Debug)]
pub struct Registry<S> {
    max_connections: usize,
    newest: u64,
    connections: BTreeMap<u64, Entry<S>>,
    /// How many of them are only there to be told 503.
    turned_away: usize,
    stage: Stage,
    /// What is over, and what has no end.
    past: ServerStats,
    drained: Drained,
}

#[derive(Debug)]
struct Entry<S> {
    peer_addr: Option<SocketAddr>,
    since: Duration,
    step: Step<S>,
}

#[derive(Debug)]
enum Step<S> {
    TurnedAway,
    Handshake,
    Open { path: String, held: S },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    Draining,
    Cutting,
}

/// What becomes of a connection that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a server has to do each")]
pub enum Admission {
    /// It has a place, and this number.
    Served(u64),
    /// There is no place for it, or no more time: it is told 503.
    TurnedAway(u64),
    /// It is closed without a word.
    Dropped,
}

/// What becomes of a connection whose opening handshake is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a server has to do each")]
pub enum Opened {
    /// It is served.
    Served,
    /// The server has begun to end since the request was judged: it is closed at once.
    Late,
}

impl<S> Registry<S> {
    /// Nobody is there yet, and at most so many connections get a place, those in their opening handshake included.
    pub fn new(max_connections: usize) -> Self {
        Self {
            max_connections,
            newest: 0,
            connections: BTreeMap::new(),
            turned_away: 0,
            stage: Stage::Serving,
            past: ServerStats::default(),
            drained: Drained::default(),
        }
    }

    /// A connection was accepted.
    pub fn admit(&mut self, peer_addr: Option<SocketAddr>, now: Duration) -> Admission {
        count(&mut self.past.accepted);
        let served = self.connections.len().saturating_sub(self.turned_away);
        let has_place = self.stage == Stage::Serving && served < self.max_connections;
        if !has_place && !self.can_turn_away() {
            count(&mut self.past.turned_away);
            return Admission::Dropped;
        }
        self.newest = self.newest.saturating_add(1);
        let (step, admission) = if has_place {
            (Step::Handshake, Admission::Served(self.newest))
        } else {
            self.turned_away = self.turned_away.saturating_add(1);
            (Step::TurnedAway, Admission::TurnedAway(self.newest))
        };
        let entry = Entry {
            peer_addr,
            since: now,
            step,
        };
        self.connections.insert(self.newest, entry);
        admission
    }

    /// Whether one more connection can be told 503 now.
    pub const fn can_turn_away(&self) -> bool {
        self.turned_away < MAX_TURNED_AWAY
    }

    /// Whether the server has begun to end.
    pub fn is_draining(&self) -> bool {
        self.stage != Stage::Serving
    }

    /// The opening handshake was accepted.
    pub fn open(&mut self, id: u64, path: &str, held: S) -> Opened {
        count(&mut self.past.opened);
        if let Some(entry) = self.connections.get_mut(&id) {
            let path = path.to_owned();
            entry.step = Step::Open { path, held };
        }
        if self.is_draining() {
            Opened::Late
        } else {
            Opened::Served
        }
    }

    /// A plain request got its response.
    pub fn answered(&mut self, id: u64) {
        self.forget(id);
        count(&mut self.past.answered);
    }

    /// A request was refused with this status.
    pub fn refused(&mut self, id: u64, status: u16) {
        self.forget(id);
        count(self.past.refused.entry(status).or_default());
    }

    /// A connection ended before anything could be answered.
    pub fn failed(&mut self, id: u64) {
        self.forget(id);
        count(&mut self.past.failed);
        if self.stage == Stage::Cutting {
            self.drained.aborted = self.drained.aborted.saturating_add(1);
        }
    }

    /// A WebSocket connection is over, and this is what it has carried in all.
    pub fn closed(&mut self, id: u64, info: Option<&CloseInfo>, stats: &Stats) {
        self.forget(id);
        self.past.count_close(info);
        self.past.add_past(stats);
        let number = match self.stage {
            _ if info.is_some_and(|info| info.clean) => &mut self.drained.closed,
            Stage::Cutting => &mut self.drained.aborted,
            Stage::Serving | Stage::Draining => &mut self.drained.lost,
        };
        *number = number.saturating_add(1);
    }

    /// A handler ended with an error.
    pub fn handler_failed(&mut self) {
        count(&mut self.past.handler_errors);
    }

    /// A handler panicked, or a callback.
    pub fn handler_panicked(&mut self) {
        count(&mut self.past.handler_panics);
    }

    /// Accepting a connection failed.
    pub fn accept_failed(&mut self) {
        count(&mut self.past.accept_errors);
    }

    /// How the connections ended that were there when the server began to end, or came later.
    pub const fn drained(&self) -> Drained {
        self.drained
    }

    fn forget(&mut self, id: u64) {
        let entry = self.connections.remove(&id);
        if let Some(Step::TurnedAway) = entry.map(|entry| entry.step) {
            self.turned_away = self.turned_away.saturating_sub(1);
        }
    }
}

impl<S: Clone> Registry<S> {
    /// The server begins to end: nobody gets a place any more. Gives the connections to close, the oldest first.
    pub fn begin_drain(&mut self) -> Vec<S> {
        self.stage = Stage::Draining;
        self.drained = Drained::default();
        self.held()
    }

    /// The server has waited long enough. Gives the connections that are still there.
    pub fn cut(&mut self) -> Vec<S> {
        self.stage = Stage::Cutting;
        self.held()
    }

    /// Everything but what the connections that are open have carried: that is for the caller to add with
    /// [`ServerStats::add_open`], from what is held of them.
    pub fn stats(&self) -> (ServerStats, Vec<S>) {
        let held = self.held();
        let mut stats = self.past.clone();
        stats.open = held.len();
        stats.in_handshake = self.connections.len().saturating_sub(held.len());
        (stats, held)
    }

    /// The connections that are open, the oldest first, each with what is held of it: what they have carried is for the
    /// caller to fill in.
    pub fn connections(&self, now: Duration) -> Vec<(ConnectionStats, S)> {
        self.connections
            .iter()
            .filter_map(|(id, entry)| {
                let Step::Open { path, held } = &entry.step else {
                    return None;
                };
                let stats = ConnectionStats {
                    id: *id,
                    peer_addr: entry.peer_addr,
                    path: path.clone(),
                    age: now.saturating_sub(entry.since),
                    stats: Stats::default(),
                };
                Some((stats, held.clone()))
            })
            .collect()
    }

    fn held(&self) -> Vec<S> {
        self.connections
            .values()
            .filter_map(|entry| match &entry.step {
                Step::Open { held, .. } => Some(held.clone()),
                Step::TurnedAway | Step::Handshake => None,
            })
            .collect()
    }
}
