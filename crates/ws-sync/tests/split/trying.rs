//! Sending without waiting: what is accepted arrives, and needs no further call for that.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{
    CloneStream, CloseCode, Config, Error, Message, ProtocolError, SendError, State, WebSocket,
};
use ws_testkit::{ChoppedIo, Frame, Starved};

use crate::pipe::{Pipe, quiet, tcp_pair};
use crate::watched::Watched;

/// A server's halves, of which the receiver is in a read without end by now.
fn receiving<S: CloneStream + Send + 'static>(
    stream: S,
    config: Config,
) -> (
    ws_sync::Sender,
    thread::JoinHandle<Result<Option<Message>, Error>>,
) {
    let (reads, first_read) = mpsc::channel();
    let server = WebSocket::server(Watched { stream, reads }, config, BytesMut::new());
    let (sender, mut receiver) = server.split().expect("it can");
    let receiver = thread::spawn(move || receiver.recv());
    first_read.recv().expect("it reads");
    (sender, receiver)
}

/// spec: CD-06
#[test]
fn what_does_not_fit_is_given_back_and_the_rest_arrives() {
    let (io, remote) = ChoppedIo::scripted(b"");
    let config = quiet().with_write_buffer_high(100);
    let io = io.with_capacity(8).when_starved(Starved::Wait);
    let (sender, receiver) = receiving(Pipe(io), config);
    let mut taken = 0;
    let unsent = loop {
        match sender.try_send("0123456789") {
            Ok(()) => taken += 1,
            Err(unsent) => break unsent,
        }
    };
    assert!((9..=10).contains(&taken), "{taken}");
    assert_eq!(unsent.error, SendError::BufferFull);
    assert_eq!(unsent.message, Message::text("0123456789"));
    assert_eq!(sender.state(), State::Open);
    // What was accepted goes out as the peer reads.
    let frames = Frame::text("0123456789").bytes().repeat(taken);
    let mut heard = Vec::new();
    while heard.len() < frames.len() {
        heard.extend(remote.take());
        thread::yield_now();
    }
    assert!(heard == frames);
    sender.abort();
    assert!(matches!(receiver.join().expect("no panic"), Ok(None)));
}

/// Over sockets, whose waits are the operating system's: more than they hold, to a peer that reads later.
///
/// spec: CD-06
#[test]
fn what_a_socket_does_not_take_arrives_without_a_further_call() {
    const LEN: usize = 256 * 1024;
    let (client, server) = tcp_pair();
    let config = quiet().with_write_buffer_high(64 * 1024 * 1024);
    let (sender, receiver) = receiving(server, config);
    let message = Message::binary(vec![7; LEN]);
    let mut sent = 0;
    while sender.stats().queued < 3 * LEN {
        sender.try_send(message.clone()).expect("accepted");
        sent += 1;
    }
    let mut client = WebSocket::client(client, quiet(), BytesMut::new());
    for _ in 0..sent {
        assert!(client.recv().expect("received").as_ref() == Some(&message));
    }
    client.close(CloseCode::NORMAL, "").expect("closed");
    assert!(matches!(receiver.join().expect("no panic"), Ok(None)));
}

/// Whoever writes what was accepted keeps the deadlines that this has: a receiver that waits has none to keep.
///
/// spec: C-35, S-08
#[test]
fn a_peer_that_takes_nothing_of_it_is_given_up() {
    let (io, _remote) = ChoppedIo::scripted(b"");
    let config = quiet().with_write_timeout(Some(Duration::from_millis(20)));
    let io = io.with_capacity(8).when_starved(Starved::Wait);
    let (sender, receiver) = receiving(Pipe(io), config);
    sender.try_send("more than it holds").expect("accepted");
    let ended = receiver.join().expect("no panic");
    assert!(
        matches!(ended, Err(Error::Protocol(ProtocolError::WriteTimeout))),
        "{ended:?}"
    );
}
