//! Where a server listens.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;
#[cfg(target_os = "linux")]
use std::time::Duration;

use ws_sync::{Connector, Server};

use crate::running::{Running, at_once, closed, echo};

/// The server ends TCP first, so it holds the TIME_WAIT of every connection that ever was.
#[test]
fn the_port_is_free_again_at_once() {
    let server = Running::start(Server::builder().route("/", |_| Ok(())));
    let address = server.address;
    assert!(closed(server.open("/")).clean);
    server.end();
    let again = Server::builder().bind(address).expect("it is free");
    assert_eq!(again.local_addr().expect("it listens"), address);
}

#[test]
fn an_address_in_use_is_an_error_unless_it_is_shared() {
    let one = Server::builder().bind("127.0.0.1:0").expect("free");
    let address = one.local_addr().expect("it listens");
    let error = Server::builder().bind(address).expect_err("in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let nowhere: &[std::net::SocketAddr] = &[];
    let error = Server::builder().bind(nowhere).expect_err("nothing");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    if cfg!(target_os = "linux") {
        let shared = || Server::builder().with_reuse_port(true);
        let one = shared().bind("127.0.0.1:0").expect("free");
        let address = one.local_addr().expect("it listens");
        shared().bind(address).expect("shared");
    }
}

#[test]
fn a_socket_that_listens_already_is_taken_over() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("free");
    let server = Server::builder().route("/", echo).listen(listener);
    let uri = format!("ws://{}/", server.local_addr().expect("it listens"));
    let handle = server.handle();
    let running = thread::spawn(|| server.run());
    let mut ws = ws_sync::connect(&uri).expect("accepted");
    ws.send("hello").expect("sent");
    assert!(ws.recv().expect("received").is_some());
    drop(ws);
    handle.drain(at_once());
    running.join().expect("no panic");
}

/// A page that reloads on many screens at once is a burst, and all of it finds room while nobody accepts. A client that has
/// left again keeps its place in the backlog, and no file descriptor.
#[cfg(target_os = "linux")]
#[test]
fn a_burst_fits_into_the_backlog() {
    const BACKLOG: usize = 1_024;
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("Linux has it");
    if most.trim().parse::<usize>().expect("a number") < BACKLOG {
        return;
    }
    let server = Server::builder().bind("127.0.0.1:0").expect("free");
    let address = server.local_addr().expect("it listens");
    for count in 0..BACKLOG {
        let connected = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        assert!(connected.is_ok(), "{connected:?} after {count}");
    }
}

/// The wait for connections ends wherever the server listens.
#[test]
fn a_server_on_any_address_ends() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let Ok(server) = Server::builder().bind(address) else {
            // A machine without the one or the other.
            continue;
        };
        let handle = server.handle();
        let running = thread::spawn(|| server.run());
        handle.drain(at_once());
        running.join().expect("no panic");
    }
}

/// Others may have the same socket, and go on accepting from it.
#[test]
fn a_shared_socket_outlives_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("free");
    let uri = format!("ws://{}/", listener.local_addr().expect("it listens"));
    let start = || {
        let shared = listener.try_clone().expect("a descriptor");
        let server = Server::builder().route("/", echo).listen(shared);
        (server.handle(), thread::spawn(|| server.run()))
    };
    let servers = [start(), start()];
    for (handle, running) in servers {
        // Whoever is left serves it.
        echoes(&uri);
        handle.drain(at_once());
        running.join().expect("no panic");
        assert_eq!(handle.stats().accept_errors, 0);
    }
    // Nothing has happened to the socket.
    TcpStream::connect(listener.local_addr().expect("it listens")).expect("it listens");
}

#[test]
fn who_waits_at_a_shared_socket_is_left_to_the_others() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("free");
    let shared = listener.try_clone().expect("a descriptor");
    let server = |listener| Server::builder().route("/", echo).listen(listener);
    let (first, second) = (server(shared), server(listener));
    let address = first.local_addr().expect("it listens");
    let (of_first, of_second) = (first.handle(), second.handle());
    // It begins to end before it could accept anything.
    let draining = thread::spawn({
        let handle = of_first.clone();
        move || handle.drain(at_once())
    });
    while !of_first.is_draining() {
        thread::yield_now();
    }
    let waiting = TcpStream::connect(address).expect("it listens");
    let waiting = thread::spawn(|| Connector::new().handshake(waiting, "ws://localhost/"));
    first.run();
    draining.join().expect("no panic");
    assert_eq!(of_first.stats().accepted, 0);
    let running = thread::spawn(|| second.run());
    let waiting = waiting.join().expect("no panic");
    assert!(waiting.is_ok(), "{waiting:?}");
    drop(waiting);
    of_second.drain(at_once());
    running.join().expect("no panic");
}

fn echoes(uri: &str) {
    let mut ws = ws_sync::connect(uri).expect("accepted");
    ws.send("hello").expect("sent");
    assert!(ws.recv().expect("received").is_some());
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};

    use super::*;

    /// A folder of its own for each test, gone afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ws-sync-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.0);
        }
    }

    fn echoes(path: &Path) {
        let stream = UnixStream::connect(path).expect("it listens");
        let mut ws = Connector::new()
            .handshake(stream, "ws://localhost/")
            .expect("accepted");
        ws.send("hello").expect("sent");
        assert!(ws.recv().expect("received").is_some());
    }

    #[test]
    fn a_unix_socket_is_served_and_its_file_removed() {
        let folder = Folder::new("served");
        let path = folder.0.join("socket");
        let server = Server::builder()
            .route("/", |session| {
                assert_eq!(session.peer_addr(), None);
                echo(session)
            })
            .bind_unix(&path)
            .expect("bound");
        assert!(server.local_addr().is_err());
        let handle = server.handle();
        let running = thread::spawn(|| server.run());
        echoes(&path);
        let in_use = Server::builder().bind_unix(&path);
        assert_eq!(in_use.expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        handle.drain(at_once());
        running.join().expect("no panic");
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_server_left_is_replaced_and_nothing_else() {
        let folder = Folder::new("left");
        let path = folder.0.join("socket");
        drop(UnixListener::bind(&path).expect("bound"));
        assert!(path.exists());
        let server = Server::builder().bind_unix(&path).expect("replaced");
        // Somebody takes the name away: then it is not this server's to remove.
        fs::remove_file(&path).expect("removed");
        let other = Server::builder().bind_unix(&path).expect("free");
        drop(server);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());

        fs::write(&path, "precious").expect("written");
        let refused = Server::builder().bind_unix(&path);
        assert_eq!(
            refused.expect_err("no socket").kind(),
            io::ErrorKind::AddrInUse
        );
        assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    }

    #[test]
    fn a_shared_unix_socket_outlives_the_server() {
        let folder = Folder::new("shared");
        let path = folder.0.join("socket");
        let listener = UnixListener::bind(&path).expect("bound");
        let start = || {
            let shared = listener.try_clone().expect("a descriptor");
            let server = Server::builder().route("/", echo).listen(shared);
            (server.handle(), thread::spawn(|| server.run()))
        };
        let servers = [start(), start()];
        for (handle, running) in servers {
            // Whoever is left serves it.
            echoes(&path);
            handle.drain(at_once());
            running.join().expect("no panic");
            assert_eq!(handle.stats().accept_errors, 0);
        }
        // Nothing has happened to the socket.
        UnixStream::connect(&path).expect("it listens");
    }

    #[test]
    fn a_unix_listener_is_taken_over_and_its_file_left_alone() {
        let folder = Folder::new("taken");
        let path = folder.0.join("socket");
        let listener = UnixListener::bind(&path).expect("bound");
        let server = Server::builder().route("/", echo).listen(listener);
        let handle = server.handle();
        let running = thread::spawn(|| server.run());
        echoes(&path);
        handle.drain(at_once());
        running.join().expect("no panic");
        assert!(path.exists());
    }
}
