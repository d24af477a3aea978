//! Echo server on tokio-tungstenite. The first number among the arguments replaces its default read buffer size of
//! 128 KiB; `--batch` sends the replies to everything that is already received in one flush.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::task::Poll;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

fn main() -> harness::Outcome {
    let mut config = WebSocketConfig::default();
    if let Some(size) = harness::size_argument() {
        config = config.read_buffer_size(size);
    }
    // Two branches and not one loop, so that each task carries its own state only.
    if harness::has_flag("--batch") {
        harness::run_tokio(move |stream| async move {
            let mut ws = accept_async_with_config(stream, Some(config)).await?;
            while let Some(message) = next_or_flush(&mut ws).await? {
                if message.is_text() || message.is_binary() {
                    ws.feed(message).await?;
                }
            }
            Ok(())
        })
    } else {
        harness::run_tokio(move |stream| async move {
            let mut ws = accept_async_with_config(stream, Some(config)).await?;
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

/// The next message; the replies leave when there is none yet.
async fn next_or_flush(ws: &mut WebSocketStream<TcpStream>) -> Result<Option<Message>, Error> {
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
