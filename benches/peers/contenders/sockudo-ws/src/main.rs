//! Echo server on sockudo-ws, at its defaults. `--batch` sends the replies to everything that is already received in one
//! flush.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::task::Poll;

use futures_util::{SinkExt as _, StreamExt as _};
use sockudo_ws::handshake::server_handshake;
use sockudo_ws::{Config, Message, WebSocketStream};
use tokio::net::TcpStream;

type Stream = WebSocketStream<TcpStream>;

fn main() -> harness::Outcome {
    // Two branches and not one loop, so that each task carries its own state only.
    if harness::has_flag("--batch") {
        harness::run_tokio(|stream| async move {
            let mut ws = accept(stream).await?;
            while let Some(message) = next_or_flush(&mut ws).await? {
                if message.is_text() || message.is_binary() {
                    ws.feed(message).await?;
                }
            }
            Ok(())
        })
    } else {
        harness::run_tokio(|stream| async move {
            let mut ws = accept(stream).await?;
            while let Some(message) = ws.next().await {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    ws.send(message).await?;
                }
            }
            Ok(())
        })
    }
}

async fn accept(mut stream: TcpStream) -> sockudo_ws::Result<Stream> {
    // The driver sends nothing before it has the answer, so nothing can be left over.
    server_handshake(&mut stream).await?;
    Ok(Stream::server(stream, Config::default()))
}

/// The next message; the replies leave when there is none yet.
async fn next_or_flush(ws: &mut Stream) -> sockudo_ws::Result<Option<Message>> {
    let ready = poll_fn(|cx| match ws.poll_next_unpin(cx) {
        Poll::Ready(message) => Poll::Ready(Some(message)),
        Poll::Pending => Poll::Ready(None),
    });
    match ready.await {
        Some(message) => message.transpose(),
        None => {
            ws.flush().await?;
            ws.next().await.transpose()
        }
    }
}
