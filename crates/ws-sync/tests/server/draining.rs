//! The end: everybody is told, and it does not take long.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ws_sync::serving::Drain;
use ws_sync::{CloseCode, Initiator, Server};

use crate::running::{Running, at_once, closed, echo, read_to_end};

// spec: CC-03, CC-42, CD-09
#[test]
fn everybody_is_told_and_newcomers_get_503() {
    const CONNECTIONS: usize = 100;
    let server = Running::start(
        Server::builder()
            .route("/echo", echo)
            // A handler that does nothing with its connection is no reason not to close it.
            .route("/busy", |session| {
                session.sender().closed()?;
                Ok(())
            }),
    );
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            let path = if n % 10 == 0 { "/busy" } else { "/echo" };
            let ws = server.open(path);
            thread::spawn(|| closed(ws))
        })
        .collect();
    // One is still asking, and one never will.
    let mut asking = server.stream();
    asking
        .write_all(b"GET /echo HTTP/1.1\r\n")
        .expect("it reads");
    let silent = server.stream();
    server.has_open(CONNECTIONS);
    while server.handle.stats().in_handshake < 2 {
        thread::yield_now();
    }
    let address = server.address;
    let draining = thread::spawn({
        let handle = server.handle.clone();
        let drain = Drain::new(CloseCode::SERVICE_RESTART, "soon").expect("it may be sent");
        move || handle.drain(drain.with_window(Duration::from_millis(100)))
    });
    while !server.handle.is_draining() {
        thread::yield_now();
    }
    asking.write_all(b"Host: a\r\n\r\n").expect("it reads");
    let response = read_to_end(asking);
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert!(response.contains("\r\nRetry-After: 10\r\n"));
    for client in clients {
        let info = client.join().expect("no panic");
        assert!(info.clean);
        assert_eq!((info.code().get(), info.reason()), (1012, "soon"));
        assert_eq!(info.initiator, Initiator::Remote);
    }
    drop(silent);
    let drained = draining.join().expect("no panic");
    assert_eq!((drained.closed, drained.lost), (CONNECTIONS, 0));
    assert_eq!((drained.aborted, drained.left), (0, 0));
    assert!(TcpStream::connect(address).is_err(), "the port is free");
    // Whoever asks later hears the same, and what is over stays to be seen.
    assert_eq!(server.handle.drain(at_once()), drained);
    let stats = server.handle.stats();
    assert_eq!(stats.refused.get(&503), Some(&1));
    assert_eq!(
        stats
            .closes
            .get(&(CloseCode::SERVICE_RESTART, Initiator::Local)),
        Some(&(CONNECTIONS as u64))
    );
    server.end();
}

/// Each is told at its time, the oldest first: not all at once, or they would all come back at once.
/// spec: CC-42
#[test]
fn close_frames_are_spread_over_the_window() {
    const CONNECTIONS: u32 = 5;
    let window = Duration::from_millis(250);
    let server = Running::start(Server::builder().route("/echo", echo));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let ws = server.open("/echo");
            thread::spawn(|| (closed(ws).clean, Instant::now()))
        })
        .collect();
    server.has_open(clients.len());
    let begun = Instant::now();
    let drained = server.drain(Drain::default().with_window(window));
    assert_eq!(drained.closed, clients.len());
    for (index, client) in (0..).zip(clients) {
        let (clean, ended) = client.join().expect("no panic");
        // A busy machine may be later, and must not be earlier.
        assert!(clean && ended - begun >= window / CONNECTIONS * index);
    }
}

/// Who waits to be accepted when the server begins to end is told so: here nobody accepts before that.
#[test]
fn who_waits_in_the_backlog_gets_503() {
    let server = Server::builder()
        .route("/echo", echo)
        .bind("127.0.0.1:0")
        .expect("a free port");
    let address = server.local_addr().expect("it listens");
    let mut waiting: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(address).expect("the backlog has room"))
        .collect();
    for stream in &mut waiting {
        let request = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(request).expect("it waits");
    }
    let handle = server.handle();
    let draining = thread::spawn({
        let handle = handle.clone();
        move || handle.drain(at_once())
    });
    while !handle.is_draining() {
        thread::yield_now();
    }
    let running = thread::spawn(|| server.run());
    for stream in waiting {
        assert!(read_to_end(stream).starts_with("HTTP/1.1 503 "));
    }
    draining.join().expect("no panic");
    running.join().expect("no panic");
    assert_eq!(handle.stats().refused.get(&503), Some(&100));
}

/// spec: CC-42
#[test]
fn who_does_not_answer_is_cut_at_the_deadline() {
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let server = Running::start(
        Server::builder()
            .route("/echo", echo)
            // It waits for something else until the end of the connection.
            .route("/stuck", move |session| {
                let waiting = released.lock().expect("one at a time").recv();
                assert!(waiting.is_err() && session.close_info().is_some());
                Ok(())
            }),
    );
    let ws = server.open("/echo");
    let answering = thread::spawn(|| closed(ws));
    // It never reads, so it never answers.
    let deaf = server.open("/echo");
    let ws = server.open("/stuck");
    let stuck = thread::spawn(move || {
        let info = closed(ws);
        drop(release);
        info
    });
    server.has_open(3);
    let begun = Instant::now();
    let drained = server.drain(at_once().with_deadline(Duration::from_millis(200)));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert!(answering.join().expect("no panic").clean);
    assert!(stuck.join().expect("no panic").clean);
    // It was told in time, and looks only now.
    assert_eq!(closed(deaf).code(), CloseCode::GOING_AWAY);
    assert_eq!((drained.closed, drained.aborted, drained.lost), (2, 1, 0));
}

/// A handler that has nothing to do with its connection cannot be ended, and is left behind.
#[test]
fn a_handler_that_does_not_return_is_left_behind() {
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let server = Running::start(Server::builder().route("/", move |_session| {
        assert!(released.lock().expect("one at a time").recv().is_err());
        Ok(())
    }));
    let ws = server.open("/");
    let client = thread::spawn(|| closed(ws));
    let handle = server.handle.clone();
    server.has_open(1);
    let drained = server.drain(at_once().with_deadline(Duration::from_millis(50)));
    assert_eq!((drained.left, drained.closed), (1, 0));
    client.join().expect("no panic");
    drop(release);
    while handle.stats().open > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_handler_can_say_goodbye_first() {
    let server = Running::start(Server::builder().route("/", |mut session| {
        session.send("hello")?;
        assert!(session.recv()?.is_none());
        // The Close has been sent; what the handler does now is its own affair.
        assert!(session.send("too late").is_err());
        Err("it is counted".into())
    }));
    let mut ws = server.open("/");
    assert!(ws.recv().expect("received").is_some());
    let handle = server.handle.clone();
    let client = thread::spawn(|| closed(ws));
    assert_eq!(server.drain(at_once()).closed, 1);
    assert_eq!(
        client.join().expect("no panic").code(),
        CloseCode::GOING_AWAY
    );
    assert_eq!(handle.stats().handler_errors, 1);
}

#[test]
fn a_server_that_is_gone_holds_up_nobody() {
    let server = Server::builder()
        .route("/echo", echo)
        .bind("127.0.0.1:0")
        .expect("a free port");
    let handle = server.handle();
    drop(server);
    assert_eq!(handle.drain(at_once()).aborted, 0);
}
