//! The WebSocket opening handshake of RFC 6455 section 4, both roles, without IO.
//!
//! Pure functions over bytes: a request head comes in and an answer comes out ([`server`]), or a
//! request goes out and its answer is verified ([`client`]). The crate opens no socket, waits for
//! nothing, draws no random number and knows no clock; the caller reads, writes and keeps the deadline.
//! It does not know frames either: it tells how many of the received bytes were the head, and the rest
//! is the connection's.
//!
//! - Both readers are incremental. Their work is linear in the bytes received, they check their
//!   [`Limits`] in the middle of a line, and their verdict does not depend on how the bytes were cut.
//! - The server checks every requirement of RFC 6455 section 4.2.1 and what HTTP/1.1 demands before it
//!   (RFC 9110, RFC 9112), and refuses with the status each breach deserves.
//! - The client checks every requirement of section 4.1 and takes nothing it did not ask for.
//! - Nothing that a peer sends can make it panic: the code that sees input has no indexing, no unchecked
//!   arithmetic and no `unwrap`, and the compiler enforces that.
//!
//! `no_std` with `alloc`. The feature `std`, on by default, lets the head parser use SIMD.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::string_slice
    )
)]

extern crate alloc;

pub mod client;
pub mod extension;
pub mod server;

mod authority;
mod fields;
mod head;
mod key;
mod limits;
mod negotiated;
mod origin;
mod scan;
mod subprotocol;
mod uri;

pub use ws_deflate as deflate;

pub use head::Headers;
pub use key::{AcceptKey, GUID, encode_key, is_key};
pub use limits::Limits;
pub use negotiated::Negotiated;
pub use origin::{InvalidOrigin, Origin, OriginPolicy};
pub use subprotocol::Preference;
pub use uri::{Uri, UriError, UriOptions, Userinfo};
