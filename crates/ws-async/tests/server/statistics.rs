//! What can be seen of a server.

use tokio::io::AsyncWriteExt;
use ws_async::handshake::server::HttpResponse;
use ws_async::serving::ServerStats;
use ws_async::{CloseCode, Initiator, Message, Server};

use crate::running::{Running, at_once, echo, within};

fn adds_up(stats: &ServerStats) {
    let refused: u64 = stats.refused.values().sum();
    let in_handshake = stats.in_handshake as u64;
    let ended = stats.answered + refused + stats.failed + stats.turned_away;
    assert_eq!(stats.accepted, in_handshake + stats.opened + ended);
    let closes: u64 = stats.closes.values().sum();
    assert_eq!(stats.opened, stats.open as u64 + closes);
}

#[tokio::test]
async fn everything_is_counted_once() {
    let server = Running::start(
        Server::builder()
            .route("/echo", echo)
            .http(|request| (request.path() == "/").then(|| HttpResponse::text("hello"))),
    )
    .await;
    let mut one = server.open("/echo?quietly").await;
    one.send(Message::binary(vec![1; 100])).await.expect("sent");
    one.recv().await.expect("received");
    let mut other = server.open("/echo").await;
    other.send("four").await.expect("sent");
    other.recv().await.expect("received");

    let connections = server.handle.connections();
    let [first, second] = &*connections else {
        panic!("{connections:?}");
    };
    assert_eq!((first.id, second.id), (1, 2));
    assert_eq!(first.path, "/echo");
    assert_eq!(
        first.peer_addr,
        one.get_ref().local_addr().ok(),
        "the client's own address"
    );
    assert_eq!(first.stats.received.messages, 1);
    // Two bytes of header, four of mask, one hundred.
    assert_eq!(
        (first.stats.received.bytes, first.stats.sent.bytes),
        (106, 102)
    );
    let stats = server.handle.stats();
    adds_up(&stats);
    assert_eq!((stats.open, stats.received.bytes), (2, 106 + 10));
    assert_eq!(stats.sent.messages, 2);

    assert!(
        one.close(CloseCode::NORMAL, "")
            .await
            .expect("closed")
            .clean
    );
    drop(other);
    server.request("GET /").await;
    server.request("GET /nothing").await;
    server.request("PUT /echo").await;
    server.request("nonsense").await;
    let mut tls = server.stream().await;
    tls.write_all(b"\x16\x03\x01").await.expect("it reads");
    drop((tls, server.stream().await));

    let handle = server.handle.clone();
    // Whoever leaves is seen leaving when the server has ended at the latest.
    within(server.drain(at_once())).await;
    let stats = handle.stats();
    adds_up(&stats);
    assert_eq!((stats.open, stats.in_handshake, stats.opened), (0, 0, 2));
    assert_eq!((stats.answered, stats.failed), (1, 2));
    assert_eq!(
        stats.refused.into_iter().collect::<Vec<_>>(),
        [(400, 1), (404, 1), (405, 1)]
    );
    // The Close frames count as bytes and as frames, and are no messages.
    assert_eq!(stats.received.messages, 2);
    assert_eq!(stats.received.bytes, 106 + 10 + 8);
    assert_eq!(
        stats.closes.get(&(CloseCode::NORMAL, Initiator::Remote)),
        Some(&1)
    );
    assert_eq!(
        stats.closes.get(&(CloseCode::ABNORMAL, Initiator::Remote)),
        Some(&1)
    );
    assert!(handle.connections().is_empty());
}
