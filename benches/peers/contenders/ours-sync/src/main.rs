//! Echo server on ws-sync, a blocking thread per connection, at its defaults.
#![forbid(unsafe_code)]

use bytes::BytesMut;
use ws_sync::{Config, WebSocket};

fn main() -> harness::Outcome {
    harness::run_threads(|mut stream| {
        harness::handshake::answer(&mut stream)?;
        let mut ws = WebSocket::server(stream, Config::default(), BytesMut::new());
        while let Some(message) = ws.recv()? {
            ws.send(message)?;
        }
        Ok(())
    })
}
