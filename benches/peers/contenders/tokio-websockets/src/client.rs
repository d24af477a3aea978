//! Client on tokio-websockets, at its defaults: `feed` for each message of a burst, then one flush.
#![forbid(unsafe_code)]

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_websockets::{ClientBuilder, Message};

fn main() -> harness::Outcome {
    harness::client::run_tokio(|stream| async move {
        let mut ws = ClientBuilder::new().take_over(stream);
        let burst = harness::client::burst();
        loop {
            for payload in &burst {
                ws.feed(Message::binary(payload.clone())).await?;
            }
            ws.flush().await?;
            for payload in &burst {
                let message = ws.next().await.ok_or("the driver left")??;
                harness::client::check(&message.into_payload(), payload)?;
            }
        }
    })
}
