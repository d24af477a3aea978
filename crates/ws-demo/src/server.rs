//! What is at which path, listening, and the end of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use ws_async::serving::Drain;
use ws_async::{
    Acceptor, CloseCode, Config, DeflateConfig, OriginPolicy, Preference, ServerBuilder, Session,
};

use crate::echo::Answer;
use crate::rooms::Rooms;
use crate::settings::Settings;
use crate::wire::{self, Watchers};
use crate::{GOING_AWAY, PLAIN, STALL_TIMEOUT, chat, echo, inspect, origins, page};

/// Subprotocols this server knows. They change nothing here; they show the choice: the client's first
/// that is known is taken, and none is named where none was offered.
const SUBPROTOCOLS: [&str; 2] = ["chat", "superchat"];

/// The closing handshake has less time than the whole shutdown, so that it can fail within it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    server: ws_async::Server,
    rooms: Arc<Rooms>,
    settings: Settings,
}

impl Server {
    /// Listens at the address of `settings`; connections wait until [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// The address cannot be listened on: somebody else does, or it is none of this machine's.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let rooms = Arc::new(Rooms::default());
        let config = Config::default()
            .with_handshake_timeout(Some(settings.handshake_timeout))
            .with_close_timeout(Some(CLOSE_TIMEOUT))
            .with_write_timeout(Some(STALL_TIMEOUT));
        let watchers = Arc::new(Watchers::default());
        let allowed = OriginPolicy::AllowList(settings.allowed_origins.clone());
        let mut builder = ws_async::Server::builder()
            .with_max_connections(settings.max_connections)
            .with_acceptor(acceptor(config.clone()))
            .authorize(move |request| origins::check(request, &allowed))
            .http(page::respond);
        // One for all connections: they share its compressors.
        let compressing = config.clone().with_deflate(DeflateConfig::default());
        for (prefix, config) in [("", compressing), (PLAIN, config.clone())] {
            let sockets = Sockets {
                prefix,
                config,
                rooms: Arc::clone(&rooms),
                watchers: Arc::clone(&watchers),
            };
            builder = sockets.add_to(builder);
        }
        let watch = acceptor(limited(config, wire::MAX_MESSAGE_SIZE));
        let server = builder
            .route_with("/wire", watch, move |session| {
                wire::serve(session, Arc::clone(&watchers))
            })
            .bind(settings.address)
            .await?;
        Ok(Self {
            server,
            rooms,
            settings,
        })
    }

    /// Where the server listens, with the port that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.server.local_addr()
    }

    /// Serves until `until` is ready. Then it accepts nothing more, closes every socket with 1001,
    /// gives them [`Settings::shutdown_grace`], and cuts what is left: the number it returns.
    pub async fn run(self, until: impl Future<Output = ()>) -> usize {
        let Self {
            server,
            rooms,
            settings,
        } = self;
        let handle = server.handle();
        let ending = async {
            tokio::select! {
                () = until => {}
                () = tick(&rooms, settings.tick_interval) => {}
            }
            handle.drain(drain(settings.shutdown_grace)).await.aborted
        };
        tokio::join!(server.run(), ending).1
    }
}

/// The routes that may be watched. They are there with and without compression.
struct Sockets {
    prefix: &'static str,
    config: Config,
    rooms: Arc<Rooms>,
    watchers: Arc<Watchers>,
}

impl Sockets {
    fn add_to(self, builder: ServerBuilder) -> ServerBuilder {
        let Self {
            prefix,
            config,
            rooms,
            watchers,
        } = self;
        let compressing = config.deflate.as_ref().map(|deflate| *deflate.terms());
        let chat_acceptor = acceptor(limited(config.clone(), chat::MAX_MESSAGE_SIZE));
        let acceptor = acceptor(config);
        let path = |route: &str| format!("{prefix}{route}");
        let echo = |answer: Answer| {
            let watchers = Arc::clone(&watchers);
            move |session: Session| {
                let answers = watchers.watch(session.request(), session.sender());
                echo::serve(session, answer, answers)
            }
        };
        builder
            .route_with(&path("/echo"), acceptor.clone(), echo(Answer::Same))
            .route_with(
                &path(origins::CHECKED),
                acceptor.clone(),
                echo(Answer::Same),
            )
            .route_with(
                &path("/reverse-001"),
                acceptor.clone(),
                echo(Answer::TextAndAaaa),
            )
            .route_with(&path("/inspect"), acceptor, move |session| {
                inspect::serve(session, compressing)
            })
            .route_with(&path("/chat"), chat_acceptor, move |session| {
                watchers.watch(session.request(), session.sender());
                let rooms = Arc::clone(&rooms);
                async { Ok(chat::serve(session.split(), rooms).await?) }
            })
    }
}

fn limited(config: Config, max_message_size: usize) -> Config {
    config
        .with_max_message_size(max_message_size)
        .with_max_frame_size(max_message_size)
}

/// Which page may connect is decided by [`origins`].
fn acceptor(config: Config) -> Acceptor {
    Acceptor::new()
        .with_config(config)
        .with_origin_policy(OriginPolicy::AllowAny)
        .with_subprotocols(SUBPROTOCOLS)
        .with_preference(Preference::Client)
}

/// Pushes to every chat room, for ever.
async fn tick(rooms: &Rooms, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        rooms.tick().await;
    }
}

/// All at once: whoever looks at this page is not one of thousands.
fn drain(grace: Duration) -> Drain {
    Drain::new(CloseCode::GOING_AWAY, GOING_AWAY)
        .expect("a code and a reason that may be sent")
        .with_window(Duration::ZERO)
        .with_deadline(grace)
}
