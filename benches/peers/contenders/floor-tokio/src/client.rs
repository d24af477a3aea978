//! Raw TCP client on tokio: sends the bytes of a burst, and counts those that come back.
#![forbid(unsafe_code)]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn main() -> harness::Outcome {
    harness::client::run_tokio(|mut stream| async move {
        let (burst, reply_len) = harness::client::encoded_burst();
        let mut reply = vec![0; reply_len];
        loop {
            stream.write_all(&burst).await?;
            stream.read_exact(&mut reply).await?;
        }
    })
}
