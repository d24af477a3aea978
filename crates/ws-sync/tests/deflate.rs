//! Compression over a stream: agreed by one call at each end.

#![cfg(feature = "deflate")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

use ws_sync::handshake::client::HandshakeError;
use ws_sync::handshake::server::ResponseError;
use ws_sync::{
    AcceptError, Acceptor, CloseCode, Compress, Config, ConnectError, Connector, Deflate,
    DeflateConfig, Level, Message, MessageKind, PreparedMessage, Terms, WebSocket,
};

fn pair(client: Config, server: Config) -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    let accepting = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("accepted");
        let acceptor = Acceptor::new().with_config(server);
        acceptor.accept(stream).expect("accepted")
    });
    let stream = TcpStream::connect(address).expect("connected");
    let connector = Connector::new().with_config(client);
    let client = connector.handshake(stream, "ws://h/").expect("connected");
    (client, accepting.join().expect("no panic"))
}

fn deflating(config: DeflateConfig) -> Config {
    Config::default().with_deflate(config)
}

#[test]
fn both_ends_compress_if_both_were_told_to() {
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
        let (mut client, mut server) = pair(client, server);
        assert_eq!(client.deflate().is_some(), compresses);
        assert_eq!(client.deflate(), server.deflate());
        let text = "to be or not to be, that is the question. ".repeat(50);
        for _ in 0..3 {
            client.send(text.as_str()).expect("sent");
            let received = server.recv().expect("received").expect("a message");
            server.send(received).expect("sent");
            let received = client.recv().expect("received");
            assert_eq!(received, Some(Message::text(text.as_str())));
        }
        for stats in [client.stats(), server.stats()] {
            for traffic in [stats.sent, stats.received] {
                assert_eq!(traffic.bytes < 1000, compresses, "{traffic:?}");
            }
        }
        let agreed = client.deflate();
        let (sender, receiver) = client.split().expect("a stream that can be cloned");
        assert_eq!((sender.deflate(), receiver.deflate()), (agreed, agreed));
    }
}

#[test]
fn halves_writers_readers_and_prepared_messages_compress() {
    let deflate = Deflate::default();
    let on = Config::default().with_deflate(deflate.clone());
    let (client, mut server) = pair(on.clone(), on);
    let (sender, mut receiver) = client.split().expect("a stream that can be cloned");
    let plain = "one two three four five six seven eight nine ten. ".repeat(6000);
    let echo = thread::spawn(move || {
        while let Some(message) = server.recv().expect("received") {
            server.send(message).expect("sent");
        }
    });
    let sending = thread::spawn({
        let (sender, plain) = (sender.clone(), plain.clone());
        move || {
            let mut writer = sender.writer(MessageKind::Text).expect("its turn");
            for piece in plain.as_bytes().chunks(7000) {
                writer.write(piece).expect("written");
            }
            writer.finish().expect("finished");
            let prepared = PreparedMessage::text(plain.as_str()).compressed(&deflate);
            sender.send_prepared(&prepared).expect("sent");
            sender.send_with("never", Compress::Never).expect("sent");
            sender.send_with("always", Compress::Always).expect("sent");
        }
    });
    let mut reader = receiver.reader().expect("received").expect("a message");
    let mut read = String::new();
    while let Some(chunk) = reader.chunk().expect("received") {
        read.push_str(chunk.as_text().expect("whole characters"));
    }
    assert_eq!(read, plain);
    drop(reader);
    for expected in [plain.as_str(), "never", "always"] {
        let message = receiver.recv().expect("received");
        assert_eq!(message, Some(Message::text(expected)));
    }
    sending.join().expect("no panic");
    assert!(sender.stats().sent.bytes < 100_000, "{:?}", sender.stats());
    drop(receiver);
    assert!(sender.close(CloseCode::NORMAL, "").expect("closed").clean);
    echo.join().expect("no panic");
}

/// Whichever way a message is sent, its sender says whether it is compressed.
#[test]
fn every_way_of_sending_leaves_the_choice() {
    let plain = "one two three four five six seven eight nine ten. ".repeat(100);
    let on = || deflating(DeflateConfig::default());
    for (compress, shrinks) in [(Compress::Auto, true), (Compress::Never, false)] {
        let (mut client, mut server) = pair(on(), on());
        let receiving = thread::spawn(move || {
            let mut read = Vec::new();
            while let Some(message) = server.recv().expect("received") {
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
        client.send_with(text, compress).expect("sent");
        check(client.stats().sent.bytes);
        client.feed_with(text, compress).expect("queued");
        client.flush().expect("sent");
        check(client.stats().sent.bytes);
        client.try_send_with(text, compress).expect("sent");
        client.flush().expect("sent");
        check(client.stats().sent.bytes);
        let writer = client.writer(MessageKind::Text).expect("its turn");
        let mut writer = writer.with_compress(compress);
        writer.write(text.as_bytes()).expect("written");
        writer.finish().expect("finished");
        check(client.stats().sent.bytes);
        let prepared = PreparedMessage::text(text).with_compress(compress);
        client.send_prepared(&prepared).expect("sent");
        check(client.stats().sent.bytes);
        let mut stream = client.into_byte_stream().with_compress(compress);
        stream.write_all(text.as_bytes()).expect("written");
        stream.flush().expect("sent");
        check(stream.get_ref().stats().sent.bytes);
        assert!(stream.close().expect("closed").clean);
        let read = receiving.join().expect("no panic");
        assert_eq!(read, vec![text.as_bytes(); 6]);
    }
}

/// An answer made by hand must not promise what the connection is not configured for.
#[test]
fn compression_is_not_agreed_without_a_codec() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    let client = thread::spawn(move || {
        let stream = TcpStream::connect(address).expect("connected");
        let connector = Connector::new().with_config(deflating(DeflateConfig::default()));
        connector.handshake(stream, "ws://h/").map(drop)
    });
    let (stream, _) = listener.accept().expect("accepted");
    let incoming = Acceptor::new().read_request(stream).expect("it is HTTP");
    let offer = incoming.request().offer().expect("it is a handshake");
    let acceptance = offer.accept().deflate(&DeflateConfig::default().terms);
    let refused = incoming.accept_with(Config::default(), &acceptance);
    assert!(matches!(
        refused,
        Err(AcceptError::Response(ResponseError::DeflateNotConfigured))
    ));
    let refused = client.join().expect("no panic");
    let Err(ConnectError::Handshake(HandshakeError::Refused(refusal))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal.response().status(), 500);
}
