//! Bytes of a request head in, a [`Request`] or a [`Rejection`] out.

use bytes::Bytes;

use super::request::RequestLine;
use super::{Rejection, Request};
use crate::Limits;
use crate::fields::is_tchar;
use crate::head::Head;
use crate::scan::{FieldScanner, LineEnds, ScanError, StartLineScanner, line_len};

/// Reads one request head from bytes that arrive in pieces.
///
/// The caller keeps the receive buffer and shows all of it each time; the reader remembers how far it
/// got, so the work is linear in the bytes received even if they come one at a time. What the reader
/// itself holds is a few numbers, whatever the peer sends.
///
/// Verdicts do not depend on how the bytes were cut, and come as early as the bytes decide: limits
/// are checked in the middle of a line, the request line as soon as it is complete, and a client that
/// does not speak HTTP is recognised by its first byte.
#[derive(Clone, Debug)]
pub struct RequestReader {
    limits: Limits,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Empty lines before the request line, of which a few are forgiven.
    Leading {
        position: usize,
        forgiven: u8,
    },
    /// Before the first space of the request line.
    Method {
        start: usize,
        position: usize,
    },
    /// In the rest of the request line.
    RequestLine(StartLineScanner),
    /// After the request line.
    Fields(FieldScanner, RequestLine),
    Failed(Rejection),
}

impl RequestReader {
    /// A reader for the first request of a connection. There is never a second one on it: after a
    /// handshake come frames, after anything else the connection is closed.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            stage: Stage::Leading {
                position: 0,
                forgiven: 0,
            },
        }
    }

    /// Goes on with everything received so far, from the connection's first byte. `Ok(None)`: the
    /// head is not complete, receive more and call again with the longer buffer.
    ///
    /// Every request that comes out is safe to answer: HTTP/1.0 or 1.x, a well-formed target, at most
    /// one Host field and a valid one (exactly one from HTTP/1.1 on), no body. It need not be a
    /// WebSocket handshake, see [`Request::wants_websocket`] and [`Request::offer`].
    ///
    /// # Errors
    /// What to answer before closing, or to close without an answer when nobody would understand it:
    /// [`Rejection::closes_silently`]. Calling again gives the same again.
    pub fn read(&mut self, received: &[u8]) -> Result<Option<Request>, Rejection> {
        let result = match self.read_usual(received) {
            Some((line, head)) => Request::new(line, head).map(Some),
            None => self.advance(received),
        };
        if let Err(rejection) = &result {
            self.stage = Stage::Failed(rejection.clone());
        }
        result
    }

    /// The peer closed its side before the head was complete: close without an answer, which is what
    /// the returned rejection says. Health checkers do this all day; it is no reason to log.
    #[must_use]
    pub fn handle_eof(&self) -> Rejection {
        Rejection::silent("The connection ended before the request was complete.")
    }

    /// Reads the request that nearly all are, GET in HTTP/1.1 and in one piece, without a look at how it may be
    /// wrong. `None` decides nothing.
    fn read_usual(&self, received: &[u8]) -> Option<(RequestLine, Head)> {
        let Stage::Leading { position: 0, .. } = self.stage else {
            return None;
        };
        let window = received.get(..self.limits.head()).unwrap_or(received);
        let length = line_len(window)?;
        if length > self.limits.max_start_line {
            return None;
        }
        let line = RequestLine::parse_usual(window.get(..length)?)?;
        let head = Head::parse_unscanned(window, length.wrapping_add(2), &self.limits)?;
        Some((line, head))
    }

    fn advance(&mut self, received: &[u8]) -> Result<Option<Request>, Rejection> {
        loop {
            match &mut self.stage {
                Stage::Leading { position, forgiven } => {
                    match received.get(*position..).unwrap_or_default() {
                        [] => return Ok(None),
                        [b'\r', ..] if *forgiven == MAX_EMPTY_LINES => {
                            return Err(Rejection::bad_request(
                                "There are empty lines before the request line.",
                            ));
                        }
                        [b'\r'] => return Ok(None),
                        [b'\r', b'\n', ..] => {
                            *position = position.saturating_add(2);
                            *forgiven = forgiven.saturating_add(1);
                        }
                        [b'\r', ..] => return Err(scan_rejection(ScanError::BareCr)),
                        [b'\n', ..] => return Err(scan_rejection(ScanError::BareLf)),
                        // A control or non-ASCII byte cannot begin a request: TLS (16 03), another
                        // binary protocol, or noise. There is nobody to read an HTTP answer.
                        [0..0x20 | 0x7f.., ..] => {
                            return Err(Rejection::silent("The peer does not speak HTTP."));
                        }
                        [..] => {
                            self.stage = Stage::Method {
                                start: *position,
                                position: *position,
                            }
                        }
                    }
                }
                Stage::Method { start, position } => {
                    let length = position.saturating_sub(*start);
                    match received.get(*position) {
                        None => return Ok(None),
                        Some(b' ') if length > 0 => {
                            self.stage =
                                Stage::RequestLine(StartLineScanner::new(LineEnds::Strict, *start));
                        }
                        Some(_) if length >= self.limits.max_start_line => {
                            return Err(scan_rejection(ScanError::StartLineTooLong));
                        }
                        Some(byte) if !is_tchar(*byte) => {
                            return Err(Rejection::bad_request(
                                "The request line does not begin with a method.",
                            ));
                        }
                        Some(_) if length >= MAX_METHOD => {
                            return Err(Rejection::not_implemented());
                        }
                        Some(_) => *position = position.saturating_add(1),
                    }
                }
                Stage::RequestLine(scanner) => {
                    let scanned = scanner
                        .scan(received, &self.limits)
                        .map_err(scan_rejection)?;
                    let Some((line, fields)) = scanned else {
                        return Ok(None);
                    };
                    let line = RequestLine::parse(received, line)?;
                    self.stage = Stage::Fields(fields, line);
                }
                Stage::Fields(scanner, line) => {
                    let scanned = scanner
                        .scan(received, &self.limits)
                        .map_err(scan_rejection)?;
                    let Some(end) = scanned else { return Ok(None) };
                    let bytes = Bytes::copy_from_slice(received.get(..end).unwrap_or_default());
                    let head =
                        Head::parse(bytes, scanner.start(), scanner.count()).ok_or_else(|| {
                            Rejection::bad_request(
                                "A header line is not of the form `name: value`.",
                            )
                        })?;
                    return Request::new(*line, head).map(Some);
                }
                Stage::Failed(rejection) => return Err(rejection.clone()),
            }
        }
    }
}

/// RFC 9112 section 2.2 lets a server skip at least one; broken clients send one after a body.
const MAX_EMPTY_LINES: u8 = 2;

/// Longer than any registered method. Beyond it the method is unknown, whatever comes
/// (RFC 9112 section 3: 501).
const MAX_METHOD: usize = 32;

fn scan_rejection(error: ScanError) -> Rejection {
    match error {
        ScanError::StartLineTooLong => Rejection::uri_too_long(),
        ScanError::FieldLineTooLong => Rejection::head_too_large("A header field is too long."),
        ScanError::TooManyFields => Rejection::head_too_large("There are too many header fields."),
        ScanError::HeadTooLarge => Rejection::head_too_large("The request head is too large."),
        ScanError::BareLf => Rejection::bad_request("A line ends with LF alone."),
        ScanError::BareCr => Rejection::bad_request("There is a CR that ends no line."),
        ScanError::Control => {
            Rejection::bad_request("There is a control character in the request head.")
        }
        ScanError::Folded => Rejection::bad_request("A header line begins with a blank."),
    }
}
