//! Whether a connection is on the attendant's list: all that the two agree on without the connection's lock.

use crate::sync::{AtomicU8, Ordering};

/// What has become of a connection on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attended {
    /// It has left the list.
    Left,
    /// It stays on the list.
    Again,
    /// So it does, but there is no use in looking soon: its owner says when it has done what it is at.
    Busy,
}

/// What the owner of a connection that leaves something owed has to tell the attendant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Nothing: it is on the list, or another thread writes.
    Nothing,
    /// To put it on the list.
    List,
    /// That it is on the list, and [no longer busy](Attended::Busy).
    Call,
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
/// It is on the list, but its owner was at work when that was looked at, and has not left anything owed since.
const BUSY: u8 = 4;

impl Listing {
    /// The owner leaves something owed.
    pub(crate) fn owner_owes(&self) -> Notice {
        let found = self.0.load(Ordering::Relaxed);
        let notice = match found {
            LISTED | FOLLOWED => return Notice::Nothing,
            WAITING => Notice::Nothing,
            BUSY => Notice::Call,
            _ => Notice::List,
        };
        match self.pass(found, LISTED) {
            Ok(_) => notice,
            Err(_) => self.owner_owes(),
        }
    }

    /// The owner is in an operation that may last.
    pub(crate) fn owner_waits(&self) {
        let found = self.0.load(Ordering::Relaxed);
        if matches!(found, LISTED | BUSY) && self.pass(found, WAITING).is_err() {
            // It has just been looked at.
            _ = self.pass(BUSY, WAITING);
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

    /// Its owner is in the middle of an operation: it leaves the list if that may last. If not, that may take its time all
    /// the same.
    ///
    /// An owner that has asked for its [`Notice`] just before it is taken for busy will not say when it no longer is. So who
    /// relies on that looks now and then.
    pub(crate) fn leave_to_owner(&self) -> Attended {
        match self.pass(WAITING, UNLISTED) {
            Ok(_) => Attended::Left,
            // For as long as the looks at which it may leave are apart.
            Err(BUSY) => Attended::Busy,
            Err(_) => {
                _ = self.pass(LISTED, BUSY);
                Attended::Again
            }
        }
    }

    fn pass(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.0
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
    }
}
