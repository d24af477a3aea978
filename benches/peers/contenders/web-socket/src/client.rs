//! Client on web-socket, buffered in both directions: each message of a burst, then one flush.
#![forbid(unsafe_code)]

use tokio::io::BufStream;
use web_socket::{Event, WebSocket};

fn main() -> harness::Outcome {
    harness::client::run_tokio(|stream| async move {
        let mut ws = WebSocket::client(BufStream::new(stream));
        let burst = harness::client::burst();
        loop {
            for payload in &burst {
                ws.send(&payload[..]).await?;
            }
            ws.flash().await?;
            for payload in &burst {
                let Event::Data { data, .. } = ws.recv().await? else {
                    return Err("the driver sends nothing but data".into());
                };
                harness::client::check(&data, payload)?;
            }
        }
    })
}
