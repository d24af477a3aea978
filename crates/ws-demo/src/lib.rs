//! The server of the browser page: one port for the page and for the sockets it talks to.
//!
//! It is a program to look at, not a framework. It never starts a thread per connection, never waits
//! for one client on behalf of another, and keeps nothing when it ends. What the routes do and what
//! the chat speaks is in this crate's README.
//!
//! The way of a connection: `server` accepts it and bounds how many there are, `opening` reads its
//! one HTTP request and answers with a file of `page`, a refusal or a 101, and `echo`, `chat` or
//! `inspect` serve the socket until it closes or `shutdown` begins.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod chat;
mod echo;
mod inspect;
mod opening;
mod page;
mod protocol;
mod rooms;
mod routes;
mod server;
mod settings;
mod shutdown;

use std::time::Duration;

pub use server::Server;
pub use settings::Settings;
pub use ws_async::handshake::{InvalidOrigin, Origin};

/// The reason in the Close frame of a server that stops (RFC 6455 section 7.4.1: 1001).
const GOING_AWAY: &str = "the server stops";

/// How long a peer may leave us waiting for it to take what it asked for.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);
