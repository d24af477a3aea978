//! Echo server on web-socket, with the buffered reader its examples have. It has no handshake, does not put fragments
//! together and does not check text: the first is the harness's, the others are done here, as its user would have to.
#![forbid(unsafe_code)]

use tokio::io::BufReader;
use tokio::net::TcpStream;
use web_socket::{DataType, Event, MessageType, Stream, WebSocket};

fn main() -> harness::Outcome {
    harness::run_tokio(|mut stream| async move {
        harness::handshake::answer_tokio(&mut stream).await?;
        let mut ws = WebSocket::server(BufReader::new(stream));
        let mut message = Vec::new();
        loop {
            match ws.recv().await? {
                Event::Data { ty, data } => match ty {
                    DataType::Complete(kind) => echo(&mut ws, kind, &data).await?,
                    DataType::Stream(part) => {
                        message.extend_from_slice(&data);
                        if let Stream::End(kind) = part {
                            echo(&mut ws, kind, &message).await?;
                            message.clear();
                        }
                    }
                },
                Event::Ping(data) => ws.send_pong(data).await?,
                Event::Pong(_) => {}
                Event::Error(error) => return Err(error.into()),
                Event::Close { code, .. } => return Ok(ws.close(code).await?),
            }
        }
    })
}

async fn echo(
    ws: &mut WebSocket<BufReader<TcpStream>>,
    kind: MessageType,
    message: &[u8],
) -> harness::Outcome {
    match kind {
        MessageType::Text => ws.send(std::str::from_utf8(message)?).await?,
        MessageType::Binary => ws.send(message).await?,
    }
    Ok(())
}
