//! One connection of a server, from its first byte to its last.

use std::any::Any;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_handshake::server::{Rejection, Request};
use ws_proto::CloseCode;
use ws_proto::serving::{Opened, Registry};

use super::race::{First, first};
use super::routes::{HandlerResult, Handling, Lead};
use super::session::Session;
use super::shared::Shared;
use super::trace::{self, Span};
use crate::{AcceptError, Acceptor, Config, Incoming, Sender};

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

    fn open(&mut self, request: &Request, sender: &Sender) -> Opened {
        self.step = Step::Open(sender.clone());
        let mut registry = self.shared.registry();
        registry.open(self.id, request.path(), sender.clone())
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
        note(&mut self.shared.registry(), self.id);
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
pub(super) async fn serve<S>(stream: S, mut place: Place)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Boxed: a connection would otherwise keep room for its first moment all its life.
    let Some((sender, handling)) = Box::pin(open(stream, &mut place)).await else {
        return;
    };
    let handled = match handling {
        Ok(handling) => catch(handling).await,
        Err(panic) => Err(panic),
    };
    let code = match handled {
        Ok(Ok(())) => CloseCode::NORMAL,
        Ok(Err(error)) => {
            trace::handler_failed(&*error);
            place.shared.registry().handler_failed();
            CloseCode::INTERNAL_ERROR
        }
        Err(_panic) => {
            trace::handler_panicked();
            place.shared.registry().handler_panicked();
            CloseCode::INTERNAL_ERROR
        }
    };
    // How it went is what the books get, whether it was this that closed the connection or something before.
    _ = sender.close(code, "").await;
}

/// Answers 503 to a connection that there is no place for.
pub(super) async fn turn_away<S>(stream: S, mut place: Place)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = Config::default().with_handshake_timeout(Some(TURN_AWAY_TIMEOUT));
    let acceptor = Acceptor::new().with_config(config);
    match acceptor.read_request(stream).await {
        Ok(incoming) => reject(incoming, &unavailable(), &mut place).await,
        Err(error) => place.not_accepted(&error),
    }
}

/// Carries out the opening handshake and begins to handle the connection; `None` when it came to something else.
async fn open<S>(stream: S, place: &mut Place) -> Option<(Sender, Result<Handling, Panic>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Arc::clone(&place.shared);
    let read = {
        // Pinned here: handed over by value, the two would take their room twice.
        let reading = pin!(shared.plan.acceptor.read_request(stream));
        first(reading, pin!(shared.last_requests())).await
    };
    let incoming = match read {
        First::One(Ok(incoming)) => incoming,
        First::One(Err(error)) => {
            place.not_accepted(&error);
            return None;
        }
        First::Other(()) => return None,
    };
    if shared.registry().is_draining() {
        reject(incoming, &unavailable(), place).await;
        return None;
    }
    let request = incoming.request().clone();
    place.span.asked(&request);
    let route = match guard(|| shared.plan.lead(&request)) {
        Ok(Lead::Socket(route)) => route,
        Ok(Lead::Page(page)) => {
            let mut response = Vec::new();
            page.encode(&request, &mut response);
            if Box::pin(incoming.respond(&response)).await.is_ok() {
                place.answered(page.status());
            }
            return None;
        }
        Ok(Lead::Nowhere(rejection)) => {
            reject(incoming, &rejection, place).await;
            return None;
        }
        Err(_panic) => {
            trace::callback_panicked();
            shared.registry().handler_panicked();
            reject(incoming, &Rejection::internal_error(), place).await;
            return None;
        }
    };
    let acceptor = route.acceptor.as_ref().unwrap_or(&shared.plan.acceptor);
    let mut ws = match incoming.accept(acceptor).await {
        Ok(ws) => ws,
        Err(error) => {
            place.not_accepted(&error);
            return None;
        }
    };
    trace::accepted(ws.subprotocol());
    place.span.watch(&mut ws);
    let (sender, receiver) = ws.split();
    if place.open(&request, &sender) == Opened::Late {
        drop(receiver);
        let drain = shared.draining().await;
        _ = sender.close(drain.code(), drain.reason()).await;
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
    Some((sender, guard(|| (route.handler)(session))))
}

async fn reject<S>(incoming: Incoming<S>, rejection: &Rejection, place: &mut Place)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Boxed, as a page is: hardly any connection needs the room.
    if Box::pin(incoming.reject(rejection)).await.is_ok() {
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

/// The same for what it does in time.
async fn catch(mut handling: Handling) -> Result<HandlerResult, Panic> {
    poll_fn(|cx| match guard(|| handling.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}
