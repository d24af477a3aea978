//! Compression over a stream: agreed by one call at each end, and never in the way of other tasks.

#![cfg(feature = "deflate")]

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::{LocalSet, spawn_local};
use ws_async::handshake::client::HandshakeError;
use ws_async::handshake::server::ResponseError;
use ws_async::{
    AcceptError, Acceptor, CloseCode, Compress, Config, ConnectError, Connector, Deflate,
    DeflateConfig, Level, Message, MessageKind, PreparedMessage, Terms, WebSocket,
};

const MIB: usize = 1024 * 1024;

async fn pair(
    client: Config,
    server: Config,
) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (near, far) = duplex(64 * 1024);
    let connector = Connector::new().with_config(client);
    let acceptor = Acceptor::new().with_config(server);
    let (client, server) = tokio::join!(connector.handshake(near, "ws://h/"), acceptor.accept(far));
    (client.expect("connected"), server.expect("accepted"))
}

fn deflating(config: DeflateConfig) -> Config {
    Config::default().with_deflate(config)
}

/// About 20 bytes for each 64.
fn text(len: usize) -> String {
    let words = ["alpha ", "beta ", "gamma ", "delta ", "epsilon "];
    let mut x = 7_u32;
    let mut text = String::new();
    while text.len() < len {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(words[(x >> 16) as usize % words.len()]);
    }
    text
}

#[tokio::test]
async fn both_ends_compress_if_both_were_told_to() {
    let on = || deflating(DeflateConfig::default());
    let own = DeflateConfig::default()
        .with_level(Level::FAST)
        .with_terms(Terms::default());
    let cases = [
        (on(), on(), true),
        (on(), deflating(DeflateConfig::tiny()), true),
        (deflating(DeflateConfig::ultra()), on(), true),
        (deflating(own), on(), true),
        (on(), Config::default(), false),
        (Config::default(), on(), false),
    ];
    for (client, server, compresses) in cases {
        let (mut client, mut server) = pair(client, server).await;
        assert_eq!(client.deflate().is_some(), compresses);
        assert_eq!(client.deflate(), server.deflate());
        let message = text(2000);
        for _ in 0..3 {
            client.send(message.as_str()).await.expect("sent");
            let received = server.recv().await.expect("received").expect("a message");
            assert_eq!(received.as_text(), Some(message.as_str()));
            server.send(received).await.expect("sent");
            let received = client.recv().await.expect("received");
            assert_eq!(received, Some(Message::text(message.as_str())));
        }
        for stats in [client.stats(), server.stats()] {
            for traffic in [stats.sent, stats.received] {
                assert_eq!(traffic.bytes < 3000, compresses, "{traffic:?}");
            }
        }
        let agreed = client.deflate();
        let (sender, receiver) = client.split();
        assert_eq!((sender.deflate(), receiver.deflate()), (agreed, agreed));
    }
}

/// 8 MiB take a tenth of a second at each end, and another task runs all the while.
#[tokio::test]
async fn others_run_while_a_long_message_is_compressed() {
    let turns = Rc::new(Cell::new(0));
    let local = LocalSet::new();
    local.spawn_local({
        let turns = Rc::clone(&turns);
        async move {
            loop {
                turns.set(turns.get() + 1);
                tokio::task::yield_now().await;
            }
        }
    });
    let message = text(8 * MIB);
    let (taken, received) = local
        .run_until(async {
            let on = deflating(DeflateConfig::default());
            let (mut client, mut server) = pair(on.clone(), on).await;
            let receiving = spawn_local(async move { server.recv().await });
            let before = turns.get();
            client.send(message.as_str()).await.expect("sent");
            let received = receiving.await.expect("no panic").expect("received");
            (turns.get() - before, received)
        })
        .await;
    assert_eq!(received.expect("a message").len(), message.len());
    // A turn compresses 128 KiB.
    assert!(taken >= 8 * MIB / (256 * 1024), "{taken}");
}

#[tokio::test]
async fn halves_writers_readers_and_prepared_messages_compress() {
    let deflate = Deflate::default();
    let on = Config::default().with_deflate(deflate.clone());
    let (client, mut server) = pair(on.clone(), on).await;
    let (sender, mut receiver) = client.split();
    let plain = text(300_000);
    let echo = tokio::spawn(async move {
        while let Some(message) = server.recv().await.expect("received") {
            server.send(message).await.expect("sent");
        }
        server
    });
    let sending = async {
        let mut writer = sender.writer(MessageKind::Text).await.expect("its turn");
        for piece in plain.as_bytes().chunks(7000) {
            writer.write(piece).await.expect("written");
        }
        writer.finish().await.expect("finished");
        let prepared = PreparedMessage::text(plain.as_str()).compressed(&deflate);
        sender.send_prepared(&prepared).await.expect("sent");
        sender
            .send_with("never", Compress::Never)
            .await
            .expect("sent");
        sender
            .send_with("always", Compress::Always)
            .await
            .expect("sent");
    };
    let receiving = async {
        let mut reader = receiver
            .reader()
            .await
            .expect("received")
            .expect("a message");
        let mut read = String::new();
        while let Some(chunk) = reader.chunk().await.expect("received") {
            read.push_str(chunk.as_text().expect("whole characters"));
        }
        assert_eq!(read, plain);
        drop(reader);
        for expected in [plain.as_str(), "never", "always"] {
            let message = receiver.recv().await.expect("received");
            assert_eq!(message, Some(Message::text(expected)));
        }
    };
    tokio::join!(sending, receiving);
    assert!(sender.stats().sent.bytes < 300_000, "{:?}", sender.stats());
    drop(receiver);
    let info = sender.close(CloseCode::NORMAL, "").await.expect("closed");
    assert!(info.clean);
    echo.await.expect("no panic");
}

/// Whoever drives the connection takes up what rests: here somebody who only waits for its end.
#[tokio::test]
async fn a_long_message_goes_on_whoever_waits() {
    let on = deflating(DeflateConfig::default());
    let (client, mut server) = pair(on.clone(), on).await;
    let (sender, _receiver) = client.split();
    sender.try_send(text(MIB)).expect("accepted");
    let waiting = tokio::spawn(async move { sender.closed().await });
    let received = server.recv().await.expect("received").expect("a message");
    assert!(received.len() >= MIB);
    waiting.abort();
}

/// And here somebody who closes, and loses nothing of it.
#[tokio::test]
async fn a_long_message_goes_out_before_a_close() {
    let on = deflating(DeflateConfig::default());
    let (client, mut server) = pair(on.clone(), on).await;
    let (sender, receiver) = client.split();
    sender.try_send(text(MIB)).expect("accepted");
    drop(receiver);
    let receiving = tokio::spawn(async move {
        let received = server.recv().await.expect("received").expect("a message");
        assert_eq!(server.recv().await.expect("a clean end"), None);
        received.len()
    });
    let info = sender.close(CloseCode::NORMAL, "").await.expect("closed");
    assert!(info.clean);
    assert!(receiving.await.expect("no panic") >= MIB);
}

/// And somebody who only ever tries to send.
#[tokio::test]
async fn a_long_message_goes_on_with_each_try() {
    let on = deflating(DeflateConfig::default());
    let (mut client, mut server) = pair(on.clone(), on).await;
    client.try_send(text(MIB)).expect("accepted");
    let receiving = tokio::spawn(async move { server.recv().await });
    while client.try_send("small").is_err() {
        tokio::task::yield_now().await;
    }
    let received = receiving.await.expect("no panic").expect("received");
    assert!(received.expect("a message").len() >= MIB);
}

/// Whichever way a message is sent, its sender says whether it is compressed.
#[tokio::test]
async fn every_way_of_sending_leaves_the_choice() {
    let plain = "one two three four five six seven eight nine ten. ".repeat(100);
    let on = || deflating(DeflateConfig::default());
    for (compress, shrinks) in [(Compress::Auto, true), (Compress::Never, false)] {
        let (mut client, mut server) = pair(on(), on()).await;
        let receiving = tokio::spawn(async move {
            let mut read = Vec::new();
            while let Some(message) = server.recv().await.expect("received") {
                read.push(message.into_bytes());
            }
            read
        });
        let mut sent = 0;
        let mut check = |bytes: u64| {
            let len = bytes - std::mem::replace(&mut sent, bytes);
            assert_eq!(len < 1000, shrinks, "{len}");
        };
        let text = plain.as_str();
        client.send_with(text, compress).await.expect("sent");
        check(client.stats().sent.bytes);
        client.feed_with(text, compress).await.expect("queued");
        client.flush().await.expect("sent");
        check(client.stats().sent.bytes);
        client.try_send_with(text, compress).expect("sent");
        client.flush().await.expect("sent");
        check(client.stats().sent.bytes);
        let writer = client.writer(MessageKind::Text).await.expect("its turn");
        let mut writer = writer.with_compress(compress);
        writer.write(text.as_bytes()).await.expect("written");
        writer.finish().await.expect("finished");
        check(client.stats().sent.bytes);
        let prepared = PreparedMessage::text(text).with_compress(compress);
        client.send_prepared(&prepared).await.expect("sent");
        check(client.stats().sent.bytes);
        let mut stream = client.into_byte_stream().with_compress(compress);
        stream.write_all(text.as_bytes()).await.expect("written");
        stream.flush().await.expect("sent");
        check(stream.get_ref().stats().sent.bytes);
        assert!(stream.close().await.expect("closed").clean);
        let read = receiving.await.expect("no panic");
        assert_eq!(read, vec![text.as_bytes(); 6]);
    }
}

/// An answer made by hand must not promise what the connection is not configured for.
#[tokio::test]
async fn compression_is_not_agreed_without_a_codec() {
    let (near, far) = duplex(64 * 1024);
    let client = tokio::spawn(async move {
        let connector = Connector::new().with_config(deflating(DeflateConfig::default()));
        connector.handshake(near, "ws://h/").await.map(drop)
    });
    let incoming = Acceptor::new().read_request(far).await;
    let incoming = incoming.expect("it is HTTP");
    let offer = incoming.request().offer().expect("it is a handshake");
    let acceptance = offer.accept().deflate(&DeflateConfig::default().terms);
    let refused = incoming.accept_with(Config::default(), &acceptance).await;
    assert!(matches!(
        refused,
        Err(AcceptError::Response(ResponseError::DeflateNotConfigured))
    ));
    let refused = client.await.expect("no panic");
    let Err(ConnectError::Handshake(HandshakeError::Refused(refusal))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal.response().status(), 500);
}
