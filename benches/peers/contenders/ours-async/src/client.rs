//! Client on ws-async, at its defaults: `feed` for each message of a burst; `recv` writes before it waits.
#![forbid(unsafe_code)]

use ws_async::Message;

fn main() -> harness::Outcome {
    let uri = format!("ws://{}/", harness::client::address()?);
    harness::client::run_tokio_unconnected(async {
        let mut ws = ws_async::connect(&uri).await?;
        let burst = harness::client::burst();
        loop {
            for payload in &burst {
                ws.feed(Message::Binary(payload.clone())).await?;
            }
            for payload in &burst {
                let message = ws.recv().await?.ok_or("the driver left")?;
                harness::client::check(message.as_bytes(), payload)?;
            }
        }
    })
}
