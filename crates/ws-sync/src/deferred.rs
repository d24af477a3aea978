//! A connection in one hand, of which somebody else writes what that hand has put off.
//!
//! It lies behind a lock that each operation of its owner holds to its end, waits included. The
//! [attendant](crate::attendant) only tries to lock it: if it cannot, the owner is at work, and if it can, the owner is
//! not, and writes next in line.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, TryLockResult};

use ws_proto::{CloseInfo, Connection, State, Stats};

use crate::Stream;
use crate::attendant::{self, Look, Unattended};
use crate::listing::{Attended, Listing, Notice};
use crate::whole::Whole;

/// A connection is given away by value only.
const IS_GONE: &str = "a connection that was given away has no owner";

/// The one who uses a connection.
pub(crate) struct Owner<S> {
    place: Arc<Place<S>>,
    /// What to do when it is dropped.
    let_go: fn(&Arc<Place<S>>),
}

/// Where a connection is.
pub(crate) struct Place<S> {
    whole: Mutex<Option<Whole<S>>>,
    attendance: Option<Attendance<S>>,
    /// Whether its owner waits for another thread that writes.
    is_wanted: AtomicBool,
    /// How the connection stood when the thread that writes began to, if one does.
    standing: Mutex<Option<Box<Standing>>>,
}

/// A connection under its lock, unless it was given away.
type Slot<'a, S> = MutexGuard<'a, Option<Whole<S>>>;

/// What can be told of a connection that somebody else has.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) state: State,
    pub(crate) stats: Stats,
    pub(crate) close_info: Option<CloseInfo>,
}

/// Says that a thread of this crate may write to a [`Stream`] what the stream's own thread has put off:
/// [`Stream::attendance`].
pub struct Attendance<S> {
    unattended: fn(Arc<Place<S>>) -> Arc<dyn Unattended>,
}

impl<S: Stream + Send + 'static> Attendance<S> {
    /// For a stream whose bounds on waits hold.
    pub const fn new() -> Self {
        Self {
            unattended: |place| place,
        }
    }
}

impl<S: Stream + Send + 'static> Default for Attendance<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for Attendance<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Attendance<S> {}

impl<S> fmt::Debug for Attendance<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attendance").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Owner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").finish_non_exhaustive()
    }
}

impl<S: Stream> Owner<S> {
    pub(crate) fn new(mut whole: Whole<S>) -> Self {
        let attendance = match whole.is_timed() {
            true => S::attendance(),
            false => None,
        };
        whole.is_attended = attendance.is_some();
        Self {
            place: Arc::new(Place {
                whole: Mutex::new(Some(whole)),
                attendance,
                is_wanted: AtomicBool::new(false),
                standing: Mutex::new(None),
            }),
            let_go: Self::let_go,
        }
    }

    /// Takes the connection in hand, for an operation.
    #[inline]
    pub(crate) fn hold(&mut self) -> Held<'_, S> {
        self.place.held(self.place.hold())
    }

    /// Gives the connection away, with what is owed.
    pub(crate) fn into_whole(self) -> Whole<S> {
        self.place.hold().take().expect(IS_GONE)
    }

    /// Looks at the connection, or, while another thread writes and may wait for the peer, at how it stood before that.
    pub(crate) fn look<R>(
        &self,
        look: impl FnOnce(&Connection) -> R,
        recall: impl FnOnce(&Standing) -> R,
    ) -> R {
        let slot = match self.place.whole.try_lock() {
            Err(TryLockError::WouldBlock) => {
                if let Some(standing) = &*lock(&self.place.standing) {
                    return recall(standing);
                }
                // Then it does not wait for the peer.
                self.place.hold()
            }
            tried => self.place.take_back(tried),
        };
        look(&self.place.held(slot).driver.connection)
    }

    /// What was put off is written first: now, or as the peer takes it.
    fn let_go(place: &Arc<Place<S>>) {
        let mut slot = place.hold();
        if let Some(whole) = &mut *slot
            && whole.driver.is_owing()
        {
            whole.driver.abandon();
            // It may be the stream that panics.
            if !std::thread::panicking() {
                whole.write_briefly();
            }
            if whole.driver.is_owing() {
                return place.list(whole);
            }
        }
        let whole = slot.take();
        drop(slot);
        drop(whole);
    }
}

impl<S> Drop for Owner<S> {
    fn drop(&mut self) {
        (self.let_go)(&self.place);
    }
}

impl<S: Stream> Place<S> {
    #[inline]
    fn hold(&self) -> Slot<'_, S> {
        self.take_back(self.whole.try_lock())
    }

    /// From now on it is in its owner's hand, as soon as no other thread has it.
    #[inline]
    fn take_back<'a>(&'a self, tried: TryLockResult<Slot<'a, S>>) -> Slot<'a, S> {
        let mut slot = match tried {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => self.recover(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => self.ask_for(),
        };
        if let Some(whole) = &mut *slot {
            whole.take_back();
            if let Some(listing) = &whole.listing {
                listing.dismiss_follower();
            }
        }
        slot
    }

    #[inline]
    fn held<'a>(self: &'a Arc<Self>, slot: Slot<'a, S>) -> Held<'a, S> {
        Held {
            whole: slot,
            place: self,
        }
    }

    /// Another thread writes. It is to leave off.
    #[cold]
    fn ask_for(&self) -> Slot<'_, S> {
        self.is_wanted.store(true, Ordering::Relaxed);
        let slot = match self.whole.lock() {
            Ok(slot) => slot,
            Err(poisoned) => self.recover(poisoned.into_inner()),
        };
        self.is_wanted.store(false, Ordering::Relaxed);
        slot
    }

    /// A thread has panicked that had the connection. Nobody knows what the stream, or a tap, has left undone, so the
    /// connection is over. But while it was lent there was nothing to be left undone.
    #[cold]
    fn recover<'a>(&self, mut slot: Slot<'a, S>) -> Slot<'a, S> {
        self.whole.clear_poison();
        if let Some(whole) = &mut *slot
            && !whole.is_at_rest()
        {
            whole.driver.fail_by_panic();
        }
        slot
    }

    /// Has the attendant see to what is owed.
    fn list(self: &Arc<Self>, whole: &mut Whole<S>) {
        if let Some(attendance) = self.attendance {
            let listing = whole.listing.get_or_insert_default();
            match listing.owner_owes() {
                Notice::Nothing => {}
                Notice::Call => attendant::call(),
                Notice::List => attendant::list(
                    (attendance.unattended)(Arc::clone(self)),
                    Arc::clone(listing),
                ),
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics under it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As long as this is there, whoever looks at the connection is told how it stood.
struct Shown<'a>(&'a Mutex<Option<Box<Standing>>>);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        *lock(self.0) = None;
    }
}

/// A connection in its owner's hand. What is owed when this is dropped is for the attendant.
pub(crate) struct Held<'a, S: Stream> {
    whole: Slot<'a, S>,
    place: &'a Arc<Place<S>>,
}

impl<S: Stream> fmt::Debug for Held<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl<S: Stream> Deref for Held<'_, S> {
    type Target = Whole<S>;

    fn deref(&self) -> &Whole<S> {
        self.whole.as_ref().expect(IS_GONE)
    }
}

impl<S: Stream> DerefMut for Held<'_, S> {
    fn deref_mut(&mut self) -> &mut Whole<S> {
        self.whole.as_mut().expect(IS_GONE)
    }
}

impl<S: Stream> Drop for Held<'_, S> {
    fn drop(&mut self) {
        if let Some(whole) = &mut *self.whole
            && whole.driver.is_owing()
        {
            self.place.list(whole);
        }
    }
}

impl<S: Stream + Send + 'static> Unattended for Place<S> {
    fn attend(self: Arc<Self>, listing: &Arc<Listing>, look: &mut Look) -> Attended {
        let mut slot = match self.whole.try_lock() {
            Ok(slot) => slot,
            // Its owner is at work.
            Err(TryLockError::WouldBlock) if look.may_leave => return listing.leave_to_owner(),
            Err(TryLockError::WouldBlock) => return Attended::Again,
            Err(TryLockError::Poisoned(poisoned)) => self.recover(poisoned.into_inner()),
        };
        let Some(whole) = &mut *slot else {
            return listing.leave();
        };
        whole.take_back();
        if !whole.driver.is_owing() && look.may_leave {
            return listing.leave();
        }
        if !whole.driver.is_owing() || whole.driver.is_unseen() {
            return Attended::Again;
        }
        if look.may_wait && !whole.is_slow {
            let is_wanted = || self.is_wanted.load(Ordering::Relaxed);
            let shown = self.show(whole);
            look.write(|| whole.write_for_owner(is_wanted));
            drop(shown);
            // An owner that waits for this sees to what it leaves.
            if !whole.driver.is_owing() || is_wanted() {
                return listing.leave();
            }
            whole.is_slow = true;
        }
        listing.leave_to_follower();
        // Whom the follower finds at work is to be the owner.
        drop(slot);
        let its_listing = Arc::clone(listing);
        let place = Arc::clone(&self);
        if !attendant::follow_up(move || place.follow_up(&its_listing)) {
            // What is left goes out with the next call.
            listing.dismiss_follower();
        }
        Attended::Left
    }

    fn let_go(self: Arc<Self>) {
        if let Some(place) = Arc::into_inner(self) {
            let whole = place.whole.into_inner();
            if let Some(whole) = whole.unwrap_or_else(PoisonError::into_inner) {
                attendant::drop_aside(whole);
            }
        }
    }
}

impl<S: Stream> Place<S> {
    /// Another thread than the owner's is about to write.
    fn show(&self, whole: &Whole<S>) -> Shown<'_> {
        let connection = &whole.driver.connection;
        *lock(&self.standing) = Some(Box::new(Standing {
            state: connection.state(),
            stats: connection.stats(),
            close_info: connection.close_info(),
        }));
        Shown(&self.standing)
    }

    /// Writes what the attendant has left, until nothing is or the owner comes back.
    fn follow_up(&self, listing: &Listing) {
        // When that fails its owner is at work, and sees to what it leaves.
        while let Ok(mut slot) = self.whole.try_lock()
            && listing.is_followed()
        {
            let is_wanted = self.is_wanted.load(Ordering::Relaxed);
            let follow_up = |whole: &mut Whole<S>| {
                let _shown = self.show(whole);
                whole.follow_up()
            };
            let goes_on = !is_wanted && slot.as_mut().is_some_and(follow_up);
            if !goes_on {
                listing.leave();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use ws_proto::{Compress, Config, Message};
    use ws_testkit::{Frame, vectors};

    use super::*;
    use crate::driver::Driver;
    use crate::lent::Received;
    use crate::sync::now;
    use crate::timed::Timed;

    /// The attendant would look at it in vain, twice a millisecond, for as long as it is held.
    #[test]
    fn a_connection_whose_message_is_held_leaves_the_list_when_nothing_is_put_off() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let mut client = TcpStream::connect(address).expect("connected");
        let (server, _) = listener.accept().expect("accepted");
        let connection = Connection::server(Config::default());
        let mut owner = Owner::new(Whole::new(Driver::new(connection), Timed::new(server)));
        let frames = Frame::text("ask").masked(vectors::KEY).bytes().repeat(2);
        client.write_all(&frames).expect("written");
        owner.hold().next_event().expect("received");
        owner
            .hold()
            .send(|connection| Ok(connection.send_with(Message::text("reply"), Compress::Auto)?))
            .expect("sent");
        // It is on the list, if both have come with one read, and nothing is put off any more.
        let tried = Message::text("more");
        let tried = owner.hold().try_send(tried, Compress::Auto);
        tried.expect("accepted");
        let mut received = [0; 13];
        client.read_exact(&mut received).expect("it arrives");
        let place = Arc::downgrade(&owner.place);
        let mut held = owner.hold();
        assert!(held.next_lent().expect("received"));
        let message = Received::new(held);
        let until = now() + Duration::from_secs(10);
        while place.strong_count() > 1 {
            assert!(now() < until, "it is looked at for ever");
            std::thread::yield_now();
        }
        drop(message);
    }
}
