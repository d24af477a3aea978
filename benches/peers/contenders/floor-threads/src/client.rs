//! Raw TCP client that blocks: sends the bytes of a burst, and counts those that come back.
#![forbid(unsafe_code)]

use std::io::{Read as _, Write as _};

fn main() -> harness::Outcome {
    let mut stream = harness::client::connect()?;
    let (burst, reply_len) = harness::client::encoded_burst();
    let mut reply = vec![0; reply_len];
    loop {
        stream.write_all(&burst)?;
        stream.read_exact(&mut reply)?;
    }
}
