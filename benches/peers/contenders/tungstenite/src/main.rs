//! Echo server on tungstenite, a blocking thread per connection.
#![forbid(unsafe_code)]

use tungstenite::Error;

fn main() -> harness::Outcome {
    harness::run_threads(|stream| {
        let mut ws = tungstenite::accept(stream)?;
        loop {
            let message = match ws.read() {
                Ok(message) => message,
                Err(Error::ConnectionClosed) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if message.is_text() || message.is_binary() {
                ws.send(message)?;
            }
        }
    })
}
