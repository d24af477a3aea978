//! Where connections come from.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::CloneStream;

#[cfg(unix)]
use super::unix::UnixSource;

/// A connection that was accepted, and where it comes from if that has an address.
pub(crate) type Accepted<S> = (S, Option<SocketAddr>);

/// Where connections come from: a listening socket, and in tests a script. It stops listening when it is dropped.
pub(crate) trait Accept: Send + Sync + 'static {
    type Stream: CloneStream + Send + 'static;

    /// The next connection.
    fn accept(&self) -> io::Result<Accepted<Self::Stream>>;

    /// Whether others may accept from the same socket: other processes that have inherited it, say. What is done to the
    /// socket itself, and not to this way of holding it, is done to them.
    fn is_shared(&self) -> bool;

    /// A connection that waits already, or [`WouldBlock`](io::ErrorKind::WouldBlock) when none does. Once this has been
    /// called, nobody waits for another: not [`accept`](Self::accept) either, save where it waits already. For those who
    /// share the socket that would hold as well.
    fn accept_waiting(&self) -> io::Result<Accepted<Self::Stream>>;

    /// Ends the wait of whoever waits in [`accept`](Self::accept). Where the socket is shared, somebody else may be woken
    /// in the place of that one.
    fn wake(&self);
}

/// A socket that listens, from whoever made it.
#[derive(Debug)]
pub struct Listener(pub(super) Source);

#[derive(Debug)]
pub(super) enum Source {
    Tcp {
        listener: TcpListener,
        shared: bool,
    },
    #[cfg(unix)]
    Unix(UnixSource),
}

impl Listener {
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Source::Tcp { listener, .. } => listener.local_addr(),
            #[cfg(unix)]
            Source::Unix(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a Unix socket has a path and no address",
            )),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Source::Tcp {
            listener,
            shared: true,
        })
    }
}

/// How to listen.
#[derive(Clone, Debug)]
pub(super) struct SocketOptions {
    pub(super) backlog: u32,
    pub(super) reuse_port: bool,
}

impl SocketOptions {
    /// Listens at the first of the addresses that can be listened at.
    pub(super) fn bind(&self, addresses: impl ToSocketAddrs) -> io::Result<Listener> {
        let mut failure = None;
        for address in addresses.to_socket_addrs()? {
            match self.bind_one(address) {
                Ok(listener) => {
                    return Ok(Listener(Source::Tcp {
                        listener,
                        shared: false,
                    }));
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "there is no address to bind")
        }))
    }

    fn bind_one(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // Before bind, where it counts: the port must be free again right after a restart, while the connections that
        // this end has closed first are still in TIME_WAIT. On Windows the same option would let two servers share the
        // port.
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        if self.reuse_port {
            reuse_port(&socket)?;
        }
        socket.bind(&address.into())?;
        socket.listen(self.backlog())?;
        Ok(socket.into())
    }

    /// The same as the operating system wants to hear it.
    pub(super) fn backlog(&self) -> i32 {
        i32::try_from(self.backlog).unwrap_or(i32::MAX)
    }
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn reuse_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A TCP listener, and how its connections are to be.
#[derive(Debug)]
pub(super) struct TcpSource {
    pub(super) listener: TcpListener,
    /// Whether others may have the same socket: who made it is not this server.
    pub(super) shared: bool,
    pub(super) nodelay: bool,
}

impl TcpSource {
    fn set_up(&self, stream: TcpStream) -> io::Result<TcpStream> {
        // Some systems hand a listener's way of not waiting on to its connections.
        stream.set_nonblocking(false).map_err(has_gone)?;
        if self.nodelay {
            // Small frames must not wait for the acknowledgement of earlier ones.
            stream.set_nodelay(true).map_err(has_gone)?;
        }
        Ok(stream)
    }
}

impl Accept for TcpSource {
    type Stream = TcpStream;

    fn accept(&self) -> io::Result<Accepted<TcpStream>> {
        let (stream, peer_addr) = self.listener.accept()?;
        Ok((self.set_up(stream)?, Some(peer_addr)))
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn accept_waiting(&self) -> io::Result<Accepted<TcpStream>> {
        self.listener.set_nonblocking(true)?;
        self.accept()
    }

    fn wake(&self) {
        if !self.shared && shut_down(&self.listener) {
            return;
        }
        if let Ok(address) = self.listener.local_addr() {
            _ = TcpStream::connect_timeout(&reachable(address), WAKE_TIMEOUT);
        }
    }
}

/// Ends all waits for connections at a socket, for everybody who has it. That works on Linux; elsewhere it fails, and a
/// connection has to end them.
pub(super) fn shut_down<'a>(listener: impl Into<SockRef<'a>>) -> bool {
    let listener: SockRef<'_> = listener.into();
    listener.shutdown(std::net::Shutdown::Both).is_ok()
}

/// A connection within this machine takes no longer.
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a listener of this machine is reached from this machine: "any address" is none.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            address.set_ip(Ipv4Addr::LOCALHOST.into())
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            address.set_ip(Ipv6Addr::LOCALHOST.into())
        }
        _ => {}
    }
    address
}

/// A connection that cannot be set up has gone already, whatever the system calls that: macOS says EINVAL, which from a
/// listener would mean that it is broken.
pub(super) fn has_gone(error: io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, error)
}

/// Whether accepting failed because of the one connection that was to be accepted: its client has left, or the network
/// gave up on it (accept(2), "Error handling"). The next one is not affected.
///
/// What may be the listener's own trouble does not count, such as EINVAL or EACCES: that would be tried again without
/// end and without a pause, while a pause after what was one connection's trouble is short.
pub(super) fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    // spec: CD-09
    #[test]
    fn what_cannot_be_set_up_is_one_connection() {
        let (stream, _peer) = UnixStream::pair().expect("two sockets");
        // It has no such option, as one that has gone on macOS.
        let stream = std::net::TcpStream::from(OwnedFd::from(stream));
        let source = TcpSource {
            listener: TcpListener::bind("127.0.0.1:0").expect("a free port"),
            shared: false,
            nodelay: true,
        };
        let error = source.set_up(stream).expect_err("no TCP connection");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        assert!(is_about_one_connection(&error));
    }
}
