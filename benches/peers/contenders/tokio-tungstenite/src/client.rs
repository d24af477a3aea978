//! Client on tokio-tungstenite, at its defaults: `feed` for each message of a burst, then one flush.
#![forbid(unsafe_code)]

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

fn main() -> harness::Outcome {
    harness::client::run_tokio(|stream| async move {
        let mut ws = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        let burst = harness::client::burst();
        loop {
            for payload in &burst {
                ws.feed(Message::Binary(payload.clone())).await?;
            }
            ws.flush().await?;
            for payload in &burst {
                let message = ws.next().await.ok_or("the driver left")??;
                harness::client::check(&message.into_data(), payload)?;
            }
        }
    })
}
