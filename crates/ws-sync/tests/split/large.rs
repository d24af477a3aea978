//! A large frame is read to where its message lies, whichever half reads.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;

use bytes::BytesMut;
use ws_sync::{Message, WebSocket};
use ws_testkit::{Frame, vectors};

use crate::pipe::{quiet, tcp_pair};
use crate::watched::Watched;

const LEN: usize = 1024 * 1024;

#[test]
fn half_a_message_waits_where_it_lies_while_others_use_the_connection() {
    let (mut client, stream) = tcp_pair();
    let (begins, begun) = mpsc::channel();
    let stream = Watched {
        stream,
        reads: begins,
    };
    let server = WebSocket::server(stream, quiet(), BytesMut::new());
    let (sender, mut receiver) = server.split().expect("it can");
    let receiver = thread::spawn(move || receiver.recv());
    let frame = Frame::binary(vec![7; LEN]).masked(vectors::KEY).bytes();
    let (first, second) = frame.split_at(frame.len() - LEN / 2);
    client.write_all(first).expect("written");
    // All of the first half has been read, and more is waited for.
    let waits = begun.iter().find(|begin| *begin == LEN / 2);
    assert_eq!(waits, Some(LEN / 2));

    sender.send(Message::text("meanwhile")).expect("sent");
    let mut sent = [0; 11];
    client.read_exact(&mut sent).expect("read");
    assert_eq!(sent[2..], *b"meanwhile");

    client.write_all(second).expect("written");
    let message = receiver.join().expect("no panic").expect("received");
    assert!(message == Some(Message::binary(vec![7; LEN])));
    assert!(begun.try_iter().all(|begin| begin >= LEN / 2));
}
