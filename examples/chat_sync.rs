//! The chat with threads: what one member says reaches all the others. `cargo run --example chat_sync`.

use std::io;
use std::net::TcpListener;

use ws_sync::{HandlerResult, Hub, Server, Session, SlowConsumer};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:9002")?;
    println!("listening on ws://{}", listener.local_addr()?);
    serve(listener);
    Ok(())
}

fn serve(listener: TcpListener) {
    // Who falls too far behind the others is disconnected: to miss some of what was said is not to have been there.
    let hub = Hub::new(SlowConsumer::Disconnect);
    let server = Server::builder()
        .fallback(move |session| talk(session, &hub))
        .listen(listener);
    server.run();
}

fn talk(session: Session, hub: &Hub) -> HandlerResult {
    let number = session.id();
    let (sender, mut receiver) = session.split();
    let member = hub.join("lobby", &sender);
    sender.send(format!("you are member {number}"))?;
    while let Some(message) = receiver.recv()? {
        // It is written to the others from here; what a slow one does not take goes out as it reads.
        member.publish(message);
    }
    Ok(())
}

#[test]
fn members_hear_each_other() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    std::thread::spawn(move || serve(listener));
    let mut one = ws_sync::connect(&uri)?;
    assert_eq!(one.recv()?, Some("you are member 1".into()));
    let mut two = ws_sync::connect(&uri)?;
    assert_eq!(two.recv()?, Some("you are member 2".into()));
    two.send("你好")?;
    assert_eq!(one.recv()?, Some("你好".into()));
    one.close(ws_sync::CloseCode::NORMAL, "")?;
    Ok(())
}
