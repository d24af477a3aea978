//! Task per connection, on tokio: `cargo run --example echo_server_async -- --port 9001`.

use std::{env, io};

use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = env::args().skip_while(|arg| arg != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(9001);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        // The opening handshake runs on the connection's own task: a slow client holds up nobody.
        let (stream, _) = listener.accept().await?;
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
