//! What the server tells of compression: the numbers are those of the wire.

mod client;

use std::sync::{Arc, Mutex};

use client::{Client, Running};
use ws_async::{CloseCode, Compress, Config, Connector, DeflateConfig, Direction, Message, Rsv};

const NAME: &str = "0123456789abcdef0123456789abcdef";
const TEXT: &str = r#"{"type":"quote","symbol":"WSX","bid":"101.25","ask":"101.50","last":"101.37","high":"101.90","low":"100.11","open":"101.02","currency":"EUR"}"#;

/// A client that offers compression, as every browser does.
fn browser() -> Connector {
    let config = Config::default().with_deflate(DeflateConfig::default());
    // Enough for a longer message to be several frames.
    Connector::new().with_config(config.with_fragment_size(Some(4096)))
}

/// The messages of a connection as they were on the wire, as its own end saw them: direction, whether compressed,
/// frames, bytes of headers, bytes of payload.
type Seen = Arc<Mutex<Vec<(&'static str, bool, u64, u64, u64)>>>;

/// Opens a socket that is watched; what its own end sees.
async fn open_watched(server: &Running, path: &str, connector: &Connector) -> (Client, Seen) {
    let path = format!("{path}?watch={NAME}&connection=7");
    let mut client = server.open_with(&path, connector).await.expect("accepted");
    let seen = Seen::default();
    let mut unfinished = [("received", false, 0, 0, 0), ("sent", false, 0, 0, 0)];
    client.ws.set_tap({
        let seen = Arc::clone(&seen);
        move |frame, _| {
            if frame.header.opcode.is_control() {
                return;
            }
            // What this end sends the server receives.
            let way = &mut unfinished[usize::from(frame.direction == Direction::Received)];
            way.1 |= frame.header.rsv.contains(Rsv::RSV1);
            way.2 += 1;
            way.3 += frame.header_len as u64;
            way.4 += frame.header.payload_len;
            if frame.header.fin {
                seen.lock().expect("nobody panicked").push(*way);
                *way = (way.0, false, 0, 0, 0);
            }
        }
    });
    (client, seen)
}

async fn watch(server: &Running) -> Client {
    let mut watcher = server.open(&format!("/wire?watch={NAME}")).await;
    assert_eq!(watcher.text().await, r#"{"type":"watching"}"#);
    watcher
}

/// Compares what the server told with what the other end saw, of each direction in its order.
async fn compare(watcher: &mut Client, seen: &Seen) {
    let seen = std::mem::take(&mut *seen.lock().expect("nobody panicked"));
    let [mut received, mut sent] = [Vec::new(), Vec::new()];
    for (direction, compressed, frames, header, payload) in seen {
        let expected = match direction {
            "received" => &mut received,
            _ => &mut sent,
        };
        let number = expected.len() + 1;
        expected.push(format!(
            r#"{{"type":"message","connection":7,"direction":"{direction}","number":{number},"compressed":{compressed},"frames":{frames},"header":{header},"payload":{payload}}}"#
        ));
    }
    let mut told = Vec::new();
    for _ in 0..received.len() + sent.len() {
        told.push(watcher.text().await);
    }
    let of = |direction: &str| {
        let direction = format!(r#""direction":"{direction}""#);
        let told = told.iter().filter(|told| told.contains(&direction));
        told.cloned().collect::<Vec<_>>()
    };
    assert_eq!(of("received"), received);
    assert_eq!(of("sent"), sent);
}

/// Long, compressible and no line like another.
fn lines() -> String {
    (0..20_000).fold(String::new(), |text, n| format!("{text}{n} "))
}

// spec: PA-01, PA-05, PA-09
#[tokio::test]
async fn what_is_told_is_what_was_on_the_wire() {
    let server = Running::start().await;
    let mut watcher = watch(&server).await;
    let (mut client, seen) = open_watched(&server, "/echo", &browser()).await;
    assert!(client.ws.deflate().is_some());
    for message in [
        Message::text(TEXT),
        Message::text(TEXT),
        Message::text(""),
        Message::binary(vec![0; 100_000]),
        Message::text(lines()),
    ] {
        client.echo(message).await;
    }
    let ways = seen.lock().expect("nobody panicked").clone();
    let text: Vec<_> = ways.iter().filter(|way| way.1).map(|way| way.4).collect();
    assert!(text[2] * 4 < text[0], "repeated, received: {text:?}");
    assert!(text[3] * 4 < text[1], "repeated, sent: {text:?}");
    assert!(
        ways.iter().any(|way| way.2 > 1),
        "one is fragmented: {ways:?}"
    );
    compare(&mut watcher, &seen).await;
    server.end((client, watcher)).await;
}

// spec: PM-06
#[tokio::test]
async fn below_plain_nothing_is_compressed() {
    let server = Running::start().await;
    let mut watcher = watch(&server).await;
    for path in [
        "/echo",
        "/origin-checked",
        "/reverse-001",
        "/chat",
        "/inspect",
    ] {
        let browser = browser().with_origin(format!("http://{}", server.address));
        let client = server.open_with(path, &browser).await.expect("accepted");
        assert!(client.ws.deflate().is_some(), "{path}");
        let plain = format!("/plain{path}");
        let client = server.open_with(&plain, &browser).await.expect("accepted");
        assert!(client.ws.deflate().is_none(), "{path}");
    }
    let unnamed = server.open_with("/plain/origin-checked", &browser()).await;
    assert_eq!(unnamed.err(), Some(403));

    let (mut client, seen) = open_watched(&server, "/plain/echo", &browser()).await;
    client.echo(Message::text(TEXT)).await;
    let plain = TEXT.len() as u64;
    assert_eq!(
        *seen.lock().expect("nobody panicked"),
        [
            ("received", false, 1, 8, plain),
            ("sent", false, 1, 4, plain)
        ]
    );
    compare(&mut watcher, &seen).await;
    server.end((client, watcher)).await;
}

// What another page has put into the address stands there next to the cookie of the user: how well the two compress
// together would tell about the cookie (RFC 7692 section 8).
#[tokio::test]
async fn what_inspect_tells_of_a_cookie_is_not_compressed() {
    let server = Running::start().await;
    // The address holds the cookie's value too, as a guess of it that is right.
    let browser = browser().with_header("Cookie", format!("session={NAME}"));
    let (mut client, seen) = open_watched(&server, "/inspect", &browser).await;
    assert!(client.ws.deflate().is_some());
    let told = client.text().await;
    assert_eq!(told.matches(NAME).count(), 2, "{told}");
    let plain = told.len() as u64;
    assert_eq!(
        *seen.lock().expect("nobody panicked"),
        [("sent", false, 1, 4, plain)]
    );
    server.end(client).await;
}

// spec: PM-07
#[tokio::test]
async fn answers_are_compressed_as_the_page_asks() {
    let server = Running::start().await;
    let mut watcher = watch(&server).await;
    let (mut client, seen) = open_watched(&server, "/echo", &browser()).await;
    let short = Message::text("short");
    for (asked, message, compressed) in [
        ("always", &short, true),
        ("never", &Message::text(TEXT), false),
        ("auto", &short, false),
        ("auto", &Message::text(TEXT), true),
    ] {
        watcher
            .send(format!(r#"{{"type":"answers","compress":"{asked}"}}"#))
            .await;
        let told = watcher.text().await;
        assert_eq!(
            told,
            format!(r#"{{"type":"answers","compress":"{asked}"}}"#)
        );
        let message = message.clone();
        client
            .ws
            .send_with(message, Compress::Never)
            .await
            .expect("sent");
        client.recv().await;
        let answer = *seen
            .lock()
            .expect("nobody panicked")
            .last()
            .expect("an answer");
        assert_eq!((answer.0, answer.1), ("sent", compressed), "{asked}");
        for _ in 0..2 {
            watcher.text_with(r#""type":"message""#).await;
        }
    }
    for nonsense in [r#"{"type":"answers","compress":"sometimes"}"#, "[]", "{}"] {
        watcher.send(nonsense).await;
        assert!(watcher.text().await.starts_with(r#"{"type":"error","#));
    }
    server.end((client, watcher)).await;
}

#[tokio::test]
async fn what_a_page_asks_for_is_short() {
    let server = Running::start().await;
    let mut watcher = watch(&server).await;
    watcher.send(" ".repeat(1024)).await;
    assert!(watcher.text().await.starts_with(r#"{"type":"error","#));
    watcher.send(" ".repeat(1025)).await;
    assert_eq!(watcher.closed().await.code, CloseCode::MESSAGE_TOO_BIG);
    server.end(()).await;
}

// spec: S-03
#[tokio::test]
async fn to_watch_takes_a_name_of_ones_own() {
    let server = Running::start().await;
    let mut first = watch(&server).await;
    for query in [
        String::new(),
        "?watch=".to_owned(),
        "?watch=tooshort".to_owned(),
        format!("?watch={}", "x".repeat(65)),
        "?watch=0123456789abcdef%20".to_owned(),
        format!("?watch={NAME}"),
    ] {
        let second = server.open(&format!("/wire{query}")).await;
        assert_eq!(
            second.closed().await.code,
            CloseCode::POLICY_VIOLATION,
            "{query}"
        );
    }
    let elsewhere = Connector::new().with_origin("http://elsewhere.example");
    let path = format!("/wire?watch={NAME}");
    assert_eq!(server.open_with(&path, &elsewhere).await.err(), Some(403));
    // The name is free when the server has seen the end, which is what it says last.
    first
        .ws
        .close(CloseCode::NORMAL, "")
        .await
        .expect("a clean close");
    let again = loop {
        let mut again = server.open(&path).await;
        if let Ok(Some(_)) = again.ws.recv().await {
            break again;
        }
    };
    server.end((first, again)).await;
}

#[tokio::test]
async fn a_connection_outlives_its_watcher_and_a_name_that_nobody_has_is_nothing() {
    let server = Running::start().await;
    let watcher = watch(&server).await;
    let (mut client, _) = open_watched(&server, "/echo", &browser()).await;
    client.echo(Message::text(TEXT)).await;
    drop(watcher);
    for _ in 0..3 {
        client.echo(Message::text(TEXT)).await;
    }
    let unknown = format!("/echo?watch={}", "x".repeat(32));
    let mut other = server.open(&unknown).await;
    other.echo(Message::text(TEXT)).await;
    server.end((client, other)).await;
}
