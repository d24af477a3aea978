//! A server on a port of its own, and clients for it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ws_sync::handshake::client::HandshakeError;
use ws_sync::serving::{Drain, Drained};
use ws_sync::{
    CloseInfo, ConnectError, Connector, HandlerResult, ServerBuilder, ServerHandle, Session,
    WebSocket,
};

/// Longer than anything here takes; a read that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(20);

/// No spreading and little waiting.
pub(crate) fn at_once() -> Drain {
    Drain::default().with_window(Duration::ZERO)
}

pub(crate) fn echo(mut session: Session) -> HandlerResult {
    while let Some(message) = session.recv()? {
        session.send(message)?;
    }
    Ok(())
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    thread: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(builder: ServerBuilder) -> Self {
        let server = builder.bind("127.0.0.1:0").expect("a free port");
        let address = server.local_addr().expect("it listens");
        let handle = server.handle();
        let thread = thread::spawn(|| server.run());
        Self {
            address,
            handle,
            thread,
        }
    }

    /// Waits until so many connections are open: a client knows that a moment before the server does.
    pub(crate) fn has_open(&self, count: usize) {
        while self.handle.stats().open < count {
            thread::yield_now();
        }
    }

    /// Ends the server, which must end by itself then.
    pub(crate) fn drain(self, drain: Drain) -> Drained {
        let drained = self.handle.drain(drain);
        self.thread.join().expect("no panic");
        drained
    }

    /// Ends a server whose clients have left.
    pub(crate) fn end(self) {
        assert_eq!(self.drain(at_once()).aborted, 0);
    }

    pub(crate) fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    pub(crate) fn open(&self, path: &str) -> WebSocket<TcpStream> {
        self.try_open(path)
            .unwrap_or_else(|status| panic!("{path} answered {status}"))
    }

    pub(crate) fn try_open(&self, path: &str) -> Result<WebSocket<TcpStream>, u16> {
        self.try_open_with(path, &Connector::new())
    }

    /// Opens a connection, or gives the status of the refusal.
    pub(crate) fn try_open_with(
        &self,
        path: &str,
        connector: &Connector,
    ) -> Result<WebSocket<TcpStream>, u16> {
        let uri = format!("ws://{}{path}", self.address);
        match connector.connect(&uri) {
            Ok(mut ws) => {
                ws.set_read_timeout(Some(PATIENCE));
                Ok(ws)
            }
            Err(ConnectError::Handshake(HandshakeError::Refused(refusal))) => {
                Err(refusal.response().status())
            }
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// Sends a request without content and gives everything that comes back.
    pub(crate) fn request(&self, line: &str) -> String {
        let mut stream = self.stream();
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        read_to_end(stream)
    }
}

pub(crate) fn read_to_end(mut stream: TcpStream) -> String {
    let mut response = String::new();
    stream
        .read_to_string(&mut response)
        .expect("it answers and closes");
    response
}

/// Receives until the connection is over.
pub(crate) fn closed(mut ws: WebSocket<TcpStream>) -> CloseInfo {
    while ws.recv().is_ok_and(|message| message.is_some()) {}
    ws.close_info().expect("it is over")
}
