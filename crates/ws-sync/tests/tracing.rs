//! What a server tells with the feature `tracing`, and what it never does.
//!
//! One test: what threads tell goes to the one subscriber of the process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use tracing::Level;
use ws_sync::handshake::server::HttpResponse;
use ws_sync::serving::Drain;
use ws_sync::{CloseCode, HandlerResult, Server, Session, WebSocket};
use ws_testkit::Events;

fn echo(mut session: Session) -> HandlerResult {
    while let Some(message) = session.recv()? {
        session.send(message)?;
    }
    Ok(())
}

fn open(address: SocketAddr, path: &str) -> WebSocket<TcpStream> {
    let uri = format!("ws://{address}{path}");
    ws_sync::connect(&uri).expect("accepted")
}

fn request(address: SocketAddr, head: &str) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
}

/// The line that holds this.
fn line<'a>(told: &'a [String], part: &str) -> &'a str {
    told.iter()
        .find(|line| line.contains(part))
        .unwrap_or_else(|| panic!("{part:?} is not in {told:#?}"))
}

#[test]
fn a_connections_life_is_told_in_its_span() {
    let events = Events::at(Level::TRACE);
    tracing::subscriber::set_global_default(events.clone()).expect("the only one");
    let server = Server::builder()
        .route("/echo", echo)
        .route("/error", |_| Err("a mistake".into()))
        .route("/panic", |_| panic!("a bug"))
        .route("/greet", |session: Session| {
            session.send_ref("hello, secretly")?;
            Ok(())
        })
        .route("/late", |mut session: Session| {
            while session.recv()?.is_some() {}
            assert!(session.send("tardy").is_err());
            assert!(session.send_ref("tardy").is_err());
            assert!(session.feed("tardy").is_err());
            assert!(session.try_send("tardy").is_err());
            Ok(())
        })
        .http(|request| (request.path() == "/").then(|| HttpResponse::text("a page")))
        .with_logged_payloads(5)
        .bind("127.0.0.1:0")
        .expect("a free port");
    let address = server.local_addr().expect("it listens");
    let handle = server.handle();
    let running = thread::spawn(|| server.run());

    let mut ws = open(address, "/echo?secret=1");
    ws.send("a\nb hush").expect("sent");
    ws.recv().expect("received");
    ws.close(CloseCode::new(4000), "line\nbreak \u{1b}[31m")
        .expect("closed");
    request(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    request(address, "GET /no HTTP/1.1\r\nHost: a\r\n\r\n");
    for path in ["/error", "/panic"] {
        assert_eq!(open(address, path).recv().expect("a clean end"), None);
    }
    open(address, "/greet").recv().expect("received");
    let mut ws = open(address, "/late");
    ws.close(CloseCode::NORMAL, "").expect("closed");
    handle.drain(Drain::default().with_window(Duration::ZERO));
    running.join().expect("no panic");

    let told = events.take();
    let accepted = line(&told, ": accepted");
    assert!(
        accepted.starts_with("DEBUG connection{id=1 peer=127.0.0.1:"),
        "{accepted}"
    );
    assert!(accepted.contains(" path=\"/echo\"}"), "{accepted}");
    // spec: S-11
    let closed = line(&told, "code=4000");
    for part in [
        "connection{id=1 ",
        ": closed ",
        r#"reason="line\nbreak \u{1b}[31m""#,
        "by=Remote clean=true",
    ] {
        assert!(closed.contains(part), "{part} in {closed}");
    }
    assert!(line(&told, "answered status=200").contains("path=\"/\"}"));
    assert!(line(&told, "refused status=404").contains("path=\"/no\"}"));
    assert!(line(&told, "error=a mistake").starts_with("WARN connection{id=4 "));
    assert!(line(&told, "the handler panicked").starts_with("ERROR connection{id=5 "));
    assert!(line(&told, "draining code=1001").starts_with("INFO:"));
    assert!(line(&told, "drained closed=").starts_with("INFO:"));
    for frame in [
        "frame direction=Received opcode=Text fin=true length=8",
        "frame direction=Sent opcode=Text fin=true length=8",
        "frame direction=Received opcode=Close fin=true length=18",
        r#"message direction="received" length=8 text="a\nb h""#,
        r#"message direction="sent" length=8 text="a\nb h""#,
    ] {
        assert!(line(&told, frame).starts_with("TRACE connection{id=1 "));
    }
    line(&told, r#"message direction="sent" length=15 text="hello""#);
    // What could not be sent is not told as sent.
    for secret in ["hush", "secret", "tardy"] {
        assert!(told.iter().all(|line| !line.contains(secret)), "{told:#?}");
    }
}
