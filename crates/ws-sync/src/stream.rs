//! What a blocking stream must be able to do beyond reading and writing.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

#[cfg(unix)]
use rustix::{buffer::spare_capacity, net::RecvFlags};

use crate::deferred::Attendance;

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

    /// Reads once, to the end of `buffer`: into spare capacity, of which there is some, so that it does not grow. What lies in
    /// `buffer` stays, and at the end of the stream there is no more of it than before.
    ///
    /// By default this is a [`read`](Read::read), into memory that is initialized first: so many bytes as are `expected`, and
    /// no more are read then. A stream that can read into memory as it is should do so, and fill as much of it as it has
    /// bytes for, as sockets do on Unix.
    ///
    /// # Errors
    ///
    /// As [`read`](Read::read).
    fn read_to_spare(&mut self, buffer: &mut Vec<u8>, expected: usize) -> io::Result<()> {
        let spare = buffer.capacity().saturating_sub(buffer.len());
        let size = expected.min(spare);
        let mut initialized = Initialized::new(buffer, size);
        let count = self.read(initialized.fresh())?;
        // A stream may say that it has read more than it was asked for.
        initialized.keep(count.min(size));
        Ok(())
    }

    /// Whether the bounds set on waits hold.
    fn has_timeouts(&self) -> bool {
        true
    }

    /// Whether [`write_vectored`](Write::write_vectored) writes more than its first buffer.
    fn writes_vectored(&self) -> bool {
        false
    }

    /// Says that another thread may write to this stream while its own thread does something else. Then replies to what
    /// came in one read leave in one write: see [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// `None` by default, and every message is written as it is sent. A stream that is [`Send`] and owns what it uses, and
    /// whose [bounds on waits hold](Self::has_timeouts), gives `Some(Attendance::new())`, as sockets do.
    fn attendance() -> Option<Attendance<Self>>
    where
        Self: Sized,
    {
        None
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

    /// Three handles: to read, to write, and to end what waits on the other two. By default they are clones; a stream
    /// that several threads can use at once has no need of that, and sockets share one descriptor.
    ///
    /// # Errors
    ///
    /// As [`try_clone`](Self::try_clone).
    fn into_handles(self) -> io::Result<[Box<dyn Stream + Send>; 3]>
    where
        Self: Sized + Send + 'static,
    {
        let (writer, control) = (self.try_clone()?, self.try_clone()?);
        Ok([Box::new(self), Box::new(writer), Box::new(control)])
    }
}

/// Memory behind the end of a buffer that was initialized to be read into, and is no part of it again if the stream fails
/// or panics.
struct Initialized<'a> {
    buffer: &'a mut Vec<u8>,
    len: usize,
}

impl<'a> Initialized<'a> {
    fn new(buffer: &'a mut Vec<u8>, size: usize) -> Self {
        let len = buffer.len();
        buffer.resize(len.saturating_add(size), 0);
        Self { buffer, len }
    }

    fn fresh(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.len..).unwrap_or_default()
    }

    fn keep(&mut self, count: usize) {
        self.len = self.len.saturating_add(count);
    }
}

impl Drop for Initialized<'_> {
    fn drop(&mut self) {
        self.buffer.truncate(self.len);
    }
}

/// One descriptor for all handles of a socket: it may be read, written and shut down through a shared reference.
struct Shared<S>(Arc<S>);

impl<S> Read for Shared<S>
where
    for<'a> &'a S: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl<S> Write for Shared<S>
where
    for<'a> &'a S: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.0).write_vectored(chunks)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

macro_rules! socket {
    ($socket:ty) => {
        socket!($socket, $socket, |stream| stream);
        socket!($socket, Shared<$socket>, |stream| &*stream.0);

        impl CloneStream for $socket {
            fn try_clone(&self) -> io::Result<Self> {
                <$socket>::try_clone(self)
            }

            fn into_handles(self) -> io::Result<[Box<dyn Stream + Send>; 3]> {
                let socket = Arc::new(self);
                Ok([(); 3].map(|()| Box::new(Shared(Arc::clone(&socket))) as _))
            }
        }
    };
    ($socket:ty, $handle:ty, |$stream:ident| $reference:expr) => {
        impl Stream for $handle {
            fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                let $stream = self;
                <$socket>::set_read_timeout($reference, timeout)
            }

            fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
                let $stream = self;
                <$socket>::set_write_timeout($reference, timeout)
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                let $stream = self;
                <$socket>::shutdown($reference, Shutdown::Write)
            }

            fn shutdown_both(&mut self) -> io::Result<()> {
                let $stream = self;
                <$socket>::shutdown($reference, Shutdown::Both)
            }

            #[cfg(unix)]
            fn read_to_spare(&mut self, buffer: &mut Vec<u8>, _: usize) -> io::Result<()> {
                let $stream = self;
                let socket: &$socket = $reference;
                rustix::net::recv(socket, spare_capacity(buffer), RecvFlags::empty())?;
                Ok(())
            }

            fn writes_vectored(&self) -> bool {
                true
            }

            fn attendance() -> Option<Attendance<Self>> {
                Some(Attendance::new())
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

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

                fn read_to_spare(&mut self, buffer: &mut Vec<u8>, expected: usize) -> io::Result<()> {
                    (**self).read_to_spare(buffer, expected)
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

impl<S: CloneStream + Send + 'static> CloneStream for Box<S> {
    fn try_clone(&self) -> io::Result<Self> {
        (**self).try_clone().map(Box::new)
    }

    fn into_handles(self) -> io::Result<[Box<dyn Stream + Send>; 3]> {
        (*self).into_handles()
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
