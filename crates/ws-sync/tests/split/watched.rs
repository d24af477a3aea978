//! A stream that somebody watches.

use std::io::{self, IoSlice, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use ws_sync::{CloneStream, Stream};

/// A stream that tells when it is read, and how much lies in front of that.
pub(crate) struct Watched<S> {
    pub(crate) stream: S,
    pub(crate) reads: mpsc::Sender<usize>,
}

impl<S: Read> Read for Watched<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl<S: Write> Write for Watched<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(chunks)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Stream> Stream for Watched<S> {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.stream.shutdown_both()
    }

    fn read_to_spare(&mut self, buffer: &mut Vec<u8>, expected: usize) -> io::Result<()> {
        // Whoever waited for one of them may be gone.
        _ = self.reads.send(buffer.len());
        self.stream.read_to_spare(buffer, expected)
    }

    fn writes_vectored(&self) -> bool {
        self.stream.writes_vectored()
    }
}

impl<S: CloneStream> CloneStream for Watched<S> {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.try_clone()?,
            reads: self.reads.clone(),
        })
    }
}
