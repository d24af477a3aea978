//! S9: what a connection that waits costs in the server's memory, before and after it has echoed 64 KiB once.

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;
use crate::arguments::Arguments;
use crate::contender::Contender;
use crate::generator::{Check, Generator};
use crate::round::Load as _;
use crate::scenario::Pattern;
use crate::server::Server;
use crate::wire::{Burst, Payload};

pub const NAME: &str = "S9";
const CONNECTIONS: usize = 2000;
/// So many connections echo at the same time: a server's peak is then that of a busy moment, not of a stampede.
const AT_A_TIME: usize = 16;

/// Proportional and resident set size, in bytes.
#[derive(Debug, Clone, Copy)]
struct Footprint {
    pss: u64,
    rss: u64,
}

pub fn print(contenders: &[Contender], arguments: &Arguments) -> Result<()> {
    println!("\n## {NAME} idle memory, bytes per connection, {CONNECTIONS} connections\n");
    println!("| contender | PSS idle | PSS after one 64 KiB echo each | RSS idle | RSS after |");
    println!("|---|---:|---:|---:|---:|");
    for contender in contenders
        .iter()
        .filter(|contender| contender.pattern == Pattern::Echo)
    {
        match measure(contender, arguments) {
            Ok((idle, after)) => println!(
                "| {} | {} | {} | {} | {} |",
                contender.name, idle.pss, after.pss, idle.rss, after.rss
            ),
            Err(error) => eprintln!("{NAME} {}: {error}", contender.name),
        }
    }
    Ok(())
}

fn measure(contender: &Contender, arguments: &Arguments) -> Result<(Footprint, Footprint)> {
    let server = Server::start(contender, arguments)?;
    let burst = Burst::messages(contender.kind, Pattern::Echo, Payload::Binary, 65_536, 1);
    // One connection goes through everything first, so that what a process or a thread has once is not counted.
    let first = echo(server.connect(1)?, &burst)?;
    let base = Footprint::settled(&server)?;
    let mut streams = server.connect(CONNECTIONS)?;
    let idle = Footprint::settled(&server)?.per_connection(base);
    let mut done = first;
    while !streams.is_empty() {
        let some = streams.split_off(streams.len().saturating_sub(AT_A_TIME));
        done.extend(echo(some, &burst)?);
    }
    let after = Footprint::settled(&server)?.per_connection(base);
    drop(server);
    drop(done);
    Ok((idle, after))
}

fn echo(streams: Vec<TcpStream>, burst: &Burst) -> Result<Vec<TcpStream>> {
    let mut generator = Generator::new(Pattern::Echo, streams, burst, Check::Contents)?;
    generator.exchange_once()?;
    generator.into_streams()
}

impl Footprint {
    /// Taken once the server has stopped working.
    fn settled(server: &Server) -> Result<Self> {
        const QUIET: Duration = Duration::from_millis(20);
        server.process.settled(QUIET)?;
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", server.process.pid()))?;
        Ok(Self {
            pss: field(&rollup, "Pss:")?,
            rss: field(&rollup, "Rss:")?,
        })
    }

    fn per_connection(self, base: Self) -> Self {
        let share = |now: u64, base: u64| now.saturating_sub(base) / CONNECTIONS as u64;
        Self {
            pss: share(self.pss, base.pss),
            rss: share(self.rss, base.rss),
        }
    }
}

fn field(rollup: &str, name: &str) -> Result<u64> {
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or("no such line in smaps_rollup")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}
