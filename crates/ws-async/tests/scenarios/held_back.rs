//! Streams that take bytes and hold them back until they are flushed, as TLS does: sent is what has left them.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use ws_async::{
    CloseCode, Config, Error, MessageKind, PreparedMessage, ProtocolError, Receiver, WebSocket,
};
use ws_testkit::network::{Link, Network, Plan, Socket, VirtualStream};
use ws_testkit::{ChoppedIo, Frame, Starved, Step, vectors};

use crate::drive::poll_once;

/// The server's end holds back up to 100 bytes, and the network to the client has room for three.
fn holding() -> (Network, WebSocket<VirtualStream>, VirtualStream) {
    let narrow = Link {
        capacity: 3,
        ..Link::PERFECT
    };
    let holding = Socket {
        holds_back: 100,
        ..Socket::PERFECT
    };
    let (network, [peer, stream]) = Network::new(Plan {
        links: [Link::PERFECT, narrow],
        sockets: [Socket::PERFECT, holding],
        ..Plan::PERFECT
    });
    let running = network.clone();
    tokio::spawn(async move { running.run().await });
    let config = Config::default().with_close_timeout(Some(Duration::from_secs(3)));
    let server = WebSocket::server(stream, config, BytesMut::new());
    (network, server, peer)
}

/// spec: CD-04
#[tokio::test(start_paused = true)]
async fn sent_is_what_has_left_the_stream() {
    let frame = Frame::text("longer than the network").bytes();
    for split in [false, true] {
        let (network, mut server, mut peer) = holding();
        let reading = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mut received = [0; 25];
            peer.read_exact(&mut received).await.expect("received");
            (received, peer)
        });
        if split {
            let (sender, _receiver) = server.split();
            sender.send("longer than the network").await.expect("sent");
        } else {
            server.send("longer than the network").await.expect("sent");
        }
        assert_eq!(network.sent(1), frame);
        assert_eq!(reading.await.expect("no panic").0, *frame);
    }
}

/// Whoever gets the rest out wakes the one that waits for it.
///
/// spec: CD-04
#[tokio::test(start_paused = true)]
async fn the_receiver_may_flush_what_a_sender_waits_for() {
    let (_, server, mut peer) = holding();
    let (sender, mut receiver) = server.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    let sending = tokio::spawn(async move { sender.send("longer than the network").await });
    tokio::task::yield_now().await;
    let mut received = [0; 25];
    peer.read_exact(&mut received).await.expect("received");
    sending.await.expect("no panic").expect("sent");
    drop(peer);
    receiving.await.expect("no panic").expect_err("no goodbye");
}

/// The peer closes and leaves; the answer never got out of the stream, and neither did the message before it.
///
/// spec: CD-04
#[tokio::test(start_paused = true)]
async fn what_is_held_back_at_the_end_was_not_sent() {
    let (network, server, mut peer) = holding();
    let (sender, mut receiver) = server.split();
    peer.write_all(vectors::CLIENT_CLOSE_1000)
        .await
        .expect("written");
    peer.shutdown().await.expect("shut down");
    let waiting = sender.clone();
    let waiting = tokio::spawn(async move { waiting.send("longer than the network").await });
    tokio::task::yield_now().await;
    assert_eq!(receiver.recv().await.expect("a Close came"), None);
    waiting
        .await
        .expect("no panic")
        .expect_err("it did not leave");
    sender.flush().await.expect_err("it did not leave");
    assert_eq!(network.sent_len(1), 3);
}

/// The peer closes and takes nothing: when the deadline has passed, what was queued is gone, and whoever asks is told.
///
/// spec: C-28
#[tokio::test(start_paused = true)]
async fn what_the_close_deadline_cuts_off_was_not_sent() {
    let config = Config::default().with_close_timeout(Some(Duration::from_secs(3)));
    for split in [false, true] {
        let (stream, mut peer) = duplex(8);
        let mut server = WebSocket::server(stream, config.clone(), BytesMut::new());
        server.feed("longer than the pipe").await.expect("queued");
        peer.write_all(vectors::CLIENT_CLOSE_1000)
            .await
            .expect("written");
        let (flushed, closed) = if split {
            let (sender, mut receiver) = server.split();
            assert_eq!(receiver.recv().await.expect("a Close came"), None);
            let closed = sender.close(CloseCode::NORMAL, "").await;
            (sender.flush().await, closed)
        } else {
            assert_eq!(server.recv().await.expect("a Close came"), None);
            let closed = server.close(CloseCode::NORMAL, "").await;
            (server.flush().await, closed)
        };
        for late in [flushed.err(), closed.err()] {
            assert!(matches!(
                late,
                Some(Error::Protocol(ProtocolError::CloseTimeout))
            ));
        }
    }
}

/// A stream that holds back for ever what it took is one whose peer takes nothing.
///
/// spec: S-08
#[tokio::test(start_paused = true)]
async fn what_is_held_back_for_ever_ends_the_connection() {
    for split in [false, true] {
        let (_network, mut server, mut peer) = holding();
        // With a message that nobody takes, nobody listens either.
        let message = Frame::text("not asked for").masked(vectors::KEY).bytes();
        peer.write_all(&message).await.expect("written");
        let began = tokio::time::Instant::now();
        let sent = if split {
            let (sender, _receiver) = server.split();
            sender.send("longer than the network").await
        } else {
            server.send("longer than the network").await
        };
        assert!(matches!(
            sent,
            Err(Error::Protocol(ProtocolError::WriteTimeout))
        ));
        assert_eq!(began.elapsed(), Duration::from_secs(30));
    }
}

/// A stream that could not write and then, asked again for another reason, could: no wake comes for that any more.
///
/// spec: CD-04
#[test]
fn a_write_that_gets_through_meanwhile_needs_no_wake() {
    for steps in 1..6 {
        let (io, remote) = ChoppedIo::scripted(b"");
        let io = io
            .with_write_steps([Step::NotReady].repeat(steps))
            .with_wakes_on_demand()
            .when_starved(Starved::NotReady);
        let mut ws = WebSocket::server(io, Config::default(), BytesMut::new());
        poll_once(ws.feed("Hello")).0.expect("room").expect("open");
        let frame = Frame::text("Hello").bytes();
        while poll_once(ws.flush()).0.is_none() {
            assert_ne!(remote.written(), frame, "nobody will wake it");
        }
        assert_eq!(remote.written(), frame);
    }
}

/// A prepared message waits, as any other does, for one that another hand sends in pieces.
#[tokio::test]
async fn a_prepared_message_waits_for_its_turn() {
    async fn texts(mut receiver: Receiver) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(message) = receiver.recv().await.expect("received") {
            texts.push(message.as_text().expect("text").to_owned());
        }
        texts
    }

    let (client, server) = duplex(64);
    let client = WebSocket::client(client, Config::default(), BytesMut::new());
    let server = WebSocket::server(server, Config::default(), BytesMut::new());
    let (_answers, receiver) = server.split();
    let receiving = tokio::spawn(texts(receiver));
    let (sender, rest) = client.split();
    let resting = tokio::spawn(texts(rest));
    let mut writer = sender.writer(MessageKind::Text).await.expect("its turn");
    writer.write(b"in pieces").await.expect("taken");
    writer.flush().await.expect("sent");
    let prepared = PreparedMessage::new("prepared");
    let mut sending = Box::pin(sender.send_prepared(&prepared));
    poll_fn(|cx| {
        assert!(sending.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    writer.finish().await.expect("sent");
    sending.await.expect("sent");
    let info = sender.close(CloseCode::NORMAL, "").await;
    assert!(info.expect("closed").clean);
    assert_eq!(
        receiving.await.expect("no panic"),
        ["in pieces", "prepared"]
    );
    assert!(resting.await.expect("no panic").is_empty());
}
