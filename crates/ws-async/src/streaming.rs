//! Messages in pieces: [`MessageReader`] and [`MessageWriter`], for what is larger than memory or not known in full.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_proto::{Chunk, Compress, MessageKind, SendError};

use crate::Error;

/// What a writer collects before it sends a fragment.
const FRAGMENT: usize = 64 * 1024;

/// A message that is received in chunks, by [`WebSocket::reader`](crate::WebSocket::reader) or
/// [`Receiver::reader`](crate::Receiver::reader).
///
/// Memory is bounded by what has arrived since the last chunk, whatever the size of the message. Text is validated on
/// the way, and no chunk ends inside a character. Pings are answered between chunks.
///
/// As [`AsyncRead`] it gives the payload and ends where the message does; an error of the connection is inside the
/// [`io::Error`].
///
/// Dropping it skips the rest of the message: that is received and discarded with the next one.
#[derive(Debug)]
pub struct MessageReader<'a, R: ReceivingHalf> {
    half: &'a mut R,
    kind: MessageKind,
    /// A chunk that came before anybody asked for it.
    next: Option<Chunk>,
    /// What `AsyncRead` has not handed out.
    rest: Bytes,
    /// Whether the last chunk has come, or never will.
    is_over: bool,
}

impl<'a, R: ReceivingHalf> MessageReader<'a, R> {
    /// Waits for the beginning of a message.
    pub(crate) async fn of(half: &'a mut R, max_size: Option<u64>) -> Result<Option<Self>, Error> {
        struct Asking<'a, R: ReceivingHalf>(Option<&'a mut R>);
        impl<R: ReceivingHalf> Drop for Asking<'_, R> {
            fn drop(&mut self) {
                if let Some(half) = &mut self.0 {
                    // Given up before anything came: the next message is to be delivered whole again.
                    half.discard();
                }
            }
        }

        let mut asking = Asking(Some(half));
        let first = poll_fn(|cx| match &mut asking.0 {
            Some(half) => half.poll_chunk(cx, Some(max_size)),
            None => Poll::Ready(Ok(None)),
        })
        .await?;
        let (Some(first), Some(half)) = (first, asking.0.take()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            half,
            kind: first.kind,
            next: Some(first),
            rest: Bytes::new(),
            is_over: false,
        }))
    }

    /// Whether the message is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The next piece of the message; `None` when it is complete.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] when the peer closed the connection inside the message, otherwise as
    /// [`WebSocket::recv`](crate::WebSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no chunk is lost.
    pub async fn chunk(&mut self) -> Result<Option<Chunk>, Error> {
        Attempt::of(self, Self::poll_chunk).await
    }

    /// The polled form of [`chunk`](Self::chunk).
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>, Error>> {
        let chunk = match self.next.take() {
            Some(chunk) => chunk,
            None if self.is_over => return Poll::Ready(Ok(None)),
            None => {
                let polled = ready!(self.half.poll_chunk(cx, None));
                // Until there is a chunk there is no more.
                self.is_over = true;
                polled?.ok_or(Error::Truncated)?
            }
        };
        self.is_over = chunk.last;
        Poll::Ready(Ok(Some(chunk)))
    }
}

impl<R: ReceivingHalf> AsyncRead for MessageReader<'_, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() && buffer.remaining() > 0 {
            match ready!(this.poll_chunk(cx))? {
                Some(chunk) => this.rest = chunk.data,
                None => return Poll::Ready(Ok(())),
            }
        }
        hand_out(&mut this.rest, buffer);
        Poll::Ready(Ok(()))
    }
}

impl<R: ReceivingHalf> Drop for MessageReader<'_, R> {
    fn drop(&mut self) {
        let last_is_waiting = self.next.as_ref().is_some_and(|next| next.last);
        if !self.is_over && !last_is_waiting {
            self.half.discard();
        }
    }
}

/// Moves as much of `rest` as fits.
pub(crate) fn hand_out(rest: &mut Bytes, buffer: &mut ReadBuf<'_>) {
    let len = rest.len().min(buffer.remaining());
    buffer.put_slice(&rest[..len]);
    rest.advance(len);
}

/// A message that is sent in fragments, by [`WebSocket::writer`](crate::WebSocket::writer) or
/// [`Sender::writer`](crate::Sender::writer).
///
/// What is written is collected and leaves in fragments of 64 KiB, or of `Config::fragment_size` if that is less. Pongs,
/// Pings and a Close go in between. [`finish`](Self::finish) ends the message.
///
/// As [`AsyncWrite`], `flush` sends what was collected as a fragment, and `shutdown` finishes the message, not the
/// connection.
///
/// A writer that is dropped before that leaves the message unfinished for ever: there is no frame that takes it back.
/// Whatever is sent then fails with [`SendError::MessageUnfinished`]; close the connection.
#[derive(Debug)]
#[must_use = "a message has to be finished"]
pub struct MessageWriter<W: SendingHalf> {
    half: W,
    kind: MessageKind,
    compress: Compress,
    collected: BytesMut,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing was sent.
    Collecting,
    Begun,
    /// The last fragment is queued.
    Ended,
}

impl<W: SendingHalf> MessageWriter<W> {
    /// Waits for its turn to send a message.
    pub(crate) async fn of(mut half: W, kind: MessageKind) -> Result<Self, Error> {
        struct Turn<'a, W: SendingHalf>(&'a mut W);
        impl<W: SendingHalf> Settling for Turn<'_, W> {
            fn settle(&mut self) {
                self.0.settle();
            }
        }
        Attempt::of(&mut Turn(&mut half), |turn, cx| turn.0.poll_begin(cx)).await?;
        Ok(Self {
            half,
            kind,
            compress: Compress::Auto,
            collected: BytesMut::new(),
            progress: Progress::Collecting,
        })
    }

    /// Whether the message is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Says whether the message is compressed where compression was agreed. What is written first decides: with
    /// [`Compress::Auto`], if that gets shorter the whole message is compressed.
    pub const fn with_compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Adds to the message. A character of a text may be split over two calls.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidUtf8`] when a text is none; otherwise as [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if the future is dropped, part of `payload` may have been added.
    pub async fn write(&mut self, mut payload: &[u8]) -> Result<(), Error> {
        while !payload.is_empty() {
            let taken = Attempt::of(self, |this, cx| this.poll_take(cx, payload)).await?;
            payload = payload.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends what was collected, as a fragment.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); [`SendError::InvalidUtf8`] also when a text ends inside a character, which another
    /// `write` may complete.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flush(&mut self) -> Result<(), Error> {
        Attempt::of(self, Self::poll_flush_all).await
    }

    /// Ends the message and flushes.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush). After one the message stays unfinished.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may be unfinished; if it is finished, it goes out whole.
    pub async fn finish(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, payload: &[u8]) -> Poll<Result<usize, Error>> {
        if self.progress == Progress::Ended {
            return Poll::Ready(Err(SendError::Closed.into()));
        }
        if self.collected.len() >= FRAGMENT {
            ready!(self.poll_fragment(cx, false))?;
        }
        let len = payload
            .len()
            .min(FRAGMENT.saturating_sub(self.collected.len()));
        self.collected
            .extend_from_slice(payload.get(..len).unwrap_or_default());
        Poll::Ready(Ok(len))
    }

    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.collected.is_empty() {
            ready!(self.poll_fragment(cx, false))?;
        }
        self.half.poll_flush(cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.progress != Progress::Ended {
            ready!(self.poll_fragment(cx, true))?;
        }
        self.half.poll_flush(cx)
    }

    /// Queues what was collected, when there is room.
    fn poll_fragment(&mut self, cx: &mut Context<'_>, fin: bool) -> Poll<Result<(), Error>> {
        // A copy of the handle: what is refused stays collected.
        let fragment = self.collected.split().freeze();
        let sent = self
            .half
            .poll_fragment(cx, self.kind, &fragment, fin, self.compress);
        match sent {
            Poll::Ready(Ok(())) => {
                self.progress = match fin {
                    true => Progress::Ended,
                    false => Progress::Begun,
                };
                if fin {
                    self.half.end(true);
                }
            }
            // What it was taken from goes first: then nobody else holds it, and no copy is made.
            _ => {
                self.collected = BytesMut::new();
                self.collected = BytesMut::from(fragment);
            }
        }
        sent
    }
}

impl<W: SendingHalf> AsyncWrite for MessageWriter<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_take(cx, bytes).map_err(io::Error::from)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush_all(cx).map_err(io::Error::from)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_finish(cx).map_err(io::Error::from)
    }
}

impl<W: SendingHalf> Drop for MessageWriter<W> {
    fn drop(&mut self) {
        if self.progress == Progress::Ended {
            // Perhaps it was given up before it was written.
            self.half.settle();
        } else {
            self.half.end(self.progress == Progress::Collecting);
        }
    }
}

/// An attempt of a reader or a writer that may be given up: what it leaves owed is written all the same.
struct Attempt<'a, T: Settling, F> {
    on: &'a mut T,
    attempt: F,
    is_pending: bool,
}

trait Settling {
    fn settle(&mut self);
}

impl<R: ReceivingHalf> Settling for MessageReader<'_, R> {
    fn settle(&mut self) {
        self.half.settle();
    }
}

impl<W: SendingHalf> Settling for MessageWriter<W> {
    fn settle(&mut self) {
        self.half.settle();
    }
}

impl<'a, T: Settling, F> Attempt<'a, T, F> {
    const fn of<R>(on: &'a mut T, attempt: F) -> Self
    where
        F: FnMut(&mut T, &mut Context<'_>) -> Poll<R>,
    {
        Self {
            on,
            attempt,
            is_pending: false,
        }
    }
}

impl<T: Settling, F, R> Future for Attempt<'_, T, F>
where
    F: FnMut(&mut T, &mut Context<'_>) -> Poll<R> + Unpin,
{
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.get_mut();
        let result = (this.attempt)(this.on, cx);
        this.is_pending = result.is_pending();
        result
    }
}

impl<T: Settling, F> Drop for Attempt<'_, T, F> {
    fn drop(&mut self) {
        if self.is_pending {
            self.on.settle();
        }
    }
}

/// What can receive a message in chunks: [`WebSocket`](crate::WebSocket) and [`Receiver`](crate::Receiver).
pub trait ReceivingHalf: sealed::Receiving {}

/// What can send a message in fragments: a borrowed [`WebSocket`](crate::WebSocket) and a
/// [`Sender`](crate::Sender)'s turn.
pub trait SendingHalf: sealed::Sending {}

impl<T: sealed::Receiving> ReceivingHalf for T {}
impl<T: sealed::Sending> SendingHalf for T {}

pub(crate) mod sealed {
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use ws_proto::{Chunk, Compress, MessageKind};

    use crate::Error;

    pub trait Receiving: Unpin {
        /// The next chunk of the current message, or with `begin` of the next one, within a limit if one is given.
        fn poll_chunk(
            &mut self,
            cx: &mut Context<'_>,
            begin: Option<Option<u64>>,
        ) -> Poll<Result<Option<Chunk>, Error>>;

        /// The rest of the message is not wanted.
        fn discard(&mut self);

        /// An attempt was given up.
        fn settle(&mut self) {}
    }

    pub trait Sending: Unpin {
        /// Waits until no other message is being sent.
        fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

        fn poll_fragment(
            &mut self,
            cx: &mut Context<'_>,
            kind: MessageKind,
            fragment: &Bytes,
            fin: bool,
            compress: Compress,
        ) -> Poll<Result<(), Error>>;

        fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

        /// The turn is over; `whole` is whether no message is left unfinished.
        fn end(&mut self, whole: bool);

        /// An attempt was given up.
        fn settle(&mut self) {}
    }
}
