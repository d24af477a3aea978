//! What is received compressed: delivered as soon as its sender flushes it, and without keeping the task's thread.

#![cfg(feature = "deflate")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use ws_async::{Agreement, Config, Error, ProtocolError, WebSocket};
use ws_testkit::blocks::{END, HE, HELLO, HELLO_AGAIN, LLO, bomb, repeats, stored};
use ws_testkit::{ChoppedIo, Frame, vectors};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What is decompressed at most before others have their turn.
const TURN: usize = 256 * KIB;

fn server<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static>(
    stream: S,
) -> WebSocket<S> {
    let config = Config::default().with_agreed(Some(Agreement::default()));
    WebSocket::server(stream, config, BytesMut::new())
}

fn compressed(payload: &[u8]) -> Frame {
    Frame::text(payload).with_rsv(0b100).masked(vectors::KEY)
}

fn continuation(payload: &[u8]) -> Frame {
    Frame::continuation(payload).masked(vectors::KEY)
}

/// A server, and the peer's end of its stream.
fn pair() -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(64 * KIB);
    (server(near), far)
}

/// spec: PA-05, PA-06
#[tokio::test]
async fn a_reader_sees_what_was_flushed_at_once() {
    let (mut server, mut peer) = pair();
    let first = compressed(HE).not_fin().bytes();
    let rest = continuation(LLO).bytes();
    for asks_first in [true, false] {
        if !asks_first {
            peer.write_all(&first).await.expect("written");
            // It is read before anybody asks for pieces.
            server.send("hello?").await.expect("sent");
        }
        let mut reading = pin!(server.reader());
        let mut reader = tokio::select! {
            biased;
            reader = &mut reading => reader,
            written = peer.write_all(&first), if asks_first => {
                written.expect("written");
                reading.await
            }
        }
        .expect("received")
        .expect("a message");
        let chunk = reader.chunk().await.expect("received").expect("a chunk");
        assert_eq!(chunk.as_text(), Some("He"));
        // The peer has waited for that.
        peer.write_all(&rest).await.expect("written");
        let chunk = reader.chunk().await.expect("received").expect("a chunk");
        assert_eq!(chunk.as_text(), Some("llo"));
        while let Some(chunk) = reader.chunk().await.expect("received") {
            assert!(chunk.last && chunk.data.is_empty());
        }
    }
}

/// spec: PA-09
#[tokio::test]
async fn a_reader_dropped_halfway_leaves_the_window_as_it_is() {
    let (mut server, mut peer) = pair();
    peer.write_all(&compressed(HE).not_fin().bytes())
        .await
        .expect("written");
    let reader = server.reader().await.expect("received");
    drop(reader.expect("a message"));
    let rest = [
        Frame::ping("between").masked(vectors::KEY),
        continuation(LLO),
        compressed(HELLO_AGAIN),
    ];
    for frame in rest {
        peer.write_all(&frame.bytes()).await.expect("written");
    }
    let message = server.recv().await.expect("received").expect("a message");
    assert_eq!(message.as_text(), Some("Hello"));
}

/// spec: PA-15, G-13
#[tokio::test]
async fn a_close_in_the_middle_truncates_it() {
    let (mut server, mut peer) = pair();
    let close = Frame::close(1000, "").masked(vectors::KEY);
    let first = compressed(HE).not_fin();
    for frame in [first, close] {
        peer.write_all(&frame.bytes()).await.expect("written");
    }
    drop(peer);
    let mut reader = server.reader().await.expect("received").expect("a message");
    let chunk = reader.chunk().await.expect("received").expect("a chunk");
    assert_eq!(chunk.as_text(), Some("He"));
    assert!(matches!(reader.chunk().await, Err(Error::Truncated)));
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls until `done`, which tells how much a poll has given, and gives how often it came to a pause.
fn pauses(mut poll: impl FnMut(&mut Context<'_>) -> Poll<Option<usize>>) -> usize {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let cx = &mut Context::from_waker(&waker);
    let mut pauses = 0;
    let mut since_then = 0;
    loop {
        match poll(cx) {
            Poll::Ready(None) => return pauses,
            Poll::Ready(Some(given)) => {
                since_then += given;
                // What a turn begins with may have been decompressed in the one before.
                assert!(since_then <= 2 * TURN, "{since_then} bytes without a pause");
            }
            Poll::Pending => {
                // It goes on by itself: everything has arrived.
                assert!(wakes.0.swap(0, Ordering::Relaxed) > 0);
                pauses += 1;
                since_then = 0;
            }
        }
    }
}

/// Each of these messages is small enough to be decompressed in one go. Not so all of them, which lie in one read buffer.
///
/// spec: PM-04, PM-08
#[tokio::test]
async fn many_small_bombs_leave_turns_to_others() {
    let size = 800 * 258 + 1;
    let wire = compressed(&bomb(800)).bytes().repeat(40);
    assert!(wire.len() < 64 * KIB);
    let (stream, remote) = ChoppedIo::scripted(&wire);
    remote.end();
    let mut server = server(stream);
    let mut received = 0;
    let pauses = pauses(|cx| {
        server.poll_recv(cx).map(|message| match message {
            Ok(message) => {
                received += 1;
                message.map(|message| message.len())
            }
            Err(Error::Protocol(ProtocolError::ConnectionLost)) => None,
            Err(error) => panic!("{error}"),
        })
    });
    assert_eq!(received, 40);
    // It stops behind a piece.
    assert!(pauses >= 40 * size / (TURN + 16 * KIB), "{pauses}");
}

/// spec: PM-04, PM-08
#[tokio::test]
async fn a_large_one_leaves_turns_whether_it_is_wanted_or_not() {
    let count = 4 * MIB / 258;
    let frames = [
        compressed(&stored(b"a")).not_fin(),
        continuation(&repeats(count)).not_fin(),
        continuation(END),
        compressed(HELLO),
    ];
    let wire: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    for is_wanted in [true, false] {
        let (stream, remote) = ChoppedIo::scripted(&wire);
        remote.end();
        let mut server = server(stream);
        let mut reader = {
            let mut reading = pin!(server.reader());
            let cx = &mut Context::from_waker(Waker::noop());
            match Future::poll(reading.as_mut(), cx) {
                Poll::Ready(reader) => reader.expect("received").expect("a message"),
                Poll::Pending => panic!("its beginning has arrived"),
            }
        };
        let mut len = 0;
        let pauses = if is_wanted {
            pauses(|cx| {
                let chunk = reader.poll_chunk(cx).map(|chunk| chunk.expect("received"));
                chunk.map(|chunk| {
                    let given = chunk.map(|chunk| chunk.data.len());
                    len += given.unwrap_or_default();
                    given
                })
            })
        } else {
            drop(reader);
            pauses(|cx| {
                let message = server
                    .poll_recv(cx)
                    .map(|message| message.expect("received"));
                message.map(|message| {
                    len = message.map_or(0, |message| message.len());
                    None
                })
            })
        };
        assert_eq!(len, if is_wanted { count * 258 + 1 } else { 5 });
        assert!(pauses >= count * 258 / (TURN + 16 * KIB), "{pauses}");
    }
}
