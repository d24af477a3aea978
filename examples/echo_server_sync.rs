//! Thread per connection, blocking: `cargo run --example echo_server_sync -- --port 9001`, and `--deflate` to
//! compress.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::{env, io, thread};

use ws_sync::{Acceptor, Config, DeflateConfig};

fn main() -> io::Result<()> {
    let port = env::args().skip_while(|arg| arg != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(9001);
    let config = match env::args().any(|arg| arg == "--deflate") {
        true => Config::default().with_deflate(DeflateConfig::default()),
        false => Config::default(),
    };
    // One for all connections, each of which keeps no more than a reference.
    let acceptor = Arc::new(Acceptor::new().with_config(config));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on ws://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        match stream {
            // The handshake runs on the connection's own thread: a slow client holds up nobody.
            Ok(stream) => {
                let acceptor = Arc::clone(&acceptor);
                thread::spawn(move || echo(&acceptor, stream).inspect_err(|e| eprintln!("{e}")));
            }
            // Out of descriptors, or the client has left already: neither ends a server.
            Err(_) => thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
    Ok(())
}

fn echo(
    acceptor: &Acceptor,
    stream: TcpStream,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut ws = acceptor.accept(stream)?;
    while let Some(message) = ws.recv()? {
        ws.send(message)?;
    }
    Ok(())
}
