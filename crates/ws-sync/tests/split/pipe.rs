//! A [`ChoppedIo`] as a stream with several handles.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{CloneStream, Config, Message, Receiver, Stream, WebSocket};
use ws_testkit::ChoppedIo;

#[derive(Debug)]
pub(crate) struct Pipe(pub(crate) ChoppedIo);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(chunks)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Pipe {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout);
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_write_timeout(timeout);
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.0.shutdown_both();
        Ok(())
    }

    fn writes_vectored(&self) -> bool {
        self.0.writes_vectored()
    }
}

impl CloneStream for Pipe {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.clone()))
    }
}

/// Without keepalive.
pub(crate) fn quiet() -> Config {
    Config::default().with_ping_interval(None)
}

/// A client and a server, and pipes that hold `capacity` bytes between them.
pub(crate) fn pair(capacity: usize) -> (WebSocket<Pipe>, WebSocket<Pipe>) {
    let (client, server) = ChoppedIo::duplex();
    (
        WebSocket::client(
            Pipe(client.with_capacity(capacity)),
            quiet(),
            BytesMut::new(),
        ),
        WebSocket::server(
            Pipe(server.with_capacity(capacity)),
            quiet(),
            BytesMut::new(),
        ),
    )
}

/// Two ends of a TCP connection.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("accepted").0)
}

/// Receives to a clean end.
pub(crate) fn drain(mut receiver: Receiver) -> (Vec<Message>, Receiver) {
    let mut messages = Vec::new();
    while let Some(message) = receiver.recv().expect("a clean end") {
        messages.push(message);
    }
    (messages, receiver)
}
