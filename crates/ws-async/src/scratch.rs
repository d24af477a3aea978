//! One large read buffer per thread, so that an idle connection holds none.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The size of a thread's read buffer. Reads that stop short split bursts: with 4 KiB a burst of four 4 KiB messages
/// costs 3.6 times as much as with this.
const SCRATCH_SIZE: usize = 256 * 1024;

/// While messages still share the scratch buffer, its free tail serves as long as it is at least this large.
const READ_MIN: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// Reads once into the thread's buffer and gives what came.
///
/// The buffer is only ever in use inside one call: `poll_read` does not suspend. Should the stream read through
/// another connection on the same thread, that one finds no buffer and makes a new one.
pub(crate) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
) -> Poll<io::Result<BytesMut>> {
    let mut scratch = SCRATCH.take();
    if !scratch.try_reclaim(SCRATCH_SIZE) && scratch.capacity() < READ_MIN {
        scratch = BytesMut::with_capacity(SCRATCH_SIZE);
    }
    let read = poll_read_into(stream, cx, &mut scratch);
    let received = scratch.split();
    SCRATCH.set(scratch);
    read.map_ok(|_| received)
}

/// Reads once into the spare capacity of `buffer`. `Ok(0)` is the end of the stream.
pub(crate) fn poll_read_into<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    // The future holds nothing but its arguments, so polling it once and dropping it is one `poll_read`.
    let read = pin!(stream.read_buf(buffer));
    Future::poll(read as Pin<&mut _>, cx)
}
