//! One connection in the hands of several threads: who reads, who writes, and who waits.
//!
//! The connection lies behind one lock, which is never held across a read or a write. Whoever is to read takes the
//! [`Reader`] out, and the receiver with it the payload of a large frame, to read to the end of that; unlocks, reads, locks,
//! hands over what came and puts the reader back. Whoever is to write does the same with the [`Writer`]. So there is one
//! reader and one writer at a time, frames cannot interleave, and neither ever waits for the other. What remains is that nothing owed is left lying, and six rules see to that:
//!
//! 1. Who has written looks for more *before it unlocks again*, with the writer put back. So whoever finds the writer
//!    gone may leave what it has queued to the thread that has it: that thread looks after it was queued.
//! 2. A thread that writes what it sends stops only if nothing is owed, or if another does the same: that one goes on.
//!    The last one leaves nothing that was left to it, and nothing else either, unless that never ends. Who writes on
//!    the side says so ([`Patience::Brief`]), and nobody relies on it.
//! 3. While the receiver waits for input, reading is its affair. Otherwise a sender that waits, or that has sent for a
//!    while, reads too, as far ahead as [`Driver::has_room_ahead`] allows: Pings and Closes are answered, and a peer
//!    that writes does not wait for one that writes.
//! 4. A thread blocked in a read cannot be told of a deadline that was armed after it went there. So whoever arms one
//!    waits for it too, and the end of the connection shuts the stream down, which ends every read and write on it.
//! 5. What a thread puts off, because it is the one that receives next, is found by the attendant if it does not.
//! 6. A publisher, and whoever tries to send, neither waits nor relies on those who do: what it cannot write at once is
//!    for a thread of its own ([`Handover::follow_up`]), which writes until nothing is owed.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use ws_proto::State;

use crate::driver::{Driver, WRITE_RETRY};
use crate::handles::{Handle, Performed, Reader, Task, Writer};
use crate::sync::{Condvar, Mutex, MutexGuard, ThreadId, TryLockError, current};
use crate::timed::{
    SHORTEST_WAIT, Silence, earlier, has_passed, is_timeout, remaining, was_wait_until,
};

/// What the halves of a connection share.
pub(crate) struct Handover {
    held: Mutex<Held>,
    /// Something has changed that a thread may be waiting for.
    changed: Condvar,
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").finish_non_exhaustive()
    }
}

/// What the lock protects.
pub(crate) struct Held {
    pub(crate) driver: Driver,
    /// Absent while somebody reads, and when the connection is over.
    pub(crate) reader: Option<Reader>,
    /// Absent while somebody writes, and when the connection is over.
    pub(crate) writer: Option<Writer>,
    /// Ends what others wait in; absent when the connection is over.
    pub(crate) control: Option<Handle>,
    /// Whether the waits of the stream can be bounded.
    pub(crate) is_timed: bool,
    /// Whether the receiver waits for something to arrive.
    pub(crate) receiving: bool,
    /// Whether the thread that writes may stop with more to write, so that nothing may be left to it.
    pub(crate) brief: bool,
    /// Whether somebody has left something to the thread that writes.
    pub(crate) relied: bool,
    /// How many threads wait for a change.
    pub(crate) waiting: usize,
    /// How many threads see to it that something is written.
    pub(crate) flushing: usize,
    /// Whether there is a thread that writes what was left to nobody.
    pub(crate) followed: bool,
    /// Whether something that was put off was left to it, so that it goes on though nobody is left to send.
    pub(crate) is_promised: bool,
    /// Whether its peer kept the attendant waiting, and nobody has found it otherwise since.
    pub(crate) is_slow: bool,
    /// The silence that the receiver bears.
    pub(crate) read_timeout: Option<Duration>,
    /// Who has received last.
    pub(crate) receiver: Option<ThreadId>,
}

pub(crate) type Guard<'a> = MutexGuard<'a, Held>;

/// How long an attempt to write waits for the peer, and what then becomes of the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// This thread will try again until nothing is owed: others may rely on it.
    Committed(Duration),
    /// This thread has other things to do.
    Brief(Duration),
}

/// What came of an attempt to write.
#[derive(Debug)]
pub(crate) enum Written {
    /// There is nothing to write.
    All,
    /// Another thread has the writer.
    Elsewhere,
    /// There may be more.
    Some,
    /// The peer takes nothing for the time being.
    Stalled,
    /// The stream does not wait.
    Refused(io::Error),
}

impl Written {
    /// How long to wait for input before the next attempt, if there is any to wait for.
    pub(crate) const fn retry(&self) -> Duration {
        match self {
            Self::Some => SHORTEST_WAIT,
            _ => WRITE_RETRY,
        }
    }
}

impl Handover {
    pub(crate) fn new(driver: Driver, [reader, writer, control]: [Handle; 3]) -> Self {
        let is_timed = control.has_timeouts();
        Self {
            held: Mutex::new(Held {
                driver,
                reader: Some(Reader::new(reader)),
                writer: Some(Writer::new(writer)),
                control: Some(control),
                is_timed,
                receiving: false,
                brief: false,
                relied: false,
                waiting: 0,
                flushing: 0,
                followed: false,
                is_promised: false,
                is_slow: false,
                read_timeout: None,
                receiver: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// Only looks, or changes what nobody waits for.
    pub(crate) fn inspect<R>(&self, look: impl FnOnce(&mut Driver) -> R) -> R {
        look(&mut self.lock().driver)
    }

    pub(crate) fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.lock().read_timeout = timeout;
    }

    pub(crate) fn lock(&self) -> Guard<'_> {
        self.held
            .lock()
            .unwrap_or_else(|poisoned| self.break_held(poisoned.into_inner()))
    }

    /// The lock, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_>> {
        match self.held.try_lock() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.break_held(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// A thread has panicked in what is not ours, the stream or a tap, and has left undone what others wait for. So the
    /// connection is over.
    fn break_held<'a>(&'a self, mut held: Guard<'a>) -> Guard<'a> {
        if !held.is_over() {
            held.driver.fail_by_panic();
            self.settle(&mut held);
        }
        held
    }

    pub(crate) fn notify(&self, held: &Held) {
        if held.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until something changes or the connection's next deadline passes.
    pub(crate) fn wait<'a>(&'a self, held: Guard<'a>) -> Guard<'a> {
        self.wait_at_most(held, None)
    }

    /// The same, but not beyond `until`.
    pub(crate) fn wait_at_most<'a>(
        &'a self,
        mut held: Guard<'a>,
        until: Option<Instant>,
    ) -> Guard<'a> {
        let deadline = held.driver.deadline();
        held = self.wait_until(held, earlier(deadline, until));
        held.driver.waited_until(deadline);
        held
    }

    /// Waits until something changes, or until then.
    pub(crate) fn wait_until<'a>(
        &'a self,
        mut held: Guard<'a>,
        until: Option<Instant>,
    ) -> Guard<'a> {
        held.waiting += 1;
        held = match remaining(until) {
            None => self
                .changed
                .wait(held)
                .unwrap_or_else(|poisoned| self.break_held(poisoned.into_inner())),
            Some(timeout) => match self.changed.wait_timeout(held, timeout) {
                Ok((held, _)) => held,
                Err(poisoned) => self.break_held(poisoned.into_inner().0),
            },
        };
        held.waiting -= 1;
        held
    }

    /// One attempt to write what is owed.
    pub(crate) fn write<'a>(
        &'a self,
        mut held: Guard<'a>,
        patience: Patience,
    ) -> (Guard<'a>, Written) {
        if held.is_over() {
            return (held, Written::All);
        }
        if held.writer.is_none() {
            return (held, Written::Elsewhere);
        }
        let Some(job) = held.driver.job() else {
            return (held, Written::All);
        };
        let (brief, mut patience) = match patience {
            Patience::Committed(patience) => (false, patience),
            Patience::Brief(patience) => (true, patience),
        };
        if held.driver.connection.state() != State::Open {
            // A peer that takes a byte now and then must not outrun the closing handshake's deadline.
            let deadline = held.driver.deadline();
            if has_passed(deadline) {
                held.driver.waited_until(deadline);
                return (held, Written::Stalled);
            }
            patience = remaining(deadline).map_or(patience, |left| left.min(patience));
        }
        let Some(mut writer) = held.writer.take() else {
            return (held, Written::Elsewhere);
        };
        held.brief = brief;
        let role = Role(self);
        let mut task = {
            // Whatever panics, this is unlocked before the role is given up.
            let mut held = held;
            writer.prepare(job, &mut held.driver)
        };
        let performed = writer.perform(&task, patience);
        let mut held = self.lock();
        let written = held.note(&mut task, performed);
        if !held.is_over() {
            held.writer = Some(writer);
        }
        role.given_back();
        self.settle(&mut held);
        self.notify(&held);
        (held, written)
    }

    /// Reads once, waiting until the next deadline or `until`, whichever is nearer, and tells whether something came.
    /// Fails if the stream does not wait so long, or if the `silence` is too much for the caller.
    pub(crate) fn read<'a>(
        &'a self,
        held: Guard<'a>,
        mut reader: Reader,
        until: Option<Instant>,
        silence: &mut Silence,
    ) -> (Guard<'a>, io::Result<bool>) {
        let role = Role(self);
        let (deadline, limit, mut payload) = {
            // Whatever panics, this is unlocked before the role is given up.
            let mut held = held;
            // The wait may be long: a partial frame keeps what it needs and no more.
            held.driver.connection.park();
            // While it is out nothing comes of it, and only who receives may ask for what has arrived of a message.
            let payload = match held.receiving && held.receiver == Some(current().id()) {
                true => held.driver.connection.take_payload_buffer(),
                false => None,
            };
            (held.driver.deadline(), held.driver.read_limit(), payload)
        };
        let until = earlier(deadline, until);
        let (read, received) = reader.read(until, silence.left(), limit, payload.as_mut());
        let mut held = self.lock();
        if let Some(payload) = payload {
            held.driver.connection.restore_payload_buffer(payload);
        }
        let result = match read {
            Ok(count) => {
                held.driver.received(count);
                if !received.is_empty() {
                    held.driver.connection.handle_received(received);
                }
                silence.end();
                Ok(true)
            }
            Err(error) if is_timeout(&error) && was_wait_until(until) && !silence.is_over() => {
                Ok(false)
            }
            Err(error) if is_timeout(&error) => Err(error),
            Err(error) => {
                held.driver.read_failed(error);
                Ok(true)
            }
        };
        held.driver.waited_until(deadline);
        if !held.is_over() {
            held.reader = Some(reader);
        }
        role.given_back();
        self.notify(&held);
        (held, result)
    }

    /// Ends the reads and writes of others when the connection is over, and lets go of the stream: a half that is kept
    /// for what it tells must not keep it open.
    pub(crate) fn settle(&self, held: &mut Held) {
        if held.driver.is_finished()
            && let Some(mut control) = held.control.take()
        {
            held.reader = None;
            held.writer = None;
            self.notify(held);
            // It has ended if it can.
            _ = control.shutdown_both();
        }
    }
}

/// The part of a thread that has the [`Reader`] or the [`Writer`]. If it panics meanwhile, in the stream or in a tap,
/// nobody would ever have that again, and others would wait for it without end.
struct Role<'a>(&'a Handover);

impl Role<'_> {
    fn given_back(self) {
        std::mem::forget(self);
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        // To end the stream may panic too, and one panic at a time is enough.
        drop(catch_unwind(AssertUnwindSafe(|| {
            drop(self.0.break_held(self.0.lock()));
        })));
    }
}

impl Held {
    pub(crate) fn is_over(&self) -> bool {
        self.control.is_none()
    }

    /// Whether what this thread has just sent may wait for what it sends next. It is the one that receives: others cannot
    /// know how long it takes to come back for more.
    pub(crate) fn may_defer(&self) -> bool {
        self.is_timed && self.driver.may_defer() && self.receiver == Some(current().id())
    }

    /// Leaves what is owed to the thread that writes, if that is possible.
    pub(crate) fn may_rely(&mut self) -> bool {
        self.relied |= !self.brief;
        !self.brief
    }

    /// Notes what the writer has done.
    fn note(&mut self, task: &mut Task, performed: Performed) -> Written {
        match (task, performed) {
            (Task::Write(detached), Performed::Done(count)) => {
                self.driver.wrote_detached(detached, count);
            }
            (Task::Flush, Performed::Done(_)) => self.driver.flushed(),
            (Task::ShutDown, Performed::Done(_)) => self.driver.shut_down(Ok(())),
            (Task::ShutDown, Performed::Failed(error) | Performed::Refused(error)) => {
                self.driver.shut_down(Err(error));
            }
            // What ended the connection says more than what its end did to a write.
            (_, Performed::Failed(_)) if self.is_over() => {}
            (_, Performed::Failed(error)) => {
                self.driver.write_failed(error);
                if self.followed {
                    self.driver.lose_for_others();
                }
            }
            (_, Performed::Stalled) => return Written::Stalled,
            (_, Performed::Refused(error)) => return Written::Refused(error),
        }
        Written::Some
    }

    /// Whether a sender may read.
    pub(crate) fn may_listen(&self) -> bool {
        !self.receiving
            && self.reader.is_some()
            && !self.driver.has_ended()
            && self.driver.has_room_ahead()
    }
}
