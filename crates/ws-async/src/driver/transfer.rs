//! Bytes to and from the stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_proto::State;

use super::Driver;
use crate::hint::rarely;
use crate::last_write;
use crate::scratch::{self, READ_MAX};

/// Chunks handed to one vectored write.
const MAX_CHUNKS: usize = 64;

/// What one read takes at most from a peer that does not take what it is owed: what it goes on sending is to cost
/// little memory.
const READ_STALLED: usize = 4 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Driver<S> {
    /// Writes as much as the stream takes, without waiting: reading must never wait for writing, or two peers that
    /// both have Pongs to write would wait for each other.
    pub(crate) fn write_and_shut_down(&mut self, cx: &mut Context<'_>) {
        self.owes_answer = false;
        let was_open = self.connection.state() == State::Open;
        if !was_open {
            self.write_last();
        }
        match self.poll_write_queued(cx) {
            // Reading goes on: the peer may have closed the connection properly before it left.
            Poll::Ready(Err(error)) => _ = self.transport_error.get_or_insert(error),
            // Nothing but a failure ends a connection by a write.
            _ if was_open => return,
            _ => {}
        }
        self.shut_down(cx);
    }

    /// Shuts the write side down if it is time for that.
    #[cold]
    fn shut_down(&mut self, cx: &mut Context<'_>) {
        if !self.shut_down
            && self.connection.wants_shutdown()
            && let Poll::Ready(shut_down) = Pin::new(&mut self.stream).poll_shutdown(cx)
        {
            self.shut_down = true;
            if shut_down.is_err() {
                // The peer will only learn of the end when the stream is dropped: to wait for its end would be to wait
                // for each other.
                self.end();
            }
        }
    }

    /// Whether [`write_and_shut_down`](Self::write_and_shut_down) would do nothing, and the connection goes on.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.is_out()
            && !(self.owes_answer || self.is_fed || self.is_deferred)
            && self.connection.state() == State::Open
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.connection.handle_eof();
    }

    pub(super) fn poll_write_queued(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = ready!(self.poll_write(cx));
        if let Err(error) = &written {
            self.fail_writing(error);
        }
        Poll::Ready(written)
    }

    /// Lets the stream send the end, which comes next, with what is written before it.
    #[cold]
    fn write_last(&mut self) {
        if self.shut_down || !self.connection.writes_last() {
            return;
        }
        let transmit = self.connection.transmit();
        let bytes = transmit.chunk();
        if bytes.is_empty() || bytes.len() < transmit.remaining() {
            return;
        }
        match last_write::write(&self.stream, bytes) {
            Ok(0) => {}
            Ok(written) => {
                transmit.advance(written);
                self.unflushed = true;
            }
            Err(error) => {
                self.fail_writing(&error);
                self.transport_error.get_or_insert(error);
            }
        }
    }

    fn fail_writing(&mut self, error: &io::Error) {
        self.lose();
        self.unwritable = Some(error.kind());
        self.is_deferred = false;
        self.connection.handle_write_failed();
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let vectored = self.stream.is_write_vectored();
        loop {
            if rarely(self.rests) && self.connection.has_more_to_compress() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let transmit = self.connection.transmit();
            if !transmit.has_remaining() {
                break;
            }
            let stream = Pin::new(&mut self.stream);
            // Most writes are one chunk, and need no array of them.
            let written = if rarely(vectored && transmit.chunk().len() < transmit.remaining()) {
                let mut chunks = [IoSlice::new(&[]); MAX_CHUNKS];
                let filled = transmit.chunks_vectored(&mut chunks);
                stream.poll_write_vectored(cx, &chunks[..filled])
            } else {
                stream.poll_write(cx, transmit.chunk())
            };
            let Poll::Ready(written) = written else {
                // The wait may be long.
                scratch::keep_staging(transmit.reclaim());
                return Poll::Pending;
            };
            let written = written?;
            if rarely(written == 0) {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            scratch::keep_staging(transmit.advance_and_reclaim(written));
            self.unflushed = true;
            self.rests = self.connection.has_more_to_compress();
        }
        if self.unflushed {
            ready!(self.poll_flush_stream(cx))?;
            // A connection that is not open any more has queued its Close frame.
            self.data_is_out = self.connection.state() != State::Open;
        }
        self.is_fed = false;
        self.is_deferred = false;
        Poll::Ready(Ok(()))
    }

    /// Lets the stream send what it was given so far, although more is to come. Ready also when it cannot.
    pub(super) fn poll_flush_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.unflushed {
            if let Err(error) = ready!(self.poll_flush_stream(cx)) {
                self.fail_writing(&error);
            }
            // Whoever waits for room waits for the wake of this.
            _ = self.poll_write_queued(cx);
        }
        Poll::Ready(())
    }

    fn poll_flush_stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.connection.handle_held_back(flushed.is_pending());
        ready!(flushed)?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// The connection is over: what the stream still holds back will never leave it. Only if our Close frame has left
    /// it for certain, everything has.
    pub(crate) fn give_up_flushing(&mut self) {
        if std::mem::take(&mut self.unflushed) && !self.data_is_out {
            self.unwritable.get_or_insert(io::ErrorKind::NotConnected);
        }
    }

    /// Reads once: the rest of a large frame into that frame's own memory, anything else into the thread's buffer.
    ///
    /// Notes whether it was a message and nothing else, and has come to the connection `alone`; `None` is for whoever lends
    /// the message, and does not take it.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        alone: Option<&mut bool>,
    ) -> Poll<io::Result<usize>> {
        let read = self.poll_read_stream(cx, alone);
        self.promised = read.is_pending();
        read
    }

    fn poll_read_stream(
        &mut self,
        cx: &mut Context<'_>,
        alone: Option<&mut bool>,
    ) -> Poll<io::Result<usize>> {
        let stalled = self.connection.unwritten().has_remaining();
        if rarely(self.connection.prefers_payload_buffer())
            && let Some(payload) = self.connection.payload_buffer()
        {
            let limit = if stalled { READ_STALLED } else { usize::MAX };
            return scratch::poll_read(&mut self.stream, cx, payload, limit);
        }
        let limit = if stalled { READ_STALLED } else { READ_MAX };
        // The beginning of a frame that the last read ended with goes in front of what comes, and must not keep the
        // buffer from being used for that.
        let is_carried = !self.connection.is_drained();
        if rarely(is_carried) {
            self.connection.park();
        }
        let read = scratch::fill(
            self,
            |driver, buffer| {
                if rarely(is_carried) {
                    driver.connection.carry_into(buffer);
                }
                scratch::poll_read(&mut driver.stream, cx, buffer, limit)
            },
            |driver, buffer| match alone {
                Some(alone) if driver.connection.receive_alone(buffer) => *alone = true,
                _ => driver.connection.handle_received(buffer.split()),
            },
        );
        if read.is_pending() {
            self.park();
        }
        read
    }

    /// Holds on to nothing that is the thread's: the wait may be long.
    #[inline]
    pub(super) fn park(&mut self) {
        self.connection.park();
        let transmit = self.connection.unwritten();
        if rarely(!transmit.wants_memory() && !transmit.has_remaining()) {
            // It was lent for replies, and there were none.
            scratch::keep_staging(transmit.reclaim());
        }
    }
}
