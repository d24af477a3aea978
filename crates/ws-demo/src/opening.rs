//! A connection from its first byte: one HTTP request, and what it leads to.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;
use ws_async::handshake::server::Rejection;
use ws_async::{Acceptor, Config, Incoming};

use crate::rooms::Rooms;
use crate::routes::{self, Outcome, Route};
use crate::settings::Settings;
use crate::shutdown::ShutdownWatch;
use crate::{STALL_TIMEOUT, chat, echo, inspect};

/// The closing handshake has less time than the whole shutdown, so that it can fail within it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a peer that is turned away may take to say what it wanted and to read the answer.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an HTTP response that is on its way when the shutdown begins may still take.
const LAST_RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a connection ended other than by being closed. It concerns nobody but the peer.
type Ended = Box<dyn std::error::Error + Send + Sync>;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) rooms: Arc<Rooms>,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(
    stream: TcpStream,
    shared: &Shared,
    mut shutdown: ShutdownWatch,
) -> Result<(), Ended> {
    let acceptor = acceptor(shared.settings.handshake_timeout);
    let incoming = tokio::select! {
        biased;
        // Nobody has asked anything yet, so nobody waits for an answer.
        () = shutdown.begun() => return Ok(()),
        incoming = acceptor.read_request(stream) => incoming?,
    };
    match routes::decide(incoming.request(), &shared.settings) {
        Outcome::Response(response) => respond(incoming, &response, shutdown).await,
        Outcome::Refusal(rejection) => {
            let mut response = Vec::new();
            rejection.encode(&mut response);
            respond(incoming, &response, shutdown).await
        }
        Outcome::Socket(route, acceptance) => {
            let config = Config::default()
                .with_close_timeout(Some(CLOSE_TIMEOUT))
                .with_write_timeout(Some(STALL_TIMEOUT));
            match route {
                Route::Echo(answer) => {
                    let ws = incoming.accept_with(config, &acceptance).await?;
                    echo::serve(ws, answer, shutdown).await?;
                }
                Route::Chat => {
                    let config = config
                        .with_max_message_size(chat::MAX_MESSAGE_SIZE)
                        .with_max_frame_size(chat::MAX_MESSAGE_SIZE);
                    let ws = incoming.accept_with(config, &acceptance).await?;
                    chat::serve(ws, Arc::clone(&shared.rooms), shutdown).await?;
                }
                Route::Inspect => {
                    let report = inspect::report(incoming.request(), &acceptance);
                    let ws = incoming.accept_with(config, &acceptance).await?;
                    inspect::serve(ws, report, shutdown).await?;
                }
            }
            Ok(())
        }
    }
}

/// Answers 503 to a connection that there is no room for.
pub(crate) async fn turn_away(stream: TcpStream) -> Result<(), Ended> {
    let incoming = acceptor(TURN_AWAY_TIMEOUT).read_request(stream).await?;
    let retry_after_seconds = Some(10);
    let rejection = Rejection::service_unavailable(retry_after_seconds);
    Ok(incoming.reject(&rejection).await?)
}

fn acceptor(handshake_timeout: Duration) -> Acceptor {
    Acceptor::new().with_config(Config::default().with_handshake_timeout(Some(handshake_timeout)))
}

/// Sends an HTTP response, and waits for the peer to leave: within the time that the request had, or
/// less when the server stops.
async fn respond(
    incoming: Incoming<TcpStream>,
    response: &[u8],
    mut shutdown: ShutdownWatch,
) -> Result<(), Ended> {
    let enough = async {
        shutdown.begun().await;
        sleep(LAST_RESPONSE_TIMEOUT).await;
    };
    tokio::select! {
        biased;
        sent = incoming.respond(response) => Ok(sent?),
        () = enough => Ok(()),
    }
}
