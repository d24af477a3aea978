//! The load of the scenarios with compression. As the [generator](crate::generator) of the others it polls and never
//! sleeps. What a server sends cannot be foreseen, so each reply is inflated and compared in full, also while clocks run.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Result;
use crate::compression::{Agreed, Deflater, Replies};
use crate::generator::{MAX_EVENTS, PATIENCE};
use crate::round::{Load, Seen};
use crate::scenario::Scenario;
use crate::wire::{FIN, RSV1, Random, put_frame};

/// So many messages take their turns on a connection: together they are twice as long as any window, so none of them
/// finds itself in what it may refer to.
const MESSAGES: usize = 64;
const BUFFER_LEN: usize = 64 * 1024;

pub struct Deflated {
    epoll: Epoll,
    depth: usize,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    count: Count,
    /// Connections that have all replies to the burst.
    complete: usize,
}

/// Replies, and the bytes of their payloads on the wire.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    replies: u64,
    payload_bytes: u64,
}

struct Connection {
    stream: TcpStream,
    script: Script,
    /// The first message of the burst.
    next: usize,
    /// Whether all messages have been sent before, and can be referred to.
    again: bool,
    sent: usize,
    received: usize,
    replies: Replies,
}

/// What a connection sends, for ever.
struct Script {
    opcode: u8,
    messages: Vec<Vec<u8>>,
    /// The messages, each a frame, as they are sent first, with nothing before them, and whenever they come again: what
    /// they refer to is then always the same.
    first: Frames,
    again: Frames,
}

struct Frames {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Script {
    fn new(scenario: &Scenario, agreed: Agreed, seed: u64) -> Result<Self> {
        let mut random = Random::seeded(seed);
        let mut opcode = 0;
        let messages: Vec<Vec<u8>> = (0..MESSAGES)
            .map(|_| {
                let (of, message) = scenario.message(&mut random);
                opcode = of;
                message
            })
            .collect();
        let mut deflater = Deflater::new(agreed);
        let mut cycle = || {
            let mut frames = Frames {
                bytes: Vec::new(),
                ends: Vec::new(),
            };
            for message in &messages {
                let payload = deflater.message(message)?;
                let key = Some(random.key());
                put_frame(&mut frames.bytes, FIN | RSV1 | opcode, key, &payload);
                frames.ends.push(frames.bytes.len());
            }
            Ok::<_, Box<dyn std::error::Error>>(frames)
        };
        let first = cycle()?;
        let again = cycle()?;
        Ok(Self {
            opcode,
            messages,
            first,
            again,
        })
    }
}

impl Frames {
    fn burst(&self, from: usize, depth: usize) -> &[u8] {
        let start = from.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[from + depth - 1]]
    }
}

impl Deflated {
    pub fn new(scenario: &Scenario, streams: Vec<(TcpStream, Agreed)>) -> Result<Self> {
        assert_eq!(MESSAGES % scenario.depth, 0, "bursts end with the messages");
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let mut connections = Vec::with_capacity(streams.len());
        for (token, (stream, agreed)) in (0_u64..).zip(streams) {
            stream.set_nonblocking(true)?;
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
            epoll.add(&stream, EpollEvent::new(interest, token))?;
            connections.push(Connection {
                stream,
                script: Script::new(scenario, agreed, token)?,
                next: 0,
                again: false,
                sent: 0,
                received: 0,
                replies: Replies::new(agreed),
            });
        }
        Ok(Self {
            epoll,
            depth: scenario.depth,
            connections,
            buffer: vec![0; BUFFER_LEN],
            count: Count::default(),
            complete: 0,
        })
    }

    /// Sends what is left of the burst, waits for all replies, and stops there.
    fn finish(&mut self) -> Result<()> {
        let mut silent_since = Instant::now();
        while self.complete < self.connections.len() {
            let before = self.count.replies;
            self.poll(false)?;
            if self.count.replies != before {
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
        self.complete = 0;
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            connection.send(self.depth)?;
        }
        Ok(())
    }

    /// One look at all connections. `again`: the next burst is sent when the replies are all there.
    fn poll(&mut self, again: bool) -> Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let ready = self.epoll.wait(&mut events, EpollTimeout::ZERO)?;
        for event in &events[..ready] {
            let connection = &mut self.connections[usize::try_from(event.data())?];
            if connection.sent > 0 && event.events().contains(EpollFlags::EPOLLOUT) {
                connection.send(self.depth)?;
            }
            if connection.receive(self.depth, &mut self.buffer, &mut self.count)? {
                connection.advance(self.depth);
                if again {
                    connection.send(self.depth)?;
                } else {
                    self.complete += 1;
                }
            }
        }
        Ok(())
    }
}

impl Load for Deflated {
    /// Sends one burst on every connection, waits for all replies, and stops there.
    fn exchange_once(&mut self) -> Result<()> {
        self.send()?;
        self.finish()
    }

    fn run(&mut self, time: Duration) -> Result<Seen> {
        self.count = Count::default();
        self.send()?;
        let start = Instant::now();
        while start.elapsed() < time {
            self.poll(true)?;
        }
        self.finish()?;
        Ok(Seen {
            replies: self.count.replies as f64,
            payload_bytes: Some(self.count.payload_bytes as f64),
        })
    }
}

impl Connection {
    fn burst(&self, depth: usize) -> &[u8] {
        let frames = match self.again {
            true => &self.script.again,
            false => &self.script.first,
        };
        frames.burst(self.next, depth)
    }

    fn advance(&mut self, depth: usize) {
        self.sent = 0;
        self.received = 0;
        self.next += depth;
        if self.next == MESSAGES {
            self.next = 0;
            self.again = true;
        }
    }

    /// Sends what is left of the burst, as far as the socket takes it.
    fn send(&mut self, depth: usize) -> Result<()> {
        while self.sent < self.burst(depth).len() {
            match (&self.stream).write(&self.burst(depth)[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads until the socket is empty; `true` when this has completed the burst's replies.
    fn receive(&mut self, depth: usize, buffer: &mut [u8], count: &mut Count) -> Result<bool> {
        let before = self.received;
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            let (script, next) = (&self.script, self.next);
            let received = &mut self.received;
            self.replies.read(&buffer[..read], |reply| {
                if *received == depth {
                    return Err("the server sent more than the replies".into());
                }
                let expected = &script.messages[next + *received];
                if reply.opcode != script.opcode || reply.plain != expected {
                    return Err(format!("wrong reply to message {}", next + *received).into());
                }
                if !reply.compressed {
                    return Err("a reply without RSV1".into());
                }
                *received += 1;
                count.replies += 1;
                count.payload_bytes += reply.payload_len as u64;
                Ok(())
            })?;
            if read < buffer.len() {
                break;
            }
        }
        Ok(self.received > before && self.received == depth)
    }
}
