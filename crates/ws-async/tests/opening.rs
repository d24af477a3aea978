//! What a client says before it knows whom it talks to: its request, and nothing else.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use ws_async::handshake::client::HandshakeError;
use ws_async::{ConnectError, Connector};

const ANSWER_TO_ANOTHER_KEY: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// spec: K-14, K-18, K-25, CC-46
#[tokio::test]
async fn a_client_that_is_answered_wrongly_says_nothing_more() {
    let (client, mut server) = duplex(64 * 1024);
    let connector = Connector::new();
    let connect = connector.handshake(client, "ws://example.com/");
    let serve = async {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(server.read_u8().await.expect("the request goes on"));
        }
        server
            .write_all(ANSWER_TO_ANOTHER_KEY)
            .await
            .expect("written");
        // Until the client drops the stream, for it has no connection and so no Close frame to send.
        let mut more = Vec::new();
        server.read_to_end(&mut more).await.expect("read");
        more
    };
    let (outcome, more) = tokio::join!(connect, serve);
    assert!(
        matches!(
            outcome,
            Err(ConnectError::Handshake(HandshakeError::InvalidAccept))
        ),
        "{outcome:?}"
    );
    assert_eq!(more, b"");
}
