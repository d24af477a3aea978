//! The last bytes of a connection and the end of the stream behind them, in one TCP segment.
//!
//! Whoever answers a Close has nothing more to say, and a server shuts its write side down behind that (RFC 6455 §7.1.1). Without
//! Nagle's delay the answer leaves as soon as it is written, and the end in a segment of its own; to send a segment is
//! what most of the time goes to when a connection ends. Linux holds back what it is told has more coming, and then sends it
//! with the end.

use std::any::Any;
use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;
#[cfg(any(target_os = "linux", target_os = "android"))]
use tokio::{io::Interest, net::TcpStream};

use crate::split::Transport;

/// `MSG_NOSIGNAL` and `MSG_MORE`, which are the same on every architecture of Linux: who writes to a peer that has gone is told
/// by an error alone, and more is coming.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FLAGS: i32 = 0x4000 | 0x8000;

/// Gives the last bytes to a stream that is shut down right after them, if it is one that sends them together. Those it does
/// not take are for a usual write.
///
/// # Errors
///
/// When the stream failed.
pub(crate) fn write<S: 'static>(stream: &S, bytes: &[u8]) -> io::Result<usize> {
    let stream: &dyn Any = stream;
    if let Some(transport) = stream.downcast_ref::<Transport>() {
        return transport.write_last(bytes);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(tcp) = stream.downcast_ref::<TcpStream>() {
        let socket = SockRef::from(tcp);
        return match tcp.try_io(Interest::WRITABLE, || socket.send_with_flags(bytes, FLAGS)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        };
    }
    Ok(0)
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Both ends of a connection over loopback, where what is sent has arrived when the call returns.
    async fn pair() -> io::Result<(TcpStream, TcpStream)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let near = TcpStream::connect(listener.local_addr()?).await?;
        let (far, _) = listener.accept().await?;
        near.set_nodelay(true)?;
        near.writable().await?;
        Ok((near, far))
    }

    /// Whether the last bytes wait for the end, behind which they all come.
    async fn wait_for_the_end<S: AsyncWrite + Unpin + 'static>(
        mut near: S,
        far: TcpStream,
    ) -> io::Result<bool> {
        assert_eq!(write(&near, b"last")?, 4);
        let far = far.into_std()?;
        let peeked = far.peek(&mut [0]);
        near.shutdown().await?;
        let mut received = Vec::new();
        TcpStream::from_std(far)?.read_to_end(&mut received).await?;
        assert_eq!(received, b"last");
        Ok(peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
    }

    #[tokio::test]
    async fn the_last_bytes_leave_with_the_end() -> io::Result<()> {
        // spec: C-14
        // They wait for a fifth of a second only, and this thread may be held up for longer.
        let (mut wait, mut wait_split) = (false, false);
        for _ in 0..10 {
            let (near, far) = pair().await?;
            wait |= wait_for_the_end(near, far).await?;
            let (near, far) = pair().await?;
            wait_split |= wait_for_the_end(Transport::new(near), far).await?;
        }
        assert!(wait && wait_split, "{wait}, split {wait_split}");
        Ok(())
    }

    #[tokio::test]
    async fn a_stream_of_another_kind_takes_nothing() -> io::Result<()> {
        let (stream, _peer) = tokio::io::duplex(16);
        assert_eq!(write(&stream, b"last")?, 0);
        assert_eq!(write(&Transport::new(stream), b"last")?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn a_stream_that_has_failed_says_so() -> io::Result<()> {
        let (mut near, _far) = pair().await?;
        near.shutdown().await?;
        let error = write(&near, b"last").expect_err("nothing can be written behind the end");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    }
}
