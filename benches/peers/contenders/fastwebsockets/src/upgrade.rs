//! Echo server on fastwebsockets behind hyper, whose upgrade is the only handshake it has.
#![forbid(unsafe_code)]

use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

fn main() -> harness::Outcome {
    harness::run_tokio(|stream| async move {
        let upgrade = service_fn(|mut request| async move {
            let (response, upgraded) = upgrade(&mut request)?;
            // A task of its own, for hyper hands the connection over when this response is written.
            tokio::spawn(async move {
                if let Err(error) = echo(upgraded).await {
                    eprintln!("{error}");
                }
            });
            Ok::<_, WebSocketError>(response)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), upgrade);
        Ok(connection.with_upgrades().await?)
    })
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut ws = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = ws.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
            _ => {}
        }
    }
}
