//! Task per connection, on tokio: `cargo run --example echo_server_async -- --port 9001`.

use std::time::Duration;
use std::{env, io};

use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = env::args().skip_while(|arg| arg != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(9001);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the client has left already: neither ends a server.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // The opening handshake runs on the connection's own task: a slow client holds up nobody.
        tokio::spawn(async move { echo(stream).await.inspect_err(|error| eprintln!("{error}")) });
    }
}

async fn echo(stream: TcpStream) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut ws = ws_async::accept(stream).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}
