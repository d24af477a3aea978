//! What the owner of a connection and the attendant agree on without a lock, under thousands of schedules: nothing that was
//! put off is left lying, and no connection is on the list twice.
//!
//! The module under test is compiled a second time, with an atomic whose every use is a point where the scheduler may
//! switch threads. Around it are the steps of an owner, of the attendant and of a thread that follows up, with a number in
//! the place of the connection. What is left lying leaves the owner waiting for it: a deadlock, which the scheduler reports
//! with the schedule that led there.

use std::sync::Arc;

use shuttle::rand::{self, Rng};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;

use crate::listing::{Attended, Listing, Notice};

#[path = "../src/listing.rs"]
mod listing;

/// What the module under test is built on.
mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicU8, Ordering};
}

#[derive(Default)]
struct World {
    connection: Mutex<Connection>,
    listing: Listing,
    list: Mutex<List>,
    list_changed: Condvar,
    heard: Mutex<usize>,
    more_heard: Condvar,
}

/// What lies behind the connection's lock.
#[derive(Default)]
struct Connection {
    /// How many messages are put off.
    owed: usize,
    /// Whether the attendant has seen that.
    is_seen: bool,
}

#[derive(Default)]
struct List {
    /// How often the connection has been put on it since the attendant looked.
    new: usize,
    /// How often it is on it in all.
    entries: usize,
    is_over: bool,
}

impl World {
    /// The peer hears what is owed.
    fn write(&self, connection: &mut Connection, most: usize) {
        let count = connection.owed.min(most);
        connection.owed -= count;
        *self.heard.lock().expect("no panic") += count;
        self.more_heard.notify_all();
    }

    /// An operation of the owner.
    fn operate(&self, operation: impl FnOnce(&mut Connection)) {
        let mut connection = self.connection.lock().expect("no panic");
        self.listing.dismiss_follower();
        operation(&mut connection);
        // One that calls is looked at anyway.
        if connection.owed > 0 && self.listing.owner_owes() == Notice::List {
            let mut list = self.list.lock().expect("no panic");
            list.new += 1;
            list.entries += 1;
            assert!(list.entries <= 1, "it is on the list twice");
            self.list_changed.notify_all();
        }
    }

    fn send(&self) {
        self.operate(|connection| {
            connection.is_seen &= connection.owed > 0;
            connection.owed += 1;
        });
    }

    /// Writes what is owed, all of it if the peer takes it, and waits for something.
    fn receive(&self) {
        self.operate(|connection| {
            self.listing.owner_waits();
            let most = match rand::thread_rng().r#gen() {
                true => usize::MAX,
                false => 1,
            };
            self.write(connection, most);
            thread::yield_now();
        });
    }

    /// Does something else until the peer has heard everything.
    fn be_busy_until_heard(&self, count: usize) {
        let mut heard = self.heard.lock().expect("no panic");
        while *heard < count {
            heard = self.more_heard.wait(heard).expect("no panic");
        }
    }

    /// Looks at the connection whenever it is on the list; gives the threads that follow up.
    fn attend(self: &Arc<Self>) -> Vec<thread::JoinHandle<()>> {
        let mut followers = Vec::new();
        let mut entries = 0;
        loop {
            {
                let mut list = self.list.lock().expect("no panic");
                while entries == 0 && list.new == 0 {
                    if list.is_over {
                        return followers;
                    }
                    list = self.list_changed.wait(list).expect("no panic");
                }
                entries += std::mem::take(&mut list.new);
                // The connection may be put there again from the moment at which it leaves.
                list.entries -= entries;
            }
            for _ in 0..std::mem::take(&mut entries) {
                if self.look(&mut followers) != Attended::Left {
                    self.list.lock().expect("no panic").entries += 1;
                    entries += 1;
                }
            }
            thread::yield_now();
        }
    }

    fn look(self: &Arc<Self>, followers: &mut Vec<thread::JoinHandle<()>>) -> Attended {
        let Ok(mut connection) = self.connection.try_lock() else {
            return self.listing.leave_to_owner();
        };
        if connection.owed == 0 {
            return self.listing.leave();
        }
        if !std::mem::replace(&mut connection.is_seen, true) {
            return Attended::Again;
        }
        self.write(&mut connection, 1);
        if connection.owed == 0 {
            return self.listing.leave();
        }
        self.listing.leave_to_follower();
        // Whom the follower finds at work is to be the owner.
        drop(connection);
        let world = Arc::clone(self);
        followers.push(thread::spawn(move || world.follow_up()));
        Attended::Left
    }

    fn follow_up(&self) {
        while let Ok(mut connection) = self.connection.try_lock()
            && self.listing.is_followed()
        {
            self.write(&mut connection, 1);
            if connection.owed == 0 {
                self.listing.leave();
            }
        }
    }
}

/// An owner that goes from burst to burst, receives in between or does not, and does something else after each.
fn some_bursts() {
    const BURSTS: usize = 3;
    const BURST: usize = 2;
    let world = Arc::new(World::default());
    let attendant = thread::spawn({
        let world = Arc::clone(&world);
        move || world.attend()
    });
    for burst in 1..=BURSTS {
        for _ in 0..BURST {
            world.send();
            if rand::thread_rng().r#gen() {
                world.receive();
            }
        }
        world.be_busy_until_heard(burst * BURST);
    }
    world.list.lock().expect("no panic").is_over = true;
    world.list_changed.notify_all();
    for follower in attendant.join().expect("no panic") {
        follower.join().expect("no panic");
    }
}

/// spec: CD-06, S-07
#[test]
fn nothing_that_was_put_off_is_left_lying() {
    shuttle::check_random(some_bursts, 5_000);
}
