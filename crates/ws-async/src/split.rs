//! The connection in two hands or more: [`Sender`] and [`Receiver`], and what they share.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::{Agreement, CloseInfo, Role, State, Stats};

use self::transport::Transport;
use crate::driver::Driver;
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
}

pub(crate) fn split<S>(mut driver: Driver<S>) -> (Sender, Receiver)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    driver.yields_to_replies = true;
    let shared = Arc::new(Shared {
        subprotocol: driver
            .negotiated
            .as_ref()
            .and_then(|negotiated| negotiated.subprotocol.as_deref())
            .map(Box::from),
        deflate: driver
            .negotiated
            .as_ref()
            .and_then(|negotiated| negotiated.deflate),
        role: driver.connection.role(),
        handover: Handover::new(driver.map_stream(Transport::new)),
    });
    let sender = Sender {
        shared: Arc::clone(&shared),
    };
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

impl Signals for Driver<Transport> {
    type Signals = (State, bool, bool, bool, bool, bool, bool, usize, bool);

    fn signals(&self) -> Self::Signals {
        (
            self.connection.state(),
            self.connection.is_finished(),
            self.connection.has_room(),
            self.connection.wants_flush(),
            self.connection.is_flushed(),
            self.is_held_back(),
            self.turn_is_taken(),
            self.events_ahead(),
            self.may_read_ahead(),
        )
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
