//! The load of S10: connections that come, shake hands, and leave by a closing handshake. As the
//! [generator](crate::generator) of the others it polls and never sleeps; on loopback a connection is there when
//! `connect` returns.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Result;
use crate::generator::{MAX_EVENTS, PATIENCE};
use crate::round::{Load, Seen};
use crate::server::Door;
use crate::wire;

/// Longer than any answer to a handshake or to a Close here.
const BUFFER_LEN: usize = 4096;

pub struct Arrivals {
    door: Door,
    epoll: Epoll,
    visits: Vec<Option<Visit>>,
    buffer: Vec<u8>,
    done: u64,
}

struct Visit {
    stream: TcpStream,
    /// Of what is being waited for.
    received: Vec<u8>,
    wait: Wait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// The answer to the opening handshake, or of a floor the request come back.
    Answer,
    /// The server's Close, and then its end of the TCP connection, in one read or in two.
    Goodbye,
}

impl Arrivals {
    /// `at_a_time` connections are under way, at different points of their short lives.
    pub fn new(door: Door, at_a_time: usize) -> Result<Self> {
        Ok(Self {
            door,
            epoll: Epoll::new(EpollCreateFlags::empty())?,
            visits: std::iter::repeat_with(|| None).take(at_a_time).collect(),
            buffer: vec![0; BUFFER_LEN],
            done: 0,
        })
    }

    fn arrive(&mut self, token: usize) -> Result<()> {
        let mut stream = self.door.connect()?;
        stream.set_nonblocking(true)?;
        stream.write_all(wire::request(None).as_bytes())?;
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        self.epoll
            .add(&stream, EpollEvent::new(interest, token as u64))?;
        self.visits[token] = Some(Visit {
            stream,
            received: Vec::new(),
            wait: Wait::Answer,
        });
        Ok(())
    }

    /// One look at all connections. `again`: who has left comes back as somebody else.
    fn poll(&mut self, again: bool) -> Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        let ready = self.epoll.wait(&mut events, EpollTimeout::ZERO)?;
        for event in &events[..ready] {
            let token = usize::try_from(event.data())?;
            let Some(visit) = &mut self.visits[token] else {
                continue;
            };
            if !visit.proceed(self.door.shakes_hands(), &mut self.buffer)? {
                // Closing the descriptor takes it out of the epoll set.
                self.visits[token] = None;
                self.done += 1;
                if again {
                    self.arrive(token)?;
                }
            }
        }
        Ok(())
    }

    /// Waits until everybody has left.
    fn finish(&mut self) -> Result<()> {
        let mut silent_since = (self.done, Instant::now());
        while self.visits.iter().any(Option::is_some) {
            self.poll(false)?;
            if self.done != silent_since.0 {
                silent_since = (self.done, Instant::now());
            } else if silent_since.1.elapsed() > PATIENCE {
                return Err("a connection does not come to its end".into());
            }
        }
        Ok(())
    }
}

impl Load for Arrivals {
    fn exchange_once(&mut self) -> Result<()> {
        for token in 0..self.visits.len() {
            self.arrive(token)?;
        }
        self.finish()
    }

    fn run(&mut self, time: Duration) -> Result<Seen> {
        self.done = 0;
        let start = Instant::now();
        for token in 0..self.visits.len() {
            self.arrive(token)?;
        }
        while start.elapsed() < time {
            self.poll(true)?;
        }
        self.finish()?;
        Ok(Seen {
            replies: self.done as f64,
            payload_bytes: None,
        })
    }
}

impl Visit {
    /// Takes what there is; `false` when both ends have said that they are done.
    fn proceed(&mut self, shakes_hands: bool, buffer: &mut [u8]) -> Result<bool> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return self.end(shakes_hands).map(|()| false),
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            }
            if self.wait == Wait::Answer && self.received.ends_with(b"\r\n\r\n") {
                if shakes_hands {
                    wire::check_response(&self.received)?;
                    self.stream.write_all(wire::CLOSE)?;
                } else {
                    self.stream.shutdown(Shutdown::Write)?;
                }
                self.received.clear();
                self.wait = Wait::Goodbye;
            } else if self.received.len() >= BUFFER_LEN {
                return Err("the server's answer does not end".into());
            }
        }
    }

    /// The server has closed: it must have answered the Close before that, with the same code.
    fn end(&self, shakes_hands: bool) -> Result<()> {
        let is_right = match (self.wait, shakes_hands) {
            (Wait::Answer, _) => false,
            (Wait::Goodbye, true) => wire::is_close_reply(&self.received),
            (Wait::Goodbye, false) => self.received.is_empty(),
        };
        match is_right {
            true => Ok(()),
            false => Err(format!(
                "the server ended the connection in {:?} with {:?}",
                self.wait, self.received
            )
            .into()),
        }
    }
}
