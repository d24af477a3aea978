//! Compression over a stream: agreed by one call at each end.

#![cfg(feature = "deflate")]

use std::net::{TcpListener, TcpStream};
use std::thread;

use ws_sync::{
    Acceptor, CloseCode, Compress, Config, Connector, Deflate, DeflateConfig, Message, MessageKind,
    PreparedMessage, WebSocket,
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
    let cases = [
        (on(), on(), true),
        (on(), deflating(DeflateConfig::tiny()), true),
        (deflating(DeflateConfig::ultra()), on(), true),
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
