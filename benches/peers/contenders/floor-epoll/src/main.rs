//! Raw TCP echo on epoll, level triggered, with one read buffer whose size is the argument (default 128 KiB).
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

const MAX_EVENTS: usize = 256;

fn main() -> harness::Outcome {
    let listener = harness::listen()?;
    listener.set_nonblocking(true)?;
    let listener_token = token(&listener)?;
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(
        &listener,
        EpollEvent::new(EpollFlags::EPOLLIN, listener_token as u64),
    )?;

    let mut buffer = vec![0; harness::size_argument().unwrap_or(128 * 1024)];
    let mut echoes: Vec<Option<Echo>> = Vec::new();
    let mut events = [EpollEvent::empty(); MAX_EVENTS];
    loop {
        let ready = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..ready] {
            let token = usize::try_from(event.data())?;
            if token == listener_token {
                accept_all(&listener, &epoll, &mut echoes)?;
                continue;
            }
            let open = match &mut echoes[token] {
                Some(echo) => echo.turn(&mut buffer, &epoll).unwrap_or_else(|error| {
                    eprintln!("connection ended: {error}");
                    false
                }),
                None => continue,
            };
            if !open {
                // Closing the descriptor takes it out of the epoll set.
                echoes[token] = None;
            }
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    epoll: &Epoll,
    echoes: &mut Vec<Option<Echo>>,
) -> harness::Outcome {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let token = token(&stream)?;
        epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, token as u64))?;
        if echoes.len() <= token {
            echoes.resize_with(token + 1, || None);
        }
        echoes[token] = Some(Echo {
            stream,
            unsent: Vec::new(),
        });
    }
}

/// A socket is known by its descriptor, which the kernel keeps small.
fn token(socket: &impl std::os::fd::AsRawFd) -> Result<usize, std::num::TryFromIntError> {
    usize::try_from(socket.as_raw_fd())
}

struct Echo {
    stream: TcpStream,
    /// Bytes read that the socket would not take yet; while there are any, nothing more is read.
    unsent: Vec<u8>,
}

impl Echo {
    /// Answers one readiness event; `false` when the peer has left.
    fn turn(&mut self, buffer: &mut [u8], epoll: &Epoll) -> io::Result<bool> {
        if !self.unsent.is_empty() {
            let sent = write_some(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..sent);
            if self.unsent.is_empty() {
                self.unsent = Vec::new();
                self.wait_for(EpollFlags::EPOLLIN, epoll)?;
            }
            return Ok(true);
        }
        let received = match self.stream.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        };
        let sent = write_some(&mut self.stream, &buffer[..received])?;
        if sent < received {
            self.unsent.extend_from_slice(&buffer[sent..received]);
            self.wait_for(EpollFlags::EPOLLOUT, epoll)?;
        }
        Ok(true)
    }

    fn wait_for(&self, readiness: EpollFlags, epoll: &Epoll) -> io::Result<()> {
        let token = self.stream.as_raw_fd().unsigned_abs();
        epoll.modify(&self.stream, &mut EpollEvent::new(readiness, token.into()))?;
        Ok(())
    }
}

/// Writes what the socket takes, at most once: a short write means that it is full.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
