//! The handlers, and which of them a request leads to.

use std::error::Error;
use std::fmt;

use ws_handshake::server::{HttpResponse, Rejection, Request, Routes};

use super::session::Session;
use super::shared::Plan;
use crate::Acceptor;

/// How a handler ends. After `Ok` the server closes the connection with 1000 if it is still open, after an error with
/// 1011. Errors of the connection itself come along with `?`.
pub type HandlerResult = Result<(), Box<dyn Error + Send + Sync>>;

/// What becomes of one connection.
pub(super) type Handler = Box<dyn Fn(Session) -> HandlerResult + Send + Sync>;

/// What is at a path.
pub(super) struct Route {
    /// How its connections are accepted; as the server's own acceptor says, if there is none.
    pub(super) acceptor: Option<Acceptor>,
    pub(super) handler: Handler,
}

impl Route {
    pub(super) fn new(
        acceptor: Option<Acceptor>,
        handler: impl Fn(Session) -> HandlerResult + Send + Sync + 'static,
    ) -> Self {
        Self {
            acceptor,
            handler: Box::new(handler),
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("acceptor", &self.acceptor)
            .finish_non_exhaustive()
    }
}

/// Where a request leads.
pub(super) enum Lead<'a> {
    Page(HttpResponse),
    Socket(&'a Route),
    Nowhere(Rejection),
}

impl Plan {
    /// A plain request leads to a page if there is one. Without the page it leads where a handshake would, whose
    /// acceptor then says 426.
    pub(super) fn lead(&self, request: &Request) -> Lead<'_> {
        let is_handshake = request.wants_websocket();
        if !is_handshake
            && let Some(http) = &self.http
            && let Some(page) = http(request)
        {
            return Lead::Page(page);
        }
        let Some(route) = self.routes.find(request) else {
            return Lead::Nowhere(Routes::<Route>::not_found(request));
        };
        if is_handshake
            && let Some(authorize) = &self.authorize
            && let Err(rejection) = authorize(request)
        {
            return Lead::Nowhere(rejection);
        }
        Lead::Socket(route)
    }
}
