//! One contender's process: started on its core, asked for its CPU time, and always taken down again.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::{AddAssign, Sub};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::Result;
use crate::arguments::Arguments;
use crate::compression::Agreed;
use crate::contender::{Contender, Kind};
use crate::scenario::Pattern;
use crate::wire;

pub struct Server {
    process: Child,
    clock: ClockId,
    port: u16,
    shakes_hands: bool,
    offer: Option<&'static str>,
}

/// All clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// CPU time of the server's process, user and system, all threads.
    pub server: Duration,
    pub generator: Duration,
    pub wall: Instant,
}

/// What has gone by between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    pub server: Duration,
    pub generator: Duration,
    pub wall: Duration,
}

impl Sub for Reading {
    type Output = Spent;

    fn sub(self, before: Self) -> Spent {
        Spent {
            server: self.server - before.server,
            generator: self.generator - before.generator,
            wall: self.wall - before.wall,
        }
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.server += more.server;
        self.generator += more.generator;
        self.wall += more.wall;
    }
}

const READ_TIMEOUT: Duration = Duration::from_secs(10);

impl Server {
    pub fn start(contender: &Contender, arguments: &Arguments) -> Result<Self> {
        // The child inherits the core it is started on, before any thread of its own exists.
        pin_this_thread(arguments.server_core)?;
        let process = Command::new(contender.binary()?)
            .args(contender.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        pin_this_thread(arguments.generator_core)?;
        let process = process?;
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(process.id().try_into()?))?;
        let mut server = Self {
            process,
            clock,
            port: 0,
            // The answer tells too that the connection is one of those that get what is broadcast.
            shakes_hands: contender.kind != Kind::Floor || contender.pattern == Pattern::Broadcast,
            offer: contender.offer,
        };
        let stdout = server
            .process
            .stdout
            .take()
            .ok_or("the server has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        server.port = line.trim().parse()?;
        Ok(server)
    }

    /// Opens blocking connections, past the handshake where there is one.
    pub fn connect(&self, count: usize) -> Result<Vec<TcpStream>> {
        (0..count).map(|_| Ok(self.connect_one()?.0)).collect()
    }

    /// Opens blocking connections on which compression is agreed.
    pub fn connect_deflated(&self, count: usize) -> Result<Vec<(TcpStream, Agreed)>> {
        (0..count)
            .map(|_| {
                let (stream, answer) = self.connect_one()?;
                Ok((stream, Agreed::parse(answer.as_deref())?))
            })
            .collect()
    }

    pub fn reading(&self) -> Result<Reading> {
        Ok(Reading {
            server: self.clock.now()?.into(),
            generator: ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?.into(),
            wall: Instant::now(),
        })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A connection, and the server's answer to what it was offered.
    fn connect_one(&self) -> Result<(TcpStream, Option<String>)> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        let answer = match self.shakes_hands {
            true => wire::handshake(&mut stream, self.offer)?,
            false => None,
        };
        Ok((stream, answer))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self
            .process
            .kill()
            .and_then(|()| self.process.wait().map(drop))
        {
            eprintln!("stopping server {}: {error}", self.process.id());
        }
    }
}

pub fn pin_this_thread(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &cores)?;
    Ok(())
}
