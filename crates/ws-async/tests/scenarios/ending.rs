//! How connections end: by a Close frame, by a bad frame, by a peer that leaves, stalls or never stops.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, duplex};
use ws_async::{
    CloseCode, Config, Error, Event, Initiator, Message, ProtocolError, State, WebSocket,
};
use ws_testkit::{ChoppedIo, Frame, Starved, vectors};

use crate::drive::{drive, poll_once};

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

fn server<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> WebSocket<S> {
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
    let mut ws = server(io);
    let event = drive(ws.recv_event()).expect("received");
    assert!(matches!(event, Some(Event::Ping(_))), "{event:?}");
    assert_eq!(remote.written(), Frame::pong("Hello").bytes());
    let event = drive(ws.recv_event()).expect("received");
    assert!(matches!(event, Some(Event::Closed(Some(_)))), "{event:?}");
    drop(ws);
    let answers = [Frame::pong("Hello").bytes(), Frame::close(1000, "").bytes()].concat();
    assert_eq!(remote.written(), answers);
}

/// The peer sends Close, ends its side and does not read: the end of the stream is found once, not again and again.
///
/// spec: C-14, C-25, CD-04
#[test]
fn a_peer_that_has_ended_and_does_not_read_costs_no_time() {
    let (io, remote) = ChoppedIo::scripted(vectors::CLIENT_CLOSE_1000);
    remote.end();
    let mut ws = server(io.with_capacity(4));
    drive(ws.feed("more than four bytes")).expect("queued");
    let (polled, woken) = poll_once(ws.recv());
    assert!(polled.is_none() && !woken, "{polled:?}");
    assert!(remote.operations() < 20, "{}", remote.operations());
    // It goes on as soon as the peer reads.
    let mut received = Vec::new();
    while !remote.is_shut_down() {
        received.extend(remote.take());
        let (polled, _) = poll_once(ws.recv());
        assert!(polled.is_none_or(|received| matches!(received, Ok(None))));
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

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(vectors::CLIENT_TEXT);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Messages that arrive after our Close are dropped, and do not extend its deadline.
///
/// spec: C-18, C-28
#[tokio::test]
async fn a_peer_that_never_stops_cannot_delay_the_close() {
    let timeout = Duration::from_millis(30);
    let config = config().with_close_timeout(Some(timeout));
    let mut ws = WebSocket::server(Endless, config, BytesMut::new());
    let started = tokio::time::Instant::now();
    let error = ws
        .close(CloseCode::NORMAL, "")
        .await
        .expect_err("it never answers");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert!(started.elapsed() >= timeout);
}

/// One connection that always has more does not keep the others of its thread waiting.
///
/// spec: S-09
#[tokio::test]
async fn a_stream_that_is_always_ready_lets_others_run() {
    let mut ws = server(Endless);
    let greedy = tokio::spawn(async move { while let Ok(Some(_)) = ws.recv().await {} });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    greedy.abort();
    assert!(greedy.await.expect_err("it was stopped").is_cancelled());
}

/// spec: C-15, C-16
#[tokio::test]
async fn both_ends_close_at_once() {
    let (client, server_io) = duplex(1024);
    let mut client = WebSocket::client(client, config(), BytesMut::new());
    let mut server = server(server_io);
    let (client_info, server_info) = tokio::join!(
        client.close(CloseCode::NORMAL, "client"),
        server.close(CloseCode::GOING_AWAY, "server"),
    );
    let client_info = client_info.expect("closed");
    let server_info = server_info.expect("closed");
    assert!(client_info.clean && server_info.clean);
    assert_eq!(
        (
            client_info.code(),
            client_info.reason(),
            client_info.initiator
        ),
        (CloseCode::GOING_AWAY, "server", Initiator::Local)
    );
    assert_eq!(
        (
            server_info.code(),
            server_info.reason(),
            server_info.initiator
        ),
        (CloseCode::NORMAL, "client", Initiator::Local)
    );
    // Each of them once more: nothing more to do, and the same answer.
    assert_eq!(
        client.close(CloseCode::NORMAL, "").await.expect("closed"),
        client_info
    );
    assert!(matches!(server.recv().await, Ok(None)));
}

/// spec: C-33, G-13
#[test]
fn a_close_inside_a_fragmented_message_drops_the_message() {
    let fragment = Frame::text("never finished").not_fin().masked(vectors::KEY);
    let (io, remote) =
        ChoppedIo::scripted(&[&fragment.bytes(), vectors::CLIENT_CLOSE_1001_BYE].concat());
    let mut ws = server(io);
    assert_eq!(drive(ws.recv()).expect("closed"), None);
    let info = ws.close_info().expect("it is over");
    assert!(info.clean);
    assert_eq!((info.code(), info.reason()), (CloseCode::GOING_AWAY, "bye"));
    assert_eq!(remote.written(), Frame::close(1001, "").bytes());
}

/// spec: C-12, C-22, F-14
#[test]
fn nothing_can_be_sent_after_a_close() {
    let (io, remote) = ChoppedIo::scripted(b"");
    let mut ws = server(io.when_starved(Starved::NotReady));
    let (closed, _) = poll_once(ws.close(CloseCode::NORMAL, ""));
    assert!(closed.is_none());
    assert_eq!(ws.state(), State::Closing);
    let written = remote.written();
    assert_eq!(written, Frame::close(1000, "").bytes());
    let refused = [
        drive(ws.send("late")),
        drive(ws.feed(vec![1, 2, 3])),
        drive(ws.ping(b"late")),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(Error::Send(_))), "{refused:?}");
    }
    drive(ws.flush()).expect("there is nothing to write");
    assert_eq!(remote.written(), written);
}

/// What is wrong with a `close` is said before anything happens.
///
/// spec: C-29, C-30
#[test]
fn a_close_that_may_not_be_sent_changes_nothing() {
    let (io, remote) = ChoppedIo::scripted(vectors::CLIENT_TEXT);
    let mut ws = server(io);
    for code in [
        CloseCode::NO_STATUS,
        CloseCode::ABNORMAL,
        CloseCode::TLS_HANDSHAKE,
        CloseCode::new(999),
    ] {
        let error = drive(ws.close(code, "")).expect_err("it may not be sent");
        assert!(matches!(error, Error::Send(_)), "{error}");
    }
    let error = drive(ws.close(CloseCode::NORMAL, &"x".repeat(124))).expect_err("too long");
    assert!(matches!(error, Error::Send(_)), "{error}");
    assert_eq!(ws.state(), State::Open);
    assert_eq!(
        drive(ws.recv()).expect("received"),
        Some(Message::text("Hello"))
    );
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
    let mut ws = WebSocket::server(
        io.with_reads(ws_testkit::Chunks::Exactly(1)),
        config,
        BytesMut::new(),
    );
    assert_eq!(drive(ws.recv()).expect("closed"), None);
    assert_eq!(remote.written(), Frame::close(1000, "").bytes());
}
