//! Defects that hand-written WebSocket tutorials and their copies have, and that must not come back. Each test is
//! named after its row in the project's list of them.

use std::collections::HashSet;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use ws_async::handshake::client::{HandshakeError, RawRequest};
use ws_async::{
    AcceptError, CloseCode, Config, ConnectError, Connector, Error, Message, ProtocolError,
    WebSocket,
};
use ws_testkit::chopped_script::{REQUEST_LINES, RESPONSE, Script, opcodes};
use ws_testkit::oracle::{Event, Receiver};
use ws_testkit::{ChoppedIo, Chunks, Frame, Remote, vectors};

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

fn good_request() -> Vec<u8> {
    (REQUEST_LINES.join("\r\n") + "\r\n\r\n").into_bytes()
}

/// A server that has received this, and then the end.
fn server(received: &[u8]) -> (WebSocket<ChoppedIo>, Remote) {
    let (io, remote) = ChoppedIo::scripted(received);
    let ws = WebSocket::server(io, config(), BytesMut::new());
    (ws, remote)
}

/// A client that has received this, and then the end.
fn client(received: &[u8]) -> (WebSocket<ChoppedIo>, Remote) {
    let (io, remote) = ChoppedIo::scripted(received);
    let ws = WebSocket::client(io, config(), BytesMut::new());
    (ws, remote)
}

#[tokio::test]
async fn x01_a_read_is_neither_a_handshake_nor_a_frame() {
    // spec: F-09, F-10, H-22
    // "recv(1024) is the whole handshake, the next one the whole frame": a byte at a time, everything at once, and
    // pieces that hold the end of one thing and the beginning of the next.
    let frames = [vectors::CLIENT_TEXT, vectors::CLIENT_FRAGMENTS].concat();
    let received = [good_request(), frames].concat();
    for chunks in [Chunks::Exactly(1), Chunks::Whole, Chunks::Exactly(150)] {
        let (io, remote) = ChoppedIo::scripted(&received);
        let io = io.with_reads(chunks);
        let mut ws = ws_async::accept(io).await.expect("accepted");
        for _ in 0..2 {
            let message = ws.recv().await.expect("received");
            assert_eq!(message, Some(Message::text("Hello")));
        }
        assert_eq!(remote.written(), RESPONSE.as_bytes());
    }
}

#[tokio::test]
async fn x06_invalid_utf8_ends_one_connection() {
    // spec: U-01, C-24
    // "str(bytes, 'utf-8')", whose exception ended the server.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    for received in [vectors::CLIENT_TEXT_NOT_UTF8, vectors::CLIENT_TEXT_GREEK] {
        let mut peer = TcpStream::connect(address).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        peer.write_all(received).await.expect("written");
        peer.shutdown().await.expect("shut down");
        let mut ws = WebSocket::server(stream, config(), BytesMut::new());
        match ws.recv().await {
            Ok(message) => assert_eq!(message, Some(Message::text("κόσμε"))),
            Err(error) => {
                assert!(
                    matches!(error, Error::Protocol(ProtocolError::InvalidUtf8)),
                    "{error}"
                );
                let mut answer = Vec::new();
                peer.read_to_end(&mut answer).await.expect("no reset");
                assert_eq!(answer, Frame::close(1007, "").bytes());
            }
        }
    }
}

#[tokio::test]
async fn x13_a_bad_client_does_not_stop_the_server() {
    // spec: H-07, H-25, S-08
    // "No key: return", which ended the accept loop; and one silent client held up all the others.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    let accepting = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        for _ in 0..5 {
            let (stream, _) = listener.accept().await.expect("accepted");
            connections.spawn(async move {
                let mut ws = ws_async::accept(stream).await.ok()?;
                while let Some(message) = ws.recv().await.expect("received") {
                    ws.send(message).await.expect("sent");
                }
                Some(ws)
            });
        }
        let served = connections.join_all().await;
        served.into_iter().flatten().count()
    });
    let silent = TcpStream::connect(address).await.expect("connected");
    let without_key: Vec<&str> = REQUEST_LINES
        .into_iter()
        .filter(|line| !line.contains("Key"))
        .collect();
    let bad = [
        without_key.join("\r\n") + "\r\n\r\n",
        "\u{16}\u{3}\u{1}".to_owned(),
        "Key:val".to_owned(),
    ];
    for request in bad {
        let mut client = TcpStream::connect(address).await.expect("connected");
        client.write_all(request.as_bytes()).await.expect("written");
        client.shutdown().await.expect("shut down");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("it ended");
    }
    let good = ws_async::connect(&format!("ws://{address}/")).await;
    let mut good = good.expect("connected");
    good.send("still here?").await.expect("sent");
    let echo = good.recv().await.expect("received");
    assert_eq!(echo, Some(Message::text("still here?")));
    good.close(CloseCode::NORMAL, "").await.expect("closed");
    assert!(!accepting.is_finished());
    drop(silent);
    assert_eq!(accepting.await.expect("no panic"), 1);
}

#[tokio::test]
async fn x14_a_short_write_is_not_the_end_of_a_message() {
    // spec: CD-04
    // "conn.send(frame)", whose result nobody looked at.
    let message = Message::text(vectors::CHINESE.repeat(100));
    let frame = Frame::text(message.as_bytes()).bytes();
    for len in [1, 2, 3, 5, 1000] {
        let (io, remote) = ChoppedIo::scripted(b"");
        let io = io.with_writes(Chunks::Exactly(len));
        let mut ws = WebSocket::server(io, config(), BytesMut::new());
        ws.send(message.clone()).await.expect("sent");
        assert!(remote.written() == frame, "in pieces of {len}");
    }
}

#[tokio::test]
async fn x15_a_peer_that_is_gone_is_1006_wherever_it_stopped() {
    // spec: C-19, C-21, C-23
    // "info[1]" of an empty read: an IndexError, or a loop that never ends.
    for script in Script::all() {
        let whole = script.incoming.len();
        for stop in 0..whole {
            let received = &script.incoming[..stop];
            let (io, _remote) = ChoppedIo::scripted(received);
            let ws = if script.is_server {
                ws_async::accept(io).await.map_err(|error| {
                    let AcceptError::Rejected(rejection) = error else {
                        panic!("{error}");
                    };
                    assert!(rejection.closes_silently());
                })
            } else {
                let request = RawRequest::from_lines(REQUEST_LINES).expect("it is well-formed");
                let connected = Connector::new().handshake_raw(io, &request).await;
                connected.map_err(|error| {
                    let expected = match stop {
                        0 => HandshakeError::ClosedBeforeResponse,
                        _ => HandshakeError::ClosedInsideResponse,
                    };
                    assert!(
                        matches!(&error, ConnectError::Handshake(error) if *error == expected),
                        "{error}"
                    );
                })
            };
            let Ok(mut ws) = ws else {
                assert!(stop < script.head_len);
                continue;
            };
            assert!(stop >= script.head_len);
            let error = loop {
                match ws.recv().await {
                    Ok(Some(message)) => assert!(script.messages.contains(&message)),
                    Ok(None) => panic!("{stop} of {whole} bytes are no clean end"),
                    Err(error) => break error,
                }
            };
            assert!(
                matches!(error, Error::Protocol(ProtocolError::ConnectionLost)),
                "{error}"
            );
            let info = ws.close_info().expect("it is over");
            assert_eq!(info.code(), CloseCode::ABNORMAL);
            assert!(!info.clean);
            assert!(matches!(ws.recv().await, Ok(None)));
        }
    }
}

#[tokio::test]
async fn x16_an_empty_message_is_a_message() {
    // spec: F-13
    // "if data:", which took an empty message for none.
    let empty = [Message::text(""), Message::binary(Vec::new())];
    let frames = [Frame::text(""), Frame::binary("")];
    let (mut ws, remote) = server(
        &frames
            .clone()
            .map(|frame| frame.masked([1, 2, 3, 4]).bytes())
            .concat(),
    );
    for message in &empty {
        assert_eq!(ws.recv().await.expect("received").as_ref(), Some(message));
        ws.send(message.clone()).await.expect("sent");
    }
    assert_eq!(remote.written(), frames.map(|frame| frame.bytes()).concat());
    let (mut ws, remote) = client(&[0x81, 0, 0x82, 0]);
    for message in &empty {
        assert_eq!(ws.recv().await.expect("received").as_ref(), Some(message));
        ws.send(message.clone()).await.expect("sent");
    }
    let (events, _) = Receiver::SERVER.decode(&remote.written());
    assert_eq!(
        events,
        [Event::Text(String::new()), Event::Binary(Vec::new())]
    );
}

#[tokio::test]
async fn x18_nothing_is_unlimited() {
    // spec: S-01, S-02, H-25, G-12
    // No limit on any size, and no timeout.
    let config = Config::default();
    assert_eq!(config.handshake_timeout, Some(Duration::from_secs(10)));
    assert_eq!(config.close_timeout, Some(Duration::from_secs(10)));
    // An endless head: refused long before 64 MiB of it.
    let head = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 1 << 20]].concat();
    let (io, _remote) = ChoppedIo::scripted(&head);
    let error = ws_async::accept(io).await.expect_err("it is too large");
    let AcceptError::Rejected(rejection) = error else {
        panic!("{error}");
    };
    assert_eq!(rejection.status(), Some(431));
    // A frame that announces 2^62 bytes: refused on the header.
    let huge = Frame::binary("").announcing(1 << 62).masked(vectors::KEY);
    assert_refused(&huge.header(), ProtocolError::FrameTooLarge).await;
    // Empty fragments for ever.
    let fragment = Frame::continuation("").not_fin().masked(vectors::KEY);
    let first = Frame::text("").not_fin().masked(vectors::KEY);
    let endless = [first.bytes(), fragment.bytes().repeat(70_000)].concat();
    assert_refused(&endless, ProtocolError::TooManyFragments).await;
}

async fn assert_refused(received: &[u8], expected: ProtocolError) {
    let (mut ws, remote) = server(received);
    let error = ws.recv().await.expect_err("it is refused");
    assert!(
        matches!(error, Error::Protocol(error) if error == expected),
        "{error}"
    );
    let code = expected.close_code().expect("the peer is told").get();
    assert_eq!(remote.written(), Frame::close(code, "").bytes());
}

#[tokio::test]
async fn x22_the_answer_to_the_key_is_verified() {
    // spec: K-18
    // The library connected to whatever said 101.
    let request = RawRequest::from_lines(REQUEST_LINES).expect("it is well-formed");
    let wrong = RESPONSE.replace(
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "T5ar3gbl3rZJcRmEmBT8vxKjdDo=",
    );
    let (io, _remote) = ChoppedIo::scripted(wrong.as_bytes());
    let error = Connector::new()
        .handshake_raw(io, &request)
        .await
        .expect_err("it answers another key");
    assert!(
        matches!(
            error,
            ConnectError::Handshake(HandshakeError::InvalidAccept)
        ),
        "{error}"
    );
}

#[tokio::test]
async fn x22_every_frame_has_a_key_of_its_own() {
    // spec: M-01, M-05
    // Keys from a generator that can be foretold.
    let (mut ws, remote) = client(b"");
    for _ in 0..1000 {
        ws.feed(vec![0; 4]).await.expect("queued");
    }
    ws.flush().await.expect("written");
    // Four zeros under a mask are the key.
    let written = remote.written();
    let keys: HashSet<&[u8]> = written.chunks(10).map(|frame| &frame[2..6]).collect();
    assert!(written.chunks(10).all(|frame| frame[2..6] == frame[6..]));
    assert!(keys.len() >= 999, "{} keys for 1000 frames", keys.len());
}

#[tokio::test]
async fn x22_fragments_become_a_message() {
    // spec: G-01, F-02
    // Fragments and reserved bits got a warning in the log.
    let (mut ws, _remote) = client(vectors::SERVER_FRAGMENTS);
    assert_eq!(
        ws.recv().await.expect("received"),
        Some(Message::text("Hello"))
    );
    let (mut ws, _remote) = client(&Frame::text("x").with_rsv(0b100).bytes());
    let error = ws.recv().await.expect_err("nobody agreed on that bit");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::ReservedBits)),
        "{error}"
    );
}

#[tokio::test]
async fn x22_binary_is_sent_as_binary_and_close_as_close() {
    // spec: C-12, C-13, F-03
    // Everything was sent as text, and closing sent an empty text.
    let (mut ws, remote) = client(b"\x88\x00");
    ws.feed(vec![0xff]).await.expect("queued");
    ws.ping(b"").await.expect("sent");
    ws.close(CloseCode::NORMAL, "").await.expect("closed");
    assert_eq!(opcodes(&remote.written()), [2, 9, 8]);
}

#[tokio::test]
async fn x22_an_empty_close_is_answered() {
    // spec: C-13, C-19
    let (mut ws, remote) = server(vectors::CLIENT_CLOSE_EMPTY);
    assert_eq!(ws.recv().await.expect("closed"), None);
    assert_eq!(remote.written(), b"\x88\x00");
    let info = ws.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::NO_STATUS);
    assert!(info.clean);
}

#[tokio::test]
async fn x22_a_request_written_by_hand_has_an_end() {
    // spec: K-05
    // The list of header lines was joined without the blank line that ends it, unless its last item was empty.
    for empty_item in [false, true] {
        let mut lines = REQUEST_LINES.to_vec();
        if empty_item {
            lines.push("");
        }
        let request = RawRequest::from_lines(lines).expect("it is well-formed");
        let (io, remote) = ChoppedIo::scripted(RESPONSE.as_bytes());
        let connected = Connector::new().handshake_raw(io, &request).await;
        assert!(connected.is_ok());
        assert_eq!(remote.written(), good_request());
    }
}

#[tokio::test]
async fn x22_a_sender_waits_for_a_slow_receiver() {
    // spec: S-07
    // No drain: what the peer did not read piled up. Here at most one message waits beyond the mark.
    let (_peer, stream) = duplex(1000);
    let config = config().with_write_buffer_high(10_000);
    let mut ws = WebSocket::server(stream, config, BytesMut::new());
    let mut queued = 0;
    let feed = async {
        loop {
            ws.feed(vec![0; 1000]).await.expect("queued");
            queued += 1;
        }
    };
    tokio::select! {
        biased;
        () = feed => {}
        () = tokio::task::yield_now() => {}
    }
    assert!((10..=12).contains(&queued), "{queued} messages wait");
}

#[tokio::test(start_paused = true)]
async fn x24_a_dead_peer_is_found() {
    // spec: C-35
    // "It never disconnects unless you tell it to."
    let (peer, stream) = duplex(1000);
    let mut ws = WebSocket::server(stream, Config::default(), BytesMut::new());
    let error = ws.recv().await.expect_err("it is dead");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::PongTimeout)),
        "{error}"
    );
    drop(peer);
}
