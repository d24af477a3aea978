//! Client on tungstenite that blocks, at its defaults: `write` for each message of a burst, then one flush.
#![forbid(unsafe_code)]

use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

fn main() -> harness::Outcome {
    let stream = harness::client::connect()?;
    let mut ws = WebSocket::from_raw_socket(stream, Role::Client, None);
    let burst = harness::client::burst();
    loop {
        for payload in &burst {
            ws.write(Message::Binary(payload.clone()))?;
        }
        ws.flush()?;
        for payload in &burst {
            harness::client::check(&ws.read()?.into_data(), payload)?;
        }
    }
}
