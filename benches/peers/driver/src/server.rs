//! One contender's process: started on its core, asked for its CPU time, and always taken down again.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
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

/// The process under test.
pub struct Process {
    child: Child,
    clock: ClockId,
}

/// A process that has told where it listens.
pub struct Server {
    pub process: Process,
    pub door: Door,
}

/// Where a server listens, and what it expects of those who come.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    port: u16,
    shakes_hands: bool,
    offer: Option<&'static str>,
}

/// All clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// CPU time of the process under test, user and system, all threads.
    pub process: Duration,
    pub generator: Duration,
    pub wall: Instant,
}

/// What has gone by between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    pub process: Duration,
    pub generator: Duration,
    pub wall: Duration,
}

impl Sub for Reading {
    type Output = Spent;

    fn sub(self, before: Self) -> Spent {
        Spent {
            process: self.process - before.process,
            generator: self.generator - before.generator,
            wall: self.wall - before.wall,
        }
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.process += more.process;
        self.generator += more.generator;
        self.wall += more.wall;
    }
}

const READ_TIMEOUT: Duration = Duration::from_secs(10);

impl Process {
    fn start(
        contender: &Contender,
        port: Option<u16>,
        stdout: Stdio,
        arguments: &Arguments,
    ) -> Result<Self> {
        let mut command = Command::new(contender.binary()?);
        command
            .args(port.map(|port| port.to_string()))
            .args(contender.arguments)
            .stdin(Stdio::null())
            .stdout(stdout);
        // The child inherits the core it is started on, before any thread of its own exists.
        pin_this_thread(arguments.server_core)?;
        let child = command.spawn();
        pin_this_thread(arguments.generator_core)?;
        let child = child?;
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(child.id().try_into()?))?;
        Ok(Self { child, clock })
    }

    pub fn reading(&self) -> Result<Reading> {
        Ok(Reading {
            process: self.clock.now()?.into(),
            generator: ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?.into(),
            wall: Instant::now(),
        })
    }

    /// The same once the process has nothing to do. While it runs the kernel tells of its CPU time what it was at the
    /// last tick, which may be 4 ms ago.
    /// Nothing to do is to use none of it for as long as `quiet`.
    pub fn settled(&self, quiet: Duration) -> Result<Reading> {
        let started = Instant::now();
        let mut reading = self.reading()?;
        while started.elapsed() < READ_TIMEOUT {
            std::thread::sleep(quiet);
            let next = self.reading()?;
            if next.process == reading.process {
                return Ok(next);
            }
            reading = next;
        }
        Err("it does not come to rest".into())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("stopping process {}: {error}", self.child.id());
        }
    }
}

impl Server {
    pub fn start(contender: &Contender, arguments: &Arguments) -> Result<Self> {
        let mut process = Process::start(contender, None, Stdio::piped(), arguments)?;
        let stdout = process.child.stdout.take();
        let stdout = stdout.ok_or("the server has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let door = Door {
            port: line.trim().parse()?,
            // The answer tells too that the connection is one of those that get what is broadcast.
            shakes_hands: contender.kind != Kind::Floor || contender.pattern == Pattern::Broadcast,
            offer: contender.offer,
        };
        Ok(Self { process, door })
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

    /// A connection, and the server's answer to what it was offered.
    fn connect_one(&self) -> Result<(TcpStream, Option<String>)> {
        let mut stream = self.door.connect()?;
        let answer = match self.door.shakes_hands {
            true => wire::handshake(&mut stream, self.door.offer)?,
            false => None,
        };
        Ok((stream, answer))
    }
}

impl Door {
    /// A blocking connection on which nothing has been said.
    pub fn connect(self) -> Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(stream)
    }

    pub const fn shakes_hands(self) -> bool {
        self.shakes_hands
    }
}

/// Starts a client and lets it in: the connection is past the opening handshake.
pub fn start_client(contender: &Contender, arguments: &Arguments) -> Result<(Process, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let process = Process::start(contender, Some(port), Stdio::null(), arguments)?;
    let started = Instant::now();
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            // Nothing is timed yet, so the wait may sleep.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error.into()),
        }
        if started.elapsed() > READ_TIMEOUT {
            return Err("the client did not connect".into());
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    harness::handshake::answer(&mut stream).map_err(|error| error.to_string())?;
    Ok((process, stream))
}

pub fn pin_this_thread(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &cores)?;
    Ok(())
}
