//! A server whose connections come from a script, under a clock that moves when everybody waits.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use ws_proto::serving::{Backoff, Drain, Drained};
use ws_proto::{CloseCode, Config};

use super::accepting::{Tasks, admit, note_task, run};
use super::builder::ServerBuilder;
use super::handle::ServerHandle;
use super::listener::{Accept, Accepted};
use super::routes::HandlerResult;
use super::session::Session;
use crate::{ConnectError, Connector, Server, WebSocket};

/// Gives these, then nothing more, and at the end those that wait.
#[derive(Default)]
struct Script {
    steps: VecDeque<io::Result<DuplexStream>>,
    waiting: VecDeque<io::Result<DuplexStream>>,
}

impl Accept for Script {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<Accepted<DuplexStream>> {
        match self.steps.pop_front() {
            Some(step) => step.map(|stream| (stream, None)),
            None => std::future::pending().await,
        }
    }

    fn close(mut self) -> impl FnMut() -> io::Result<Accepted<DuplexStream>> + Send {
        move || match self.waiting.pop_front() {
            Some(waiting) => waiting.map(|stream| (stream, None)),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Script {
    /// The client's end of a connection that the server will accept.
    fn connect(&mut self) -> DuplexStream {
        let (client, server) = duplex(4096);
        self.steps.push_back(Ok(server));
        client
    }

    fn fail(&mut self, error: io::Error) {
        self.steps.push_back(Err(error));
    }
}

fn start(script: Script, builder: ServerBuilder) -> (ServerHandle, JoinHandle<()>) {
    let shared = builder.shared();
    let handle = ServerHandle::new(Arc::clone(&shared));
    let running = tokio::spawn(async move {
        run(script, &shared).await;
        shared.note_end();
    });
    (handle, running)
}

async fn open(stream: DuplexStream) -> Result<WebSocket<DuplexStream>, ConnectError> {
    let config = Config::default().with_ping_interval(None);
    Connector::new()
        .with_config(config)
        .handshake(stream, "ws://localhost/")
        .await
}

async fn read(mut session: Session) -> HandlerResult {
    while session.recv().await?.is_some() {}
    Ok(())
}

// spec: CD-09
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn errors_of_accepting_are_waited_out() {
    let out_of_files = || io::Error::from_raw_os_error(24);
    let mut script = Script::default();
    script.fail(io::ErrorKind::ConnectionAborted.into());
    script.fail(io::ErrorKind::ConnectionReset.into());
    let first = script.connect();
    for _ in 0..12 {
        script.fail(out_of_files());
    }
    let second = script.connect();
    // What a listener says that was shut down, as one that is shared may be, to everybody who asks.
    script.fail(io::ErrorKind::InvalidInput.into());
    let third = script.connect();
    let (handle, _running) = start(script, Server::builder().route("/", read));

    let begun = Instant::now();
    let _first = open(first).await.expect("accepted");
    // What one connection has met is no reason to wait for the next.
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let _second = open(second).await.expect("accepted");
    // 5 + 10 + ... + 640 ms, and four times the longest.
    assert_eq!(begun.elapsed(), Duration::from_millis(5 * 255 + 4 * 1000));
    let begun = Instant::now();
    let _third = open(third).await.expect("accepted");
    assert_eq!(begun.elapsed(), Duration::from_millis(5));
    assert_eq!(handle.stats().accept_errors, 15);
}

/// What concerns one connection is not waited out, but may be the network's trouble and stay.
// spec: CD-09
#[tokio::test(start_paused = true)]
async fn errors_that_do_not_end_are_waited_out_whatever_they_are() {
    const WAITS: u32 = 4;
    let mut script = Script::default();
    for _ in 0..Backoff::IN_A_ROW * WAITS {
        script.fail(io::ErrorKind::NetworkDown.into());
    }
    let client = script.connect();
    let begun = Instant::now();
    let (handle, _running) = start(script, Server::builder().route("/", read));
    let _client = open(client).await.expect("accepted");
    assert_eq!(begun.elapsed(), Backoff::FIRST * WAITS);
    let errors = u64::from(Backoff::IN_A_ROW * WAITS);
    assert_eq!(handle.stats().accept_errors, errors);
}

/// A connection that ends may leave behind what the next one needs.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn accepting_is_tried_again_when_a_connection_ends() {
    let mut script = Script::default();
    let first = script.connect();
    for _ in 0..20 {
        script.fail(io::Error::from_raw_os_error(24));
    }
    let (handle, _running) = start(script, Server::builder().route("/", read));
    let mut first = open(first).await.expect("accepted");
    tokio::time::sleep(Duration::from_millis(5 + 10 + 20 + 1)).await;
    assert_eq!(handle.stats().accept_errors, 4);
    first.close(CloseCode::NORMAL, "").await.expect("closed");
    while handle.stats().open > 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert_eq!(handle.stats().accept_errors, 5);
}

// spec: CC-42
#[tokio::test(start_paused = true)]
async fn close_frames_are_spread_and_the_deadline_ends_the_rest() {
    const CONNECTIONS: u32 = 300;
    let mut script = Script::default();
    let streams: Vec<_> = (0..CONNECTIONS).map(|_| script.connect()).collect();
    // This one never answers.
    let deaf = script.connect();
    let silent = script.connect();
    let (handle, running) = start(script, Server::builder().route("/", read));
    let mut opened = Vec::new();
    for stream in streams {
        opened.push(open(stream).await.expect("accepted"));
    }
    let _deaf = open(deaf).await.expect("accepted");

    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for (index, mut ws) in opened.into_iter().enumerate() {
        clients.spawn(async move {
            assert!(ws.recv().await.expect("a clean end").is_none());
            assert_eq!(
                ws.close_info().expect("closed").code(),
                CloseCode::GOING_AWAY
            );
            (index as u32, begun.elapsed())
        });
    }
    let drain = Drain::default()
        .with_window(Duration::from_secs(20))
        .with_deadline(Duration::from_secs(25));
    let drained = handle.drain(drain).await;
    // The last of the window is the one that never answers: it has 5 s and not the 10 s of its own close timeout.
    assert_eq!(begun.elapsed(), Duration::from_secs(25));
    running.await.expect("no panic");
    let mut expected = Drained::default();
    (expected.closed, expected.aborted) = (CONNECTIONS as usize, 1);
    assert_eq!(drained, expected);
    let step = Duration::from_secs(20) / (CONNECTIONS + 1);
    for (index, at) in clients.join_all().await {
        // Timers have a resolution of a millisecond.
        let late = at.checked_sub(step * index).expect("not too early");
        assert!(late <= Duration::from_millis(2), "{index}: {late:?} late");
    }
    drop(silent);
    assert_eq!(handle.stats().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_asked_nothing_is_waited_for_a_second() {
    let mut script = Script::default();
    let _silent = script.connect();
    let (late, waiting) = duplex(4096);
    script.waiting.push_back(Ok(waiting));
    let (handle, _running) = start(script, Server::builder());
    while handle.stats().in_handshake < 1 {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    let asking = tokio::spawn(open(late));
    let drained = handle.drain(Drain::default()).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    assert_eq!(drained, Drained::default());
    assert!(asking.await.expect("no panic").is_err());
    let stats = handle.stats();
    assert_eq!((stats.failed, stats.refused.get(&503)), (1, Some(&1)));
}

// spec: CD-09
#[tokio::test(start_paused = true)]
async fn who_waits_behind_one_that_has_gone_is_told_too() {
    let mut script = Script::default();
    let gone = || Err(io::ErrorKind::ConnectionAborted.into());
    let (client, waiting) = duplex(4096);
    script.waiting.extend([gone(), gone(), Ok(waiting)]);
    let (handle, _running) = start(script, Server::builder());
    let asking = tokio::spawn(open(client));
    handle.drain(Drain::default()).await;
    assert!(asking.await.expect("no panic").is_err());
    let stats = handle.stats();
    assert_eq!(
        (stats.accept_errors, stats.refused.get(&503)),
        (2, Some(&1))
    );
}

/// The schedule is for those who stay.
#[tokio::test(start_paused = true)]
async fn who_leaves_before_its_turn_is_not_waited_for() {
    let mut script = Script::default();
    let streams = [script.connect(), script.connect()];
    let (handle, _running) = start(script, Server::builder().route("/", read));
    let mut clients = Vec::new();
    for stream in streams {
        clients.push(open(stream).await.expect("accepted"));
    }
    let begun = Instant::now();
    let clients = tokio::spawn(async move {
        for mut client in clients {
            tokio::time::sleep(Duration::from_secs(1)).await;
            _ = client.close(CloseCode::NORMAL, "").await;
        }
    });
    let drain = Drain::default()
        .with_window(Duration::from_secs(20))
        .with_deadline(Duration::MAX);
    assert_eq!(handle.drain(drain).await.closed, 2);
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    clients.await.expect("no panic");
}

/// A stream that panics, once.
struct Panicking;

impl AsyncRead for Panicking {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        panic!("a bug, and not the handler's")
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_panic_outside_a_handler_is_none_of_a_handler() {
    let shared = Server::builder().shared();
    let mut tasks = Tasks::new();
    admit((Panicking, None), &mut tasks, &shared);
    let ended = tasks.join_next().await.expect("a task");
    assert!(ended.as_ref().is_err_and(|error| error.is_panic()));
    note_task(ended);
    let (stats, _) = shared.registry().stats();
    assert_eq!((stats.handler_panics, stats.failed), (0, 1));
    assert_eq!(stats.in_handshake, 0);
}
