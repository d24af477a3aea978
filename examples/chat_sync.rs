//! The chat with threads: what one member says reaches all the others. `cargo run --example chat_sync`.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::{io, thread};

use ws_sync::{Hub, SlowConsumer};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9002")?;
    println!("listening on ws://{}", listener.local_addr()?);
    Ok(serve(&listener)?)
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    // Who falls too far behind the others is disconnected: to miss some of what was said is not to have been there.
    let hub = Hub::new(SlowConsumer::Disconnect);
    for number in 1u64.. {
        let (stream, _) = listener.accept()?;
        let hub = hub.clone();
        thread::spawn(move || {
            talk(stream, number, &hub).inspect_err(|error| eprintln!("{number}: {error}"))
        });
    }
    Ok(())
}

fn talk(stream: TcpStream, number: u64, hub: &Hub) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let (sender, mut receiver) = ws_sync::accept(stream)?.split()?;
    let member = hub.join("lobby", &sender);
    sender.send(format!("you are member {number}"))?;
    while let Some(message) = receiver.recv()? {
        // It is written to the others from here; what a slow one does not take goes out as it reads.
        member.publish(message);
    }
    Ok(())
}

#[test]
fn members_hear_each_other() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    thread::spawn(move || serve(&listener).expect("the server runs until the test ends"));
    let mut one = ws_sync::connect(&uri)?;
    assert_eq!(one.recv()?, Some("you are member 1".into()));
    let mut two = ws_sync::connect(&uri)?;
    assert_eq!(two.recv()?, Some("you are member 2".into()));
    two.send("你好")?;
    assert_eq!(one.recv()?, Some("你好".into()));
    one.close(ws_sync::CloseCode::NORMAL, "")?;
    Ok(())
}
