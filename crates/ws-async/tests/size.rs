//! What a connection costs while it does nothing.

use std::mem::size_of_val;

use tokio::net::TcpStream;
use ws_async::{Error, WebSocket};

async fn echo(stream: TcpStream) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut ws = ws_async::accept(stream).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// The opening handshake is boxed, so the task keeps no room for its first moment; so is what drives the connection.
#[tokio::test]
async fn the_future_of_an_echo_task_stays_small() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let stream = TcpStream::connect(listener.local_addr()?).await?;
    let connection = size_of::<WebSocket<TcpStream>>();
    let task = size_of_val(&echo(stream));
    assert!(connection <= 24, "{connection}");
    assert!(task <= 224, "{task}");
    Ok(())
}

/// An error is returned by value on every call.
#[test]
fn errors_stay_small() {
    assert!(size_of::<Error>() <= 16, "{}", size_of::<Error>());
}
