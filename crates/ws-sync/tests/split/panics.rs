//! A stream that panics: the thread that used it unwinds, and nobody else waits for that thread.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{CloneStream, CloseCode, Error, Stream, WebSocket};
use ws_testkit::ChoppedIo;

use crate::pipe::{Pipe, quiet};

/// Where the stream panics, once it is told to.
#[derive(Debug, Default)]
struct Faults {
    read: AtomicBool,
    write: AtomicBool,
    /// To end the stream panics too.
    end: AtomicBool,
}

fn strike(fault: &AtomicBool) {
    assert!(!fault.load(Ordering::SeqCst), "the stream panics");
}

#[derive(Debug)]
struct Panicking {
    pipe: Pipe,
    faults: Arc<Faults>,
    /// Told of each read that begins.
    reads: mpsc::Sender<()>,
}

impl Read for Panicking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Nobody may care.
        _ = self.reads.send(());
        let read = self.pipe.read(buffer);
        strike(&self.faults.read);
        read
    }
}

impl Write for Panicking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        strike(&self.faults.write);
        self.pipe.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pipe.flush()
    }
}

impl Stream for Panicking {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.pipe.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.pipe.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.pipe.shutdown_write()
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        let ended = self.pipe.shutdown_both();
        strike(&self.faults.end);
        ended
    }
}

impl CloneStream for Panicking {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            pipe: self.pipe.try_clone()?,
            faults: Arc::clone(&self.faults),
            reads: self.reads.clone(),
        })
    }
}

struct Ends {
    near: WebSocket<Panicking>,
    far: WebSocket<Pipe>,
    faults: Arc<Faults>,
    reads: mpsc::Receiver<()>,
}

fn ends() -> Ends {
    let (near, far) = ChoppedIo::duplex();
    let faults = Arc::new(Faults::default());
    let (told, reads) = mpsc::channel();
    let near = Panicking {
        pipe: Pipe(near),
        faults: Arc::clone(&faults),
        reads: told,
    };
    Ends {
        near: WebSocket::client(near, quiet(), BytesMut::new()),
        far: WebSocket::server(Pipe(far), quiet(), BytesMut::new()),
        faults,
        reads,
    }
}

fn assert_broken<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.expect_err("the connection is broken");
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::Other),
        "{error:?}"
    );
}

fn panics<R>(call: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
}

#[test]
fn a_write_that_panics_ends_the_receiver() {
    let Ends {
        near,
        far: _far,
        faults,
        reads,
    } = ends();
    let (sender, mut receiver) = near.split().expect("two handles");
    let receiving = thread::spawn(move || (receiver.recv(), receiver.recv()));
    reads.recv().expect("the receiver reads");
    faults.write.store(true, Ordering::SeqCst);
    panics(|| sender.send("hello"));
    let (first, second) = receiving.join().expect("no panic");
    assert_broken(first);
    assert!(second.expect("told once").is_none());
    assert_broken(sender.flush());
    assert_broken(sender.close(CloseCode::NORMAL, ""));
}

#[test]
fn a_read_that_panics_ends_the_sender() {
    let Ends {
        near,
        mut far,
        faults,
        reads,
    } = ends();
    let (sender, mut receiver) = near.split().expect("two handles");
    faults.read.store(true, Ordering::SeqCst);
    let receiving = thread::spawn(move || receiver.recv());
    reads.recv().expect("the receiver reads");
    let waiting = {
        let sender = sender.clone();
        thread::spawn(move || sender.closed())
    };
    far.send("hello").expect("it has room");
    assert!(receiving.join().is_err());
    waiting.join().expect("no panic").expect("it waits");
    assert_broken(sender.flush());
    assert!(far.recv().is_err(), "the stream has ended");
}

#[test]
fn one_panic_does_not_become_two() {
    let Ends {
        near,
        far: _far,
        faults,
        reads,
    } = ends();
    let (sender, mut receiver) = near.split().expect("two handles");
    let receiving = thread::spawn(move || receiver.recv());
    reads.recv().expect("the receiver reads");
    faults.write.store(true, Ordering::SeqCst);
    faults.end.store(true, Ordering::SeqCst);
    panics(|| sender.send("hello"));
    assert_broken(receiving.join().expect("no panic"));
}

#[test]
fn a_tap_that_panics_ends_the_connection_too() {
    let Ends {
        near, far: _far, ..
    } = ends();
    let (sender, mut receiver) = near.split().expect("two handles");
    sender.set_tap(|_, _| panic!("the tap panics"));
    panics(|| sender.send("hello"));
    assert_broken(sender.flush());
    assert_broken(receiver.recv());
}
