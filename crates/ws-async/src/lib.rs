//! WebSocket on tokio: client and server over any `AsyncRead + AsyncWrite`.
//!
//! A server, with pages beside its sockets and an end in good order if wanted ([`Server`]):
//!
//! ```no_run
//! # async fn server() -> std::io::Result<()> {
//! use ws_async::{Server, Session};
//!
//! let server = Server::builder()
//!     .route("/echo", |mut session: Session| async move {
//!         while let Some(message) = session.recv().await? {
//!             session.send(message).await?;
//!         }
//!         Ok(())
//!     })
//!     .bind("127.0.0.1:9001")
//!     .await?;
//! server.run().await;
//! # Ok(())
//! # }
//! ```
//!
//! Or a connection at a time, over any stream:
//!
//! ```no_run
//! # async fn server(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//! let mut ws = ws_async::accept(stream).await?;
//! while let Some(message) = ws.recv().await? {
//!     ws.send(message).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A client:
//!
//! ```no_run
//! # async fn client() -> Result<(), Box<dyn std::error::Error>> {
//! let mut ws = ws_async::connect("ws://127.0.0.1:9001/").await?;
//! ws.send("hello").await?;
//! println!("{:?}", ws.recv().await?);
//! ws.close(ws_async::CloseCode::NORMAL, "").await?;
//! # Ok(())
//! # }
//! ```
//!
//! Sending in one task while another receives:
//!
//! ```no_run
//! # async fn halves(ws: ws_async::WebSocket<tokio::net::TcpStream>) -> Result<(), Box<dyn std::error::Error>> {
//! let (sender, mut receiver) = ws.split();
//! let receiving = tokio::spawn(async move {
//!     while let Some(message) = receiver.recv().await? {
//!         println!("{message:?}");
//!     }
//!     Ok::<_, ws_async::Error>(())
//! });
//! sender.send("hello").await?;
//! sender.close(ws_async::CloseCode::NORMAL, "").await?;
//! receiving.await??;
//! # Ok(())
//! # }
//! ```
//!
//! A message larger than memory, in pieces both ways:
//!
//! ```no_run
//! # use tokio::net::TcpStream;
//! # async fn pieces(ws: &mut ws_async::WebSocket<TcpStream>, mut source: TcpStream, mut sink: TcpStream)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use ws_async::MessageKind;
//!
//! let mut writer = ws.writer(MessageKind::Binary).await?;
//! tokio::io::copy(&mut source, &mut writer).await?;
//! writer.finish().await?;
//!
//! if let Some(mut reader) = ws.reader_up_to(1 << 40).await? {
//!     tokio::io::copy(&mut reader, &mut sink).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Messages where they lie, without an allocation or a copy for any of them, and answers from there
//! ([`WebSocket::recv_ref`], [`WebSocket::send_ref`]):
//!
//! ```no_run
//! # async fn lend(mut ws: ws_async::WebSocket<tokio::net::TcpStream>) -> Result<(), ws_async::Error> {
//! while let Some(mut received) = ws.recv_ref().await? {
//!     let (message, mut replies) = received.parts();
//!     replies.send(message, ws_async::Compress::Auto)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! One message to many connections: [`Hub`].
//!
//! # Replies leave together
//!
//! While more of what the peer sent lies in memory and waits to be received, [`send`](WebSocket::send) only queues, and
//! [`recv`](WebSocket::recv) writes before it waits: the replies to what came in one read leave in one write, without
//! `feed` and `flush`. What a task leaves queued when it does something else is written as soon as it has had its turn, so
//! nothing stays behind and no timer is involved. Nothing is put off where nobody could see to it: outside of a task (the
//! future that a runtime was told to `block_on`, `main` under `#[tokio::main]` too), and without `Config::write_timeout`.
//!
//! # Panics
//!
//! Deadlines need tokio's timer: on a runtime built without `enable_time` they panic, as every timer does there.
//!
//! # What it does not do
//!
//! All state of the protocol lives in `ws-proto`; this crate reads, writes and waits. A connection spawns no tasks (a
//! [`Server`] spawns one for each) but one, for a while, if what was sent is yet to be written and nobody waits for it; and
//! no lock is held across an await. Its twin `ws-sync` has the same names without `.await`.
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
mod byte_stream;
mod connect;
mod deferred;
mod driver;
mod error;
mod exchange;
mod handover;
mod hint;
mod hub;
mod last_write;
mod lent;
mod mask_keys;
mod scratch;
mod server;
mod split;
mod streaming;
mod websocket;

/// What [`handover`] locks with; its model test puts another in this place.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
}

pub use accept::{Acceptor, Incoming, accept};
pub use byte_stream::ByteStream;
pub use connect::{Connector, connect};
pub use error::{AcceptError, ConnectError, Error};
pub use hub::{Hub, Member};
pub use lent::{Received, StreamRef};
pub use server::{HandlerResult, Listener, Server, ServerBuilder, ServerHandle, Session};
pub use split::{Receiver, Sender, Turn};
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
