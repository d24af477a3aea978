//! Echo server on ws-async, at its defaults. `--feed` leaves the moment of writing to `recv`.
#![forbid(unsafe_code)]

fn main() -> harness::Outcome {
    // Two branches and not one loop, so that each task carries its own state only.
    if harness::has_flag("--feed") {
        harness::run_tokio(|stream| async move {
            let mut ws = ws_async::accept(stream).await?;
            while let Some(message) = ws.recv().await? {
                ws.feed(message).await?;
            }
            Ok(())
        })
    } else {
        harness::run_tokio(|stream| async move {
            let mut ws = ws_async::accept(stream).await?;
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        })
    }
}
