//! Raw TCP broadcast on tokio: what one connection sends goes to all, unparsed. `loop`: the task that received it writes
//! to every socket, which is the least that can be done. `channel`: it goes through tokio's broadcast channel, and each
//! connection's task writes to its own socket.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::sync::Arc;

use harness::handshake::answer_tokio;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, broadcast};

const BUFFER_LEN: usize = 16 * 1024;
const BACKLOG: usize = 1024;

fn main() -> harness::Outcome {
    match harness::way().as_str() {
        "loop" => in_a_loop(),
        "channel" => through_a_channel(),
        other => harness::unknown_way(other),
    }
}

fn in_a_loop() -> harness::Outcome {
    let everybody: Arc<Mutex<Vec<Arc<TcpStream>>>> = Arc::default();
    harness::run_tokio(move |mut stream| {
        let everybody = Arc::clone(&everybody);
        async move {
            answer_tokio(&mut stream).await?;
            let stream = Arc::new(stream);
            everybody.lock().await.push(Arc::clone(&stream));
            let mut buffer = vec![0; BUFFER_LEN];
            loop {
                stream.readable().await?;
                let received = match stream.try_read(&mut buffer) {
                    Ok(0) => break,
                    Ok(received) => &buffer[..received],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error.into()),
                };
                for one in everybody.lock().await.iter() {
                    write_all(one, received).await?;
                }
            }
            let mut everybody = everybody.lock().await;
            everybody.retain(|other| !Arc::ptr_eq(other, &stream));
            Ok(())
        }
    })
}

/// Through a shared reference, and outside tokio's budget of operations at a stretch.
async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn through_a_channel() -> harness::Outcome {
    let (to_everybody, _) = broadcast::channel::<Arc<[u8]>>(BACKLOG);
    harness::run_tokio(move |mut stream| {
        let to_everybody = to_everybody.clone();
        let mut published = to_everybody.subscribe();
        async move {
            answer_tokio(&mut stream).await?;
            let mut buffer = vec![0; BUFFER_LEN];
            loop {
                tokio::select! {
                    received = stream.read(&mut buffer) => match received? {
                        0 => return Ok(()),
                        received => _ = to_everybody.send(buffer[..received].into())?,
                    },
                    bytes = published.recv() => stream.write_all(&bytes?).await?,
                }
            }
        }
    })
}
