//! A server on a port of its own, and clients for it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use ws_async::handshake::client::HandshakeError;
use ws_async::serving::{Drain, Drained};
use ws_async::{
    CloseInfo, ConnectError, Connector, HandlerResult, ServerBuilder, ServerHandle, Session,
    WebSocket,
};

/// Longer than anything here takes; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it ends in time")
}

/// No spreading and little waiting.
pub(crate) fn at_once() -> Drain {
    Drain::default().with_window(Duration::ZERO)
}

pub(crate) async fn echo(mut session: Session) -> HandlerResult {
    while let Some(message) = session.recv().await? {
        session.send(message).await?;
    }
    Ok(())
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(builder: ServerBuilder) -> Self {
        let server = builder.bind("127.0.0.1:0").await.expect("a free port");
        let address = server.local_addr().expect("it listens");
        let handle = server.handle();
        let task = tokio::spawn(server.run());
        Self {
            address,
            handle,
            task,
        }
    }

    /// Waits until so many connections are open: a client knows that a moment before the server does.
    pub(crate) async fn has_open(&self, count: usize) {
        while self.handle.stats().open < count {
            tokio::task::yield_now().await;
        }
    }

    /// Ends the server, which must end by itself then.
    pub(crate) async fn drain(self, drain: Drain) -> Drained {
        let drained = within(self.handle.drain(drain)).await;
        within(self.task).await.expect("no panic");
        drained
    }

    /// Ends a server whose clients have left.
    pub(crate) async fn end(self) {
        assert_eq!(self.drain(at_once()).await.aborted, 0);
    }

    pub(crate) async fn stream(&self) -> TcpStream {
        within(TcpStream::connect(self.address))
            .await
            .expect("it listens")
    }

    pub(crate) async fn open(&self, path: &str) -> WebSocket<TcpStream> {
        self.try_open(path)
            .await
            .unwrap_or_else(|status| panic!("{path} answered {status}"))
    }

    pub(crate) async fn try_open(&self, path: &str) -> Result<WebSocket<TcpStream>, u16> {
        self.try_open_with(path, &Connector::new()).await
    }

    /// Opens a connection, or gives the status of the refusal.
    pub(crate) async fn try_open_with(
        &self,
        path: &str,
        connector: &Connector,
    ) -> Result<WebSocket<TcpStream>, u16> {
        let uri = format!("ws://{}{path}", self.address);
        match within(connector.connect(&uri)).await {
            Ok(ws) => Ok(ws),
            Err(ConnectError::Handshake(HandshakeError::Refused(refusal))) => {
                Err(refusal.response().status())
            }
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// Sends a request without content and gives everything that comes back.
    pub(crate) async fn request(&self, line: &str) -> String {
        let mut stream = self.stream().await;
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        read_to_end(stream).await
    }
}

pub(crate) async fn read_to_end(mut stream: TcpStream) -> String {
    let mut response = String::new();
    within(stream.read_to_string(&mut response))
        .await
        .expect("it answers and closes");
    response
}

/// Receives until the connection is over.
pub(crate) async fn closed(mut ws: WebSocket<TcpStream>) -> CloseInfo {
    while within(ws.recv())
        .await
        .is_ok_and(|message| message.is_some())
    {}
    ws.close_info().expect("it is over")
}
