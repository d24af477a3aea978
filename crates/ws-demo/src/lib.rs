//! The server of the browser page: one port for the page and for the sockets it talks to.
//!
//! It is a program to look at, not a framework. It never starts a thread per connection, never waits
//! for one client on behalf of another, and keeps nothing when it ends. What the routes do and what
//! the chat speaks is in this crate's README.
//!
//! `server` says what is at which path: `page` to be loaded, `echo`, `chat` and `inspect` to be talked
//! to by whom `origins` lets in, and `wire`, which tells of the others what is on the wire. Accepting, the limit and the end of it all are `ws-async`'s.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod chat;
mod echo;
mod inspect;
mod origins;
mod page;
mod protocol;
mod rooms;
mod server;
mod settings;
mod wire;

use std::time::Duration;

pub use server::Server;
pub use settings::Settings;
pub use ws_async::handshake::{InvalidOrigin, Origin};

/// The reason in the Close frame of a server that stops (RFC 6455 section 7.4.1: 1001).
const GOING_AWAY: &str = "the server stops";

/// What the path of a route begins with where permessage-deflate is declined. Elsewhere it is accepted.
const PLAIN: &str = "/plain";

/// How long a peer may leave us waiting for it to take what it asked for.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);
