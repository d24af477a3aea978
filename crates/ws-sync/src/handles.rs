//! The two handles of one stream that threads take turns with.

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ws_proto::Detached;

use crate::Stream;
use crate::driver::{Driver, Job, MAX_CHUNKS};
use crate::read_buffer::ReadBuffer;
use crate::sync::now;
use crate::timed::{SHORTEST_WAIT, Timed, is_timeout, wait_out_until};

/// A handle of a stream that was cloned.
pub(crate) type Handle = Box<dyn Stream + Send>;

/// What it takes to read.
pub(crate) struct Reader {
    stream: Timed<Handle>,
    buffer: ReadBuffer,
}

/// What it takes to write.
pub(crate) struct Writer {
    stream: Timed<Handle>,
    is_vectored: bool,
    /// What to write, shared with the connection.
    chunks: Vec<Bytes>,
}

/// A [`Job`] to be done without the connection.
#[derive(Debug)]
pub(crate) enum Task {
    Write(Detached),
    Flush,
    ShutDown,
}

/// How a [`Task`] went.
#[derive(Debug)]
pub(crate) enum Performed {
    /// So many bytes were written, if any were to be.
    Done(usize),
    /// The peer took nothing for as long as was to be waited.
    Stalled,
    /// The stream did not wait.
    Refused(io::Error),
    /// The stream is broken.
    Failed(io::Error),
}

impl Reader {
    pub(crate) fn new(stream: Handle) -> Self {
        Self {
            stream: Timed::new(stream),
            buffer: ReadBuffer::default(),
        }
    }

    /// Reads once, waiting until `deadline` at most and for as long as the caller has `patience`: to the end of `payload` if
    /// there is one, which is that of a large frame, else `limit` bytes at most. Gives how many bytes were read, none at the end
    /// of the stream, and those that were not of the payload.
    pub(crate) fn read(
        &mut self,
        deadline: Option<Instant>,
        patience: Option<Duration>,
        limit: usize,
        payload: Option<&mut Vec<u8>>,
    ) -> (io::Result<usize>, BytesMut) {
        let stream = &mut self.stream;
        match payload {
            Some(payload) => {
                let read = self
                    .buffer
                    .read_into(payload, stream, deadline, patience, limit);
                (read, BytesMut::new())
            }
            None => self.buffer.read(stream, deadline, patience, limit, |_| {}),
        }
    }
}

impl Writer {
    pub(crate) fn new(stream: Handle) -> Self {
        Self {
            is_vectored: stream.writes_vectored(),
            stream: Timed::new(stream),
            chunks: Vec::new(),
        }
    }

    /// Takes what the job needs out of the connection.
    pub(crate) fn prepare(&mut self, job: Job, driver: &mut Driver) -> Task {
        match job {
            Job::Write => {
                let max_chunks = if self.is_vectored { MAX_CHUNKS } else { 1 };
                let transmit = driver.connection.transmit();
                Task::Write(transmit.detach(&mut self.chunks, max_chunks))
            }
            Job::Flush => Task::Flush,
            Job::ShutDown => Task::ShutDown,
        }
    }

    /// Does it, waiting `patience` at most for the peer.
    pub(crate) fn perform(&mut self, task: &Task, patience: Duration) -> Performed {
        let started = now();
        let performed = match task {
            Task::Write(_) => {
                wait_out_until(started.checked_add(patience), || self.write(patience))
            }
            Task::Flush => self.stream.flush().map(|()| 0),
            Task::ShutDown => self.stream.stream.shutdown_write().map(|()| 0),
        };
        self.chunks.clear();
        match performed {
            Ok(count) => Performed::Done(count),
            Err(error) if is_timeout(&error) => {
                // Timeouts are rounded on their way through the operating system.
                let waited = now().saturating_duration_since(started) + SHORTEST_WAIT;
                match waited >= patience {
                    true => Performed::Stalled,
                    false => Performed::Refused(error),
                }
            }
            Err(error) => Performed::Failed(error),
        }
    }

    fn write(&mut self, patience: Duration) -> io::Result<usize> {
        self.stream.before_write(Some(patience))?;
        loop {
            let written = match self.chunks.as_slice() {
                // Most writes are one chunk, and need no array of them.
                [chunk] => self.stream.stream.write(chunk),
                chunks => {
                    let mut slices = [IoSlice::new(&[]); MAX_CHUNKS];
                    let mut filled = 0;
                    for (slot, chunk) in slices.iter_mut().zip(chunks) {
                        *slot = IoSlice::new(chunk);
                        filled += 1;
                    }
                    self.stream.stream.write_vectored(&slices[..filled])
                }
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }
}
