//! A server on a port of its own, and clients for it: our own over `ws-async`, and plain HTTP.

#![expect(
    dead_code,
    reason = "each test file is a crate of its own and uses its part"
)]

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use ws_async::{CloseFrame, Config, Error, Message, WebSocket};
use ws_demo::{Server, Settings};
use ws_handshake::client::{Request, ResponseReader};
use ws_handshake::{Limits, Negotiated, Uri};

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
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub(crate) fn start_with(choose: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        settings.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        choose(&mut settings);
        let server = Server::bind(settings).expect("port 0 is free");
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
        self.try_open(path, |request| request)
            .await
            .unwrap_or_else(|status| panic!("{path} answered {status}"))
    }

    /// Opens a socket, or gives the status of the refusal.
    pub(crate) async fn try_open(
        &self,
        path: &str,
        change: impl FnOnce(Request) -> Request,
    ) -> Result<Client, u16> {
        let (stream, early, negotiated) = self.handshake(path, change).await?;
        Ok(Client {
            ws: WebSocket::client(stream, Config::default(), early),
            subprotocol: negotiated.subprotocol,
        })
    }

    /// The opening handshake alone, and what came behind it.
    pub(crate) async fn handshake(
        &self,
        path: &str,
        change: impl FnOnce(Request) -> Request,
    ) -> Result<(TcpStream, BytesMut, Negotiated), u16> {
        let uri = Uri::parse(&format!("ws://{}{path}", self.address)).expect("a good address");
        let (bytes, expectation) = change(Request::new(&uri)).encode(*b"the sample nonce");
        let mut stream = self.stream().await;
        within(stream.write_all(&bytes)).await.expect("it reads");
        let mut received = BytesMut::new();
        let mut reader = ResponseReader::new(Limits::default());
        loop {
            let read = within(stream.read_buf(&mut received)).await;
            assert_ne!(read.expect("it answers"), 0, "it answers before it closes");
            if let Some(response) = reader.read(&received).expect("an HTTP response") {
                let negotiated = expectation
                    .verify(&response)
                    .map_err(|_| response.status())?;
                let early = received.split_off(response.head_len());
                return Ok((stream, early, negotiated));
            }
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
        self.exchange(&format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.address
        ))
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
    pub(crate) subprotocol: Option<String>,
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
        within(async {
            while self.ws.recv().await?.is_some() {}
            Ok::<_, Error>(())
        })
        .await
        .expect("a clean end");
        let info = self.ws.close_info().expect("closed");
        assert!(info.clean);
        info.received.expect("a Close frame").expect("with a code")
    }
}
