//! Who writes what a thread has put off and does not come back for.
//!
//! While more of what the peer sent is there to be looked at, `send` only queues, and whoever receives next writes before it
//! waits: the replies to one read leave in one write. But the thread may do something else instead of receiving, and a
//! thread has no end of its turn at which somebody could look. So there is one thread for the whole process that does
//! nothing but that: the attendant. It is started when something is put off for the first time, sleeps while nothing is, and
//! otherwise looks every [`TICK`] at the connections that have put something off. What it has seen before, it writes. It never
//! ends: what a connection panics with is that connection's affair.
//!
//! Where all that are on the list are in the middle of operations that last, it looks every [`DOZE`]: one that ends then with
//! something owed calls it.
//!
//! To wake a thread costs thousands of cycles, so a connection that is on its list is not put there again: one that goes
//! from burst to burst pays a comparison for each message, and the process some looks in a millisecond.
//!
//! A thread that waits for input with nothing put off leaves the list by [`Listing::owner_waits`], and so does one that holds
//! a message that was lent to it: it is in the middle of an operation, so that the attendant cannot look at the connection
//! itself.
//!
//! The attendant waits for one peer at each look, and for a moment: what is left then falls to a thread of its own, and so
//! does at once what other connections owe that are yet to be looked at, and what one owes whose peer was waited for
//! before. However many peers take nothing, what is owed to others does not wait for each of them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::listing::{Attended, Listing};
use crate::timed::SHORTEST_WAIT;

/// How often the attendant looks. What was put off is written at the second look.
const TICK: Duration = Duration::from_micros(500);

/// At every so many looks the connections with nothing put off leave the list. At others they stay: one that is slower from
/// burst to burst than the looks follow each other would have to be put there each time.
const LOOKS: u32 = 16;

/// How often it looks if all are busy.
const DOZE: Duration = Duration::from_millis(50);

/// A connection that may have put something off.
pub(crate) trait Unattended: Send + Sync + 'static {
    /// Looks at it, and writes what is owed if it was seen owing before. What its peer does not take soon is for
    /// [`follow_up`].
    fn attend(self: Arc<Self>, listing: &Arc<Listing>, look: &mut Look) -> Attended;

    /// It has left the list. Whether it was the last that knew of it, and a stream is dropped with it, is for
    /// [`drop_aside`].
    fn let_go(self: Arc<Self>);
}

/// What the connections share of one look at all of them.
#[derive(Debug)]
pub(crate) struct Look {
    /// Whether a connection that owes nothing leaves the list.
    pub(crate) may_leave: bool,
    /// Whether a peer may be waited for. None was yet.
    pub(crate) may_wait: bool,
}

impl Look {
    /// Writes, and notes whether that took its time.
    pub(crate) fn write<R>(&mut self, write: impl FnOnce() -> R) -> R {
        let until = Instant::now() + SHORTEST_WAIT;
        let written = write();
        self.may_wait &= Instant::now() < until;
        written
    }
}

/// A connection on the list.
struct Entry {
    connection: Arc<dyn Unattended>,
    listing: Arc<Listing>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Attendant {
    list: Mutex<List>,
    wake: Condvar,
}

#[derive(Debug)]
struct List {
    /// Those that have come since the last look.
    new: Vec<Entry>,
    /// Whether one that was busy has called.
    is_called: bool,
    is_asleep: bool,
}

static ATTENDANT: Attendant = Attendant {
    list: Mutex::new(List {
        new: Vec::new(),
        is_called: false,
        is_asleep: false,
    }),
    wake: Condvar::new(),
};

/// Whether there is an attendant. Changes under its lock, once.
static IS_THERE: AtomicBool = AtomicBool::new(false);

/// Whether there is somebody to write what is put off. If not yet, this tries to change that.
pub(crate) fn is_there() -> bool {
    IS_THERE.load(Ordering::Relaxed) || start()
}

#[cold]
fn start() -> bool {
    let _list = ATTENDANT.lock();
    if !IS_THERE.load(Ordering::Relaxed) {
        let thread = thread::Builder::new().name("ws-sync attendant".to_owned());
        let is_started = thread.spawn(|| ATTENDANT.run()).is_ok();
        IS_THERE.store(is_started, Ordering::Relaxed);
    }
    IS_THERE.load(Ordering::Relaxed)
}

/// Puts a connection on the list, which [`Listing::owner_owes`] asks for.
pub(crate) fn list(connection: Arc<dyn Unattended>, listing: Arc<Listing>) {
    let entry = Entry {
        connection,
        listing,
    };
    ATTENDANT.tell(|list| list.new.push(entry));
}

/// Says that a connection on the list is no longer busy, which [`Listing::owner_owes`] asks for.
pub(crate) fn call() {
    ATTENDANT.tell(|list| list.is_called = true);
}

impl Attendant {
    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing panics under it.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, tell: impl FnOnce(&mut List)) {
        let mut list = self.lock();
        tell(&mut list);
        let is_asleep = std::mem::take(&mut list.is_asleep);
        drop(list);
        if is_asleep {
            self.wake.notify_one();
        }
    }

    fn run(&self) {
        let mut entries = Vec::new();
        let mut looks = 0;
        loop {
            entries.append(&mut self.next(entries.is_empty()));
            if look(&mut entries, looks == 0) {
                self.doze();
            } else {
                looks = (looks + 1) % LOOKS;
                thread::sleep(TICK);
            }
        }
    }

    /// What has come on the list, if need be not before there is something.
    fn next(&self, waits: bool) -> Vec<Entry> {
        let mut list = self.lock();
        while waits && list.new.is_empty() {
            list.is_asleep = true;
            list = self.wake.wait(list).unwrap_or_else(PoisonError::into_inner);
        }
        // Whoever has called is looked at now.
        list.is_called = false;
        std::mem::take(&mut list.new)
    }

    fn doze(&self) {
        let mut list = self.lock();
        if list.new.is_empty() && !list.is_called {
            list.is_asleep = true;
            list = match self.wake.wait_timeout(list, DOZE) {
                Ok((list, _)) => list,
                Err(poisoned) => poisoned.into_inner().0,
            };
            list.is_asleep = false;
        }
    }
}

/// Looks at all connections once. Whether all that stay are busy.
fn look(entries: &mut Vec<Entry>, may_leave: bool) -> bool {
    let mut look = Look {
        may_leave,
        may_wait: true,
    };
    let mut next = 0;
    let mut busy = 0;
    while let Some(entry) = entries.get(next) {
        match attend(entry, &mut look) {
            Attended::Again => next += 1,
            Attended::Busy => {
                busy += 1;
                next += 1;
            }
            Attended::Left => {
                let connection = entries.swap_remove(next).connection;
                // There is more than a stream to a connection.
                survive(|| connection.let_go());
            }
        }
    }
    busy > 0 && busy == entries.len()
}

/// Looks at one connection.
fn attend(entry: &Entry, look: &mut Look) -> Attended {
    let connection = Arc::clone(&entry.connection);
    // It may be the stream that panics, or a tap. Its owner finds that out, and others have nothing to do with it.
    survive(|| connection.attend(&entry.listing, look)).unwrap_or_else(|| entry.listing.leave())
}

/// Does what may panic; `None` if it does.
fn survive<R>(attempt: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(done) => Some(done),
        Err(panic) => {
            // What it panics with may do so too when it is dropped. Whatever that panics with is left where it is.
            std::mem::forget(catch_unwind(AssertUnwindSafe(|| drop(panic))));
            None
        }
    }
}

/// Drops what only the attendant had left of a connection. That may take its time, or panic.
pub(crate) fn drop_aside(last: impl Send + 'static) {
    // Where there is no thread to be had it is dropped here.
    follow_up(move || drop(last));
}

/// Starts a thread that writes for one connection; whether there is one to be had.
pub(crate) fn follow_up(follow_up: impl FnOnce() + Send + 'static) -> bool {
    let thread = thread::Builder::new().name("ws-sync follow-up".to_owned());
    thread.spawn(|| _ = survive(follow_up)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Notice;

    /// Somebody is at work on it, always or never.
    struct Connection {
        is_locked: bool,
    }

    impl Unattended for Connection {
        fn attend(self: Arc<Self>, listing: &Arc<Listing>, look: &mut Look) -> Attended {
            match self.is_locked && look.may_leave {
                true => listing.leave_to_owner(),
                false => Attended::Again,
            }
        }

        fn let_go(self: Arc<Self>) {}
    }

    fn entry(is_locked: bool) -> Entry {
        let listing = Arc::<Listing>::default();
        assert_eq!(listing.owner_owes(), Notice::List);
        Entry {
            connection: Arc::new(Connection { is_locked }),
            listing,
        }
    }

    #[test]
    fn connections_whose_owners_take_their_time_are_looked_at_less_often() {
        let mut entries = vec![entry(true)];
        let listing = Arc::clone(&entries[0].listing);
        // It may not be for long.
        assert!(!look(&mut entries, true));
        assert!(!look(&mut entries, false));
        assert!(look(&mut entries, true));
        assert_eq!(listing.owner_owes(), Notice::Call);
        assert_eq!(listing.owner_owes(), Notice::Nothing);
        // Now it is at something else.
        assert!(!look(&mut entries, true));
        assert!(look(&mut entries, true));
        entries.push(entry(false));
        assert!(!look(&mut entries, true), "others are not");
        entries.pop();
        // Its owner waits for input.
        listing.owner_waits();
        assert!(!look(&mut entries, true));
        assert!(entries.is_empty());
    }
}
