//! One connection of a server, from its first byte to its last.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ws_handshake::server::{Rejection, Request};
use ws_proto::CloseCode;
use ws_proto::serving::{Opened, Registry};

use super::routes::{Lead, Route};
use super::session::Session;
use super::shared::Shared;
use super::trace::{self, Span};
use crate::{AcceptError, Acceptor, CloneStream, Config, Incoming, Sender, Stream};

/// How long a client that there is no place for may take to say what it wants and to read that.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// When a client that was told 503 may try again, in seconds.
const RETRY_AFTER: u32 = 10;

/// A connection's entry in the books, which ends with this, however the connection ends.
pub(super) struct Place {
    shared: Arc<Shared>,
    id: u64,
    peer_addr: Option<SocketAddr>,
    span: Span,
    /// How far the connection has come.
    step: Step,
}

enum Step {
    Opening,
    Open(Sender),
    Gone,
}

impl Place {
    pub(super) fn new(shared: Arc<Shared>, id: u64, peer_addr: Option<SocketAddr>) -> Self {
        Self {
            shared,
            id,
            peer_addr,
            span: Span::new(id, peer_addr),
            step: Step::Opening,
        }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Notes that the request has been read, and tells whether it can still be granted.
    fn asked(&self) -> bool {
        let mut books = self.shared.books();
        if let Some(opening) = books.opening.get_mut(&self.id) {
            opening.asked = true;
        }
        !books.registry.is_draining()
    }

    fn open(&mut self, request: &Request, sender: &Sender) -> Opened {
        self.step = Step::Open(sender.clone());
        let mut books = self.shared.books();
        books.opening.remove(&self.id);
        books.registry.open(self.id, request.path(), sender.clone())
    }

    fn answered(&mut self, status: u16) {
        trace::answered(status);
        self.leave(Registry::answered);
    }

    /// A refusal without a status is none: nobody was there to hear it.
    fn refused(&mut self, rejection: &Rejection) {
        if let Some(status) = rejection.status() {
            trace::refused(rejection);
            self.leave(|registry, id| registry.refused(id, status));
        }
    }

    fn not_accepted(&mut self, error: &AcceptError) {
        match error {
            AcceptError::Rejected(rejection) => self.refused(rejection),
            AcceptError::Response(_) => self.refused(&Rejection::internal_error()),
            AcceptError::Io(_) | AcceptError::TimedOut => trace::not_accepted(error),
        }
    }

    /// Ends the entry with a word about how.
    fn leave(&mut self, note: impl FnOnce(&mut Registry<Sender>, u64)) {
        self.step = Step::Gone;
        let id = self.id;
        self.shared.change(|books| {
            books.opening.remove(&id);
            note(&mut books.registry, id);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.step, Step::Gone) {
            Step::Opening => self.leave(Registry::failed),
            Step::Open(sender) => {
                let (info, stats) = (sender.close_info(), sender.stats());
                trace::closed(info.as_ref(), &stats);
                self.leave(|registry, id| registry.closed(id, info.as_ref(), &stats));
            }
            Step::Gone => {}
        }
    }
}

/// Serves a connection until it ends.
pub(super) fn serve<S: CloneStream + Send + 'static>(stream: S, mut place: Place) {
    let shared = Arc::clone(&place.shared);
    let Some((sender, session, route)) = open(stream, &shared, &mut place) else {
        return;
    };
    let code = match guard(|| (route.handler)(session)) {
        Ok(Ok(())) => CloseCode::NORMAL,
        Ok(Err(error)) => {
            trace::handler_failed(&*error);
            shared.books().registry.handler_failed();
            CloseCode::INTERNAL_ERROR
        }
        Err(_panic) => {
            trace::handler_panicked();
            shared.books().registry.handler_panicked();
            CloseCode::INTERNAL_ERROR
        }
    };
    // How it went is what the books get, whether it was this that closed the connection or something before.
    _ = sender.close(code, "");
}

/// Answers 503 to a connection that there is no place for.
pub(super) fn turn_away<S: Stream>(stream: S, mut place: Place) {
    let config = Config::default().with_handshake_timeout(Some(TURN_AWAY_TIMEOUT));
    let acceptor = Acceptor::new().with_config(config);
    match acceptor.read_request(stream) {
        Ok(incoming) => reject(incoming, &unavailable(), &mut place),
        Err(error) => place.not_accepted(&error),
    }
}

/// Carries out the opening handshake; `None` when it came to something else.
fn open<'a, S: CloneStream + Send + 'static>(
    stream: S,
    shared: &'a Shared,
    place: &mut Place,
) -> Option<(Sender, Session, &'a Route)> {
    let incoming = match shared.plan.acceptor.read_request(stream) {
        Ok(incoming) => incoming,
        Err(error) => {
            place.not_accepted(&error);
            return None;
        }
    };
    if !place.asked() {
        reject(incoming, &unavailable(), place);
        return None;
    }
    let request = incoming.request().clone();
    place.span.asked(&request);
    let route = match guard(|| shared.plan.lead(&request)) {
        Ok(Lead::Socket(route)) => route,
        Ok(Lead::Page(page)) => {
            let mut response = Vec::new();
            page.encode(&request, &mut response);
            if incoming.respond(&response).is_ok() {
                place.answered(page.status());
            }
            return None;
        }
        Ok(Lead::Nowhere(rejection)) => {
            reject(incoming, &rejection, place);
            return None;
        }
        Err(_panic) => {
            trace::callback_panicked();
            shared.books().registry.handler_panicked();
            reject(incoming, &Rejection::internal_error(), place);
            return None;
        }
    };
    let acceptor = route.acceptor.as_ref().unwrap_or(&shared.plan.acceptor);
    let mut ws = match incoming.accept(acceptor) {
        Ok(ws) => ws,
        Err(error) => {
            place.not_accepted(&error);
            return None;
        }
    };
    trace::accepted(ws.subprotocol());
    place.span.watch(&mut ws);
    // It fails where there is no file descriptor left, and the client sees a connection lost.
    let (sender, receiver) = ws.split().ok()?;
    if place.open(&request, &sender) == Opened::Late {
        drop(receiver);
        let drain = shared.wanted();
        _ = sender.close(drain.code(), drain.reason());
        return None;
    }
    let halves = (sender.clone(), receiver);
    let session = Session::new(
        halves,
        request,
        place.peer_addr,
        place.id,
        shared.plan.payloads,
    );
    Some((sender, session, route))
}

fn reject<S: Stream>(incoming: Incoming<S>, rejection: &Rejection, place: &mut Place) {
    if incoming.reject(rejection).is_ok() {
        place.refused(rejection);
    }
}

fn unavailable() -> Rejection {
    Rejection::service_unavailable(Some(RETRY_AFTER))
}

/// What a panic carries. It has been printed by then.
type Panic = Box<dyn Any + Send>;

/// Calls what the application wrote, whose panic is to end one connection and not to go unanswered. What the panic
/// leaves half done is the application's own, as it is where a thread panics.
fn guard<R>(call: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(call))
}
