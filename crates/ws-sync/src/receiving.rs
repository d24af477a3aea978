//! What the receiver does with a connection that several threads hold.

use std::io;

use ws_proto::{Chunk, Event};

use crate::Error;
use crate::driver::{Driver, Job, LOOK_AROUND, WRITE_PATIENCE};
use crate::handover::{Guard, Handover, Patience, Written};
use crate::sync::{current, now, yield_now};
use crate::timed::{Silence, has_passed};

impl Handover {
    /// The next event for the receiver, of which there is one; `None` at the end. With `answered`, what the event
    /// obliges this end to send has been written, if the peer takes it.
    pub(crate) fn next_event(&self, answered: bool) -> Result<Option<Event>, Error> {
        self.next_event_or(|_| {}, answered)
    }

    /// The first chunk of the next message, which is to come in chunks, within a limit if one is given; `None` at the
    /// end. If this fails, the message will come whole again.
    pub(crate) fn first_chunk(&self, max_size: Option<u64>) -> Result<Option<Chunk>, Error> {
        self.inspect(|driver| driver.begin_chunks(max_size));
        // It is given up before others get to see the connection: a sender that reads ahead would take the message
        // apart, and what it keeps for a reader that has left would be lost.
        chunk(|| self.next_event_or(Driver::discard_message, false))
    }

    /// The next chunk of the message that is being received in chunks; `None` at the end.
    pub(crate) fn next_chunk(&self) -> Result<Option<Chunk>, Error> {
        chunk(|| self.next_event(false))
    }

    /// The next event, or what is to be done if there will be none.
    fn next_event_or(
        &self,
        give_up: impl FnOnce(&mut Driver),
        answered: bool,
    ) -> Result<Option<Event>, Error> {
        let mut held = self.lock();
        held.receiving = true;
        held.receiver = Some(current().id());
        let (mut held, result) = self.receive(held);
        held.receiving = false;
        if result.is_err() {
            give_up(&mut held.driver);
        }
        // Whoever waits for input has to read for itself now.
        self.notify(&held);
        let is_data = matches!(result, Ok(Some(Event::Message(_) | Event::Chunk(_))));
        // A Pong does not wait until the application, which may be busy with this message, calls again.
        if (is_data || answered) && held.driver.owes_answer() {
            drop(self.write_before_reading(held));
        }
        result
    }

    /// Nobody will take what arrives any more.
    pub(crate) fn stop_listening(&self) {
        let mut held = self.lock();
        held.driver.stop_listening();
        self.notify(&held);
    }

    /// The rest of the message that is being received in chunks is not wanted.
    pub(crate) fn discard_message(&self) {
        let mut held = self.lock();
        held.driver.discard_message();
        // There may be room again for what is read ahead.
        self.notify(&held);
    }

    fn receive<'a>(&'a self, mut held: Guard<'a>) -> (Guard<'a>, Result<Option<Event>, Error>) {
        let mut silence = Silence::new(held.read_timeout);
        loop {
            if let Some(event) = held.driver.next_event() {
                if matches!(event, Event::Part) {
                    // Much is being decompressed. Whoever sends or publishes does not wait for all of it.
                    drop(held);
                    yield_now();
                    held = self.lock();
                    continue;
                }
                return (held, Ok(Some(event)));
            }
            let stalled;
            (held, stalled) = self.write_before_reading(held);
            self.settle(&mut held);
            if held.is_over() {
                let failed = held.driver.take_failure();
                return (held, failed.map(|()| None));
            }
            if held.driver.handle_timeout() || held.driver.events_ahead() > 0 {
                continue;
            }
            if held.driver.has_ended() {
                // There is nothing to wait for but room to write, for which the attempt to write has waited.
                match stalled {
                    Some(Written::Refused(error)) => return (held, Err(Error::Io(error))),
                    Some(_) => {
                        let deadline = held.driver.deadline();
                        held.driver.waited_until(deadline);
                    }
                    None => held = self.wait(held),
                }
                continue;
            }
            let Some(reader) = held.reader.take() else {
                // A sender has it, and keeps for this thread what comes.
                let until = silence.until();
                if has_passed(until) {
                    let error = io::ErrorKind::TimedOut.into();
                    return (held, Err(Error::Io(error)));
                }
                held = self.wait_at_most(held, until);
                continue;
            };
            let retry = stalled.map(|stalled| now() + stalled.retry());
            let read;
            (held, read) = self.read(held, reader, retry, &mut silence);
            if let Err(error) = read {
                return (held, Err(Error::Io(error)));
            }
        }
    }

    /// Writes what is owed before a read that may wait for long, for a moment if the peer takes it now and then. Gives what
    /// kept it from that, unless another thread sees to it.
    fn write_before_reading<'a>(&'a self, mut held: Guard<'a>) -> (Guard<'a>, Option<Written>) {
        let mut until = None;
        loop {
            let patience = match held.driver.has_ended() {
                // There is nothing to read meanwhile.
                true => LOOK_AROUND,
                false => WRITE_PATIENCE,
            };
            let written;
            (held, written) = self.write(held, Patience::Brief(patience));
            let moment = || now() + WRITE_PATIENCE;
            match written {
                // Mostly one write takes everything, and nobody need look at the clock.
                Written::Some if held.driver.job() != Some(Job::Write) => {}
                Written::Some if !has_passed(Some(*until.get_or_insert_with(moment))) => {}
                Written::All => return (held, None),
                Written::Elsewhere if held.may_rely() => return (held, None),
                stalled => return (held, Some(stalled)),
            }
        }
    }
}

/// The first of these events that is of a message.
fn chunk(
    mut next_event: impl FnMut() -> Result<Option<Event>, Error>,
) -> Result<Option<Chunk>, Error> {
    loop {
        match next_event()? {
            Some(Event::Chunk(chunk)) => return Ok(Some(chunk)),
            Some(Event::Message(message)) => return Ok(Some(message.into())),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}
