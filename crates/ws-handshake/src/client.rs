//! The client's half of the opening handshake (RFC 6455 section 4.1): request out, response head in.
//!
//! 1. Build a [`Request`] from a [`Uri`](crate::Uri) and [`encode`](Request::encode) it with 16 random
//!    bytes. Send the bytes, keep the [`Expectation`], send nothing else.
//! 2. [`ResponseReader::read`] with everything received so far, until it gives a [`Response`].
//! 3. [`Expectation::verify`] checks everything RFC 6455 asks of the server's handshake.
//! 4. The bytes after [`Response::head_len`] are the first frames. If the server refused, they are the
//!    beginning of a body that often says why: [`ErrorBody`] reads it.
//!
//! ```
//! use ws_handshake::client::{Request, ResponseReader, HandshakeError};
//! use ws_handshake::{Limits, Uri};
//!
//! let uri = Uri::parse("ws://example.com/chat").map_err(ws_handshake::client::RequestError::from)?;
//! let request = Request::new(&uri).subprotocol("chat")?.header("Cookie", "id=7")?;
//! // The 16 bytes come from the operating system; here they are those of RFC 6455 section 1.3.
//! let (bytes, expectation) = request.encode(*b"the sample nonce");
//! assert!(bytes.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
//!
//! // What arrives: the response head and, right behind it, a first frame.
//! let received = b"HTTP/1.1 101 Switching Protocols\r\n\
//!     Upgrade: websocket\r\n\
//!     Connection: Upgrade\r\n\
//!     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
//!     Sec-WebSocket-Protocol: chat\r\n\r\n\x81\x02hi";
//! let mut reader = ResponseReader::new(Limits::default());
//! let response = reader.read(received)?.expect("the head is complete");
//! let negotiated = expectation.verify(&response)?;
//! assert_eq!(negotiated.subprotocol.as_deref(), Some("chat"));
//! assert_eq!(&received[response.head_len()..], b"\x81\x02hi");
//! # Ok::<(), HandshakeError>(())
//! ```

mod error;
mod error_body;
mod expectation;
mod raw_request;
mod reader;
mod request;
mod response;

pub use error::{Fault, HandshakeError, Refusal, RequestError};
pub use error_body::ErrorBody;
pub use expectation::Expectation;
pub use raw_request::RawRequest;
pub use reader::ResponseReader;
pub use request::Request;
pub use response::Response;
