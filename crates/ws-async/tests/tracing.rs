//! What a server tells with the feature `tracing`, and what it never does.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing::Level;
use tracing::subscriber::{DefaultGuard, set_default};
use ws_async::handshake::server::HttpResponse;
use ws_async::serving::Drain;
use ws_async::{CloseCode, HandlerResult, Server, ServerBuilder, Session, WebSocket};
use ws_testkit::Events;

async fn echo(mut session: Session) -> HandlerResult {
    while let Some(message) = session.recv().await? {
        session.send(message).await?;
    }
    Ok(())
}

fn builder() -> ServerBuilder {
    Server::builder()
        .route("/echo", echo)
        .route("/error", |_| async { Err("a mistake".into()) })
        .route("/panic", |_| async { panic!("a bug") })
        .route("/greet", |session: Session| async move {
            session.send_ref("hello, secretly").await?;
            Ok(())
        })
        .route("/late", |mut session: Session| async move {
            while session.recv().await?.is_some() {}
            assert!(session.send("tardy").await.is_err());
            assert!(session.send_ref("tardy").await.is_err());
            assert!(session.feed("tardy").await.is_err());
            assert!(session.try_send("tardy").is_err());
            Ok(())
        })
        .http(|request| (request.path() == "/").then(|| HttpResponse::text("a page")))
}

fn listen(level: Level) -> (Events, DefaultGuard) {
    let events = Events::at(level);
    let guard = set_default(events.clone());
    (events, guard)
}

/// Has one conversation with a server and ends it: what was told meanwhile.
async fn told_of(
    events: &Events,
    builder: ServerBuilder,
    talk: impl AsyncFnOnce(&str),
) -> Vec<String> {
    let server = builder.bind("127.0.0.1:0").await.expect("a free port");
    let address = server.local_addr().expect("it listens").to_string();
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    talk(&address).await;
    let drain = Drain::default().with_window(Duration::ZERO);
    handle.drain(drain).await;
    running.await.expect("no panic");
    events.take()
}

async fn open(address: &str, path: &str) -> WebSocket<TcpStream> {
    let uri = format!("ws://{address}{path}");
    ws_async::connect(&uri).await.expect("accepted")
}

async fn request(address: &str, head: &str) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
}

/// The line that ends so, without what differs from run to run.
fn line<'a>(told: &'a [String], end: &str) -> &'a str {
    told.iter()
        .find(|line| line.contains(end))
        .unwrap_or_else(|| panic!("{end:?} is not in {told:#?}"))
}

#[tokio::test]
async fn a_connections_life_is_told_in_its_span() {
    let (events, _guard) = listen(Level::DEBUG);
    let told = told_of(&events, builder(), async |address| {
        let mut ws = open(address, "/echo?secret=1").await;
        ws.send("hush").await.expect("sent");
        ws.recv().await.expect("received");
        let reason = "line\nbreak \u{1b}[31m";
        ws.close(CloseCode::new(4000), reason)
            .await
            .expect("closed");
        request(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        request(address, "GET /no HTTP/1.1\r\nHost: a\r\n\r\n").await;
        for path in ["/error", "/panic"] {
            let mut ws = open(address, path).await;
            assert_eq!(ws.recv().await.expect("a clean end"), None);
        }
    })
    .await;
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
    for secret in ["hush", "secret"] {
        assert!(told.iter().all(|line| !line.contains(secret)), "{told:#?}");
    }
}

#[tokio::test]
async fn frames_are_told_without_their_payload() {
    let (events, _guard) = listen(Level::TRACE);
    let told = told_of(&events, builder(), async |address| {
        let mut ws = open(address, "/echo").await;
        ws.send("hush").await.expect("sent");
        ws.recv().await.expect("received");
        ws.close(CloseCode::NORMAL, "").await.expect("closed");
    })
    .await;
    for frame in [
        "frame direction=Received opcode=Text fin=true length=4",
        "frame direction=Sent opcode=Text fin=true length=4",
        "frame direction=Received opcode=Close fin=true length=2",
    ] {
        assert!(line(&told, frame).starts_with("TRACE connection{id=1 "));
    }
    assert!(told.iter().all(|line| !line.contains("hush")), "{told:#?}");
}

#[tokio::test]
async fn payloads_are_told_when_asked_for_and_cut() {
    let (events, _guard) = listen(Level::TRACE);
    let builder = builder().with_logged_payloads(5);
    let told = told_of(&events, builder, async |address| {
        let mut ws = open(address, "/echo").await;
        ws.send("a\nb secret").await.expect("sent");
        ws.recv().await.expect("received");
        ws.send(vec![0, b'x', 0xff]).await.expect("sent");
        ws.recv().await.expect("received");
        ws.close(CloseCode::NORMAL, "").await.expect("closed");
        let mut ws = open(address, "/greet").await;
        ws.recv().await.expect("received");
        let mut ws = open(address, "/late").await;
        ws.close(CloseCode::NORMAL, "").await.expect("closed");
    })
    .await;
    for message in [
        r#"message direction="received" length=10 text="a\nb s""#,
        r#"message direction="sent" length=10 text="a\nb s""#,
        r#"message direction="sent" length=3 binary=\x00x\xff"#,
        r#"message direction="sent" length=15 text="hello""#,
    ] {
        line(&told, message);
    }
    assert!(told.iter().all(|line| !line.contains("secret")));
    // What could not be sent is not told as sent.
    assert!(told.iter().all(|line| !line.contains("tardy")), "{told:#?}");
}
