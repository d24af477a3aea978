//! Raw TCP echo with a blocking thread and a buffer per connection; the buffer's size is the argument (default 64 KiB).
#![forbid(unsafe_code)]

use std::io::{Read as _, Write as _};

fn main() -> harness::Outcome {
    harness::run_threads(|mut stream| {
        let mut buffer = vec![0; harness::size_argument().unwrap_or(64 * 1024)];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                received => stream.write_all(&buffer[..received])?,
            }
        }
    })
}
