//! Echo server on ws-sync, a blocking thread per connection, at its defaults.
#![forbid(unsafe_code)]

fn main() -> harness::Outcome {
    harness::run_threads(|stream| {
        let mut ws = ws_sync::accept(stream)?;
        while let Some(message) = ws.recv()? {
            ws.send(message)?;
        }
        Ok(())
    })
}
