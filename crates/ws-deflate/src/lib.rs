//! permessage-deflate of [RFC 7692]: its four parameters, and a compressor and a decompressor for each connection.
//!
//! What it is: [`Offer`], [`Answer`] and [`Terms`] negotiate; [`Compressor`] and [`Decompressor`] turn messages into the
//! payload of frames and back. What it never does: it knows no frame, no socket, no limit on messages and no clock (all
//! that is above it), and no number from a peer reaches the codec unchecked.
//!
//! # Takeover for two kilobytes
//!
//! A compressor that remembers what it sent costs 165 to 380 KB, for each connection. Here the connections share a few,
//! and each keeps only the newest plain bytes it sent; a compressor that is given these as its dictionary compresses the
//! next message about as well, and the peer cannot tell the difference. The receiving side does the same with the peer's
//! window.
//!
//! ```
//! use ws_deflate::{Agreement, Compress, Compressor, Decompressor, Deflate, Inflated, Piece};
//!
//! let (deflate, agreed) = (Deflate::default(), Agreement::default());
//! let mut compressor = Compressor::new(agreed.server, &deflate);
//! let mut decompressor = Decompressor::new(agreed.server, &deflate);
//!
//! let plain = b"Hello".repeat(100);
//! let piece = Piece { plain: &plain, is_text: true, is_first: true, is_last: true };
//! let compressed = compressor.compress(piece, Compress::Auto).expect("it gets shorter");
//! assert!(compressed.len() < 30);
//!
//! let mut input = &compressed[..];
//! let mut received = Vec::new();
//! loop {
//!     match decompressor.inflate(&mut input, true)? {
//!         Inflated::Output(piece) => received.extend_from_slice(piece),
//!         Inflated::NeedInput => unreachable!("that was all of it"),
//!         Inflated::Done => break,
//!     }
//! }
//! assert_eq!(received, plain);
//! # Ok::<(), ws_deflate::InflateError>(())
//! ```
//!
//! # Features
//!
//! - `zlib` (default): the codec, zlib-rs, and with it `std`.
//! - `miniz`: another codec, miniz_oxide, for `no_std` with `alloc`; it has no `unsafe` code in it. If `zlib` is on too,
//!   zlib-rs is used. With miniz_oxide what is sent refers to nothing before its message
//!   ([`Terms::send_takeover`] is taken as `false`, and the peer is told), so that 1 KiB of JSON takes about twice the
//!   bytes; a compressor takes 319 KB and a decompressor 11 KB and the window. Whoever asks for a window of less than 15
//!   bits is declined, for to keep to it takes up to four times as long. What is received is read as with zlib-rs, and the
//!   window is kept to the byte.
//! - `std`: connections share codecs, which needs a lock. Without it each message makes one.
//!
//! Without a codec there are only the parameters, for whoever does nothing but negotiate, in `no_std` and without `alloc`.
//!
//! [RFC 7692]: https://www.rfc-editor.org/rfc/rfc7692

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(any(feature = "zlib", feature = "miniz"))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(any(feature = "zlib", feature = "miniz"))]
mod codec;
#[cfg(any(feature = "zlib", feature = "miniz"))]
mod compressor;
mod config;
#[cfg(any(feature = "zlib", feature = "miniz"))]
mod decompressor;
#[cfg(any(feature = "zlib", feature = "miniz"))]
mod deflate;
#[cfg(any(feature = "zlib", feature = "miniz"))]
mod history;
mod level;
mod params;
mod piece;
#[cfg(any(feature = "zlib", feature = "miniz"))]
mod pool;
#[cfg(any(feature = "zlib", feature = "miniz"))]
mod shared;
mod terms;
mod window;

#[cfg(any(feature = "zlib", feature = "miniz"))]
pub use compressor::Compressor;
pub use config::{Compress, DeflateConfig};
#[cfg(any(feature = "zlib", feature = "miniz"))]
pub use decompressor::Decompressor;
#[cfg(any(feature = "zlib", feature = "miniz"))]
pub use deflate::Deflate;
pub use level::Level;
pub use params::{Agreement, Answer, ClientWindow, Context, EXTENSION_NAME, Offer, ParameterError};
pub use piece::{InflateError, Inflated, Piece};
pub use terms::{AnswerError, Terms};
pub use window::WindowBits;
