//! How connections end: by a Close frame, by a bad frame, by a peer that leaves, stalls or never stops.

use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ws_sync::{
    CloseCode, Config, Error, Event, Initiator, Message, ProtocolError, State, Stream, Untimed,
    WebSocket,
};
use ws_testkit::{ChoppedIo, Frame, vectors};

use crate::chopped::{Chopped, is_would_block};
use crate::tcp_pair;

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

fn server<S: Stream>(stream: S) -> WebSocket<S> {
    WebSocket::server(stream, config(), BytesMut::new())
}

/// An application that looks at events and stops at the first Close has still answered it, and a Ping does not wait
/// until it comes back for more.
///
/// spec: C-03, C-13
#[test]
fn an_answer_is_written_before_its_event_is_seen() {
    let (io, remote) =
        ChoppedIo::scripted(&[vectors::CLIENT_PING, vectors::CLIENT_CLOSE_1000].concat());
    let mut ws = server(Chopped::new(io));
    let event = ws.recv_event().expect("received");
    assert!(matches!(event, Some(Event::Ping(_))), "{event:?}");
    assert_eq!(remote.written(), Frame::pong("Hello").bytes());
    let event = ws.recv_event().expect("received");
    assert!(matches!(event, Some(Event::Closed(Some(_)))), "{event:?}");
    drop(ws);
    let answers = [Frame::pong("Hello").bytes(), Frame::close(1000, "").bytes()];
    assert_eq!(remote.written(), answers.concat());
}

/// The peer sends Close, ends its side and does not read: the end of the stream is found once, not again and again.
///
/// spec: C-14, C-25, CD-04
#[test]
fn a_peer_that_has_ended_and_does_not_read_costs_no_time() {
    let (io, remote) = ChoppedIo::scripted(vectors::CLIENT_CLOSE_1000);
    remote.end();
    let mut ws = server(Chopped::new(io.with_capacity(4).without_waiting()));
    ws.feed("more than four bytes").expect("queued");
    assert!(is_would_block(&ws.recv()));
    assert!(remote.operations() < 20, "{}", remote.operations());
    // It goes on as soon as the peer reads.
    let mut received = Vec::new();
    while !remote.is_shut_down() {
        received.extend(remote.take());
        let result = ws.recv();
        assert!(
            is_would_block(&result) || matches!(result, Ok(None)),
            "{result:?}"
        );
    }
    received.extend(remote.take());
    let expected = [
        Frame::text("more than four bytes").bytes(),
        Frame::close(1000, "").bytes(),
    ];
    assert_eq!(received, expected.concat());
    assert!(ws.close_info().expect("it is over").clean);
}

/// A stream that always has another message, and takes everything.
struct Endless;

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = vectors::CLIENT_TEXT.len();
        buffer[..len].copy_from_slice(vectors::CLIENT_TEXT);
        Ok(len)
    }
}

impl Write for Endless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Messages that arrive after our Close are dropped, and do not extend its deadline.
///
/// spec: C-18, C-28
#[test]
fn a_peer_that_never_stops_cannot_delay_the_close() {
    let timeout = Duration::from_millis(30);
    let config = config().with_close_timeout(Some(timeout));
    let mut ws = WebSocket::server(Untimed(Endless), config, BytesMut::new());
    let started = Instant::now();
    let error = ws
        .close(CloseCode::NORMAL, "")
        .expect_err("it never answers");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert!(started.elapsed() >= timeout);
}

/// A stream that takes one byte at a time, a millisecond each, and has nothing to say.
struct Trickle;

impl Read for Trickle {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Trickle {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        thread::park_timeout(Duration::from_millis(1));
        Ok(1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// spec: C-28
#[test]
fn a_peer_that_reads_byte_by_byte_cannot_delay_the_close() {
    let timeout = Duration::from_millis(30);
    let config = config().with_close_timeout(Some(timeout));
    let mut ws = WebSocket::server(Untimed(Trickle), config, BytesMut::new());
    ws.feed(vec![0; 1_000_000]).expect("queued");
    let started = Instant::now();
    let error = loop {
        match ws.close(CloseCode::NORMAL, "") {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            closed => break closed.expect_err("it takes a quarter of an hour"),
        }
    };
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert!(started.elapsed() >= timeout);
}

fn close_both(client: WebSocket<impl Stream>, server: WebSocket<impl Stream + Send + 'static>) {
    let mut client = client;
    let mut server = server;
    let server = thread::spawn(move || {
        let info = server
            .close(CloseCode::GOING_AWAY, "server")
            .expect("closed");
        assert!(matches!(server.recv(), Ok(None)));
        info
    });
    let client_info = client.close(CloseCode::NORMAL, "client").expect("closed");
    let server_info = server.join().expect("no panic");
    assert!(client_info.clean && server_info.clean);
    // One of them may have been faster than the other: then it began, and the other one answered.
    if client_info.initiator == Initiator::Local {
        assert_eq!(server_info.code(), CloseCode::NORMAL);
        assert_eq!(server_info.reason(), "client");
    }
    if server_info.initiator == Initiator::Local {
        assert_eq!(client_info.code(), CloseCode::GOING_AWAY);
        assert_eq!(client_info.reason(), "server");
    }
    // Once more: nothing more to do, and the same answer.
    let again = client.close(CloseCode::NORMAL, "").expect("closed");
    assert_eq!(again, client_info);
}

/// spec: C-15, C-16
#[test]
fn both_ends_close_at_once() {
    let (client, server_io) = tcp_pair();
    let client = WebSocket::client(client, config(), BytesMut::new());
    close_both(client, server(server_io));
}

/// Neither stream can end its side alone, so neither end waits for the other to do it.
///
/// spec: C-14, C-28
#[test]
fn two_streams_without_deadlines_do_not_wait_for_each_other() {
    let (client, server_io) = tcp_pair();
    // No deadline of ours holds here. If the two do wait for each other, the test fails instead of hanging.
    for stream in [&client, &server_io] {
        let patience = Some(Duration::from_secs(5));
        stream.set_read_timeout(patience).expect("it can");
    }
    let client = WebSocket::client(Untimed(client), config(), BytesMut::new());
    close_both(client, server(Untimed(server_io)));
}

/// spec: C-33, G-13
#[test]
fn a_close_inside_a_fragmented_message_drops_the_message() {
    let fragment = Frame::text("never finished").not_fin();
    let fragment = fragment.masked(vectors::KEY).bytes();
    let (io, remote) = ChoppedIo::scripted(&[&fragment, vectors::CLIENT_CLOSE_1001_BYE].concat());
    let mut ws = server(Chopped::new(io));
    assert_eq!(ws.recv().expect("closed"), None);
    let info = ws.close_info().expect("it is over");
    assert!(info.clean);
    assert_eq!((info.code(), info.reason()), (CloseCode::GOING_AWAY, "bye"));
    assert_eq!(remote.written(), Frame::close(1001, "").bytes());
}

/// spec: C-12, C-22, F-14
#[test]
fn nothing_can_be_sent_after_a_close() {
    let (io, remote) = ChoppedIo::scripted(b"");
    let mut ws = server(Chopped::new(io.without_waiting()));
    assert!(is_would_block(&ws.close(CloseCode::NORMAL, "")));
    assert_eq!(ws.state(), State::Closing);
    let written = remote.written();
    assert_eq!(written, Frame::close(1000, "").bytes());
    let refused = [ws.send("late"), ws.feed(vec![1, 2, 3]), ws.ping(b"late")];
    for refused in refused {
        assert!(matches!(refused, Err(Error::Send(_))), "{refused:?}");
    }
    ws.flush().expect("there is nothing to write");
    assert_eq!(remote.written(), written);
}

/// What is wrong with a `close` is said before anything happens.
///
/// spec: C-29, C-30
#[test]
fn a_close_that_may_not_be_sent_changes_nothing() {
    let (io, remote) = ChoppedIo::scripted(vectors::CLIENT_TEXT);
    let mut ws = server(Chopped::new(io));
    for code in [
        CloseCode::NO_STATUS,
        CloseCode::ABNORMAL,
        CloseCode::TLS_HANDSHAKE,
        CloseCode::new(999),
    ] {
        let error = ws.close(code, "").expect_err("it may not be sent");
        assert!(matches!(error, Error::Send(_)), "{error}");
    }
    let error = ws
        .close(CloseCode::NORMAL, &"x".repeat(124))
        .expect_err("too long");
    assert!(matches!(error, Error::Send(_)), "{error}");
    assert_eq!(ws.state(), State::Open);
    assert_eq!(ws.recv().expect("received"), Some(Message::text("Hello")));
    assert_eq!(remote.written(), b"");
}

/// A deadline that no clock can hold is none.
///
/// spec: C-28, C-35
#[test]
fn endless_deadlines_are_no_deadlines() {
    let config = Config::default()
        .with_ping_interval(Some(Duration::MAX))
        .with_close_timeout(Some(Duration::MAX))
        .with_handshake_timeout(Some(Duration::MAX));
    let (io, remote) = ChoppedIo::scripted(vectors::CLIENT_CLOSE_1000);
    let io = Chopped::new(io.with_reads(ws_testkit::Chunks::Exactly(1)));
    let mut ws = WebSocket::server(io, config, BytesMut::new());
    assert_eq!(ws.recv().expect("closed"), None);
    assert_eq!(remote.written(), Frame::close(1000, "").bytes());
}

/// spec: C-18
#[test]
fn what_arrives_after_our_close_is_received_where_the_close_was_only_begun() {
    let (stream, mut peer) = tcp_pair();
    let mut server = server(stream);
    server.begin_close(CloseCode::NORMAL, "").expect("begun");
    assert_eq!(server.state(), State::Closing);
    let mut close = [0; 4];
    peer.read_exact(&mut close).expect("it is written at once");
    assert_eq!(close, *b"\x88\x02\x03\xe8");
    let frames = [
        vectors::CLIENT_TEXT,
        vectors::CLIENT_CLOSE_EMPTY,
        vectors::CLIENT_TEXT,
    ];
    peer.write_all(&frames.concat()).expect("written");
    drop(peer);
    let message = server.recv().expect("received");
    assert_eq!(message, Some(Message::text("Hello")));
    assert_eq!(server.recv().expect("a clean end"), None);
    assert!(server.close_info().expect("it is over").clean);
    // Once more is once too often, and does nothing.
    server
        .begin_close(CloseCode::NORMAL, "")
        .expect("it is over");
}
