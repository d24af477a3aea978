//! A chat: what one member says reaches all the others. `cargo run --example chat_async`.

use std::io;

use tokio::net::TcpListener;
use ws_async::{HandlerResult, Hub, Server, Session, SlowConsumer};

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:9002").await?;
    println!("listening on ws://{}", listener.local_addr()?);
    serve(listener).await;
    Ok(())
}

async fn serve(listener: TcpListener) {
    // Who falls too far behind the others is disconnected: to miss some of what was said is not to have been there.
    let hub = Hub::new(SlowConsumer::Disconnect);
    let server = Server::builder()
        .fallback(move |session| talk(session, hub.clone()))
        .listen(listener);
    server.run().await;
}

async fn talk(session: Session, hub: Hub) -> HandlerResult {
    let number = session.id();
    let (sender, mut receiver) = session.split();
    let member = hub.join("lobby", &sender);
    sender.send(format!("you are member {number}")).await?;
    while let Some(message) = receiver.recv().await? {
        // It is written to the others from here; what a slow one does not take goes out as it reads.
        member.publish(message).await;
    }
    Ok(())
}

#[tokio::test]
async fn members_hear_each_other() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let clients = async {
        let mut one = ws_async::connect(&uri).await?;
        assert_eq!(one.recv().await?, Some("you are member 1".into()));
        let mut two = ws_async::connect(&uri).await?;
        assert_eq!(two.recv().await?, Some("you are member 2".into()));
        two.send("你好").await?;
        assert_eq!(one.recv().await?, Some("你好".into()));
        one.close(ws_async::CloseCode::NORMAL, "").await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    tokio::select! {
        () = serve(listener) => unreachable!("the server does not end"),
        done = clients => done,
    }
}
