//! A server whose connections come from a script.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ws_proto::CloseCode;
use ws_proto::serving::{Backoff, Drain};

use super::accepting::{run, spawn};
use super::handle::ServerHandle;
use super::listener::{Accept, Accepted};
use super::session::Session;
use super::shared::Shared;
use super::{HandlerResult, Server};
use crate::{Connector, WebSocket};

/// Gives these, then nothing more until it is woken, and at the end those that wait.
struct Script {
    steps: Mutex<VecDeque<io::Result<UnixStream>>>,
    waiting: Mutex<VecDeque<io::Result<UnixStream>>>,
    /// How often somebody else is woken, who has the same socket.
    others: Mutex<u32>,
    wake: Mutex<Option<mpsc::Sender<()>>>,
    woken: Mutex<Receiver<()>>,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = io::Result<UnixStream>>) -> Self {
        let (wake, woken) = mpsc::channel();
        Self {
            steps: Mutex::new(steps.into_iter().collect()),
            waiting: Mutex::default(),
            others: Mutex::default(),
            wake: Mutex::new(Some(wake)),
            woken: Mutex::new(woken),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Accept for Script {
    type Stream = UnixStream;

    fn accept(&self) -> io::Result<Accepted<UnixStream>> {
        let step = lock(&self.steps).pop_front();
        match step {
            Some(step) => step.map(|stream| (stream, None)),
            None => {
                // Disconnected: that is what waking is.
                let woken = lock(&self.woken).recv();
                assert!(woken.is_err());
                Err(io::ErrorKind::InvalidInput.into())
            }
        }
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn accept_waiting(&self) -> io::Result<Accepted<UnixStream>> {
        match lock(&self.waiting).pop_front() {
            Some(waiting) => waiting.map(|stream| (stream, None)),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn wake(&self) {
        let mut others = lock(&self.others);
        match others.checked_sub(1) {
            Some(left) => *others = left,
            None => *lock(&self.wake) = None,
        }
    }
}

fn start(script: Script) -> (ServerHandle, JoinHandle<()>) {
    let shared: Arc<Shared> = Server::builder().route("/", read).shared();
    let handle = ServerHandle::new(Arc::clone(&shared));
    let running = thread::spawn(move || {
        run(script, &shared);
        shared.note_end();
    });
    (handle, running)
}

fn read(mut session: Session) -> HandlerResult {
    while session.recv()?.is_some() {}
    Ok(())
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("two sockets")
}

fn open(stream: UnixStream) -> WebSocket<UnixStream> {
    Connector::new()
        .handshake(stream, "ws://localhost/")
        .expect("accepted")
}

fn out_of_files() -> io::Error {
    io::Error::from_raw_os_error(24)
}

// spec: CD-09
#[test]
fn errors_of_accepting_are_waited_out() {
    let ((first, of_first), (second, of_second)) = (pair(), pair());
    let script = Script::new([
        Err(io::ErrorKind::ConnectionAborted.into()),
        Err(io::ErrorKind::ConnectionReset.into()),
        Ok(of_first),
        Err(out_of_files()),
        Err(out_of_files()),
        // What a listener says that was shut down, as one that is shared may be, to everybody who asks.
        Err(io::ErrorKind::InvalidInput.into()),
        Ok(of_second),
    ]);
    let begun = Instant::now();
    let (handle, running) = start(script);
    let mut clients = [open(first), open(second)];
    // 5 + 10 + 20 ms.
    assert!(begun.elapsed() >= Backoff::FIRST * 7);
    assert_eq!(handle.stats().accept_errors, 5);
    for client in &mut clients {
        assert!(client.close(CloseCode::NORMAL, "").expect("closed").clean);
    }
    assert_eq!(handle.drain(Drain::default()).aborted, 0);
    running.join().expect("no panic");
    assert_eq!(
        (handle.stats().accept_errors, handle.stats().opened),
        (5, 2)
    );
}

/// What concerns one connection is not waited out, but may be the network's trouble and stay.
// spec: CD-09
#[test]
fn errors_that_do_not_end_are_waited_out_whatever_they_are() {
    const WAITS: u32 = 4;
    let (client, accepted) = pair();
    let down = || Err(io::ErrorKind::NetworkDown.into());
    let errors = (0..Backoff::IN_A_ROW * WAITS).map(|_| down());
    let script = Script::new(errors.chain([Ok(accepted)]));
    let begun = Instant::now();
    let (handle, running) = start(script);
    let client = open(client);
    assert!(begun.elapsed() >= Backoff::FIRST * WAITS);
    let errors = u64::from(Backoff::IN_A_ROW * WAITS);
    assert_eq!(handle.stats().accept_errors, errors);
    drop(client);
    handle.drain(Drain::default());
    running.join().expect("no panic");
}

// spec: CD-09
#[test]
fn who_waits_behind_one_that_has_gone_is_told_too() {
    let gone = || Err(io::ErrorKind::ConnectionAborted.into());
    let (client, waiting) = pair();
    let script = Script::new([]);
    lock(&script.waiting).extend([gone(), gone(), Ok(waiting)]);
    let (handle, running) = start(script);
    let asking = thread::spawn(|| Connector::new().handshake(client, "ws://localhost/"));
    handle.drain(Drain::default());
    running.join().expect("no panic");
    assert!(asking.join().expect("no panic").is_err());
    let stats = handle.stats();
    assert_eq!(
        (stats.accept_errors, stats.refused.get(&503)),
        (2, Some(&1))
    );
}

/// What was to wake it may be taken by others who accept from the same socket.
#[test]
fn who_waits_to_accept_is_woken_until_it_is() {
    let (client, accepted) = pair();
    let script = Script::new([Ok(accepted)]);
    *lock(&script.others) = 3;
    let (handle, running) = start(script);
    // It waits for another now, or will.
    let client = open(client);
    let reading = thread::spawn(move || {
        let mut client = client;
        client.recv().expect("a clean end")
    });
    let drained = handle.drain(Drain::default().with_window(Duration::ZERO));
    running.join().expect("no panic");
    assert_eq!(reading.join().expect("no panic"), None);
    assert_eq!((drained.closed, drained.left), (1, 0));
}

#[test]
fn a_panic_outside_a_handler_is_none_of_a_handler() {
    let shared = Server::builder().shared();
    spawn(&shared, || panic!("a bug of this crate")).expect("a thread");
    shared.wait(None, |books| books.threads == 0);
    assert_eq!(shared.books().registry.stats().0.handler_panics, 0);
}
