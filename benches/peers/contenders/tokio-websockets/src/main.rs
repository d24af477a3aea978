//! Echo server on tokio-websockets, at its defaults.
#![forbid(unsafe_code)]

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_websockets::ServerBuilder;

fn main() -> harness::Outcome {
    harness::run_tokio(|stream| async move {
        let (_request, mut ws) = ServerBuilder::new().accept(stream).await?;
        while let Some(message) = ws.next().await {
            let message = message?;
            if message.is_text() || message.is_binary() {
                ws.send(message).await?;
            }
        }
        Ok(())
    })
}
