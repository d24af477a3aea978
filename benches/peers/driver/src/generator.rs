//! The load generator: one thread that polls and never sleeps. Sleeping would make every send of a slower server pay
//! for waking this thread's core, on the server's clock, and the floors would never pay it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv};

use crate::Result;
use crate::round::{Load, Seen};
use crate::scenario::Pattern;
use crate::wire::Burst;

/// How much of a reply is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Contents,
    /// Opcode and length. The payload of a large reply is discarded in the kernel, so that this thread stays cheaper
    /// than the servers.
    Headers,
}

pub struct Generator<'a> {
    pub check: Check,
    /// No write is longer than this; small values cut frames at odd places.
    pub max_write: usize,
    pattern: Pattern,
    burst: &'a Burst,
    epoll: Epoll,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    replied_bytes: u64,
    /// Connections that have all replies to the burst.
    complete: usize,
}

struct Connection {
    stream: TcpStream,
    /// Of the burst; a connection that only listens has sent all it is going to.
    sent: usize,
    received: usize,
}

pub const MAX_EVENTS: usize = 256;
const BUFFER_LEN: usize = 1 << 20;
/// From here on a reply's payload is worth a system call of its own that does not copy it.
const BULK: usize = 32 * 1024;
/// A server that is silent for so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(10);

impl<'a> Generator<'a> {
    pub fn new(
        pattern: Pattern,
        streams: Vec<TcpStream>,
        burst: &'a Burst,
        check: Check,
    ) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let mut connections = Vec::with_capacity(streams.len());
        for (token, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            // Edge triggered: registered once, and told about writability only after a full socket.
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
            epoll.add(&stream, EpollEvent::new(interest, token as u64))?;
            connections.push(Connection {
                stream,
                sent: 0,
                received: 0,
            });
        }
        let buffer = vec![0; BUFFER_LEN];
        Ok(Self {
            check,
            max_write: usize::MAX,
            pattern,
            burst,
            epoll,
            connections,
            buffer,
            replied_bytes: 0,
            complete: 0,
        })
    }

    /// Sends what is left of the burst, waits for all replies, and stops there.
    fn finish(&mut self) -> Result<()> {
        let mut silent_since = Instant::now();
        while self.complete < self.connections.len() {
            self.send()?;
            let before = self.replied_bytes;
            self.poll(false)?;
            if self.replied_bytes != before {
                silent_since = Instant::now();
            } else if silent_since.elapsed() > PATIENCE {
                return Err(format!(
                    "{} of {} connections replied",
                    self.complete,
                    self.connections.len()
                )
                .into());
            }
        }
        self.start_again();
        Ok(())
    }

    /// Gives the connections back, as blocking streams.
    pub fn into_streams(self) -> Result<Vec<TcpStream>> {
        let streams: Vec<TcpStream> = self
            .connections
            .into_iter()
            .map(|connection| connection.stream)
            .collect();
        for stream in &streams {
            stream.set_nonblocking(false)?;
        }
        Ok(streams)
    }

    fn start_again(&mut self) {
        self.complete = 0;
        for (token, connection) in self.connections.iter_mut().enumerate() {
            connection.received = 0;
            connection.sent = match self.pattern {
                Pattern::Broadcast if token > 0 => self.burst.outgoing.len(),
                _ => 0,
            };
        }
    }

    fn send(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            connection.send(self.burst, self.max_write)?;
        }
        Ok(())
    }

    /// One look at all connections. `again`: the next burst is sent when the replies are all there, on this connection
    /// or, of a broadcast, on all.
    fn poll(&mut self, again: bool) -> Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let ready = self.epoll.wait(&mut events, EpollTimeout::ZERO)?;
        for event in &events[..ready] {
            let connection = &mut self.connections[usize::try_from(event.data())?];
            if event.events().contains(EpollFlags::EPOLLOUT) && again {
                connection.send(self.burst, self.max_write)?;
            }
            let before = connection.received;
            let complete = connection.receive(self.burst, self.check, &mut self.buffer)?;
            self.replied_bytes += (connection.received - before) as u64;
            if complete {
                self.complete += 1;
                if again && self.pattern == Pattern::Echo {
                    self.complete -= 1;
                    connection.sent = 0;
                    connection.received = 0;
                    connection.send(self.burst, self.max_write)?;
                }
            }
        }
        if again && self.pattern == Pattern::Broadcast && self.complete == self.connections.len() {
            self.start_again();
            self.send()?;
        }
        Ok(())
    }
}

impl Load for Generator<'_> {
    /// Sends one burst on every connection that sends, waits for all replies, and stops there.
    fn exchange_once(&mut self) -> Result<()> {
        self.start_again();
        self.finish()
    }

    fn run(&mut self, time: Duration) -> Result<Seen> {
        self.replied_bytes = 0;
        self.send()?;
        let start = Instant::now();
        while start.elapsed() < time {
            self.poll(true)?;
        }
        self.finish()?;
        Ok(Seen {
            replies: self.replied_bytes as f64 / self.burst.reply_len as f64,
            payload_bytes: None,
        })
    }
}

impl Connection {
    /// Sends what is left of the burst, as far as the socket takes it (one write if writes are limited).
    fn send(&mut self, burst: &Burst, max_write: usize) -> Result<()> {
        while self.sent < burst.outgoing.len() {
            let rest = &burst.outgoing[self.sent..];
            match self.stream.write(&rest[..rest.len().min(max_write)]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
            if max_write != usize::MAX {
                break;
            }
        }
        Ok(())
    }

    /// Reads until the socket is empty; `true` when this has completed the burst's replies.
    fn receive(&mut self, burst: &Burst, check: Check, buffer: &mut [u8]) -> Result<bool> {
        let before = self.received;
        let bulk = check == Check::Headers && burst.reply_len >= BULK;
        loop {
            let in_reply = self.received % burst.reply_len;
            let in_payload = in_reply >= burst.header_len;
            let wanted = match (bulk, in_payload) {
                (true, true) => burst.reply_len - in_reply,
                (true, false) => burst.header_len - in_reply,
                (false, _) => buffer.len(),
            };
            let wanted = wanted.min(buffer.len());
            let read = if bulk && in_payload {
                // On TCP this flag discards instead of copying (tcp(7)).
                recv(
                    self.stream.as_raw_fd(),
                    &mut buffer[..wanted],
                    MsgFlags::MSG_TRUNC,
                )
                .map_err(Errno::into)
            } else {
                self.stream.read(&mut buffer[..wanted])
            };
            let read = match read {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            if self.received + read > burst.expected.len() {
                return Err("the server sent more than the replies".into());
            }
            let right = match check {
                Check::Contents => {
                    buffer[..read] == burst.expected[self.received..self.received + read]
                }
                Check::Headers if bulk && in_payload => true,
                Check::Headers => headers_match(burst, self.received, &buffer[..read]),
            };
            if !right {
                return Err(format!(
                    "wrong bytes between {} and {} of the replies",
                    self.received,
                    self.received + read
                )
                .into());
            }
            self.received += read;
            // A short read has emptied the socket: what comes later raises a new event.
            if read < wanted {
                break;
            }
        }
        if self.received > before && self.received == burst.expected.len() {
            if self.sent < burst.outgoing.len() {
                return Err("the server replied to what it had not been sent".into());
            }
            return Ok(true);
        }
        Ok(false)
    }
}

/// Compares the headers of the replies that `bytes`, received at `from`, touch.
fn headers_match(burst: &Burst, from: usize, bytes: &[u8]) -> bool {
    let to = from + bytes.len();
    let first_reply = from - from % burst.reply_len;
    (first_reply..to).step_by(burst.reply_len).all(|reply| {
        let (start, end) = (reply.max(from), (reply + burst.header_len).min(to));
        start >= end || bytes[start - from..end - from] == burst.expected[start..end]
    })
}
