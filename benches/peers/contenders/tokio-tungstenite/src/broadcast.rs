//! Broadcasting on tokio-tungstenite with a read buffer of 16 KiB: what one connection sends goes to all. `channel`: through
//! tokio's broadcast channel, where each connection's task selects between its own input and the channel; that is what its users
//! write. `loop`: the task that received the message sends it on the split sinks of all, one after the other.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, broadcast};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

const BACKLOG: usize = 1024;

type Sink = SplitSink<WebSocketStream<TcpStream>, Message>;

fn main() -> harness::Outcome {
    match harness::way().as_str() {
        "loop" => in_a_loop(),
        "channel" => through_a_channel(),
        other => harness::unknown_way(other),
    }
}

fn in_a_loop() -> harness::Outcome {
    let everybody: Arc<Mutex<Vec<(u64, Sink)>>> = Arc::default();
    let newest = Arc::new(AtomicU64::new(0));
    harness::run_tokio(move |stream| {
        let everybody = Arc::clone(&everybody);
        let id = newest.fetch_add(1, Ordering::Relaxed);
        async move {
            let ws = accept_async_with_config(stream, Some(config())).await?;
            let (sink, mut stream) = ws.split();
            everybody.lock().await.push((id, sink));
            while let Some(message) = stream.next().await {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    for (_, sink) in everybody.lock().await.iter_mut() {
                        sink.send(message.clone()).await?;
                    }
                }
            }
            everybody.lock().await.retain(|(other, _)| *other != id);
            Ok(())
        }
    })
}

fn through_a_channel() -> harness::Outcome {
    let (to_everybody, _) = broadcast::channel::<Message>(BACKLOG);
    harness::run_tokio(move |stream| {
        let to_everybody = to_everybody.clone();
        let mut published = to_everybody.subscribe();
        async move {
            let mut ws = accept_async_with_config(stream, Some(config())).await?;
            loop {
                tokio::select! {
                    received = ws.next() => match received.transpose()? {
                        None => return Ok(()),
                        Some(message) if message.is_text() || message.is_binary() => {
                            _ = to_everybody.send(message)?;
                        }
                        Some(_) => {}
                    },
                    message = published.recv() => ws.send(message?).await?,
                }
            }
        }
    })
}

/// Its default of 128 KiB is 128 MB for a thousand connections, cleared before each read.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(16 * 1024)
}
