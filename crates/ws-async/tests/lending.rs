//! Messages that are received where they lie: the same messages in the same order as those that are owned.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use ws_async::{Compress, Config, Message, MessageRef, WebSocket};
use ws_testkit::{ChoppedIo, Chunks, Frame, vectors};

const KIB: usize = 1024;

/// All that a client may say: whole messages, fragments with a Ping between them, nothing, large ones.
fn conversation() -> (Vec<u8>, Vec<Message>) {
    let frames = [
        Frame::text("first"),
        Frame::ping("are you there?"),
        Frame::binary(vec![1; 3 * KIB]),
        Frame::text("frag").not_fin(),
        Frame::ping("in between"),
        Frame::continuation("mented"),
        Frame::binary(Vec::new()),
        Frame::binary(vec![2; 100 * KIB]),
        Frame::text("last"),
    ];
    let messages = vec![
        Message::text("first"),
        Message::binary(vec![1; 3 * KIB]),
        Message::text("fragmented"),
        Message::binary(Vec::new()),
        Message::binary(vec![2; 100 * KIB]),
        Message::text("last"),
    ];
    let bytes = frames.map(|frame| frame.masked(vectors::KEY).bytes());
    (bytes.concat(), messages)
}

fn server<S>(stream: S) -> WebSocket<S>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    WebSocket::server(stream, Config::default(), BytesMut::new())
}

/// spec: S-07
#[tokio::test]
async fn lent_or_owned_the_messages_are_the_same_in_any_pieces() {
    let (bytes, messages) = conversation();
    for seed in 0..50 {
        let (near, mut far) = ChoppedIo::duplex();
        let mut ws = server(near.with_reads(Chunks::random(seed, 100_000)));
        let (mut reader, mut writer) = tokio::io::split(&mut far);
        let writing = async {
            writer.write_all(&bytes).await.expect("written");
            let close = Frame::close(1000, "").masked(vectors::KEY).bytes();
            writer.write_all(&close).await.expect("written");
            writer.shutdown().await.expect("shut down");
        };
        let draining = async { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await };
        let receiving = async {
            let mut received = Vec::new();
            loop {
                // Both ways take turns.
                let message = match (received.len() + seed as usize) % 3 {
                    0 => ws.recv().await.expect("received"),
                    _ => {
                        let lent = ws.recv_ref().await.expect("received");
                        lent.map(|lent| lent.message().to_message())
                    }
                };
                match message {
                    Some(message) => received.push(message),
                    None => break received,
                }
            }
        };
        let (received, (), _) = tokio::join!(receiving, writing, draining);
        assert_eq!(received, messages, "seed {seed}");
    }
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn echo_lent(ws: &mut WebSocket<DuplexStream>) {
    let received = ws.recv_ref().await.expect("received");
    let mut received = received.expect("a message");
    let (message, mut replies) = received.parts();
    replies.send(message, Compress::Auto).expect("queued");
}

#[tokio::test]
async fn what_was_read_ahead_is_lent_too() {
    let (mut peer, stream) = duplex(100);
    let mut ws = server(stream);
    let hello = Frame::text("hello").masked(vectors::KEY).bytes();
    peer.write_all(&[hello.clone(), hello].concat())
        .await
        .expect("written");
    let mut sent = vec![0; 1000];
    {
        // It waits for room, and looks at what arrives meanwhile.
        let mut sending = pin!(ws.send(vec![7; 1000]));
        assert!(poll_once(sending.as_mut()).await.is_none());
        let mut header = [0; 4];
        let reading = async {
            peer.read_exact(&mut header).await.expect("a header");
            peer.read_exact(&mut sent).await.expect("a payload");
        };
        let (done, ()) = tokio::join!(sending, reading);
        done.expect("sent");
    }
    for _ in 0..2 {
        echo_lent(&mut ws).await;
        let mut echo = [0; 7];
        peer.read_exact(&mut echo).await.expect("an echo");
        assert_eq!(echo[2..], *b"hello");
    }
}

#[tokio::test]
async fn a_message_that_was_lent_is_not_told_again() {
    let (mut peer, stream) = duplex(KIB);
    let mut ws = server(stream);
    for text in ["one", "two", "three"] {
        let frame = Frame::text(text).masked(vectors::KEY).bytes();
        peer.write_all(&frame).await.expect("written");
    }
    {
        let lent = ws.recv_ref().await.expect("received").expect("a message");
        assert_eq!(lent.message(), MessageRef::text("one"));
        assert_eq!(lent.message().as_text(), Some("one"));
    }
    let owned = ws.recv().await.expect("received").expect("a message");
    assert_eq!(owned, Message::text("two"));
    let lent = ws.recv_ref().await.expect("received").expect("a message");
    assert_eq!(lent.message(), Message::text("three"));
}

/// Replies are queued without a wait, so the wait comes before the message.
#[tokio::test]
async fn a_peer_that_does_not_read_its_replies_is_lent_nothing_more() {
    let (mut peer, stream) = duplex(64);
    let config = Config::default().with_write_buffer_high(KIB);
    let mut ws = WebSocket::server(stream, config, BytesMut::new());
    let message = Frame::binary(vec![7; 40]).masked(vectors::KEY).bytes();
    let mut echoed = 0;
    loop {
        // As much as there is room for.
        let wrote = poll_once(pin!(peer.write_all(&message))).await;
        if wrote.is_none() {
            break;
        }
        if poll_once(pin!(echo_lent(&mut ws))).await.is_none() {
            break;
        }
        echoed += 1;
        assert!(echoed < 1000, "it would go on for ever");
    }
    assert!(ws.stats().queued <= KIB + 42);
    assert!(echoed >= KIB / 42);
}

/// spec: PM-01
#[cfg(feature = "deflate")]
#[tokio::test]
async fn compressed_messages_are_lent() {
    let config = || Config::default().with_deflate(ws_async::DeflateConfig::default());
    let (near, far) = duplex(100 * KIB);
    let acceptor = ws_async::Acceptor::new().with_config(config());
    let connector = ws_async::Connector::new().with_config(config());
    let (server, client) = tokio::join!(
        acceptor.accept(near),
        connector.handshake(far, "ws://localhost/")
    );
    let (mut server, mut client) = (server.expect("accepted"), client.expect("connected"));
    assert!(server.deflate().is_some());
    for text in ["to be or not to be ".repeat(100), "short".to_owned()] {
        client.send_ref(&text).await.expect("sent");
        {
            let received = server.recv_ref().await.expect("received");
            let mut received = received.expect("a message");
            let (message, mut replies) = received.parts();
            assert_eq!(message.as_text(), Some(&*text));
            replies.send(message, Compress::Auto).expect("queued");
        }
        let echo = client.recv().await.expect("received").expect("a message");
        assert_eq!(echo.as_text(), Some(&*text));
    }
    assert!(client.stats().sent.bytes < 1000, "{:?}", client.stats());
}
