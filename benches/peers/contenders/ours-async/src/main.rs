//! Echo server on ws-async, at its defaults. `--feed` leaves the moment of writing to `recv`.
#![forbid(unsafe_code)]

use bytes::BytesMut;
use tokio::net::TcpStream;
use ws_async::{Config, WebSocket};

fn main() -> harness::Outcome {
    // Two branches and not one loop, so that each task carries its own state only.
    if harness::has_flag("--feed") {
        harness::run_tokio(|stream| async move {
            let mut ws = open(stream).await?;
            while let Some(message) = ws.recv().await? {
                ws.feed(message).await?;
            }
            Ok(())
        })
    } else {
        harness::run_tokio(|stream| async move {
            let mut ws = open(stream).await?;
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        })
    }
}

async fn open(
    mut stream: TcpStream,
) -> Result<WebSocket<TcpStream>, Box<dyn std::error::Error + Send + Sync>> {
    harness::handshake::answer_tokio(&mut stream).await?;
    Ok(WebSocket::server(
        stream,
        Config::default(),
        BytesMut::new(),
    ))
}
