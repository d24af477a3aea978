//! Enough of RFC 6455 section 4 for the driver, which sends nothing before it has seen the answer, and for contenders
//! that are measured on the bare socket; no handshake of this module is ever timed.

use std::io::{Read, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha1::{Digest as _, Sha1};

use crate::Outcome;

const END: &[u8] = b"\r\n\r\n";

/// Answers the opening handshake on a tokio stream.
#[cfg(feature = "tokio")]
pub async fn answer_tokio(stream: &mut tokio::net::TcpStream) -> Outcome {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut request = Vec::new();
    while !request.ends_with(END) {
        if stream.read_buf(&mut request).await? == 0 {
            return Err("the driver left during the handshake".into());
        }
    }
    stream.write_all(response(request)?.as_bytes()).await?;
    Ok(())
}

/// Answers the opening handshake on a blocking stream.
pub fn answer(stream: &mut (impl Read + Write)) -> Outcome {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(END) {
        stream.read_exact(&mut byte)?;
        request.extend_from_slice(&byte);
    }
    stream.write_all(response(request)?.as_bytes())?;
    Ok(())
}

/// Asks for a WebSocket on a blocking stream, and reads the answer to its last byte and no further.
pub fn request(stream: &mut (impl Read + Write)) -> Outcome {
    // The sample key of section 1.3, and the answer given there.
    const REQUEST: &[u8] =
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    stream.write_all(REQUEST)?;
    let mut response = Vec::new();
    let mut byte = [0];
    while !response.ends_with(END) {
        stream.read_exact(&mut byte)?;
        response.extend_from_slice(&byte);
    }
    match String::from_utf8(response)?.contains(ACCEPT) {
        true => Ok(()),
        false => Err("the driver did not answer the handshake".into()),
    }
}

fn response(request: Vec<u8>) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let request = String::from_utf8(request)?;
    let key = request
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Key"))
        .map(|(_, key)| key.trim())
        .ok_or("no Sec-WebSocket-Key")?;
    let accept = BASE64_STANDARD.encode(Sha1::digest(format!(
        "{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    )));
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    ))
}
