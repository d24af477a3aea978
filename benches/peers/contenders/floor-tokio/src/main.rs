//! Raw TCP echo on tokio: one task per connection, all reading into one buffer whose size is the argument (default
//! 128 KiB), so that a connection holds nothing but its task and its socket.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; harness::size_argument().unwrap_or(128 * 1024)]);
}

fn main() -> harness::Outcome {
    harness::run_tokio(|stream| async move {
        let mut echo = Echo {
            stream,
            unsent: Vec::new(),
        };
        while poll_fn(|cx| echo.poll_turn(cx)).await? {}
        Ok(())
    })
}

struct Echo {
    stream: TcpStream,
    /// Bytes read that the socket would not take yet; while there are any, nothing more is read.
    unsent: Vec<u8>,
}

impl Echo {
    /// Sends back what one read brings; `false` when the peer has left.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unsent))?;
            self.unsent.drain(..sent);
            if self.unsent.is_empty() {
                self.unsent = Vec::new();
            }
        }
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let received = buffer.filled();
            if received.is_empty() {
                return Poll::Ready(Ok(false));
            }
            let sent = match Pin::new(&mut self.stream).poll_write(cx, received)? {
                Poll::Ready(sent) => sent,
                Poll::Pending => 0,
            };
            self.unsent.extend_from_slice(&received[sent..]);
            Poll::Ready(Ok(true))
        })
    }
}
