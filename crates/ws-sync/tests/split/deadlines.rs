//! Deadlines that one thread arms while another waits already. The clock is the real one, so they are short.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ws_sync::{CloseCode, Error, Message, ProtocolError, WebSocket};
use ws_testkit::chopped_script::opcodes;
use ws_testkit::{ChoppedIo, vectors};

use crate::pipe::{Pipe, quiet, tcp_pair};

const SHORT: Duration = Duration::from_millis(200);

/// The receiver went to wait without any bound before the deadline was armed.
///
/// spec: C-28
#[test]
fn the_close_deadline_ends_a_receiver_that_waits_already() {
    let (client, _peer) = tcp_pair();
    let config = quiet().with_close_timeout(Some(SHORT));
    let client = WebSocket::client(client, config, BytesMut::new());
    let (sender, mut receiver) = client.split().expect("it can");
    let receiver = thread::spawn(move || receiver.recv());
    let began = Instant::now();
    let late = sender.close(CloseCode::NORMAL, "").expect_err("no answer");
    assert!(
        matches!(late, Error::Protocol(ProtocolError::CloseTimeout)),
        "{late}"
    );
    assert!(began.elapsed() >= SHORT);
    let failed = receiver.join().expect("no panic").expect_err("no answer");
    assert!(
        matches!(failed, Error::Protocol(ProtocolError::CloseTimeout)),
        "{failed}"
    );
}

/// A thread that writes to a peer that takes nothing learns of it too.
///
/// spec: C-28
#[test]
fn the_close_deadline_ends_a_sender_that_waits_already() {
    let (io, _peer) = ChoppedIo::duplex();
    let config = quiet().with_close_timeout(Some(SHORT));
    let server = WebSocket::server(Pipe(io.with_capacity(1)), config, BytesMut::new());
    let (sender, _receiver) = server.split().expect("it can");
    let writer = thread::spawn({
        let sender = sender.clone();
        move || sender.send("longer than the pipe")
    });
    let late = sender.close(CloseCode::NORMAL, "").expect_err("no answer");
    assert!(
        matches!(late, Error::Protocol(ProtocolError::CloseTimeout)),
        "{late}"
    );
    // It was first, and lost its message; or it was last, and was refused.
    let failed = writer.join().expect("no panic").expect_err("nobody reads");
    assert!(
        matches!(
            failed,
            Error::Protocol(ProtocolError::CloseTimeout) | Error::Send(_)
        ),
        "{failed}"
    );
}

/// The receiver keeps the connection's deadlines although somebody else has the stream's other half.
///
/// spec: K-01
#[test]
fn a_silent_peer_is_noticed_while_the_user_only_reads() {
    let (client, _peer) = tcp_pair();
    let config = quiet()
        .with_ping_interval(Some(SHORT / 4))
        .with_pong_timeout(SHORT / 4);
    let client = WebSocket::client(client, config, BytesMut::new());
    let (sender, mut receiver) = client.split().expect("it can");
    let failed = receiver.recv().expect_err("nobody answers");
    assert!(
        matches!(failed, Error::Protocol(ProtocolError::PongTimeout)),
        "{failed}"
    );
    let late = sender.send("late").expect_err("it is over");
    assert!(matches!(late, Error::Send(_)), "{late}");
}

/// One thread writes, another waits behind it, and a third reads without any bound.
///
/// spec: S-07
#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    let (peer, server) = tcp_pair();
    let config = quiet().with_write_timeout(Some(SHORT));
    let server = WebSocket::server(server, config, BytesMut::new());
    let (sender, mut receiver) = server.split().expect("it can");
    let receiver = thread::spawn(move || receiver.recv());
    let senders = [(); 2].map(|()| {
        let sender = sender.clone();
        thread::spawn(move || {
            loop {
                if let Err(error) = sender.send(vec![7; 64 * 1024]) {
                    return error;
                }
            }
        })
    });
    for sender in senders {
        let error = sender.join().expect("no panic");
        assert!(
            matches!(
                error,
                Error::Protocol(ProtocolError::WriteTimeout) | Error::Send(_)
            ),
            "{error}"
        );
    }
    let error = receiver.join().expect("no panic").expect_err("given up");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::WriteTimeout)),
        "{error}"
    );
    drop(peer);
}

/// No deadline helps here: the threads wait for as long as the peer likes.
#[test]
fn an_abort_ends_whoever_waits() {
    let (io, _peer) = ChoppedIo::duplex();
    let config = quiet().with_write_timeout(None).with_close_timeout(None);
    let server = WebSocket::server(Pipe(io.with_capacity(1)), config, BytesMut::new());
    let (sender, mut receiver) = server.split().expect("it can");
    let receiver = thread::spawn(move || receiver.recv());
    let writer = thread::spawn({
        let sender = sender.clone();
        move || sender.send("longer than the pipe")
    });
    let closer = thread::spawn({
        let sender = sender.clone();
        move || sender.close(CloseCode::NORMAL, "")
    });
    let watcher = thread::spawn({
        let sender = sender.clone();
        move || sender.closed()
    });
    // Somebody has begun by then.
    while sender.stats().queued == 0 {
        thread::yield_now();
    }
    sender.abort();
    assert!(matches!(receiver.join().expect("no panic"), Ok(None)));
    writer.join().expect("no panic").expect_err("it is lost");
    closer
        .join()
        .expect("no panic")
        .expect_err("it was aborted");
    watcher.join().expect("no panic").expect("it is over");
    let info = sender.close_info().expect("it is over");
    assert!(!info.clean);
}

/// What answers our Pings lies behind a message that nobody takes: the peer cannot be blamed.
///
/// spec: C-35
#[test]
fn a_peer_that_nobody_listens_to_is_not_given_up() {
    const PINGS: usize = 3;
    let (mut peer, server) = tcp_pair();
    let config = quiet()
        .with_ping_interval(Some(SHORT / 10))
        .with_pong_timeout(SHORT / 20);
    peer.write_all(&vectors::CLIENT_TEXT.repeat(2))
        .expect("written");
    let server = WebSocket::server(server, config, BytesMut::new());
    let (sender, mut receiver) = server.split().expect("it can");
    // From now on there is a message that was read ahead.
    while sender.stats().received.messages == 0 {
        sender.send("tick").expect("sent");
    }
    let (enough, done) = mpsc::channel();
    let listening = thread::spawn(move || {
        let mut frames = Vec::new();
        while opcodes(&frames)
            .iter()
            .filter(|opcode| **opcode == 9)
            .count()
            < PINGS
        {
            let mut buffer = [0; 1000];
            let count = peer.read(&mut buffer).expect("read");
            assert!(count > 0, "it was given up");
            frames.extend_from_slice(&buffer[..count]);
        }
        enough.send(()).expect("somebody waits");
        peer
    });
    while done.try_recv().is_err() {
        sender.send("tick").expect("sent");
    }
    for _ in 0..2 {
        let message = receiver.recv().expect("received");
        assert_eq!(message, Some(Message::text("Hello")));
    }
    listening.join().expect("no panic");
}
