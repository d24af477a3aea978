//! A byte stream over binary messages: [`ByteStream`].

use std::io::{self, Read, Write};

use bytes::Bytes;
use ws_proto::{CloseCode, CloseInfo, Compress, Message, MessageKind};

use crate::streaming::hand_out;
use crate::streaming::sealed::Receiving as _;
use crate::timed::is_timeout;
use crate::{Error, Stream, WebSocket};

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
/// [`shutdown`](Self::shutdown) sends a Close frame with 1000, after which what the peer still has to say can be read
/// until its Close frame; [`close`](Self::close) waits for that and drops what arrives. Dropping the stream drops the
/// connection without a Close frame.
#[derive(Debug)]
pub struct ByteStream<S> {
    ws: WebSocket<S>,
    compress: Compress,
    /// What has arrived and was not read.
    rest: Bytes,
    /// Whether more of the current message is to come.
    inside: bool,
    ended: bool,
}

impl<S: Stream> ByteStream<S> {
    pub(crate) const fn new(ws: WebSocket<S>) -> Self {
        Self {
            ws,
            compress: Compress::Auto,
            rest: Bytes::new(),
            inside: false,
            ended: false,
        }
    }

    /// Says whether what is written from now on is compressed where compression was agreed.
    #[must_use]
    pub const fn with_compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Ends the side of this end: sends a Close frame with 1000. Reading may go on until the peer's.
    ///
    /// # Errors
    ///
    /// When the transport failed.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.ws.begin_close(CloseCode::NORMAL, "")?;
        Ok(self.ws.flush()?)
    }

    /// Carries out the whole closing handshake, as [`WebSocket::close`] does.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`].
    pub fn close(mut self) -> Result<CloseInfo, Error> {
        if self.inside {
            self.ws.discard();
        }
        self.ws.close(CloseCode::NORMAL, "")
    }

    /// The connection, for its state and how it ended.
    pub const fn get_ref(&self) -> &WebSocket<S> {
        &self.ws
    }
}

impl<S: Stream> Read for ByteStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.ended && !buffer.is_empty() {
            if !self.inside {
                // The stream has no messages, so it has no limit on them either.
                self.ws.begin_chunks(Some(u64::MAX));
            }
            match self.ws.next_chunk()? {
                Some(chunk) if chunk.kind == MessageKind::Text => {
                    self.ended = true;
                    self.ws.begin_close(CloseCode::UNSUPPORTED_DATA, NO_TEXT)?;
                    self.ws.flush()?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, NO_TEXT));
                }
                Some(chunk) => {
                    self.inside = !chunk.last;
                    self.rest = chunk.data;
                }
                None if self.inside => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => self.ended = true,
            }
        }
        Ok(hand_out(&mut self.rest, buffer))
    }
}

impl<S: Stream> Write for ByteStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let len = bytes.len().min(WRITE_MAX);
        self.ws
            .feed_with(Message::from(&bytes[..len]), self.compress)?;
        match self.ws.flush() {
            // It is queued, and must not be written a second time.
            Err(Error::Io(error)) if is_timeout(&error) => Ok(len),
            flushed => Ok(flushed.map(|()| len)?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.ws.flush()?)
    }
}
