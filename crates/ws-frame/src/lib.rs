//! The bit-level WebSocket codec of [RFC 6455] sections 5.2 and 5.3, without `std` or `alloc`.
//!
//! What it is: the frame header, the masking of payloads, the incremental UTF-8 check of text and
//! the body of a Close frame. Each is a pure function over the caller's bytes or a few bytes of
//! state. What it never does: it owns no buffer of a peer's choosing, reads no socket, clock or
//! random source, knows no role, limit or order of frames (all that is `ws-proto`), and does not
//! panic whatever the input.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
//! |I|S|S|S|  (4)  |A|     (7)     |             (16/64)           |
//! |N|V|V|V|       |S|             |   (if payload len==126/127)   |
//! | |1|2|3|       |K|             |                               |
//! +-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
//! |     Extended payload length continued, if payload len == 127  |
//! + - - - - - - - - - - - - - - - +-------------------------------+
//! |                               |Masking-key, if MASK set to 1  |
//! +-------------------------------+-------------------------------+
//! | Masking-key (continued)       |          Payload Data         |
//! +-------------------------------- - - - - - - - - - - - - - - - +
//! :                     Payload Data continued ...                :
//! +---------------------------------------------------------------+
//! ```
//!
//! # Example
//!
//! The masked "Hello" of section 5.7, taken apart.
//!
//! ```
//! use ws_frame::{FrameHeader, Opcode};
//!
//! let mut wire = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
//! let (header, header_len) = FrameHeader::parse(&wire)?.expect("the header is complete");
//! assert_eq!((header.opcode, header.fin, header.payload_len), (Opcode::Text, true, 5));
//!
//! let payload = &mut wire[header_len..];
//! if let Some(key) = header.mask {
//!     key.apply(0, payload);
//! }
//! assert_eq!(ws_frame::str_from_utf8(payload), Ok("Hello"));
//! # Ok::<(), ws_frame::HeaderError>(())
//! ```
//!
//! # Features
//!
//! - `simd` (default): picks an AVX2 mask kernel at run time and validates UTF-8 with
//!   simdutf8. Implies `std`, the only place where a CPU can be asked what it has.
//! - `std`: nothing but that question. Without features the crate depends on `core` alone.
//!
//! [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455

#![no_std]
#![deny(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::alloc_instead_of_core,
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::std_instead_of_core,
        clippy::unwrap_used,
    )
)]

#[cfg(any(feature = "std", test))]
extern crate std;

mod close;
mod error;
mod header;
mod mask;
mod opcode;
mod utf8;

pub use close::{CloseCode, ClosePayload};
pub use error::{ClosePayloadError, HeaderError, Utf8Error};
pub use header::{FrameHeader, HeaderBytes, Rsv};
pub use mask::MaskKey;
pub use opcode::Opcode;
pub use utf8::{Utf8Validator, str_from_utf8};
