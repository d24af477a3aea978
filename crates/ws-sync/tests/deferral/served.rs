//! A server's end over a stream in memory that tells who writes to it.

use std::io::{self, IoSlice, Read, Write};
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{Attendance, CloneStream, Config, Receiver, Sender, Stream, WebSocket};
use ws_testkit::{ChoppedIo, Frame, vectors};

/// Far more than anything here sends, where it is not to be less.
pub(crate) const PIPE: usize = 1024 * 1024;

/// After this what has not happened is taken not to happen.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(10);

/// What a test has to do with a stream that is in other hands.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Writes that took something.
    pub(crate) writes: AtomicUsize,
    /// Whether writes fail.
    pub(crate) fails: AtomicBool,
    /// Whether writes panic.
    pub(crate) panics: AtomicBool,
    /// Whether they do so with a [`Bomb`].
    pub(crate) bombs: AtomicBool,
    /// Whether a write takes its time, and takes a byte.
    pub(crate) trickles: AtomicBool,
    /// What bounds its reads and its writes.
    pub(crate) timeouts: Mutex<[Option<Duration>; 2]>,
    /// What one of its handles waits for when it is dropped, to panic then.
    pub(crate) end: Mutex<Option<mpsc::Receiver<()>>>,
}

/// What cannot be dropped without another panic.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("what the stream panics with does so too");
    }
}

/// A stream that tells who writes to it.
#[derive(Debug)]
pub(crate) struct Observed {
    io: ChoppedIo,
    pub(crate) control: Arc<Control>,
    /// Told of each write that begins in another thread than the one that made the stream.
    others: mpsc::Sender<String>,
    maker: thread::ThreadId,
    /// What a write in another thread waits for.
    gate: Option<mpsc::Receiver<()>>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let end = self.control.end.lock().expect("no panic").take();
        if let Some(end) = end {
            _ = self
                .others
                .send(thread::current().name().unwrap_or_default().to_owned());
            _ = end.recv();
            panic!("the stream panics");
        }
    }
}

impl Read for Observed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.read(buffer)
    }
}

impl Write for Observed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if thread::current().id() != self.maker {
            // The test may have seen enough.
            _ = self
                .others
                .send(thread::current().name().unwrap_or_default().to_owned());
            if let Some(gate) = self.gate.take() {
                // It opens also when the test fails.
                _ = gate.recv();
            }
        }
        assert!(
            !self.control.panics.load(Ordering::SeqCst),
            "the stream panics"
        );
        if self.control.bombs.load(Ordering::SeqCst) {
            panic_any(Bomb);
        }
        if self.control.fails.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut bytes = bytes;
        if self.control.trickles.load(Ordering::SeqCst) {
            // This is the pace of the peer, and nobody's to wait for.
            let (_kept, never) = mpsc::channel::<()>();
            _ = never.recv_timeout(Duration::from_millis(1));
            bytes = &bytes[..1];
        }
        let written = self.io.write(bytes)?;
        self.control.writes.fetch_add(1, Ordering::SeqCst);
        Ok(written)
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        unreachable!("it has not said that it can")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

impl CloneStream for Observed {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            io: self.io.clone(),
            control: Arc::clone(&self.control),
            others: self.others.clone(),
            maker: self.maker,
            gate: None,
        })
    }
}

impl Stream for Observed {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.control.timeouts.lock().expect("no panic")[0] = timeout;
        self.io.set_read_timeout(timeout);
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.control.timeouts.lock().expect("no panic")[1] = timeout;
        self.io.set_write_timeout(timeout);
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.io.shutdown_write()
    }

    fn attendance() -> Option<Attendance<Self>> {
        Some(Attendance::new())
    }
}

/// A server's end, and all that a test has to do with it.
pub(crate) struct Served {
    pub(crate) ws: WebSocket<Observed>,
    pub(crate) peer: ChoppedIo,
    pub(crate) control: Arc<Control>,
    /// The names of the threads that write for this one.
    pub(crate) others: mpsc::Receiver<String>,
}

impl Served {
    /// With so much room for what is written.
    pub(crate) fn new(capacity: usize, config: Config, gate: Option<mpsc::Receiver<()>>) -> Self {
        let (peer, io) = ChoppedIo::duplex();
        // What does not arrive is to fail a test, not to hold it up for ever.
        peer.set_read_timeout(Some(WATCHDOG));
        let (told, others) = mpsc::channel();
        let control = Arc::<Control>::default();
        let stream = Observed {
            io: io.with_capacity(capacity),
            control: Arc::clone(&control),
            others: told,
            maker: thread::current().id(),
            gate,
        };
        Self {
            ws: WebSocket::server(stream, config, BytesMut::new()),
            peer,
            control,
            others,
        }
    }

    pub(crate) fn writes(&self) -> usize {
        self.control.writes.load(Ordering::SeqCst)
    }
}

pub(crate) fn config() -> Config {
    Config::default().with_ping_interval(None)
}

pub(crate) fn served() -> Served {
    Served::new(PIPE, config(), None)
}

/// So many messages of a client, each of which says its number.
pub(crate) fn burst(count: u8) -> Vec<u8> {
    (0..count)
        .flat_map(|number| Frame::binary([number; 8]).masked(vectors::KEY).bytes())
        .collect()
}

/// The replies to them.
pub(crate) fn replies(count: u8) -> Vec<u8> {
    (0..count)
        .flat_map(|number| Frame::binary([number; 8]).bytes())
        .collect()
}

/// Answers one message with itself.
pub(crate) fn reply<S: Stream>(ws: &mut WebSocket<S>) {
    let message = ws.recv().expect("received").expect("a message");
    ws.send(message).expect("sent");
}

/// Reads what must arrive.
pub(crate) fn expect(peer: &mut ChoppedIo, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    peer.read_exact(&mut received).expect("it arrives");
    assert_eq!(received, expected);
}

/// Something is put off and arrives, so that the attendant has looked twice since.
pub(crate) fn let_the_attendant_look() {
    let mut other = served();
    other.peer.write_all(&burst(2)).expect("written");
    reply(&mut other.ws);
    expect(&mut other.peer, &replies(1));
}

/// The attendant is kept from its work as long as this is held.
pub(crate) struct Occupied {
    _opens_when_dropped: mpsc::Sender<()>,
    _on: Served,
}

pub(crate) fn occupy_the_attendant() -> Occupied {
    loop {
        let (opener, gate) = mpsc::channel();
        let mut served = Served::new(PIPE, config(), Some(gate));
        served.peer.write_all(&burst(2)).expect("written");
        reply(&mut served.ws);
        let thread = served.others.recv().expect("somebody writes");
        let occupied = Occupied {
            _opens_when_dropped: opener,
            _on: served,
        };
        // While a peer of another test is slow it is a thread of its own that writes.
        if thread == "ws-sync attendant" {
            return occupied;
        }
    }
}

/// Answers one message with itself.
pub(crate) fn reply_in_halves((sender, receiver): &mut (Sender, Receiver)) {
    let message = receiver.recv().expect("received").expect("a message");
    sender.send(message).expect("sent");
}
