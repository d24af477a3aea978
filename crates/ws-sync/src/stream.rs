//! What a blocking stream must be able to do beyond reading and writing.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A blocking byte stream whose waits can be bounded.
///
/// A blocking read waits as long as the operating system lets it, so deadlines hold exactly where the stream has
/// timeouts. Wrap any other `Read + Write` in [`Untimed`], which says in the type that its waits have no end.
pub trait Stream: Read + Write {
    /// Bounds each following read; `None` removes the bound. A read past it fails with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut).
    ///
    /// # Errors
    ///
    /// When the stream cannot do that now.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Bounds each following write; `None` removes the bound.
    ///
    /// # Errors
    ///
    /// When the stream cannot do that now.
    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Tells the peer that nothing more will be written, while reading goes on.
    ///
    /// # Errors
    ///
    /// When the stream cannot do that; the peer then learns it when the stream is dropped, and is not waited for.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Ends both directions at once, so that a read or write that waits on another handle of this stream returns. Only
    /// a connection that was [split](crate::WebSocket::split) needs it, when it is over.
    ///
    /// # Errors
    ///
    /// When the stream cannot do that, or has ended already.
    fn shutdown_both(&mut self) -> io::Result<()> {
        self.shutdown_write()
    }

    /// Whether the bounds set on waits hold.
    fn has_timeouts(&self) -> bool {
        true
    }

    /// Whether [`write_vectored`](Write::write_vectored) writes more than its first buffer.
    fn writes_vectored(&self) -> bool {
        false
    }
}

/// A [`Stream`] of which there can be several handles, so that one thread may read while another writes.
///
/// What one handle is told holds for the stream: timeouts, shutdowns, its end.
pub trait CloneStream: Stream {
    /// Another handle of the same stream.
    ///
    /// # Errors
    ///
    /// When the operating system has none to give.
    fn try_clone(&self) -> io::Result<Self>
    where
        Self: Sized;
}

impl Stream for TcpStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        TcpStream::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        TcpStream::set_write_timeout(self, timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }

    fn writes_vectored(&self) -> bool {
        true
    }
}

impl CloneStream for TcpStream {
    fn try_clone(&self) -> io::Result<Self> {
        TcpStream::try_clone(self)
    }
}

#[cfg(unix)]
impl Stream for std::os::unix::net::UnixStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        std::os::unix::net::UnixStream::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        std::os::unix::net::UnixStream::set_write_timeout(self, timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }

    fn writes_vectored(&self) -> bool {
        true
    }
}

#[cfg(unix)]
impl CloneStream for std::os::unix::net::UnixStream {
    fn try_clone(&self) -> io::Result<Self> {
        std::os::unix::net::UnixStream::try_clone(self)
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {
        $(
            impl<S: Stream + ?Sized> Stream for $pointer {
                fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                    (**self).set_read_timeout(timeout)
                }

                fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                    (**self).set_write_timeout(timeout)
                }

                fn shutdown_write(&mut self) -> io::Result<()> {
                    (**self).shutdown_write()
                }

                fn shutdown_both(&mut self) -> io::Result<()> {
                    (**self).shutdown_both()
                }

                fn has_timeouts(&self) -> bool {
                    (**self).has_timeouts()
                }

                fn writes_vectored(&self) -> bool {
                    (**self).writes_vectored()
                }
            }
        )*
    };
}

forward!(&mut S, Box<S>);

impl<S: CloneStream> CloneStream for Box<S> {
    fn try_clone(&self) -> io::Result<Self> {
        (**self).try_clone().map(Box::new)
    }
}

/// Any `Read + Write`, without deadlines: a peer that falls silent is waited for as long as the stream itself waits.
#[derive(Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a wrapper that is there to be constructed and taken apart"
)]
pub struct Untimed<S>(pub S);

impl<S: Read> Read for Untimed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<S: Write> Write for Untimed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(chunks)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Read + Write> Stream for Untimed<S> {
    /// Does nothing: the wait stays unbounded.
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing: the wait stays unbounded.
    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    /// Always fails: `Write` has no end but being dropped. So the peer is not waited for at the end of a connection,
    /// which could not be bounded either.
    fn shutdown_write(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn has_timeouts(&self) -> bool {
        false
    }
}
