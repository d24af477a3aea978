//! The threaded server that pushes to its page: the opening handshake runs on the connection's own thread, and the
//! server speaks without being asked.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ws_sync::CloseCode;

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:8001")?;
    println!("listening on ws://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors, or the client has left already: neither ends a server.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        thread::spawn(move || {
            push(stream, Duration::from_secs(1)).inspect_err(|error| eprintln!("{error}"))
        });
    }
    Ok(())
}

/// Counts to ten, a message every `interval`.
fn push(stream: TcpStream, interval: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut ws = ws_sync::accept(stream)?;
    for count in 1..=10 {
        ws.send(format!("message {count} from the server"))?;
        thread::sleep(interval);
    }
    ws.close(CloseCode::NORMAL, "that was all")?;
    Ok(())
}

#[test]
fn pushes_to_every_client() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let clients: Vec<_> = (0..3)
        .map(|_| {
            thread::spawn({
                let uri = uri.clone();
                move || {
                    let mut ws = ws_sync::connect(&uri).expect("the handshake works");
                    let mut messages = 0;
                    while ws.recv().expect("received").is_some() {
                        messages += 1;
                    }
                    (
                        messages,
                        ws.close_info().expect("it is closed").reason().to_owned(),
                    )
                }
            })
        })
        .collect();
    // A client that never finishes its handshake holds up nobody.
    let silent = TcpStream::connect(listener.local_addr()?)?;
    for _ in 0..4 {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || push(stream, Duration::ZERO));
    }
    for client in clients {
        assert_eq!(
            client.join().expect("no panic"),
            (10, "that was all".to_owned())
        );
    }
    drop(silent);
    Ok(())
}
