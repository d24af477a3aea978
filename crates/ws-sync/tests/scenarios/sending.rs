//! A long `send`, a peer that takes nothing, and what happens meanwhile.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ws_sync::{
    CloseCode, Config, Direction, Error, Message, PreparedMessage, ProtocolError, SendError, State,
    WebSocket,
};
use ws_testkit::chopped_script::opcodes;
use ws_testkit::{ChoppedIo, Frame, Starved, vectors};

use crate::chopped::{Chopped, is_would_block};
use crate::tcp_pair;

fn quiet() -> Config {
    Config::default().with_ping_interval(None)
}

/// The peer reads only after its Ping was read, and by then there is more to write than the pipe holds.
///
/// spec: C-03
#[test]
fn pings_are_answered_during_a_long_send() {
    const LEN: usize = 300_000;
    let (peer, io) = ChoppedIo::duplex();
    let mut peer = peer.with_capacity(4);
    let config = quiet()
        .with_fragment_size(Some(1000))
        .with_write_buffer_high(4000);
    let io = Chopped::new(io.with_capacity(2000));
    let server = thread::spawn(move || {
        let mut server = WebSocket::server(io, config, BytesMut::new());
        server.send(vec![7; LEN]).expect("sent");
        assert_eq!(server.stats().queued, 0);
        // The message that came behind the Ping was kept until it was asked for.
        let message = server.recv().expect("received");
        assert_eq!(message, Some(Message::text("Hello")));
        assert_eq!(server.recv().expect("closed"), None);
        server.stats()
    });
    peer.write_all(vectors::CLIENT_PING).expect("written");
    peer.write_all(vectors::CLIENT_TEXT).expect("written");
    let mut received = Vec::new();
    while !opcodes(&received).contains(&10) {
        let mut buffer = [0; 500];
        let count = peer.read(&mut buffer).expect("read");
        received.extend_from_slice(&buffer[..count]);
    }
    assert!(received.len() < 10_000, "{}", received.len());
    while received.len() < LEN {
        let mut buffer = [0; 5000];
        let count = peer.read(&mut buffer).expect("read");
        received.extend_from_slice(&buffer[..count]);
    }
    peer.write_all(vectors::CLIENT_CLOSE_1000).expect("written");
    drop(peer);
    let stats = server.join().expect("no panic");
    assert_eq!((stats.sent.messages, stats.received.messages), (1, 1));
}

/// Each would wait for the other to read.
///
/// spec: S-09
#[test]
fn two_ends_that_send_at_once_do_not_wait_for_each_other() {
    let (client, server) = ChoppedIo::duplex();
    let ends = [
        WebSocket::client(
            Chopped::new(client.with_capacity(100)),
            quiet(),
            BytesMut::new(),
        ),
        WebSocket::server(
            Chopped::new(server.with_capacity(100)),
            quiet(),
            BytesMut::new(),
        ),
    ];
    let ends = ends.map(|mut end| {
        thread::spawn(move || {
            end.send(vec![7; 2000]).expect("sent");
            assert_eq!(end.recv().expect("received"), Some(vec![7; 2000].into()));
            end
        })
    });
    for end in ends {
        end.join().expect("no panic");
    }
}

/// spec: S-07
#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    const SHORT: Duration = Duration::from_millis(200);
    let (peer, server) = tcp_pair();
    let config = quiet().with_write_timeout(Some(SHORT));
    let mut server = WebSocket::server(server, config, BytesMut::new());
    let began = Instant::now();
    let error = loop {
        if let Err(error) = server.send(vec![7; 64 * 1024]) {
            break error;
        }
    };
    assert!(
        matches!(error, Error::Protocol(ProtocolError::WriteTimeout)),
        "{error}"
    );
    assert!(began.elapsed() >= SHORT);
    assert_eq!(server.state(), State::Closed);
    let info = server.close_info().expect("it is over");
    assert_eq!(info.failure, Some(ProtocolError::WriteTimeout));
    assert_eq!(info.code(), CloseCode::ABNORMAL);
    let error = server.recv().expect_err("it says so too");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::WriteTimeout)),
        "{error}"
    );
    assert_eq!(server.recv().expect("once"), None);
    drop(peer);
}

#[test]
fn try_send_gives_the_message_back() {
    let (io, remote) = ChoppedIo::scripted(b"");
    let io = io.with_capacity(8).when_starved(Starved::Wait);
    let config = quiet().with_write_buffer_high(100);
    let mut server = WebSocket::server(Chopped::new(io), config, BytesMut::new());
    let mut taken = 0;
    let unsent = loop {
        match server.try_send("0123456789") {
            Ok(()) => taken += 1,
            Err(unsent) => break unsent,
        }
    };
    assert!((9..=10).contains(&taken), "{taken}");
    assert_eq!(unsent.error, SendError::BufferFull);
    assert_eq!(unsent.message, Message::text("0123456789"));
    let frames = Frame::text("0123456789").bytes().repeat(taken);
    assert!(frames.starts_with(&remote.written()));
}

/// What is queued is lost with the stream, and the peer sees no Close frame.
///
/// spec: C-19
#[test]
fn dropping_a_connection_drops_what_is_queued() {
    for aborts in [false, true] {
        let (client, server) = tcp_pair();
        let mut client = WebSocket::client(client, quiet(), BytesMut::new());
        let mut server = WebSocket::server(server, quiet(), BytesMut::new());
        server.send("sent").expect("sent");
        server.feed("queued").expect("queued");
        match aborts {
            true => server.abort(),
            false => drop(server),
        }
        let message = client.recv().expect("received");
        assert_eq!(message, Some(Message::text("sent")));
        let error = client.recv().expect_err("no Close came");
        assert!(
            matches!(error, Error::Protocol(ProtocolError::ConnectionLost)),
            "{error}"
        );
        let info = client.close_info().expect("it is over");
        assert_eq!(info.code(), CloseCode::ABNORMAL);
    }
}

#[test]
fn a_tap_sees_frames_and_pongs_measure_the_way() {
    let (client, server) = tcp_pair();
    let client = thread::spawn(move || {
        let mut client = WebSocket::client(client, quiet(), BytesMut::new());
        while client.recv().expect("received").is_some() {}
    });
    let config = quiet().with_ping_interval(Some(Duration::from_millis(1)));
    let mut server = WebSocket::server(server, config, BytesMut::new());
    let (tapped, frames) = mpsc::channel();
    let began = Instant::now();
    server.set_tap(move |frame, time| tapped.send((*frame, time)).expect("somebody listens"));
    server
        .send_prepared(&PreparedMessage::text("hello"))
        .expect("sent");
    let (frame, time) = frames.recv().expect("one was sent");
    assert_eq!(frame.direction, Direction::Sent);
    assert_eq!((frame.header_len, frame.header.payload_len), (2, 5));
    assert!(time >= began);
    server.remove_tap();
    frames.recv().expect_err("nobody taps");
    assert_eq!(server.rtt(), None);
    while server.rtt().is_none() {
        server.recv_event().expect("received");
    }
    assert_eq!(server.stats().rtt, server.rtt());
    server.close(CloseCode::NORMAL, "").expect("closed");
    client.join().expect("no panic");
}

/// A peer that reads nothing is one to be pinged, too.
///
/// spec: C-35
#[test]
fn a_ping_is_queued_when_the_write_buffer_is_full() {
    let (io, remote) = ChoppedIo::scripted(&[]);
    let config = Config::default()
        .with_ping_interval(None)
        .with_write_buffer_limit(1000);
    let stream = Chopped::new(io.with_capacity(100).without_waiting());
    let mut ws = WebSocket::server(stream, config, BytesMut::new());
    ws.try_send(vec![0; 5000]).expect("it is the first");
    let refused = ws.try_send(vec![0; 5000]).expect_err("it is full");
    assert_eq!(refused.error, SendError::BufferFull);
    assert!(is_would_block(&ws.ping(b"stuck")));
    let mut written = remote.take();
    while is_would_block(&ws.flush()) {
        written.extend(remote.take());
    }
    written.extend(remote.take());
    assert!(written.ends_with(&Frame::ping("stuck").bytes()));
}
