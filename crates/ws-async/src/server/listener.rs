//! Where connections come from.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};

#[cfg(unix)]
use super::unix::UnixSource;

/// A connection that was accepted, and where it comes from if that has an address.
pub(crate) type Accepted<S> = (S, Option<SocketAddr>);

/// Where connections come from: a listening socket, and in tests a script.
pub(crate) trait Accept: Send {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection. Cancel safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<Accepted<Self::Stream>>> + Send;

    /// Stops listening for good as soon as what this gives is dropped. Each call of it gives a connection that waits
    /// already, and [`WouldBlock`](io::ErrorKind::WouldBlock) when none does, or when those that wait are left to others
    /// who accept from the same socket.
    fn close(self) -> impl FnMut() -> io::Result<Accepted<Self::Stream>> + Send;
}

/// A socket that listens, from whoever made it: from tokio as it is, from the standard library by `try_from`, which
/// makes it non-blocking.
///
/// ```no_run
/// # async fn example(inherited: std::net::TcpListener) -> std::io::Result<()> {
/// use ws_async::{Listener, Server};
///
/// let server = Server::builder().listen(Listener::try_from(inherited)?);
/// # Ok(())
/// # }
/// ```
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

impl TryFrom<std::net::TcpListener> for Listener {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self::from)
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
    pub(super) async fn bind(&self, addresses: impl ToSocketAddrs) -> io::Result<Listener> {
        let mut failure = None;
        for address in lookup_host(addresses).await? {
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
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Before bind, where it counts: the port must be free again right after a restart, while the connections that
        // this end has closed first are still in TIME_WAIT. On Windows the same option would let two servers share the
        // port.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        if self.reuse_port {
            reuse_port(&socket)?;
        }
        socket.bind(address)?;
        socket.listen(self.backlog)
    }
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn reuse_port(socket: &TcpSocket) -> io::Result<()> {
    socket.set_reuseport(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn reuse_port(_: &TcpSocket) -> io::Result<()> {
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
    /// Small frames must not wait for the acknowledgement of earlier ones.
    fn set_up(nodelay: bool, stream: TcpStream) -> io::Result<TcpStream> {
        if nodelay {
            stream.set_nodelay(true).map_err(has_gone)?;
        }
        Ok(stream)
    }
}

impl Accept for TcpSource {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<Accepted<TcpStream>> {
        let (stream, peer_addr) = self.listener.accept().await?;
        Ok((Self::set_up(self.nodelay, stream)?, Some(peer_addr)))
    }

    fn close(self) -> impl FnMut() -> io::Result<Accepted<TcpStream>> + Send {
        // tokio learns what waits from the events of its driver, the operating system knows at once.
        let listener = self.listener.into_std().ok().filter(|_| !self.shared);
        move || {
            let listener = listener.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
            let (stream, peer_addr) = listener.accept()?;
            stream.set_nonblocking(true).map_err(has_gone)?;
            let stream = TcpStream::from_std(stream)?;
            Ok((Self::set_up(self.nodelay, stream)?, Some(peer_addr)))
        }
    }
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
    #[tokio::test]
    async fn what_cannot_be_set_up_is_one_connection() {
        let (stream, _peer) = UnixStream::pair().expect("two sockets");
        // It has no such option, as one that has gone on macOS.
        let stream = std::net::TcpStream::from(OwnedFd::from(stream));
        stream.set_nonblocking(true).expect("any socket can");
        let stream = TcpStream::from_std(stream).expect("a runtime");
        let error = TcpSource::set_up(true, stream).expect_err("no TCP connection");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        assert!(is_about_one_connection(&error));
    }
}
