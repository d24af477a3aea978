//! The connection in two hands or more: [`Sender`] and [`Receiver`], and what they share.

use std::io;
use std::sync::Arc;

use ws_handshake::Negotiated;
use ws_proto::{CloseInfo, Connection, Role, State, Stats};

use crate::attendant::{self, Look, Unattended};
use crate::driver::Driver;
use crate::handover::Handover;
use crate::listing::{Attended, Listing, Notice};
use crate::publishing::Rest;
use crate::{CloneStream, Error};

mod receiver;
mod sender;

pub use receiver::Receiver;
pub use sender::{Sender, Turn};

/// What the halves share.
struct Shared {
    handover: Handover,
    /// Agreed on once and for all.
    negotiated: Negotiated,
    role: Role,
    listing: Arc<Listing>,
}

pub(crate) fn split<S: CloneStream + Send + 'static>(
    mut driver: Driver,
    stream: S,
    negotiated: Negotiated,
) -> io::Result<(Sender, Receiver)> {
    let is_owing = driver.is_owing();
    let shared = Arc::new(Shared {
        role: driver.connection.role(),
        handover: Handover::new(driver, stream.into_handles()?),
        negotiated,
        listing: Arc::default(),
    });
    if is_owing {
        shared.defer();
    }
    let sender = Sender {
        shared: Arc::clone(&shared),
    };
    Ok((sender, Receiver { shared }))
}

impl Unattended for Shared {
    fn attend(self: Arc<Self>, listing: &Arc<Listing>, look: &mut Look) -> Attended {
        // Nobody but the list and this call has it when its halves have been dropped: the stream is not to wait.
        let is_orphan = Arc::strong_count(&self) == 2;
        let leave = || _ = listing.leave();
        let may_leave = look.may_leave || is_orphan;
        let may_wait = look.may_wait;
        let write = || self.handover.write_deferred(may_leave, may_wait, leave);
        match look.write(write) {
            None => return Attended::Again,
            Some(Rest::Nobody) => self.start_following_up(),
            Some(Rest::None | Rest::Others) => {}
        }
        Attended::Left
    }

    fn let_go(self: Arc<Self>) {
        if let Some(shared) = Arc::into_inner(self)
            && !shared.handover.lock().is_over()
        {
            attendant::drop_aside(shared);
        }
    }
}

impl Shared {
    /// Queues a message and writes it, now or with what is sent next.
    fn send<R>(
        self: &Arc<Self>,
        queue: impl FnOnce(&mut Connection) -> Result<(), R>,
    ) -> Result<(), Error>
    where
        Error: From<R>,
    {
        if self.handover.send(attendant::is_there, queue)? {
            self.defer();
        }
        Ok(())
    }

    /// Has what was put off found by the attendant.
    fn defer(self: &Arc<Self>) {
        // It is never busy: it is not locked while anybody waits.
        if self.listing.owner_owes() == Notice::List {
            let connection = Arc::clone(self);
            attendant::list(connection, Arc::clone(&self.listing));
        }
    }

    /// Starts whoever is needed to write the rest; whether there is none.
    fn see_to(self: &Arc<Self>, rest: Rest) -> bool {
        if rest == Rest::Nobody {
            self.start_following_up();
        }
        rest == Rest::None
    }

    /// Starts a thread that writes the rest.
    fn start_following_up(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let follow_up = move || {
            let is_nobody = || Arc::strong_count(&shared) == 1;
            shared.handover.follow_up(is_nobody);
        };
        if !attendant::follow_up(follow_up) {
            self.handover.nobody_follows();
        }
    }

    fn close_info(&self) -> Option<CloseInfo> {
        self.handover
            .inspect(|driver| driver.connection.close_info())
    }

    fn stats(&self) -> Stats {
        self.handover.inspect(|driver| driver.connection.stats())
    }

    fn state(&self) -> State {
        self.handover.inspect(|driver| driver.connection.state())
    }
}
