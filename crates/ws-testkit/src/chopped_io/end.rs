//! One end of the stream: what each operation does, according to plan.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::pipe::{Pipe, Wire, lock};
use super::{Fault, Starved, Step};
use crate::Chunks;

/// After this long a blocking read or write that nobody answers fails with `TimedOut`: no test hangs.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct End {
    pub(super) wire: Arc<Wire>,
    pub(super) plan: Arc<Mutex<Plan>>,
    pub(super) incoming: usize,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) reads: Chunks,
    pub(super) writes: Chunks,
    pub(super) read_steps: VecDeque<Step>,
    pub(super) write_steps: VecDeque<Step>,
    pub(super) fault: Option<(usize, Fault)>,
    pub(super) broken: Option<io::ErrorKind>,
    pub(super) hung_up: bool,
    pub(super) starved: Starved,
    pub(super) waits_for_room: bool,
    pub(super) vectored: bool,
    pub(super) wakes_on_demand: bool,
    pub(super) operations: usize,
    pub(super) sleepers: Vec<Waker>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
}

/// Who asks.
pub(super) enum Caller<'a, 'b> {
    Blocking,
    Polling(&'a mut Context<'b>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Write,
    Other,
}

impl End {
    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    pub(super) const fn outgoing(&self) -> usize {
        1 - self.incoming
    }

    /// How many bytes wait to be read.
    pub(super) fn arrived(&self) -> usize {
        self.wire.pipes()[self.incoming].bytes.len()
    }

    pub(super) fn read(&self, target: &mut [u8], mut caller: Caller<'_, '_>) -> io::Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        let started = Instant::now();
        loop {
            let mut plan = self.plan();
            if self.strikes(&mut plan, Operation::Read, &mut caller)? || plan.hung_up {
                return Ok(0);
            }
            let starved = plan.starved;
            let mut pipes = self.wire.pipes();
            let pipe = &mut pipes[self.incoming];
            if pipe.bytes.is_empty() {
                if pipe.ended || starved == Starved::Eof {
                    plan.operations += 1;
                    return Ok(0);
                }
                let timeout = plan.read_timeout;
                drop(plan);
                if let Caller::Polling(context) = &caller {
                    pipe.reader = Some(context.waker().clone());
                }
                let patience = (starved == Starved::Wait).then(|| patience(started, timeout));
                self.wait(pipes, &caller, patience)?;
                continue;
            }
            let available = pipe.bytes.len().min(target.len());
            let Some(len) = plan.next_read(available) else {
                return Err(plan.not_ready(&mut caller));
            };
            for (slot, byte) in target.iter_mut().zip(pipe.take(len)) {
                *slot = byte;
            }
            self.wire.changed.notify_all();
            return Ok(len);
        }
    }

    pub(super) fn write(
        &self,
        source: &[IoSlice<'_>],
        mut caller: Caller<'_, '_>,
    ) -> io::Result<usize> {
        let offered: usize = source.iter().map(|slice| slice.len()).sum();
        if offered == 0 {
            return Ok(0);
        }
        let started = Instant::now();
        loop {
            let mut plan = self.plan();
            self.strikes(&mut plan, Operation::Write, &mut caller)?;
            let mut pipes = self.wire.pipes();
            let pipe = &mut pipes[self.outgoing()];
            if pipe.abandoned || pipe.ended {
                plan.operations += 1;
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let room = pipe.room();
            if room == 0 {
                let (waits, timeout) = (plan.waits_for_room, plan.write_timeout);
                drop(plan);
                if let Caller::Polling(context) = &caller {
                    pipe.writer = Some(context.waker().clone());
                }
                let patience = waits.then(|| patience(started, timeout));
                self.wait(pipes, &caller, patience)?;
                continue;
            }
            let Some(len) = plan.next_write(offered.min(room)) else {
                return Err(plan.not_ready(&mut caller));
            };
            let mut left = len;
            for slice in source {
                let part = &slice[..slice.len().min(left)];
                pipe.put(part);
                left -= part.len();
            }
            self.wire.changed.notify_all();
            return Ok(len);
        }
    }

    pub(super) fn flush(&self, mut caller: Caller<'_, '_>) -> io::Result<()> {
        let mut plan = self.plan();
        self.strikes(&mut plan, Operation::Other, &mut caller)?;
        plan.operations += 1;
        Ok(())
    }

    pub(super) fn shutdown(&self, mut caller: Caller<'_, '_>) -> io::Result<()> {
        let mut plan = self.plan();
        self.strikes(&mut plan, Operation::Other, &mut caller)?;
        plan.operations += 1;
        self.wire.pipes()[self.outgoing()].end();
        self.wire.changed.notify_all();
        Ok(())
    }

    /// Whether a read finds the end because a fault says so. Other faults are errors.
    fn strikes(
        &self,
        plan: &mut Plan,
        operation: Operation,
        caller: &mut Caller<'_, '_>,
    ) -> io::Result<bool> {
        if let Some(kind) = plan.broken {
            return Err(kind.into());
        }
        let Some((number, fault)) = plan.fault else {
            return Ok(false);
        };
        if plan.operations + 1 < number {
            return Ok(false);
        }
        plan.fault = None;
        plan.operations += 1;
        let kind = match fault {
            Fault::NotReady => {
                plan.operations -= 1;
                return Err(plan.not_ready(caller));
            }
            Fault::TimedOut => {
                plan.operations -= 1;
                return Err(io::ErrorKind::TimedOut.into());
            }
            Fault::Eof => {
                plan.hung_up = true;
                if operation == Operation::Read {
                    return Ok(true);
                }
                io::ErrorKind::BrokenPipe
            }
            Fault::Error(kind) => kind,
        };
        if fault != Fault::Eof {
            plan.broken = Some(kind);
        }
        self.hang_up();
        Err(kind.into())
    }

    /// Waits for a change, or says that the caller has to.
    fn wait(
        &self,
        pipes: MutexGuard<'_, [Pipe; 2]>,
        caller: &Caller<'_, '_>,
        patience: Option<(Duration, io::ErrorKind)>,
    ) -> io::Result<()> {
        let Some((patience, impatient)) =
            patience.filter(|_| !matches!(caller, Caller::Polling(_)))
        else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let (_pipes, waited) = self
            .wire
            .changed
            .wait_timeout(pipes, patience)
            .expect("no user of the wire has panicked");
        if waited.timed_out() {
            return Err(impatient.into());
        }
        Ok(())
    }

    /// Ends both directions, for every clone.
    pub(super) fn shutdown_both(&self) {
        self.plan().hung_up = true;
        self.hang_up();
    }

    /// Lets the peer see the end in both directions.
    fn hang_up(&self) {
        let mut pipes = self.wire.pipes();
        pipes[self.outgoing()].end();
        pipes[self.incoming].abandon();
        self.wire.changed.notify_all();
    }

    /// Without vectored writes only the first slice that is not empty counts, as with std's default.
    pub(super) fn slices<'a, 'b>(&self, buffers: &'a [IoSlice<'b>]) -> &'a [IoSlice<'b>] {
        if self.plan().vectored {
            return buffers;
        }
        let first = buffers.iter().position(|buffer| !buffer.is_empty());
        first.map_or(&[], |first| &buffers[first..=first])
    }
}

/// How long a blocking operation that began at `started` still waits, and what it fails with then.
fn patience(started: Instant, timeout: Option<Duration>) -> (Duration, io::ErrorKind) {
    match timeout {
        Some(timeout) => (
            timeout.saturating_sub(started.elapsed()),
            io::ErrorKind::WouldBlock,
        ),
        None => (PATIENCE, io::ErrorKind::TimedOut),
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Plan {
    pub(super) fn new(starved: Starved) -> Self {
        Self {
            reads: Chunks::Whole,
            writes: Chunks::Whole,
            read_steps: VecDeque::new(),
            write_steps: VecDeque::new(),
            fault: None,
            broken: None,
            hung_up: false,
            starved,
            waits_for_room: true,
            vectored: false,
            wakes_on_demand: false,
            operations: 0,
            sleepers: Vec::new(),
            read_timeout: None,
            write_timeout: None,
        }
    }

    fn next_read(&mut self, available: usize) -> Option<usize> {
        self.operations += 1;
        match self.read_steps.pop_front() {
            Some(Step::Bytes(len)) => Some(len.clamp(1, available)),
            Some(Step::NotReady) => None,
            None => self.reads.next_len(available),
        }
    }

    fn next_write(&mut self, available: usize) -> Option<usize> {
        self.operations += 1;
        match self.write_steps.pop_front() {
            Some(Step::Bytes(len)) => Some(len.clamp(1, available)),
            Some(Step::NotReady) => None,
            None => self.writes.next_len(available),
        }
    }

    fn not_ready(&mut self, caller: &mut Caller<'_, '_>) -> io::Error {
        if let Caller::Polling(context) = caller {
            if self.wakes_on_demand {
                self.sleepers.push(context.waker().clone());
            } else {
                context.waker().wake_by_ref();
            }
        }
        io::ErrorKind::WouldBlock.into()
    }
}
