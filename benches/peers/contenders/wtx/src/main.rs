//! Echo server on wtx, at its defaults, with the features it names for speed. The buffer is wtx's to clear: it holds the
//! fragments of a message while a Ping among them is handed out.
#![forbid(unsafe_code)]

use wtx::collection::Vector;
use wtx::web_socket::{OpCode, WebSocketAcceptor, WebSocketPayloadOrigin};

fn main() -> harness::Outcome {
    harness::run_tokio(|stream| async move {
        let mut ws = WebSocketAcceptor::default().accept(stream).await?;
        let (mut common, mut reader, mut writer) = ws.split_mut();
        let mut buffer = Vector::new();
        loop {
            let mut frame = reader
                .read_frame(&mut buffer, &mut common, WebSocketPayloadOrigin::Adaptive)
                .await?;
            match frame.op_code() {
                OpCode::Text | OpCode::Binary => {
                    writer.write_frame(&mut common, &mut frame).await?;
                }
                OpCode::Close => return Ok(()),
                _ => {}
            }
        }
    })
}
