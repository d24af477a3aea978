//! Listening, accepting, and the end of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::opening::{self, Shared};
use crate::rooms::Rooms;
use crate::settings::Settings;
use crate::shutdown::Shutdown;

/// Connections that the kernel keeps for us while we are busy: a page that reloads on many screens at
/// once is a burst.
const BACKLOG: u32 = 1024;

/// Connections above the limit that are told so at once. Beyond these they are closed without a word:
/// being polite must not be a way to exhaust us.
const MAX_TURNED_AWAY: usize = 64;

/// After an error of `accept` that is ours, such as no file descriptor left, wait: asking again at
/// once would only burn time, and giving up would end the server for what may pass in a moment.
const BACKOFF_FIRST: Duration = Duration::from_millis(5);
const BACKOFF_LAST: Duration = Duration::from_secs(1);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Server {
    /// Listens at the address of `settings`; connections wait until [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// The address cannot be listened on: somebody else does, or it is none of this machine's.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn bind(settings: Settings) -> io::Result<Self> {
        let socket = match settings.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Before bind, where it counts: the port must be free again right after a restart. On Windows
        // the same option would let two servers share the port.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        socket.bind(settings.address)?;
        Ok(Self {
            listener: socket.listen(BACKLOG)?,
            shared: Arc::new(Shared {
                settings,
                rooms: Arc::new(Rooms::default()),
            }),
        })
    }

    /// Where the server listens, with the port that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `until` is ready. Then it accepts nothing more, closes every socket with 1001,
    /// gives them [`Settings::shutdown_grace`], and cuts what is left: the number it returns.
    pub async fn run(self, until: impl Future<Output = ()>) -> usize {
        run(self.listener, self.shared, until).await
    }
}

/// Where connections come from: a listener, and in tests one that fails.
trait Accept {
    async fn accept(&mut self) -> io::Result<TcpStream>;
}

impl Accept for TcpListener {
    async fn accept(&mut self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

async fn run(
    mut listener: impl Accept,
    shared: Arc<Shared>,
    until: impl Future<Output = ()>,
) -> usize {
    let shutdown = Shutdown::new();
    // A limit above what a semaphore counts is no limit, and not a reason to panic.
    let max_connections = shared.settings.max_connections.min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(max_connections));
    let lobby = Arc::new(Semaphore::new(MAX_TURNED_AWAY));
    let mut connections = JoinSet::new();
    let mut backoff = BACKOFF_FIRST;
    let mut ticks = interval(shared.settings.tick_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut until = std::pin::pin!(until);

    loop {
        let stream = tokio::select! {
            () = &mut until => break,
            stream = next_connection(&mut listener, &mut backoff) => stream,
            _ = ticks.tick() => {
                shared.rooms.tick().await;
                continue;
            }
            // Finished tasks are forgotten as they finish. One that panicked has said so on standard
            // error, and has hurt nobody else.
            Some(_ended) = connections.join_next() => continue,
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let shared = Arc::clone(&shared);
            let shutdown = shutdown.watch();
            connections.spawn(async move {
                let ended = opening::serve(stream, &shared, shutdown).await;
                drop((ended, place));
            });
        } else if let Ok(place) = Arc::clone(&lobby).try_acquire_owned() {
            connections.spawn(async move {
                let ended = opening::turn_away(stream).await;
                drop((ended, place));
            });
        }
    }

    // From here on the port refuses connections instead of leaving them in the backlog.
    drop(listener);
    shutdown.begin();
    let all = async { while connections.join_next().await.is_some() {} };
    match timeout(shared.settings.shutdown_grace, all).await {
        Ok(()) => 0,
        Err(_elapsed) => {
            let left = connections.len();
            connections.shutdown().await;
            left
        }
    }
}

/// The next connection, whatever it takes.
async fn next_connection(listener: &mut impl Accept, backoff: &mut Duration) -> TcpStream {
    loop {
        match listener.accept().await.and_then(without_delay) {
            Ok(stream) => {
                *backoff = BACKOFF_FIRST;
                return stream;
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(_) => {
                sleep(*backoff).await;
                *backoff = (*backoff * 2).min(BACKOFF_LAST);
            }
        }
    }
}

/// Small frames must not wait for the acknowledgement of earlier ones.
fn without_delay(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Errors that a client caused by leaving before it was accepted; the next one is not affected.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::InvalidInput
    )
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    /// Gives these results, then waits for ever.
    struct Scripted(VecDeque<io::Result<TcpStream>>);

    impl Accept for Scripted {
        async fn accept(&mut self) -> io::Result<TcpStream> {
            match self.0.pop_front() {
                Some(result) => result,
                None => std::future::pending().await,
            }
        }
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let client = TcpStream::connect(address).await.expect("it accepts");
        let (server, _) = listener.accept().await.expect("it is there");
        (client, server)
    }

    async fn gets_the_page(mut client: TcpStream) {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .expect("it reads");
        let mut answer = String::new();
        client
            .read_to_string(&mut answer)
            .await
            .expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    fn out_of_files() -> io::Error {
        io::Error::from(io::ErrorKind::Other)
    }

    // spec: CD-09
    #[tokio::test]
    async fn errors_of_accept_do_not_end_the_server() {
        let (client, server) = pair().await;
        let listener = Scripted(VecDeque::from([
            Err(io::ErrorKind::ConnectionAborted.into()),
            Err(out_of_files()),
            Err(out_of_files()),
            Ok(server),
        ]));
        let shared = Arc::new(Shared {
            settings: Settings::default(),
            rooms: Arc::default(),
        });
        assert_eq!(run(listener, shared, gets_the_page(client)).await, 0);
    }

    #[tokio::test]
    async fn a_limit_beyond_counting_is_served_without_one() {
        let (client, server) = pair().await;
        let shared = Arc::new(Shared {
            settings: Settings {
                max_connections: usize::MAX,
                ..Settings::default()
            },
            rooms: Arc::default(),
        });
        let listener = Scripted([Ok(server)].into());
        assert_eq!(run(listener, shared, gets_the_page(client)).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_error_of_its_own_the_server_waits_longer_each_time() {
        let errors = (0..12).map(|_| Err(out_of_files()));
        let (_client, server) = pair().await;
        let mut listener = Scripted(errors.chain([Ok(server)]).collect());
        let mut backoff = BACKOFF_FIRST;
        let begun = Instant::now();
        next_connection(&mut listener, &mut backoff).await;
        // 5 + 10 + ... + 640 ms, and four times the longest.
        assert_eq!(begun.elapsed(), Duration::from_millis(5 * 255 + 4 * 1000));
        assert_eq!(backoff, BACKOFF_FIRST);
    }
}
