//! Where reads go.

use std::io;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::Stream;
use crate::timed::Timed;

/// What a read takes of a connection that has little to read.
pub(crate) const READ_MIN: usize = 2 * 1024;

/// The read buffer grows to this while reads fill it: a message of 64 KiB with its header. 4 KiB reads would split
/// bursts, and larger ones measured no faster.
const READ_MAX: usize = 64 * 1024 + 14;

/// What one read of a large frame is expected to give at most.
const OWN_READ_MAX: usize = 1024 * 1024;

/// The read buffer is let go after so many small reads in a row. Every large message ends with a small one.
const SMALL_READS: u8 = 8;

/// A buffer as large as reads deserve.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    /// Empty: what is read into.
    memory: Vec<u8>,
    /// Empty: the place behind what was given away. Its memory is read into again when nobody has any of it.
    given: BytesMut,
    /// What the next read is expected to give at most.
    size: usize,
    /// How many reads in a row would have fitted the smallest buffer.
    small_reads: u8,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self {
            memory: Vec::new(),
            given: BytesMut::new(),
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
        carry: impl FnOnce(&mut Vec<u8>),
    ) -> (io::Result<usize>, BytesMut) {
        if limit <= READ_MIN {
            self.shrink();
        }
        let size = self.size.min(READ_MAX).min(limit);
        // Where a read panics, what it carried is lost.
        let mut memory = self.take_memory(size, limit);
        carry(&mut memory);
        memory.reserve_exact(size);
        let read = stream.read_patiently(&mut memory, size, deadline, patience);
        let received = self.give(memory);
        self.adapt(size, &read);
        (read, received)
    }

    /// The same to the end of `payload`, which is that of a large frame and has room for more, as much as the peer has earned.
    /// Only a stream that has to initialize what it reads into keeps to the `limit`.
    pub(crate) fn read_into<S: Stream>(
        &mut self,
        payload: &mut Vec<u8>,
        stream: &mut Timed<S>,
        deadline: Option<Instant>,
        patience: Option<Duration>,
        limit: usize,
    ) -> io::Result<usize> {
        let room = payload.capacity().saturating_sub(payload.len());
        let size = self.size.min(room).min(limit);
        let read = stream.read_patiently(payload, size, deadline, patience);
        self.adapt(size, &read);
        read
    }

    /// Memory with room for `size` bytes, and for `limit` at most.
    fn take_memory(&mut self, size: usize, limit: usize) -> Vec<u8> {
        let mut memory = std::mem::take(&mut self.memory);
        if memory.capacity() == 0 {
            // There is none where a message lies that somebody has.
            memory = Vec::from(std::mem::take(&mut self.given));
        }
        match (size..=limit).contains(&memory.capacity()) {
            true => memory,
            false => Vec::with_capacity(size),
        }
    }

    /// Gives away what was read: the memory, or a copy that is smaller by far. Messages may share it and be kept, and are
    /// not to keep much more than they are.
    fn give(&mut self, mut memory: Vec<u8>) -> BytesMut {
        if memory.len() < memory.capacity() / 4 {
            let received = BytesMut::from(&*memory);
            memory.clear();
            self.memory = memory;
            return received;
        }
        // No copy, for nobody shares it yet.
        self.given = BytesMut::from(Bytes::from(memory));
        self.given.split()
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
            self.size = self.size.saturating_mul(2).min(OWN_READ_MAX);
        } else if self.small_reads >= SMALL_READS {
            self.shrink();
        } else if count < size / 4 {
            self.size = (self.size / 2).max(READ_MAX).min(self.size);
        }
    }

    fn shrink(&mut self) {
        if self.size != READ_MIN {
            *self = Self::default();
        }
    }
}
