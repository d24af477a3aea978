//! Both directions and both ends, and how they act on each other.

use std::io::{self, IoSlice};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::io::ReadBuf;

use super::Plan;
use super::direction::Direction;
use super::end::End;

#[derive(Debug)]
pub(super) struct Wire {
    now: Duration,
    /// From end 0 to end 1, and back: an end writes to the direction of its own number.
    directions: [Direction; 2],
    ends: [End; 2],
    resets_at: Option<Duration>,
    reset_destroys_input: bool,
    /// Who lets things arrive, and until when it sleeps.
    runner: Option<(Waker, Option<Duration>)>,
    /// To be woken when the wire is unlocked.
    wakers: Vec<Waker>,
    operation_limit: u64,
}

impl Wire {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            now: Duration::ZERO,
            directions: plan.links.map(Direction::new),
            ends: plan.sockets.map(End::new),
            resets_at: plan.resets_at,
            reset_destroys_input: plan.reset_destroys_input,
            runner: None,
            wakers: Vec::new(),
            operation_limit: u64::MAX,
        }
    }

    pub(super) const fn limit_operations(&mut self, limit: u64) {
        self.operation_limit = limit;
    }

    pub(super) fn sent(&self, side: usize) -> &[u8] {
        &self.directions[side].sent
    }

    pub(super) fn written(&self, side: usize) -> Vec<u8> {
        [self.sent(side), &self.ends[side].held].concat()
    }

    pub(super) const fn read_len(&self, side: usize) -> usize {
        self.ends[side].read_len
    }

    pub(super) const fn operations(&self, side: usize) -> u64 {
        self.ends[side].operations
    }

    pub(super) const fn is_dropped(&self, side: usize) -> bool {
        self.ends[side].is_dropped
    }

    pub(super) const fn is_vectored(&self, side: usize) -> bool {
        self.ends[side].plan.vectored
    }

    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        if let Some((waker, sleeps_until)) = &self.runner {
            let next = self.next_event();
            let too_late = next.is_some_and(|at| sleeps_until.is_none_or(|until| at < until));
            if too_late {
                self.wakers.push(waker.clone());
                self.runner = None;
            }
        }
        std::mem::take(&mut self.wakers)
    }

    /// The runner goes to sleep until the time it is given, or until something earlier comes up.
    pub(super) fn wait_for_next(&mut self, runner: &Waker) -> Option<Duration> {
        let next = self.next_event();
        self.runner = Some((runner.clone(), next));
        next
    }

    fn next_event(&self) -> Option<Duration> {
        let arrivals = self.directions.iter().filter_map(Direction::next_arrival);
        let ends = self.ends.iter();
        let wakes = ends.flat_map(|end| {
            let reset = end.reset.filter(|_| !end.is_reset);
            [reset, end.reading.wakes_at(), end.writing.wakes_at()]
        });
        arrivals
            .chain(wakes.flatten())
            .chain(self.resets_at)
            .filter(|at| *at > self.now)
            .min()
    }

    /// Lets happen what is due.
    pub(super) fn settle(&mut self, now: Duration) {
        self.now = now;
        if self.resets_at.is_some_and(|at| at <= now) {
            self.resets_at = None;
            self.reset(0);
            self.reset(1);
        }
        for side in [0, 1] {
            if self.ends[side].reset.is_some_and(|at| at <= now) {
                self.reset(side);
            }
            self.arrive(side);
            let end = &mut self.ends[side];
            end.reading.wake_due(now, &mut self.wakers);
            end.writing.wake_due(now, &mut self.wakers);
        }
    }

    /// What is due arrives at the other end of the direction; on a line without latency, as it is sent.
    fn arrive(&mut self, direction: usize) {
        let reader = 1 - direction;
        if !self.directions[direction].settle(self.now) {
            return;
        }
        self.ends[reader].reading.wake(&mut self.wakers);
        if self.ends[reader].is_dropped && self.directions[direction].arrived() > 0 {
            // Nobody is there to read it: the network answers with a reset.
            self.directions[direction].discard_arrived();
            self.send_reset(reader);
        }
    }

    /// The end `from` resets the connection; the other end learns of it when that has crossed the network.
    fn send_reset(&mut self, from: usize) {
        let arrives = self.directions[from].arrival(self.now, 0);
        let other = &mut self.ends[1 - from];
        other.reset = other.reset.or(arrives);
        if other.reset.is_some_and(|at| at <= self.now) {
            self.reset(1 - from);
        }
    }

    /// A reset has arrived at the end `side`.
    fn reset(&mut self, side: usize) {
        let end = &mut self.ends[side];
        if end.is_reset {
            return;
        }
        end.is_reset = true;
        end.reading.wake(&mut self.wakers);
        end.writing.wake(&mut self.wakers);
        if self.reset_destroys_input {
            self.directions[1 - side].discard_arrived();
        }
        self.directions[1 - side].lose_what_is_under_way();
        self.directions[side].lose_what_is_under_way();
    }

    fn note_operation(&mut self, side: usize) {
        self.ends[side].operations += 1;
        let count = self.ends[side].operations;
        assert!(
            count <= self.operation_limit,
            "end {side} went round in circles: it used its stream {count} times"
        );
        if self.ends[side].plan.breaks_at == Some(count) {
            self.reset(0);
            self.reset(1);
        }
    }

    pub(super) fn poll_read(
        &mut self,
        side: usize,
        waker: &Waker,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.note_operation(side);
        let direction = &mut self.directions[1 - side];
        let end = &mut self.ends[side];
        end.reading.forget();
        let available = direction.arrived().min(buffer.remaining());
        if available == 0 {
            if end.is_reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if direction.is_at_end() || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            end.reading.wait(waker);
            return Poll::Pending;
        }
        let Some(len) = end.plan.reads.next_len(available) else {
            let at = self.now + end.plan.ready_after;
            end.reading.wait_until(waker, at);
            end.reading.wake_due(self.now, &mut self.wakers);
            return Poll::Pending;
        };
        direction.take(len, |part| buffer.put_slice(part));
        end.read_len += len;
        if self.directions[side].has_vanished(self.now) {
            self.directions[1 - side].keep_room_taken(len);
        } else {
            self.ends[1 - side].writing.wake(&mut self.wakers);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(
        &mut self,
        side: usize,
        waker: &Waker,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin_write(side)?;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        if offered == 0 {
            return Poll::Ready(Ok(0));
        }
        let holds_back = self.ends[side].plan.holds_back;
        if self.ends[side].held.len() >= holds_back {
            self.push_held(side);
        }
        let end = &mut self.ends[side];
        let room = match holds_back {
            0 => self.directions[side].room(),
            _ => holds_back.saturating_sub(end.held.len()),
        };
        if room == 0 {
            end.writing.wait(waker);
            return Poll::Pending;
        }
        let Some(len) = end.plan.writes.next_len(offered.min(room)) else {
            let at = self.now + end.plan.ready_after;
            end.writing.wait_until(waker, at);
            end.writing.wake_due(self.now, &mut self.wakers);
            return Poll::Pending;
        };
        let mut left = len;
        let mut bytes = Vec::with_capacity(len);
        for slice in slices {
            let part = &slice[..left.min(slice.len())];
            bytes.extend_from_slice(part);
            left -= part.len();
        }
        if holds_back == 0 {
            self.put_on_wire(side, &bytes);
        } else {
            end.held.extend(bytes);
        }
        Poll::Ready(Ok(len))
    }

    pub(super) fn poll_flush(&mut self, side: usize, waker: &Waker) -> Poll<io::Result<()>> {
        self.begin_write(side)?;
        self.push_held(side);
        let end = &mut self.ends[side];
        if !end.held.is_empty() {
            end.writing.wait(waker);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_shutdown(&mut self, side: usize, waker: &Waker) -> Poll<io::Result<()>> {
        if self.directions[side].finished {
            return Poll::Ready(Ok(()));
        }
        if self.poll_flush(side, waker)?.is_pending() {
            return Poll::Pending;
        }
        self.directions[side].finish(self.now);
        self.arrive(side);
        Poll::Ready(Ok(()))
    }

    pub(super) fn drop_end(&mut self, side: usize) {
        let end = &mut self.ends[side];
        end.is_dropped = true;
        end.reading.forget();
        end.writing.forget();
        if end.is_reset {
            return;
        }
        if self.directions[1 - side].arrived() > 0 {
            // Input that nobody has read makes a reset of the end, and destroys what is under way to the peer.
            self.directions[1 - side].discard_arrived();
            self.directions[side].lose_what_is_under_way();
            self.send_reset(side);
        } else {
            self.directions[side].finish(self.now);
            self.arrive(side);
        }
    }

    fn begin_write(&mut self, side: usize) -> io::Result<()> {
        self.note_operation(side);
        let end = &mut self.ends[side];
        end.writing.forget();
        if end.is_reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.directions[side].finished {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }

    /// Puts as much as possible of what is held back on the wire.
    fn push_held(&mut self, side: usize) {
        let mut held = std::mem::take(&mut self.ends[side].held);
        let len = held.len().min(self.directions[side].room());
        if len > 0 {
            self.put_on_wire(side, &held[..len]);
            held.drain(..len);
        }
        self.ends[side].held = held;
    }

    fn put_on_wire(&mut self, side: usize, bytes: &[u8]) {
        self.directions[side].send(self.now, bytes);
        self.arrive(side);
    }
}
