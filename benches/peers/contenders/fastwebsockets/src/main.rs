//! Echo server on fastwebsockets with its `FragmentCollector`, on the bare socket: its own upgrade goes through hyper,
//! whose stream would cost it a dynamic dispatch per read and write.
#![forbid(unsafe_code)]

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};

fn main() -> harness::Outcome {
    harness::run_tokio(|mut stream| async move {
        harness::handshake::answer_tokio(&mut stream).await?;
        let mut ws = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
        loop {
            let frame = ws.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
                _ => {}
            }
        }
    })
}
