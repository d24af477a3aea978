//! A server: one port, a handler for each path, and an end in good order.
//!
//! A connection's way: `accepting` takes it from a [`listener`], the registry of `ws-proto` gives it a place or none,
//! `connection` reads its request and answers with a page, a refusal or a 101, and the handler gets a [`session`]. When
//! the server drains, `draining` closes them all.

mod accepting;
mod builder;
mod connection;
mod draining;
mod handle;
mod listener;
mod routes;
mod session;
mod shared;
#[cfg(all(test, unix))]
mod tests;
mod trace;
#[cfg(unix)]
mod unix;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use self::accepting::run;
use self::listener::{Source, TcpSource};
use self::shared::Shared;

pub use self::builder::ServerBuilder;
pub use self::handle::ServerHandle;
pub use self::listener::Listener;
pub use self::routes::HandlerResult;
pub use self::session::Session;

/// A server that listens. Connections wait until [`run`](Self::run).
///
/// ```no_run
/// # fn example() -> std::io::Result<()> {
/// use std::thread;
///
/// use ws_sync::serving::Drain;
/// use ws_sync::{Server, Session};
///
/// let server = Server::builder()
///     .route("/echo", |mut session: Session| {
///         while let Some(message) = session.recv()? {
///             session.send(message)?;
///         }
///         Ok(())
///     })
///     .bind("127.0.0.1:9001")?;
/// let handle = server.handle();
/// let running = thread::spawn(|| server.run());
/// // Until somebody says that it is enough:
/// let drained = handle.drain(Drain::default());
/// println!("{} closed, {} cut", drained.closed, drained.aborted);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    nodelay: bool,
    running: Running,
}

impl Server {
    /// Begins with nothing at any path, and the defaults that [`ServerBuilder`] names.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Where the server listens, with the port that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// The system does not say, or it is a Unix socket, which has a path instead.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What is needed to see into the server and to end it, from any thread.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(Arc::clone(&self.running.0))
    }

    /// Accepts connections, and serves each in a thread of its own, until the server is
    /// [drained](ServerHandle::drain) and these threads have ended. Nothing else ends it: errors of accepting are
    /// counted, and waited out when they are this machine's own.
    ///
    /// To end the wait for connections, a socket that the server itself has bound is shut down. That works on Linux only;
    /// elsewhere, and where others may have the [same socket](ServerBuilder::listen), the server connects to itself, which
    /// a firewall inside the machine could keep it from. Then a thread that waits is [left](crate::serving::Drained::left)
    /// behind.
    pub fn run(self) {
        let Self {
            listener,
            nodelay,
            running,
        } = self;
        match listener.0 {
            Source::Tcp { listener, shared } => {
                let source = TcpSource {
                    listener,
                    shared,
                    nodelay,
                };
                run(source, &running.0);
            }
            #[cfg(unix)]
            Source::Unix(source) => run(source, &running.0),
        }
    }
}

/// The server as long as there is one. When it goes, however it goes, nobody waits for its end any longer.
#[derive(Debug)]
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.note_end();
    }
}
