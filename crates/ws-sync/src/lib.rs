//! Blocking WebSocket: client and server over TCP, Unix sockets and, as [`Untimed`], any `Read + Write`.
//!
//! A server, with pages beside its sockets and an end in good order if wanted ([`Server`]):
//!
//! ```no_run
//! # fn server() -> std::io::Result<()> {
//! use ws_sync::{Server, Session};
//!
//! let server = Server::builder()
//!     .route("/echo", |mut session: Session| {
//!         while let Some(message) = session.recv()? {
//!             session.send(message)?;
//!         }
//!         Ok(())
//!     })
//!     .bind("127.0.0.1:9001")?;
//! server.run();
//! # Ok(())
//! # }
//! ```
//!
//! Or a connection at a time, over any [`Stream`]:
//!
//! ```no_run
//! # fn server(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//! let mut ws = ws_sync::accept(stream)?;
//! while let Some(message) = ws.recv()? {
//!     ws.send(message)?;
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
//! Sending from one thread while another receives:
//!
//! ```no_run
//! # fn halves(ws: ws_sync::WebSocket<std::net::TcpStream>) -> Result<(), Box<dyn std::error::Error>> {
//! let (sender, mut receiver) = ws.split()?;
//! let receiving = std::thread::spawn(move || {
//!     while let Some(message) = receiver.recv()? {
//!         println!("{message:?}");
//!     }
//!     Ok::<_, ws_sync::Error>(())
//! });
//! sender.send("hello")?;
//! sender.close(ws_sync::CloseCode::NORMAL, "")?;
//! receiving.join().expect("no panic")?;
//! # Ok(())
//! # }
//! ```
//!
//! A message larger than memory, in pieces both ways:
//!
//! ```no_run
//! # fn pieces(ws: &mut ws_sync::WebSocket<std::net::TcpStream>) -> Result<(), Box<dyn std::error::Error>> {
//! use ws_sync::MessageKind;
//!
//! let mut writer = ws.writer(MessageKind::Binary)?;
//! std::io::copy(&mut std::fs::File::open("film")?, &mut writer)?;
//! writer.finish()?;
//!
//! if let Some(mut reader) = ws.reader_up_to(1 << 40)? {
//!     std::io::copy(&mut reader, &mut std::fs::File::create("copy")?)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! One message to many connections: [`Hub`].
//!
//! Replies to what came in one read leave in one write, without [`feed`](WebSocket::feed): while more of what the peer
//! sent waits to be received, [`send`](WebSocket::send) only queues. If the thread does something else than to receive,
//! what it has sent is written all the same, within about a millisecond.
//!
//! All state of the protocol lives in `ws-proto`; this crate reads, writes and waits. A connection starts no threads, save
//! for what could not be written at once of what was put off so, or of what a [`Hub`] or [`Sender::try_send`] has
//! accepted: one, until the peer has taken that. One more thread, for all connections of the process, looks after what is
//! put off; it is started when something is for the first time, and sleeps while nothing is. A [`Server`] starts one
//! for each connection. Its twin `ws-async` has the same names with `.await`.
//!
//! A blocking wait ends when the operating system says so, therefore deadlines hold where the stream has timeouts: on
//! TCP and Unix sockets and on your own [`Stream`]s. Anything else goes in as [`Untimed`], whose name says it.
//!
//! # Features
//!
//! * `tracing`, off by default: a [`Server`] tells what happens through the crate of that name, in a span for each
//!   connection. At `info` the drain, at `warn` and `error` what concerns the operator, at `debug` what becomes of each
//!   connection, at `trace` each frame of the connections that open while somebody listens at that level. No event holds
//!   a payload unless `ServerBuilder::with_logged_payloads` asks for it.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod accept;
mod attendant;
mod byte_stream;
mod connect;
mod deferred;
mod driver;
mod error;
mod exchange;
mod handles;
mod handover;
mod hub;
mod lent;
mod listing;
mod mask_keys;
mod publishing;
mod read_buffer;
mod receiving;
mod sending;
mod server;
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
pub use deferred::Attendance;
pub use error::{AcceptError, ConnectError, Error};
pub use hub::{Hub, Member};
pub use lent::{Received, StreamRef};
pub use server::{HandlerResult, Listener, Server, ServerBuilder, ServerHandle, Session};
pub use split::{Receiver, Sender, Turn};
pub use stream::{CloneStream, Stream, Untimed};
pub use streaming::{MessageReader, MessageWriter, ReceivingHalf, SendingHalf};
pub use websocket::WebSocket;
/// The functions over bytes underneath: requests, responses and refusals.
pub use ws_handshake as handshake;
pub use ws_handshake::{Limits, OriginPolicy, Preference};
#[cfg(feature = "deflate")]
pub use ws_proto::Deflate;
/// What can be asked of a [`Server`], and what it answers.
pub use ws_proto::serving;
pub use ws_proto::{
    Agreement, Chunk, CloseCode, CloseFrame, CloseInfo, Compress, Config, DeflateConfig, Direction,
    Event, FrameHeader, Initiator, Level, Message, MessageKind, MessageRef, Opcode,
    PreparedMessage, ProtocolError, Published, Replies, Role, Rsv, SendError, SlowConsumer, State,
    Stats, TappedFrame, Terms, Traffic, Unsent, Utf8Bytes, WindowBits,
};
