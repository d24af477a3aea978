//! Whether a connection is on the attendant's list: all that the two agree on without the connection's lock.

use crate::sync::{AtomicU8, Ordering};

/// What has become of a connection on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attended {
    /// It has left the list.
    Left,
    /// It stays on the list.
    Again,
}

/// Whether a connection is on the list.
///
/// Only its owner puts it there, and it leaves the list only under the connection's lock, or while its owner waits.
#[derive(Debug, Default)]
pub(crate) struct Listing(AtomicU8);

/// It is not.
const UNLISTED: u8 = 0;
/// It is.
const LISTED: u8 = 1;
/// It is, but its owner is in an operation that may last, and will put it there again when that leaves something owed.
const WAITING: u8 = 2;
/// There is a thread that writes for it.
const FOLLOWED: u8 = 3;

impl Listing {
    /// The owner leaves something owed. Whether it has to be put on the list.
    pub(crate) fn owner_owes(&self) -> bool {
        match self.0.load(Ordering::Relaxed) {
            LISTED | FOLLOWED => false,
            WAITING => self.pass(WAITING, LISTED).is_err() && self.owner_owes(),
            _ => self.pass(UNLISTED, LISTED).is_ok() || self.owner_owes(),
        }
    }

    /// The owner is in an operation that may last.
    pub(crate) fn owner_waits(&self) {
        if self.0.load(Ordering::Relaxed) == LISTED {
            // Nobody else changes this now, but for a thread that writes.
            _ = self.pass(LISTED, WAITING);
        }
    }

    /// The owner has taken the connection in hand: a thread that writes for it is not needed any more.
    pub(crate) fn dismiss_follower(&self) {
        if self.is_followed() {
            _ = self.pass(FOLLOWED, UNLISTED);
        }
    }

    /// Whether there is a thread that writes for it.
    pub(crate) fn is_followed(&self) -> bool {
        self.0.load(Ordering::Relaxed) == FOLLOWED
    }

    /// Under the connection's lock: nothing is put off, or others have it.
    pub(crate) fn leave(&self) -> Attended {
        self.0.store(UNLISTED, Ordering::Relaxed);
        Attended::Left
    }

    /// Under the connection's lock: a thread of its own is to write for it.
    pub(crate) fn leave_to_follower(&self) {
        self.0.store(FOLLOWED, Ordering::Relaxed);
    }

    /// Its owner is in the middle of an operation: it leaves the list if that may last.
    pub(crate) fn leave_to_owner(&self) -> Attended {
        match self.pass(WAITING, UNLISTED) {
            Ok(_) => Attended::Left,
            Err(_) => Attended::Again,
        }
    }

    fn pass(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.0
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
    }
}
