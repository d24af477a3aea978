//! A chat: what one member says reaches all the others. `cargo run --example chat_async`.

use std::error::Error;

use tokio::net::{TcpListener, TcpStream};
use ws_async::{Hub, SlowConsumer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9002").await?;
    println!("listening on ws://{}", listener.local_addr()?);
    serve(listener).await
}

async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    // Who falls too far behind the others is disconnected: to miss some of what was said is not to have been there.
    let hub = Hub::new(SlowConsumer::Disconnect);
    for number in 1u64.. {
        let (stream, _) = listener.accept().await?;
        let hub = hub.clone();
        tokio::spawn(async move {
            talk(stream, number, hub)
                .await
                .inspect_err(|error| eprintln!("{number}: {error}"))
        });
    }
    Ok(())
}

async fn talk(
    stream: TcpStream,
    number: u64,
    hub: Hub,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let (sender, mut receiver) = ws_async::accept(stream).await?.split();
    let member = hub.join("lobby", &sender);
    sender.send(format!("you are member {number}")).await?;
    while let Some(message) = receiver.recv().await? {
        // It is written to the others from here; what a slow one does not take goes out as it reads.
        member.publish(message).await;
    }
    Ok(())
}

#[tokio::test]
async fn members_hear_each_other() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("ws://{}/", listener.local_addr()?);
    let server = async {
        serve(listener)
            .await
            .expect("the server runs until it is dropped")
    };
    let clients = async {
        let mut one = ws_async::connect(&uri).await?;
        assert_eq!(one.recv().await?, Some("you are member 1".into()));
        let mut two = ws_async::connect(&uri).await?;
        assert_eq!(two.recv().await?, Some("you are member 2".into()));
        two.send("你好").await?;
        assert_eq!(one.recv().await?, Some("你好".into()));
        one.close(ws_async::CloseCode::NORMAL, "").await?;
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::select! {
        () = server => unreachable!("the server does not end"),
        done = clients => done,
    }
}
