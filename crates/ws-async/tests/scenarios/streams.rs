//! The same conversation over every kind of stream.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, BufStream, duplex, join, simplex};
use tokio::net::TcpStream;
use ws_async::{Acceptor, CloseCode, Config, Connector, Message, WebSocket};
use ws_async::{Incoming, accept};
use ws_testkit::{ChoppedIo, Chunks, Frame};

use crate::drive::drive;
use crate::tcp_pair;

/// What type-erased streams are made of.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// From the request to the end of the stream, with a message that takes a write of its own.
async fn converse(client: impl Stream + 'static, server: impl Stream + 'static) {
    let message = Message::binary(vec![7; 100_000]);
    let serve = async {
        let mut ws = accept(server).await.expect("accepted");
        while let Some(message) = ws.recv().await.expect("received") {
            ws.send(message).await.expect("sent");
        }
        assert!(ws.close_info().expect("it is over").clean);
    };
    let talk = async {
        let connector = Connector::new();
        let client = connector.handshake(client, "ws://example.com/").await;
        let mut client = client.expect("connected");
        client.send(message.clone()).await.expect("sent");
        assert!(client.recv().await.expect("received") == Some(message));
        let info = client.close(CloseCode::NORMAL, "").await.expect("closed");
        assert!(info.clean);
    };
    tokio::join!(serve, talk);
}

async fn tokio_pair() -> (TcpStream, TcpStream) {
    let (client, server) = tcp_pair().await;
    client.set_nonblocking(true).expect("it can");
    (TcpStream::from_std(client).expect("a socket"), server)
}

/// spec: S-06
#[tokio::test]
async fn every_kind_of_stream_carries_a_conversation() {
    let (client, server) = tokio_pair().await;
    converse(client, server).await;
    #[cfg(unix)]
    {
        let (client, server) = tokio::net::UnixStream::pair().expect("a pair");
        converse(client, server).await;
    }
    let (client, server) = tokio_pair().await;
    let client: Box<dyn Stream> = Box::new(client);
    let server: Box<dyn Stream> = Box::new(server);
    converse(client, server).await;
    let (client, server) = duplex(1000);
    converse(client, server).await;
    // It holds back what it is not asked to flush.
    let (client, server) = tokio_pair().await;
    converse(BufStream::new(client), BufStream::new(server)).await;
    // Halves of two different pipes.
    let (up_reader, up_writer) = simplex(1000);
    let (down_reader, down_writer) = simplex(1000);
    converse(join(down_reader, up_writer), join(up_reader, down_writer)).await;
    let (client, server) = ChoppedIo::duplex();
    let chopped = |io: ChoppedIo, seed| io.with_reads(Chunks::random(seed, 10_000));
    converse(chopped(client, 1), chopped(server, 2)).await;
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
        let io = io.with_vectored_writes(vectored);
        let mut ws = WebSocket::server(io, Config::default(), BytesMut::new());
        drive(ws.send(payload.clone())).expect("sent");
        assert_eq!(remote.operations(), 2, "a write and a flush");
        assert!(remote.written() == frame);
    }
}

/// Connections go from thread to thread, and what makes them is shared; so do all their futures.
#[tokio::test]
async fn connections_and_their_futures_can_be_sent() {
    const fn check<T: Send + Sync + Unpin>() {}
    fn check_future(future: impl Future + Send) {
        drop(future);
    }
    check::<WebSocket<TcpStream>>();
    check::<Incoming<TcpStream>>();
    check::<Acceptor>();
    check::<Connector>();
    check::<ws_async::Error>();
    check::<ws_async::AcceptError>();
    check::<ws_async::ConnectError>();
    let (client, server) = tokio_pair().await;
    let acceptor = Acceptor::new();
    let connector = Connector::new();
    check_future(connector.connect("ws://127.0.0.1:1/"));
    check_future(connector.handshake(client, "ws://example.com/"));
    check_future(acceptor.accept(server));
    let (stream, _peer) = duplex(10);
    let mut ws = WebSocket::server(stream, Config::default(), BytesMut::new());
    check_future(ws.recv());
    check_future(ws.recv_event());
    check_future(ws.send("text"));
    check_future(ws.feed("text"));
    check_future(ws.flush());
    check_future(ws.ping(b""));
    check_future(ws.close(CloseCode::NORMAL, ""));
    // Dropped before its first poll, a future has done nothing.
    assert_eq!(ws.state(), ws_async::State::Open);
}
