//! What TCP does to a connection: its end, its resets, its buffers and its packets.

use std::io::{self, Read, Write};
use std::net;

use bytes::BytesMut;
use tokio::net::TcpStream;
use ws_async::{
    CloseCode, Config, Error, Event, Message, ProtocolError, SendError, State, WebSocket,
};
use ws_testkit::chopped_script::{REQUEST_LINES, RESPONSE, opcodes};
use ws_testkit::{Frame, vectors};

use crate::tcp_pair;

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

fn server(stream: TcpStream) -> WebSocket<TcpStream> {
    WebSocket::server(stream, config(), BytesMut::new())
}

fn client(stream: TcpStream) -> WebSocket<TcpStream> {
    WebSocket::client(stream, config(), BytesMut::new())
}

/// Both ends are ours.
async fn pair() -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let (ours, theirs) = tcp_pair().await;
    ours.set_nonblocking(true).expect("it can");
    let ours = TcpStream::from_std(ours).expect("a socket");
    (client(ours), server(theirs))
}

async fn echo(mut ws: WebSocket<TcpStream>) -> Result<WebSocket<TcpStream>, Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(ws)
}

fn read_to_end(stream: &mut net::TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("no reset");
    bytes
}

/// spec: C-14, C-26
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_ends_the_transport_first() {
    let (mut peer, stream) = tcp_pair().await;
    let server = tokio::spawn(echo(server(stream)));
    peer.write_all(vectors::CLIENT_CLOSE_1000).expect("written");
    // The end comes although this side has ended nothing.
    assert_eq!(read_to_end(&mut peer), Frame::close(1000, "").bytes());
    drop(peer);
    let ws = server.await.expect("no panic").expect("no error");
    assert!(ws.close_info().expect("it is over").clean);
}

/// spec: C-14, C-26
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_waits_for_the_server_to_end_the_transport() {
    let (mut peer, stream) = tcp_pair().await;
    let client = tokio::spawn(async move { client(stream).close(CloseCode::NORMAL, "").await });
    let mut close = [0; 8];
    peer.read_exact(&mut close).expect("a Close");
    assert_eq!(opcodes(&close), [8]);
    peer.write_all(&Frame::close(1000, "").bytes())
        .expect("written");
    // The client has all it needs and keeps its side open: there is neither data nor an end.
    assert!(!client.is_finished());
    peer.set_nonblocking(true).expect("it can");
    let error = peer.read(&mut close).expect_err("there is no end");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(peer);
    let info = client.await.expect("no panic").expect("closed");
    assert!(info.clean);
}

/// A socket that is closed with unread input is reset, and a reset destroys what is on its way.
///
/// spec: C-24, C-25
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_goes_on_sending_reads_why_it_was_failed() {
    let (mut peer, stream) = tcp_pair().await;
    let served = tokio::spawn(async move { server(stream).recv().await });
    let bad = Frame::text("").with_rsv(0b100).masked(vectors::KEY);
    peer.write_all(&bad.bytes()).expect("written");
    peer.write_all(&vec![0x81; 1 << 20]).expect("it is read");
    assert_eq!(read_to_end(&mut peer), Frame::close(1002, "").bytes());
    drop(peer);
    let error = served.await.expect("no panic").expect_err("it was bad");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::ReservedBits)),
        "{error}"
    );
}

/// Programs that are in a hurry reset the connection when both have closed. It was closed all the same.
///
/// spec: C-19, C-21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_after_both_have_closed_is_a_clean_end() {
    let (mut peer, stream) = tcp_pair().await;
    let served = tokio::spawn(async move {
        let mut ws = server(stream);
        (ws.recv().await, ws.close_info())
    });
    peer.write_all(vectors::CLIENT_CLOSE_1001_BYE)
        .expect("written");
    let mut close = [0; 4];
    assert!(peer.peek(&mut close).expect("a Close") > 0);
    // What was only peeked at is unread: this is a reset.
    drop(peer);
    let (received, info) = served.await.expect("no panic");
    assert!(matches!(received, Ok(None)), "{received:?}");
    let info = info.expect("it is over");
    assert!(info.clean);
    assert_eq!((info.code(), info.reason()), (CloseCode::GOING_AWAY, "bye"));
}

/// spec: C-23, CD-04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_in_the_middle_is_an_error() {
    let (mut peer, stream) = tcp_pair().await;
    let served = tokio::spawn(async move {
        let mut ws = server(stream);
        let message = ws.recv().await.expect("received").expect("a message");
        ws.send(message).await.expect("sent");
        let lost = ws.recv().await.expect_err("the peer is gone");
        assert!(matches!(ws.recv().await, Ok(None)), "an error latches");
        assert_eq!(ws.state(), State::Closed);
        lost
    });
    peer.write_all(vectors::CLIENT_TEXT).expect("written");
    let mut byte = [0];
    peer.peek(&mut byte).expect("an echo");
    drop(peer);
    let error = served.await.expect("no panic");
    assert!(matches!(error, Error::Io(_)), "{error}");
}

/// spec: C-23, S-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_to_a_peer_that_is_gone_fails_and_does_not_wait() {
    let (mut client, server) = pair().await;
    drop(server);
    let error = loop {
        if let Err(error) = client.send(vec![0; 100_000]).await {
            break error;
        }
    };
    // Whether the end is noticed in a write, while it waits, or between two of them is a race.
    let lost = matches!(
        error,
        Error::Io(_)
            | Error::Protocol(ProtocolError::ConnectionLost)
            | Error::Send(SendError::Closed)
    );
    assert!(lost, "{error}");
    let refused = client.send("more").await.expect_err("it is over");
    assert!(matches!(refused, Error::Send(_)), "{refused}");
    client
        .recv()
        .await
        .expect_err("the server left without a Close");
    assert!(matches!(client.recv().await, Ok(None)));
    assert!(!client.close_info().expect("it is over").clean);
}

/// spec: F-04, S-01, M-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_messages_go_both_ways() {
    let (mut client, server) = pair().await;
    let server = tokio::spawn(echo(server));
    let largest = Config::default().max_message_size;
    let payload: Vec<u8> = (0..largest).map(|i| (i * 31 % 251) as u8).collect();
    let message = Message::binary(payload);
    client.send(message.clone()).await.expect("sent");
    let echoed = client.recv().await.expect("received").expect("a message");
    assert!(echoed == message);
    // One byte more is too much, on the header alone.
    client.send(vec![0; largest + 1]).await.expect("sent");
    assert_eq!(client.recv().await.expect("closed"), None);
    let info = client.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::MESSAGE_TOO_BIG);
    let error = server
        .await
        .expect("no panic")
        .expect_err("it was too large");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::FrameTooLarge)),
        "{error}"
    );
}

/// spec: F-10, G-07, CD-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_messages_keep_their_order() {
    const MESSAGES: usize = 20_000;
    let (mut client, mut server) = pair().await;
    let server = tokio::spawn(async move {
        for number in 0..MESSAGES {
            let message = server.recv().await.expect("received").expect("a message");
            assert_eq!(message.as_text(), Some(number.to_string().as_str()));
            server.feed(message).await.expect("queued");
        }
        server.flush().await.expect("written");
        server.close(CloseCode::NORMAL, "").await.expect("closed")
    });
    for number in 0..MESSAGES {
        client.feed(number.to_string()).await.expect("queued");
    }
    client.flush().await.expect("written");
    for number in 0..MESSAGES {
        let message = client.recv().await.expect("received").expect("a message");
        assert_eq!(message.as_text(), Some(number.to_string().as_str()));
    }
    assert_eq!(client.recv().await.expect("closed"), None);
    assert!(server.await.expect("no panic").clean);
}

/// Everything that a client says in one packet, its Close included.
///
/// spec: H-22, H-28, F-10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_conversation_may_come_in_one_packet() {
    let (mut peer, stream) = tcp_pair().await;
    let request = REQUEST_LINES.join("\r\n") + "\r\n\r\n";
    let packet = [
        request.as_bytes(),
        vectors::CLIENT_TEXT,
        vectors::CLIENT_FRAGMENTS,
        vectors::CLIENT_CLOSE_1000,
    ];
    peer.write_all(&packet.concat()).expect("written");
    let served =
        tokio::spawn(async { echo(ws_async::accept(stream).await.expect("accepted")).await });
    let expected = [
        RESPONSE.as_bytes(),
        &Frame::text("Hello").bytes(),
        &Frame::text("Hello").bytes(),
        &Frame::close(1000, "").bytes(),
    ];
    let received = read_to_end(&mut peer);
    drop(peer);
    served.await.expect("no panic").expect("no error");
    assert_eq!(
        received.escape_ascii().to_string(),
        expected.concat().escape_ascii().to_string()
    );
}

/// spec: C-03, C-04, C-06, C-35
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_are_answered_both_ways() {
    let (mut client, mut server) = pair().await;
    let served = tokio::spawn(async move {
        server.ping(b"from the server").await.expect("sent");
        let mut events = Vec::new();
        while let Some(event) = server.recv_event().await.expect("received") {
            events.push(event);
        }
        events
    });
    client.ping(b"").await.expect("sent");
    client.ping(&[0xff; 125]).await.expect("sent");
    let error = client.ping(&[0; 126]).await.expect_err("it is too long");
    assert!(matches!(error, Error::Send(_)), "{error}");
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(
            client
                .recv_event()
                .await
                .expect("received")
                .expect("an event"),
        );
    }
    let ping = Event::Ping(b"from the server".as_slice().into());
    let pongs = [
        Event::Pong(b"".as_slice().into()),
        Event::Pong(vec![0xff; 125].into()),
    ];
    assert!(seen.contains(&ping), "{seen:?}");
    seen.retain(|event| *event != ping);
    assert_eq!(seen, pongs);
    client.close(CloseCode::NORMAL, "").await.expect("closed");
    let events = served.await.expect("no panic");
    let pong = Event::Pong(b"from the server".as_slice().into());
    assert!(events.contains(&pong), "{events:?}");
    assert!(
        matches!(events.last(), Some(Event::Closed(Some(_)))),
        "{events:?}"
    );
}
