//! Client on yawc: `feed` for each message of a burst, then one flush.
#![forbid(unsafe_code)]

use futures_util::{SinkExt as _, StreamExt as _};
use yawc::{Frame, Options, Role, WebSocket};

fn main() -> harness::Outcome {
    harness::client::run_tokio(|stream| async move {
        let mut ws = WebSocket::from_stream(stream, Role::Client, Options::default().with_utf8())?;
        let burst = harness::client::burst();
        loop {
            for payload in &burst {
                ws.feed(Frame::binary(payload.clone())).await?;
            }
            ws.flush().await?;
            for payload in &burst {
                let frame = ws.next().await.ok_or("the driver left")?;
                harness::client::check(frame.payload(), payload)?;
            }
        }
    })
}
