//! Reading never waits for writing, although a blocking stream can only do one at a time.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{Config, Error, Message, State, WebSocket};

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("accepted").0)
}

/// More Pings than the kernel's buffers have room for Pongs, from a peer that reads none of them before it is done.
///
/// spec: S-09, C-05
#[test]
fn a_peer_that_pings_and_does_not_read_is_read_to_the_end() {
    const PINGS: usize = 200_000;
    let (mut client, server) = tcp_pair();
    let server = thread::spawn(move || {
        let config = Config::default().with_ping_interval(None);
        let mut server = WebSocket::server(server, config, BytesMut::new());
        let message = server
            .recv()
            .expect("the Pings are answered or not, but read");
        drop(server);
        message
    });
    let mut ping = vec![0x89, 0x80 | 125, 0, 0, 0, 0];
    ping.extend([b'p'; 125]);
    let batch = ping.repeat(1000);
    for _ in 0..PINGS / 1000 {
        client.write_all(&batch).expect("the server reads");
    }
    client
        .write_all(&[0x81, 0x80, 0, 0, 0, 0])
        .expect("the server reads");
    assert_eq!(server.join().expect("no panic"), Some(Message::text("")));
    let mut pongs = Vec::new();
    // The server left with input unread or output unsent; a reset is as good an end as any here.
    let _ended = client.read_to_end(&mut pongs);
    assert!(
        !pongs.is_empty() && pongs.len() < PINGS * 127,
        "{} bytes of Pongs",
        pongs.len()
    );
}

/// What the peer did not take at first arrives once it reads.
///
/// spec: S-07, CD-04
#[test]
fn what_is_queued_is_written_when_the_peer_takes_it() {
    const MESSAGES: usize = 1000;
    const LEN: usize = 8 * 1024;
    let (mut client, server) = tcp_pair();
    let server = thread::spawn(move || {
        let config = Config::default()
            .with_ping_interval(None)
            .with_write_buffer_high(usize::MAX)
            .with_write_buffer_limit(usize::MAX);
        let mut server = WebSocket::server(server, config, BytesMut::new());
        for _ in 0..MESSAGES {
            server.feed(vec![7; LEN]).expect("queued");
        }
        // The client reads before it says anything: what is queued has to leave while this end waits for input.
        server.recv().expect("received")
    });
    let mut received = vec![0; MESSAGES * (LEN + 4)];
    client.read_exact(&mut received).expect("all of it arrives");
    client
        .write_all(&[0x81, 0x80, 0, 0, 0, 0])
        .expect("written");
    assert_eq!(server.join().expect("no panic"), Some(Message::text("")));
}

/// A bound of the caller's on sending outlives every deadline of ours.
///
/// spec: S-07, CD-04
#[test]
fn a_send_to_a_peer_that_does_not_read_ends_by_the_write_timeout() {
    let (mut client, server) = tcp_pair();
    let config = Config::default().with_ping_interval(None);
    let mut server = WebSocket::server(server, config, BytesMut::new());
    server.set_write_timeout(Some(Duration::from_millis(50)));
    // Answering a Ping puts a bound of its own on the write; the caller's comes back.
    client
        .write_all(&[0x89, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0])
        .expect("written");
    assert_eq!(server.recv().expect("received"), Some(Message::text("")));
    let error = loop {
        if let Err(error) = server.send(vec![7; 64 * 1024]) {
            break error;
        }
    };
    assert!(
        matches!(&error, Error::Io(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
        "{error}"
    );
    assert_eq!(server.state(), State::Open);
}
