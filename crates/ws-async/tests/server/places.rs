//! How many, and what becomes of the others.

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use ws_async::{Acceptor, Config, Server};

use crate::running::{Running, echo, read_to_end, within};

// spec: P-56, S-08, CC-43
#[tokio::test]
async fn above_the_limit_there_is_503_until_a_place_is_free() {
    let server = Running::start(
        Server::builder()
            .with_max_connections(2)
            .route("/echo", echo),
    )
    .await;
    let mut one = server.open("/echo").await;
    // A client that says nothing has a place too.
    let silent = server.stream().await;
    assert_eq!(server.try_open("/echo").await.err(), Some(503));
    let response = server.request("GET /echo").await;
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert!(response.contains("\r\nRetry-After: 10\r\n"), "{response}");
    one.send("undisturbed").await.expect("sent");
    assert!(one.recv().await.expect("received").is_some());
    drop((one, silent));
    // A place is free once the server has seen the end; until then it says 503.
    let next = loop {
        match server.try_open("/echo").await {
            Ok(ws) => break ws,
            Err(status) => assert_eq!(status, 503),
        }
    };
    drop(next);
    server.end().await;
}

#[tokio::test]
async fn only_so_many_are_told_that_there_is_no_place() {
    let server = Running::start(Server::builder().with_max_connections(0)).await;
    let mut told = Vec::new();
    for _ in 0..64 {
        let mut stream = server.stream().await;
        // Not the whole request: it holds its place in the lobby.
        stream.write_all(b"GET / HT").await.expect("it reads");
        told.push(stream);
    }
    assert_eq!(read_to_end(server.stream().await).await, "");
    for mut stream in told {
        let rest = b"TP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(rest).await.expect("it reads");
        assert!(read_to_end(stream).await.starts_with("HTTP/1.1 503 "));
    }
    let handle = server.handle.clone();
    server.end().await;
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.turned_away), (65, 1));
    assert_eq!(stats.refused.get(&503), Some(&64));
}

/// Connections that come before the server accepts any wait in the backlog, and none is lost.
#[tokio::test]
async fn a_burst_of_connections_is_served() {
    const BURST: usize = 200;
    let server = Server::builder()
        .route("/echo", echo)
        .bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = server.local_addr().expect("it listens");
    let mut streams = Vec::new();
    for _ in 0..BURST {
        let stream = within(tokio::net::TcpStream::connect(address)).await;
        streams.push(stream.expect("the backlog has room"));
    }
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let mut clients = JoinSet::new();
    for stream in streams {
        clients.spawn(async move {
            let connector = ws_async::Connector::new();
            let uri = format!("ws://{address}/echo");
            let mut ws = connector.handshake(stream, &uri).await.expect("accepted");
            ws.send("hello").await.expect("sent");
            assert!(ws.recv().await.expect("received").is_some());
            ws
        });
    }
    let clients = within(clients.join_all()).await;
    assert_eq!(handle.stats().opened, BURST as u64);
    drop(clients);
    within(handle.drain(crate::running::at_once())).await;
    within(running).await.expect("no panic");
}

// spec: P-44, S-08
#[tokio::test]
async fn a_client_that_says_nothing_holds_up_nobody_and_not_for_ever() {
    let timeout = Some(std::time::Duration::from_millis(500));
    let config = Config::default().with_handshake_timeout(timeout);
    let server = Running::start(
        Server::builder()
            .with_acceptor(Acceptor::new().with_config(config))
            .route("/echo", echo),
    )
    .await;
    let silent = server.stream().await;
    let mut slow = server.stream().await;
    slow.write_all(b"GET /echo").await.expect("it reads");
    server.open("/echo").await;
    assert_eq!(read_to_end(silent).await, "");
    assert!(read_to_end(slow).await.starts_with("HTTP/1.1 408 "));
    server.end().await;
}
