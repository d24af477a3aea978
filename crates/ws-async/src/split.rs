//! The connection in two hands or more: [`Sender`] and [`Receiver`], and what they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use ws_handshake::Negotiated;
use ws_proto::{Agreement, CloseInfo, Role, State, Stats};

pub(crate) use self::transport::Transport;
use crate::deferred::{self, Unattended};
use crate::driver::{Driver, Outlook};
use crate::handover::{Handover, Signals};

mod receiver;
mod sender;
mod transport;

pub use receiver::Receiver;
pub use sender::{Sender, Turn};

/// What the halves share.
struct Shared {
    handover: Handover<Driver<Transport>>,
    /// Agreed on once and for all.
    subprotocol: Option<Box<str>>,
    deflate: Option<Agreement>,
    role: Role,
    /// The scheduler has a waker and will use it.
    is_armed: AtomicBool,
}

pub(crate) fn split<S>(
    mut driver: Driver<S>,
    negotiated: Option<Box<Negotiated>>,
) -> (Sender, Receiver)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    driver.yields_to_replies = true;
    let shared = Arc::new(Shared {
        subprotocol: negotiated
            .as_ref()
            .and_then(|negotiated| negotiated.subprotocol.as_deref())
            .map(Box::from),
        deflate: negotiated.and_then(|negotiated| negotiated.deflate),
        role: driver.connection.role(),
        is_armed: AtomicBool::new(false),
        handover: Handover::new(driver.map_stream(Transport::new)),
    });
    let sender = Sender {
        shared: Arc::clone(&shared),
    };
    // What was sent before is yet to be written.
    if shared.handover.inspect(|driver| driver.is_owing()) {
        shared.write_after_this_turn();
    }
    (sender, Receiver { shared })
}

impl Shared {
    fn poll_receiver<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Driver<Transport>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.handover.poll_receiver(cx, |driver, cx| {
            let result = operation(driver, cx);
            driver.close_if_over();
            result
        })
    }

    /// Sees to it that what is owed is written when the task that runs now has had its turn, unless it is by then.
    fn write_after_this_turn(self: &Arc<Self>) {
        if !self.is_armed.swap(true, Ordering::SeqCst) {
            deferred::after_this_turn(self);
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

impl Unattended for Shared {
    fn see_to_it(self: Arc<Self>) {
        // Whoever leaves more from here on arms again.
        self.is_armed.store(false, Ordering::SeqCst);
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let needs_writer = self.handover.try_with(|driver, _| {
            let is_unattended = driver.is_owing() && !driver.has_writer;
            driver.has_writer |= is_unattended;
            is_unattended
        });
        match needs_writer {
            Some(true) => _ = runtime.spawn(Sender { shared: self }.write_what_is_left()),
            Some(false) => {}
            None => deferred::after_all(self, &runtime),
        }
    }
}

impl Signals for Driver<Transport> {
    type Signals = Outlook;

    fn signals(&self) -> Self::Signals {
        self.outlook()
    }

    fn panicked(&mut self) {
        if !self.connection.is_finished() {
            self.fail_by_panic();
            self.close_if_over();
        }
    }

    fn take_stranded(&mut self) -> bool {
        Driver::take_stranded(self)
    }
}

impl Driver<Transport> {
    /// A half that is kept for its [`close_info`](Sender::close_info) must not keep the stream open.
    fn close_if_over(&mut self) {
        if self.connection.is_finished() {
            self.give_up_flushing();
            self.stream.close();
        }
    }
}
