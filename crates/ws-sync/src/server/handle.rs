//! A server seen from outside its thread: [`ServerHandle`].

use std::sync::Arc;

use ws_proto::serving::{ConnectionStats, Drain, Drained, ServerStats};

use super::shared::Shared;

/// What is needed to see into a [`Server`](crate::Server) and to end it. Clones are for the same server; it does not end
/// when they are dropped.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

impl ServerHandle {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Ends the server and waits until every one of its threads has ended.
    ///
    /// 1. It stops listening, so that newcomers are refused by the system. Those who wait to be accepted, and those whose
    ///    request is on its way, get 503 within a second; who waits at a socket that was
    ///    [taken over](crate::ServerBuilder::listen) is left to others who listen at it.
    /// 2. Each WebSocket connection is sent a Close frame, spread over the window of `drain`. Its handler goes on, and
    ///    learns of the end when it receives or sends.
    /// 3. At the deadline what is still there is cut: reads and writes that wait on it fail. A handler that waits for
    ///    something else, or computes, cannot be ended from outside. It has a second to return by itself, and is then
    ///    [left](Drained::left) behind.
    ///
    /// The first call decides; another one waits for the same end. It waits for [`run`](crate::Server::run) to be
    /// called, too, unless the server is dropped. A handler that calls this waits for itself.
    pub fn drain(&self, drain: Drain) -> Drained {
        self.shared.begin_drain(drain);
        self.shared.wait_end()
    }

    /// Whether the server has begun to end.
    pub fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    /// What the server has done so far.
    pub fn stats(&self) -> ServerStats {
        let (mut stats, open) = self.shared.books().registry.stats();
        for sender in open {
            stats.add_open(&sender.stats());
        }
        stats
    }

    /// The WebSocket connections that are open, the oldest first.
    pub fn connections(&self) -> Vec<ConnectionStats> {
        let now = self.shared.now();
        let open = self.shared.books().registry.connections(now);
        open.into_iter()
            .map(|(mut connection, sender)| {
                connection.stats = sender.stats();
                connection
            })
            .collect()
    }
}
