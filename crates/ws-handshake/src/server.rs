//! The server's half of the opening handshake (RFC 6455 section 4.2): request head in, 101 or refusal out.
//!
//! 1. [`RequestReader::read`] with everything received so far, until it gives a [`Request`].
//! 2. [`Request::wants_websocket`] tells a page load from a handshake; route by [`Request::path`], or
//!    with [`Routes`]. A page load gets an [`HttpResponse`].
//! 3. [`Request::offer`] checks everything RFC 6455 asks of the client's handshake.
//! 4. [`OriginPolicy::check`](crate::OriginPolicy::check) refuses pages of other sites.
//! 5. [`Offer::accept`], optionally [`Acceptance::subprotocol`], then [`Acceptance::encode`].
//! 6. The bytes after [`Request::head_len`] are the first frames. After a [`Rejection`] they are
//!    nothing: send it, shut the write side down, drain, close.
//!
//! ```
//! use ws_handshake::server::{RequestReader, Rejection};
//! use ws_handshake::{Limits, OriginPolicy};
//!
//! let request = b"GET /chat HTTP/1.1\r\n\
//!     Host: example.com\r\n\
//!     Upgrade: websocket\r\n\
//!     Connection: keep-alive, Upgrade\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
//!     Sec-WebSocket-Version: 13\r\n\
//!     Sec-WebSocket-Protocol: chat, superchat\r\n\
//!     Origin: https://example.com\r\n\r\n";
//!
//! fn answer(received: &[u8], reader: &mut RequestReader) -> Result<Option<Vec<u8>>, Rejection> {
//!     let Some(request) = reader.read(received)? else { return Ok(None) };
//!     if request.path() != "/chat" {
//!         return Err(Rejection::not_found());
//!     }
//!     let offer = request.offer()?;
//!     OriginPolicy::SameHost.check(&request)?;
//!     let acceptance = offer.accept().subprotocol("superchat")?;
//!     let mut response = Vec::new();
//!     acceptance.encode(&mut response);
//!     Ok(Some(response))
//! }
//!
//! let mut reader = RequestReader::new(Limits::default());
//! // Half of it says nothing yet; the rest is not scanned twice.
//! assert_eq!(answer(&request[..100], &mut reader), Ok(None));
//! let response = answer(request, &mut reader)?.expect("the head is complete");
//! assert!(response.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
//! # Ok::<(), Rejection>(())
//! ```

mod acceptance;
mod http_response;
mod offer;
mod reader;
mod rejection;
mod request;
mod routes;
mod status;
mod target;

pub use acceptance::{Acceptance, ResponseError};
pub use http_response::HttpResponse;
pub use offer::Offer;
pub use reader::RequestReader;
pub use rejection::Rejection;
pub use request::Request;
pub use routes::{RouteError, Routes};
