//! What a connection holds on to while it waits: neither a read buffer after a large message, nor the thread's buffer
//! after a partial frame.
#![cfg(target_os = "linux")]

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net;
use std::task::Poll;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use ws_async::{Config, WebSocket};
use ws_testkit::{Frame, resident_memory, vectors};

/// Connections before and between the two looks at the memory.
const WARM_UP: usize = 10;
const CONNECTIONS: usize = 64;

/// A read buffer per connection would be four times as much, the thread's buffer sixteen times.
const MAX_BYTES: usize = 16 * 1024;

/// Payload lengths: the second one takes most of the thread's read buffer.
const LENGTHS: [usize; 2] = [65_536, 150_000];

struct Connection {
    _client: net::TcpStream,
    _server: WebSocket<TcpStream>,
}

/// Has echoed 64 KiB, and has received the first three bytes of the next frame together with a message that takes most
/// of a read buffer.
async fn open(listener: &TcpListener, messages: &[Vec<u8>; 2]) -> Connection {
    let address = listener.local_addr().expect("bound");
    let mut client = net::TcpStream::connect(address).expect("connected");
    let (stream, _) = listener.accept().await.expect("accepted");
    client.set_nodelay(true).expect("it can");
    stream.set_nodelay(true).expect("it can");
    let mut server = WebSocket::server(stream, Config::default(), BytesMut::new());
    for (len, message) in LENGTHS.into_iter().zip(messages) {
        client.write_all(message).expect("written");
        client
            .write_all(&vectors::CLIENT_TEXT[..3])
            .expect("written");
        let received = server.recv().await.expect("received").expect("a message");
        assert_eq!(received.len(), len);
        server.send(received).await.expect("sent");
        // An answer has no key of four bytes.
        let mut echo = vec![0; message.len() - 4];
        client.read_exact(&mut echo).expect("an echo");
        // It waits for the rest, and holds on to what it has until that comes.
        let waits = poll_fn(|cx| Poll::Ready(server.poll_recv(cx).is_pending()));
        assert!(waits.await);
        client
            .write_all(&vectors::CLIENT_TEXT[3..])
            .expect("written");
        let hello = server.recv().await.expect("received").expect("a message");
        assert_eq!(hello.as_text(), Some("Hello"));
        client
            .write_all(&vectors::CLIENT_TEXT[..3])
            .expect("written");
        server.get_ref().readable().await.expect("it has come");
        let waits = poll_fn(|cx| Poll::Ready(server.poll_recv(cx).is_pending()));
        assert!(waits.await);
        client
            .write_all(&vectors::CLIENT_TEXT[3..])
            .expect("written");
        let hello = server.recv().await.expect("received").expect("a message");
        assert_eq!(hello.as_text(), Some("Hello"));
    }
    client
        .write_all(&vectors::CLIENT_TEXT[..3])
        .expect("written");
    server.get_ref().readable().await.expect("it has come");
    let waits = poll_fn(|cx| Poll::Ready(server.poll_recv(cx).is_pending()));
    assert!(waits.await);
    Connection {
        _client: client,
        _server: server,
    }
}

/// spec: S-02
#[tokio::test]
async fn a_waiting_connection_holds_no_buffer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let messages = LENGTHS.map(|len| Frame::binary(vec![7; len]).masked(vectors::KEY).bytes());
    let mut connections = Vec::new();
    for _ in 0..WARM_UP {
        connections.push(open(&listener, &messages).await);
    }
    let before = resident_memory();
    for _ in 0..CONNECTIONS {
        connections.push(open(&listener, &messages).await);
    }
    let each = resident_memory().saturating_sub(before) / CONNECTIONS;
    assert!(each <= MAX_BYTES, "{each} bytes for each connection");
}
