//! A stream during the opening handshake: one absolute deadline over everything.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use ws_handshake::server::Rejection;

use crate::AcceptError;
use crate::scratch;

/// What one read takes at most; heads are rarely longer.
const READ_SIZE: usize = 4 * 1024;

/// After a refusal this much more is read and thrown away, so that closing the transport does not reset it and
/// destroy the answer on its way to the client.
const DRAIN_LIMIT: usize = 1024 * 1024;

/// For that there is at least this much time, even if the deadline is nearer: a client that drips until the deadline is
/// to see why it was refused.
const DRAIN_TIME: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Exchange<S> {
    pub(crate) stream: S,
    pub(crate) deadline: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    pub(crate) fn new(stream: S, timeout: Option<Duration>) -> Self {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self { stream, deadline }
    }

    /// What one read gives, nothing at the end of the stream. It lies in the thread's read buffer: who keeps any of it
    /// makes a copy.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<BytesMut>> {
        let mut filled = BytesMut::new();
        let read = scratch::fill(
            &mut filled,
            |_, buffer| scratch::poll_read(&mut self.stream, cx, buffer, READ_SIZE),
            |filled, buffer| *filled = buffer.split(),
        );
        read.map_ok(|_| filled)
    }

    /// Appends what one read gives to `buffer`.
    pub(crate) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let deadline = self.deadline;
        let filled = within(deadline, poll_fn(|cx| self.poll_read(cx))).await?;
        buffer.extend_from_slice(&filled);
        Ok(filled.len())
    }

    /// Writes all of `bytes`, of which what is written is gone, and flushes.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut impl Buf,
    ) -> Poll<io::Result<()>> {
        while bytes.has_remaining() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, bytes.chunk()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => bytes.advance(written),
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let deadline = self.deadline;
        within(deadline, poll_fn(|cx| self.poll_write(cx, &mut bytes))).await
    }

    pub(crate) async fn refuse(&mut self, rejection: &Rejection) -> Result<(), AcceptError> {
        let mut response = Vec::new();
        rejection.encode(&mut response);
        self.respond(&response).await
    }

    pub(crate) async fn respond(&mut self, response: &[u8]) -> Result<(), AcceptError> {
        self.write(response).await.map_err(AcceptError::from_io)?;
        let shut_down = within(self.deadline, self.stream.shutdown()).await;
        if shut_down.is_err() {
            // The client will only learn of the end when the stream is dropped, so there is no end of its to wait for.
            return Ok(());
        }
        let soonest = Instant::now() + DRAIN_TIME;
        let deadline = self.deadline.map(|deadline| deadline.max(soonest));
        let mut discarded = BytesMut::with_capacity(READ_SIZE);
        let mut drained = 0;
        while drained < DRAIN_LIMIT {
            match within(deadline, self.stream.read_buf(&mut discarded)).await {
                Ok(count) if count > 0 => drained += count,
                // The answer is written; how the client leaves is its own affair.
                Ok(_) | Err(_) => break,
            }
            discarded.clear();
        }
        Ok(())
    }

    /// Whether a failed read or write means that the deadline has passed.
    pub(crate) fn is_overdue(&self, error: &io::Error) -> bool {
        self.deadline.is_some() && error.kind() == io::ErrorKind::TimedOut
    }
}

/// Carries `operation` out, or fails with [`io::ErrorKind::TimedOut`] at the deadline.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    operation: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, operation)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        None => operation.await,
    }
}
