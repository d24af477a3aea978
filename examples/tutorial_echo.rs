//! The single-connection server of many a tutorial: accept, shake hands, answer each text with itself and "aaaa".
//! This one survives a disconnect and takes the next client.

use std::error::Error;
use std::net::{TcpListener, TcpStream};

use ws_sync::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:8002")?;
    println!("listening on ws://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors, or the client has left already: neither ends a server.
            std::thread::sleep(std::time::Duration::from_millis(10));
            continue;
        };
        if let Err(error) = reply(stream) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn reply(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut ws = ws_sync::accept(stream)?;
    while let Some(message) = ws.recv()? {
        match message {
            Message::Text(text) => ws.send(format!("{text}aaaa"))?,
            binary => ws.send(binary)?,
        }
    }
    Ok(())
}

#[test]
fn answers_and_survives() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let client = std::thread::spawn(move || {
        drop(ws_sync::connect(&uri).expect("the handshake works"));
        let mut ws = ws_sync::connect(&uri).expect("the server took the next client");
        ws.send("中文").expect("sent");
        let reply = ws.recv().expect("received").expect("not closed");
        ws.close(ws_sync::CloseCode::NORMAL, "").expect("closed");
        reply
    });
    assert!(
        reply(listener.accept()?.0).is_err(),
        "the first client left without a Close frame"
    );
    reply(listener.accept()?.0)?;
    assert_eq!(client.join().expect("no panic"), Message::text("中文aaaa"));
    Ok(())
}
