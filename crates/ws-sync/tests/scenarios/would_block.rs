//! Streams in non-blocking mode: a call that would block loses nothing, and reading does not wait for writing.

use std::io::{self, IoSlice, Read, Write};
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{AcceptError, Acceptor, Config, Error, Message, SendError, Stream, WebSocket};
use ws_testkit::oracle::{Event, Receiver};
use ws_testkit::{ChoppedIo, Frame, vectors};

use crate::chopped::{Chopped, is_would_block};
use crate::tcp_pair;

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

/// A message that arrives while a Pong cannot be written is a message all the same.
///
/// spec: C-05, CD-04
#[test]
fn a_message_behind_a_ping_that_cannot_be_answered_is_not_lost() {
    let incoming = [vectors::CLIENT_PING, vectors::CLIENT_TEXT].concat();
    let (io, remote) = ChoppedIo::scripted(&incoming);
    let io = Chopped::new(io.with_capacity(3).without_waiting());
    let mut ws = WebSocket::server(io, config(), BytesMut::new());
    assert_eq!(ws.recv().expect("received"), Some(Message::text("Hello")));
    assert!(is_would_block(&ws.recv()));
    let mut pong = Vec::new();
    while pong.len() < Frame::pong("Hello").bytes().len() {
        pong.extend(remote.take());
        assert!(is_would_block(&ws.recv()));
    }
    assert_eq!(pong, Frame::pong("Hello").bytes());
}

/// Whether a message is queued can be told from the error, so that it is sent once and not twice or never.
///
/// spec: S-07, CD-04
#[test]
fn a_message_that_would_block_is_queued_or_refused() {
    let config = config()
        .with_write_buffer_high(10)
        .with_write_buffer_limit(30);
    let (io, remote) = ChoppedIo::scripted(b"");
    let io = Chopped::new(io.with_capacity(5).without_waiting());
    let mut ws = WebSocket::server(io, config, BytesMut::new());
    let mut expected = Vec::new();
    let mut received = Vec::new();
    let mut refused = 0;
    for number in 0..100 {
        let text = format!("message {number}");
        match ws.send(text.clone()) {
            Ok(()) => expected.push(Event::Text(text)),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                expected.push(Event::Text(text));
            }
            Err(Error::Send(SendError::BufferFull)) => {
                refused += 1;
                received.extend(remote.take());
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0 && !expected.is_empty());
    while ws.flush().is_err() {
        received.extend(remote.take());
    }
    received.extend(remote.take());
    assert_eq!(Receiver::CLIENT.decode(&received).0, expected);
}

/// Both send more than the kernel holds before they read any of it.
///
/// spec: S-07, CD-04, CD-06
#[test]
fn two_ends_that_both_have_much_to_say_get_it_across() {
    const MESSAGES: usize = 200;
    let (client, server) = tcp_pair();
    for stream in [&client, &server] {
        stream.set_nonblocking(true).expect("it can");
    }
    let config = config().with_write_buffer_limit(usize::MAX);
    let mut client = WebSocket::client(client, config.clone(), BytesMut::new());
    let mut server = WebSocket::server(server, config, BytesMut::new());
    let message = Message::binary(vec![7; 16 * 1024]);
    for _ in 0..MESSAGES {
        for sent in [client.send(message.clone()), server.send(message.clone())] {
            assert!(sent.is_ok() || is_would_block(&sent), "{sent:?}");
        }
    }
    let mut received = [0, 0];
    while received != [MESSAGES, MESSAGES] {
        for (count, polled) in received.iter_mut().zip([client.recv(), server.recv()]) {
            match polled {
                Ok(Some(polled)) => {
                    assert!(polled == message);
                    *count += 1;
                }
                polled => assert!(is_would_block(&polled), "{polled:?}"),
            }
        }
    }
}

/// The opening handshake says what is wrong, and does not blame the client for being late.
///
/// spec: H-25
#[test]
fn a_handshake_on_a_stream_that_does_not_block_is_an_error_of_the_stream() {
    let (client, server) = tcp_pair();
    server.set_nonblocking(true).expect("it can");
    let error = Acceptor::new().accept(server).expect_err("nothing came");
    let AcceptError::Io(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(client);
}

/// A stream whose every other operation is interrupted by a signal.
struct Interrupted {
    io: ChoppedIo,
    strikes: bool,
}

impl Interrupted {
    fn strike(&mut self) -> io::Result<()> {
        self.strikes = !self.strikes;
        if self.strikes {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}

impl Read for Interrupted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.strike()?;
        self.io.read(buffer)
    }
}

impl Write for Interrupted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.strike()?;
        self.io.write(bytes)
    }

    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.strike()?;
        self.io.write_vectored(chunks)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.strike()?;
        self.io.flush()
    }
}

impl Stream for Interrupted {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.io.shutdown_write()
    }
}

/// spec: CD-04
#[test]
fn an_interrupted_operation_is_repeated() {
    for script in ws_testkit::chopped_script::Script::all() {
        if !script.is_server {
            continue;
        }
        let (io, remote) = ChoppedIo::scripted(&script.incoming);
        let stream = Interrupted { io, strikes: false };
        let mut ws = Acceptor::new().accept(stream).expect("accepted");
        let mut delivered = Vec::new();
        while let Some(message) = ws.recv().expect("received") {
            ws.send(message.clone()).expect("sent");
            delivered.push(message);
        }
        script.assert_whole(&delivered, &remote.written());
    }
}
