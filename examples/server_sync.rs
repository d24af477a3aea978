//! Sockets and their page on one port, and an end in good order: `cargo run --example server_sync -- --port 9001`.

use std::time::Duration;
use std::{env, io, thread};

use ws_sync::handshake::server::{HttpResponse, Request};
use ws_sync::serving::Drain;
use ws_sync::{HandlerResult, Server, Session};

const PAGE: &str = "<!doctype html><title>clock</title><p id=clock>\
    <script>new WebSocket('ws://' + location.host + '/clock').onmessage = \
    event => document.getElementById('clock').textContent = event.data</script>";

fn main() -> io::Result<()> {
    let port = env::args().skip_while(|arg| arg != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(9001);
    let server = Server::builder()
        .route("/echo", echo)
        .route("/clock", clock)
        .http(page)
        .bind(("127.0.0.1", port))?;
    let address = server.local_addr()?;
    println!("listening on ws://{address}/echo\nopen http://{address}/\npress Enter to stop");
    let handle = server.handle();
    thread::spawn(move || {
        // The standard library knows no ctrl-C. Without a terminal, the server runs until it is killed.
        if io::stdin()
            .read_line(&mut String::new())
            .is_ok_and(|read| read > 0)
        {
            // Every client is told, and has ten seconds to answer.
            handle.drain(Drain::default());
        }
    });
    server.run();
    Ok(())
}

fn echo(mut session: Session) -> HandlerResult {
    while let Some(message) = session.recv()? {
        session.send(message)?;
    }
    Ok(())
}

/// Pushes from a thread of its own, and still notices when the client leaves.
fn clock(session: Session) -> HandlerResult {
    let (sender, mut receiver) = session.split();
    thread::scope(|scope| {
        scope.spawn(|| {
            // An error is the end of the connection, of which the receiver says more.
            for second in 0.. {
                if sender.send(format!("{second} s")).is_err() {
                    break;
                }
                thread::sleep(Duration::from_secs(1));
            }
        });
        while receiver.recv()?.is_some() {}
        Ok(())
    })
}

fn page(request: &Request) -> Option<HttpResponse> {
    (request.path() == "/").then(|| HttpResponse::html(PAGE))
}
