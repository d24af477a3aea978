//! Client on fastwebsockets with its `FragmentCollector`. It writes each frame at once.
#![forbid(unsafe_code)]

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};

fn main() -> harness::Outcome {
    harness::client::run_tokio(|stream| async move {
        let mut ws = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Client));
        let burst = harness::client::burst();
        loop {
            for payload in &burst {
                let payload = Payload::Borrowed(payload);
                ws.write_frame(Frame::new(true, OpCode::Binary, None, payload))
                    .await?;
            }
            for payload in &burst {
                let frame = ws.read_frame().await?;
                harness::client::check(&frame.payload, payload)?;
            }
        }
    })
}
