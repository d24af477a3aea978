//! Echo server on yawc, on the bare socket: behind hyper, as its documentation has it, each read and write would cost it a
//! dynamic dispatch. It checks text only where it is told to. `--batch` sends the replies to everything that is already
//! received in one flush.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::task::Poll;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use yawc::{Frame, OpCode, Options, Role, WebSocket};

const MIB: usize = 1024 * 1024;

fn main() -> harness::Outcome {
    // Two branches and not one loop, so that each task carries its own state only.
    if harness::has_flag("--batch") {
        harness::run_tokio(|stream| async move {
            let mut ws = accept(stream).await?;
            while let Some(frame) = next_or_flush(&mut ws).await? {
                if is_message(&frame) {
                    ws.feed(frame).await?;
                }
            }
            Ok(())
        })
    } else {
        harness::run_tokio(|stream| async move {
            let mut ws = accept(stream).await?;
            while let Some(frame) = ws.next().await {
                if is_message(&frame) {
                    ws.send(frame).await?;
                }
            }
            Ok(())
        })
    }
}

async fn accept(
    mut stream: TcpStream,
) -> Result<WebSocket<TcpStream>, Box<dyn std::error::Error + Send + Sync>> {
    harness::handshake::answer_tokio(&mut stream).await?;
    // Its limit on a frame excludes the length of the longest messages here.
    let options = Options::default()
        .with_limits(16 * MIB, 32 * MIB)
        .with_utf8();
    Ok(WebSocket::from_stream(stream, Role::Server, options)?)
}

fn is_message(frame: &Frame) -> bool {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
}

/// The next message; the replies leave when there is none yet.
async fn next_or_flush(ws: &mut WebSocket<TcpStream>) -> yawc::Result<Option<Frame>> {
    let ready = poll_fn(|cx| match ws.poll_next_unpin(cx) {
        Poll::Ready(frame) => Poll::Ready(Some(frame)),
        Poll::Pending => Poll::Ready(None),
    });
    match ready.await {
        Some(frame) => Ok(frame),
        None => {
            ws.flush().await?;
            Ok(ws.next().await)
        }
    }
}
