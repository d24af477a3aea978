//! The server's side of the opening handshake over a stream (RFC 6455 §4.2).

use bytes::{Buf as _, Bytes, BytesMut};
use ws_handshake::server::{Acceptance, Offer, Rejection, Request, RequestReader, ResponseError};
use ws_handshake::{Limits, OriginPolicy, Preference};
use ws_proto::Connection;

use crate::exchange::Exchange;
use crate::{AcceptError, Config, Stream, WebSocket};

/// Accepts a WebSocket connection on `stream` with the defaults of [`Acceptor`].
///
/// Set `TCP_NODELAY` on a TCP stream: two small messages in a row otherwise wait for an acknowledgement.
///
/// # Errors
///
/// As [`Acceptor::accept`].
pub fn accept<S: Stream>(stream: S) -> Result<WebSocket<S>, AcceptError> {
    Acceptor::new().accept(stream)
}

/// How to accept WebSocket connections. Make one, keep it, and use it for every connection.
///
/// ```no_run
/// # fn example(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// use ws_sync::{Acceptor, Config, OriginPolicy};
///
/// let acceptor = Acceptor::new()
///     .with_config(Config::default().with_ping_interval(None).with_max_message_size(64 * 1024))
///     .with_origin_policy(OriginPolicy::allow_list(["https://example.com"])?)
///     .with_subprotocols(["chat.v2", "chat.v1"]);
/// let mut ws = acceptor.accept(stream)?;
/// println!("speaking {:?}", ws.subprotocol());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Acceptor {
    config: Config,
    limits: Limits,
    origin_policy: OriginPolicy,
    subprotocols: Vec<String>,
    preference: Preference,
    headers: Vec<(String, String)>,
}

impl Default for Acceptor {
    fn default() -> Self {
        Self::new()
    }
}

impl Acceptor {
    /// Default limits and deadlines but no keepalive pings (they need a stream with timeouts, and cost a system call
    /// per read), pages of the same host only ([`OriginPolicy::SameHost`]), no subprotocols.
    pub fn new() -> Self {
        Self {
            config: Config::default().with_ping_interval(None),
            limits: Limits::default(),
            origin_policy: OriginPolicy::default(),
            subprotocols: Vec::new(),
            preference: Preference::default(),
            headers: Vec::new(),
        }
    }

    /// Sets limits and deadlines of the connection, the deadline of the opening handshake among them. A
    /// [`Config::default`] has keepalive pings switched on; what [`new`](Self::new) sets is
    /// `Config::default().with_ping_interval(None)`.
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
    pub fn accept<S: Stream>(&self, stream: S) -> Result<WebSocket<S>, AcceptError> {
        self.read_request(stream)?.accept(self)
    }

    /// Reads a request and leaves it to the caller whether and how to accept it: the way to route by path, to look at
    /// cookies, or to serve pages on the same port.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept). A request that is no HTTP, or not safe to answer, has been refused already.
    pub fn read_request<S: Stream>(&self, stream: S) -> Result<Incoming<S>, AcceptError> {
        let mut exchange = Exchange::new(stream, self.config.handshake_timeout);
        let mut reader = RequestReader::new(self.limits);
        let mut received = Vec::new();
        let outcome = loop {
            match reader.read(&received) {
                Ok(Some(request)) => break Ok(request),
                Ok(None) => {}
                Err(rejection) => break Err(rejection),
            }
            match exchange.read(&mut received) {
                Ok(0) => break Err(reader.handle_eof()),
                Ok(_) => {}
                Err(error) if exchange.is_overdue(&error) => {
                    if !received.is_empty() {
                        // The answer gets one attempt that does not wait: the client had its time.
                        exchange.refuse(&Rejection::timeout())?;
                    }
                    return Err(AcceptError::TimedOut);
                }
                Err(error) => return Err(AcceptError::Io(error)),
            }
        };
        match outcome {
            Ok(request) => {
                let mut received = BytesMut::from(Bytes::from(received));
                // Not split off, which would cost an allocation.
                received.advance(request.head_len());
                Ok(Incoming {
                    request,
                    received,
                    exchange,
                })
            }
            Err(rejection) => {
                exchange.refuse(&rejection)?;
                Err(AcceptError::Rejected(rejection))
            }
        }
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

impl<S: Stream> Incoming<S> {
    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The stream underneath, for its address.
    pub fn get_ref(&self) -> &S {
        &self.exchange.stream.stream
    }

    /// Accepts the request as `acceptor` says; its limits on the head have been applied already.
    ///
    /// # Errors
    ///
    /// As [`Acceptor::accept`].
    pub fn accept(mut self, acceptor: &Acceptor) -> Result<WebSocket<S>, AcceptError> {
        let acceptance = match acceptor.check(&self.request) {
            Ok(acceptance) => acceptance,
            Err(error) => {
                let internal = Rejection::internal_error();
                let rejection = match &error {
                    AcceptError::Rejected(rejection) => rejection,
                    _ => &internal,
                };
                self.exchange.refuse(rejection)?;
                return Err(error);
            }
        };
        self.accept_with(acceptor.config.clone(), &acceptance)
    }

    /// Accepts the request with an answer made by hand from [`Request::offer`], which need not be the one that an
    /// [`Acceptor`] would give. Nobody but the caller has judged the origin then.
    ///
    /// # Errors
    ///
    /// As [`Acceptor::accept`]; [`ResponseError::DeflateNotConfigured`] if `acceptance` agrees on compression and
    /// `config` has none.
    pub fn accept_with(
        mut self,
        config: Config,
        acceptance: &Acceptance,
    ) -> Result<WebSocket<S>, AcceptError> {
        let negotiated = acceptance.negotiated();
        if negotiated.deflate.is_some() && !config.can_deflate() {
            self.exchange.refuse(&Rejection::internal_error())?;
            return Err(AcceptError::Response(ResponseError::DeflateNotConfigured));
        }
        let mut response = Vec::new();
        acceptance.encode(&mut response);
        self.exchange
            .write(&response)
            .map_err(AcceptError::from_io)?;
        let config = config.with_agreed(negotiated.deflate);
        let ws = WebSocket::new(
            self.exchange.stream,
            Connection::server(config),
            self.received,
        );
        Ok(ws.with_negotiated(negotiated))
    }

    /// Refuses the request: sends the answer, shuts the write side down and drains what the client still sends.
    ///
    /// # Errors
    ///
    /// When the transport failed or the deadline of the opening handshake passed.
    pub fn reject(mut self, rejection: &Rejection) -> Result<(), AcceptError> {
        self.exchange.refuse(rejection)
    }

    /// Answers a request that is not a handshake with a complete HTTP response, which should say
    /// `Connection: close`, and ends the connection as [`reject`](Self::reject) does.
    ///
    /// # Errors
    ///
    /// As [`reject`](Self::reject).
    pub fn respond(mut self, response: &[u8]) -> Result<(), AcceptError> {
        self.exchange.respond(response)
    }
}
