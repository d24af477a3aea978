//! What every echo server under test shares: it listens on a free loopback port, tells the driver which one on its
//! standard output, accepts for ever, and dies with the driver. It never touches what is sent or received. What the
//! [clients](client) share is beside it.
#![forbid(unsafe_code)]

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "handshake")]
pub mod handshake;

use std::error::Error;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use nix::sys::{prctl::set_pdeathsig, signal::Signal};

/// What a connection's handler returns. An error is printed and ends that connection only.
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Accepts for ever on a tokio `current_thread` runtime, one task per connection.
#[cfg(feature = "tokio")]
pub fn run_tokio<F, Fut>(serve: F) -> Outcome
where
    F: Fn(tokio::net::TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    // One server per process: it lives as long as that, and a task holds no copy of it.
    let serve: &'static F = Box::leak(Box::new(serve));
    let listener = listen()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // The future is made inside the task: captured and then awaited, it would take its room twice.
            tokio::spawn(async move { report(serve(stream).await) });
        }
    })
}

/// Accepts for ever, one blocking thread per connection.
pub fn run_threads(serve: impl Fn(TcpStream) -> Outcome + Send + Sync + 'static) -> Outcome {
    let serve = Arc::new(serve);
    let listener = listen()?;
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let serve = Arc::clone(&serve);
        std::thread::spawn(move || report(serve(stream)));
    }
}

/// A listener on a free loopback port, which the driver has been told.
pub fn listen() -> Result<TcpListener, Box<dyn Error + Send + Sync>> {
    set_pdeathsig(Signal::SIGKILL)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", listener.local_addr()?.port())?;
    stdout.flush()?;
    Ok(listener)
}

/// The first command line argument that is a number, as in `peer-floor-epoll 131072`.
pub fn size_argument() -> Option<usize> {
    std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
}

/// Whether `flag` is among the command line arguments.
pub fn has_flag(flag: &str) -> bool {
    std::env::args().skip(1).any(|argument| argument == flag)
}

/// The first command line argument: how a broadcast reaches everybody.
pub fn way() -> String {
    std::env::args().nth(1).unwrap_or_default()
}

/// What `main` returns for a [`way`] it does not know.
pub fn unknown_way(way: &str) -> Outcome {
    Err(format!("no such way to broadcast: {way:?}").into())
}

fn report(outcome: Outcome) {
    if let Err(error) = outcome {
        eprintln!("connection ended: {error}");
    }
}
