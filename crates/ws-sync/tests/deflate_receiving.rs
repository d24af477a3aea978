//! What is received compressed: delivered as soon as its sender flushes it.

#![cfg(feature = "deflate")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{Agreement, Config, Error, WebSocket};
use ws_testkit::blocks::{HE, HELLO_AGAIN, LLO};
use ws_testkit::{Frame, vectors};

/// A server, and the peer's end of its stream. What should be there at once is not waited for any longer.
fn pair() -> (WebSocket<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    let peer = TcpStream::connect(address).expect("connected");
    let (stream, _) = listener.accept().expect("accepted");
    let config = Config::default().with_agreed(Some(Agreement::default()));
    let mut server = WebSocket::server(stream, config, BytesMut::new());
    server.set_read_timeout(Some(Duration::from_secs(10)));
    (server, peer)
}

fn compressed(payload: &[u8]) -> Frame {
    Frame::text(payload).with_rsv(0b100).masked(vectors::KEY)
}

fn continuation(payload: &[u8]) -> Frame {
    Frame::continuation(payload).masked(vectors::KEY)
}

/// spec: PA-05, PA-06
#[test]
fn a_reader_sees_what_was_flushed_at_once() {
    let (mut server, mut peer) = pair();
    let first = compressed(HE).not_fin().bytes();
    let rest = continuation(LLO).bytes();
    for asks_first in [true, false] {
        let writing = if asks_first {
            let (mut peer, first) = (peer.try_clone().expect("cloned"), first.clone());
            Some(thread::spawn(move || peer.write_all(&first)))
        } else {
            peer.write_all(&first).expect("written");
            // It may be read before anybody asks for pieces.
            server.send("hello?").expect("sent");
            None
        };
        let mut reader = server.reader().expect("received").expect("a message");
        let chunk = reader.chunk().expect("received").expect("a chunk");
        assert_eq!(chunk.as_text(), Some("He"));
        if let Some(writing) = writing {
            writing.join().expect("no panic").expect("written");
        }
        // The peer has waited for that.
        peer.write_all(&rest).expect("written");
        let chunk = reader.chunk().expect("received").expect("a chunk");
        assert_eq!(chunk.as_text(), Some("llo"));
        while let Some(chunk) = reader.chunk().expect("received") {
            assert!(chunk.last && chunk.data.is_empty());
        }
    }
}

/// spec: PA-09
#[test]
fn a_reader_dropped_halfway_leaves_the_window_as_it_is() {
    let (mut server, mut peer) = pair();
    let first = compressed(HE).not_fin().bytes();
    peer.write_all(&first).expect("written");
    let reader = server.reader().expect("received");
    drop(reader.expect("a message"));
    let rest = [
        Frame::ping("between").masked(vectors::KEY),
        continuation(LLO),
        compressed(HELLO_AGAIN),
    ];
    for frame in rest {
        peer.write_all(&frame.bytes()).expect("written");
    }
    let message = server.recv().expect("received").expect("a message");
    assert_eq!(message.as_text(), Some("Hello"));
}

/// spec: PA-15, G-13
#[test]
fn a_close_in_the_middle_truncates_it() {
    let (mut server, mut peer) = pair();
    let close = Frame::close(1000, "").masked(vectors::KEY);
    let first = compressed(HE).not_fin();
    for frame in [first, close] {
        peer.write_all(&frame.bytes()).expect("written");
    }
    drop(peer);
    let mut reader = server.reader().expect("received").expect("a message");
    let chunk = reader.chunk().expect("received").expect("a chunk");
    assert_eq!(chunk.as_text(), Some("He"));
    assert!(matches!(reader.chunk(), Err(Error::Truncated)));
}
