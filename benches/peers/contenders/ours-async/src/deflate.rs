//! Echo server on ws-async that compresses as it does by default, or for the fewest bytes: `--ultra`, or `--live` with a
//! compressor for each connection. `--feed` leaves the moment of writing to `recv`.
#![forbid(unsafe_code)]

use std::sync::Arc;

use ws_async::{Acceptor, Config, DeflateConfig};

fn main() -> harness::Outcome {
    let deflate = if harness::has_flag("--live") {
        DeflateConfig::ultra().with_live_contexts(1000)
    } else if harness::has_flag("--ultra") {
        DeflateConfig::ultra()
    } else {
        DeflateConfig::default()
    };
    let acceptor = Acceptor::new().with_config(Config::default().with_deflate(deflate));
    let acceptor = Arc::new(acceptor);
    // Two branches and not one loop, so that each task carries its own state only.
    if harness::has_flag("--feed") {
        harness::run_tokio(move |stream| {
            let acceptor = Arc::clone(&acceptor);
            async move {
                let mut ws = acceptor.accept(stream).await?;
                while let Some(message) = ws.recv().await? {
                    ws.feed(message).await?;
                }
                Ok(())
            }
        })
    } else {
        harness::run_tokio(move |stream| {
            let acceptor = Arc::clone(&acceptor);
            async move {
                let mut ws = acceptor.accept(stream).await?;
                while let Some(message) = ws.recv().await? {
                    ws.send(message).await?;
                }
                Ok(())
            }
        })
    }
}
