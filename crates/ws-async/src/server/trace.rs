//! What the feature `tracing` tells of a server. Without it each function here is empty, and nothing is left of a call.
//!
//! No event holds a payload unless [`ServerBuilder::with_logged_payloads`](crate::ServerBuilder) has asked for that, and
//! text that a peer wrote is escaped and cut.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_handshake::server::{Rejection, Request};
use ws_proto::serving::{Drain, Drained};
use ws_proto::{CloseInfo, Message, MessageRef, Stats};

use crate::{AcceptError, WebSocket};

/// Declares functions that tell what they tell with the feature, and do nothing without.
macro_rules! events {
    ($($(#[$meta:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) $told:block)*) => {$(
        $(#[$meta])*
        #[inline]
        pub(super) fn $name($($argument: $type),*) {
            #[cfg(feature = "tracing")]
            $told
            #[cfg(not(feature = "tracing"))]
            {
                $(_ = $argument;)*
            }
        }
    )*};
}

events! {
    /// A connection ended with a page.
    fn answered(status: u16) {
        tracing::debug!(status, "answered");
    }

    /// A connection ended with a refusal.
    fn refused(rejection: &Rejection) {
        tracing::debug!(status = rejection.status(), reason = rejection.reason(), "refused");
    }

    /// A connection ended before its opening handshake did.
    fn not_accepted(error: &AcceptError) {
        tracing::debug!(%error, "the opening handshake came to nothing");
    }

    /// A connection above the limit was closed without a word.
    fn dropped(peer_addr: Option<SocketAddr>) {
        tracing::debug!(peer = peer_addr.map(tracing::field::display), "closed without a word");
    }

    /// An opening handshake was accepted.
    fn accepted(subprotocol: Option<&str>) {
        tracing::debug!(subprotocol, "accepted");
    }

    /// A handler ended with an error: of its own, or of the connection, which is no news to the operator.
    fn handler_failed(error: &(dyn Error + Send + Sync + 'static)) {
        if error.is::<crate::Error>() {
            tracing::debug!(%error, "the connection failed");
        } else {
            tracing::warn!(%error, "the handler failed");
        }
    }

    /// A handler panicked.
    fn handler_panicked() {
        tracing::error!("the handler panicked");
    }

    /// What answers plain requests or decides who may connect panicked.
    fn callback_panicked() {
        tracing::error!("a callback panicked");
    }

    /// A task of the server panicked elsewhere.
    fn task_panicked() {
        tracing::error!("a task of the server panicked");
    }

    /// A WebSocket connection is over.
    fn closed(info: Option<&CloseInfo>, stats: &Stats) {
        tracing::debug!(
            code = info.map_or(1006, |info| info.code().get()),
            // The peer's words.
            reason = info.map(|info| tracing::field::debug(info.reason())),
            by = info.map(|info| tracing::field::debug(info.initiator)),
            clean = info.is_some_and(|info| info.clean),
            failure = info.and_then(|info| info.failure).map(tracing::field::display),
            bytes_received = stats.received.bytes,
            bytes_sent = stats.sent.bytes,
            "closed",
        );
    }

    /// Accepting a connection failed: because of that connection, or for a reason that is waited out.
    fn accept_failed(error: &io::Error, about_one: bool) {
        if about_one {
            tracing::debug!(%error, "a connection was gone before it was accepted");
        } else {
            tracing::warn!(%error, "accepting failed");
        }
    }

    /// The server begins to end.
    fn draining(wanted: &Drain, open: usize) {
        tracing::info!(code = wanted.code().get(), open, deadline = ?wanted.deadline(), "draining");
    }

    /// The server has ended.
    fn drained(how: Drained) {
        let Drained { closed, lost, aborted, left, .. } = how;
        tracing::info!(closed, lost, aborted, left, "drained");
    }
}

/// The span of a connection.
#[derive(Clone, Debug)]
pub(super) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Span {
    pub(super) fn new(id: u64, peer_addr: Option<SocketAddr>) -> Self {
        #[cfg(not(feature = "tracing"))]
        {
            _ = (id, peer_addr);
        }
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::info_span!(
                "connection",
                id,
                peer = peer_addr.map(tracing::field::display),
                path = tracing::field::Empty,
            ),
        }
    }

    /// The request that the connection begins with has been read: its path is told with everything that follows.
    #[inline]
    pub(super) fn asked(&self, request: &Request) {
        #[cfg(feature = "tracing")]
        {
            /// More of a path need nobody see.
            const MAX_PATH: usize = 256;
            let path = request.path();
            let path = path.get(..MAX_PATH).unwrap_or(path);
            self.span.record("path", path);
        }
        #[cfg(not(feature = "tracing"))]
        {
            _ = request;
        }
    }

    /// Tells of each frame from now on, if anybody listens now.
    #[inline]
    pub(super) fn watch<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        ws: &mut WebSocket<S>,
    ) {
        #[cfg(feature = "tracing")]
        if tracing::enabled!(tracing::Level::TRACE) {
            // Frames are sent from wherever a handler has taken its halves.
            let span = self.span.clone();
            ws.set_tap(move |frame, _| {
                let header = &frame.header;
                tracing::trace!(
                    parent: &span,
                    direction = ?frame.direction,
                    opcode = ?header.opcode,
                    fin = header.fin,
                    length = header.payload_len,
                    "frame",
                );
            });
        }
        #[cfg(not(feature = "tracing"))]
        {
            _ = ws;
        }
    }

    /// Whatever `future` tells, it tells in this span.
    #[cfg(feature = "tracing")]
    pub(super) fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> + use<F> {
        tracing::Instrument::instrument(future, self.span)
    }

    #[cfg(not(feature = "tracing"))]
    pub(super) fn around<F: Future>(self, future: F) -> F {
        future
    }
}

/// How much of each payload is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Payloads {
    #[cfg(feature = "tracing")]
    max: usize,
}

impl Payloads {
    #[cfg(feature = "tracing")]
    pub(super) const fn up_to(max: usize) -> Self {
        Self { max }
    }

    /// Tells of a message that a handler receives.
    #[inline]
    pub(super) fn received(self, message: &Message) {
        self.tell("received", message.into());
    }

    /// Keeps what there will be to tell of a message that a handler sends, once it has been sent.
    #[inline]
    pub(super) fn sending(self, message: &Message) -> Sending {
        #[cfg(not(feature = "tracing"))]
        {
            _ = message;
        }
        Sending {
            #[cfg(feature = "tracing")]
            to_tell: self.are_wanted().then(|| (self, message.clone())),
        }
    }

    /// Tells of a message that a handler has sent and still has.
    #[inline]
    pub(super) fn sent(self, message: MessageRef<'_>) {
        self.tell("sent", message);
    }

    #[cfg(feature = "tracing")]
    fn are_wanted(self) -> bool {
        self.max > 0 && tracing::enabled!(tracing::Level::TRACE)
    }

    #[inline]
    fn tell(self, direction: &str, message: MessageRef<'_>) {
        #[cfg(feature = "tracing")]
        if self.are_wanted() {
            let bytes = message.as_bytes();
            let seen = bytes.get(..self.max).unwrap_or(bytes);
            let length = bytes.len();
            if message.is_text() {
                let text = String::from_utf8_lossy(seen);
                tracing::trace!(direction, length, ?text, "message");
            } else {
                let binary = seen.escape_ascii();
                tracing::trace!(direction, length, %binary, "message");
            }
        }
        #[cfg(not(feature = "tracing"))]
        {
            _ = (direction, message);
        }
    }
}

/// A message that a handler is sending. If that fails, there is nothing to tell.
#[must_use]
pub(super) struct Sending {
    #[cfg(feature = "tracing")]
    to_tell: Option<(Payloads, Message)>,
}

impl Sending {
    /// The message has been sent, or was taken to be.
    #[inline]
    pub(super) fn done(self) {
        #[cfg(feature = "tracing")]
        if let Some((payloads, message)) = self.to_tell {
            payloads.sent((&message).into());
        }
    }
}
