//! Whole conversations between two ends over an in-memory pipe.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{
    CloseCode, Config, Error, Event, Initiator, Message, ProtocolError, State, Stream, Untimed,
    WebSocket,
};
use ws_testkit::ChoppedIo;

type Pipe = Untimed<ChoppedIo>;

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

fn pair(capacity: usize) -> (WebSocket<Pipe>, WebSocket<Pipe>) {
    let (client, server) = ChoppedIo::duplex();
    let client = Untimed(client.with_capacity(capacity));
    let server = Untimed(server.with_capacity(capacity));
    (
        WebSocket::client(client, config(), BytesMut::new()),
        WebSocket::server(server, config(), BytesMut::new()),
    )
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    (client, listener.accept().expect("accepted").0)
}

fn echo<S: Stream>(mut ws: WebSocket<S>) -> Result<WebSocket<S>, Error> {
    while let Some(message) = ws.recv()? {
        ws.send(message)?;
    }
    Ok(ws)
}

/// spec: F-04, F-13, M-06, M-07
#[test]
fn messages_of_every_length_class_come_back_whole() {
    // A narrow pipe takes a thread switch for each of its fillings, so it gets the shorter messages.
    for (capacity, longest) in [(1, 127), (7, 1025), (4096, 65_537), (1 << 20, 65_537)] {
        let (mut client, server) = pair(capacity);
        // What a pipe without deadlines cannot say, dropping it says: that is the end of the conversation.
        let server = thread::spawn(move || {
            let server = echo(server).expect("no error");
            (server.close_info().expect("it is closed"), server.state())
        });
        for len in [
            0, 1, 125, 126, 127, 1024, 1025, 8192, 8193, 65_535, 65_536, 65_537,
        ] {
            if len > longest {
                break;
            }
            let payload: Vec<u8> = (0..len).map(|i| (i * 31 % 251) as u8).collect();
            let message = Message::binary(payload);
            client.send(message.clone()).expect("sent");
            assert_eq!(
                client.recv().expect("received"),
                Some(message),
                "{len} by {capacity}"
            );
        }
        for text in ["", "Hello", "中文", "👨‍👩‍👧", "κόσμε"] {
            client.send(text).expect("sent");
            assert_eq!(client.recv().expect("received"), Some(Message::text(text)));
        }
        let info = client.close(CloseCode::NORMAL, "bye").expect("closed");
        assert!(info.clean);
        assert_eq!(
            (info.code(), info.initiator),
            (CloseCode::NORMAL, Initiator::Local)
        );
        let (info, state) = server.join().expect("no panic");
        assert_eq!(
            (info.code(), info.reason(), info.initiator),
            (CloseCode::NORMAL, "bye", Initiator::Remote)
        );
        assert_eq!(state, State::Closed);
    }
}

/// spec: C-23, CC-44
#[test]
fn a_lost_connection_is_an_error_and_then_the_end() {
    let (mut client, server) = pair(1024);
    drop(server);
    let error = client.recv().expect_err("the server left");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::ConnectionLost)),
        "{error}"
    );
    assert_eq!(client.recv().expect("latched"), None);
    let info = client.close_info().expect("it is over");
    assert!(!info.clean);
    assert_eq!(
        (info.code(), info.initiator),
        (CloseCode::ABNORMAL, Initiator::Remote)
    );
    assert!(client.send("too late").is_err());
}

/// A peer that answers no Ping and says one byte of a long message for each of them.
///
/// spec: C-35
#[test]
fn any_byte_is_a_sign_of_life() {
    let (mut peer, stream) = tcp_pair();
    let config = Config::default()
        .with_ping_interval(Some(Duration::from_millis(20)))
        .with_pong_timeout(Duration::from_secs(60));
    let server = thread::spawn(move || {
        let mut ws = WebSocket::server(stream, config, BytesMut::new());
        ws.recv()
    });
    let message = [0x81, 0x84, 0, 0, 0, 0, b'l', b'i', b'f', b'e'];
    for byte in message {
        let mut ping = [0; 14];
        peer.read_exact(&mut ping).expect("a Ping");
        assert_eq!(ping[..2], [0x89, 12]);
        peer.write_all(&[byte]).expect("written");
    }
    let received = server.join().expect("no panic").expect("it lives");
    assert_eq!(received, Some(Message::text("life")));
}

/// spec: C-03, G-04
#[test]
fn a_ping_is_answered_although_the_application_only_reads() {
    let (mut peer, stream) = ChoppedIo::duplex();
    let server = thread::spawn(move || {
        let mut ws = WebSocket::server(Untimed(stream), config(), BytesMut::new());
        ws.recv()
    });
    peer.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i'])
        .expect("written");
    let mut pong = [0; 4];
    peer.read_exact(&mut pong).expect("read");
    assert_eq!(&pong, &[0x8a, 2, b'h', b'i']);
    drop(peer);
    server.join().expect("no panic").expect_err("the peer left");
}

/// spec: C-03
#[test]
fn a_pong_does_not_wait_behind_the_application() {
    let (mut peer, stream) = ChoppedIo::duplex();
    let mut server = WebSocket::server(Untimed(stream), config(), BytesMut::new());
    // A Ping and a message in one read: the application gets the message and is busy with it for ever.
    peer.write_all(&[0x89, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0])
        .expect("written");
    assert_eq!(server.recv().expect("received"), Some(Message::text("")));
    let mut pong = [0; 2];
    peer.read_exact(&mut pong).expect("read");
    assert_eq!(pong, [0x8a, 0]);
}

/// spec: F-11, C-24, C-25
#[test]
fn a_bad_frame_is_answered_and_the_rest_is_drained() {
    let (peer, stream) = tcp_pair();
    let server = thread::spawn(move || {
        let mut ws = WebSocket::server(stream, config(), BytesMut::new());
        let first = ws.recv_event();
        (first, ws.recv())
    });
    let mut peer = peer;
    peer.write_all(&[0x83, 0x80, 0, 0, 0, 0]).expect("written");
    peer.write_all(&[0x82; 100_000]).expect("drained");
    let mut received = Vec::new();
    peer.read_to_end(&mut received).expect("read");
    drop(peer);
    assert_eq!(received, [0x88, 2, 0x03, 0xea]);
    let (outcome, latched) = server.join().expect("no panic");
    assert!(
        matches!(outcome, Err(Error::Protocol(ProtocolError::Header(_)))),
        "{outcome:?}"
    );
    assert_eq!(latched.expect("latched"), None);
}

/// spec: C-03, C-06
#[test]
fn pongs_are_events_and_no_messages() {
    let (mut peer, stream) = ChoppedIo::duplex();
    peer.write_all(&[0x8a, 0x80, 0, 0, 0, 0, 0x8a, 0x80, 0, 0, 0, 0])
        .expect("written");
    peer.write_all(&[0x81, 0x80, 0, 0, 0, 0]).expect("written");
    let mut server = WebSocket::server(Untimed(stream), config(), BytesMut::new());
    let event = server.recv_event().expect("received");
    assert_eq!(event, Some(Event::Pong(Vec::new().into())));
    assert_eq!(server.recv().expect("received"), Some(Message::text("")));
}
