//! The WebSocket connection of [RFC 6455] as a state machine: everything that has state and nothing that does IO.
//!
//! [`Connection`] holds a connection after its opening handshake. Received bytes go in, [`Event`]s come out;
//! [`Message`]s go in, bytes owed to the wire come out. It covers fragmentation (§5.4), control frames (§5.5),
//! sending and receiving (§6), the closing handshake (§7) and the handling of errors (§8), in both roles.
//!
//! It never touches a socket, a clock, a thread, a waker or a random source: time is an argument
//! ([`Connection::poll_timeout`]), masking keys are injected ([`MaskKeys`]), and the reads and writes belong to a
//! binding such as `ws-sync` or `ws-async`. The crate is `no_std` with `alloc`.
//!
//! # The loop of a binding
//!
//! 1. Call [`Connection::poll_event`] until it gives `Ok(None)`, and hand each event on. After an [`Event::Pong`] call
//!    [`Connection::handle_timeout`], so that the round trip is measured.
//! 2. Write what [`Connection::transmit`] holds, and advance it by what was written.
//! 3. When [`Connection::wants_shutdown`] says so, shut the write side of the transport down.
//! 4. Stop when [`Connection::is_finished`].
//! 5. Ask [`Connection::poll_timeout`] how long to wait at most (a binding that keeps a timer asks when
//!    [`Connection::deadline_moved`]), then read: to the end of [`Connection::payload_buffer`] if there is one, for a large
//!    frame arrives; else elsewhere, and hand it over with [`Connection::handle_received`]; or always to the end of
//!    [`Connection::receive_buffer`]. At the end of the stream call [`Connection::handle_eof`]; at the deadline call
//!    [`Connection::handle_timeout`]. Start again.
//!
//! ```
//! use ws_proto::{CloseCode, Config, Connection, Event, Message};
//!
//! let mut server = Connection::server(Config::default());
//! // The masked text "Hello" of RFC 6455 §5.7, in two reads.
//! server.receive_buffer().extend_from_slice(&[0x81, 0x85, 0x37, 0xfa, 0x21]);
//! assert_eq!(server.poll_event(), Ok(None));
//! server.receive_buffer().extend_from_slice(&[0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
//! assert_eq!(server.poll_event(), Ok(Some(Event::Message(Message::text("Hello")))));
//!
//! server.send(Message::text("Hello")).unwrap();
//! let transmit = server.transmit();
//! assert_eq!(bytes::Buf::chunk(transmit), b"\x81\x05Hello");
//! bytes::Buf::advance(transmit, 7);
//!
//! server.close(CloseCode::NORMAL, "bye").unwrap();
//! assert_eq!(bytes::Buf::chunk(server.transmit()), b"\x88\x05\x03\xe8bye");
//! ```
//!
//! # Messages larger than memory
//!
//! [`Connection::stream_message`] asks for a message in pieces while it arrives, [`Connection::send_fragment`] sends one
//! so. Control frames go in between.
//!
//! ```
//! use ws_proto::{Config, Connection, Event, MessageKind};
//!
//! let mut server = Connection::server(Config::default());
//! server.send_fragment(MessageKind::Text, "first, ".into(), false).unwrap();
//! server.ping(b"?").unwrap();
//! server.send_fragment(MessageKind::Text, "last".into(), true).unwrap();
//! assert_eq!(bytes::Buf::chunk(server.transmit()), b"\x01\x07first, \x89\x01?\x80\x04last");
//!
//! // The beginning of the masked text "Hello" of RFC 6455 §5.7.
//! server.stream_message(1 << 40);
//! server.receive_buffer().extend_from_slice(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f]);
//! let Ok(Some(Event::Chunk(chunk))) = server.poll_event() else { panic!() };
//! assert_eq!(chunk.as_text(), Some("He"));
//! assert!(chunk.first && !chunk.last);
//! ```
//!
//! # Two invariants
//!
//! **Chunking is invisible:** for any bytes and any cut points the events are the same.
//! **The peer can neither panic the connection, nor hang it, nor make it allocate on its word:** limits are checked on
//! the frame header, memory grows with bytes received and never with bytes declared, and every queue has a limit.
//!
//! [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc
    )
)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod assembler;
mod broadcast;
mod chunk;
mod close;
mod config;
mod connection;
mod copy;
mod deflate;
mod error;
mod event;
mod framing;
mod inbound;
mod keepalive;
mod message;
mod message_ref;
mod outbound;
mod prepared;
pub mod serving;
mod side;
mod stats;
mod tap;
mod transmit;
mod waiting;

pub use broadcast::{Published, SlowConsumer};
pub use chunk::Chunk;
pub use close::{CloseFrame, CloseInfo, Initiator, State};
pub use config::Config;
pub use connection::{Connection, Replies};
pub use error::{ProtocolError, SendError, Unsent};
pub use event::{Event, Lent};
pub use inbound::Whole;
pub use message::{Message, MessageKind, Utf8Bytes};
pub use message_ref::MessageRef;
pub use outbound::FlushMark;
pub use prepared::PreparedMessage;
pub use side::{MaskKeys, Role};
pub use stats::{Stats, Traffic};
pub use tap::{Direction, Tap, TappedFrame};
pub use transmit::{Detached, Transmit};
pub use waiting::{Offered, OverflowPolicy};
#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
pub use ws_deflate::Deflate;
pub use ws_deflate::{Agreement, Compress, Context, DeflateConfig, Level, Terms, WindowBits};
pub use ws_frame::{CloseCode, FrameHeader, HeaderError, MaskKey, Opcode, Rsv};
