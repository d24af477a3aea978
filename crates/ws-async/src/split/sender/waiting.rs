//! A sender that waits, and its place among those that are woken.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ws_proto::{Offered, OverflowPolicy, PreparedMessage};

use super::Sender;
use crate::Error;
use crate::driver::Driver;
use crate::handover::{Ticket, Visit};
use crate::split::Shared;
use crate::split::transport::Transport;

impl Sender {
    /// Queues or writes a message that may be dropped; nothing is waited for. Tells too whether nothing waits any more.
    pub(crate) fn offer(
        &self,
        message: &PreparedMessage,
        overflow: OverflowPolicy,
        capacity: usize,
    ) -> (Offered, bool) {
        self.shared
            .handover
            .with(|driver, cx| driver.offer(cx, message, overflow, capacity))
    }

    /// Queues or writes a message as soon as fewer than `capacity` wait that were offered. `None` when that would have to
    /// wait for a message in fragments that has not gone on for `Config::write_timeout`, or never will.
    pub(crate) async fn offer_when_room(
        &self,
        message: &PreparedMessage,
        capacity: usize,
    ) -> Option<(Offered, bool)> {
        let handover = &self.shared.handover;
        loop {
            let offered = self.wait(|driver, visit| {
                driver.poll_offer(visit.cx, visit.receiver_waits, message, capacity)
            });
            let (timeout, fragments) =
                handover.inspect(|driver| (driver.connection.write_timeout(), driver.fragments()));
            let Some(timeout) = timeout else {
                return offered.await;
            };
            if let Ok(offered) = tokio::time::timeout(timeout, offered).await {
                return offered;
            }
            if handover.inspect(|driver| driver.is_held_up_since(fragments)) {
                return None;
            }
        }
    }

    /// Queues something and waits until it is written, unless it is to leave together with what follows it. What the
    /// transport takes at once is never seen to be queued, so that the receiver is not woken to write it.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn keeps its arguments twice in every task that sends"
    )]
    pub(super) fn queue_and_flush(
        &self,
        mut poll_queue: impl FnMut(
            &mut Driver<Transport>,
            &mut Visit<'_, '_>,
        ) -> Poll<Result<(), Error>>,
    ) -> impl Future<Output = Result<(), Error>> {
        async move {
            let mut mark = None;
            let mut is_unattended = false;
            let sent = self
                .wait(|driver, mut visit| {
                    let mark = match &mut mark {
                        Some(mark) => mark,
                        unqueued @ None => {
                            if let Err(error) = ready!(poll_queue(driver, &mut visit)) {
                                return Poll::Ready(Err(driver.untold().unwrap_or(error)));
                            }
                            if driver.defers() && !visit.receiver_waits {
                                is_unattended = !driver.has_writer;
                                return Poll::Ready(Ok(()));
                            }
                            unqueued.insert(driver.connection.flush_mark())
                        }
                    };
                    driver.poll_flush_to(visit.cx, visit.receiver_waits, mark)
                })
                .await;
            if is_unattended {
                self.shared.write_after_this_turn();
            }
            sent
        }
    }

    /// Does something that does not wait. What it leaves is written though nobody else waits.
    pub(super) fn without_wait<R>(
        &self,
        operation: impl FnOnce(&mut Driver<Transport>, &mut Context<'_>) -> R,
    ) -> R {
        let (result, is_unattended) = self.shared.handover.with(|driver, cx| {
            let result = operation(driver, cx);
            (result, driver.is_owing() && !driver.has_writer)
        });
        if is_unattended {
            self.shared.write_after_this_turn();
        }
        result
    }

    /// Writes what nobody else does, until all is written or the write deadline has passed.
    pub(in crate::split) fn write_what_is_left(self) -> impl Future<Output = ()> + Send {
        struct Writing {
            sender: Sender,
            is_over: bool,
        }
        impl Drop for Writing {
            fn drop(&mut self) {
                // The runtime shuts down, perhaps before this has run at all.
                if !self.is_over {
                    let handover = &self.sender.shared.handover;
                    handover.with(|driver, _| driver.has_writer = false);
                }
            }
        }

        let mut writing = Writing {
            sender: self,
            is_over: false,
        };
        async move {
            let Writing { sender, is_over } = &mut writing;
            let mut mark = None;
            sender
                .wait(|driver, visit| {
                    let Visit { cx, receiver_waits } = visit;
                    // While this is the last that holds it, nobody can become another.
                    let is_orphan = Arc::strong_count(&sender.shared) == 1;
                    let written =
                        driver.poll_write_deferred(cx, receiver_waits, is_orphan, &mut mark);
                    // From here on somebody else has to be seen to, and whoever queues more does that.
                    driver.has_writer = written.is_pending();
                    *is_over = written.is_ready();
                    written
                })
                .await;
        }
    }

    /// Waits until `operation` is ready. If the wait is given up, so is this task's place among those to be woken.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn keeps its arguments twice in every task that sends"
    )]
    pub(super) fn wait<R>(
        &self,
        mut operation: impl FnMut(&mut Driver<Transport>, Visit<'_, '_>) -> Poll<R>,
    ) -> impl Future<Output = R> {
        async move {
            let mut place = Place::of(&self.shared);
            poll_fn(|cx| place.poll(cx, &mut operation)).await
        }
    }
}

/// A sender's place among those that wait.
pub(super) struct Place<'a> {
    pub(super) shared: &'a Arc<Shared>,
    ticket: Ticket,
    is_pending: bool,
}

impl<'a> Place<'a> {
    pub(super) fn of(shared: &'a Arc<Shared>) -> Self {
        Self {
            shared,
            ticket: Ticket::default(),
            is_pending: false,
        }
    }

    pub(super) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut Driver<Transport>, Visit<'_, '_>) -> Poll<R>,
    ) -> Poll<R> {
        let handover = &self.shared.handover;
        let result = handover.poll_sender(&mut self.ticket, cx, |driver, visit| {
            let result = operation(driver, visit);
            driver.close_if_over();
            result
        });
        self.is_pending = result.is_pending();
        result
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.handover.leave(&mut self.ticket);
        if self.is_pending {
            // Given up, perhaps in the middle of writing.
            self.shared.write_after_this_turn();
        }
    }
}
