//! Whole conversations between two ends over an in-memory pipe.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use ws_async::{
    CloseCode, Config, Error, Event, Initiator, Message, ProtocolError, State, WebSocket,
};

fn pair(capacity: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = duplex(capacity);
    (
        WebSocket::client(client, Config::default(), BytesMut::new()),
        WebSocket::server(server, Config::default(), BytesMut::new()),
    )
}

async fn echo(mut ws: WebSocket<DuplexStream>) -> Result<WebSocket<DuplexStream>, Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(ws)
}

/// spec: F-04, F-13, M-06, M-07
#[tokio::test]
async fn messages_of_every_length_class_come_back_whole() {
    // A narrow pipe takes a task switch for each of its fillings, so it gets the shorter messages.
    for (capacity, longest) in [(1, 1025), (7, 8193), (4096, 65_537), (1 << 20, 65_537)] {
        let (mut client, server) = pair(capacity);
        let server = tokio::spawn(echo(server));
        for len in [
            0, 1, 125, 126, 127, 1024, 1025, 8192, 8193, 65_535, 65_536, 65_537,
        ] {
            if len > longest {
                break;
            }
            let payload: Vec<u8> = (0..len).map(|i| (i * 31 % 251) as u8).collect();
            // Both ends of a narrow pipe: the whole message does not fit, so sending and receiving overlap.
            let message = Message::binary(payload);
            client.send(message.clone()).await.expect("sent");
            assert_eq!(
                client.recv().await.expect("received"),
                Some(message),
                "{len} by {capacity}"
            );
        }
        for text in ["", "Hello", "中文", "👨‍👩‍👧", "κόσμε"] {
            client.send(text).await.expect("sent");
            assert_eq!(
                client.recv().await.expect("received"),
                Some(Message::text(text))
            );
        }
        let info = client
            .close(CloseCode::NORMAL, "bye")
            .await
            .expect("closed");
        assert!(info.clean);
        assert_eq!(
            (info.code(), info.initiator),
            (CloseCode::NORMAL, Initiator::Local)
        );
        let server = server.await.expect("no panic").expect("no error");
        let info = server.close_info().expect("it is closed");
        assert_eq!(
            (info.code(), info.reason(), info.initiator),
            (CloseCode::NORMAL, "bye", Initiator::Remote)
        );
        assert_eq!(server.state(), State::Closed);
    }
}

/// spec: C-14, C-26
#[tokio::test]
async fn the_server_ends_the_transport_first() {
    let (client, server) = duplex(1024);
    let server = tokio::spawn(echo(WebSocket::server(
        server,
        Config::default(),
        BytesMut::new(),
    )));
    let mut client = client;
    client
        .write_all(&[0x88, 0x80, 1, 2, 3, 4])
        .await
        .expect("written");
    let mut received = Vec::new();
    // Reading to the end works although this end has not shut anything down.
    client.read_to_end(&mut received).await.expect("read");
    assert_eq!(received, [0x88, 0x00]);
    drop(client);
    assert!(server.await.expect("no panic").is_ok());
}

/// spec: C-23, CC-44
#[tokio::test]
async fn a_lost_connection_is_an_error_and_then_the_end() {
    let (mut client, server) = pair(1024);
    drop(server);
    let error = client.recv().await.expect_err("the server left");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::ConnectionLost)),
        "{error}"
    );
    assert_eq!(client.recv().await.expect("latched"), None);
    let info = client.close_info().expect("it is over");
    assert!(!info.clean);
    assert_eq!(
        (info.code(), info.initiator),
        (CloseCode::ABNORMAL, Initiator::Remote)
    );
    assert!(client.send("too late").await.is_err());
}

/// spec: C-28
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_a_close_is_given_up() {
    let (client, server) = duplex(1024);
    let mut ws = WebSocket::client(client, Config::default(), BytesMut::new());
    let started = tokio::time::Instant::now();
    let error = ws
        .close(CloseCode::NORMAL, "")
        .await
        .expect_err("nobody answers");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(server);
}

/// spec: C-28
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_cannot_delay_the_close() {
    let (client, server) = duplex(16);
    let mut ws = WebSocket::server(client, Config::default(), BytesMut::new());
    ws.feed(vec![0; 1000]).await.expect("queued");
    let started = tokio::time::Instant::now();
    let error = ws
        .close(CloseCode::GOING_AWAY, "")
        .await
        .expect_err("nobody reads");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(server);
}

/// spec: C-35
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_then_given_up() {
    let (stream, mut peer) = duplex(1024);
    let mut ws = WebSocket::server(stream, Config::default(), BytesMut::new());
    let started = tokio::time::Instant::now();
    let error = ws.recv().await.expect_err("the peer is silent");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::PongTimeout)),
        "{error}"
    );
    assert_eq!(
        started.elapsed().as_secs(),
        50,
        "a Ping after 30 s and 20 s more"
    );
    drop(ws);
    let mut received = Vec::new();
    peer.read_to_end(&mut received).await.expect("read");
    assert_eq!(received.len(), 14, "one Ping of twelve bytes");
    assert_eq!(received[..2], [0x89, 12]);
}

/// spec: C-35
#[tokio::test(start_paused = true)]
async fn any_byte_is_a_sign_of_life() {
    let (stream, mut peer) = duplex(1024);
    let mut ws = WebSocket::server(stream, Config::default(), BytesMut::new());
    let talk = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(19)).await;
            peer.write_all(&[0x8a, 0x80, 0, 0, 0, 0])
                .await
                .expect("written");
        }
    };
    tokio::select! {
        event = async { loop {
            match ws.recv_event().await {
                Ok(Some(Event::Pong(_))) => {}
                other => break other,
            }
        } } => panic!("{event:?}"),
        () = talk => {}
    }
}

/// spec: C-03, G-04
#[tokio::test]
async fn a_ping_is_answered_although_the_application_only_reads() {
    let (client, server) = duplex(1024);
    let mut server = WebSocket::server(server, Config::default(), BytesMut::new());
    let (mut reader, mut writer) = tokio::io::split(client);
    writer
        .write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i'])
        .await
        .expect("written");
    let mut pong = [0; 4];
    tokio::select! {
        message = server.recv() => panic!("{message:?}"),
        read = reader.read_exact(&mut pong) => { read.expect("read"); }
    }
    assert_eq!(&pong, &[0x8a, 2, b'h', b'i']);
}

/// spec: C-03
#[tokio::test]
async fn a_pong_does_not_wait_behind_the_application() {
    let (client, server) = duplex(1024);
    let mut server = WebSocket::server(server, Config::default(), BytesMut::new());
    let (mut reader, mut writer) = tokio::io::split(client);
    // A Ping and a message in one read: the application gets the message and is busy with it for ever.
    writer
        .write_all(&[0x89, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0])
        .await
        .expect("written");
    assert_eq!(
        server.recv().await.expect("received"),
        Some(Message::text(""))
    );
    let mut pong = [0; 2];
    reader.read_exact(&mut pong).await.expect("read");
    assert_eq!(pong, [0x8a, 0]);
}

/// spec: F-11, C-24, C-25
#[tokio::test]
async fn a_bad_frame_is_answered_and_the_rest_is_drained() {
    let (client, server) = duplex(64);
    let mut server = WebSocket::server(server, Config::default(), BytesMut::new());
    let attack = async {
        let (mut reader, mut writer) = tokio::io::split(client);
        let writing = async {
            writer
                .write_all(&[0x83, 0x80, 0, 0, 0, 0])
                .await
                .expect("written");
            writer.write_all(&[0x82; 100_000]).await.expect("drained");
            writer.shutdown().await.expect("shut down");
        };
        let mut received = Vec::new();
        let reading = async { reader.read_to_end(&mut received).await.expect("read") };
        tokio::join!(writing, reading);
        received
    };
    let (received, outcome) = tokio::join!(attack, server.recv());
    assert!(
        matches!(outcome, Err(Error::Protocol(ProtocolError::Header(_)))),
        "{outcome:?}"
    );
    assert_eq!(received, [0x88, 2, 0x03, 0xea]);
    assert_eq!(server.recv().await.expect("latched"), None);
}
