//! What a server, its handles and its connections share.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use ws_handshake::server::{HttpResponse, Rejection, Request, Routes};
use ws_proto::serving::{Drain, Drained, Registry};

use super::routes::Route;
use super::trace::{self, Payloads};
use crate::handles::Handle;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError, now};
use crate::timed::{has_passed, remaining};
use crate::{Acceptor, Sender};

/// A plain request in, a response out; `None` where there is no page.
pub(super) type HttpCallback = dyn Fn(&Request) -> Option<HttpResponse> + Send + Sync;

/// A handshake in, a refusal out; `Ok` where there is nothing against it.
pub(super) type Authorize = dyn Fn(&Request) -> Result<(), Rejection> + Send + Sync;

pub(crate) struct Shared {
    pub(super) plan: Plan,
    begun: Instant,
    books: Mutex<Books>,
    /// The books have changed in a way that somebody may wait for.
    changed: Condvar,
}

/// What is known of the server's connections. It is locked for a few instructions, never while anything else is locked
/// or anybody waits for a peer.
pub(super) struct Books {
    pub(super) registry: Registry<Sender>,
    /// The connections in their opening handshake, to be cut when the server ends.
    pub(super) opening: BTreeMap<u64, Opening>,
    /// How many threads there are beside that of [`run`](crate::Server::run).
    pub(super) threads: usize,
    /// Whether one of them accepts connections.
    pub(super) accepting: bool,
    /// What is left to do to end the server, once that is wanted.
    pub(super) ending: Option<Ending>,
    /// How it is to end.
    wanted: Option<Drain>,
    /// How it ended, once it has.
    drained: Option<Drained>,
}

/// A connection in its opening handshake.
pub(super) struct Opening {
    pub(super) handle: Handle,
    /// Whether its request has been read, so that it waits for an answer.
    pub(super) asked: bool,
}

/// How the server is to end.
pub(super) struct Ending {
    pub(super) wanted: Drain,
    pub(super) begun: Instant,
    /// The connections to close, the oldest first.
    pub(super) open: Vec<Sender>,
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
            begun: now(),
            books: Mutex::new(Books {
                registry: Registry::new(max_connections),
                opening: BTreeMap::new(),
                threads: 0,
                accepting: false,
                ending: None,
                wanted: None,
                drained: None,
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing under this lock can panic half-way.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what somebody may wait for.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Books) -> R) -> R {
        let result = change(&mut self.books());
        self.changed.notify_all();
        result
    }

    /// Waits until `enough`, or until `deadline`; tells whether it is enough.
    pub(super) fn wait(
        &self,
        deadline: Option<Instant>,
        mut enough: impl FnMut(&mut Books) -> bool,
    ) -> bool {
        let mut books = self.books();
        loop {
            if enough(&mut books) {
                return true;
            }
            books = match remaining(deadline) {
                None => self
                    .changed
                    .wait(books)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(_) if has_passed(deadline) => return false,
                Some(left) => {
                    let waited = self.changed.wait_timeout(books, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The time since the server began.
    pub(super) fn now(&self) -> Duration {
        now().saturating_duration_since(self.begun)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.books().registry.is_draining()
    }

    /// Says how the server is to end, unless that has been said before.
    pub(super) fn begin_drain(&self, wanted: Drain) {
        self.change(|books| {
            if books.registry.is_draining() {
                return;
            }
            books.wanted = Some(wanted.clone());
            books.ending = Some(Ending {
                wanted,
                begun: now(),
                open: books.registry.begin_drain(),
            });
        });
    }

    /// How the server is to end, once that has been said.
    pub(super) fn wanted(&self) -> Drain {
        self.books().wanted.clone().unwrap_or_default()
    }

    /// Waits until the server has ended.
    pub(super) fn wait_end(&self) -> Drained {
        let mut how = Drained::default();
        self.wait(None, |books| {
            how = books.drained.unwrap_or_default();
            books.drained.is_some()
        });
        how
    }

    /// Notes that the server has ended.
    pub(super) fn note_end(&self) {
        let drained = self.change(|books| {
            let mut drained = books.registry.drained();
            drained.left = books.threads;
            *books.drained.insert(drained)
        });
        if self.is_draining() {
            trace::drained(drained);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("routes", &self.plan.routes)
            .finish_non_exhaustive()
    }
}
