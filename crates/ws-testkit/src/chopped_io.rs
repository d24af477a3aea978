//! A stream in memory that does to its user what networks do.

mod end;
mod pipe;

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::end::{Caller, End, Plan};
use self::pipe::{Wire, lock};
use crate::Chunks;

/// One end of a stream in memory, blocking ([`Read`], [`Write`]) and tokio ([`AsyncRead`], [`AsyncWrite`]) at once.
///
/// Each read and write moves as much as its [`Chunks`] or [`Step`]s say. "Not ready" is `Pending` to tokio and
/// `WouldBlock` to a blocking user. Operations (reads, writes, flushes, shutdowns) are counted from 1, and the n-th can
/// be made to [fail](Self::with_fault): run a test with n = 1, 2, … until it succeeds.
///
/// An end that waits for its peer does not count as an operation until it moves. Clones share the end; it is closed
/// when the last of them is dropped, and [`Remote`]s do not keep it open.
#[derive(Clone, Debug)]
pub struct ChoppedIo {
    end: Arc<End>,
}

/// The other side of a [`ChoppedIo`], and a look into it.
#[derive(Clone, Debug)]
pub struct Remote {
    wire: Arc<Wire>,
    plan: Arc<Mutex<Plan>>,
    /// The index of the pipe that the [`ChoppedIo`] reads from.
    incoming: usize,
}

/// What one read or write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Moves at most this many bytes (0 is taken for 1).
    Bytes(usize),
    /// Is not ready.
    NotReady,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The stream breaks: this and every later operation fails so, and the peer sees the end.
    Error(io::ErrorKind),
    /// The peer has gone: reads give 0 from now on. A write, flush or shutdown fails with `BrokenPipe`.
    Eof,
    /// Not ready, once.
    NotReady,
    /// Fails with `TimedOut`, once: to a blocking user, a wait that was cut short.
    TimedOut,
}

/// What a read finds when nothing has arrived and the peer has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starved {
    /// The end of the stream.
    Eof,
    /// Not ready: `WouldBlock` to a blocking user; tokio users are woken when something arrives.
    NotReady,
    /// Waits until something arrives. Blocking users get `TimedOut` after ten seconds.
    Wait,
}

impl ChoppedIo {
    /// A stream on which `received` has arrived. By default a read after that finds the end of the stream.
    pub fn scripted(received: &[u8]) -> (Self, Remote) {
        let end = Self::end(&Arc::default(), 0, Starved::Eof);
        let remote = end.remote();
        remote.push(received);
        (end, remote)
    }

    /// Two ends of one stream. By default reads wait for the other end.
    pub fn duplex() -> (Self, Self) {
        let wire = Arc::default();
        (
            Self::end(&wire, 0, Starved::Wait),
            Self::end(&wire, 1, Starved::Wait),
        )
    }

    fn end(wire: &Arc<Wire>, incoming: usize, starved: Starved) -> Self {
        Self {
            end: Arc::new(End {
                wire: Arc::clone(wire),
                plan: Arc::new(Mutex::new(Plan::new(starved))),
                incoming,
            }),
        }
    }

    /// Reads in these pieces, once the steps are used up.
    #[must_use]
    pub fn with_reads(self, chunks: Chunks) -> Self {
        self.end.plan().reads = chunks;
        self
    }

    /// Writes in these pieces, once the steps are used up.
    #[must_use]
    pub fn with_writes(self, chunks: Chunks) -> Self {
        self.end.plan().writes = chunks;
        self
    }

    /// What the first reads do.
    #[must_use]
    pub fn with_read_steps(self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.end.plan().read_steps.extend(steps);
        self
    }

    /// What the first writes do.
    #[must_use]
    pub fn with_write_steps(self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.end.plan().write_steps.extend(steps);
        self
    }

    /// Makes the operation with this number (from 1) fail, if it is reached.
    #[must_use]
    pub fn with_fault(self, operation: usize, fault: Fault) -> Self {
        self.end.plan().fault = Some((operation, fault));
        self
    }

    /// What a read finds when nothing has arrived.
    #[must_use]
    pub fn when_starved(self, starved: Starved) -> Self {
        self.end.plan().starved = starved;
        self
    }

    /// How many written bytes the peer may leave unread before a write has to wait. Default: any number.
    #[must_use]
    pub fn with_capacity(self, capacity: usize) -> Self {
        let outgoing = self.end.outgoing();
        self.end.wire.pipes()[outgoing].capacity = Some(capacity.max(1));
        self
    }

    /// Puts blocking users into non-blocking mode: what would have to wait is not ready.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        {
            let mut plan = self.end.plan();
            plan.starved = Starved::NotReady;
            plan.waits_for_room = false;
        }
        self
    }

    /// Whether it writes several slices at once. Default: no.
    #[must_use]
    pub fn with_vectored_writes(self, vectored: bool) -> Self {
        self.end.plan().vectored = vectored;
        self
    }

    /// A task that was told "not ready" by a step is woken by [`Remote::wake`] and not at once.
    #[must_use]
    pub fn with_wakes_on_demand(self) -> Self {
        self.end.plan().wakes_on_demand = true;
        self
    }

    /// A look into this end that does not keep it open.
    pub fn remote(&self) -> Remote {
        Remote {
            wire: Arc::clone(&self.end.wire),
            plan: Arc::clone(&self.end.plan),
            incoming: self.end.incoming,
        }
    }
}

impl Remote {
    /// Lets `bytes` arrive.
    pub fn push(&self, bytes: &[u8]) {
        let mut pipes = self.wire.pipes();
        pipes[self.incoming].put(bytes);
        self.wire.changed.notify_all();
    }

    /// Ends the stream after what has arrived.
    pub fn end(&self) {
        self.wire.pipes()[self.incoming].end();
        self.wire.changed.notify_all();
    }

    /// Everything that was ever written.
    pub fn written(&self) -> Vec<u8> {
        self.wire.pipes()[1 - self.incoming].written.clone()
    }

    /// What was written and not taken yet; makes room for more. Not for a [duplex](ChoppedIo::duplex) stream, where
    /// the other end takes it.
    pub fn take(&self) -> Vec<u8> {
        let mut pipes = self.wire.pipes();
        let taken = pipes[1 - self.incoming].take(usize::MAX);
        self.wire.changed.notify_all();
        taken
    }

    /// Whether the write side was shut down, or the stream dropped.
    pub fn is_shut_down(&self) -> bool {
        self.wire.pipes()[1 - self.incoming].ended
    }

    /// Whether the stream was dropped.
    pub fn is_dropped(&self) -> bool {
        self.wire.pipes()[self.incoming].abandoned
    }

    /// How many operations there were.
    pub fn operations(&self) -> usize {
        lock(&self.plan).operations
    }

    /// Wakes every task that was told "not ready".
    pub fn wake(&self) {
        let sleepers = std::mem::take(&mut lock(&self.plan).sleepers);
        sleepers.into_iter().for_each(Waker::wake);
    }
}

impl Read for ChoppedIo {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.end.read(buffer, Caller::Blocking)
    }
}

impl Write for ChoppedIo {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.end.write(&[IoSlice::new(buffer)], Caller::Blocking)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let buffers = self.end.slices(buffers);
        self.end.write(buffers, Caller::Blocking)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end.flush(Caller::Blocking)
    }
}

impl ChoppedIo {
    /// Ends the write side, as `TcpStream::shutdown(Shutdown::Write)` does.
    ///
    /// # Errors
    ///
    /// What the plan says.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.end.shutdown(Caller::Blocking)
    }

    /// Ends both directions for every clone, as `TcpStream::shutdown(Shutdown::Both)` does.
    pub fn shutdown_both(&self) {
        self.end.shutdown_both();
    }

    /// Bounds the waits of blocking reads, which then fail with `WouldBlock`.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.end.plan().read_timeout = timeout;
    }

    /// Bounds the waits of blocking writes, which then fail with `WouldBlock`.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.end.plan().write_timeout = timeout;
    }

    /// Whether it writes several slices at once.
    pub fn writes_vectored(&self) -> bool {
        self.end.plan().vectored
    }
}

/// "Not ready" is `Pending` here; the waker is registered or has been called.
fn poll<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl AsyncRead for ChoppedIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Users offer large buffers for little; there is no need to fill what nothing will be read into.
        let len = buffer.remaining().min(self.end.arrived().max(1));
        let mut bytes = vec![0; len];
        let read = self.end.read(&mut bytes, Caller::Polling(cx));
        poll(read.map(|len| buffer.put_slice(&bytes[..len])))
    }
}

impl AsyncWrite for ChoppedIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll(self.end.write(&[IoSlice::new(buffer)], Caller::Polling(cx)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let buffers = self.end.slices(buffers);
        poll(self.end.write(buffers, Caller::Polling(cx)))
    }

    fn is_write_vectored(&self) -> bool {
        self.end.plan().vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll(self.end.flush(Caller::Polling(cx)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll(self.end.shutdown(Caller::Polling(cx)))
    }
}
