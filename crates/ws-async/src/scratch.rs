//! One large read buffer per thread, and memory for replies, so that an idle connection holds none.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What one read takes at most: a message of 64 KiB with its header. Reads that stop short split bursts: in a prototype
/// with reads of 4 KiB bursts of four messages of 4 KiB cost 3.6 times what a raw echo does, and with these 1.4 times.
/// Larger ones gain nothing, and would let a peer have that much more memory at once.
pub(crate) const READ_MAX: usize = 64 * 1024 + 14;

/// The size of a thread's read buffer: beside a read, it has room for the beginning of a frame.
const SCRATCH_SIZE: usize = READ_MAX + 4 * 1024;

/// While messages still share the scratch buffer, its free tail serves as long as it is at least this large.
const READ_MIN: usize = 16 * 1024;

/// The largest memory for replies that a thread keeps: as much as answers one read, and what a growing buffer takes
/// beyond that.
const STAGING_MAX: usize = 128 * 1024;

thread_local! {
    /// What replies are put together in. It is with the connection that writes, and mostly back before another does.
    static STAGING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static SCRATCH: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// Lends the thread's buffer, which is empty, and hands it on to `taker` if it was filled with anything, for it to copy that
/// or to split it off.
///
/// It is only ever in use inside one call: `fill` does not suspend. Should the stream read through another connection
/// on the same thread, that one makes a buffer of its own.
#[inline]
pub(crate) fn fill<T, R>(
    taker: &mut T,
    fill: impl FnOnce(&mut T, &mut BytesMut) -> R,
    hand_on: impl FnOnce(&mut T, &mut BytesMut),
) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut buffer) => fill_lent(&mut buffer, taker, fill, hand_on),
        Err(_) => fill_own(taker, fill, hand_on),
    })
}

#[cold]
fn fill_own<T, R>(
    taker: &mut T,
    fill: impl FnOnce(&mut T, &mut BytesMut) -> R,
    hand_on: impl FnOnce(&mut T, &mut BytesMut),
) -> R {
    fill_lent(&mut BytesMut::new(), taker, fill, hand_on)
}

#[inline(always)]
fn fill_lent<T, R>(
    buffer: &mut BytesMut,
    taker: &mut T,
    fill: impl FnOnce(&mut T, &mut BytesMut) -> R,
    hand_on: impl FnOnce(&mut T, &mut BytesMut),
) -> R {
    // A stream that has panicked may have left something.
    buffer.clear();
    if buffer.capacity() < SCRATCH_SIZE {
        make_room(buffer);
    }
    let result = fill(taker, buffer);
    // Mostly there is nothing when a connection begins to wait.
    if !buffer.is_empty() {
        hand_on(taker, buffer);
    }
    result
}

#[inline(never)]
fn make_room(buffer: &mut BytesMut) {
    if !buffer.try_reclaim(SCRATCH_SIZE) && buffer.capacity() < READ_MIN {
        *buffer = BytesMut::with_capacity(SCRATCH_SIZE);
    }
}

/// Memory to put replies together in, if the thread has any.
#[inline]
pub(crate) fn take_staging() -> Vec<u8> {
    STAGING.try_with(Cell::take).unwrap_or_default()
}

/// Keeps such memory for the next who writes.
#[inline]
pub(crate) fn keep_staging(memory: Vec<u8>) {
    if (1..=STAGING_MAX).contains(&memory.capacity()) {
        // A connection that is dropped with its thread writes what it owes, and the thread keeps nothing any more.
        _ = STAGING.try_with(|staging| staging.set(memory));
    }
}

/// Reads once into the spare capacity of `buffer`, `limit` bytes at most. `Ok(0)` is the end of the stream.
#[inline(never)]
pub(crate) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut impl BufMut,
    limit: usize,
) -> Poll<io::Result<usize>> {
    // The future holds nothing but its arguments, so polling it once and dropping it is one `poll_read`.
    let mut buffer = buffer.limit(limit);
    let read = pin!(stream.read_buf(&mut buffer));
    Future::poll(read as Pin<&mut _>, cx)
}
