//! Blocking WebSocket: client and server over TCP, Unix sockets and, as [`Untimed`], any `Read + Write`.
//!
//! A server:
//!
//! ```no_run
//! # fn server() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = std::net::TcpListener::bind("127.0.0.1:9001")?;
//! for stream in listener.incoming() {
//!     let stream = stream?;
//!     std::thread::spawn(move || {
//!         let mut ws = ws_sync::accept(stream)?;
//!         while let Some(message) = ws.recv()? {
//!             ws.send(message)?;
//!         }
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//!     });
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A client:
//!
//! ```no_run
//! # fn client() -> Result<(), Box<dyn std::error::Error>> {
//! let mut ws = ws_sync::connect("ws://127.0.0.1:9001/")?;
//! ws.send("hello")?;
//! println!("{:?}", ws.recv()?);
//! ws.close(ws_sync::CloseCode::NORMAL, "")?;
//! # Ok(())
//! # }
//! ```
//!
//! All state of the protocol lives in `ws-proto`; this crate reads, writes and waits. It starts no threads. Its twin
//! `ws-async` has the same names with `.await`.
//!
//! A blocking wait ends when the operating system says so, therefore deadlines hold where the stream has timeouts: on
//! TCP and Unix sockets and on your own [`Stream`]s. Anything else goes in as [`Untimed`], whose name says it.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod accept;
mod byte_stream;
mod connect;
mod driver;
mod error;
mod exchange;
mod handles;
mod handover;
mod mask_keys;
mod read_buffer;
mod receiving;
mod sending;
mod split;
mod stream;
mod streaming;
mod sync;
mod timed;
mod websocket;
mod whole;

pub use accept::{Acceptor, Incoming, accept};
pub use byte_stream::ByteStream;
pub use connect::{Connector, connect};
pub use error::{AcceptError, ConnectError, Error};
pub use split::{Receiver, Sender, Turn};
pub use stream::{CloneStream, Stream, Untimed};
pub use streaming::{MessageReader, MessageWriter, ReceivingHalf, SendingHalf};
pub use websocket::WebSocket;
/// The functions over bytes underneath: requests, responses and refusals.
pub use ws_handshake as handshake;
pub use ws_handshake::{Limits, OriginPolicy};
pub use ws_proto::{
    Chunk, CloseCode, CloseFrame, CloseInfo, Config, Direction, Event, Initiator, Message,
    MessageKind, PreparedMessage, ProtocolError, Role, SendError, State, Stats, TappedFrame,
    Traffic, Unsent, Utf8Bytes,
};
