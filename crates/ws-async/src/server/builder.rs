//! How a server is to be: [`ServerBuilder`].

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::ToSocketAddrs;
use ws_handshake::server::{HttpResponse, Rejection, Request, RouteError, Routes};

use super::listener::{Listener, SocketOptions};
use super::routes::{HandlerResult, Route};
use super::session::Session;
use super::shared::{Plan, Shared};
use super::trace::Payloads;
use super::{Running, Server};
use crate::Acceptor;

/// Connections that a server serves at once, unless told otherwise: it fits the usual limit of 1,024 open files.
const MAX_CONNECTIONS: usize = 1_000;

/// Connections that the system keeps while the server is busy. A page that reloads on many screens at once is a burst,
/// and with the usual 128 the rest of it waits for a second and tries again.
const BACKLOG: u32 = 1_024;

/// How a [`Server`] is to be: what is at which path, for how many, and on which socket.
pub struct ServerBuilder {
    plan: Plan,
    max_connections: usize,
    nodelay: bool,
    socket: SocketOptions,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            plan: Plan {
                acceptor: Acceptor::new(),
                routes: Routes::new(),
                http: None,
                authorize: None,
                payloads: Payloads::default(),
            },
            max_connections: MAX_CONNECTIONS,
            nodelay: true,
            socket: SocketOptions {
                backlog: BACKLOG,
                reuse_port: false,
            },
        }
    }

    /// Sets how connections are accepted where [`route_with`](Self::route_with) says nothing else: origins,
    /// subprotocols, and limits and deadlines of the connection. Its limits on the request, and the deadline of the
    /// opening handshake, hold for every path, for a request says its path only when it has been read. Default
    /// [`Acceptor::new`].
    #[must_use]
    pub fn with_acceptor(mut self, acceptor: Acceptor) -> Self {
        self.plan.acceptor = acceptor;
        self
    }

    /// Sets how many connections have a place at once, those in their opening handshake and those that load a page
    /// included. Further ones are answered with 503 and Retry-After, up to 64 of these at a time, and beyond that closed
    /// without a word. Each place takes a file descriptor. Default 1,000.
    #[must_use]
    pub fn with_max_connections(mut self, max_connections: usize) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// Sets how many connections the operating system keeps while the server is busy; it may have a limit of its own
    /// (`net.core.somaxconn` on Linux). Default 1,024.
    #[must_use]
    pub fn with_backlog(mut self, backlog: u32) -> Self {
        self.socket.backlog = backlog;
        self
    }

    /// Sets `SO_REUSEPORT`: several servers of the same user listen on one port, and the system spreads connections over
    /// them. Default off; [`bind`](Self::bind) fails where the system has no such thing.
    #[must_use]
    pub fn with_reuse_port(mut self, reuse_port: bool) -> Self {
        self.socket.reuse_port = reuse_port;
        self
    }

    /// Sets `TCP_NODELAY` on each TCP connection: without it two small messages in a row wait for an acknowledgement.
    /// Default on.
    #[must_use]
    pub fn with_nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// Gives the connections that ask for `path` to `handler`, each in a task of its own.
    ///
    /// The path is compared as it stands in the request, byte by byte and without the query. The connection ends with
    /// the handler: if it is still open then, the server closes it, with 1000 after `Ok` and with 1011 after an error or
    /// a panic, which ends no other connection.
    ///
    /// # Panics
    ///
    /// If there is something at the path already, or no request can ask for it ([`RouteError`]).
    #[must_use]
    pub fn route<H, F>(self, path: &str, handler: H) -> Self
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        self.insert(path, Route::new(None, handler))
    }

    /// As [`route`](Self::route), for connections that are accepted in a way of their own.
    ///
    /// # Panics
    ///
    /// As [`route`](Self::route).
    #[must_use]
    pub fn route_with<H, F>(self, path: &str, acceptor: Acceptor, handler: H) -> Self
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        self.insert(path, Route::new(Some(acceptor), handler))
    }

    /// Gives the connections that ask for any other path to `handler`. Without this they get 404.
    #[must_use]
    pub fn fallback<H, F>(mut self, handler: H) -> Self
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        self.plan.routes.set_fallback(Route::new(None, handler));
        self
    }

    /// Asks `check` about each opening handshake that has a handler, before it is accepted: the place for cookies, tokens
    /// and all that decides who may connect (RFC 6455 §10.5), with 401 or 403 for who may not. What the acceptor checks,
    /// the origin above all, comes on top. It may be called from several threads at once, and should not block.
    /// If it panics, the answer is 500.
    #[must_use]
    pub fn authorize(
        mut self,
        check: impl Fn(&Request) -> Result<(), Rejection> + Send + Sync + 'static,
    ) -> Self {
        self.plan.authorize = Some(Box::new(check));
        self
    }

    /// Answers requests that do not ask for WebSocket, on the same port. Where `pages` has nothing, a path that has a
    /// handler answers 426 and any other 404. It may be called from several threads at once, and should not block.
    /// If it panics, the answer is 500.
    ///
    /// Requests with a body are refused before they come here, and every response closes its connection: this is for a
    /// page and its scripts, for health checks and the like.
    #[must_use]
    pub fn http(
        mut self,
        pages: impl Fn(&Request) -> Option<HttpResponse> + Send + Sync + 'static,
    ) -> Self {
        self.plan.http = Some(Box::new(pages));
        self
    }

    /// Tells, with the feature `tracing` and at the level `trace`, the first `max_bytes` bytes of each message that a
    /// handler receives or sends by the methods of its [`Session`]. Without this no event ever holds a payload.
    ///
    /// Messages may hold what nobody should find in a log. What the halves of a session do is not told.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn with_logged_payloads(mut self, max_bytes: usize) -> Self {
        self.plan.payloads = Payloads::up_to(max_bytes);
        self
    }

    /// Listens at a TCP address: the first one that can be listened at, if it stands for several.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at: somebody else does, or it is none of this machine's.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing listens.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn bind(self, address: impl ToSocketAddrs) -> io::Result<Server> {
        let listener = self.socket.bind(address).await?;
        Ok(self.listen(listener))
    }

    /// Listens at a path, as a Unix socket. Its file is made with the permissions that the process gives to new files,
    /// and removed when the server stops listening.
    ///
    /// A socket that is left there by a server that was killed is replaced. Whether it is left over is asked by
    /// connecting to it, so two servers that start at the same moment may both find that it is: start one at a time.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when somebody listens there, or when the file is no socket; otherwise
    /// what the file system says.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing listens, and what was left at the path is there still.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg(unix)]
    pub async fn bind_unix(self, path: impl AsRef<std::path::Path>) -> io::Result<Server> {
        let listener = self.socket.bind_unix(path.as_ref()).await?;
        Ok(self.listen(listener))
    }

    /// Takes over a socket that listens already: one that was inherited, or made with other options.
    ///
    /// Others may accept from the same socket: processes that have inherited it, or the next server in a restart. When
    /// this server ends it lets go of the socket and does nothing to it. The connections that wait to be accepted are left
    /// to the others, and are reset if there are none.
    pub fn listen(self, listener: impl Into<Listener>) -> Server {
        Server {
            listener: listener.into(),
            nodelay: self.nodelay,
            running: Running(self.shared()),
        }
    }

    pub(super) fn shared(self) -> Arc<Shared> {
        Arc::new(Shared::new(self.plan, self.max_connections))
    }

    fn insert(mut self, path: &str, route: Route) -> Self {
        let inserted: Result<(), RouteError> = self.plan.routes.insert(path, route);
        if let Err(error) = inserted {
            panic!("{path:?}: {error}");
        }
        self
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("acceptor", &self.plan.acceptor)
            .field("routes", &self.plan.routes)
            .field("max_connections", &self.max_connections)
            .field("nodelay", &self.nodelay)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
