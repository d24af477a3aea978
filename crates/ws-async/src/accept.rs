//! The server's side of the opening handshake over a stream (RFC 6455 §4.2).

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_handshake::server::{Acceptance, Offer, Rejection, Request, ResponseError};
use ws_handshake::{Limits, OriginPolicy, Preference};

use self::opening::{Answering, Asking, Refusing, Waiting, answer_at_once, with_context};
use crate::exchange::Exchange;
use crate::{AcceptError, Config, WebSocket};

mod opening;

/// Accepts a WebSocket connection on `stream` with the defaults of [`Acceptor`].
///
/// Set `TCP_NODELAY` on a TCP stream: two small messages in a row otherwise wait for an acknowledgement.
///
/// # Errors
///
/// As [`Acceptor::accept`].
///
/// # Cancel safety
///
/// Not cancel safe: the stream is consumed, and dropped with the future.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
) -> Result<WebSocket<S>, AcceptError> {
    static DEFAULT: LazyLock<Acceptor> = LazyLock::new(Acceptor::new);
    DEFAULT.accept(stream).await
}

/// How to accept WebSocket connections. Make one, keep it, and use it for every connection.
///
/// ```no_run
/// # async fn example(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// use ws_async::{Acceptor, Config, OriginPolicy};
///
/// let acceptor = Acceptor::new()
///     .with_config(Config::default().with_max_message_size(64 * 1024))
///     .with_origin_policy(OriginPolicy::allow_list(["https://example.com"])?)
///     .with_subprotocols(["chat.v2", "chat.v1"]);
/// let mut ws = acceptor.accept(stream).await?;
/// println!("speaking {:?}", ws.subprotocol());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Acceptor {
    config: Config,
    limits: Limits,
    origin_policy: OriginPolicy,
    subprotocols: Vec<String>,
    preference: Preference,
    headers: Vec<(String, String)>,
}

impl Acceptor {
    /// Default limits and deadlines, pages of the same host only ([`OriginPolicy::SameHost`]), no subprotocols.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets limits and deadlines of the connection, the deadline of the opening handshake among them.
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets limits on the size of the request head.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets which pages may connect (RFC 6455 §10.2). Browsers apply no same-origin policy to WebSocket.
    #[must_use]
    pub fn with_origin_policy(mut self, policy: OriginPolicy) -> Self {
        self.origin_policy = policy;
        self
    }

    /// Sets the subprotocols this server speaks, the preferred one first. The first one that the client offers too is
    /// selected, unless the [client's preference](Self::with_preference) is to count; if there is none the connection has
    /// no subprotocol.
    #[must_use]
    pub fn with_subprotocols<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whose order of subprotocols counts where both ends know several. Default [`Preference::Server`].
    #[must_use]
    pub fn with_preference(mut self, preference: Preference) -> Self {
        self.preference = preference;
        self
    }

    /// Adds a field to the 101 response. An invalid or reserved one is refused when a connection is accepted.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Carries out the opening handshake, all of it within `Config::handshake_timeout`. A request that is refused is
    /// answered with the HTTP status that says why, and the client has a second more to read that.
    ///
    /// # Errors
    ///
    /// [`AcceptError::Rejected`] when the client's request was refused, [`AcceptError::TimedOut`] when it did not come
    /// in time, [`AcceptError::Response`] when a header of ours is invalid, [`AcceptError::Io`] when the transport
    /// failed.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the stream is consumed, and dropped with the future.
    pub async fn accept<S>(&self, stream: S) -> Result<WebSocket<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let waiting = match with_context(|cx| match Asking::new(self, stream).at_once(cx) {
            ControlFlow::Break(incoming) => answer_at_once(incoming.judge(self), cx),
            ControlFlow::Continue(asking) => ControlFlow::Continue(Waiting::Request(asking)),
        })
        .await
        {
            ControlFlow::Break(done) => return done,
            // Boxed: the future of a connection's whole life would otherwise keep room for its first moment.
            ControlFlow::Continue(waiting) => Box::pin(waiting.finish()),
        };
        waiting.await
    }

    /// Reads a request and leaves it to the caller whether and how to accept it: the way to route by path, to look at
    /// cookies, or to serve pages on the same port.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept). A request that is no HTTP, or not safe to answer, has been refused already.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the stream is consumed, and dropped with the future.
    pub async fn read_request<S>(&self, stream: S) -> Result<Incoming<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let asking = match with_context(|cx| Asking::new(self, stream).at_once(cx)).await {
            ControlFlow::Break(incoming) => return Ok(incoming),
            ControlFlow::Continue(asking) => Box::pin(asking.finish()),
        };
        asking.await
    }

    /// Everything this acceptor asks of a request, short of sending the answer.
    fn check(&self, request: &Request) -> Result<Acceptance, AcceptError> {
        let offer = request.offer().map_err(AcceptError::Rejected)?;
        self.origin_policy
            .check(request)
            .map_err(AcceptError::Rejected)?;
        self.answer(offer).map_err(AcceptError::Response)
    }

    fn answer(&self, offer: Offer) -> Result<Acceptance, ResponseError> {
        let supported: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
        let selected = offer.select_subprotocol(&supported, self.preference);
        let mut acceptance = offer.accept();
        if let Some(name) = selected {
            acceptance = acceptance.subprotocol(name)?;
        }
        #[cfg(feature = "deflate")]
        if let Some(deflate) = &self.config.deflate {
            acceptance = acceptance.deflate(deflate.terms());
        }
        for (name, value) in &self.headers {
            acceptance = acceptance.header(name, value)?;
        }
        Ok(acceptance)
    }
}

/// A request that has arrived and waits for an answer.
#[derive(Debug)]
pub struct Incoming<S> {
    request: Request,
    /// What came behind the head: the first frames, if the request is accepted.
    received: BytesMut,
    exchange: Exchange<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Incoming<S> {
    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The stream underneath, for its address.
    pub fn get_ref(&self) -> &S {
        &self.exchange.stream
    }

    /// Accepts the request as `acceptor` says; its limits on the head have been applied already.
    ///
    /// # Errors
    ///
    /// As [`Acceptor::accept`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the stream is consumed, and dropped with the future.
    pub async fn accept(self, acceptor: &Acceptor) -> Result<WebSocket<S>, AcceptError> {
        let waiting = match with_context(|cx| answer_at_once(self.judge(acceptor), cx)).await {
            ControlFlow::Break(done) => return done,
            ControlFlow::Continue(waiting) => Box::pin(waiting.finish()),
        };
        waiting.await
    }

    /// What `acceptor` makes of the request.
    fn judge(self, acceptor: &Acceptor) -> Result<Answering<S>, Refusing<S>> {
        match acceptor.check(&self.request) {
            Ok(acceptance) => self.prepare(acceptor.config.clone(), &acceptance),
            Err(error) => Err(Refusing {
                exchange: self.exchange,
                error,
            }),
        }
    }

    fn prepare(self, config: Config, acceptance: &Acceptance) -> Result<Answering<S>, Refusing<S>> {
        let negotiated = acceptance.negotiated();
        if negotiated.deflate.is_some() && !config.can_deflate() {
            return Err(Refusing {
                exchange: self.exchange,
                error: AcceptError::Response(ResponseError::DeflateNotConfigured),
            });
        }
        let mut response = Vec::new();
        acceptance.encode(&mut response);
        Ok(Answering {
            exchange: self.exchange,
            received: self.received,
            response: Cursor::new(response),
            negotiated,
            config,
        })
    }

    /// Accepts the request with an answer made by hand from [`Request::offer`], which need not be the one that an
    /// [`Acceptor`] would give. Nobody but the caller has judged the origin then.
    ///
    /// # Errors
    ///
    /// As [`Acceptor::accept`]; [`ResponseError::DeflateNotConfigured`] if `acceptance` agrees on compression and
    /// `config` has none.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the stream is consumed, and dropped with the future.
    pub async fn accept_with(
        self,
        config: Config,
        acceptance: &Acceptance,
    ) -> Result<WebSocket<S>, AcceptError> {
        let waiting = match with_context(|cx| {
            let prepared = self.prepare(config, acceptance);
            answer_at_once(prepared, cx)
        })
        .await
        {
            ControlFlow::Break(done) => return done,
            ControlFlow::Continue(waiting) => Box::pin(waiting.finish()),
        };
        waiting.await
    }

    /// Refuses the request: sends the answer, shuts the write side down and drains what the client still sends.
    ///
    /// # Errors
    ///
    /// When the transport failed or the deadline of the opening handshake passed.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the stream is consumed, and dropped with the future.
    pub async fn reject(mut self, rejection: &Rejection) -> Result<(), AcceptError> {
        self.exchange.refuse(rejection).await
    }

    /// Answers a request that is not a handshake with a complete HTTP response, which should say
    /// `Connection: close`, and ends the connection as [`reject`](Self::reject) does.
    ///
    /// # Errors
    ///
    /// As [`reject`](Self::reject).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the stream is consumed, and dropped with the future.
    pub async fn respond(mut self, response: &[u8]) -> Result<(), AcceptError> {
        self.exchange.respond(response).await
    }
}
