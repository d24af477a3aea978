//! What a server, its handles and its connections share.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use ws_handshake::server::{HttpResponse, Rejection, Request, Routes};
use ws_proto::serving::{Drain, Drained, Registry};

use super::routes::Route;
use super::trace::{self, Payloads};
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::{Acceptor, Sender};

/// How long a request that is on its way when the server begins to end is waited for, to be told 503. Who has not asked
/// by then waits for no answer.
pub(super) const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// A plain request in, a response out; `None` where there is no page.
pub(super) type HttpCallback = dyn Fn(&Request) -> Option<HttpResponse> + Send + Sync;

/// A handshake in, a refusal out; `Ok` where there is nothing against it.
pub(super) type Authorize = dyn Fn(&Request) -> Result<(), Rejection> + Send + Sync;

pub(crate) struct Shared {
    pub(super) plan: Plan,
    registry: Mutex<Registry<Sender>>,
    begun: Instant,
    /// How the server is to end, once that is wanted.
    drain: watch::Sender<Option<Drain>>,
    /// How it ended, once it has.
    drained: watch::Sender<Option<Drained>>,
}

/// What is done with requests.
pub(super) struct Plan {
    pub(super) acceptor: Acceptor,
    pub(super) routes: Routes<Route>,
    pub(super) http: Option<Box<HttpCallback>>,
    pub(super) authorize: Option<Box<Authorize>>,
    pub(super) payloads: Payloads,
}

impl Shared {
    pub(super) fn new(plan: Plan, max_connections: usize) -> Self {
        Self {
            plan,
            registry: Mutex::new(Registry::new(max_connections)),
            begun: Instant::now(),
            drain: watch::Sender::new(None),
            drained: watch::Sender::new(None),
        }
    }

    /// The books. They are locked for a few instructions, never while anything else is locked or anybody waits.
    pub(super) fn registry(&self) -> MutexGuard<'_, Registry<Sender>> {
        // Nothing under this lock can panic half-way.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the server began.
    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Says how the server is to end, unless that has been said before.
    pub(super) fn begin_drain(&self, drain: Drain) {
        self.drain.send_if_modified(|wanted| {
            let is_first = wanted.is_none();
            wanted.get_or_insert(drain);
            is_first
        });
    }

    /// Whether it has been said how the server is to end.
    pub(super) fn is_draining(&self) -> bool {
        self.drain.borrow().is_some()
    }

    /// Ready once it has been said how the server is to end. Cancel safe.
    pub(super) async fn draining(&self) -> Drain {
        said(&self.drain).await
    }

    /// Ready when no request is waited for any longer.
    pub(super) async fn last_requests(&self) {
        self.draining().await;
        sleep(LAST_REQUESTS).await;
    }

    /// Ready once the server has ended. Cancel safe.
    pub(super) async fn ended(&self) -> Drained {
        said(&self.drained).await
    }

    /// Notes that the server has ended.
    pub(super) fn note_end(&self) {
        let registry = self.registry();
        let (drained, was_drained) = (registry.drained(), registry.is_draining());
        drop(registry);
        if was_drained {
            trace::drained(drained);
        }
        self.drained.send_replace(Some(drained));
    }
}

/// Ready once there is something to say.
async fn said<T: Clone>(channel: &watch::Sender<Option<T>>) -> T {
    let mut receiver = channel.subscribe();
    loop {
        if let Some(said) = &*receiver.borrow_and_update() {
            return said.clone();
        }
        if receiver.changed().await.is_err() {
            // Unheard of: the sender is the one that was borrowed.
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("routes", &self.plan.routes)
            .field("drain", &*self.drain.borrow())
            .finish_non_exhaustive()
    }
}
