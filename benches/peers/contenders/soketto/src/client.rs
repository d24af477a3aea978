//! Client on soketto, buffered as its example of a server is: each message of a burst, then one flush.
#![forbid(unsafe_code)]

use futures_util::io::{BufReader, BufWriter};
use soketto::Mode;
use soketto::connection::Builder;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

fn main() -> harness::Outcome {
    harness::client::run_tokio(|stream| async move {
        let stream = BufWriter::with_capacity(16 * 1024, stream.compat());
        let stream = BufReader::with_capacity(8 * 1024, stream);
        let (mut sender, mut receiver) = Builder::new(stream, Mode::Client).finish();
        let burst = harness::client::burst();
        let mut message = Vec::new();
        loop {
            for payload in &burst {
                sender.send_binary(payload).await?;
            }
            sender.flush().await?;
            for payload in &burst {
                message.clear();
                receiver.receive_data(&mut message).await?;
                harness::client::check(&message, payload)?;
            }
        }
    })
}
