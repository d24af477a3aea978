//! Sends each argument and prints the replies: `cargo run --example echo_client_async -- ws://127.0.0.1:9001/ hello`.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use ws_async::{CloseCode, Message};

#[tokio::main]
async fn main() -> ExitCode {
    match talk().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn talk() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let uri = arguments
        .next()
        .ok_or("usage: echo_client_async URI [MESSAGE...]")?;
    let mut ws = ws_async::connect(&uri).await?;
    for argument in arguments {
        ws.send(argument).await?;
        match ws.recv().await? {
            Some(Message::Text(text)) => println!("text: {text}"),
            Some(Message::Binary(bytes)) => println!("binary: {} bytes", bytes.len()),
            None => break,
        }
    }
    let info = ws.close(CloseCode::NORMAL, "").await?;
    println!("closed: {} {}", info.code().get(), info.reason());
    Ok(())
}
