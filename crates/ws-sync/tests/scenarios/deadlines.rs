//! Every wait has an end: of the opening handshake, of the closing handshake, of a silent connection.
//!
//! On sockets the clock is the real one, so deadlines are short here, what is waited for is checked and how long only
//! from below.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ws_sync::handshake::client::HandshakeError;
use ws_sync::{
    AcceptError, Acceptor, CloseCode, Config, ConnectError, Connector, Error, Event, Message,
    ProtocolError, Receiver, Sender, State, Stream, WebSocket,
};
use ws_testkit::chopped_script::{REQUEST_LINES, RESPONSE, Script, opcodes};
use ws_testkit::{ChoppedIo, Frame, vectors};

use crate::chopped::{Bound, Chopped, is_would_block};
use crate::tcp_pair;

const URI: &str = "ws://example.com/";

/// The deadline under test, short enough to wait for and long enough for what has to happen before it.
const SHORT: Duration = Duration::from_millis(200);

/// Without keepalive.
fn quiet() -> Config {
    Config::default().with_ping_interval(None)
}

fn hasty() -> Config {
    quiet().with_handshake_timeout(Some(SHORT))
}

fn server<S: Stream>(stream: S, config: Config) -> WebSocket<S> {
    WebSocket::server(stream, config, BytesMut::new())
}

fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it ended");
    bytes
}

/// spec: H-25, S-08, CD-01
#[test]
fn a_silent_client_is_left_without_a_word() {
    let (client, stream) = tcp_pair();
    let acceptor = Acceptor::new().with_config(hasty());
    let started = Instant::now();
    let error = acceptor.accept(stream).expect_err("nothing comes");
    assert!(matches!(error, AcceptError::TimedOut), "{error}");
    assert!(started.elapsed() >= SHORT);
    assert_eq!(read_to_end(client), b"");
}

/// spec: H-25, H-29, S-08
#[test]
fn a_client_that_stops_in_the_middle_is_told_408() {
    let (mut client, stream) = tcp_pair();
    client.write_all(b"GET / HTTP/1.1\r\nHos").expect("written");
    let client = thread::spawn(move || read_to_end(client));
    let acceptor = Acceptor::new().with_config(hasty());
    let started = Instant::now();
    let error = acceptor.accept(stream).expect_err("no more comes");
    assert!(matches!(error, AcceptError::TimedOut), "{error}");
    assert!(started.elapsed() >= SHORT);
    let answer = client.join().expect("no panic");
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        answer.escape_ascii()
    );
}

/// A peer that has another byte twice a millisecond, for ever.
#[derive(Debug)]
struct Drip {
    beginning: &'static [u8],
    written: mpsc::Sender<Vec<u8>>,
}

impl Drip {
    fn new(beginning: &'static [u8]) -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (written, receiver) = mpsc::channel();
        (Self { beginning, written }, receiver)
    }
}

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        thread::park_timeout(Duration::from_micros(500));
        let (first, rest) = self.beginning.split_first().unwrap_or((&b'x', &[]));
        self.beginning = rest;
        buffer[0] = *first;
        Ok(1)
    }
}

impl Write for Drip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        _ = self.written.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Drip {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A byte now and then buys no time.
///
/// spec: H-25, S-08
#[test]
fn a_client_that_drips_is_told_408_at_the_deadline() {
    let (stream, written) = Drip::new(b"GET / HTTP/1.1\r\nX: ");
    let acceptor = Acceptor::new().with_config(hasty());
    let started = Instant::now();
    let error = acceptor.accept(stream).expect_err("it never ends");
    // By its length the head is refused after 8 KiB, four seconds later.
    assert!(matches!(error, AcceptError::TimedOut), "{error}");
    assert!(started.elapsed() >= SHORT);
    let answer: Vec<u8> = written.iter().flatten().collect();
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        answer.escape_ascii()
    );
}

/// spec: H-25, S-08
#[test]
fn a_client_that_does_not_read_the_answer_is_given_up() {
    let (mut client, stream) = tcp_pair();
    let request = REQUEST_LINES.join("\r\n") + "\r\n\r\n";
    client.write_all(request.as_bytes()).expect("written");
    // More than the buffers of the kernel hold.
    let mut acceptor = Acceptor::new().with_config(hasty());
    for _ in 0..16 {
        acceptor = acceptor.with_header("X-Long", "x".repeat(1 << 20));
    }
    let error = acceptor.accept(stream).expect_err("nobody reads");
    assert!(matches!(error, AcceptError::TimedOut), "{error}");
    drop(client);
}

/// However long the application thinks about a request, an answer that takes no wait goes out.
///
/// spec: H-25
#[test]
fn an_application_may_take_its_time() {
    let request = REQUEST_LINES.join("\r\n") + "\r\n\r\n";
    let (io, remote) = ChoppedIo::scripted(request.as_bytes());
    let acceptor = Acceptor::new().with_config(hasty());
    let incoming = acceptor
        .read_request(Chopped::new(io))
        .expect("it is whole");
    thread::park_timeout(2 * SHORT);
    incoming.accept(&acceptor).expect("accepted");
    assert_eq!(remote.written(), RESPONSE.as_bytes());
}

/// spec: H-25
#[test]
fn without_a_deadline_a_client_has_all_the_time() {
    let request = REQUEST_LINES.join("\r\n") + "\r\n\r\n";
    let (io, _remote) = ChoppedIo::scripted(request.as_bytes());
    let io = Chopped::new(io);
    let bounds = io.bounds();
    let config = quiet().with_handshake_timeout(None);
    let acceptor = Acceptor::new().with_config(config);
    acceptor.accept(io).expect("accepted");
    assert_eq!(bounds.take(), [], "timeouts of the caller's own stay");
}

/// spec: CD-01, S-08
#[test]
fn a_server_that_never_answers_is_given_up() {
    for said in ["", "HTTP/1.1 101 Switching Protoc"] {
        let (mut server, stream) = tcp_pair();
        server.write_all(said.as_bytes()).expect("written");
        let connector = Connector::new().with_config(hasty());
        let started = Instant::now();
        let error = connector.handshake(stream, URI).expect_err("no answer");
        assert!(matches!(error, ConnectError::TimedOut), "{error}");
        assert!(started.elapsed() >= SHORT);
    }
}

/// spec: CD-01, S-08
#[test]
fn a_server_that_drips_is_given_up() {
    let (stream, _written) = Drip::new(b"HTTP/1.1 101 ");
    let connector = Connector::new().with_config(hasty());
    let started = Instant::now();
    let error = connector.handshake(stream, URI).expect_err("no answer");
    assert!(matches!(error, ConnectError::TimedOut), "{error}");
    assert!(started.elapsed() >= SHORT);
}

/// The status is what counts; half of a body is better than no answer.
///
/// spec: K-15, CD-01
#[test]
fn a_refusal_whose_body_never_ends_is_a_refusal() {
    let (mut server, stream) = tcp_pair();
    let refusal = "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nhalf a bo";
    server.write_all(refusal.as_bytes()).expect("written");
    let connector = Connector::new().with_config(hasty());
    let error = connector.handshake(stream, URI).expect_err("refused");
    let ConnectError::Handshake(HandshakeError::Refused(refusal)) = error else {
        panic!("{error}");
    };
    assert_eq!(refusal.response().status(), 503);
    assert_eq!(refusal.body(), "half a bo");
}

/// spec: C-28
#[test]
fn a_peer_that_never_answers_a_close_is_given_up() {
    let (client, stream) = tcp_pair();
    let mut ws = server(stream, quiet().with_close_timeout(Some(SHORT)));
    let started = Instant::now();
    let error = ws
        .close(CloseCode::GOING_AWAY, "")
        .expect_err("nobody answers");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    assert!(started.elapsed() >= SHORT);
    drop(ws);
    assert_eq!(read_to_end(client), Frame::close(1001, "").bytes());
}

/// spec: C-28, S-07
#[test]
fn a_peer_that_never_reads_cannot_delay_the_close() {
    let (client, stream) = tcp_pair();
    let mut ws = server(stream, quiet().with_close_timeout(Some(SHORT)));
    // More than the buffers of the kernel hold.
    ws.feed(vec![0; 16 << 20]).expect("queued");
    let error = ws
        .close(CloseCode::GOING_AWAY, "")
        .expect_err("nobody reads");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::CloseTimeout)),
        "{error}"
    );
    drop(client);
}

/// The closing handshake was carried out; that the peer does not end the transport does not spoil it.
///
/// spec: C-14, C-28
#[test]
fn a_peer_that_never_ends_the_transport_is_given_up() {
    for is_server in [true, false] {
        let (mut peer, stream) = tcp_pair();
        let mut answer = Frame::close(1000, "");
        if is_server {
            answer = answer.masked(vectors::KEY);
        }
        peer.write_all(&answer.bytes()).expect("written");
        let config = quiet().with_close_timeout(Some(SHORT));
        let mut ws = if is_server {
            server(stream, config)
        } else {
            WebSocket::client(stream, config, BytesMut::new())
        };
        let started = Instant::now();
        let info = ws.close(CloseCode::NORMAL, "").expect("both closed");
        assert!(info.clean);
        assert!(started.elapsed() >= SHORT);
        drop(peer);
    }
}

/// The error is the one that failed the connection, not the wait after it.
///
/// spec: C-24, C-28
#[test]
fn a_peer_that_stays_after_breaking_the_protocol_is_given_up() {
    let (mut client, stream) = tcp_pair();
    client
        .write_all(vectors::CLIENT_TEXT_NOT_UTF8)
        .expect("written");
    let mut ws = server(stream, quiet().with_close_timeout(Some(SHORT)));
    let started = Instant::now();
    let error = ws.recv().expect_err("it is no text");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::InvalidUtf8)),
        "{error}"
    );
    assert!(started.elapsed() >= SHORT);
    drop(client);
}

/// spec: C-35
#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let (client, stream) = tcp_pair();
    let config = Config::default()
        .with_ping_interval(Some(SHORT))
        .with_pong_timeout(SHORT / 2);
    let mut ws = server(stream, config);
    let started = Instant::now();
    let error = ws.recv().expect_err("the peer is silent");
    assert!(
        matches!(error, Error::Protocol(ProtocolError::PongTimeout)),
        "{error}"
    );
    assert!(started.elapsed() >= SHORT + SHORT / 2);
    drop(ws);
    let written = read_to_end(client);
    assert_eq!(written.len(), 14, "one Ping of twelve bytes");
    assert_eq!(written[..2], [0x89, 12]);
}

/// spec: C-35, CD-02
#[test]
fn a_peer_that_answers_pings_lives_as_long_as_it_likes() {
    let (client, stream) = tcp_pair();
    let config = Config::default()
        .with_ping_interval(Some(SHORT / 3))
        .with_pong_timeout(Duration::from_secs(60));
    let mut ws = server(stream, config);
    let served = thread::spawn(move || ws.recv());
    let mut client = WebSocket::client(client, quiet(), BytesMut::new());
    for number in 1..=5_u32 {
        match client.recv_event().expect("received") {
            Some(Event::Ping(data)) => assert!(data.starts_with(&number.to_be_bytes())),
            event => panic!("{event:?}"),
        }
    }
    client.send("still here").expect("sent");
    let message = served.join().expect("no panic").expect("received");
    assert_eq!(message, Some(Message::text("still here")));
}

/// spec: C-35
#[test]
fn without_keepalive_no_ping_is_sent() {
    // The defaults of this crate, which has to set a timeout for each wait that keepalive bounds.
    let script = &Script::all()[0];
    let (io, remote) = ChoppedIo::scripted(&script.incoming);
    let io = Chopped::new(io);
    let bounds = io.bounds();
    let mut ws = ws_sync::accept(io).expect("accepted");
    bounds.take();
    for expected in &script.messages {
        assert_eq!(ws.recv().expect("received").as_ref(), Some(expected));
        ws.send("x").expect("sent");
    }
    let changed = bounds.take();
    assert!(changed.len() <= 4, "{changed:?}");
    assert!(!opcodes(&remote.written()[RESPONSE.len()..]).contains(&9));
}

/// The operating system is told what is left of the one deadline, before each wait.
///
/// spec: H-25, C-28, CD-04
#[test]
fn waits_are_bounded_by_what_is_left() {
    let request = REQUEST_LINES.join("\r\n") + "\r\n\r\n";
    let (io, _remote) = ChoppedIo::scripted(request.as_bytes());
    let io = Chopped::new(
        io.with_reads(ws_testkit::Chunks::Exactly(50))
            .without_waiting(),
    );
    let bounds = io.bounds();
    let acceptor = Acceptor::new().with_config(quiet());
    let mut ws = acceptor.accept(io).expect("accepted");
    let opening = bounds.take();
    let reads: Vec<Duration> = opening.iter().filter_map(read_bound).collect();
    assert!(reads.len() >= 4, "{opening:?}");
    assert!(reads.is_sorted_by(|earlier, later| earlier >= later));
    let ten = Duration::from_secs(10);
    assert!(reads.iter().all(|bound| *bound <= ten && !bound.is_zero()));
    assert!(
        opening
            .iter()
            .any(|bound| matches!(bound, Bound::Write(Some(_))))
    );

    // Open: nothing bounds a wait.
    assert!(is_would_block(&ws.recv()));
    assert_eq!(bounds.take(), [Bound::Read(None)]);
    // Closing: the closing handshake does.
    assert!(is_would_block(&ws.close(CloseCode::NORMAL, "")));
    let closing = bounds.take();
    let reads: Vec<Duration> = closing.iter().filter_map(read_bound).collect();
    assert!(
        !reads.is_empty() && reads.iter().all(|bound| *bound <= ten),
        "{closing:?}"
    );
}

fn read_bound(bound: &Bound) -> Option<Duration> {
    match bound {
        Bound::Read(bound) => *bound,
        Bound::Write(_) => None,
    }
}

/// Connecting counts too.
///
/// spec: CD-01
#[test]
fn the_deadline_of_a_client_covers_everything() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
    let connector = Connector::new().with_config(hasty());
    let started = Instant::now();
    // The kernel accepts, and nobody answers.
    let error = connector.connect(&uri).expect_err("no answer");
    assert!(matches!(error, ConnectError::TimedOut), "{error}");
    assert!(started.elapsed() >= SHORT);
}

/// An application that was busy with something else, or a machine that was asleep, looks at what has arrived before it
/// gives a peer up.
///
/// spec: C-28, C-35
#[test]
fn what_has_arrived_by_the_deadline_counts() {
    let moment = Duration::from_millis(150);
    let be_busy = || thread::park_timeout(2 * moment);
    let config = Config::default()
        .with_ping_interval(Some(moment))
        .with_pong_timeout(moment)
        .with_close_timeout(Some(moment));
    let (io, remote) = ChoppedIo::scripted(b"");
    let mut ws = server(Chopped::new(io.without_waiting()), config);
    assert!(is_would_block(&ws.recv()));
    be_busy();
    assert!(is_would_block(&ws.recv()));
    assert_eq!(opcodes(&remote.written()), [9]);
    remote.push(&Frame::pong("").masked(vectors::KEY).bytes());
    be_busy();
    let lives = ws.recv();
    assert!(is_would_block(&lives), "{lives:?}");

    assert!(is_would_block(&ws.close(CloseCode::NORMAL, "")));
    remote.push(vectors::CLIENT_CLOSE_1000);
    remote.end();
    be_busy();
    let info = ws.close(CloseCode::NORMAL, "").expect("it was answered");
    assert!(info.clean);
}

/// The peer has said that it closes and stays, but takes nothing: what the deadline cuts off was not sent.
#[test]
fn what_the_close_deadline_cuts_off_was_not_sent() {
    for split in [false, true] {
        let (mut peer, stream) = tcp_pair();
        peer.write_all(&Frame::close(1000, "").masked([1, 2, 3, 4]).bytes())
            .expect("written");
        let config = Config::default().with_close_timeout(Some(SHORT));
        let mut ws = WebSocket::server(stream, config, BytesMut::new());
        let large = "x".repeat(64 << 20);
        let (sent, closed) = if split {
            let (sender, receiver) = ws.split().expect("cloned");
            drop(receiver);
            (sender.send(large), sender.close(CloseCode::NORMAL, ""))
        } else {
            (ws.send(large), ws.close(CloseCode::NORMAL, ""))
        };
        for result in [sent, closed.map(drop)] {
            assert!(
                matches!(result, Err(Error::Protocol(ProtocolError::CloseTimeout))),
                "{result:?}"
            );
        }
    }
}

/// A server in one hand or two that waits for input.
enum Waiting {
    Whole(Box<WebSocket<TcpStream>>),
    Split(Sender, Receiver),
}

impl Waiting {
    /// Both kinds, and their peers. The bound is set before the split, or after it.
    fn servers(config: &Config, read_timeout: Option<Duration>) -> [(Self, TcpStream); 3] {
        [0, 1, 2].map(|kind| {
            let (client, stream) = tcp_pair();
            let mut ws = server(stream, config.clone());
            if kind < 2 {
                ws.set_read_timeout(read_timeout);
            }
            if kind == 0 {
                return (Self::Whole(Box::new(ws)), client);
            }
            let (sender, mut receiver) = ws.split().expect("cloned");
            if kind == 2 {
                receiver.set_read_timeout(read_timeout);
            }
            (Self::Split(sender, receiver), client)
        })
    }

    fn feed(&mut self, message: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Whole(ws) => ws.feed(message),
            Self::Split(sender, _) => sender.feed(message),
        }
    }

    fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(ws) => ws.recv(),
            Self::Split(_, receiver) => receiver.recv(),
        }
    }

    fn state(&self) -> State {
        match self {
            Self::Whole(ws) => ws.state(),
            Self::Split(_, receiver) => receiver.state(),
        }
    }
}

/// The caller's bound holds although a deadline bounds the wait too, and costs nothing but the wait.
///
/// spec: CD-04
#[test]
fn a_read_timeout_of_the_caller_holds_beside_a_deadline() {
    let config = quiet().with_idle_timeout(Some(50 * SHORT));
    for (mut server, mut client) in Waiting::servers(&config, Some(SHORT / 4)) {
        let started = Instant::now();
        let result = server.recv();
        assert!(is_cut_short(&result), "{result:?}");
        assert!(started.elapsed() >= SHORT / 5);
        assert_eq!(server.state(), State::Open);
        let (half, rest) = vectors::CLIENT_TEXT.split_at(4);
        client.write_all(half).expect("written");
        let result = server.recv();
        assert!(is_cut_short(&result), "{result:?}");
        client.write_all(rest).expect("written");
        assert_eq!(
            server.recv().expect("received"),
            Some(Message::text("Hello"))
        );
    }
}

/// While the peer does not take what it is owed, a wait for input is made of many short ones.
///
/// spec: CD-04
#[test]
fn a_read_timeout_of_the_caller_is_for_all_that_it_waits() {
    let config = quiet()
        .with_write_buffer_high(usize::MAX)
        .with_write_buffer_limit(usize::MAX)
        .with_write_timeout(Some(50 * SHORT));
    for (mut server, client) in Waiting::servers(&config, Some(SHORT)) {
        // More than the buffers of the kernel hold.
        server.feed(vec![0; 16 << 20]).expect("queued");
        let started = Instant::now();
        let result = server.recv();
        assert!(is_cut_short(&result), "{result:?}");
        assert!(started.elapsed() >= SHORT * 9 / 10);
        drop(client);
    }
}

/// Another thread has the stream in a read without any bound.
///
/// spec: CD-04
#[test]
fn a_read_timeout_of_the_caller_holds_while_another_thread_reads() {
    let (mut client, stream) = tcp_pair();
    let (sender, mut receiver) = server(stream, quiet()).split().expect("cloned");
    let watcher = thread::spawn(move || sender.closed());
    receiver.set_read_timeout(Some(SHORT / 4));
    for _ in 0..3 {
        // It is the watcher who answers, and goes on to read.
        client.write_all(vectors::CLIENT_PING).expect("written");
        client.read_exact(&mut [0; 7]).expect("a Pong");
        assert!(matches!(receiver.recv_event(), Ok(Some(Event::Ping(_)))));
        thread::yield_now();
        let result = receiver.recv();
        assert!(is_cut_short(&result), "{result:?}");
    }
    drop(client);
    watcher.join().expect("no panic").expect("it is over");
}

/// What a close waits for has a deadline of its own, and a caller with less patience for messages waits for it.
///
/// spec: C-28
#[test]
fn a_read_timeout_of_the_caller_does_not_cut_a_close_short() {
    let (client, stream) = tcp_pair();
    let mut ws = server(stream, quiet());
    ws.set_read_timeout(Some(Duration::ZERO));
    let closing = thread::spawn(move || ws.close(CloseCode::NORMAL, ""));
    thread::park_timeout(SHORT / 4);
    let mut client = WebSocket::client(client, quiet(), BytesMut::new());
    assert!(matches!(client.recv(), Ok(None)));
    drop(client);
    let info = closing.join().expect("no panic").expect("it was answered");
    assert!(info.clean);
}

/// Nobody says anything, and that is no error: the connection ends in good order, whoever waits for input and however
/// patiently.
///
/// spec: S-08
#[test]
fn an_idle_connection_is_closed() {
    let config = quiet().with_idle_timeout(Some(SHORT));
    for read_timeout in [None, Some(50 * SHORT)] {
        for (mut server, client) in Waiting::servers(&config, read_timeout) {
            let started = Instant::now();
            let serving = thread::spawn(move || server.recv());
            let mut client = WebSocket::client(client, quiet(), BytesMut::new());
            assert!(matches!(client.recv(), Ok(None)));
            assert!(started.elapsed() >= SHORT);
            let info = client.close_info().expect("it is over");
            assert_eq!(info.code(), CloseCode::GOING_AWAY);
            drop(client);
            assert!(matches!(serving.join().expect("no panic"), Ok(None)));
        }
    }
}

fn is_cut_short<T>(result: &Result<T, Error>) -> bool {
    let Err(Error::Io(error)) = result else {
        return false;
    };
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
