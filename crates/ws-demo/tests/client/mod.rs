//! A server on a port of its own, and clients for it: our own over `ws-async`, and plain HTTP.

#![expect(
    dead_code,
    reason = "each test file is a crate of its own and uses its part"
)]

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use ws_async::handshake::client::HandshakeError;
use ws_async::{CloseFrame, ConnectError, Connector, Error, Message, WebSocket};
use ws_demo::{Server, Settings};

/// Longer than anything here takes; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it ends in time")
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(choose: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        settings.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        choose(&mut settings);
        let server = Server::bind(settings).await.expect("port 0 is free");
        let address = server.local_addr().expect("it listens");
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async move {
            stopped.await.expect("the test stops its server");
        };
        let task = tokio::spawn(server.run(until));
        Self {
            address,
            stop,
            task,
        }
    }

    /// Stops the server; how many connections it had to cut.
    pub(crate) async fn stop(self) -> usize {
        self.stop.send(()).expect("the server runs");
        within(self.task).await.expect("it ends by itself")
    }

    /// Lets go of the clients and stops the server, which then has nothing to cut.
    pub(crate) async fn end<T>(self, clients: T) {
        drop(clients);
        assert_eq!(self.stop().await, 0);
    }

    pub(crate) async fn stream(&self) -> TcpStream {
        within(TcpStream::connect(self.address))
            .await
            .expect("it accepts")
    }

    pub(crate) async fn open(&self, path: &str) -> Client {
        self.open_with(path, &Connector::new())
            .await
            .unwrap_or_else(|status| panic!("{path} answered {status}"))
    }

    /// Opens a socket, or gives the status of the refusal.
    pub(crate) async fn open_with(&self, path: &str, connector: &Connector) -> Result<Client, u16> {
        let uri = format!("ws://{}{path}", self.address);
        match within(connector.connect(&uri)).await {
            Ok(ws) => Ok(Client { ws }),
            Err(ConnectError::Handshake(HandshakeError::Refused(refusal))) => {
                Err(refusal.response().status())
            }
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// Sends these bytes as they are and gives everything that comes back until the end.
    pub(crate) async fn exchange(&self, request: &str) -> String {
        let mut stream = self.stream().await;
        within(stream.write_all(request.as_bytes()))
            .await
            .expect("it reads");
        read_to_end(&mut stream)
            .await
            .expect("it answers and closes")
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let host = self.address;
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await
    }
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> io::Result<String> {
    let mut response = String::new();
    within(stream.read_to_string(&mut response)).await?;
    Ok(response)
}

pub(crate) struct Client {
    pub(crate) ws: WebSocket<TcpStream>,
}

impl Client {
    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        within(self.ws.send(message)).await.expect("it is sent");
    }

    pub(crate) async fn recv(&mut self) -> Message {
        within(self.ws.recv())
            .await
            .expect("no error")
            .expect("not closed")
    }

    pub(crate) async fn text(&mut self) -> String {
        let message = self.recv().await;
        message.as_text().expect("text").to_owned()
    }

    /// Reads until a text that contains `part`, and gives it.
    pub(crate) async fn text_with(&mut self, part: &str) -> String {
        loop {
            let text = self.text().await;
            if text.contains(part) {
                return text;
            }
        }
    }

    /// Sends, and reads the echo of it.
    pub(crate) async fn echo(&mut self, message: Message) {
        self.send(message.clone()).await;
        assert_eq!(self.recv().await, message);
    }

    /// Reads until the server has closed; the Close frame it sent.
    pub(crate) async fn closed(mut self) -> CloseFrame {
        let end = async {
            while self.ws.recv().await?.is_some() {}
            Ok::<_, Error>(())
        };
        within(end).await.expect("a clean end");
        let info = self.ws.close_info().expect("closed");
        assert!(info.clean);
        info.received.expect("a Close frame").expect("with a code")
    }
}
