//! One large read buffer per thread, so that an idle connection holds none.

use std::cell::Cell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What one read takes at most: a message of 64 KiB with its header. Reads that stop short split bursts, with 4 KiB a
/// burst of four 4 KiB messages costs 3.6 times as much; larger ones gain nothing, and would let a peer have that much
/// more memory at once.
pub(crate) const READ_MAX: usize = 64 * 1024 + 14;

/// The size of a thread's read buffer: beside a read, it has room for the beginning of a frame.
const SCRATCH_SIZE: usize = READ_MAX + 4 * 1024;

/// While messages still share the scratch buffer, its free tail serves as long as it is at least this large.
const READ_MIN: usize = 16 * 1024;

thread_local! {
    static SCRATCH: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// Lends the thread's buffer, which is empty, and gives what it was filled with.
///
/// It is only ever in use inside one call: `fill` does not suspend. Should the stream read through another connection
/// on the same thread, that one finds no buffer and makes a new one.
pub(crate) fn fill<R>(fill: impl FnOnce(&mut BytesMut) -> R) -> (R, BytesMut) {
    let mut scratch = SCRATCH.take();
    if !scratch.try_reclaim(SCRATCH_SIZE) && scratch.capacity() < READ_MIN {
        scratch = BytesMut::with_capacity(SCRATCH_SIZE);
    }
    let result = fill(&mut scratch);
    // A split costs two atomic operations, and mostly there is nothing when a connection begins to wait.
    let filled = match scratch.is_empty() {
        true => BytesMut::new(),
        false => scratch.split(),
    };
    SCRATCH.set(scratch);
    (result, filled)
}

/// Reads once into the spare capacity of `buffer`, `limit` bytes at most. `Ok(0)` is the end of the stream.
pub(crate) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
    limit: usize,
) -> Poll<io::Result<usize>> {
    // The future holds nothing but its arguments, so polling it once and dropping it is one `poll_read`.
    let mut buffer = buffer.limit(limit);
    let read = pin!(stream.read_buf(&mut buffer));
    Future::poll(read as Pin<&mut _>, cx)
}
