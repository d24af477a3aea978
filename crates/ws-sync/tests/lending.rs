//! Messages that are received where they lie: the same messages in the same order as those that are owned.

use std::io::{self, Read, Write};

use bytes::BytesMut;
use ws_sync::{Compress, Config, Message, MessageRef, Untimed, WebSocket};
use ws_testkit::{Frame, vectors};

/// Gives what a peer has sent, so many bytes with each read, and keeps each write.
struct Script {
    incoming: io::Cursor<Vec<u8>>,
    piece: usize,
    writes: Vec<Vec<u8>>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(self.piece);
        self.incoming.read(&mut buffer[..len])
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn frames() -> Vec<u8> {
    [
        Frame::text("first"),
        Frame::ping("are you there?"),
        Frame::text("frag").not_fin(),
        Frame::ping("in between"),
        Frame::continuation("mented"),
        Frame::binary(Vec::new()),
        Frame::binary(vec![2; 20_000]),
        Frame::text("last"),
        Frame::close(1000, ""),
    ]
    .map(|frame| frame.masked(vectors::KEY).bytes())
    .concat()
}

fn messages() -> Vec<Message> {
    vec![
        Message::text("first"),
        Message::text("fragmented"),
        Message::binary(Vec::new()),
        Message::binary(vec![2; 20_000]),
        Message::text("last"),
    ]
}

fn server(incoming: Vec<u8>, piece: usize) -> WebSocket<Untimed<Script>> {
    let script = Script {
        incoming: io::Cursor::new(incoming),
        piece,
        writes: Vec::new(),
    };
    WebSocket::server(Untimed(script), Config::default(), BytesMut::new())
}

/// spec: S-07
#[test]
fn lent_or_owned_the_messages_are_the_same_in_any_pieces() {
    for piece in [1, 2, 3, 7, 100, 4_096, 200_000] {
        for turn in 0..3 {
            let mut ws = server(frames(), piece);
            let mut received = Vec::new();
            loop {
                // Both ways take turns.
                let message = match (received.len() + turn) % 3 {
                    0 => ws.recv().expect("received"),
                    _ => {
                        let lent = ws.recv_ref().expect("received");
                        lent.map(|lent| lent.message().to_message())
                    }
                };
                match message {
                    Some(message) => received.push(message),
                    None => break,
                }
            }
            assert_eq!(received, messages(), "pieces of {piece}");
        }
    }
}

#[test]
fn replies_to_what_is_lent_leave_together() {
    let burst: Vec<u8> = (0..16)
        .flat_map(|number| Frame::binary([number; 8]).masked(vectors::KEY).bytes())
        .collect();
    let replies: Vec<u8> = (0..16)
        .flat_map(|number| Frame::binary([number; 8]).bytes())
        .collect();
    let mut ws = server(burst, 10_000);
    for _ in 0..16 {
        let mut received = ws.recv_ref().expect("received").expect("a message");
        let (message, mut replies) = received.parts();
        replies.send(message, Compress::Auto).expect("queued");
    }
    // The last of them has no other to leave with.
    assert_eq!(ws.get_ref().0.writes, [replies]);
}

#[test]
fn a_message_is_sent_from_where_it_lies() {
    let mut ws = server(Vec::new(), 1);
    let text = String::from("kept");
    ws.send_ref(&text).expect("sent");
    ws.send_ref(MessageRef::binary(b"lent")).expect("sent");
    let expected = [Frame::text("kept").bytes(), Frame::binary("lent").bytes()];
    assert_eq!(ws.get_ref().0.writes, expected);
}

/// spec: PM-01
#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_are_lent() {
    use std::net::{TcpListener, TcpStream};

    let config = || Config::default().with_deflate(ws_sync::DeflateConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = TcpStream::connect(listener.local_addr().expect("it has one")).expect("connected");
    let (far, _) = listener.accept().expect("accepted");
    let acceptor = ws_sync::Acceptor::new().with_config(config());
    let connector = ws_sync::Connector::new().with_config(config());
    let accepting = std::thread::spawn(move || acceptor.accept(far).expect("accepted"));
    let mut client = connector
        .handshake(near, "ws://localhost/")
        .expect("connected");
    let mut server = accepting.join().expect("no panic");
    assert!(server.deflate().is_some());
    for text in ["to be or not to be ".repeat(100), "short".to_owned()] {
        client.send_ref(&text).expect("sent");
        {
            let received = server.recv_ref().expect("received");
            let mut received = received.expect("a message");
            let (message, mut replies) = received.parts();
            assert_eq!(message.as_text(), Some(&*text));
            replies.send(message, Compress::Auto).expect("queued");
        }
        let echo = client.recv().expect("received").expect("a message");
        assert_eq!(echo.as_text(), Some(&*text));
    }
    assert!(client.stats().sent.bytes < 1000, "{:?}", client.stats());
}
