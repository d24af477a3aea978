//! The end: everybody is told, and it does not take long.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use ws_async::serving::Drain;
use ws_async::{CloseCode, Initiator, Server, State};

use crate::running::{Running, at_once, closed, echo, read_to_end, within};

// spec: CC-03, CC-42, CD-09
#[tokio::test]
async fn everybody_is_told_and_newcomers_get_503() {
    const CONNECTIONS: usize = 200;
    let server = Running::start(
        Server::builder()
            .route("/echo", echo)
            // A handler that does nothing with its connection is no reason not to close it.
            .route("/busy", |session| async move {
                session.sender().closed().await;
                Ok(())
            }),
    )
    .await;
    let mut clients = JoinSet::new();
    for n in 0..CONNECTIONS {
        let path = if n % 10 == 0 { "/busy" } else { "/echo" };
        clients.spawn(closed(server.open(path).await));
    }
    // One is still asking, and one never will.
    let mut asking = server.stream().await;
    asking
        .write_all(b"GET /echo HTTP/1.1\r\n")
        .await
        .expect("it reads");
    let silent = server.stream().await;
    server.has_open(CONNECTIONS).await;
    while server.handle.stats().in_handshake < 2 {
        tokio::task::yield_now().await;
    }
    // The server cannot accept this one before it drains: nothing here waits in between.
    let newcomer = std::net::TcpStream::connect(server.address).expect("it listens");
    let address = server.address;
    let draining = tokio::spawn({
        let handle = server.handle.clone();
        let drain = Drain::new(CloseCode::SERVICE_RESTART, "soon").expect("it may be sent");
        async move {
            handle
                .drain(drain.with_window(Duration::from_millis(100)))
                .await
        }
    });
    newcomer.set_nonblocking(true).expect("a socket");
    let mut newcomer = TcpStream::from_std(newcomer).expect("a socket");
    newcomer
        .write_all(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("it reads");
    asking
        .write_all(b"Host: a\r\n\r\n")
        .await
        .expect("it reads");
    for stream in [newcomer, asking] {
        let response = read_to_end(stream).await;
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert!(response.contains("\r\nRetry-After: 10\r\n"));
    }
    for info in within(clients.join_all()).await {
        assert!(info.clean);
        assert_eq!((info.code().get(), info.reason()), (1012, "soon"));
        assert_eq!(info.initiator, Initiator::Remote);
    }
    drop(silent);
    let drained = within(draining).await.expect("no panic");
    assert_eq!((drained.closed, drained.lost), (CONNECTIONS, 0));
    assert_eq!(drained.aborted, 0);
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the port is free"
    );
    // Whoever asks later hears the same, and what is over stays to be seen.
    assert_eq!(within(server.handle.drain(at_once())).await, drained);
    let stats = server.handle.stats();
    assert_eq!(stats.refused.get(&503), Some(&2));
    assert_eq!(
        stats
            .closes
            .get(&(CloseCode::SERVICE_RESTART, Initiator::Local)),
        Some(&(CONNECTIONS as u64))
    );
    server.end().await;
}

/// spec: CC-42
#[tokio::test]
async fn who_does_not_answer_is_cut_at_the_deadline() {
    let server = Running::start(
        Server::builder()
            .route("/echo", echo)
            .route("/stuck", |_session| std::future::pending()),
    )
    .await;
    let answering = tokio::spawn(closed(server.open("/echo").await));
    // It never reads, so it never answers.
    let deaf = server.open("/echo").await;
    // Its handler never ends, whatever happens to the connection.
    let stuck = tokio::spawn(closed(server.open("/stuck").await));
    server.has_open(3).await;
    let drained = server
        .drain(at_once().with_deadline(Duration::from_millis(200)))
        .await;
    assert!(within(answering).await.expect("no panic").clean);
    assert!(within(stuck).await.expect("no panic").clean);
    assert_eq!(deaf.state(), State::Open);
    // It was told in time, and looks only now.
    assert_eq!(closed(deaf).await.code(), CloseCode::GOING_AWAY);
    assert_eq!((drained.closed, drained.aborted, drained.lost), (2, 1, 0));
}

/// A task that a handler left behind has a half, and keeps nothing open with it.
#[tokio::test]
async fn a_half_left_behind_is_cut_too() {
    let server = Running::start(Server::builder().route("/", |session| async move {
        let (sender, receiver) = session.split();
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(receiver);
        });
        sender.closed().await;
        Ok(())
    }))
    .await;
    let mut client = server.open("/").await;
    // Nobody receives it, and it is in the way of the answer to the Close.
    client.send("unheard").await.expect("sent");
    client.send("unheard").await.expect("sent");
    let client = tokio::spawn(closed(client));
    server.has_open(1).await;
    let drained = server
        .drain(at_once().with_deadline(Duration::from_millis(100)))
        .await;
    assert_eq!((drained.closed, drained.aborted), (0, 1));
    within(client).await.expect("it sees the end");
}

#[tokio::test]
async fn a_handler_can_say_goodbye_first() {
    let server = Running::start(Server::builder().route("/", |mut session| async move {
        session.send("hello").await?;
        assert!(session.recv().await?.is_none());
        // The Close has been sent; what the handler does now is its own affair.
        assert!(session.send("too late").await.is_err());
        Err("it is counted".into())
    }))
    .await;
    let mut ws = server.open("/").await;
    assert!(ws.recv().await.expect("received").is_some());
    let handle = server.handle.clone();
    let client = tokio::spawn(closed(ws));
    assert_eq!(server.drain(at_once()).await.closed, 1);
    assert_eq!(
        client.await.expect("no panic").code(),
        CloseCode::GOING_AWAY
    );
    assert_eq!(handle.stats().handler_errors, 1);
}

#[tokio::test]
async fn a_server_that_is_gone_holds_up_nobody() {
    let server = Server::builder()
        .route("/echo", echo)
        .bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let handle = server.handle();
    drop(server);
    assert_eq!(within(handle.drain(at_once())).await.aborted, 0);

    let server = Running::start(Server::builder().route("/echo", echo)).await;
    let ws = server.open("/echo").await;
    let Running { handle, task, .. } = server;
    task.abort();
    within(handle.drain(at_once())).await;
    assert_eq!(closed(ws).await.code(), CloseCode::ABNORMAL);
}
