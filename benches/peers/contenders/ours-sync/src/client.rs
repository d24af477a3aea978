//! Client on ws-sync, which blocks, at its defaults: `feed` for each message of a burst; `recv` writes before it waits.
#![forbid(unsafe_code)]

use ws_sync::Message;

fn main() -> harness::Outcome {
    let uri = format!("ws://{}/", harness::client::address()?);
    let mut ws = ws_sync::connect(&uri)?;
    let burst = harness::client::burst();
    loop {
        for payload in &burst {
            ws.feed(Message::Binary(payload.clone()))?;
        }
        for payload in &burst {
            let message = ws.recv()?.ok_or("the driver left")?;
            harness::client::check(message.as_bytes(), payload)?;
        }
    }
}
