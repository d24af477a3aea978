//! The client's side of the opening handshake over a stream (RFC 6455 §4.1).

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ws_handshake::client::{
    ErrorBody, Expectation, HandshakeError, RawRequest, Refusal, Request, RequestError, Response,
    ResponseReader,
};
use ws_handshake::{Limits, Uri};
use ws_proto::Connection;

use crate::exchange::Exchange;
use crate::mask_keys::OsMaskKeys;
use crate::timed::{SHORTEST_WAIT, Timed};
use crate::{Config, ConnectError, Stream, WebSocket};

/// Connects to a `ws` URI with the defaults of [`Connector`].
///
/// # Errors
///
/// As [`Connector::connect`].
pub fn connect(uri: &str) -> Result<WebSocket<TcpStream>, ConnectError> {
    Connector::new().connect(uri)
}

/// How to open WebSocket connections. Make one, keep it, and use it for every connection.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use ws_sync::Connector;
///
/// let connector = Connector::new()
///     .with_subprotocols(["chat.v2", "chat.v1"])
///     .with_header("Cookie", "session=7");
/// let mut ws = connector.connect("ws://127.0.0.1:9001/chat")?;
/// println!("speaking {:?}", ws.subprotocol());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    config: Config,
    limits: Limits,
    origin: Option<String>,
    host: Option<String>,
    subprotocols: Vec<String>,
    require_subprotocol: bool,
    headers: Vec<(String, String)>,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector {
    /// Default limits and deadlines but no keepalive pings (they need a stream with timeouts, and cost a system
    /// call per read), and a request with nothing in it but what RFC 6455 demands.
    pub fn new() -> Self {
        Self {
            config: Config::default().with_ping_interval(None),
            limits: Limits::default(),
            origin: None,
            host: None,
            subprotocols: Vec::new(),
            require_subprotocol: false,
            headers: Vec::new(),
        }
    }

    /// Sets limits and deadlines of the connection; `Config::handshake_timeout` covers connecting too. A
    /// [`Config::default`] has keepalive pings switched on; what [`new`](Self::new) sets is
    /// `Config::default().with_ping_interval(None)`.
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets limits on the size of the response head.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Offers subprotocols, the preferred one first. The server selects one of them or none.
    #[must_use]
    pub fn with_subprotocols<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Fails the handshake when the server selects none of the subprotocols offered, as browsers do. RFC 6455 lets a
    /// server select none.
    #[must_use]
    pub fn with_required_subprotocol(mut self) -> Self {
        self.require_subprotocol = true;
        self
    }

    /// Sends an Origin field, as a browser does for a page of that origin.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Sends another Host field than the URI says, for a server reached under a name that is not its own.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Adds a field to the request. An invalid or reserved one is refused when a connection is opened.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Connects to the host of a `ws` URI over TCP (with `TCP_NODELAY`) and carries out the opening handshake, all of
    /// it within `Config::handshake_timeout`, save for looking up the name, which the operating system bounds.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Handshake`] when the URI or an option is not usable (our fault) or the server refused or
    /// answered wrongly (its fault); [`ConnectError::TlsRequired`] for a `wss` URI: make the TLS stream and give it to
    /// [`handshake`](Self::handshake); [`ConnectError::TimedOut`]; [`ConnectError::Io`] when the transport failed.
    pub fn connect(&self, uri: &str) -> Result<WebSocket<TcpStream>, ConnectError> {
        let uri = Uri::parse(uri).map_err(HandshakeError::from)?;
        if uri.is_secure() {
            return Err(ConnectError::TlsRequired);
        }
        let request = self.request(&uri)?;
        let deadline = self.deadline();
        // The resolver knows the zones of this machine (RFC 4007 §11).
        let host = match uri.zone() {
            Some(zone) => format!("{}%{zone}", uri.host()),
            None => uri.host().to_owned(),
        };
        let stream = connect_tcp(&host, uri.port(), deadline).map_err(ConnectError::from_io)?;
        self.exchange(stream, deadline, &request)
    }

    /// Carries out the opening handshake for `uri` on a stream that leads to its host already: a TLS stream for a
    /// `wss` URI, a tunnel through a proxy, a Unix socket.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn handshake<S>(&self, stream: S, uri: &str) -> Result<WebSocket<S>, ConnectError>
    where
        S: Stream,
    {
        let uri = Uri::parse(uri).map_err(HandshakeError::from)?;
        let request = self.request(&uri)?;
        self.exchange(stream, self.deadline(), &request)
    }

    /// Carries out the opening handshake with a request made by hand, with no guard against what it says.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn handshake_raw<S>(
        &self,
        stream: S,
        request: &RawRequest,
    ) -> Result<WebSocket<S>, ConnectError>
    where
        S: Stream,
    {
        self.open(stream, self.deadline(), request.encode())
    }

    fn request(&self, uri: &Uri) -> Result<Request, ConnectError> {
        self.build(uri)
            .map_err(|error| ConnectError::Handshake(error.into()))
    }

    fn build(&self, uri: &Uri) -> Result<Request, RequestError> {
        let mut request = Request::new(uri);
        if let Some(host) = &self.host {
            request = request.host(host)?;
        }
        if let Some(origin) = &self.origin {
            request = request.origin(origin)?;
        }
        for name in &self.subprotocols {
            request = request.subprotocol(name)?;
        }
        if self.require_subprotocol {
            request = request.require_subprotocol();
        }
        #[cfg(feature = "deflate")]
        if let Some(deflate) = &self.config.deflate {
            request = request.deflate(deflate.terms().offer());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value)?;
        }
        Ok(request)
    }

    fn deadline(&self) -> Option<Instant> {
        self.config
            .handshake_timeout
            .and_then(|timeout| Instant::now().checked_add(timeout))
    }

    fn exchange<S>(
        &self,
        stream: S,
        deadline: Option<Instant>,
        request: &Request,
    ) -> Result<WebSocket<S>, ConnectError>
    where
        S: Stream,
    {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| ConnectError::Io(error.into()))?;
        self.open(stream, deadline, request.encode(nonce))
    }

    fn open<S>(
        &self,
        stream: S,
        deadline: Option<Instant>,
        (request, expectation): (Vec<u8>, Expectation),
    ) -> Result<WebSocket<S>, ConnectError>
    where
        S: Stream,
    {
        let mut exchange = Exchange {
            stream: Timed::new(stream),
            deadline,
            is_late: false,
        };
        exchange.write(&request).map_err(ConnectError::from_io)?;
        let mut reader = ResponseReader::new(self.limits);
        let mut received = Vec::new();
        let response = loop {
            if let Some(response) = reader.read(&received)? {
                break response;
            }
            if exchange
                .read(&mut received)
                .map_err(ConnectError::from_io)?
                == 0
            {
                return Err(reader.handle_eof(&received).into());
            }
        };
        let behind_head = received.split_off(response.head_len());
        match expectation.verify(&response) {
            Ok(negotiated) => {
                let config = self.config.clone().with_agreed(negotiated.deflate);
                let ws = WebSocket::new(
                    exchange.stream,
                    Connection::client(config, OsMaskKeys),
                    BytesMut::from(Bytes::from(behind_head)),
                );
                Ok(ws.with_negotiated(negotiated))
            }
            Err(HandshakeError::Refused(_)) => {
                let body = read_error_body(&mut exchange, &response, behind_head);
                Err(ConnectError::Handshake(Refusal::new(response, body).into()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What the server says about its refusal, as far as it says it in time.
fn read_error_body<S>(
    exchange: &mut Exchange<S>,
    response: &Response,
    mut received: Vec<u8>,
) -> Bytes
where
    S: Stream,
{
    let mut body = ErrorBody::new(response, ErrorBody::DEFAULT_LIMIT);
    loop {
        body.feed(&received);
        received.clear();
        if body.is_complete() {
            break;
        }
        match exchange.read(&mut received) {
            Ok(count) if count > 0 => {}
            // The status is what counts; half a body is better than no answer.
            Ok(_) | Err(_) => break,
        }
    }
    body.into_bytes()
}

/// Tries the addresses of `host` one after the other, each with its share of the time that is left.
fn connect_tcp(host: &str, port: u16, deadline: Option<Instant>) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let attempt = match share(deadline, addresses.len() - tried) {
            Some(time) => TcpStream::connect_timeout(address, time.max(SHORTEST_WAIT)),
            None => TcpStream::connect(address),
        };
        match attempt {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// How long one of `untried` addresses may take: one that swallows packets must leave time for those behind it.
fn share(deadline: Option<Instant>, untried: usize) -> Option<Duration> {
    let left = deadline?.saturating_duration_since(Instant::now());
    Some(left / u32::try_from(untried).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec: CH-07
    #[test]
    fn the_addresses_share_the_time() {
        let minute = Duration::from_secs(60);
        let deadline = Instant::now() + minute;
        let half = share(Some(deadline), 2).expect("there is a deadline");
        assert!(half <= minute / 2 && half > minute / 3, "{half:?}");
        let all = share(Some(deadline), 1).expect("there is a deadline");
        assert!(all <= minute && all > minute / 2, "{all:?}");
        assert_eq!(share(Some(Instant::now()), 3), Some(Duration::ZERO));
        assert_eq!(share(None, 3), None);
    }
}
