//! Where reads go.

use std::io;
use std::time::{Duration, Instant};

use crate::Stream;
use crate::timed::Timed;

/// The read buffer of a connection that has little to read.
pub(crate) const READ_MIN: usize = 4 * 1024;

/// The read buffer grows to this while reads fill it: 4 KiB reads would split bursts, and 64 KiB measured as fast as
/// anything larger.
const READ_MAX: usize = 64 * 1024;

/// The read buffer is let go after so many small reads in a row. Every large message ends with a small one.
const SMALL_READS: u8 = 8;

/// A buffer as large as reads deserve. Bytes leave it before the next read.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    /// What the last read gave.
    count: usize,
    /// How many reads in a row would have fitted the smallest buffer.
    small_reads: u8,
}

impl ReadBuffer {
    /// Reads once, `limit` bytes at most, waiting until `deadline` at most and for as long as the caller has `patience`,
    /// and gives what was read: nothing at the end of the stream.
    pub(crate) fn read<S: Stream>(
        &mut self,
        stream: &mut Timed<S>,
        deadline: Option<Instant>,
        patience: Option<Duration>,
        limit: usize,
    ) -> io::Result<&[u8]> {
        match limit <= READ_MIN {
            true => self.shrink(),
            false => self.adapt(),
        }
        // A read that fails says nothing about the size.
        self.count = 0;
        let len = self.bytes.len().min(limit);
        let bytes = self.bytes.get_mut(..len).unwrap_or_default();
        self.count = stream.read_patiently(bytes, deadline, patience)?;
        Ok(self.bytes.get(..self.count).unwrap_or_default())
    }

    /// Grows while reads fill it, and shrinks when they have become small.
    fn adapt(&mut self) {
        let len = self.bytes.len();
        self.small_reads = match self.count < READ_MIN {
            true => self.small_reads.saturating_add(1),
            false => 0,
        };
        if self.count == len && len < READ_MAX {
            self.bytes.resize((len * 2).max(READ_MIN), 0);
        } else if self.small_reads >= SMALL_READS {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.bytes.len() != READ_MIN {
            self.bytes.resize(READ_MIN, 0);
            self.bytes.shrink_to_fit();
        }
    }
}
