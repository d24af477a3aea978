//! Echo server on yawc behind hyper, whose upgrade is the only handshake it has.
#![forbid(unsafe_code)]

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use yawc::{HttpWebSocket, OpCode, Options, WebSocket};

fn main() -> harness::Outcome {
    harness::run_tokio(|stream| async move {
        let upgrade = service_fn(|mut request| async move {
            let options = Options::default().with_utf8();
            let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
            // A task of its own, for hyper hands the connection over when this response is written.
            tokio::spawn(async move {
                if let Ok(mut ws) = upgraded.await
                    && let Err(error) = echo(&mut ws).await
                {
                    eprintln!("{error}");
                }
            });
            Ok::<_, yawc::WebSocketError>(response)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), upgrade);
        Ok(connection.with_upgrades().await?)
    })
}

async fn echo(ws: &mut HttpWebSocket) -> yawc::Result<()> {
    while let Some(frame) = ws.next().await {
        if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
            ws.send(frame).await?;
        }
    }
    Ok(())
}
