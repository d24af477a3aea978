//! What each half does while the other does something else, or nothing.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;

use bytes::BytesMut;
use ws_sync::{
    CloseCode, CloseInfo, Config, Error, Event, Message, ProtocolError, Receiver, SendError,
    Sender, WebSocket,
};
use ws_testkit::{ChoppedIo, Frame, vectors};

use crate::pipe::{Pipe, drain, pair, quiet, tcp_pair};

/// spec: C-03, CD-06
#[test]
fn pings_are_answered_while_the_user_only_reads() {
    let (client, server) = pair(1);
    let (_sender, receiver) = server.split().expect("it can");
    let receiver = thread::spawn(move || drain(receiver));
    let (client, mut answers) = client.split().expect("it can");
    client.ping(b"there?").expect("sent");
    let answer = answers.recv_event().expect("received");
    assert_eq!(answer, Some(Event::Pong(b"there?".as_slice().into())));
    let closing = thread::spawn(move || client.close(CloseCode::NORMAL, ""));
    drain(answers);
    assert!(closing.join().expect("no panic").expect("closed").clean);
    receiver.join().expect("no panic");
}

/// spec: C-03, C-13, CD-06
#[test]
fn pings_and_closes_are_answered_while_the_user_only_writes() {
    let (client, server) = pair(64);
    let (sender, mut idle) = server.split().expect("it can");
    let (client, mut answers) = client.split().expect("it can");
    let writer = thread::spawn(move || {
        let mut sent = 0;
        while sender.send("tick").is_ok() {
            sent += 1;
        }
        (sent, sender)
    });
    client.ping(b"there?").expect("sent");
    loop {
        match answers.recv_event().expect("received") {
            Some(Event::Pong(data)) => break assert_eq!(data, b"there?".as_slice()),
            Some(event) => assert_eq!(event, Event::Message("tick".into())),
            None => panic!("the end came before the Pong"),
        }
    }
    let closing = thread::spawn(move || client.close(CloseCode::NORMAL, "enough"));
    let (ticks, answers) = drain(answers);
    let (sent, sender) = writer.join().expect("no panic");
    assert!(sent >= ticks.len());
    // The Close frame is answered by then; the end of the stream is left to whoever goes on.
    sender.closed().expect("it ends");
    assert!(closing.join().expect("no panic").expect("closed").clean);
    assert!(answers.close_info().is_some_and(|info| info.clean));
    // What was read meanwhile is there, in order.
    let event = idle.recv_event().expect("received");
    assert_eq!(event, Some(Event::Ping(b"there?".as_slice().into())));
    let event = idle.recv_event().expect("received");
    assert!(matches!(event, Some(Event::Closed(Some(_)))), "{event:?}");
    assert!(matches!(idle.recv_event(), Ok(None)));
}

/// Two peers that write more than the pipe holds before they read would wait for each other.
///
/// spec: S-09
#[test]
fn two_ends_that_write_at_once_do_not_wait_for_each_other() {
    let (client, server) = pair(16);
    let long = "x".repeat(1000);
    let ends = [client, server].map(|end| {
        let long = long.clone();
        thread::spawn(move || {
            let (sender, mut receiver) = end.split().expect("it can");
            sender.send(&*long).expect("sent");
            assert_eq!(receiver.recv().expect("received"), Some((&*long).into()));
            (sender, receiver)
        })
    });
    let [client, server] = ends.map(|end| end.join().expect("no panic"));
    let server = thread::spawn(move || drain(server.1));
    assert!(client.0.close(CloseCode::NORMAL, "").expect("closed").clean);
    server.join().expect("no panic");
}

/// spec: C-18
#[test]
fn what_arrives_after_our_close_is_for_the_receiver() {
    let (client, mut server) = pair(1000);
    let (sender, receiver) = client.split().expect("it can");
    let receiver = thread::spawn(move || drain(receiver));
    let closing = thread::spawn(move || sender.close(CloseCode::NORMAL, ""));
    // The Close frame is on its way; this end has more to say before it answers.
    for n in 0..10 {
        server.send(n.to_string()).expect("sent");
    }
    assert_eq!(server.recv().expect("closed"), None);
    let info = closing.join().expect("no panic").expect("closed");
    assert!(info.clean);
    let (messages, _) = receiver.join().expect("no panic");
    let expected: Vec<Message> = (0..10).map(|n: u32| n.to_string().into()).collect();
    assert_eq!(messages, expected);
}

/// A request and the Close behind it in one read, and the answer comes before the next look.
#[test]
fn a_reply_goes_out_before_the_end_and_none_after_it() {
    for last in [vectors::CLIENT_CLOSE_EMPTY, b"\x83\x80\0\0\0\0"] {
        let (io, remote) = ChoppedIo::scripted(&[vectors::CLIENT_TEXT, last].concat());
        let server = WebSocket::server(Pipe(io), quiet(), BytesMut::new());
        let (sender, mut receiver) = server.split().expect("it can");
        let request = receiver.recv().expect("received").expect("a message");
        sender.send(request).expect("sent before the end");
        _ = receiver.recv();
        let late = sender.send("late").expect_err("the end was looked at");
        assert!(matches!(late, Error::Send(SendError::Closed)), "{late}");
        let written = remote.written();
        assert!(written.starts_with(vectors::SERVER_TEXT), "{written:x?}");
    }
}

#[test]
fn a_dropped_receiver_lets_its_sender_go_on() {
    let (client, mut server) = pair(64);
    let (sender, receiver) = client.split().expect("it can");
    drop(receiver);
    let echo = thread::spawn(move || {
        let mut echoed = 0;
        while let Some(message) = server.recv().expect("received") {
            server.send(message).expect("sent");
            echoed += 1;
        }
        echoed
    });
    for _ in 0..3 {
        let message = "a message longer than half the pipe is";
        sender.send(message).expect("sent");
    }
    assert!(sender.close(CloseCode::NORMAL, "").expect("closed").clean);
    assert_eq!(echo.join().expect("no panic"), 3);
}

#[test]
fn dropping_both_halves_drops_the_stream() {
    let (client, mut server) = pair(64);
    let (sender, receiver) = client.split().expect("it can");
    drop(sender.clone());
    drop(receiver);
    drop(sender);
    let lost = server.recv().expect_err("nobody said goodbye");
    assert!(matches!(
        lost,
        Error::Protocol(ProtocolError::ConnectionLost)
    ));
}

#[test]
fn a_half_that_is_kept_does_not_keep_the_stream() {
    let (io, remote) = ChoppedIo::scripted(vectors::CLIENT_CLOSE_EMPTY);
    let server = WebSocket::server(Pipe(io), Config::default(), BytesMut::new());
    let (sender, receiver) = server.split().expect("it can");
    let (messages, receiver) = drain(receiver);
    assert!(messages.is_empty());
    assert!(remote.is_dropped());
    assert_eq!(remote.written(), b"\x88\x00");
    let refused = sender.send("late").expect_err("it is over");
    assert!(matches!(refused, Error::Send(SendError::Closed)));
    let info = sender.close(CloseCode::NORMAL, "").expect("it was closed");
    assert_eq!(receiver.close_info(), Some(info));
}

/// Both halves in one thread: nobody is in `recv` while `close` waits.
///
/// spec: C-15, C-28
#[test]
fn one_thread_has_both_halves() {
    let (client, server) = tcp_pair();
    let server = thread::spawn(move || {
        let mut server = WebSocket::server(server, quiet(), BytesMut::new());
        while let Some(message) = server.recv().expect("received") {
            server.send(message).expect("sent");
        }
        server.close_info()
    });
    let client = WebSocket::client(client, quiet(), BytesMut::new());
    let (sender, mut receiver) = client.split().expect("it can");
    for n in 0..10 {
        let message = Message::from(n.to_string());
        sender.send(message.clone()).expect("sent");
        assert_eq!(receiver.recv().expect("received"), Some(message));
    }
    let info: CloseInfo = sender.close(CloseCode::GOING_AWAY, "").expect("closed");
    assert!(info.clean);
    let peer = server.join().expect("no panic").expect("it is over");
    assert_eq!(peer.code(), CloseCode::GOING_AWAY);
    assert!(matches!(receiver.recv_event(), Ok(Some(Event::Closed(_)))));
    assert!(matches!(receiver.recv_event(), Ok(None)));
}

/// The thread that closes is not the one that reads, and both learn the end.
///
/// spec: C-15, C-16
#[test]
fn a_close_while_the_receiver_waits() {
    let (client, server) = tcp_pair();
    let server = WebSocket::server(server, quiet(), BytesMut::new());
    let (server, receiver) = server.split().expect("it can");
    let receiver = thread::spawn(move || drain(receiver));
    let client = thread::spawn(move || {
        let mut client = WebSocket::client(client, quiet(), BytesMut::new());
        client.send("hello").expect("sent");
        assert_eq!(client.recv().expect("closed"), None);
        client.close_info()
    });
    let info = server.close(CloseCode::NORMAL, "bye").expect("closed");
    assert!(info.clean);
    let (_, receiver) = receiver.join().expect("no panic");
    assert_eq!(receiver.close_info(), Some(info));
    let peer = client.join().expect("no panic").expect("it is over");
    assert_eq!((peer.code(), peer.reason()), (CloseCode::NORMAL, "bye"));
}

/// A peer that floods with Pings and never reads costs what it may, and the senders of this end their message.
#[test]
fn a_sender_that_only_sends_reads_no_further_than_one_message() {
    const MESSAGES: usize = 1000;
    let (mut peer, server) = tcp_pair();
    let server = WebSocket::server(server, quiet(), BytesMut::new());
    let (sender, mut receiver) = server.split().expect("it can");
    let (flooded, wait) = mpsc::channel();
    let flood = thread::spawn(move || {
        let frame = Frame::text("x".repeat(1000)).masked(vectors::KEY).bytes();
        for _ in 0..MESSAGES {
            peer.write_all(&frame).expect("the server reads in the end");
        }
        flooded.send(()).expect("somebody waits");
        let mut read = Vec::new();
        peer.shutdown(std::net::Shutdown::Write).expect("shut down");
        peer.read_to_end(&mut read).expect("it ended");
        read.len()
    });
    for _ in 0..10 {
        sender.send(vec![7; 1000]).expect("sent");
    }
    let mut received = 0;
    while let Ok(Some(message)) = receiver.recv() {
        assert_eq!(message.len(), 1000);
        received += 1;
    }
    assert_eq!(received, MESSAGES);
    wait.recv().expect("all was sent");
    drop((sender, receiver));
    assert_eq!(flood.join().expect("no panic"), 10 * 1004);
}

#[test]
fn halves_go_anywhere() {
    fn anywhere<T: Send + Sync + 'static>() {}
    anywhere::<Sender>();
    anywhere::<Receiver>();
}
