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
//! assert!(compressed.len() < 20);
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
//! - `zlib` (default): the codec, zlib-rs, and with it `std`. Without it there are only the parameters, for whoever does
//!   nothing but negotiate, in `no_std` and without `alloc`.
//!
//! [RFC 7692]: https://www.rfc-editor.org/rfc/rfc7692

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "zlib")]
extern crate alloc;
#[cfg(any(feature = "zlib", test))]
extern crate std;

#[cfg(feature = "zlib")]
mod codec;
#[cfg(feature = "zlib")]
mod compressor;
mod config;
#[cfg(feature = "zlib")]
mod decompressor;
#[cfg(feature = "zlib")]
mod deflate;
#[cfg(feature = "zlib")]
mod history;
mod level;
mod params;
mod piece;
#[cfg(feature = "zlib")]
mod pool;
mod terms;
mod window;

#[cfg(feature = "zlib")]
pub use compressor::Compressor;
pub use config::{Compress, DeflateConfig};
#[cfg(feature = "zlib")]
pub use decompressor::Decompressor;
#[cfg(feature = "zlib")]
pub use deflate::Deflate;
pub use level::Level;
pub use params::{Agreement, Answer, ClientWindow, Context, EXTENSION_NAME, Offer, ParameterError};
pub use piece::{InflateError, Inflated, Piece};
pub use terms::{AnswerError, Terms};
pub use window::WindowBits;
