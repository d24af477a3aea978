//! Messages in pieces, larger than any buffer, and connections as streams of bytes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

use bytes::BytesMut;
use ws_sync::{
    CloseCode, Config, Error, Event, Message, MessageKind, ProtocolError, SendError, WebSocket,
};
use ws_testkit::{ChoppedIo, Frame, Prng, vectors};

use crate::pipe::{Pipe, pair, quiet, tcp_pair};

fn tcp(config: &Config) -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let (client, server) = tcp_pair();
    (
        WebSocket::client(client, config.clone(), BytesMut::new()),
        WebSocket::server(server, config.clone(), BytesMut::new()),
    )
}

/// 8 MB through limits of 64 KiB, on a connection in one hand and in two.
///
/// spec: F-16
#[test]
fn a_message_larger_than_every_limit() {
    let config = quiet()
        .with_max_message_size(64 * 1024)
        .with_max_frame_size(64 * 1024);
    let (mut client, server) = tcp(&config);
    let block = Prng::new(1).bytes(100_000);
    let sent = block.clone();
    let sending = thread::spawn(move || {
        let mut writer = client.writer(MessageKind::Binary).expect("its turn");
        for _ in 0..80 {
            writer.write(&sent).expect("written");
        }
        writer.finish().expect("finished");
        assert_eq!(client.stats().sent.messages, 1);
        // The limits are back.
        client.send("next").expect("sent");
        client
    });
    let (_sender, mut server) = server.split().expect("it can");
    let reader = server.reader_up_to(100_000_000).expect("received");
    let mut reader = reader.expect("a message");
    assert_eq!(reader.kind(), MessageKind::Binary);
    let mut received = 0;
    while let Some(chunk) = reader.chunk().expect("received") {
        for part in chunk.data.chunks(block.len()) {
            let from = received % block.len();
            let first = part.len().min(block.len() - from);
            assert!(part[..first] == block[from..from + first]);
            assert!(part[first..] == block[..part.len() - first]);
            received += part.len();
        }
    }
    assert_eq!(received, 80 * block.len());
    drop(reader);
    let next = server.recv().expect("received");
    assert_eq!(next, Some(Message::text("next")));
    sending.join().expect("no panic");
}

/// The peer reads on only after its Ping was read.
///
/// spec: C-03, F-16
#[test]
fn pings_are_answered_inside_a_long_message() {
    let (peer, io) = ChoppedIo::duplex();
    let mut peer = peer.with_capacity(1);
    let config = quiet().with_write_buffer_high(10);
    let server = WebSocket::server(Pipe(io.with_capacity(10)), config, BytesMut::new());
    let sending = thread::spawn(move || {
        let (sender, _receiver) = server.split().expect("it can");
        let mut writer = sender.writer(MessageKind::Text).expect("its turn");
        for _ in 0..100 {
            writer.write("多".as_bytes()).expect("written");
            writer.flush().expect("written");
        }
        writer.finish().expect("finished");
    });
    // When the second has gone, the first was read.
    peer.write_all(&vectors::CLIENT_PING.repeat(2))
        .expect("written");
    let mut opcodes = Vec::new();
    while opcodes.last() != Some(&0x80) {
        let mut header = [0; 2];
        peer.read_exact(&mut header).expect("a header");
        let mut payload = vec![0; usize::from(header[1])];
        peer.read_exact(&mut payload).expect("a payload");
        opcodes.push(header[0]);
    }
    let pong = opcodes.iter().position(|opcode| *opcode == 0x8a);
    assert!(pong.is_some_and(|pong| pong < 10), "{opcodes:x?}");
    assert_eq!(opcodes[0], 0x01);
    assert_eq!(opcodes.iter().filter(|opcode| **opcode == 0x00).count(), 99);
    sending.join().expect("no panic");
}

/// spec: U-01
#[test]
fn text_is_whole_characters_in_every_chunk() {
    let text = vectors::CHINESE.repeat(100);
    let (client, mut server) = pair(7);
    let sending = thread::spawn({
        let text = text.clone();
        let mut client = client;
        move || {
            client.send(&*text).expect("sent");
            client
        }
    });
    let mut reader = server.reader().expect("received").expect("a message");
    let mut received = String::new();
    while let Some(chunk) = reader.chunk().expect("received") {
        received.push_str(chunk.as_text().expect("text"));
    }
    assert!(received == text);
    drop(reader);
    sending.join().expect("no panic");
}

#[test]
fn the_rest_of_a_message_can_be_skipped() {
    let (mut client, server) = pair(1000);
    let sending = thread::spawn(move || {
        client.send("x".repeat(50_000)).expect("sent");
        client.send("after").expect("sent");
        client
    });
    let (_sender, mut server) = server.split().expect("it can");
    let mut reader = server.reader().expect("received").expect("a message");
    let chunk = reader.chunk().expect("received").expect("a chunk");
    assert!(!chunk.last);
    drop(reader);
    let after = server.recv().expect("received");
    assert_eq!(after, Some(Message::text("after")));
    sending.join().expect("no panic");
}

/// spec: C-33
#[test]
fn a_close_inside_a_message_cuts_it_short() {
    let begun = Frame::text("begun").not_fin().masked(vectors::KEY).bytes();
    let (io, _) = ChoppedIo::scripted(&[&begun, vectors::CLIENT_CLOSE_1000].concat());
    let mut server = WebSocket::server(Pipe(io), quiet(), BytesMut::new());
    let mut reader = server.reader().expect("received").expect("a message");
    let chunk = reader.chunk().expect("received").expect("a chunk");
    assert_eq!(chunk.as_text(), Some("begun"));
    assert!(matches!(reader.chunk(), Err(Error::Truncated)));
    assert!(matches!(reader.chunk(), Ok(None)));
    drop(reader);
    assert!(matches!(server.recv(), Ok(None)));
}

/// spec: S-01
#[test]
fn limits_hold_unless_they_are_lifted() {
    let config = quiet().with_max_message_size(1000);
    let message = Frame::binary(vec![0; 1001]).masked(vectors::KEY).bytes();
    let server = |times| {
        let (io, _) = ChoppedIo::scripted(&message.repeat(times));
        WebSocket::server(Pipe(io), config.clone(), BytesMut::new())
    };
    let too_large = |error| {
        let is_it = matches!(error, Error::Protocol(ProtocolError::MessageTooLarge));
        assert!(is_it, "{error}");
    };
    too_large(server(1).reader().map(drop).expect_err("too large"));
    let mut server = server(2);
    let mut reader = server.reader_up_to(1001).expect("received").expect("one");
    let mut all = Vec::new();
    reader.read_to_end(&mut all).expect("received");
    drop(reader);
    assert_eq!(all.len(), 1001);
    // For that message only.
    too_large(server.recv().expect_err("too large"));
}

/// spec: C-12, U-02
#[test]
fn text_that_is_none_is_refused_and_an_unfinished_message_ends_all() {
    let (mut client, mut server) = pair(10_000);
    let mut writer = client.writer(MessageKind::Text).expect("its turn");
    writer.write(&"é".as_bytes()[..1]).expect("collected");
    // It may still become one.
    writer.write(&"é".as_bytes()[1..]).expect("collected");
    writer.flush().expect("written");
    writer.write(b"\xff").expect("collected");
    let error = writer.finish().expect_err("not UTF-8");
    assert!(
        matches!(error, Error::Send(SendError::InvalidUtf8)),
        "{error}"
    );
    // "é" has gone out and cannot be taken back.
    let unfinished = |error| {
        let is_it = matches!(error, Error::Send(SendError::MessageUnfinished));
        assert!(is_it, "{error}");
    };
    unfinished(client.send("more").expect_err("it would be part of that"));
    let writer = client.writer(MessageKind::Text).map(drop);
    unfinished(writer.expect_err("nor this"));
    let receiving = thread::spawn(move || server.recv());
    let closed = client.close(CloseCode::INTERNAL_ERROR, "gave up");
    assert!(closed.expect("closed").clean);
    let writer = client.writer(MessageKind::Text).map(drop);
    let error = writer.expect_err("it is over");
    assert!(matches!(error, Error::Send(SendError::Closed)), "{error}");
    assert!(matches!(receiving.join().expect("no panic"), Ok(None)));
}

#[test]
fn other_senders_wait_until_a_message_is_finished() {
    let (client, mut server) = pair(10_000);
    let (sender, _receiver) = client.split().expect("it can");
    let mut writer = sender.writer(MessageKind::Text).expect("its turn");
    writer.write(b"one, ").expect("collected");
    writer.flush().expect("written");
    let (pinged, wait) = mpsc::channel();
    let other = thread::spawn({
        let sender = sender.clone();
        move || {
            sender.ping(b"now").expect("a Ping goes in between");
            pinged.send(()).expect("somebody waits");
            sender.send("two").expect("sent");
        }
    });
    wait.recv().expect("pinged");
    writer.write(b"still one").expect("collected");
    writer.finish().expect("finished");
    other.join().expect("no panic");
    let events = [(); 3].map(|()| server.recv_event().expect("received").expect("an event"));
    assert_eq!(
        events,
        [
            Event::Ping(b"now".as_slice().into()),
            Event::Message("one, still one".into()),
            Event::Message("two".into()),
        ]
    );
}

#[test]
fn files_go_through_the_faces_of_readers_and_writers() {
    let (client, mut server) = tcp(&quiet());
    let file = Prng::new(2).bytes(300_000);
    let sending = thread::spawn({
        let file = file.clone();
        let mut client = client;
        move || {
            let mut writer = client.writer(MessageKind::Binary).expect("its turn");
            io::copy(&mut &file[..], &mut writer).expect("copied");
            writer.finish().expect("finished");
            client
        }
    });
    let mut reader = server.reader().expect("received").expect("a message");
    let mut received = Vec::new();
    reader.read_to_end(&mut received).expect("received");
    assert!(received == file);
    sending.join().expect("no panic");
}

#[test]
fn a_connection_as_a_stream_of_bytes() {
    let (client, server) = tcp(&quiet().with_max_message_size(10));
    let echoing = thread::spawn(move || {
        let mut server = server.into_byte_stream();
        let mut echoed = 0;
        let mut buffer = [0; 10_000];
        loop {
            match server.read(&mut buffer).expect("read") {
                0 => break,
                count => server.write_all(&buffer[..count]).expect("written"),
            }
            echoed += 1;
        }
        assert!(server.get_ref().close_info().is_some_and(|info| info.clean));
        echoed
    });
    let mut client = client.into_byte_stream();
    for seed in 0..10 {
        let sent = Prng::new(seed).bytes(20_000);
        client.write_all(&sent).expect("written");
        let mut received = vec![0; sent.len()];
        client.read_exact(&mut received).expect("read");
        assert!(received == sent);
    }
    client.shutdown().expect("closed");
    assert_eq!(client.read(&mut [0; 10]).expect("the end"), 0);
    assert!(echoing.join().expect("no panic") >= 10);
    let info = client.close().expect("closed");
    assert!(info.clean);
    assert_eq!(info.code(), CloseCode::NORMAL);
}

#[test]
fn a_stream_of_bytes_takes_no_text_and_tells_a_lost_connection_from_an_end() {
    let (mut client, server) = tcp(&quiet());
    let mut server = server.into_byte_stream();
    client.send("text").expect("sent");
    let error = server.read(&mut [0; 10]).expect_err("text");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let ending = thread::spawn(move || server.close());
    assert!(matches!(client.recv(), Ok(None)));
    let info = client.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::UNSUPPORTED_DATA);
    assert!(ending.join().expect("no panic").expect("closed").clean);

    let (client, server) = tcp(&quiet());
    let mut server = server.into_byte_stream();
    client.abort();
    let error = server.read(&mut [0; 10]).expect_err("no Close came");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
