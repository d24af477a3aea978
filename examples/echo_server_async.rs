//! Task per connection, on tokio: `cargo run --example echo_server_async -- --port 9001`, and `--deflate` to
//! compress.

use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use tokio::net::{TcpListener, TcpStream};
use ws_async::{Acceptor, Config, DeflateConfig};

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = env::args().skip_while(|arg| arg != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(9001);
    let config = match env::args().any(|arg| arg == "--deflate") {
        true => Config::default().with_deflate(DeflateConfig::default()),
        false => Config::default(),
    };
    // One for all connections, each of which keeps no more than a reference.
    let acceptor = Arc::new(Acceptor::new().with_config(config));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the client has left already: neither ends a server.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // The opening handshake runs on the connection's own task: a slow client holds up nobody.
        let acceptor = Arc::clone(&acceptor);
        tokio::spawn(async move {
            echo(&acceptor, stream)
                .await
                .inspect_err(|error| eprintln!("{error}"))
        });
    }
}

async fn echo(
    acceptor: &Acceptor,
    stream: TcpStream,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut ws = acceptor.accept(stream).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}
