//! The body of a refusal, bounded (RFC 9112 section 6.3, section 7.1).

use alloc::vec::Vec;

use bytes::Bytes;

use super::Response;
use crate::fields::list;
use crate::head::{Name, Occurrence};

/// Collects the body of a refusing response: what the server says about the reason.
///
/// Feed it what arrives, beginning with the bytes after [`Response::head_len`], until it is complete or
/// the connection ends; then take the bytes. It keeps at most `limit` bytes, is complete when that is
/// reached, and allocates only as bytes arrive. A server that sends nothing more makes it wait: put the
/// handshake's deadline on it too.
///
/// ```
/// # use ws_handshake::{Limits, client::{ErrorBody, ResponseReader, HandshakeError}};
/// let received = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nGo away.\n";
/// let response = ResponseReader::new(Limits::default()).read(received)?.expect("complete");
/// let mut body = ErrorBody::new(&response, ErrorBody::DEFAULT_LIMIT);
/// body.feed(&received[response.head_len()..]);
/// assert!(body.is_complete());
/// assert_eq!(body.into_bytes(), "Go away.\n");
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ErrorBody {
    state: State,
    limit: usize,
    /// Bytes of chunk sizes, extensions and trailers that are still tolerated.
    overhead: usize,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// That many bytes follow.
    Length(u64),
    /// Everything until the connection ends.
    UntilClose,
    ChunkSize {
        size: u64,
        digits: u8,
    },
    /// The rest of a chunk-size line, which means nothing to us.
    ChunkExtension {
        size: u64,
    },
    ChunkData {
        left: u64,
    },
    /// The line end after the data of a chunk.
    ChunkEnd,
    /// The lines after the last chunk. They end with an empty one.
    Trailer {
        line_is_empty: bool,
    },
    Complete,
}

impl ErrorBody {
    /// A limit for callers without an opinion: 64 KiB.
    pub const DEFAULT_LIMIT: usize = 64 * 1024;

    /// Prepares for the body that the head announces. `limit` is in bytes.
    #[must_use]
    pub fn new(response: &Response, limit: usize) -> Self {
        let state = if limit == 0 {
            State::Complete
        } else {
            framing(response)
        };
        Self {
            state,
            limit,
            overhead: limit,
            body: Vec::new(),
        }
    }

    /// Takes bytes that arrived. What follows the end of the body is ignored, as the connection is of
    /// no further use.
    pub fn feed(&mut self, mut received: &[u8]) {
        while let ([byte, rest @ ..], false) = (received, self.is_complete()) {
            match &mut self.state {
                State::Length(left) | State::ChunkData { left } => {
                    let length = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(received.len());
                    *left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                    if *left == 0 {
                        self.state = match self.state {
                            State::ChunkData { .. } => State::ChunkEnd,
                            _ => State::Complete,
                        };
                    }
                    received = self.keep(received, length);
                }
                State::UntilClose => received = self.keep(received, received.len()),
                _ => {
                    self.state = self.after_chunk_byte(*byte);
                    received = rest;
                }
            }
        }
    }

    /// Whether nothing more is needed: the body is complete, the limit is reached, or the framing is
    /// broken and what was kept is all there is to have.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// What was kept so far.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.body.into()
    }

    /// Keeps `length` bytes if there is room, and returns what follows them.
    fn keep<'a>(&mut self, received: &'a [u8], length: usize) -> &'a [u8] {
        let (content, rest) = received.split_at_checked(length).unwrap_or((received, &[]));
        let room = self.limit.saturating_sub(self.body.len());
        self.body
            .extend_from_slice(content.get(..room).unwrap_or(content));
        if self.body.len() >= self.limit {
            self.state = State::Complete;
        }
        rest
    }

    /// The state after one byte of chunk framing.
    fn after_chunk_byte(&mut self, byte: u8) -> State {
        let Some(overhead) = self.overhead.checked_sub(1) else {
            return State::Complete;
        };
        self.overhead = overhead;
        match (self.state, byte) {
            (State::ChunkSize { size, digits }, _) if byte.is_ascii_hexdigit() && digits < 15 => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let size = size.wrapping_mul(16).wrapping_add(u64::from(digit));
                State::ChunkSize {
                    size,
                    digits: digits.saturating_add(1),
                }
            }
            (State::ChunkSize { size, digits: 1.. }, b'\r' | b' ' | b'\t' | b';') => {
                State::ChunkExtension { size }
            }
            (State::ChunkSize { size, digits: 1.. } | State::ChunkExtension { size }, b'\n') => {
                match size {
                    0 => State::Trailer {
                        line_is_empty: true,
                    },
                    left => State::ChunkData { left },
                }
            }
            (State::ChunkExtension { size }, _) => State::ChunkExtension { size },
            (State::ChunkEnd, b'\r') => State::ChunkEnd,
            (State::ChunkEnd, b'\n') => State::ChunkSize { size: 0, digits: 0 },
            (
                State::Trailer {
                    line_is_empty: false,
                },
                b'\n',
            ) => State::Trailer {
                line_is_empty: true,
            },
            (State::Trailer { line_is_empty }, b'\r') => State::Trailer { line_is_empty },
            (
                State::Trailer {
                    line_is_empty: false,
                },
                _,
            ) => State::Trailer {
                line_is_empty: false,
            },
            (
                State::Trailer {
                    line_is_empty: true,
                },
                byte,
            ) if byte != b'\n' => State::Trailer {
                line_is_empty: false,
            },
            // The end of the trailers, or framing that is not chunked at all.
            _ => State::Complete,
        }
    }
}

/// RFC 9112 section 6.3. A length that makes no sense is ignored: the end of the connection is one too.
fn framing(response: &Response) -> State {
    let head = response.head();
    if matches!(response.status(), 100..=199 | 204 | 304) {
        return State::Complete;
    }
    if let Some(coding) = head.values(Name::TransferEncoding).flat_map(list).last() {
        return if coding.eq_ignore_ascii_case(b"chunked") {
            State::ChunkSize { size: 0, digits: 0 }
        } else {
            State::UntilClose
        };
    }
    match head.single(Name::ContentLength) {
        Occurrence::Once(value) => match parse_length(value) {
            Some(0) => State::Complete,
            Some(length) => State::Length(length),
            None => State::UntilClose,
        },
        Occurrence::Absent | Occurrence::Repeated => State::UntilClose,
    }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = value
        .iter()
        .map(|byte| byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0')));
    let length = digits.into_iter().try_fold(0_u64, |length, digit| {
        length.checked_mul(10)?.checked_add(u64::from(digit?))
    });
    length.filter(|_| !value.is_empty())
}
