//! Broadcasting on the halves of fastwebsockets: what one connection sends goes to all. `loop`: the task that received
//! the message writes it on the halves of all, one after the other. There is no `channel`, because reading a frame is
//! not said to be cancel safe.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastwebsockets::{
    FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket, WebSocketError, WebSocketWrite,
};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Mutex;

type Writing = WebSocketWrite<OwnedWriteHalf>;

fn main() -> harness::Outcome {
    match harness::way().as_str() {
        "loop" => in_a_loop(),
        other => harness::unknown_way(other),
    }
}

fn in_a_loop() -> harness::Outcome {
    let everybody: Arc<Mutex<Vec<(u64, Writing)>>> = Arc::default();
    let newest = Arc::new(AtomicU64::new(0));
    harness::run_tokio(move |mut stream| {
        let everybody = Arc::clone(&everybody);
        let id = newest.fetch_add(1, Ordering::Relaxed);
        async move {
            harness::handshake::answer_tokio(&mut stream).await?;
            let ws = WebSocket::after_handshake(stream, Role::Server);
            let (reading, writing) = ws.split(TcpStream::into_split);
            everybody.lock().await.push((id, writing));
            let mut reading = FragmentCollectorRead::new(reading);
            loop {
                // Nothing but messages is sent in these scenarios.
                let mut unanswered = |_: Frame<'_>| async { Ok::<(), WebSocketError>(()) };
                let frame = reading.read_frame(&mut unanswered).await?;
                match frame.opcode {
                    OpCode::Close => break,
                    opcode @ (OpCode::Text | OpCode::Binary) => {
                        for (_, writing) in everybody.lock().await.iter_mut() {
                            let payload = Payload::Borrowed(&frame.payload);
                            writing
                                .write_frame(Frame::new(true, opcode, None, payload))
                                .await?;
                        }
                    }
                    _ => {}
                }
            }
            everybody.lock().await.retain(|(other, _)| *other != id);
            Ok(())
        }
    })
}
