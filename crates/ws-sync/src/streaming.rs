//! Messages in pieces: [`MessageReader`] and [`MessageWriter`], for what is larger than memory or not known in full.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use ws_proto::{Chunk, Compress, MessageKind};

use crate::Error;
use crate::timed::is_timeout;

/// What a writer collects before it sends a fragment.
const FRAGMENT: usize = 64 * 1024;

/// A message that is received in chunks, by [`WebSocket::reader`](crate::WebSocket::reader) or
/// [`Receiver::reader`](crate::Receiver::reader).
///
/// Memory is bounded by what has arrived since the last chunk, whatever the size of the message. Text is validated on
/// the way, and no chunk ends inside a character. Pings are answered between chunks.
///
/// As [`Read`] it gives the payload and ends where the message does; an error of the connection is inside the
/// [`io::Error`].
///
/// Dropping it skips the rest of the message: that is received and discarded with the next one.
#[derive(Debug)]
pub struct MessageReader<'a, R: ReceivingHalf> {
    half: &'a mut R,
    kind: MessageKind,
    /// A chunk that came before anybody asked for it.
    next: Option<Chunk>,
    /// What `Read` has not handed out.
    rest: Bytes,
    /// Whether the last chunk has come, or never will.
    is_over: bool,
}

impl<'a, R: ReceivingHalf> MessageReader<'a, R> {
    /// Waits for the beginning of a message.
    pub(crate) fn of(half: &'a mut R, max_size: Option<u64>) -> Result<Option<Self>, Error> {
        let first = half.first_chunk(max_size)?;
        Ok(first.map(|first| Self {
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
    pub fn chunk(&mut self) -> Result<Option<Chunk>, Error> {
        let chunk = match self.next.take() {
            Some(chunk) => chunk,
            None if self.is_over => return Ok(None),
            None => match self.half.next_chunk() {
                Ok(Some(chunk)) => chunk,
                // It may be asked again.
                Err(Error::Io(error)) if is_timeout(&error) => return Err(Error::Io(error)),
                ended => {
                    self.is_over = true;
                    return Err(ended.err().unwrap_or(Error::Truncated));
                }
            },
        };
        self.is_over = chunk.last;
        Ok(Some(chunk))
    }
}

impl<R: ReceivingHalf> Read for MessageReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !buffer.is_empty() {
            match self.chunk()? {
                Some(chunk) => self.rest = chunk.data,
                None => return Ok(0),
            }
        }
        Ok(hand_out(&mut self.rest, buffer))
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
pub(crate) fn hand_out(rest: &mut Bytes, buffer: &mut [u8]) -> usize {
    let len = rest.len().min(buffer.len());
    rest.copy_to_slice(&mut buffer[..len]);
    len
}

/// A message that is sent in fragments, by [`WebSocket::writer`](crate::WebSocket::writer) or
/// [`Sender::writer`](crate::Sender::writer).
///
/// What is written is collected and leaves in fragments of 64 KiB, or of `Config::fragment_size` if that is less. Pongs,
/// Pings and a Close go in between. [`finish`](Self::finish) ends the message.
///
/// As [`Write`], `flush` sends what was collected as a fragment.
///
/// A writer that is dropped before it is finished leaves the message unfinished for ever: there is no frame that takes
/// it back. Whatever is sent then fails with
/// [`SendError::MessageUnfinished`](crate::SendError::MessageUnfinished); close the connection.
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
    pub(crate) fn of(mut half: W, kind: MessageKind) -> Result<Self, Error> {
        half.begin()?;
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
    /// [`SendError::InvalidUtf8`](crate::SendError::InvalidUtf8) when a text is none; otherwise as
    /// [`WebSocket::send`](crate::WebSocket::send). Part of
    /// `payload` may have been added.
    pub fn write(&mut self, mut payload: &[u8]) -> Result<(), Error> {
        while !payload.is_empty() {
            let taken = self.take(payload)?;
            payload = payload.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends what was collected, as a fragment.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); `InvalidUtf8` also when a text ends inside a character, which another
    /// `write` may complete.
    pub fn flush(&mut self) -> Result<(), Error> {
        if !self.collected.is_empty() {
            self.send_collected(false)?;
        }
        self.half.flush()
    }

    /// Ends the message and flushes.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush). Unless the stream only
    /// [would have blocked](crate::WebSocket#streams-that-do-not-block), the message stays unfinished.
    pub fn finish(mut self) -> Result<(), Error> {
        self.send_collected(true)?;
        self.half.flush()
    }

    /// Collects what there is room for.
    fn take(&mut self, payload: &[u8]) -> Result<usize, Error> {
        if self.collected.len() >= FRAGMENT {
            self.send_collected(false)?;
        }
        let room = FRAGMENT.saturating_sub(self.collected.len());
        let part = payload.get(..room).unwrap_or(payload);
        self.collected.extend_from_slice(part);
        Ok(part.len())
    }

    /// Queues what was collected, when there is room.
    fn send_collected(&mut self, fin: bool) -> Result<(), Error> {
        // A copy of the handle: what is refused stays collected.
        let fragment = self.collected.split().freeze();
        let sent = self
            .half
            .fragment(self.kind, fragment.clone(), fin, self.compress);
        match sent {
            Ok(()) if fin => {
                self.progress = Progress::Ended;
                self.half.end(true);
            }
            Ok(()) => self.progress = Progress::Begun,
            // What it was taken from goes first: then nobody else holds it, and no copy is made.
            Err(_) => {
                self.collected = BytesMut::new();
                self.collected = BytesMut::from(fragment);
            }
        }
        sent
    }
}

impl<W: SendingHalf> Write for MessageWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.take(bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(Self::flush(self)?)
    }
}

impl<W: SendingHalf> Drop for MessageWriter<W> {
    fn drop(&mut self) {
        if self.progress != Progress::Ended {
            self.half.end(self.progress == Progress::Collecting);
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
    use bytes::Bytes;
    use ws_proto::{Chunk, Compress, MessageKind};

    use crate::Error;

    pub trait Receiving {
        /// The first chunk of the next message, which is to come in chunks, within a limit if one is given; `None` at
        /// the end of the connection. If this fails, which may only be a timeout, the message will come whole again.
        fn first_chunk(&mut self, max_size: Option<u64>) -> Result<Option<Chunk>, Error>;

        /// The next chunk of it; `None` at the end of the connection.
        fn next_chunk(&mut self) -> Result<Option<Chunk>, Error>;

        /// The rest of the message is not wanted.
        fn discard(&mut self);
    }

    pub trait Sending {
        /// Waits until no other message is being sent.
        fn begin(&mut self) -> Result<(), Error>;

        fn fragment(
            &mut self,
            kind: MessageKind,
            fragment: Bytes,
            fin: bool,
            compress: Compress,
        ) -> Result<(), Error>;

        fn flush(&mut self) -> Result<(), Error>;

        /// The turn is over; `whole` is whether no message is left unfinished.
        fn end(&mut self, whole: bool);
    }
}
