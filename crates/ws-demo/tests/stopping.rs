//! The end: every socket is told, and it does not take long.

mod client;

use client::{Running, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use ws_async::{CloseCode, Message};

// spec: CC-03, CC-42, CD-09
#[tokio::test]
async fn every_socket_is_closed_with_1001() {
    let server = Running::start().await;
    let mut echo = server.open("/echo").await;
    echo.echo(Message::text("hello")).await;
    let mut member = server.open("/chat").await;
    member
        .send(r#"{"type":"join","room":"lobby","nick":"ada"}"#)
        .await;
    member.text_with(r#""type":"joined""#).await;
    let mut inspect = server.open("/inspect").await;
    inspect.text().await;

    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    for client in [echo, member, inspect] {
        let frame = client.closed().await;
        assert_eq!(frame.code, CloseCode::GOING_AWAY);
        assert_eq!(&*frame.reason, "the server stops");
    }
    assert_eq!(
        stopping.await.expect("it stops"),
        0,
        "nothing had to be cut"
    );
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the port is free"
    );
}

#[tokio::test]
async fn a_request_that_is_not_complete_is_dropped() {
    let server = Running::start().await;
    let mut stream = server.stream().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\n")
        .await
        .expect("it reads");
    // A later connection is served, so the server has accepted the earlier one.
    assert!(server.get("/").await.starts_with("HTTP/1.1 200 "));
    let stopping = tokio::spawn(server.stop());
    let mut answer = Vec::new();
    // The end, or a reset if what was written had not been read.
    let ended = within(stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty(), "{ended:?}, {answer:?}");
    assert_eq!(stopping.await.expect("it stops"), 0);
}
