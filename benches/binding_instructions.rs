//! Instructions of a whole echo through `ws-async` on tokio, over a stream in memory, per message of 125 bytes: what the
//! binding, the runtime and the connection cost together. It runs itself under callgrind and prints a Markdown table.
//!
//! `cargo bench -p ws-benches --bench binding_instructions`
//!
//! To see where they go, take the path of the binary that cargo prints:
//! `valgrind --tool=callgrind BINARY lending 16 1000`, then `callgrind_annotate`; 16 frames come with each of 1,000
//! reads. A fourth argument is the length of their payload.

mod counting;
mod frames;

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_async::{Config, WebSocket};
use ws_frame::{MaskKey, Opcode};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PAYLOAD_LEN: usize = 125;

/// Two runs that differ by this many reads differ by their instructions alone: starting up cancels out.
const READS: u64 = 200;

const FRAMES_PER_READ: [u64; 2] = [1, 16];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [way, frames, reads] => echo(way, frames, reads, PAYLOAD_LEN),
        [way, frames, reads, len] => match len.parse() {
            Ok(len) => echo(way, frames, reads, len),
            Err(_) => Err("the length is no number".into()),
        },
        // `cargo bench` says this; `cargo test` says something else or nothing.
        arguments if arguments.contains(&"--bench") => print_table(),
        _ => Way::ALL
            .iter()
            .try_for_each(|way| echo(way.name(), "16", "1", PAYLOAD_LEN)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// How an echo server answers.
#[derive(Clone, Copy)]
enum Way {
    Send,
    Feed,
    Lending,
}

impl Way {
    const ALL: [Self; 3] = [Self::Send, Self::Feed, Self::Lending];

    const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Feed => "feed",
            Self::Lending => "lending",
        }
    }
}

fn print_table() -> Result<()> {
    println!("| loop | frames per read | instructions per message |");
    println!("|---|---:|---:|");
    for way in Way::ALL {
        for frames in FRAMES_PER_READ {
            let run = |reads: u64| {
                let arguments = [way.name().into(), frames.to_string(), reads.to_string()];
                counting::instructions(&arguments, &[])
            };
            let difference = run(2 * READS)?.saturating_sub(run(READS)?);
            println!(
                "| {} | {frames} | {} |",
                way.name(),
                difference / (READS * frames)
            );
        }
    }
    Ok(())
}

fn echo(way: &str, frames: &str, reads: &str, payload_len: usize) -> Result<()> {
    let way = Way::ALL.into_iter().find(|known| known.name() == way);
    let way = way.ok_or("there is no such way")?;
    let (frames, reads): (usize, usize) = (frames.parse()?, reads.parse()?);
    let payload = vec![0x42; payload_len];
    let mut read = Vec::new();
    let mut reply = Vec::new();
    for number in 0..frames {
        let key = MaskKey::new([0x37, 0xfa, 0x21, number as u8]);
        frames::put(&mut read, Opcode::Binary, Some(key), &payload);
        frames::put(&mut reply, Opcode::Binary, None, &payload);
    }
    let stream = Peer {
        read,
        left: reads,
        is_read: false,
        reply,
        replies: 0,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let replies = runtime.block_on(async move {
        // What is put off needs a task to be put off in.
        tokio::spawn(async move {
            let mut ws = WebSocket::server(stream, Config::default(), BytesMut::new());
            let ended = match way {
                Way::Send => send(&mut ws).await,
                Way::Feed => feed(&mut ws).await,
                Way::Lending => lend(&mut ws).await,
            };
            // The peer ends the connection without a Close.
            match ended {
                Ok(()) => Err("it has not ended".into()),
                Err(_) => Ok::<usize, Box<dyn Error + Send + Sync>>(ws.get_ref().replies),
            }
        })
        .await?
    })?;
    if replies != reads {
        return Err(format!("{replies} replies to {reads} reads").into());
    }
    Ok(())
}

async fn send(ws: &mut WebSocket<Peer>) -> std::result::Result<(), ws_async::Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

async fn feed(ws: &mut WebSocket<Peer>) -> std::result::Result<(), ws_async::Error> {
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}

async fn lend(ws: &mut WebSocket<Peer>) -> std::result::Result<(), ws_async::Error> {
    while let Some(mut received) = ws.recv_ref().await? {
        let (message, mut replies) = received.parts();
        replies.send(message, ws_async::Compress::Auto)?;
    }
    Ok(())
}

/// A peer that sends the same again and again, waits between two reads, and compares what comes back.
struct Peer {
    read: Vec<u8>,
    left: usize,
    is_read: bool,
    reply: Vec<u8>,
    replies: usize,
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.is_read) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left > 0 {
            self.left -= 1;
            self.is_read = true;
            buffer.put_slice(&self.read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<io::Result<usize>> {
        // One write for one read, or it is not this that is measured.
        if written != self.reply {
            return Poll::Ready(Err(io::Error::other("that is no echo")));
        }
        self.replies += 1;
        Poll::Ready(Ok(written.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
