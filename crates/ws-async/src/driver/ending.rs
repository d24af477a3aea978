//! How a connection ends, and who is told why.

use std::io;

use ws_proto::{CloseCode, CloseInfo, ProtocolError, SendError, State};

use super::Driver;
use crate::Error;

/// Why a connection is over in one of whose tasks the stream or a tap has panicked.
const PANICKED: &str = "a task that was at work on the connection panicked";

/// What ended a connection, to be told more than once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    Io(io::ErrorKind),
    Protocol(ProtocolError),
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Io(kind) => Self::Io(kind.into()),
            Cause::Protocol(error) => Self::Protocol(error),
        }
    }
}

impl<S> Driver<S> {
    /// Begins the closing handshake, or finds it begun.
    pub(crate) fn begin_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.rests = false;
        self.is_fed = false;
        match self.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => Ok(()),
            Err(error) => Err(Error::Send(error)),
        }
    }

    /// Why what was queued will never arrive, if so.
    #[inline]
    pub(super) fn lost(&self) -> Option<Error> {
        let is_well = self.unwritable.is_none()
            && self.cause.is_none()
            && self.connection.state() == State::Open;
        match is_well {
            true => None,
            false => self.lost_by(),
        }
    }

    #[cold]
    fn lost_by(&self) -> Option<Error> {
        match (self.unwritable, self.cause) {
            (Some(kind), _) => Some(Error::Io(kind.into())),
            // The Close frame that says so goes out behind what was queued before it.
            (None, Some(Cause::Protocol(error)))
                if error.close_code().is_some() && !self.gave_up_writing() =>
            {
                None
            }
            (None, Some(cause)) => Some(cause.into()),
            (None, None) => self
                .gave_up_writing()
                .then_some(Error::Protocol(ProtocolError::CloseTimeout)),
        }
    }

    /// Whether the connection ended before our Close frame was written, and so perhaps what was queued before it.
    fn gave_up_writing(&self) -> bool {
        self.connection.state() == State::Closed
            && self
                .connection
                .close_info()
                .is_some_and(|info| info.sent.is_none())
    }

    /// How a connection that is over has ended.
    pub(crate) fn outcome(&self) -> Result<CloseInfo, Error> {
        match (self.cause, self.unwritable, self.connection.close_info()) {
            (Some(cause), ..) => Err(cause.into()),
            (None, Some(kind), Some(info)) if !info.clean => Err(Error::Io(kind.into())),
            (None, None, Some(_)) if self.gave_up_writing() => {
                Err(Error::Protocol(ProtocolError::CloseTimeout))
            }
            (None, _, Some(info)) => Ok(info),
            (None, _, None) => Err(Error::Protocol(ProtocolError::ConnectionLost)),
        }
    }

    /// Ends the connection at once.
    pub(crate) fn abort(&mut self) {
        self.connection.abort();
        self.unwritable
            .get_or_insert(io::ErrorKind::ConnectionAborted);
    }

    /// Ends the connection because a task has panicked that was at work on it.
    pub(crate) fn fail_by_panic(&mut self) {
        let kind = io::ErrorKind::Other;
        self.lose();
        self.unwritable.get_or_insert(kind);
        self.unflushed = false;
        self.is_deferred = false;
        if self.cause.is_none() {
            self.cause = Some(Cause::Io(kind));
            self.transport_error = Some(io::Error::other(PANICKED));
            self.unreported = true;
        }
        self.abort();
    }

    /// Nothing more will be written. If whoever has sent has gone on, somebody is to be told.
    #[cold]
    pub(super) fn lose(&mut self) {
        self.is_untold |= self.is_owing();
    }

    /// Why nothing can be sent any more, if that was found out while nobody was there to be told.
    pub(crate) fn untold(&mut self) -> Option<Error> {
        match self.is_untold {
            true => self.tell_lost(),
            false => None,
        }
    }

    /// Why what was queued will never arrive, if so, to be told to somebody.
    #[cold]
    pub(super) fn tell_lost(&mut self) -> Option<Error> {
        let lost = self.lost()?;
        // Nobody need hear of it twice.
        self.is_untold = false;
        Some(lost)
    }

    /// What to tell who was refused.
    #[cold]
    pub(super) fn refused(&mut self, error: SendError) -> Box<Error> {
        Box::new(self.untold().unwrap_or(error.into()))
    }

    /// An error of the transport says more than the loss of the connection that follows from it.
    pub(super) fn blame(&self, error: ProtocolError) -> Cause {
        // A Close that could not be written is none that the peer failed to answer.
        let closing = self
            .connection
            .close_info()
            .is_some_and(|info| info.sent.is_some());
        match (error, &self.transport_error) {
            (ProtocolError::ConnectionLost, Some(transport)) => Cause::Io(transport.kind()),
            (ProtocolError::CloseTimeout, Some(transport)) if !closing => {
                Cause::Io(transport.kind())
            }
            (error, _) => Cause::Protocol(error),
        }
    }

    /// Why the connection failed, once, in the transport's own words where they are the cause.
    pub(super) fn report(&mut self) -> Option<Error> {
        if !std::mem::take(&mut self.unreported) {
            return None;
        }
        let transport_error = self.transport_error.take();
        match (self.cause?, transport_error) {
            (Cause::Io(_), Some(error)) => Some(Error::Io(error)),
            (cause, _) => Some(cause.into()),
        }
    }
}
