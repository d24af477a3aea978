//! Echo server on sockudo-ws with its `Compression::Dedicated`, "per-connection compressor (best ratio)". `--batch` sends
//! the replies to everything that is already received in one flush.
#![forbid(unsafe_code)]

use std::error::Error;
use std::future::poll_fn;
use std::task::Poll;

use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use sockudo_ws::deflate::negotiate_server_deflate;
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::{CompressedWebSocketStream, Compression, Config, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Stream = CompressedWebSocketStream<TcpStream>;

fn main() -> harness::Outcome {
    // Two branches and not one loop, so that each task carries its own state only.
    if harness::has_flag("--batch") {
        harness::run_tokio(|stream| async move {
            let mut ws = accept(stream).await?;
            while let Some(message) = next_or_flush(&mut ws).await? {
                if message.is_text() || message.is_binary() {
                    ws.feed(message).await?;
                }
            }
            Ok(())
        })
    } else {
        harness::run_tokio(|stream| async move {
            let mut ws = accept(stream).await?;
            while let Some(message) = ws.next().await {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    ws.send(message).await?;
                }
            }
            Ok(())
        })
    }
}

/// As its integration into axum does it; on the bare socket its server knows no compression.
async fn accept(mut stream: TcpStream) -> Result<Stream, Box<dyn Error + Send + Sync>> {
    let policy = Compression::Dedicated
        .to_deflate_config()
        .ok_or("no compression")?;
    let mut request = BytesMut::new();
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Err("the driver left during the handshake".into());
        }
        let Some((request, _)) = parse_request(&request)? else {
            continue;
        };
        let offers = request.extensions.unwrap_or_default();
        let agreed = negotiate_server_deflate(offers, &policy).ok_or("not agreed")?;
        let accept = generate_accept_key(request.key);
        let response = build_response(&accept, None, Some(&agreed.to_response_header()));
        stream.write_all(&response).await?;
        let config = Config::builder()
            .compression(Compression::Dedicated)
            .build();
        return Ok(Stream::server(stream, config, agreed.config));
    }
}

/// The next message; the replies leave when there is none yet.
async fn next_or_flush(ws: &mut Stream) -> sockudo_ws::Result<Option<Message>> {
    let ready = poll_fn(|cx| match ws.poll_next_unpin(cx) {
        Poll::Ready(message) => Poll::Ready(Some(message)),
        Poll::Pending => Poll::Ready(None),
    });
    match ready.await {
        Some(message) => message.transpose(),
        None => {
            ws.flush().await?;
            ws.next().await.transpose()
        }
    }
}
