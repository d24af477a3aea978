//! What the stream has to do, and what it has done.

use std::io;

use bytes::Buf;
use ws_proto::Detached;

use super::Driver;
use crate::read_buffer::READ_MIN;

/// What the stream has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Write what [`Connection::transmit`] holds.
    Write,
    /// Pass on what it holds back.
    Flush,
    /// Shut its write side down.
    ShutDown,
}

impl Driver {
    /// What the stream has to do, if anything.
    pub(crate) fn job(&mut self) -> Option<Job> {
        if !self.connection.is_flushed() {
            return Some(Job::Write);
        }
        if self.unflushed {
            return Some(Job::Flush);
        }
        self.owes_answer = false;
        (!self.shut_down && self.connection.wants_shutdown()).then_some(Job::ShutDown)
    }

    /// Whether everything that could be written has been, and passed on.
    pub(crate) fn is_flushed(&self) -> bool {
        self.connection.is_flushed() && !self.unflushed
    }

    /// What one read takes at most, but for that of a large frame.
    pub(crate) fn read_limit(&mut self) -> usize {
        if self.connection.unwritten().has_remaining() {
            // The peer does not take what it is owed. What it goes on sending is to cost little memory.
            READ_MIN
        } else {
            usize::MAX
        }
    }

    /// Notes that so many bytes were written.
    pub(crate) fn wrote(&mut self, count: usize) {
        self.connection.unwritten().advance(count);
        self.unflushed = true;
    }

    /// Notes that so many bytes of what was detached were written; `false` if they are owed no more.
    pub(crate) fn wrote_detached(&mut self, detached: &mut Detached, count: usize) -> bool {
        let was_owed = self
            .connection
            .unwritten()
            .advance_detached(detached, count);
        self.unflushed |= was_owed;
        was_owed
    }

    /// Notes that the stream holds nothing back.
    pub(crate) const fn flushed(&mut self) {
        self.unflushed = false;
    }

    /// Notes how shutting the write side down went.
    pub(crate) fn shut_down(&mut self, result: io::Result<()>) {
        self.shut_down = true;
        if result.is_err() {
            // The peer will only learn of the end when the stream is dropped: to wait for its end would be to wait
            // for each other.
            self.end();
        }
    }

    /// Notes that nothing can be written any more. Reading goes on: the peer may have closed the connection properly
    /// before it left.
    pub(crate) fn write_failed(&mut self, error: io::Error) {
        self.unwritable = Some(error.kind());
        self.transport_error.get_or_insert(error);
        self.unflushed = false;
        self.lose();
        self.connection.handle_write_failed();
    }

    /// Notes how many bytes were read: none at the end of the stream.
    pub(crate) fn received(&mut self, count: usize) {
        self.heard = true;
        if count == 0 {
            self.end();
        }
    }

    /// Notes that nothing can be read any more.
    pub(crate) fn read_failed(&mut self, error: io::Error) {
        self.transport_error.get_or_insert(error);
        self.end();
    }
}
