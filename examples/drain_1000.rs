//! What it takes to end a server: `cargo run --release --example drain_1000`, or with `-- sync` for the one with threads.
//!
//! A server in a process of its own gets 1,000 connections and is then drained. Printed are the time it takes, the close
//! codes that the clients saw and when, and the server's memory.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, spawn_blocking};
use ws_async::serving::{Drain, Drained};
use ws_async::{CloseCode, Config, Connector, HandlerResult, Server, Session};

const CONNECTIONS: usize = 1_000;
/// The Close frames are spread over so long.
const WINDOW: Duration = Duration::from_secs(1);
/// Nothing here takes longer.
const DEADLINE: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["serve", "sync"] => spawn_blocking(serve_sync).await?,
        ["serve", "async"] => serve_async().await,
        ["sync"] => measure("sync").await,
        _ => measure("async").await,
    }
}

async fn measure(binding: &str) -> Result<(), Failure> {
    let mut server = Command::new(env::current_exe()?)
        .args(["serve", binding])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(server.stdout.take().ok_or("no output")?);
    let mut address = String::new();
    output.read_line(&mut address)?;
    let clients = connect(address.trim().parse()?, CONNECTIONS).await?;
    println!("ws-{binding}: {} connections are open", clients.len());
    // The end of its input is the server's sign to end.
    drop(server.stdin.take());
    let seen = watch(clients).await?;
    let mut report = String::new();
    output.read_to_string(&mut report)?;
    print!("{report}");
    for (code, mut times) in seen {
        times.sort();
        if let [first, .., last] = *times {
            println!(
                "{} clients saw {code}, between {first:.0?} and {last:.0?}",
                times.len()
            );
        }
    }
    server.wait()?;
    Ok(())
}

/// Listens, says where, and drains when standard input ends.
async fn serve_async() -> Result<(), Failure> {
    let server = Server::builder()
        .with_max_connections(CONNECTIONS)
        .route("/echo", echo)
        .bind("127.0.0.1:0")
        .await?;
    println!("{}", server.local_addr()?);
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let begun = spawn_blocking(until_told).await??;
    report(handle.drain(how()?).await, begun);
    Ok(running.await?)
}

/// The same with a thread for each connection.
fn serve_sync() -> Result<(), Failure> {
    let server = ws_sync::Server::builder()
        .with_max_connections(CONNECTIONS)
        .route("/echo", |mut session| {
            while let Some(message) = session.recv()? {
                session.send(message)?;
            }
            Ok(())
        })
        .bind("127.0.0.1:0")?;
    println!("{}", server.local_addr()?);
    let handle = server.handle();
    let running = thread::spawn(|| server.run());
    let begun = until_told()?;
    report(handle.drain(how()?), begun);
    running.join().map_err(|_| "the server panicked".into())
}

async fn echo(mut session: Session) -> HandlerResult {
    while let Some(message) = session.recv().await? {
        session.send(message).await?;
    }
    Ok(())
}

fn until_told() -> io::Result<Instant> {
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(Instant::now())
}

fn how() -> Result<Drain, Failure> {
    let drain = Drain::new(CloseCode::GOING_AWAY, "the server stops")?;
    Ok(drain.with_window(WINDOW).with_deadline(DEADLINE))
}

fn report(drained: Drained, begun: Instant) {
    println!("drained in {:.0?}: {drained:?}", begun.elapsed());
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.unwrap_or_default().trim();
        println!("the server's memory, at most: {peak}");
    }
}

type Client = ws_async::WebSocket<tokio::net::TcpStream>;

async fn connect(address: SocketAddr, count: usize) -> Result<Vec<Client>, Failure> {
    let connector = Connector::new().with_config(Config::default().with_ping_interval(None));
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = connector.connect(&format!("ws://{address}/echo")).await?;
        client.send("hello").await?;
        client.recv().await?.ok_or("closed too early")?;
        clients.push(client);
    }
    Ok(clients)
}

/// Which codes the clients see, and when each does.
async fn watch(clients: Vec<Client>) -> Result<BTreeMap<CloseCode, Vec<Duration>>, Failure> {
    let begun = Instant::now();
    let mut watching = JoinSet::new();
    for mut client in clients {
        watching.spawn(async move {
            // An error is an end too; the code is 1006 then.
            while let Ok(Some(_)) = client.recv().await {}
            let code = client
                .close_info()
                .map_or(CloseCode::ABNORMAL, |info| info.code());
            (code, begun.elapsed())
        });
    }
    let mut seen = BTreeMap::<_, Vec<_>>::new();
    for (code, time) in watching.join_all().await {
        seen.entry(code).or_default().push(time);
    }
    Ok(seen)
}

#[tokio::test]
async fn every_client_sees_the_code() -> Result<(), Failure> {
    let server = Server::builder()
        .route("/echo", echo)
        .bind("127.0.0.1:0")
        .await?;
    let clients = connect(server.local_addr()?, 20);
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let clients = clients.await?;
    let draining = tokio::spawn(async move {
        handle
            .drain(Drain::default().with_window(Duration::ZERO))
            .await
    });
    let seen = watch(clients).await?;
    assert_eq!(
        seen.into_iter()
            .map(|(code, times)| (code.get(), times.len()))
            .collect::<Vec<_>>(),
        [(1001, 20)]
    );
    assert_eq!(draining.await?.closed, 20);
    Ok(running.await?)
}
