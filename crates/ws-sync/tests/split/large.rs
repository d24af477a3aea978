//! A large frame is read to where its message lies, whichever half reads.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{CloneStream, Message, Stream, WebSocket};
use ws_testkit::{Frame, vectors};

use crate::pipe::{quiet, tcp_pair};

const LEN: usize = 1024 * 1024;

/// A socket that tells behind how much each read begins.
struct Told {
    socket: TcpStream,
    begins: mpsc::Sender<usize>,
}

impl Read for Told {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.write_vectored(chunks)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Stream for Told {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Stream::set_read_timeout(&mut self.socket, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Stream::set_write_timeout(&mut self.socket, timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket.shutdown_write()
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.socket.shutdown_both()
    }

    fn read_to_spare(&mut self, buffer: &mut Vec<u8>, expected: usize) -> io::Result<()> {
        // Whoever waited for one of them may be gone.
        _ = self.begins.send(buffer.len());
        self.socket.read_to_spare(buffer, expected)
    }
}

impl CloneStream for Told {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            begins: self.begins.clone(),
        })
    }
}

#[test]
fn half_a_message_waits_where_it_lies_while_others_use_the_connection() {
    let (mut client, socket) = tcp_pair();
    let (begins, reads) = mpsc::channel();
    let server = WebSocket::server(Told { socket, begins }, quiet(), BytesMut::new());
    let (sender, mut receiver) = server.split().expect("it can");
    let receiver = thread::spawn(move || receiver.recv());
    let frame = Frame::binary(vec![7; LEN]).masked(vectors::KEY).bytes();
    let (first, second) = frame.split_at(frame.len() - LEN / 2);
    client.write_all(first).expect("written");
    // All of the first half has been read, and more is waited for.
    let waits = reads.iter().find(|begin| *begin == LEN / 2);
    assert_eq!(waits, Some(LEN / 2));

    sender.send(Message::text("meanwhile")).expect("sent");
    let mut sent = [0; 11];
    client.read_exact(&mut sent).expect("read");
    assert_eq!(sent[2..], *b"meanwhile");

    client.write_all(second).expect("written");
    let message = receiver.join().expect("no panic").expect("received");
    assert!(message == Some(Message::binary(vec![7; LEN])));
    assert!(reads.try_iter().all(|begin| begin >= LEN / 2));
}
