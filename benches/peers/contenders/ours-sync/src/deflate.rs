//! Echo server on ws-sync, a blocking thread per connection, that compresses as it does by default, or for the fewest
//! bytes: `--ultra`.
#![forbid(unsafe_code)]

use ws_sync::{Acceptor, Config, DeflateConfig};

fn main() -> harness::Outcome {
    let deflate = match harness::has_flag("--ultra") {
        true => DeflateConfig::ultra(),
        false => DeflateConfig::default(),
    };
    let acceptor = Acceptor::new().with_config(Config::default().with_deflate(deflate));
    harness::run_threads(move |stream| {
        let mut ws = acceptor.accept(stream)?;
        while let Some(message) = ws.recv()? {
            ws.send(message)?;
        }
        Ok(())
    })
}
