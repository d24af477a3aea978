//! Sockets and their page on one port, and an end in good order: `cargo run --example server_async -- --port 9001`.

use std::time::Duration;
use std::{env, io};

use ws_async::handshake::server::{HttpResponse, Request};
use ws_async::serving::Drain;
use ws_async::{HandlerResult, Server, Session};

const PAGE: &str = "<!doctype html><title>clock</title><p id=clock>\
    <script>new WebSocket('ws://' + location.host + '/clock').onmessage = \
    event => document.getElementById('clock').textContent = event.data</script>";

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = env::args().skip_while(|arg| arg != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(9001);
    let server = Server::builder()
        .route("/echo", echo)
        .route("/clock", clock)
        .http(page)
        .bind(("127.0.0.1", port))
        .await?;
    let address = server.local_addr()?;
    println!("listening on ws://{address}/echo\nopen http://{address}/");
    let handle = server.handle();
    let running = tokio::spawn(server.run());

    tokio::signal::ctrl_c().await?;
    // Every client is told, and has ten seconds to answer. The next ctrl-C ends the program as ever.
    let drained = handle.drain(Drain::default()).await;
    println!("{drained:?}\n{:#?}", handle.stats());
    Ok(running.await?)
}

async fn echo(mut session: Session) -> HandlerResult {
    while let Some(message) = session.recv().await? {
        session.send(message).await?;
    }
    Ok(())
}

/// Pushes, and still notices when the client leaves.
async fn clock(session: Session) -> HandlerResult {
    let (sender, mut receiver) = session.split();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    for second in 0.. {
        tokio::select! {
            _ = seconds.tick() => sender.send(format!("{second} s")).await?,
            received = receiver.recv() => match received? {
                Some(_) => {}
                None => break,
            },
        }
    }
    Ok(())
}

fn page(request: &Request) -> Option<HttpResponse> {
    (request.path() == "/").then(|| HttpResponse::html(PAGE))
}
