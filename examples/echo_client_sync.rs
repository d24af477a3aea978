//! Sends each argument and prints the replies: `cargo run --example echo_client_sync -- ws://127.0.0.1:9001/ hello`.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use ws_sync::{CloseCode, Message};

fn main() -> ExitCode {
    match talk() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn talk() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let uri = arguments
        .next()
        .ok_or("usage: echo_client_sync URI [MESSAGE...]")?;
    let mut ws = ws_sync::connect(&uri)?;
    for argument in arguments {
        ws.send(argument)?;
        match ws.recv()? {
            Some(Message::Text(text)) => println!("text: {text}"),
            Some(Message::Binary(bytes)) => println!("binary: {} bytes", bytes.len()),
            None => break,
        }
    }
    let info = ws.close(CloseCode::NORMAL, "")?;
    println!("closed: {} {}", info.code().get(), info.reason());
    Ok(())
}
