//! The two pipes between two ends.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::Waker;

/// Two pipes. Each end reads from one and writes to the other.
#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) pipes: Mutex<[Pipe; 2]>,
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) bytes: VecDeque<u8>,
    /// Everything that ever went in.
    pub(super) written: Vec<u8>,
    /// How many bytes wait at most.
    pub(super) capacity: Option<usize>,
    /// Nothing more goes in.
    pub(super) ended: bool,
    /// Nobody reads any more.
    pub(super) abandoned: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Wire {
    pub(super) fn pipes(&self) -> MutexGuard<'_, [Pipe; 2]> {
        lock(&self.pipes)
    }
}

impl Pipe {
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.written.extend_from_slice(bytes);
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        let len = len.min(self.bytes.len());
        let taken = self.bytes.drain(..len).collect();
        self.writer.take().into_iter().for_each(Waker::wake);
        taken
    }

    pub(super) fn room(&self) -> usize {
        self.capacity.map_or(usize::MAX, |capacity| {
            capacity.saturating_sub(self.bytes.len())
        })
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no user of the stream has panicked")
}
