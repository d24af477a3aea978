//! A chat: what one member says reaches all the others. `cargo run --example chat_async`.

use std::error::Error;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, error::RecvError};
use ws_async::{CloseCode, Message};

/// A member may fall this many messages behind.
const BACKLOG: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:9002").await?;
    println!("listening on ws://{}", listener.local_addr()?);
    serve(listener).await
}

async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let room = broadcast::Sender::new(BACKLOG);
    for member in 1u64.. {
        let (stream, _) = listener.accept().await?;
        let room = room.clone();
        tokio::spawn(async move {
            talk(stream, member, room)
                .await
                .inspect_err(|error| eprintln!("{member}: {error}"))
        });
    }
    Ok(())
}

async fn talk(
    stream: TcpStream,
    member: u64,
    room: broadcast::Sender<(u64, Message)>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut ws = ws_async::accept(stream).await?;
    let mut heard = room.subscribe();
    ws.send(format!("you are member {member}")).await?;
    loop {
        tokio::select! {
            // Both futures are cancel safe: the one that loses drops nothing.
            said = ws.recv() => match said? {
                Some(message) => { room.send((member, message))?; }
                None => return Ok(()),
            },
            other = heard.recv() => match other {
                Ok((speaker, message)) if speaker != member => ws.send(message).await?,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    ws.close(CloseCode::TRY_AGAIN_LATER, "you read too slowly").await?;
                }
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
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
        assert!(
            one.recv()
                .await?
                .is_some_and(|message| message.as_text() == Some("you are member 1"))
        );
        let mut two = ws_async::connect(&uri).await?;
        assert!(
            two.recv()
                .await?
                .is_some_and(|message| message.as_text() == Some("you are member 2"))
        );
        two.send("你好").await?;
        assert_eq!(one.recv().await?, Some(Message::text("你好")));
        one.close(CloseCode::NORMAL, "").await?;
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::select! {
        () = server => unreachable!("the server does not end"),
        done = clients => done,
    }
}
