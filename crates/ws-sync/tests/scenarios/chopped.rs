//! A [`ChoppedIo`] as a [`Stream`] that remembers how its waits were bounded.

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ws_sync::{Error, Stream};
use ws_testkit::ChoppedIo;

/// Whether a call would have blocked, and so has to be made again.
pub(crate) fn is_would_block<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock)
}

/// A call that bounds the waits of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Read(Option<Duration>),
    Write(Option<Duration>),
}

#[derive(Debug)]
pub(crate) struct Chopped {
    io: ChoppedIo,
    bounds: Arc<Mutex<Vec<Bound>>>,
}

impl Chopped {
    pub(crate) fn new(io: ChoppedIo) -> Self {
        Self {
            io,
            bounds: Arc::default(),
        }
    }

    /// A look at the calls that have bounded its waits.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds(Arc::clone(&self.bounds))
    }
}

pub(crate) struct Bounds(Arc<Mutex<Vec<Bound>>>);

impl Bounds {
    /// The calls since the last look.
    pub(crate) fn take(&self) -> Vec<Bound> {
        std::mem::take(&mut *lock(&self.0))
    }
}

fn lock(bounds: &Mutex<Vec<Bound>>) -> MutexGuard<'_, Vec<Bound>> {
    bounds.lock().expect("no user of the stream has panicked")
}

impl Read for Chopped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.read(buffer)
    }
}

impl Write for Chopped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.io.write(bytes)
    }

    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.write_vectored(chunks)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

impl Stream for Chopped {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        lock(&self.bounds).push(Bound::Read(timeout));
        self.io.set_read_timeout(timeout);
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        lock(&self.bounds).push(Bound::Write(timeout));
        self.io.set_write_timeout(timeout);
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.io.shutdown_write()
    }

    fn writes_vectored(&self) -> bool {
        self.io.writes_vectored()
    }
}
