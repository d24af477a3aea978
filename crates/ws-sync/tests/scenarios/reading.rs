//! How much is read at once, and how long that may take.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{Config, Error, Message, Stream, Untimed, WebSocket};
use ws_testkit::{ChoppedIo, Frame, Starved, vectors};

use crate::chopped::{Bound, Chopped, is_would_block};
#[cfg(unix)]
use crate::tcp_pair;

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

/// The end of each message comes alone. The read buffer stays as large as the messages need it.
///
/// spec: F-10
#[test]
fn large_messages_take_few_reads() {
    const MESSAGES: usize = 20;
    let message = Frame::binary(vec![7; 65_536]).masked(vectors::KEY).bytes();
    let (most, end) = message.split_at(65_536);
    let (io, remote) = ChoppedIo::scripted(&[]);
    let io = io.when_starved(Starved::NotReady);
    let mut ws = WebSocket::server(Chopped::new(io), config(), BytesMut::new());
    for _ in 0..MESSAGES {
        remote.push(most);
        assert!(is_would_block(&ws.recv()), "the end has not come");
        remote.push(end);
        let received = ws.recv().expect("received").expect("a message");
        assert_eq!(received.len(), 65_536);
    }
    // Twice for each, and a few until the read buffer has grown.
    let reads = remote.operations();
    assert!(reads <= 2 * MESSAGES + 10, "{reads}");
}

/// The shortest bound there is takes the place of none at all, which the operating system would refuse.
///
/// spec: CD-04
#[test]
fn a_timeout_of_the_caller_may_be_zero() {
    let (io, _remote) = ChoppedIo::scripted(vectors::CLIENT_TEXT);
    let io = Chopped::new(io.without_waiting());
    let bounds = io.bounds();
    let mut ws = WebSocket::server(io, config(), BytesMut::new());
    ws.set_read_timeout(Some(Duration::ZERO));
    ws.set_write_timeout(Some(Duration::ZERO));
    assert_eq!(ws.recv().expect("received"), Some(Message::text("Hello")));
    ws.send("Hello").expect("sent");
    assert!(is_would_block(&ws.recv()));
    let shortest = Some(Duration::from_millis(1));
    assert_eq!(
        bounds.take(),
        [Bound::Read(shortest), Bound::Write(shortest)]
    );
}

/// Fills what it is given to read into, and then does this with its length.
struct Filling(fn(usize) -> io::Result<usize>);

impl Read for Filling {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(b'!');
        (self.0)(buffer.len())
    }
}

impl Write for Filling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Three bytes, and room for 97 more.
fn three_of_a_hundred() -> Vec<u8> {
    let mut buffer = Vec::with_capacity(100);
    buffer.extend_from_slice(b"abc");
    buffer
}

#[test]
fn a_stream_that_only_reads_is_asked_for_what_is_expected() {
    let all = || Filling(Ok);
    for (filling, expected, len) in [
        (all(), 10, 13),
        (all(), 97, 100),
        (all(), usize::MAX, 100),
        (Filling(|_| Ok(0)), 10, 3),
        // It says that it has read more than it was asked for.
        (Filling(|len| Ok(len + 1)), 10, 13),
    ] {
        let mut buffer = three_of_a_hundred();
        let read = Untimed(filling).read_to_spare(&mut buffer, expected);
        read.expect("read");
        assert_eq!((buffer.len(), buffer.capacity()), (len, 100));
        assert!(buffer.starts_with(b"abc"));
        assert!(buffer[3..].iter().all(|byte| *byte == b'!'));
    }
}

#[test]
fn nothing_stays_of_a_read_that_fails_or_panics() {
    let mut buffer = three_of_a_hundred();
    let mut failing = Untimed(Filling(|_| Err(io::ErrorKind::BrokenPipe.into())));
    let read = failing.read_to_spare(&mut buffer, 10);
    let error = read.expect_err("it fails");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(buffer, b"abc");

    let mut panicking = Untimed(Filling(|_| panic!("it panics")));
    let read = AssertUnwindSafe(|| panicking.read_to_spare(&mut buffer, 10));
    catch_unwind(read).expect_err("it panics");
    assert_eq!(buffer, b"abc");
}

/// A stream that gives the first byte of a frame with each read, and takes away what lay in front of it.
struct Clearing;

impl Read for Clearing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Write for Clearing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Clearing {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read_to_spare(&mut self, buffer: &mut Vec<u8>, _: usize) -> io::Result<()> {
        let was_empty = buffer.is_empty();
        buffer.clear();
        buffer.extend(was_empty.then_some(0x82));
        Ok(())
    }
}

#[test]
fn a_stream_that_takes_away_what_was_read_has_failed() {
    let mut ws = WebSocket::server(Clearing, config(), BytesMut::new());
    let error = ws.recv().expect_err("the stream is broken");
    assert!(matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::InvalidData));
}

/// A socket needs nobody to initialize what it reads into, and takes no notice of what is expected.
#[cfg(unix)]
#[test]
fn a_socket_fills_what_room_there_is() {
    let bytes: Vec<u8> = (0..5000).map(|index| (index % 251) as u8).collect();
    let (client, server) = tcp_pair();
    check_socket(client, server, &bytes);
    let (client, server) = std::os::unix::net::UnixStream::pair().expect("a pair");
    check_socket(client, server, &bytes);
    // Through pointers too.
    let (client, server) = tcp_pair();
    let server: Box<dyn Stream> = Box::new(server);
    check_socket(client, server, &bytes);
}

#[cfg(unix)]
fn check_socket(mut client: impl Stream, mut server: impl Stream, bytes: &[u8]) {
    client.write_all(bytes).expect("written");
    let mut buffer = Vec::with_capacity(4000);
    buffer.extend_from_slice(b"abc");
    let mut received = Vec::new();
    while received.len() < bytes.len() {
        let len = buffer.len();
        server.read_to_spare(&mut buffer, 1).expect("read");
        assert!(buffer.len() > len + 1, "more than one byte had come");
        assert_eq!(buffer.capacity(), 4000);
        received.extend_from_slice(&buffer[len..]);
        assert!(buffer.starts_with(b"abc"));
        buffer.truncate(3);
    }
    assert!(received == bytes);

    let short = Some(Duration::from_millis(1));
    server.set_read_timeout(short).expect("bounded");
    let waited = server
        .read_to_spare(&mut buffer, 1)
        .expect_err("nothing comes");
    assert!(matches!(
        waited.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    ));
    server.set_read_timeout(None).expect("unbounded");
    drop(client);
    server.read_to_spare(&mut buffer, 1).expect("the end");
    assert_eq!(buffer, b"abc");
}
