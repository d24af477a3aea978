//! Codecs for all connections together: one for each thread that compresses at the moment is enough.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::WindowBits;
use crate::codec::{Deflater, Inflater};

/// Codecs that are kept beyond those that are in use. The last one that came is the first to go, so there are never more
/// than were in use at one moment.
const MAX_IDLE: usize = 16;

/// Codecs that nobody uses at the moment.
///
/// Whoever takes one owns it, and gives it back if it is whole. One that is not is dropped.
pub(crate) struct Pool {
    deflaters: Mutex<Vec<Idle>>,
    inflaters: Mutex<Vec<Inflater>>,
    live_contexts: usize,
    owners: AtomicUsize,
}

/// A compressor, of a window's size, with the past of its last owner in it if that may be of use again.
struct Idle {
    deflater: Deflater,
    window: WindowBits,
    owner: Option<Owner>,
}

/// Who may find a compressor as it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(usize);

impl Pool {
    pub(crate) const fn new(live_contexts: usize) -> Self {
        Self {
            deflaters: Mutex::new(Vec::new()),
            inflaters: Mutex::new(Vec::new()),
            live_contexts,
            owners: AtomicUsize::new(0),
        }
    }

    /// Somebody who may keep a context, if there are to be any.
    pub(crate) fn new_owner(&self) -> Option<Owner> {
        (self.live_contexts > 0).then(|| Owner(self.owners.fetch_add(1, Ordering::Relaxed)))
    }

    /// A compressor, and whether it is as `owner` left it.
    pub(crate) fn deflater(&self, window: WindowBits, owner: Option<Owner>) -> (Deflater, bool) {
        let mut idle = lock(&self.deflaters);
        let own = owner.and_then(|owner| idle.iter().position(|idle| idle.owner == Some(owner)));
        if let Some(index) = own {
            return (idle.remove(index).deflater, true);
        }
        let mut fitting = (0..idle.len()).filter(|index| {
            let idle = idle.get(*index);
            idle.is_some_and(|idle| idle.window == window)
        });
        // The one whose owner has been quiet longest; or, where nobody owns any, the one used last.
        let index = match owner {
            Some(_) if idle.len() < self.live_contexts => None,
            Some(_) => fitting.next(),
            None => fitting.next_back(),
        };
        if let Some(index) = index {
            return (idle.remove(index).deflater, false);
        }
        drop(idle);
        (Deflater::new(window), false)
    }

    /// Takes back a compressor that has written everything. It stays `owner`'s as long as nobody needs it more.
    pub(crate) fn return_deflater(
        &self,
        deflater: Deflater,
        window: WindowBits,
        owner: Option<Owner>,
    ) {
        let max_idle = self.live_contexts.max(MAX_IDLE);
        let mut idle = lock(&self.deflaters);
        let oldest = (idle.len() >= max_idle).then(|| idle.remove(0));
        idle.push(Idle {
            deflater,
            window,
            owner,
        });
        drop(idle);
        drop(oldest);
    }

    /// Forgets what `owner` left.
    pub(crate) fn disown(&self, owner: Owner) {
        for idle in lock(&self.deflaters).iter_mut() {
            if idle.owner == Some(owner) {
                idle.owner = None;
            }
        }
    }

    pub(crate) fn inflater(&self) -> Inflater {
        let idle = lock(&self.inflaters).pop();
        idle.unwrap_or_else(Inflater::new)
    }

    pub(crate) fn return_inflater(&self, inflater: Inflater) {
        let mut idle = lock(&self.inflaters);
        if idle.len() < MAX_IDLE {
            idle.push(inflater);
        }
    }
}

/// A panic while it was held left a list of codecs, each of them whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
