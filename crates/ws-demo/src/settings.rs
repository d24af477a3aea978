//! What can be chosen when the server starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ws_async::handshake::Origin;

/// How the server is to run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where to listen. Default 127.0.0.1:9001; port 0 lets the system choose one.
    pub address: SocketAddr,
    /// Origins that may connect besides the page this server itself serves. Default none.
    pub allowed_origins: Vec<Origin>,
    /// TCP connections served at once; further ones get 503. Default 1,000, which fits the usual limit
    /// of 1,024 open files.
    pub max_connections: usize,
    /// How long the one HTTP request of a connection may take in all, not per read. Default 10 s.
    pub handshake_timeout: Duration,
    /// How often the server pushes a tick to every chat room. Default 5 s.
    pub tick_interval: Duration,
    /// How long connections have to close after the shutdown has begun; what is left then is cut.
    /// Default 5 s.
    pub shutdown_grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9001)),
            allowed_origins: Vec::new(),
            max_connections: 1_000,
            handshake_timeout: Duration::from_secs(10),
            tick_interval: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}
