//! A connection from its first byte: one HTTP request, and what it leads to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use ws_async::{Config, Error, WebSocket};
use ws_handshake::Limits;
use ws_handshake::server::{Rejection, Request, RequestReader};

use crate::rooms::Rooms;
use crate::routes::{self, Outcome, Route};
use crate::settings::Settings;
use crate::shutdown::ShutdownWatch;
use crate::{chat, echo, inspect};

/// How long the peer may take to read an HTTP response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// After the response the rest of what the peer sends is read and dropped, within these bounds:
/// closing a socket with unread bytes makes TCP throw away the response too.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// How long a peer that is turned away may take to say what it wanted.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Room for the head of a usual browser request at the first read.
const READ_BYTES: usize = 2048;

/// The closing handshake has less time than the whole shutdown, so that it can fail within it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) rooms: Arc<Rooms>,
}

/// Serves a connection until it ends. How it ended concerns nobody but the peer: the error is for the
/// one who cares to look.
pub(crate) async fn serve(
    mut stream: TcpStream,
    shared: &Shared,
    shutdown: ShutdownWatch,
) -> Result<(), Error> {
    let mut received = BytesMut::new();
    let deadline = shared.settings.handshake_timeout;
    let mut stopping = shutdown.clone();
    let opening = tokio::select! {
        biased;
        () = stopping.begun() => Err(Rejection::service_unavailable(None)),
        opening = timeout(deadline, read_request(&mut stream, &mut received)) => match opening {
            Ok(opening) => opening?,
            // With nothing received nobody has asked anything.
            Err(_elapsed) if received.is_empty() => return Ok(()),
            Err(_elapsed) => Err(Rejection::timeout()),
        },
    };
    let (request, outcome) = match opening {
        Ok(request) => {
            let outcome = routes::decide(&request, &shared.settings);
            (Some(request), outcome)
        }
        Err(rejection) => (None, routes::refuse(&rejection)),
    };
    match (request, outcome) {
        (Some(request), Outcome::Socket(route, acceptance)) => {
            let mut response = Vec::new();
            acceptance.encode(&mut response);
            respond(&mut stream, &response).await?;
            let early = received.split_off(request.head_len());
            let report = (route == Route::Inspect).then(|| inspect::report(&request, &acceptance));
            drop((request, acceptance, received));
            serve_socket(stream, route, early, report, shared, shutdown).await
        }
        (_, Outcome::Response(response)) => finish(stream, &response).await.map_err(Error::Io),
        (None, Outcome::Socket(..)) => Ok(()),
    }
}

/// Answers 503 to a connection that there is no room for.
pub(crate) async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    let mut received = BytesMut::new();
    let asked = timeout(TURN_AWAY_TIMEOUT, read_request(&mut stream, &mut received)).await;
    if matches!(asked, Ok(Err(_))) || received.is_empty() {
        return Ok(());
    }
    let mut response = Vec::new();
    Rejection::service_unavailable(Some(10)).encode(&mut response);
    finish(stream, &response).await
}

async fn read_request(
    stream: &mut TcpStream,
    received: &mut BytesMut,
) -> io::Result<Result<Request, Rejection>> {
    let mut reader = RequestReader::new(Limits::default());
    loop {
        received.reserve(READ_BYTES);
        if stream.read_buf(received).await? == 0 {
            return Ok(Err(reader.handle_eof()));
        }
        match reader.read(received) {
            Ok(None) => {}
            Ok(Some(request)) => return Ok(Ok(request)),
            Err(rejection) => return Ok(Err(rejection)),
        }
    }
}

async fn serve_socket(
    stream: TcpStream,
    route: Route,
    early: BytesMut,
    report: Option<String>,
    shared: &Shared,
    shutdown: ShutdownWatch,
) -> Result<(), Error> {
    let config = Config::default().with_close_timeout(Some(CLOSE_TIMEOUT));
    match route {
        Route::Echo(answer) => {
            echo::serve(WebSocket::server(stream, config, early), answer, shutdown).await
        }
        Route::Chat => {
            let config = config
                .with_max_message_size(chat::MAX_MESSAGE_SIZE)
                .with_max_frame_size(chat::MAX_MESSAGE_SIZE);
            let rooms = Arc::clone(&shared.rooms);
            chat::serve(WebSocket::server(stream, config, early), rooms, shutdown).await
        }
        Route::Inspect => {
            let report = report.unwrap_or_default();
            inspect::serve(WebSocket::server(stream, config, early), report, shutdown).await
        }
    }
}

/// Sends the last thing of a connection so that it arrives.
async fn finish(mut stream: TcpStream, response: &[u8]) -> io::Result<()> {
    if response.is_empty() {
        return Ok(());
    }
    respond(&mut stream, response).await?;
    stream.shutdown().await?;
    let drain = async {
        let mut scrap = [0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut scrap).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        Ok(())
    };
    // A peer that keeps the connection open longer has had its answer.
    timeout(LINGER_TIMEOUT, drain).await.unwrap_or(Ok(()))
}

async fn respond(stream: &mut TcpStream, response: &[u8]) -> io::Result<()> {
    timeout(RESPONSE_TIMEOUT, stream.write_all(response)).await?
}
