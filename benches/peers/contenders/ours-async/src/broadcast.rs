//! Broadcasting on ws-async, at its defaults: what one connection sends goes to all. `hub`: by `Hub`. `loop`: the task
//! that received the message sends it on the `Sender`s of all, one after the other. `channel`: through tokio's broadcast
//! channel, where each connection's task selects between its own input and the channel.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, broadcast};
use ws_async::{Hub, Message, Sender, SlowConsumer};

const BACKLOG: usize = 1024;
const TOPIC: &str = "everybody";

fn main() -> harness::Outcome {
    match harness::way().as_str() {
        "hub" => by_hub(),
        "loop" => in_a_loop(),
        "channel" => through_a_channel(),
        other => harness::unknown_way(other),
    }
}

fn by_hub() -> harness::Outcome {
    let hub = Hub::new(SlowConsumer::Wait);
    harness::run_tokio(move |stream| {
        let hub = hub.clone();
        async move {
            let (sender, mut receiver) = ws_async::accept(stream).await?.split();
            let _member = hub.join(TOPIC, &sender);
            while let Some(message) = receiver.recv().await? {
                hub.publish(TOPIC, message).await;
            }
            Ok(())
        }
    })
}

fn in_a_loop() -> harness::Outcome {
    let everybody: Arc<Mutex<Vec<(u64, Sender)>>> = Arc::default();
    let newest = Arc::new(AtomicU64::new(0));
    harness::run_tokio(move |stream| {
        let everybody = Arc::clone(&everybody);
        let id = newest.fetch_add(1, Ordering::Relaxed);
        async move {
            let (sender, mut receiver) = ws_async::accept(stream).await?.split();
            everybody.lock().await.push((id, sender));
            while let Some(message) = receiver.recv().await? {
                for (_, sender) in everybody.lock().await.iter() {
                    sender.send(message.clone()).await?;
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
            let mut ws = ws_async::accept(stream).await?;
            loop {
                tokio::select! {
                    received = ws.recv() => match received? {
                        None => return Ok(()),
                        Some(message) => _ = to_everybody.send(message)?,
                    },
                    message = published.recv() => ws.send(message?).await?,
                }
            }
        }
    })
}
