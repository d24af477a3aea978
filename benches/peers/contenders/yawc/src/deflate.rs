//! Echo server on yawc with its balanced compression, behind hyper as its documentation has it. `--batch` sends the
//! replies to everything that is already received in one flush.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::task::Poll;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use yawc::{Frame, HttpWebSocket, OpCode, Options, WebSocket};

const MIB: usize = 1024 * 1024;

fn main() -> harness::Outcome {
    let is_batching = harness::has_flag("--batch");
    harness::run_tokio(move |stream| serve(stream, is_batching))
}

async fn serve(stream: TcpStream, is_batching: bool) -> harness::Outcome {
    let upgrade = service_fn(move |mut request| async move {
        let options = Options::default()
            .with_balanced_compression()
            .with_limits(16 * MIB, 32 * MIB)
            .with_utf8();
        let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
        // A task of its own, for hyper hands the connection over when this response is written.
        tokio::spawn(async move {
            if let Ok(mut ws) = upgraded.await
                && let Err(error) = echo(&mut ws, is_batching).await
            {
                eprintln!("{error}");
            }
        });
        Ok::<_, yawc::WebSocketError>(response)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), upgrade);
    Ok(connection.with_upgrades().await?)
}

async fn echo(ws: &mut HttpWebSocket, is_batching: bool) -> yawc::Result<()> {
    loop {
        let next = match is_batching {
            true => next_or_flush(ws).await?,
            false => ws.next().await,
        };
        let Some(frame) = next else {
            return Ok(());
        };
        if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
            match is_batching {
                true => ws.feed(frame).await?,
                false => ws.send(frame).await?,
            }
        }
    }
}

/// The next message; the replies leave when there is none yet.
async fn next_or_flush(ws: &mut HttpWebSocket) -> yawc::Result<Option<Frame>> {
    let ready = poll_fn(|cx| match ws.poll_next_unpin(cx) {
        Poll::Ready(frame) => Poll::Ready(Some(frame)),
        Poll::Pending => Poll::Ready(None),
    });
    match ready.await {
        Some(frame) => Ok(frame),
        None => {
            ws.flush().await?;
            Ok(ws.next().await)
        }
    }
}
