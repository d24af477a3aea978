//! What a connection costs while it waits, with its stream and its task. In a program of its own, for it looks at the
//! memory of the process.
#![cfg(target_os = "linux")]

use std::io::{self, Read, Write};
use std::net;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use ws_async::{Config, Error, WebSocket};
use ws_testkit::{Frame, resident_memory, vectors};

/// The first ones of these echo a long message too, and the others fill the holes that leaves.
const WARM_UP: usize = 100;
const WITH_LONG: usize = 10;
/// With two sockets for each connection the process stays below the 1024 descriptors that are mostly allowed.
const CONNECTIONS: usize = 300;

/// What is promised for each connection, in bytes, beside what the kernel has. Measured: 1,815, and 1,802 optimized; a long
/// message leaves nothing behind.
const MAX_BYTES: usize = 2048;

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut ws = WebSocket::server(stream, Config::default(), BytesMut::new());
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// All clients. Their sockets are none of the runtime's, and all they need is there before anything is measured.
struct Clients {
    listener: TcpListener,
    sockets: Vec<net::TcpStream>,
    short: Vec<u8>,
    long: Vec<u8>,
    received: Vec<u8>,
}

impl Clients {
    async fn new() -> Self {
        let message = |len| Frame::binary(vec![7; len]).masked(vectors::KEY).bytes();
        let long = message(64 * 1024);
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.expect("bound"),
            sockets: Vec::with_capacity(WARM_UP + CONNECTIONS),
            short: message(5),
            received: vec![1; long.len()],
            long,
        }
    }

    /// A connection that has echoed a short message.
    async fn open(&mut self) {
        let address = self.listener.local_addr().expect("bound");
        let socket = net::TcpStream::connect(address).expect("connected");
        socket.set_nonblocking(true).expect("it can");
        let (stream, _) = self.listener.accept().await.expect("accepted");
        tokio::spawn(echo(stream));
        exchange(&socket, &self.short, &mut self.received).await;
        self.sockets.push(socket);
    }

    /// The connection of this number echoes 64 KiB.
    async fn exchange_long(&mut self, number: usize) {
        exchange(&self.sockets[number], &self.long, &mut self.received).await;
    }
}

/// The server's tasks have this same thread: when the end of the echo is here, the task that wrote it has gone on to wait.
async fn exchange(mut socket: &net::TcpStream, mut message: &[u8], buffer: &mut [u8]) {
    // An answer has no key of four bytes.
    let echo = &mut buffer[..message.len() - 4];
    let mut received = 0;
    while received < echo.len() {
        let written = unless_it_would_wait(socket.write(message));
        message = &message[written.unwrap_or(0)..];
        yield_now().await;
        if let Some(read) = unless_it_would_wait(socket.read(&mut echo[received..])) {
            assert_ne!(read, 0, "the connection is lost");
            received += read;
        }
    }
    assert!(echo.ends_with(&[7; 5]));
    echo.fill(0);
}

fn unless_it_would_wait(result: io::Result<usize>) -> Option<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        result => Some(result.expect("the connection lives")),
    }
}

/// spec: S-02
#[tokio::test]
async fn an_idle_connection_costs_2_kib_at_most() {
    let mut clients = Clients::new().await;
    for number in 0..WARM_UP {
        clients.open().await;
        if number < WITH_LONG {
            clients.exchange_long(number).await;
        }
    }
    let before = resident_memory();
    for _ in 0..CONNECTIONS {
        clients.open().await;
    }
    let fresh = resident_memory().saturating_sub(before);

    // The room that a long message takes on its way stays with the process, once.
    clients.exchange_long(WITH_LONG).await;
    let before = resident_memory();
    for number in WARM_UP..WARM_UP + CONNECTIONS {
        clients.exchange_long(number).await;
    }
    let used = fresh + resident_memory().saturating_sub(before);

    let [fresh, used] = [fresh, used].map(|bytes| bytes / CONNECTIONS);
    println!("bytes for each connection: {fresh}, and {used} after a long message");
    assert!(fresh <= MAX_BYTES, "{fresh}");
    assert!(used <= MAX_BYTES, "{used} after a long message");
}
