//! Codecs for all connections together: one for each thread that compresses at the moment is enough.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::WindowBits;
use crate::codec::{Deflater, Inflater};
use crate::shared::Shared;

/// Codecs that are kept though nobody uses or owns them. The last one that came is the first to go, so there are never
/// more than were in use at one moment.
const MAX_IDLE: usize = 16;

/// Codecs that nobody uses at the moment.
///
/// Whoever takes one owns it, and gives it back if it is whole. One that is not is dropped.
pub(crate) struct Pool {
    deflaters: Shared<Deflaters>,
    inflaters: Shared<Vec<Inflater>>,
    live_contexts: usize,
    owners: AtomicUsize,
}

/// Compressors, in each list the one used last at the end.
struct Deflaters {
    /// With the past of their owners in them.
    owned: Vec<(Owner, Idle)>,
    free: Vec<Idle>,
    live_contexts: usize,
}

/// A compressor, of a window's size.
struct Idle {
    deflater: Deflater,
    window: WindowBits,
}

/// Who may find a compressor as it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(usize);

impl Pool {
    pub(crate) fn new(live_contexts: usize) -> Self {
        Self {
            deflaters: Shared::new(Deflaters {
                owned: Vec::new(),
                free: Vec::new(),
                live_contexts,
            }),
            inflaters: Shared::new(Vec::new()),
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
        let taken = self.deflaters.with(|idle| idle.take(window, owner));
        taken
            .flatten()
            .unwrap_or_else(|| (Deflater::new(window), false))
    }

    /// Takes back a compressor that has written everything. It stays `owner`'s as long as nobody needs it more.
    pub(crate) fn return_deflater(
        &self,
        deflater: Deflater,
        window: WindowBits,
        owner: Option<Owner>,
    ) {
        let idle = Idle { deflater, window };
        let surplus = self.deflaters.with(|others| others.put(idle, owner));
        drop(surplus);
    }

    /// Forgets what `owner` left.
    pub(crate) fn disown(&self, owner: Owner) {
        let surplus = self.deflaters.with(|idle| idle.disown(owner));
        drop(surplus);
    }

    pub(crate) fn inflater(&self) -> Inflater {
        let taken = self.inflaters.with(Vec::pop);
        taken.flatten().unwrap_or_else(Inflater::new)
    }

    pub(crate) fn return_inflater(&self, inflater: Inflater) {
        let surplus = self.inflaters.with(|idle| {
            if idle.len() >= MAX_IDLE {
                return Some(inflater);
            }
            idle.push(inflater);
            None
        });
        drop(surplus);
    }
}

/// What has one compressor too many gives it to its caller, who drops it without the lock.
impl Deflaters {
    /// The compressor that `owner` left, which is then as it was; or one that is free; or, if there are as many as there
    /// may be, the one whose owner has been quiet longest. `None`: there may be one more.
    fn take(&mut self, window: WindowBits, owner: Option<Owner>) -> Option<(Deflater, bool)> {
        let is_own = |other: &(Owner, Idle)| Some(other.0) == owner;
        if let Some(index) = self.owned.iter().position(is_own) {
            return Some((self.owned.remove(index).1.deflater, true));
        }
        // What was used last is still in the processor's caches.
        if let Some(index) = self.free.iter().rposition(|idle| idle.window == window) {
            return Some((self.free.remove(index).deflater, false));
        }
        let is_full = match owner {
            Some(_) => self.owned.len() >= self.live_contexts,
            None => self.owned.len().saturating_add(self.free.len()) >= self.limit(),
        };
        if !is_full {
            return None;
        }
        let fits = |other: &(Owner, Idle)| other.1.window == window;
        let index = self.owned.iter().position(fits)?;
        Some((self.owned.remove(index).1.deflater, false))
    }

    fn put(&mut self, idle: Idle, owner: Option<Owner>) -> Option<Idle> {
        match owner {
            Some(owner) => self.owned.push((owner, idle)),
            None => self.free.push(idle),
        }
        if self.owned.len() > self.live_contexts {
            let (_, quietest) = self.owned.remove(0);
            self.free.push(quietest);
        }
        self.surplus()
    }

    fn disown(&mut self, owner: Owner) -> Option<Idle> {
        let index = self.owned.iter().position(|other| other.0 == owner)?;
        let (_, left) = self.owned.remove(index);
        self.free.push(left);
        self.surplus()
    }

    fn surplus(&mut self) -> Option<Idle> {
        let all = self.owned.len().saturating_add(self.free.len());
        let is_too_much = self.free.len() > MAX_IDLE || all > self.limit();
        // Not all of them are owned, for the limit is not below that.
        (is_too_much && !self.free.is_empty()).then(|| self.free.remove(0))
    }

    /// How many are kept, owned or not.
    fn limit(&self) -> usize {
        self.live_contexts.max(MAX_IDLE)
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use std::iter;

    use super::*;
    use crate::Level;

    const LIVE: usize = 4;

    /// One message of somebody's; whether the compressor was as they had left it.
    fn use_one(pool: &Pool, bits: u8, owner: Option<Owner>) -> bool {
        let window = WindowBits::new(bits).expect("8 to 15");
        let (mut deflater, is_own) = pool.deflater(window, owner);
        if !is_own {
            deflater.begin(Level::FAST, [&[], &[]]).expect("good");
        }
        pool.return_deflater(deflater, window, owner);
        is_own
    }

    /// How many there are: owned, and free.
    fn kept(pool: &Pool) -> (usize, usize) {
        let kept = |idle: &mut Deflaters| (idle.owned.len(), idle.free.len());
        pool.deflaters.with(kept).expect("there are locks")
    }

    fn owners(pool: &Pool) -> impl Iterator<Item = Option<Owner>> + '_ {
        iter::repeat_with(|| pool.new_owner())
    }

    #[test]
    fn connections_that_come_and_go_share_one_compressor() {
        let pool = Pool::new(LIVE);
        for owner in owners(&pool).take(3 * LIVE) {
            assert!(!use_one(&pool, 12, owner), "it is somebody else's past");
            assert!(use_one(&pool, 12, owner));
            assert_eq!(kept(&pool), (1, 0));
            pool.disown(owner.expect("there are contexts"));
            assert_eq!(kept(&pool), (0, 1));
        }
    }

    #[test]
    fn the_quietest_owner_loses_its_context_and_only_when_there_are_as_many_as_may_be() {
        let pool = Pool::new(LIVE);
        let owners: Vec<_> = owners(&pool).take(LIVE + 1).collect();
        for (at, owner) in owners.iter().enumerate() {
            assert!(!use_one(&pool, 12, *owner));
            assert_eq!(kept(&pool), ((at + 1).min(LIVE), 0));
        }
        for owner in owners.iter().skip(1) {
            assert!(use_one(&pool, 12, *owner), "the last ones kept theirs");
        }
        assert!(!use_one(&pool, 12, owners[0]), "the first had lost it");
        assert!(!use_one(&pool, 12, owners[1]), "and takes the next one's");
        assert_eq!(kept(&pool), (LIVE, 0));
    }

    #[test]
    fn who_owns_none_takes_nobodys_context_while_there_is_a_free_one_or_room() {
        let pool = Pool::new(LIVE);
        let owner = pool.new_owner();
        use_one(&pool, 12, owner);
        for _ in 0..3 {
            use_one(&pool, 12, None);
            assert_eq!(kept(&pool), (1, 1));
            assert!(use_one(&pool, 12, owner));
        }
    }

    /// Several are in use at a time, and of all sizes.
    #[test]
    fn there_are_never_more_than_there_may_be() {
        for live_contexts in [0, LIVE, 20] {
            let pool = Pool::new(live_contexts);
            let mut owners: Vec<_> = owners(&pool).take(30).collect();
            for round in 0..3 {
                let mut in_use = Vec::new();
                for (at, owner) in owners.iter().enumerate() {
                    let bits = 9 + u8::try_from(at % (1 + round)).expect("small");
                    let window = WindowBits::new(bits).expect("8 to 15");
                    in_use.push((pool.deflater(window, *owner).0, window, *owner));
                }
                for (deflater, window, owner) in in_use {
                    pool.return_deflater(deflater, window, owner);
                    let (owned, free) = kept(&pool);
                    assert!(owned <= live_contexts && free <= MAX_IDLE);
                    assert!(owned + free <= live_contexts.max(MAX_IDLE));
                }
            }
            for owner in owners.drain(..).flatten() {
                pool.disown(owner);
            }
            let (owned, free) = kept(&pool);
            assert!(owned == 0 && free <= MAX_IDLE, "what nobody owns goes");
        }
    }
}
