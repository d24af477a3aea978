//! What senders do with a connection that several threads hold.

use std::io;
use std::time::Duration;

use ws_proto::{CloseCode, CloseInfo, Connection, Message, SendError, State, Unsent};

use crate::Error;
use crate::driver::{WRITE_PATIENCE, WRITE_RETRY};
use crate::handover::{Guard, Handover, Held, LOOK_AROUND, Patience, Written};
use crate::sync::now;
use crate::timed::{SHORTEST_WAIT, has_passed};

impl Handover {
    /// Queues something and, if that is wanted, waits until it is written.
    pub(crate) fn send<R>(
        &self,
        queue: impl FnOnce(&mut Connection) -> Result<(), R>,
        flush: bool,
    ) -> Result<(), Error>
    where
        Error: From<R>,
    {
        let (mut held, room) = self.make_room(self.lock());
        room?;
        queue(&mut held.driver.connection)?;
        if flush {
            self.flush_held(held)?;
        }
        Ok(())
    }

    /// Waits until everything that is queued now is written.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.flush_held(self.lock())
    }

    /// Queues a message if that needs no wait, and writes what can be written at once.
    pub(crate) fn try_send(&self, message: Message) -> Result<(), Unsent> {
        let mut held = self.lock();
        if held.driver.connection.wants_flush() {
            held = self.write_briefly(held);
        }
        let connection = &mut held.driver.connection;
        if connection.wants_flush() && connection.state() == State::Open {
            let error = SendError::BufferFull;
            return Err(Unsent { error, message });
        }
        connection.send(message)?;
        drop(self.write_briefly(held));
        Ok(())
    }

    /// Carries out the whole closing handshake.
    pub(crate) fn close(&self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
        let mut held = self.lock();
        held.driver.begin_close(code, reason)?;
        let (held, ended) = self.wait_over(held);
        ended?;
        held.driver.outcome()
    }

    /// Waits until the connection is over, whoever ended it.
    pub(crate) fn closed(&self) -> Result<(), Error> {
        self.wait_over(self.lock()).1
    }

    /// Writes what is much already, before more is queued.
    fn make_room<'a>(&'a self, mut held: Guard<'a>) -> (Guard<'a>, Result<(), Error>) {
        while held.driver.connection.wants_flush() {
            let before = held.written;
            let result;
            (held, result) = self.write_queued(held);
            // What cannot be written now is not waited for twice: queueing says why.
            if result.is_err() || held.written == before {
                return (held, result);
            }
        }
        (held, Ok(()))
    }

    fn flush_held<'a>(&'a self, held: Guard<'a>) -> Result<(), Error> {
        let (mut held, result) = self.write_queued(held);
        if result.is_ok() {
            held = self.listen_now_and_then(held);
            if held.driver.job().is_some() {
                // What was to be sent is written. Whether this is too, the next call will find out.
                drop(self.write_queued(held));
            }
        }
        result
    }

    /// Waits until everything that is queued now is written, and writes unless another thread does.
    fn write_queued<'a>(&'a self, mut held: Guard<'a>) -> (Guard<'a>, Result<(), Error>) {
        let target = held.queued_until();
        held.flushing += 1;
        let (mut held, result) = self.write_until(held, target);
        held.flushing -= 1;
        (held, result)
    }

    fn write_until<'a>(
        &'a self,
        mut held: Guard<'a>,
        target: u64,
    ) -> (Guard<'a>, Result<(), Error>) {
        // Always the same at first: to change the timeout of a stream takes a system call.
        let mut patience = WRITE_PATIENCE;
        loop {
            let enough = held.written >= target;
            if enough && held.flushing > 1 {
                return (held, Ok(()));
            }
            if !enough && let Some(lost) = held.driver.lost() {
                return (held, Err(lost));
            }
            let written;
            (held, written) = self.write(held, Patience::Committed(patience));
            match written {
                Written::Some => held = self.listen_now_and_then(held),
                Written::All => {
                    let lost = held.driver.lost().filter(|_| held.written < target);
                    return (held, lost.map_or(Ok(()), Err));
                }
                Written::Elsewhere if enough && !held.brief => return (held, Ok(())),
                Written::Elsewhere => {
                    held = self.wait(held);
                    self.keep_events(&mut held);
                }
                Written::Stalled => {
                    let heard;
                    (held, heard) = self.listen(held, Some(SHORTEST_WAIT));
                    // The peer may be writing too, and take more when it has been heard.
                    patience = match heard {
                        Ok(true) => WRITE_PATIENCE,
                        _ => (patience * 2).min(LOOK_AROUND),
                    };
                }
                Written::Refused(error) => return (held, Err(Error::Io(error))),
            }
        }
    }

    /// Writes what the stream takes at once.
    fn write_briefly<'a>(&'a self, mut held: Guard<'a>) -> Guard<'a> {
        if held.writer.is_none() || !held.is_timed {
            return held;
        }
        loop {
            let written;
            (held, written) = self.write(held, Patience::Brief(SHORTEST_WAIT));
            if !matches!(written, Written::Some) {
                break;
            }
        }
        held
    }

    /// Waits until the connection is over and its end has been carried out. What still arrives is for the receiver.
    fn wait_over<'a>(&'a self, mut held: Guard<'a>) -> (Guard<'a>, Result<(), Error>) {
        loop {
            // The receiver may have left after the first of several events that came together.
            self.keep_events(&mut held);
            let written;
            (held, written) = self.write(held, Patience::Committed(LOOK_AROUND));
            if held.is_over() {
                return (held, Ok(()));
            }
            let (patience, stalled) = match written {
                Written::Some => continue,
                Written::Refused(error) => return (held, Err(Error::Io(error))),
                Written::Stalled => (Some(SHORTEST_WAIT), true),
                Written::Elsewhere if held.brief => (Some(WRITE_RETRY), false),
                Written::Elsewhere | Written::All => (None, false),
            };
            if stalled || held.may_listen() {
                let heard;
                (held, heard) = self.listen(held, patience);
                if let Err(error) = heard {
                    return (held, Err(Error::Io(error)));
                }
            } else {
                held = self.wait(held);
            }
        }
    }

    /// Who only sends, or sends for long, must hear Pings and the peer's Close too.
    fn listen_now_and_then<'a>(&'a self, mut held: Guard<'a>) -> Guard<'a> {
        if held.receiving {
            return held;
        }
        if std::mem::take(&mut held.heard) {
            held.listened = now();
        } else if has_passed(held.listened.checked_add(LOOK_AROUND)) {
            (held, _) = self.listen(held, Some(SHORTEST_WAIT));
        }
        held
    }

    /// Reads once where the receiver does not, waiting for so long at most, and does what is due. Tells whether
    /// something came; fails if the stream does not wait.
    fn listen<'a>(
        &'a self,
        mut held: Guard<'a>,
        patience: Option<Duration>,
    ) -> (Guard<'a>, io::Result<bool>) {
        held.listened = now();
        self.keep_events(&mut held);
        let mut heard = Ok(false);
        // Without timeouts there is no short wait.
        if held.may_listen()
            && (held.is_timed || patience.is_none())
            && let Some(mut reader) = held.reader.take()
        {
            reader.set_own_timeout(None);
            let until = patience.map(|patience| held.listened + patience);
            (held, heard) = self.read(held, reader, until);
            held.heard = false;
        } else {
            let deadline = held.driver.deadline();
            held.driver.waited_until(deadline);
        }
        self.keep_events(&mut held);
        (held, heard)
    }

    /// Looks at what has arrived and does what is due, on behalf of a receiver that is not there.
    fn keep_events(&self, held: &mut Held) {
        let before = held.driver.events_ahead();
        held.driver.keep_events();
        if held.driver.handle_timeout() {
            held.driver.keep_events();
        }
        // Threads that wake each other for nothing would never cease to.
        if held.driver.events_ahead() != before {
            self.notify(held);
        }
        self.settle(held);
    }
}
