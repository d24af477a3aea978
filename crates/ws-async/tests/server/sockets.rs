//! Where a server listens.

use std::io;
#[cfg(target_os = "linux")]
use std::time::Duration;

use tokio::net::TcpListener;
use ws_async::{Connector, Listener, Server};

use crate::running::{Running, at_once, closed, echo, within};

/// The server ends TCP first, so it holds the TIME_WAIT of every connection that ever was.
#[tokio::test]
async fn the_port_is_free_again_at_once() {
    let server = Running::start(Server::builder().route("/", |_| async { Ok(()) })).await;
    let address = server.address;
    assert!(closed(server.open("/").await).await.clean);
    server.end().await;
    let again = Server::builder().bind(address).await.expect("it is free");
    assert_eq!(again.local_addr().expect("it listens"), address);
}

#[tokio::test]
async fn an_address_in_use_is_an_error_unless_it_is_shared() {
    let one = Server::builder().bind("127.0.0.1:0").await.expect("free");
    let address = one.local_addr().expect("it listens");
    let error = Server::builder().bind(address).await.expect_err("in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let nowhere: &[std::net::SocketAddr] = &[];
    let error = Server::builder().bind(nowhere).await.expect_err("nothing");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    if cfg!(target_os = "linux") {
        let shared = || Server::builder().with_reuse_port(true);
        let one = shared().bind("127.0.0.1:0").await.expect("free");
        let address = one.local_addr().expect("it listens");
        shared().bind(address).await.expect("shared");
    }
}

#[tokio::test]
async fn a_socket_that_listens_already_is_taken_over() {
    let of_std = std::net::TcpListener::bind("127.0.0.1:0").expect("free");
    let of_tokio = TcpListener::bind("127.0.0.1:0").await.expect("free");
    for listener in [
        Listener::try_from(of_std).expect("a socket"),
        Listener::from(of_tokio),
    ] {
        let server = Server::builder().route("/", echo).listen(listener);
        let uri = format!("ws://{}/", server.local_addr().expect("it listens"));
        let handle = server.handle();
        let running = tokio::spawn(server.run());
        let mut ws = within(ws_async::connect(&uri)).await.expect("accepted");
        assert!(ws.get_ref().nodelay().is_ok());
        ws.send("hello").await.expect("sent");
        assert!(ws.recv().await.expect("received").is_some());
        drop(ws);
        within(handle.drain(at_once())).await;
        within(running).await.expect("no panic");
    }
}

/// A page that reloads on many screens at once is a burst, and all of it finds room while nobody accepts. A client that has
/// left again keeps its place in the backlog, and no file descriptor.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_burst_fits_into_the_backlog() {
    const BACKLOG: usize = 1_024;
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("Linux has it");
    if most.trim().parse::<usize>().expect("a number") < BACKLOG {
        return;
    }
    let server = Server::builder().bind("127.0.0.1:0").await.expect("free");
    let address = server.local_addr().expect("it listens");
    for count in 0..BACKLOG {
        let connected = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1));
        assert!(connected.is_ok(), "{connected:?} after {count}");
    }
}

/// Others may have the same socket: whoever has it after a server that ends takes the connections that wait.
#[tokio::test]
async fn a_shared_socket_outlives_the_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("free");
    let server = |listener| Server::builder().route("/", echo).listen(listener);
    let share = || Listener::try_from(listener.try_clone().expect("a descriptor")).expect("fits");
    let (first, second) = (server(share()), server(share()));
    let address = first.local_addr().expect("it listens");
    let (of_first, of_second) = (first.handle(), second.handle());
    let draining = tokio::spawn({
        let handle = of_first.clone();
        async move { handle.drain(at_once()).await }
    });
    while !of_first.is_draining() {
        tokio::task::yield_now().await;
    }
    // Nobody accepts it before the first server ends.
    let waiting = within(tokio::net::TcpStream::connect(address)).await;
    let waiting = waiting.expect("it listens");
    within(first.run()).await;
    within(draining).await.expect("no panic");
    assert_eq!(of_first.stats().accepted, 0);
    let running = tokio::spawn(second.run());
    let waiting = within(Connector::new().handshake(waiting, "ws://localhost/")).await;
    drop(waiting.expect("accepted"));
    within(of_second.drain(at_once())).await;
    within(running).await.expect("no panic");
    let stats = of_second.stats();
    assert_eq!((stats.opened, stats.accept_errors), (1, 0));
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::path::{Path, PathBuf};

    use tokio::net::UnixStream;

    use super::*;

    /// A folder of its own for each test, gone afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ws-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.0);
        }
    }

    async fn echoes(path: &Path) {
        let stream = UnixStream::connect(path).await.expect("it listens");
        let mut ws = Connector::new()
            .handshake(stream, "ws://localhost/")
            .await
            .expect("accepted");
        ws.send("hello").await.expect("sent");
        assert!(ws.recv().await.expect("received").is_some());
    }

    #[tokio::test]
    async fn a_unix_socket_is_served_and_its_file_removed() {
        let folder = Folder::new("served");
        let path = folder.0.join("socket");
        let server = Server::builder()
            .route("/", |session| async {
                assert_eq!(session.peer_addr(), None);
                echo(session).await
            })
            .bind_unix(&path)
            .await
            .expect("bound");
        assert!(server.local_addr().is_err());
        let handle = server.handle();
        let running = tokio::spawn(server.run());
        within(echoes(&path)).await;
        let in_use = Server::builder().bind_unix(&path).await;
        assert_eq!(in_use.expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        within(handle.drain(at_once())).await;
        within(running).await.expect("no panic");
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_killed_server_left_is_replaced_and_nothing_else() {
        let folder = Folder::new("left");
        let path = folder.0.join("socket");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        assert!(path.exists());
        let server = Server::builder().bind_unix(&path).await.expect("replaced");
        // Somebody takes the name away: then it is not this server's to remove.
        fs::remove_file(&path).expect("removed");
        let other = Server::builder().bind_unix(&path).await.expect("free");
        drop(server);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());

        fs::write(&path, "precious").expect("written");
        let refused = Server::builder().bind_unix(&path).await;
        assert_eq!(
            refused.expect_err("no socket").kind(),
            io::ErrorKind::AddrInUse
        );
        assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    }

    #[tokio::test]
    async fn a_shared_unix_socket_outlives_the_server() {
        let folder = Folder::new("shared");
        let path = folder.0.join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("bound");
        let server = |listener| Server::builder().route("/", echo).listen(listener);
        let share =
            || Listener::try_from(listener.try_clone().expect("a descriptor")).expect("fits");
        let (first, second) = (server(share()), server(share()));
        let (of_first, of_second) = (first.handle(), second.handle());
        // It waits, for nobody accepts before the first server ends.
        let waiting = std::os::unix::net::UnixStream::connect(&path).expect("it listens");
        let draining = tokio::spawn(async move { of_first.drain(at_once()).await });
        tokio::task::yield_now().await;
        within(first.run()).await;
        within(draining).await.expect("no panic");
        let running = tokio::spawn(second.run());
        within(echoes(&path)).await;
        // That came before.
        assert_eq!(of_second.stats().accepted, 2);
        drop(waiting);
        within(of_second.drain(at_once())).await;
        within(running).await.expect("no panic");
        assert_eq!(of_second.stats().accept_errors, 0);
    }

    #[tokio::test]
    async fn a_unix_listener_is_taken_over_and_its_file_left_alone() {
        let folder = Folder::new("taken");
        let path = folder.0.join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("bound");
        let listener = Listener::try_from(listener).expect("a socket");
        let server = Server::builder().route("/", echo).listen(listener);
        let handle = server.handle();
        let running = tokio::spawn(server.run());
        within(echoes(&path)).await;
        within(handle.drain(at_once())).await;
        within(running).await.expect("no panic");
        assert!(path.exists());
    }
}
