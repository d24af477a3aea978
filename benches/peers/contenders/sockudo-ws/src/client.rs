//! Client on sockudo-ws, at its defaults: `feed` for each message of a burst, then one flush.
#![forbid(unsafe_code)]

use futures_util::{SinkExt as _, StreamExt as _};
use sockudo_ws::{Config, Message, WebSocketStream};

fn main() -> harness::Outcome {
    harness::client::run_tokio(|stream| async move {
        let mut ws = WebSocketStream::client(stream, Config::default());
        let burst = harness::client::burst();
        loop {
            for payload in &burst {
                ws.feed(Message::Binary(payload.clone())).await?;
            }
            ws.flush().await?;
            for payload in &burst {
                let message = ws.next().await.ok_or("the driver left")??;
                harness::client::check(message.as_bytes(), payload)?;
            }
        }
    })
}
