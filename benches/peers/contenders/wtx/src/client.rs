//! Client on wtx. It writes each frame at once, and masks it where it lies, so each is sent from a copy.
#![forbid(unsafe_code)]

use wtx::collection::Vector;
use wtx::rng::{Xorshift64, simple_seed};
use wtx::web_socket::{Frame, OpCode, WebSocket, WebSocketBuffer, WebSocketPayloadOrigin};

fn main() -> harness::Outcome {
    harness::client::run_tokio(|stream| async move {
        let rng = Xorshift64::from(simple_seed());
        let mut ws =
            WebSocket::<_, _, _, _, true>::new((), false, rng, stream, WebSocketBuffer::new());
        let burst = harness::client::burst();
        let (mut copy, mut buffer) = (Vec::new(), Vector::new());
        loop {
            for payload in &burst {
                copy.clear();
                copy.extend_from_slice(payload);
                let mut frame = Frame::new_fin(OpCode::Binary, copy.as_mut_slice());
                ws.write_frame(&mut frame).await?;
            }
            for payload in &burst {
                let frame = ws
                    .read_frame(&mut buffer, WebSocketPayloadOrigin::Adaptive)
                    .await?;
                harness::client::check(frame.payload(), payload)?;
            }
        }
    })
}
