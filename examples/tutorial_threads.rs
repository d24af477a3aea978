//! The thread-per-connection server with a listen backlog, and with what the tutorial lacked: a limit on threads.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Connections served at once. The next ones wait in the listen backlog of the operating system.
const MAX_CONNECTIONS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:3368")?;
    println!("listening on ws://{}", listener.local_addr()?);
    serve(&listener, MAX_CONNECTIONS)
}

fn serve(listener: &TcpListener, max_connections: usize) -> Result<(), Box<dyn Error>> {
    let (permits, returned): (SyncSender<()>, Receiver<()>) = sync_channel(max_connections);
    for _ in 0..max_connections {
        permits.send(())?;
    }
    loop {
        returned.recv()?;
        let (stream, address) = loop {
            match listener.accept() {
                Ok(accepted) => break accepted,
                // Out of descriptors, or the client has left already: neither ends a server.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        let permits = permits.clone();
        thread::spawn(move || {
            if let Err(error) = echo(stream) {
                eprintln!("{address}: {error}");
            }
            permits.send(())
        });
    }
}

fn echo(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut ws = ws_sync::accept(stream)?;
    while let Some(message) = ws.recv()? {
        ws.send(message)?;
    }
    Ok(())
}

#[test]
fn serves_no_more_than_its_limit_at_once_and_everyone_in_the_end() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    thread::spawn(move || serve(&listener, 1).expect("the server runs until the test ends"));
    let mut first = ws_sync::connect(&uri)?;
    let waiting = thread::spawn(move || {
        let mut second = ws_sync::connect(&uri).expect("its turn came");
        second.send("second").expect("sent");
        second.recv().expect("received")
    });
    first.send("first")?;
    assert_eq!(first.recv()?, Some("first".into()));
    first.close(ws_sync::CloseCode::NORMAL, "")?;
    assert_eq!(waiting.join().expect("no panic"), Some("second".into()));
    Ok(())
}
