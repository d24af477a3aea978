//! Echo server on ws-async, at its defaults. `--feed` leaves the moment of writing to `recv`; `--lend` answers messages
//! where they lie; `--split` uses the halves.
#![forbid(unsafe_code)]

use ws_async::Compress;

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
    } else if harness::has_flag("--lend") {
        harness::run_tokio(|stream| async move {
            let mut ws = ws_async::accept(stream).await?;
            while let Some(mut received) = ws.recv_ref().await? {
                let (message, mut replies) = received.parts();
                replies.send(message, Compress::Auto)?;
            }
            Ok(())
        })
    } else if harness::has_flag("--split") {
        harness::run_tokio(|stream| async move {
            let (sender, mut receiver) = ws_async::accept(stream).await?.split();
            while let Some(message) = receiver.recv().await? {
                sender.send(message).await?;
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
