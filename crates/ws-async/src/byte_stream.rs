//! A byte stream over binary messages: [`ByteStream`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_proto::{CloseCode, CloseInfo, Compress, Message, MessageKind};

use crate::driver::Driver;
use crate::streaming::hand_out;
use crate::streaming::sealed::Receiving as _;
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::{Error, WebSocket};

/// The largest message that one write makes.
const WRITE_MAX: usize = 64 * 1024;

/// The reason in the Close frame for a peer that sends text.
const NO_TEXT: &str = "this stream is binary";

/// A connection as a stream of bytes, for protocols that want one: each write is one binary message, and reading
/// gives the payloads of the binary messages that arrive, one after the other, whatever their size.
///
/// The boundaries of messages carry no meaning, as those of TCP segments carry none. A text message is refused with
/// 1003 and [`io::ErrorKind::InvalidData`]. The peer's Close frame is the end of the stream; a connection that is lost
/// without one is an error.
///
/// `shutdown` sends a Close frame with 1000, after which what the peer still has to say can be read until its Close
/// frame; [`close`](Self::close) waits for that and drops what arrives. Dropping the stream drops the connection
/// without a Close frame.
#[derive(Debug)]
pub struct ByteStream<S> {
    ws: WebSocket<S>,
    compress: Compress,
    /// What has arrived and was not read.
    rest: Bytes,
    /// Whether more of the current message is to come.
    inside: bool,
    ended: bool,
    sides: Sides,
}

/// The two tasks that may wait, for `tokio::io::split` gives each direction to one. The connection knows a single waker: who
/// writes looks for input too, and who reads writes what is owed.
///
/// A stream keeps the promise of its last poll only, and who does something for one side may change what the other one
/// waits for: then that is [woken](Tasks::wake_side).
#[derive(Debug)]
struct Sides {
    tasks: Arc<Tasks>,
    /// Theirs.
    waker: Waker,
}

#[derive(Debug, Default)]
struct Tasks {
    reader: Mutex<Option<Waker>>,
    writer: Mutex<Option<Waker>>,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Reader,
    Writer,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Reader => Self::Writer,
            Self::Writer => Self::Reader,
        }
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for side in [Side::Reader, Side::Writer] {
            self.wake_side(side);
        }
    }
}

impl Tasks {
    /// No waker is woken, cloned or dropped while this is locked: with the last waker of a task its executor may drop the
    /// task, and what that held may wake the others.
    fn side(&self, side: Side) -> MutexGuard<'_, Option<Waker>> {
        let side = match side {
            Side::Reader => &self.reader,
            Side::Writer => &self.writer,
        };
        side.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_side(&self, side: Side) {
        let waker = self.side(side).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells too whether it has waited before, and was not woken since.
    fn wait(&self, side: Side, waker: &Waker) -> bool {
        let known = self.side(side);
        if known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return true;
        }
        drop(known);
        let waker = waker.clone();
        let known = self.side(side).replace(waker);
        known.is_some()
    }

    fn forget(&self, side: Side) {
        let known = self.side(side).take();
        drop(known);
    }
}

impl Sides {
    fn new() -> Self {
        let tasks = Arc::<Tasks>::default();
        let waker = Waker::from(Arc::clone(&tasks));
        Self { tasks, waker }
    }
}

impl<S> ByteStream<S> {
    pub(crate) fn new(ws: WebSocket<S>) -> Self {
        Self {
            ws,
            compress: Compress::Auto,
            rest: Bytes::new(),
            inside: false,
            ended: false,
            sides: Sides::new(),
        }
    }

    /// Says whether what is written from now on is compressed where compression was agreed.
    #[must_use]
    pub const fn with_compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// The connection, for its state and how it ended.
    pub const fn get_ref(&self) -> &WebSocket<S> {
        &self.ws
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ByteStream<S> {
    /// Carries out the whole closing handshake, as [`WebSocket::close`] does.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the connection, perhaps without a Close frame.
    pub async fn close(mut self) -> Result<CloseInfo, Error> {
        if self.inside {
            self.ws.discard();
        }
        self.ws.close(CloseCode::NORMAL, "").await
    }

    /// Tries an operation of one side.
    fn poll_side<R>(
        &mut self,
        side: Side,
        cx: &Context<'_>,
        operation: impl FnOnce(&mut Driver<S>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let Self { ws, sides, .. } = self;
        let has_waited = sides.tasks.wait(side, cx.waker());
        let mut has_changed = false;
        let polled = ws
            .owner
            .poll_form(&mut Context::from_waker(&sides.waker), |driver, cx| {
                let before = driver.outlook();
                let polled = operation(driver, cx);
                has_changed = driver.take_stranded() || driver.outlook() != before;
                polled
            });
        // Who has begun to flush, and writes more, may still wait for the former.
        if polled.is_ready() && !has_waited {
            sides.tasks.forget(side);
        }
        if has_changed {
            sides.tasks.wake_side(side.other());
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for ByteStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() && !this.ended && buffer.remaining() > 0 {
            // The stream has no messages, so it has no limit on them either.
            let begin = (!this.inside).then_some(Some(u64::MAX));
            let polled = this.poll_side(Side::Reader, cx, |driver, cx| {
                let polled = driver.poll_chunk(cx, begin);
                driver.reader_stays();
                polled
            });
            match ready!(polled)? {
                Some(chunk) if chunk.kind == MessageKind::Text => {
                    this.ended = true;
                    this.ws.begin_close(CloseCode::UNSUPPORTED_DATA, NO_TEXT)?;
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, NO_TEXT)));
                }
                Some(chunk) => {
                    this.inside = !chunk.last;
                    this.rest = chunk.data;
                }
                None if this.inside => {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                None => this.ended = true,
            }
        }
        hand_out(&mut this.rest, buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for ByteStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let len = bytes.len().min(WRITE_MAX);
        let compress = this.compress;
        ready!(this.poll_side(Side::Writer, cx, |driver, cx| {
            ready!(driver.poll_room(cx, false))?;
            let message = Message::from(&bytes[..len]);
            driver.is_about_to_feed();
            driver.connection.send_with(message, compress)?;
            // What the transport takes at once should not wait for a flush: few writers of streams call one.
            driver.write_and_shut_down(cx);
            Poll::Ready(Ok::<_, Error>(()))
        }))?;
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .poll_side(Side::Writer, cx, |driver, cx| driver.poll_flush(cx, false))
            .map_err(io::Error::from)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .poll_side(Side::Writer, cx, |driver, cx| {
                driver.begin_close(CloseCode::NORMAL, "")?;
                driver.poll_flush(cx, false)
            })
            .map_err(io::Error::from)
    }
}
