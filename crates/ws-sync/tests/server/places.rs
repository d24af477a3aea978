//! How many, and what becomes of the others.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use ws_sync::{Acceptor, Config, Connector, Server};

use crate::running::{Running, at_once, echo, read_to_end};

// spec: P-56, S-08, CC-43
#[test]
fn above_the_limit_there_is_503_until_a_place_is_free() {
    let server = Running::start(
        Server::builder()
            .with_max_connections(2)
            .route("/echo", echo),
    );
    let mut one = server.open("/echo");
    // A client that says nothing has a place too.
    let silent = server.stream();
    assert_eq!(server.try_open("/echo").err(), Some(503));
    let response = server.request("GET /echo");
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert!(response.contains("\r\nRetry-After: 10\r\n"), "{response}");
    one.send("undisturbed").expect("sent");
    assert!(one.recv().expect("received").is_some());
    drop((one, silent));
    // A place is free once the server has seen the end; until then it says 503.
    let next = loop {
        match server.try_open("/echo") {
            Ok(ws) => break ws,
            Err(status) => assert_eq!(status, 503),
        }
    };
    drop(next);
    server.end();
}

#[test]
fn only_so_many_are_told_that_there_is_no_place() {
    let server = Running::start(Server::builder().with_max_connections(0));
    let mut told = Vec::new();
    for _ in 0..64 {
        let mut stream = server.stream();
        // Not the whole request: it holds its place in the lobby.
        stream.write_all(b"GET / HT").expect("it reads");
        told.push(stream);
    }
    assert_eq!(read_to_end(server.stream()), "");
    for mut stream in told {
        let rest = b"TP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(rest).expect("it reads");
        assert!(read_to_end(stream).starts_with("HTTP/1.1 503 "));
    }
    let handle = server.handle.clone();
    server.end();
    let stats = handle.stats();
    assert_eq!((stats.accepted, stats.turned_away), (65, 1));
    assert_eq!(stats.refused.get(&503), Some(&64));
}

/// Connections that come before the server accepts any wait in the backlog, and none is lost.
#[test]
fn a_burst_of_connections_is_served() {
    const BURST: usize = 200;
    let server = Server::builder()
        .route("/echo", echo)
        .bind("127.0.0.1:0")
        .expect("a free port");
    let address = server.local_addr().expect("it listens");
    let streams: Vec<_> = (0..BURST)
        .map(|_| TcpStream::connect(address).expect("the backlog has room"))
        .collect();
    let handle = server.handle();
    let running = thread::spawn(|| server.run());
    let connector = Connector::new();
    let mut clients = Vec::new();
    for stream in streams {
        let uri = format!("ws://{address}/echo");
        clients.push(connector.handshake(stream, &uri).expect("accepted"));
    }
    for ws in &mut clients {
        ws.send("hello").expect("sent");
        assert!(ws.recv().expect("received").is_some());
    }
    assert_eq!(handle.stats().opened, BURST as u64);
    drop(clients);
    handle.drain(at_once());
    running.join().expect("no panic");
}

// spec: P-44, S-08
#[test]
fn a_client_that_says_nothing_holds_up_nobody_and_not_for_ever() {
    let timeout = Some(std::time::Duration::from_millis(500));
    let config = Config::default().with_handshake_timeout(timeout);
    let server = Running::start(
        Server::builder()
            .with_acceptor(Acceptor::new().with_config(config))
            .route("/echo", echo),
    );
    let silent = server.stream();
    let mut slow = server.stream();
    slow.write_all(b"GET /echo").expect("it reads");
    server.open("/echo");
    assert_eq!(read_to_end(silent), "");
    assert!(read_to_end(slow).starts_with("HTTP/1.1 408 "));
    server.end();
}
