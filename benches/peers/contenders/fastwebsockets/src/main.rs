//! Echo server on fastwebsockets with its `FragmentCollector`, on the bare socket: its own upgrade goes through hyper,
//! whose stream would cost it a dynamic dispatch per read and write.
#![forbid(unsafe_code)]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn main() -> harness::Outcome {
    harness::run_tokio(|mut stream| async move {
        handshake(&mut stream).await?;
        let mut ws = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
        loop {
            let frame = ws.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
                _ => {}
            }
        }
    })
}

/// Enough of RFC 6455 section 4.2 for the driver, which sends nothing before it has seen the answer.
async fn handshake(stream: &mut TcpStream) -> harness::Outcome {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Err("the driver left during the handshake".into());
        }
    }
    let request = String::from_utf8(request)?;
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .ok_or("no Sec-WebSocket-Key")?;
    let accept = BASE64_STANDARD.encode(Sha1::digest(format!(
        "{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    )));
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(response.as_bytes()).await?;
    Ok(())
}
