//! Where reads go.

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::Stream;
use crate::timed::Timed;

/// What a read takes of a connection that has little to read.
pub(crate) const READ_MIN: usize = 2 * 1024;

/// The read buffer grows to this while reads fill it: a message of 64 KiB with its header. 4 KiB reads would split
/// bursts, and larger ones measured no faster.
const READ_MAX: usize = 64 * 1024 + 14;

/// What one read takes at most of a frame that is read into its own buffer.
const OWN_READ_MAX: usize = 1024 * 1024;

/// The read buffer is let go after so many small reads in a row. Every large message ends with a small one.
const SMALL_READS: u8 = 8;

/// A buffer as large as reads deserve.
///
/// What was read is given away without a copy. When the connection is done with that, its place is read into again.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    /// Empty: the place behind what was given away.
    bytes: BytesMut,
    /// What the next read takes at most. What is read into has to be initialized, and to do that for far more than
    /// comes would cost more than the read.
    size: usize,
    /// How many reads in a row would have fitted the smallest buffer.
    small_reads: u8,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self {
            bytes: BytesMut::new(),
            size: READ_MIN,
            small_reads: 0,
        }
    }
}

impl ReadBuffer {
    /// Reads once, `limit` bytes at most, behind what `carry` puts in front, waiting until `deadline` at most and for as
    /// long as the caller has `patience`. Gives how many bytes were read, none at the end of the stream, and what was
    /// carried with them behind it.
    pub(crate) fn read<S: Stream>(
        &mut self,
        stream: &mut Timed<S>,
        deadline: Option<Instant>,
        patience: Option<Duration>,
        limit: usize,
        carry: impl FnOnce(&mut BytesMut),
    ) -> (io::Result<usize>, BytesMut) {
        if limit <= READ_MIN {
            self.shrink();
        }
        // Where a read has panicked, what it carried is lost.
        self.bytes.clear();
        let size = self.size.min(READ_MAX);
        if !self.bytes.try_reclaim(size) {
            self.bytes = BytesMut::with_capacity(size);
        }
        carry(&mut self.bytes);
        let size = size.min(limit);
        let read = read_behind(&mut self.bytes, stream, deadline, patience, size);
        let received = self.bytes.split();
        self.adapt(size, &read);
        (read, received)
    }

    /// The same into spare capacity of `buffer`, which belongs to a large frame.
    pub(crate) fn read_into<S: Stream>(
        &mut self,
        buffer: &mut BytesMut,
        stream: &mut Timed<S>,
        deadline: Option<Instant>,
        patience: Option<Duration>,
        limit: usize,
    ) -> io::Result<usize> {
        let room = buffer.capacity().saturating_sub(buffer.len());
        let size = self.size.min(room).min(limit);
        let read = read_behind(buffer, stream, deadline, patience, size);
        self.adapt(size, &read);
        read
    }

    /// Grows while reads fill what they are given, and shrinks when they have become small. A read that fails says
    /// nothing about the size.
    fn adapt(&mut self, size: usize, read: &io::Result<usize>) {
        let Ok(count) = *read else { return };
        self.small_reads = match count < READ_MIN {
            true => self.small_reads.saturating_add(1),
            false => 0,
        };
        if count >= self.size {
            self.size = size.saturating_mul(2).min(OWN_READ_MAX);
        } else if self.small_reads >= SMALL_READS {
            self.shrink();
        } else if count < size / 4 {
            self.size = (self.size / 2).max(READ_MAX).min(self.size);
        }
    }

    fn shrink(&mut self) {
        if self.size != READ_MIN {
            self.size = READ_MIN;
            self.bytes = BytesMut::new();
        }
    }
}

/// Reads once, `size` bytes at most, to the end of `buffer`.
fn read_behind<S: Stream>(
    buffer: &mut BytesMut,
    stream: &mut Timed<S>,
    deadline: Option<Instant>,
    patience: Option<Duration>,
    size: usize,
) -> io::Result<usize> {
    let len = buffer.len();
    buffer.resize(len.saturating_add(size), 0);
    let room = buffer.get_mut(len..).unwrap_or_default();
    let read = stream.read_patiently(room, deadline, patience);
    // A stream may say that it has read more than it was asked for.
    let count = read.as_ref().map_or(0, |count| (*count).min(size));
    buffer.truncate(len.saturating_add(count));
    read.map(|_| count)
}
