//! What can be seen of a server.

use std::io::Write;

use ws_sync::handshake::server::HttpResponse;
use ws_sync::serving::ServerStats;
use ws_sync::{CloseCode, Initiator, Message, Server};

use crate::running::{Running, at_once, echo};

fn adds_up(stats: &ServerStats) {
    let refused: u64 = stats.refused.values().sum();
    let in_handshake = stats.in_handshake as u64;
    let ended = stats.answered + refused + stats.failed + stats.turned_away;
    assert_eq!(stats.accepted, in_handshake + stats.opened + ended);
    let closes: u64 = stats.closes.values().sum();
    assert_eq!(stats.opened, stats.open as u64 + closes);
}

#[test]
fn everything_is_counted_once() {
    let server = Running::start(
        Server::builder()
            .route("/echo", echo)
            .http(|request| (request.path() == "/").then(|| HttpResponse::text("hello"))),
    );
    let mut one = server.open("/echo?quietly");
    one.send(Message::binary(vec![1; 100])).expect("sent");
    one.recv().expect("received");
    let mut other = server.open("/echo");
    other.send("four").expect("sent");
    other.recv().expect("received");

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
    // Four bytes of mask and two of header, before one hundred. What was sent is noted behind the write.
    assert_eq!(first.stats.received.bytes, 106);
    let stats = server.handle.stats();
    adds_up(&stats);
    assert_eq!((stats.open, stats.received.bytes), (2, 106 + 10));
    assert_eq!(stats.sent.messages, 2);

    assert!(one.close(CloseCode::NORMAL, "").expect("closed").clean);
    drop(other);
    server.request("GET /");
    server.request("GET /nothing");
    server.request("PUT /echo");
    server.request("nonsense");
    let mut tls = server.stream();
    tls.write_all(b"\x16\x03\x01").expect("it reads");
    drop((tls, server.stream()));

    let handle = server.handle.clone();
    // Whoever leaves is seen leaving when the server has ended at the latest.
    server.drain(at_once());
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
    assert_eq!(stats.sent.bytes, 102 + 6 + 4);
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
