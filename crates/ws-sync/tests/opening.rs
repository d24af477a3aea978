//! What a client says before it knows whom it talks to: its request, and nothing else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use ws_sync::handshake::client::HandshakeError;
use ws_sync::{ConnectError, connect};

const ANSWER_TO_ANOTHER_KEY: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// spec: K-14, K-18, K-25, CC-46
#[test]
fn a_client_that_is_answered_wrongly_says_nothing_more() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
    let client = thread::spawn(move || connect(&uri).map(|_| ()));
    let (mut server, _) = listener.accept().expect("accepted");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte).expect("the request goes on");
        request.extend(byte);
    }
    server.write_all(ANSWER_TO_ANOTHER_KEY).expect("written");
    // Until the client drops the stream, for it has no connection and so no Close frame to send.
    let mut more = Vec::new();
    server.read_to_end(&mut more).expect("read");
    let outcome = client.join().expect("no panic");
    assert!(
        matches!(
            outcome,
            Err(ConnectError::Handshake(HandshakeError::InvalidAccept))
        ),
        "{outcome:?}"
    );
    assert_eq!(more, b"");
}
