//! A [`ChoppedIo`] as a [`Stream`].

use std::io::{self, IoSlice, Read, Write};
use std::time::Duration;

use ws_sync::{Error, Stream};
use ws_testkit::ChoppedIo;

/// Whether a call would have blocked, and so has to be made again.
pub(crate) fn is_would_block<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock)
}

pub(crate) struct Chopped(ChoppedIo);

impl Chopped {
    pub(crate) fn new(io: ChoppedIo) -> Self {
        Self(io)
    }
}

impl Read for Chopped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Chopped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(chunks)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Chopped {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }

    fn writes_vectored(&self) -> bool {
        self.0.writes_vectored()
    }
}
