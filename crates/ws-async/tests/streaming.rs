//! Messages in pieces, larger than any buffer, and connections as streams of bytes.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{sleep, timeout};
use ws_async::{
    CloseCode, Config, Error, Event, Message, MessageKind, PreparedMessage, ProtocolError,
    SendError, WebSocket,
};
use ws_testkit::{Frame, Prng, vectors};

const MIB: usize = 1024 * 1024;

fn pair(capacity: usize, config: &Config) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = duplex(capacity);
    (
        WebSocket::client(client, config.clone(), BytesMut::new()),
        WebSocket::server(server, config.clone(), BytesMut::new()),
    )
}

/// 8 MB through limits of 64 KiB.
///
/// spec: F-16
#[tokio::test]
async fn a_message_larger_than_every_limit() {
    let config = Config::default()
        .with_max_message_size(64 * 1024)
        .with_max_frame_size(64 * 1024);
    let (mut client, mut server) = pair(10_000, &config);
    let block = Prng::new(1).bytes(100_000);
    let sending = async {
        let mut writer = client.writer(MessageKind::Binary).await.expect("its turn");
        for _ in 0..80 {
            writer.write(&block).await.expect("written");
        }
        writer.finish().await.expect("finished");
        assert_eq!(client.stats().sent.messages, 1);
    };
    let receiving = async {
        let reader = server.reader_up_to(100 * MIB as u64).await;
        let mut reader = reader.expect("received").expect("a message");
        assert_eq!(reader.kind(), MessageKind::Binary);
        let mut received = 0;
        while let Some(chunk) = reader.chunk().await.expect("received") {
            let expected = block.iter().cycle().skip(received % block.len());
            assert!(
                chunk
                    .data
                    .iter()
                    .zip(expected)
                    .all(|(got, sent)| got == sent)
            );
            received += chunk.data.len();
        }
        assert_eq!(received, 80 * block.len());
    };
    tokio::join!(sending, receiving);
    // The limits are back.
    client.send("next").await.expect("sent");
    assert_eq!(
        server.recv().await.expect("received"),
        Some(Message::text("next"))
    );
}

/// spec: C-03, F-16
#[tokio::test]
async fn pings_are_answered_inside_a_long_message() {
    let (stream, mut peer) = duplex(1000);
    let mut server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let sending = tokio::spawn(async move {
        let mut writer = server.writer(MessageKind::Text).await.expect("its turn");
        for _ in 0..100 {
            writer.write("多".as_bytes()).await.expect("written");
            writer.flush().await.expect("written");
        }
        writer.finish().await.expect("finished");
        server
    });
    // It is the third fragment at the latest.
    let mut frames = Vec::new();
    peer.write_all(vectors::CLIENT_PING).await.expect("written");
    while frames.last().is_none_or(|frame: &Vec<u8>| frame[0] != 0x80) {
        let mut frame = vec![0; 2];
        peer.read_exact(&mut frame).await.expect("a header");
        let len = usize::from(frame[1]);
        frame.resize(2 + len, 0);
        peer.read_exact(&mut frame[2..]).await.expect("a payload");
        frames.push(frame);
    }
    let opcodes: Vec<u8> = frames.iter().map(|frame| frame[0]).collect();
    let pong = opcodes.iter().position(|opcode| *opcode == 0x8a);
    assert!(pong.is_some_and(|pong| pong < 10), "{opcodes:x?}");
    assert_eq!(opcodes[0], 0x01);
    assert_eq!(opcodes.iter().filter(|opcode| **opcode == 0x00).count(), 99);
    sending.await.expect("no panic");
}

/// spec: U-01
#[tokio::test]
async fn text_is_whole_characters_in_every_chunk() {
    let text = vectors::CHINESE.repeat(500);
    let (mut client, mut server) = pair(7, &Config::default().with_fragment_size(Some(100)));
    let sending = async { client.send(&*text).await.expect("sent") };
    let receiving = async {
        let mut reader = server.reader().await.expect("received").expect("a message");
        let mut received = String::new();
        while let Some(chunk) = reader.chunk().await.expect("received") {
            received.push_str(chunk.as_text().expect("text"));
        }
        received
    };
    let ((), received) = tokio::join!(sending, receiving);
    assert!(received == text);
}

#[tokio::test]
async fn what_was_read_ahead_or_given_up_is_not_lost() {
    let (mut client, mut server) = pair(1000, &Config::default());
    // Asked for in chunks, given up, and received whole.
    tokio::select! {
        biased;
        read = server.reader() => panic!("nothing has come: {:?}", read.map(|_| ())),
        () = async {} => {}
    }
    client.send("one").await.expect("sent");
    assert_eq!(
        server.recv().await.expect("received"),
        Some(Message::text("one"))
    );
    // Read ahead while this end was sending, and received as one chunk.
    client.send("two").await.expect("sent");
    server.send("a").await.expect("sent");
    server.send("b").await.expect("sent");
    let mut reader = server.reader().await.expect("received").expect("a message");
    let chunk = reader.chunk().await.expect("received").expect("a chunk");
    assert_eq!(
        (chunk.as_text(), chunk.first, chunk.last),
        (Some("two"), true, true)
    );
    assert!(reader.chunk().await.expect("received").is_none());
}

#[tokio::test]
async fn the_rest_of_a_message_can_be_skipped() {
    let (mut client, mut server) = pair(1000, &Config::default());
    let sending = async {
        client.send("x".repeat(100_000)).await.expect("sent");
        client.send("after").await.expect("sent");
    };
    let receiving = async {
        let mut reader = server.reader().await.expect("received").expect("a message");
        let chunk = reader.chunk().await.expect("received").expect("a chunk");
        assert!(!chunk.last);
        drop(reader);
        server.recv().await.expect("received")
    };
    let ((), received) = tokio::join!(sending, receiving);
    assert_eq!(received, Some(Message::text("after")));
}

/// spec: C-33
#[tokio::test]
async fn a_close_inside_a_message_cuts_it_short() {
    let (stream, mut peer) = duplex(1000);
    let mut server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let begun = Frame::text("begun").not_fin().masked(vectors::KEY).bytes();
    peer.write_all(&[&begun, vectors::CLIENT_CLOSE_1000].concat())
        .await
        .expect("written");
    drop(peer);
    let mut reader = server.reader().await.expect("received").expect("a message");
    let chunk = reader.chunk().await.expect("received").expect("a chunk");
    assert_eq!(chunk.as_text(), Some("begun"));
    assert!(matches!(reader.chunk().await, Err(Error::Truncated)));
    assert!(matches!(reader.chunk().await, Ok(None)));
    drop(reader);
    assert!(matches!(server.recv().await, Ok(None)));
}

/// The client does not read its refusal, so the clock has to run.
///
/// spec: S-01
#[tokio::test(start_paused = true)]
async fn limits_hold_unless_they_are_lifted() {
    let config = Config::default().with_max_message_size(1000);
    let (mut client, mut server) = pair(10_000, &config);
    client.send(vec![0; 1001]).await.expect("sent");
    let error = server.reader().await.expect_err("too large");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::MessageTooLarge)),
        "{error}"
    );

    let (mut client, mut server) = pair(10_000, &config);
    client.send(vec![0; 1001]).await.expect("sent");
    client.send(vec![0; 1001]).await.expect("sent");
    let mut reader = server
        .reader_up_to(1001)
        .await
        .expect("received")
        .expect("a message");
    let mut all = Vec::new();
    reader.read_to_end(&mut all).await.expect("received");
    drop(reader);
    assert_eq!(all.len(), 1001);
    // For that message only.
    let error = server.recv().await.expect_err("too large");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::MessageTooLarge)),
        "{error}"
    );
}

/// spec: C-12, U-02
#[tokio::test]
async fn text_that_is_none_is_refused_and_an_unfinished_message_ends_all() {
    let (mut client, mut server) = pair(10_000, &Config::default());
    let mut writer = client.writer(MessageKind::Text).await.expect("its turn");
    writer.write(&"é".as_bytes()[..1]).await.expect("collected");
    // It may still become one.
    writer.write(&"é".as_bytes()[1..]).await.expect("collected");
    writer.flush().await.expect("written");
    writer.write(b"\xff").await.expect("collected");
    let error = writer.finish().await.expect_err("not UTF-8");
    assert!(
        matches!(error, Error::Send(SendError::InvalidUtf8)),
        "{error}"
    );
    // "é" has gone out and cannot be taken back.
    let error = client
        .send("more")
        .await
        .expect_err("it would be part of that");
    assert!(
        matches!(error, Error::Send(SendError::MessageUnfinished)),
        "{error}"
    );
    let error = client
        .writer(MessageKind::Text)
        .await
        .expect_err("nor this");
    assert!(
        matches!(error, Error::Send(SendError::MessageUnfinished)),
        "{error}"
    );
    let closing = client.close(CloseCode::INTERNAL_ERROR, "gave up");
    let (closed, received) = tokio::join!(closing, server.recv());
    assert!(closed.expect("closed").clean);
    assert!(matches!(received, Ok(None)));
    let error = client
        .writer(MessageKind::Text)
        .await
        .expect_err("it is over");
    assert!(matches!(error, Error::Send(SendError::Closed)), "{error}");
}

#[tokio::test]
async fn other_senders_wait_until_a_message_is_finished() {
    let (client, mut server) = pair(10_000, &Config::default());
    let (sender, _receiver) = client.split();
    let mut writer = sender.writer(MessageKind::Text).await.expect("its turn");
    writer.write(b"one, ").await.expect("collected");
    writer.flush().await.expect("written");
    let other = tokio::spawn({
        let sender = sender.clone();
        async move {
            sender.ping(b"now").await.expect("a Ping goes in between");
            sender.send("two").await.expect("sent");
        }
    });
    let publisher = tokio::spawn({
        let sender = sender.clone();
        async move {
            let message = PreparedMessage::from(Message::from("three"));
            sender.send_prepared(&message).await.expect("sent");
        }
    });
    tokio::task::yield_now().await;
    writer.write(b"still one").await.expect("collected");
    writer.finish().await.expect("finished");
    other.await.expect("no panic");
    publisher.await.expect("no panic");
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(
            server
                .recv_event()
                .await
                .expect("received")
                .expect("an event"),
        );
    }
    assert_eq!(
        events,
        [
            Event::Ping(b"now".as_slice().into()),
            Event::Message("one, still one".into()),
            Event::Message("two".into()),
            Event::Message("three".into()),
        ]
    );
}

#[tokio::test]
async fn files_go_through_the_faces_of_readers_and_writers() {
    let (mut client, mut server) = pair(1000, &Config::default());
    let file = Prng::new(2).bytes(300_000);
    let sending = async {
        let mut writer = client.writer(MessageKind::Binary).await.expect("its turn");
        tokio::io::copy(&mut &file[..], &mut writer)
            .await
            .expect("copied");
        writer.shutdown().await.expect("finished");
    };
    let receiving = async {
        let mut reader = server.reader().await.expect("received").expect("a message");
        let mut received = Vec::new();
        reader.read_to_end(&mut received).await.expect("received");
        received
    };
    let ((), received) = tokio::join!(sending, receiving);
    assert!(received == file);
}

#[tokio::test]
async fn a_connection_as_a_stream_of_bytes() {
    let (client, server) = pair(1000, &Config::default().with_max_message_size(10));
    let mut client = client.into_byte_stream();
    let server = server.into_byte_stream();
    let echoing = tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(server);
        let copied = tokio::io::copy(&mut read, &mut write)
            .await
            .expect("copied");
        write.shutdown().await.expect("closed");
        copied
    });
    let sent = Prng::new(3).bytes(200_000);
    let mut received = vec![0; sent.len()];
    let (mut read, mut write) = tokio::io::split(&mut client);
    let (written, read_all) = tokio::join!(write.write_all(&sent), read.read_exact(&mut received));
    written.expect("written");
    read_all.expect("read");
    assert!(received == sent);
    write.shutdown().await.expect("closed");
    assert_eq!(read.read(&mut received).await.expect("the end"), 0);
    assert_eq!(echoing.await.expect("no panic"), 200_000);
    let info = client.get_ref().close_info().expect("it is over");
    assert!(info.clean);
    assert_eq!(info.code(), CloseCode::NORMAL);
}

/// Each direction in a task of its own: what the one that writes does leaves the one that reads to be woken.
#[tokio::test(start_paused = true)]
async fn a_stream_of_bytes_wakes_who_reads_though_another_task_writes() {
    const MOMENT: Duration = Duration::from_millis(1);
    let (mut client, server) = pair(1000, &Config::default());
    let (mut read, mut write) = tokio::io::split(server.into_byte_stream());
    let reading = tokio::spawn(async move { read.read_u8().await.expect("read") });
    tokio::task::yield_now().await;
    let writing = tokio::spawn(async move {
        for _ in 0..2 {
            write.write_all(b"hello").await.expect("written");
            write.flush().await.expect("flushed");
        }
        write
    });
    for _ in 0..2 {
        let message = client.recv().await.expect("received").expect("a message");
        assert_eq!(message.as_bytes(), b"hello");
    }
    // Not ended, for then it would be told of the loss.
    let write = writing.await.expect("no panic");
    sleep(MOMENT).await;
    client.send(b"!".to_vec()).await.expect("sent");
    let read = timeout(Duration::from_secs(5), reading).await;
    assert_eq!(read.expect("it is woken").expect("no panic"), b'!');
    drop(write);
}

#[tokio::test]
async fn a_stream_of_bytes_takes_no_text_and_tells_a_lost_connection_from_an_end() {
    let (mut client, server) = pair(1000, &Config::default());
    let mut server = server.into_byte_stream();
    client.send("text").await.expect("sent");
    let error = server.read_u8().await.expect_err("text");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let ending = tokio::spawn(async move { server.read_u8().await });
    assert!(matches!(client.recv().await, Ok(None)));
    let info = client.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::UNSUPPORTED_DATA);
    ending.await.expect("no panic").expect_err("the end");

    let (client, server) = pair(1000, &Config::default());
    let mut server = server.into_byte_stream();
    client.abort();
    let error = server.read(&mut [0]).await.expect_err("no Close came");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// What of the peer's was not read is dropped, also the rest of a message.
#[tokio::test]
async fn a_stream_of_bytes_can_be_closed_and_tells_how() {
    let (mut client, server) = pair(1000, &Config::default());
    let mut server = server.into_byte_stream();
    let sending = tokio::spawn(async move {
        client.send(vec![7; 5000]).await.expect("sent");
        client.recv().await
    });
    assert_eq!(server.read_u8().await.expect("read"), 7);
    let info = server.close().await.expect("closed");
    assert!(info.clean);
    assert_eq!(info.code(), CloseCode::NORMAL);
    assert!(matches!(sending.await.expect("no panic"), Ok(None)));
}

#[tokio::test(start_paused = true)]
async fn a_read_into_no_room_does_not_wait() {
    const MOMENT: Duration = Duration::from_millis(1);
    let (server, mut peer) = duplex(1000);
    let begun = Frame::binary("begun").not_fin().masked(vectors::KEY);
    peer.write_all(&begun.bytes()).await.expect("written");
    let mut server = WebSocket::server(server, Config::default(), BytesMut::new());
    let mut reader = server.reader().await.expect("received").expect("one");
    assert!(reader.chunk().await.expect("received").is_some());
    let read = timeout(MOMENT, reader.read(&mut [])).await;
    assert_eq!(read.expect("at once").expect("nothing"), 0);
    drop(reader);
    let mut stream = server.into_byte_stream();
    let read = timeout(MOMENT, stream.read(&mut [])).await;
    assert_eq!(read.expect("at once").expect("nothing"), 0);
}

/// Somebody who reads and writes by turns has begun to read, and goes on to write for long.
///
/// spec: C-03
#[tokio::test(start_paused = true)]
async fn a_stream_of_bytes_hears_pings_while_it_is_written() {
    let (server, mut peer) = duplex(100);
    let config = Config::default().with_write_buffer_high(100);
    let server = WebSocket::server(server, config, BytesMut::new());
    let mut server = server.into_byte_stream();
    let mut byte = [0];
    let nothing = timeout(Duration::from_secs(1), server.read(&mut byte)).await;
    nothing.expect_err("the peer is silent");
    peer.write_all(vectors::CLIENT_PING).await.expect("written");
    peer.write_all(&Frame::binary("!").masked(vectors::KEY).bytes())
        .await
        .expect("written");
    let pong = Frame::pong("Hello").bytes();
    let listening = async {
        let mut heard = vec![0; 2000];
        peer.read_exact(&mut heard).await.expect("read");
        assert!(heard.windows(pong.len()).any(|window| window == pong));
    };
    let writing = async {
        for _ in 0..40 {
            server.write_all(&[b'x'; 50]).await.expect("written");
        }
        server.flush().await.expect("written");
    };
    tokio::join!(listening, writing);
    assert_eq!(server.read_u8().await.expect("it was kept"), b'!');
}
