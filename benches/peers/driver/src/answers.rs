//! The load of S12: the server of a client under test. As the [generator](crate::generator) of the others it polls and
//! never sleeps. A client waits for the replies to its burst; between two turns it waits for longer.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Result;
use crate::generator::PATIENCE;
use crate::round::{Load, Seen};
use crate::wire::{BINARY, FIN, put_frame};

const MASK_BIT: u8 = 0x80;
/// Of a frame of up to 125 bytes from a client: two bytes and the masking key (RFC 6455 section 5.2).
const HEADER_LEN: usize = 6;

pub struct Answers {
    stream: TcpStream,
    epoll: Epoll,
    depth: usize,
    payload_len: usize,
    /// The burst as it has come so far.
    received: Vec<u8>,
    buffer: Vec<u8>,
    reply: Vec<u8>,
}

impl Answers {
    /// Takes the client's first burst, and makes the replies out of it: a client sends the same each time, and compares.
    pub fn new(stream: TcpStream, depth: usize, payload_len: usize) -> Result<Self> {
        stream.set_nonblocking(true)?;
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(&stream, EpollEvent::new(interest, 0))?;
        let mut answers = Self {
            stream,
            epoll,
            depth,
            payload_len,
            received: Vec::new(),
            buffer: vec![0; 64 * 1024],
            reply: Vec::new(),
        };
        answers.receive_burst()?;
        answers.reply = answers.payloads()?;
        Ok(answers)
    }

    /// Sends the replies and compares the burst that follows with the first: that the client has sent it says that it
    /// found the replies right.
    pub fn check(&mut self) -> Result<()> {
        self.exchange_once()?;
        if self.payloads()? != self.reply {
            return Err("the client sent something else than before".into());
        }
        Ok(())
    }

    /// The burst's messages without their masks, as unmasked frames.
    fn payloads(&self) -> Result<Vec<u8>> {
        let mut frames = Vec::new();
        let mut keys = Vec::new();
        for frame in self.received.chunks(HEADER_LEN + self.payload_len) {
            let (header, payload) = frame.split_at(HEADER_LEN);
            let key = [header[2], header[3], header[4], header[5]];
            let plain: Vec<u8> = payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(byte, key)| byte ^ key)
                .collect();
            put_frame(&mut frames, FIN | BINARY, None, &plain);
            keys.push(key);
        }
        keys.sort_unstable();
        keys.dedup();
        match keys.len() {
            1 => Err("the client masks everything with one key".into()),
            _ => Ok(frames),
        }
    }

    /// Waits for a whole burst, and looks at every header in it.
    fn receive_burst(&mut self) -> Result<()> {
        let frame_len = HEADER_LEN + self.payload_len;
        self.received.clear();
        let mut silent_since = Instant::now();
        let mut events = [EpollEvent::empty()];
        loop {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err("the client left".into()),
                Ok(read) => {
                    self.received.extend_from_slice(&self.buffer[..read]);
                    silent_since = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    while self.epoll.wait(&mut events, EpollTimeout::ZERO)? == 0 {
                        if silent_since.elapsed() > PATIENCE {
                            return Err("the client is silent".into());
                        }
                    }
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            if self.received.len() >= self.depth * frame_len {
                break;
            }
        }
        let is_right = self.received.len() == self.depth * frame_len
            && self
                .received
                .chunks(frame_len)
                .all(|frame| frame[..2] == [FIN | BINARY, MASK_BIT | self.payload_len as u8]);
        match is_right {
            true => Ok(()),
            false => Err("the client's burst is not what it should be".into()),
        }
    }
}

impl Load for Answers {
    fn exchange_once(&mut self) -> Result<()> {
        let mut rest = self.reply.as_slice();
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.receive_burst()
    }

    fn run(&mut self, time: Duration) -> Result<Seen> {
        let start = Instant::now();
        let mut replies = 0;
        while start.elapsed() < time {
            self.exchange_once()?;
            replies += self.depth;
        }
        Ok(Seen {
            replies: replies as f64,
            payload_bytes: None,
        })
    }
}
