//! Echo server on tokio-tungstenite. The first number among the arguments replaces its default read buffer size of
//! 128 KiB; `--batch` sends the replies to everything that is already received in one flush.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::task::Poll;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

fn main() -> harness::Outcome {
    let mut config = WebSocketConfig::default();
    if let Some(size) = harness::size_argument() {
        config = config.read_buffer_size(size);
    }
    // Two branches and not one closure, so that the plain loop's task does not carry the batched one's state.
    if harness::has_flag("--batch") {
        harness::run_tokio(|stream| async move {
            batched(accept_async_with_config(stream, Some(config)).await?).await
        })
    } else {
        harness::run_tokio(|stream| async move {
            plain(accept_async_with_config(stream, Some(config)).await?).await
        })
    }
}

async fn plain(mut ws: WebSocketStream<TcpStream>) -> harness::Outcome {
    while let Some(message) = ws.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            ws.send(message).await?;
        }
    }
    Ok(())
}

async fn batched(mut ws: WebSocketStream<TcpStream>) -> harness::Outcome {
    loop {
        let ready = poll_fn(|cx| match ws.poll_next_unpin(cx) {
            Poll::Ready(message) => Poll::Ready(Some(message)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        let message = match ready {
            Some(message) => message,
            None => {
                ws.flush().await?;
                ws.next().await
            }
        };
        let Some(message) = message else {
            return Ok(());
        };
        let message = message?;
        if message.is_text() || message.is_binary() {
            ws.feed(message).await?;
        }
    }
}
