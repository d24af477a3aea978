//! The same conversation over every kind of stream.

use std::io::{self, BufWriter, Read, Write};
use std::net::TcpStream;
use std::thread;

use bytes::BytesMut;
use ws_sync::{Acceptor, CloseCode, Config, Connector, Message, Stream, Untimed, WebSocket};
use ws_sync::{Incoming, accept};
use ws_testkit::{ChoppedIo, Frame};

use crate::chopped::Chopped;
use crate::tcp_pair;

/// A stream that holds back what it is not asked to flush.
struct Buffered(BufWriter<TcpStream>);

impl Read for Buffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.get_mut().read(buffer)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// From the request to the end of the stream, with a message that takes a write of its own.
fn converse(client: impl Stream, server: impl Stream + Send) {
    let message = Message::binary(vec![7; 100_000]);
    thread::scope(|scope| {
        let served = scope.spawn(|| {
            let mut ws = accept(server).expect("accepted");
            while let Some(message) = ws.recv().expect("received") {
                ws.send(message).expect("sent");
            }
            ws.close_info().expect("it is over").clean
        });
        let client = Connector::new().handshake(client, "ws://example.com/");
        let mut client = client.expect("connected");
        client.send(message.clone()).expect("sent");
        assert!(client.recv().expect("received") == Some(message));
        let info = client.close(CloseCode::NORMAL, "").expect("closed");
        assert!(info.clean);
        // A stream that cannot be ended is ended by dropping it.
        drop(client);
        assert!(served.join().expect("no panic"));
    });
}

/// spec: S-06
#[test]
fn every_kind_of_stream_carries_a_conversation() {
    let (client, server) = tcp_pair();
    converse(client, server);
    #[cfg(unix)]
    {
        let (client, server) = std::os::unix::net::UnixStream::pair().expect("a pair");
        converse(client, server);
    }
    let (client, server) = tcp_pair();
    let client: Box<dyn Stream> = Box::new(client);
    let server: Box<dyn Stream + Send> = Box::new(server);
    converse(client, server);
    let (client, server) = tcp_pair();
    converse(Untimed(client), Untimed(server));
    let (client, server) = tcp_pair();
    let buffered = |stream| Untimed(Buffered(BufWriter::new(stream)));
    converse(buffered(client), buffered(server));
    let (client, server) = ChoppedIo::duplex();
    converse(Chopped::new(client), Chopped::new(server));
    let (client, server) = ChoppedIo::duplex();
    converse(Untimed(client), Untimed(server));
}

/// Who lends a stream has it back afterwards.
///
/// spec: C-14
#[test]
fn a_stream_can_be_lent() {
    let (mut client, mut server) = tcp_pair();
    converse(&mut client, &mut server);
    assert!(client.local_addr().is_ok() && server.local_addr().is_ok());
}

/// A header of two bytes must not leave as a packet or a TLS record of its own.
///
/// spec: CD-03
#[test]
fn a_message_leaves_in_one_write() {
    let payload = vec![7; 50_000];
    let frame = Frame::binary(payload.clone()).bytes();
    for vectored in [false, true] {
        let (io, remote) = ChoppedIo::scripted(b"");
        let io = Chopped::new(io.with_vectored_writes(vectored));
        let mut ws = WebSocket::server(io, Config::default(), BytesMut::new());
        ws.send(payload.clone()).expect("sent");
        assert_eq!(remote.operations(), 2, "a write and a flush");
        assert!(remote.written() == frame);
    }
    let (io, remote) = ChoppedIo::scripted(b"");
    let mut ws = WebSocket::server(Untimed(io), Config::default(), BytesMut::new());
    ws.send(payload).expect("sent");
    assert_eq!(remote.operations(), 2, "a write and a flush");
    assert!(remote.written() == frame);
}

/// Connections go from thread to thread, and what makes them is shared.
#[test]
fn connections_can_be_sent_and_shared() {
    const fn check<T: Send + Sync + Unpin>() {}
    check::<WebSocket<TcpStream>>();
    check::<Incoming<TcpStream>>();
    check::<Acceptor>();
    check::<Connector>();
    check::<ws_sync::Error>();
    check::<ws_sync::AcceptError>();
    check::<ws_sync::ConnectError>();
    let (stream, _) = ChoppedIo::duplex();
    let ws = WebSocket::server(Untimed(stream), Config::default(), BytesMut::new());
    let moved = thread::spawn(move || ws.state()).join().expect("no panic");
    assert_eq!(moved, ws_sync::State::Open);
}
