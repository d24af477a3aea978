//! An echo in two hands, a task that receives and one that sends:
//! `cargo run --example echo_server_split_async -- --port 9001`, and `--deflate` to compress.

use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use ws_async::{Acceptor, Config, DeflateConfig};

/// Messages that the sending task may be behind; the peer is not read beyond that.
const BACKLOG: usize = 16;

// On one thread the sending task runs before the receiving one looks at what ends the connection, so that a request is
// answered although its peer closed or failed right behind it. On several threads that is likely, and no more.
#[tokio::main(flavor = "current_thread")]
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
    let (sender, mut receiver) = acceptor.accept(stream).await?.split();
    let (echoes, mut to_send) = mpsc::channel(BACKLOG);
    let sending = tokio::spawn(async move {
        while let Some(message) = to_send.recv().await {
            sender.send(message).await?;
        }
        Ok::<_, ws_async::Error>(())
    });
    while let Some(message) = receiver.recv().await? {
        // The other task ends only when this one does, or when the connection can send no more.
        if echoes.send(message).await.is_err() {
            break;
        }
    }
    // Whatever comes now is not echoed, but the end of the connection is awaited.
    drop(echoes);
    while receiver.recv().await?.is_some() {}
    Ok(sending.await??)
}
