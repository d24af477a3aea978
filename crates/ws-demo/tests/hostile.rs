//! Clients that mean harm, or behave as if: they must neither stop the server nor slow the others.

mod client;

use std::time::Duration;

use client::{Running, read_to_end, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ws_async::{Connector, Message};

// spec: S-08. A server that reads the request in its accept loop is stalled by one silent client.
#[tokio::test]
async fn clients_that_never_finish_their_request_stop_nobody() {
    let server =
        Running::start_with(|settings| settings.handshake_timeout = Duration::from_secs(600)).await;
    let mut stuck = Vec::new();
    for bytes in ["", "G", "GET /echo HTTP/1.1\r\nHost: a\r\nX: "] {
        let mut stream = server.stream().await;
        stream.write_all(bytes.as_bytes()).await.expect("it reads");
        stuck.push(stream);
    }
    server
        .open("/echo")
        .await
        .echo(Message::text("hello"))
        .await;
    assert!(server.get("/").await.starts_with("HTTP/1.1 200 "));
    drop(stuck);
    server.end(()).await;
}

// spec: S-06
#[tokio::test]
async fn garbage_stops_nobody() {
    let server = Running::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0",
        b"GET\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        &[b'a'; 100_000],
    ] {
        let mut stream = server.stream().await;
        stream.write_all(bytes).await.expect("it reads");
        let mut answer = Vec::new();
        within(stream.read_to_end(&mut answer))
            .await
            .expect("it closes in good order");
        assert!(
            matches!(answer.get(..10), None | Some(b"HTTP/1.1 4" | b"HTTP/1.1 5")),
            "{answer:?}"
        );
    }
    server
        .open("/echo")
        .await
        .echo(Message::text("hello"))
        .await;
    server.end(()).await;
}

// spec: M-02
#[tokio::test]
async fn a_frame_without_a_mask_ends_its_connection_with_1002() {
    let server = Running::start().await;
    let mut other = server.open("/echo").await;
    let mut stream = server.stream().await;
    let request = b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let frame = b"\x81\x05hello";
    stream
        .write_all(&[&request[..], frame].concat())
        .await
        .expect("it reads");
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer))
        .await
        .expect("it closes in good order");
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert!(answer.ends_with(b"\r\n\r\n\x88\x02\x03\xea"), "{answer:?}");
    other.echo(Message::text("hello")).await;
    server.end((other, stream)).await;
}

// spec: P-44
#[tokio::test]
async fn the_deadline_is_for_the_whole_request() {
    let server =
        Running::start_with(|settings| settings.handshake_timeout = Duration::from_millis(50))
            .await;
    let mut silent = server.stream().await;
    let mut slow = server.stream().await;
    slow.write_all(b"GET / HTTP/1.1\r\n")
        .await
        .expect("it reads");
    assert_eq!(read_to_end(&mut silent).await.expect("it closes"), "");
    let answer = read_to_end(&mut slow).await.expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    server.end(()).await;
}

// spec: P-56, S-08
#[tokio::test]
async fn above_the_limit_there_is_503_until_a_place_is_free() {
    let server = Running::start_with(|settings| settings.max_connections = 1).await;
    let mut only = server.open("/echo").await;
    only.echo(Message::text("hello")).await;
    assert_eq!(
        server.open_with("/echo", &Connector::new()).await.err(),
        Some(503)
    );
    let response = server.get("/").await;
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert!(response.contains("Retry-After: "), "{response}");
    only.echo(Message::text("undisturbed")).await;
    drop(only);
    // The place is free once the server has seen the end; until then it says 503.
    let mut next = loop {
        match server.open_with("/echo", &Connector::new()).await {
            Ok(client) => break client,
            Err(status) => assert_eq!(status, 503),
        }
    };
    next.echo(Message::text("hello")).await;
    server.end(next).await;
}

// spec: S-07
#[tokio::test]
async fn a_client_that_never_reads_slows_nobody_and_is_cut_at_the_end() {
    let server =
        Running::start_with(|settings| settings.shutdown_grace = Duration::from_millis(100)).await;
    let mut greedy = server.open("/echo").await;
    let message = Message::binary(vec![7; 256 * 1024]);
    // More than all buffers on the way hold, sent until nothing moves any more.
    let greedy = tokio::spawn(async move {
        for _ in 0..1000 {
            if greedy.ws.send(message.clone()).await.is_err() {
                return;
            }
        }
        panic!("the server took 250 MiB from a client that does not read");
    });
    let mut other = server.open("/echo").await;
    for n in 0..100 {
        other.echo(Message::text(n.to_string())).await;
    }
    assert!(!greedy.is_finished());
    drop(other);
    assert_eq!(server.stop().await, 1);
    within(greedy).await.expect("the send failed");
}
