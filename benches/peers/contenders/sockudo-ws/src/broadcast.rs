//! Broadcasting on sockudo-ws, at its defaults: what one connection sends goes to all. `channel`: through tokio's broadcast
//! channel, where each connection's task selects between its own input and the channel; that is what its users write.
//! `loop`: the task that received the message sends it on the split writers of all, one after the other.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use sockudo_ws::handshake::server_handshake;
use sockudo_ws::{Config, Message, SplitWriter, WebSocketStream};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, broadcast};

const BACKLOG: usize = 1024;

type Stream = WebSocketStream<TcpStream>;
type Writer = SplitWriter<TcpStream>;

fn main() -> harness::Outcome {
    match harness::way().as_str() {
        "loop" => in_a_loop(),
        "channel" => through_a_channel(),
        other => harness::unknown_way(other),
    }
}

fn in_a_loop() -> harness::Outcome {
    let everybody: Arc<Mutex<Vec<(u64, Writer)>>> = Arc::default();
    let newest = Arc::new(AtomicU64::new(0));
    harness::run_tokio(move |stream| {
        let everybody = Arc::clone(&everybody);
        let id = newest.fetch_add(1, Ordering::Relaxed);
        async move {
            let (mut reader, writer) = accept(stream).await?.split();
            everybody.lock().await.push((id, writer));
            while let Some(message) = reader.next().await {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    for (_, writer) in everybody.lock().await.iter_mut() {
                        writer.send(message.clone()).await?;
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
            let mut ws = accept(stream).await?;
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

async fn accept(mut stream: TcpStream) -> sockudo_ws::Result<Stream> {
    // The driver sends nothing before it has the answer, so nothing can be left over.
    server_handshake(&mut stream).await?;
    Ok(Stream::server(stream, Config::default()))
}
