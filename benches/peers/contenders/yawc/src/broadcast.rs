//! Broadcasting on yawc, on the bare socket: what one connection sends goes to all. `channel`: through tokio's broadcast
//! channel, where each connection's task selects between its own input and the channel; that is what its users write.
//! `loop`: the task that received the message sends it on the split sinks of all, one after the other.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, broadcast};
use yawc::{Frame, OpCode, Options, Role, WebSocket};

const MIB: usize = 1024 * 1024;
const BACKLOG: usize = 1024;

type Sink = SplitSink<WebSocket<TcpStream>, Frame>;

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
            let (sink, mut stream) = accept(stream).await?.split();
            everybody.lock().await.push((id, sink));
            while let Some(frame) = stream.next().await {
                if is_message(&frame) {
                    for (_, sink) in everybody.lock().await.iter_mut() {
                        sink.send(frame.clone()).await?;
                    }
                }
            }
            everybody.lock().await.retain(|(other, _)| *other != id);
            Ok(())
        }
    })
}

fn through_a_channel() -> harness::Outcome {
    let (to_everybody, _) = broadcast::channel::<Frame>(BACKLOG);
    harness::run_tokio(move |stream| {
        let to_everybody = to_everybody.clone();
        let mut published = to_everybody.subscribe();
        async move {
            let mut ws = accept(stream).await?;
            loop {
                tokio::select! {
                    received = ws.next() => match received {
                        None => return Ok(()),
                        Some(frame) if is_message(&frame) => {
                            let sent = to_everybody.send(frame);
                            _ = sent.map_err(|_| "nobody listens")?;
                        }
                        Some(_) => {}
                    },
                    frame = published.recv() => ws.send(frame?).await?,
                }
            }
        }
    })
}

async fn accept(
    mut stream: TcpStream,
) -> Result<WebSocket<TcpStream>, Box<dyn std::error::Error + Send + Sync>> {
    harness::handshake::answer_tokio(&mut stream).await?;
    // Its limit on a frame excludes the length of the longest messages here.
    let options = Options::default()
        .with_limits(16 * MIB, 32 * MIB)
        .with_utf8();
    Ok(WebSocket::from_stream(stream, Role::Server, options)?)
}

fn is_message(frame: &Frame) -> bool {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
}
