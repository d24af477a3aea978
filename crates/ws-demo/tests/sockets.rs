//! The routes that speak WebSocket, by our own client.

mod client;

use client::{Client, Running};
use ws_async::handshake::client::RawRequest;
use ws_async::{CloseCode, Config, Connector, DeflateConfig, Message};
use ws_demo::Origin;

// spec: BT-02, B-46
#[tokio::test]
async fn echo_gives_back_what_it_got() {
    let server = Running::start().await;
    let mut client = server.open("/echo").await;
    for text in ["", "hello", "中文 👋 \u{feff}"] {
        client.echo(Message::text(text)).await;
    }
    for size in [0, 1, 125, 126, 65_535, 65_536, 1024 * 1024] {
        client.echo(Message::text("x".repeat(size))).await;
        client.echo(Message::binary(vec![0x80; size])).await;
    }
    let info = client
        .ws
        .close(CloseCode::new(4000), "enough")
        .await
        .expect("a clean close");
    assert!(info.clean);
    server.end(client).await;
}

#[tokio::test]
async fn many_messages_at_once_come_back_in_order() {
    let server = Running::start().await;
    let mut client = server.open("/echo").await;
    for n in 0..500 {
        client
            .ws
            .feed(Message::text(n.to_string()))
            .await
            .expect("queued");
    }
    client.ws.flush().await.expect("sent");
    for n in 0..500 {
        assert_eq!(client.text().await, n.to_string());
    }
    server.end(client).await;
}

// The answer of the first tutorial's server, and its two defects: an empty message must work, and what
// is not text must not be taken for it.
#[tokio::test]
async fn reverse_001_appends_aaaa_and_wants_text() {
    let server = Running::start().await;
    let mut client = server.open("/reverse-001").await;
    for text in ["hello", "", "中文"] {
        client.send(Message::text(text)).await;
        assert_eq!(client.text().await, format!("{text}aaaa"));
    }
    client.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(client.closed().await.code, CloseCode::UNSUPPORTED_DATA);
    server.end(()).await;
}

// spec: H-15, S-03, BT-10
#[tokio::test]
async fn a_page_from_elsewhere_is_refused() {
    let server = Running::start_with(|settings| {
        settings
            .allowed_origins
            .push(Origin::parse("http://friend.example").expect("an origin"));
    })
    .await;
    let own = format!("http://{}", server.address);
    let other_port = format!("http://{}:1", server.address.ip());
    for path in [
        "/echo",
        "/origin-checked",
        "/chat",
        "/inspect",
        "/reverse-001",
    ] {
        for (origin, allowed) in [
            (own.as_str(), true),
            ("http://friend.example", true),
            ("http://friend.example.evil", false),
            ("https://friend.example", false),
            (&other_port, false),
            ("null", false),
        ] {
            let from_there = Connector::new().with_origin(origin);
            let opened = server.open_with(path, &from_there).await;
            assert_eq!(
                opened.err(),
                (!allowed).then_some(403),
                "{origin} at {path}"
            );
        }
    }
    // A program that is no browser sends no Origin.
    let program = Connector::new();
    assert!(server.open_with("/echo", &program).await.is_ok());
    let unnamed = server.open_with("/origin-checked", &program).await;
    assert_eq!(unnamed.err(), Some(403));
    server.end(()).await;
}

#[tokio::test]
async fn the_clients_first_known_subprotocol_is_taken() {
    let server = Running::start().await;
    for (offered, taken) in [
        (&["superchat", "chat"][..], Some("superchat")),
        (&["mqtt", "chat"], Some("chat")),
        (&["mqtt"], None),
        (&[], None),
    ] {
        let connector = Connector::new().with_subprotocols(offered.iter().copied());
        let client = server
            .open_with("/echo", &connector)
            .await
            .expect("accepted");
        assert_eq!(client.ws.subprotocol(), taken, "{offered:?}");
    }
    server.end(()).await;
}

// spec: VEC-13
#[tokio::test]
async fn inspect_tells_the_handshake() {
    let server = Running::start().await;
    let host = format!("Host: {}", server.address);
    let request = RawRequest::from_lines([
        "GET /inspect?a=b HTTP/1.1",
        &host,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "X-Twice: one \"1\"",
    ])
    .expect("a request");
    let ws = Connector::new()
        .handshake_raw(server.stream().await, &request)
        .await
        .expect("accepted");
    let mut client = Client { ws };
    let report = client.text().await;
    for part in [
        r#""request_line":"GET /inspect?a=b HTTP/1.1""#,
        r#"["X-Twice","one \"1\""]"#,
        r#"["Sec-WebSocket-Key","dGhlIHNhbXBsZSBub25jZQ=="]"#,
        r#""key":"dGhlIHNhbXBsZSBub25jZQ==""#,
        r#""guid":"258EAFA5-E914-47DA-95CA-C5AB0DC85B11""#,
        r#""concatenated":"dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11""#,
        r#""sha1_hex":"b37a4f2cc0624f1690f64606cf385945b2bec4ea""#,
        r#""accept":"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=""#,
        r#""status_line":"HTTP/1.1 101 Switching Protocols""#,
        r#""response_headers":[["Upgrade","websocket"],["Connection","Upgrade"],["Sec-WebSocket-Accept","s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]]"#,
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(
        client
            .ws
            .close(CloseCode::NORMAL, "")
            .await
            .expect("a clean close")
            .clean
    );
    server.end(client).await;
}

#[tokio::test]
async fn inspect_tells_what_was_agreed_on_compression() {
    let server = Running::start().await;
    let config = Config::default().with_deflate(DeflateConfig::default());
    let browser = Connector::new().with_config(config);
    let agreed = r#"["Sec-WebSocket-Extensions","permessage-deflate; client_max_window_bits=12"]"#;
    for (path, expected) in [("/inspect", true), ("/plain/inspect", false)] {
        let mut client = server.open_with(path, &browser).await.expect("accepted");
        assert_eq!(client.ws.deflate().is_some(), expected, "{path}");
        let report = client.text().await;
        assert!(report.contains(
            r#"["Sec-WebSocket-Extensions","permessage-deflate; client_max_window_bits"]"#
        ));
        assert_eq!(report.contains(agreed), expected, "{report}");
        drop(client);
    }
    server.end(()).await;
}
