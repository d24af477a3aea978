//! What is put off, up to where it is owed and to whom its loss is told, and whose turn it is to send.

use std::time::Instant;

use bytes::Bytes;
use ws_proto::{Compress, FlushMark, MessageKind, SendError, State};

use super::{Driver, Turn, is_data};
use crate::Error;
use crate::sync::now;
use crate::timed::has_passed;

/// What is owed at the end, when all who send have gone. What is queued later, Pongs above all, is owed to nobody: who
/// goes on asking for it is not to keep the connection.
#[derive(Debug)]
pub(crate) struct Last {
    mark: FlushMark,
    /// When it is given up.
    until: Option<Instant>,
}

impl Driver {
    /// Whether what has just been sent may wait for what is sent next: as long as a frame that has arrived whole is yet
    /// to be looked at, and less than one write takes is queued. Without a deadline nobody could be left to write it.
    pub(crate) fn may_defer(&self) -> bool {
        (self.connection.has_frame_waiting() || self.ahead.iter().any(is_data))
            && !self.deaf
            && self.connection.write_timeout().is_some()
            && !self.connection.wants_flush()
    }

    /// Leaves what has been sent to the next call, or to somebody else if there is none soon.
    pub(crate) fn defer(&mut self) {
        if !self.is_owing() {
            self.is_deferred = true;
            self.is_seen = false;
        }
    }

    /// Whether something was put off and is not written yet.
    pub(crate) fn is_owing(&mut self) -> bool {
        self.is_deferred = self.is_deferred
            && !self.is_flushed()
            && self.unwritable.is_none()
            && !self.connection.is_finished()
            && !self.has_written_last();
        self.is_deferred
    }

    /// Whether something was put off, and was not written when that was last [asked](Self::is_owing).
    pub(crate) const fn has_deferred(&self) -> bool {
        self.is_deferred
    }

    /// Nobody will take what arrives, nor send any more.
    pub(crate) fn abandon(&mut self) {
        self.stop_listening();
        self.last = Some(self.last_owed());
    }

    fn has_written_last(&mut self) -> bool {
        let Some(mut last) = self.last.take() else {
            return false;
        };
        let has_written = self.has_written(&mut last);
        self.last = Some(last);
        has_written
    }

    /// What is owed if nobody sends any more.
    pub(crate) fn last_owed(&self) -> Last {
        let timeout = self.connection.write_timeout();
        Last {
            mark: self.connection.flush_mark(),
            until: timeout.and_then(|timeout| now().checked_add(timeout)),
        }
    }

    /// Whether that was written, or is given up.
    pub(crate) fn has_written(&self, last: &mut Last) -> bool {
        has_passed(last.until) || !self.unflushed && self.connection.is_written(&mut last.mark)
    }

    /// Whether nobody else has seen yet what was put off, before now.
    pub(crate) const fn is_unseen(&mut self) -> bool {
        !std::mem::replace(&mut self.is_seen, true)
    }

    /// Nothing more will be written. If something was put off, its sender has gone on, and somebody is to be told.
    pub(super) fn lose(&mut self) {
        self.is_untold |= self.is_deferred;
    }

    /// The same for what others than its sender have tried to write.
    pub(crate) fn lose_for_others(&mut self) {
        self.is_untold = true;
    }

    /// Why nothing can be sent any more, if that was found out while nobody was there to be told.
    pub(crate) fn untold(&mut self) -> Option<Error> {
        match self.is_untold {
            true => self.tell_lost(),
            false => None,
        }
    }

    /// What to tell who was refused.
    pub(crate) fn refused(&mut self, error: SendError) -> Error {
        self.untold().unwrap_or(error.into())
    }

    /// Why what was queued will never arrive, if so, to be told to somebody.
    pub(crate) fn tell_lost(&mut self) -> Option<Error> {
        let lost = self.lost();
        // Nobody need hear of it twice.
        self.is_untold &= lost.is_none();
        lost
    }

    /// Whether a message is being sent in fragments, and others have to wait for its end.
    pub(crate) fn turn_is_taken(&self) -> bool {
        self.turn == Turn::Taken && self.connection.state() == State::Open
    }

    /// Whether a message in fragments was left unfinished, so that no other can follow it.
    pub(crate) fn turn_is_forfeited(&self) -> bool {
        self.turn == Turn::Forfeited
    }

    /// Takes the turn to send a message in fragments, when nobody has it.
    pub(crate) fn take_turn(&mut self) -> Result<(), SendError> {
        match (self.connection.state(), self.turn) {
            (State::Open, Turn::Forfeited) => Err(SendError::MessageUnfinished),
            (State::Open, _) => {
                self.turn = Turn::Taken;
                Ok(())
            }
            _ => Err(SendError::Closed),
        }
    }

    /// Queues a fragment of the message whose turn it is.
    pub(crate) fn send_fragment(
        &mut self,
        kind: MessageKind,
        fragment: Bytes,
        fin: bool,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.connection
            .send_fragment_with(kind, fragment, fin, compress)?;
        self.fragments = self.fragments.wrapping_add(1);
        Ok(())
    }

    /// How often a message in fragments has gone on.
    pub(crate) const fn fragments(&self) -> u32 {
        self.fragments
    }

    /// Whether all else waits for the next fragment of a message that has not gone on since there were this many.
    pub(crate) fn is_held_up_since(&self, fragments: u32) -> bool {
        self.turn_is_taken() && self.fragments == fragments && self.connection.is_flushed()
    }

    /// Gives the turn back; `whole` is whether no message is left unfinished.
    pub(crate) fn end_turn(&mut self, whole: bool) {
        self.turn = match whole {
            true => Turn::Free,
            false => Turn::Forfeited,
        };
    }
}
