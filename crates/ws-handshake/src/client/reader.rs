//! Bytes of a response head in, a [`Response`] or a [`HandshakeError`] out.

use super::response::StatusLine;
use super::{HandshakeError, Response};
use crate::Limits;
use crate::head::Head;
use crate::scan::{FieldScanner, LineEnds, ScanError, StartLineScanner, line_len};

/// Reads the response to a handshake from bytes that arrive in pieces.
///
/// The caller keeps the receive buffer and shows all of it each time; the reader remembers how far it
/// got, so the work is linear in the bytes received even if they come one at a time.
///
/// It is more patient than the server's reader: lines may end with LF alone, folded lines are joined
/// (RFC 9112 section 5.2 obliges clients to), and up to 8 interim responses (1xx) are skipped.
#[derive(Clone, Debug)]
pub struct ResponseReader {
    limits: Limits,
    interim_responses: usize,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Within `HTTP/`.
    Protocol {
        start: usize,
        matched: usize,
    },
    /// In the rest of the status line of the head that begins at `start`.
    StatusLine {
        start: usize,
        scanner: StartLineScanner,
    },
    /// After the status line.
    Fields {
        start: usize,
        scanner: FieldScanner,
        line: StatusLine,
    },
    Failed(HandshakeError),
}

impl ResponseReader {
    /// A reader for the response to the first request of a connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            interim_responses: 0,
            stage: Stage::Protocol {
                start: 0,
                matched: 0,
            },
        }
    }

    /// Goes on with everything received so far, from the connection's first byte. `Ok(None)`: the
    /// head is not complete, receive more and call again with the longer buffer.
    ///
    /// # Errors
    /// What arrives is not HTTP/1.1, breaks its grammar or exceeds a limit. Calling again gives the
    /// same again.
    pub fn read(&mut self, received: &[u8]) -> Result<Option<Response>, HandshakeError> {
        if let Some(response) = self.read_usual(received) {
            return Ok(Some(response));
        }
        let result = self.advance(received);
        if let Err(error) = &result {
            self.stage = Stage::Failed(error.clone());
        }
        result
    }

    /// What to report when the server closes the connection before the head is complete. `received`
    /// is everything received until then.
    #[must_use]
    pub fn handle_eof(&self, received: &[u8]) -> HandshakeError {
        match (&self.stage, received) {
            (Stage::Failed(error), _) => error.clone(),
            (_, []) => HandshakeError::ClosedBeforeResponse,
            _ => HandshakeError::ClosedInsideResponse,
        }
    }

    /// Reads the response that nearly all are, one head in one piece, without a look at how it may be wrong.
    /// `None` decides nothing.
    fn read_usual(&self, received: &[u8]) -> Option<Response> {
        let Stage::Protocol {
            start: 0,
            matched: 0,
        } = self.stage
        else {
            return None;
        };
        let window = received.get(..self.limits.head()).unwrap_or(received);
        let length = line_len(window)?;
        if length > self.limits.max_start_line {
            return None;
        }
        let line = StatusLine::parse(window, 0..length, 0).ok()?;
        if line.is_interim() {
            return None;
        }
        let head = Head::parse_unscanned(window, length.wrapping_add(2), &self.limits)?;
        let head_len = head.bytes().len();
        Some(Response::new(line, head, head_len))
    }

    fn advance(&mut self, received: &[u8]) -> Result<Option<Response>, HandshakeError> {
        loop {
            match &mut self.stage {
                Stage::Protocol { start, matched } => {
                    let at = start.saturating_add(*matched);
                    match (PROTOCOL.get(*matched), received.get(at)) {
                        (Some(expected), Some(byte)) if expected == byte => {
                            *matched = matched.saturating_add(1);
                        }
                        (Some(_), Some(byte)) => return Err(not_http(at, *byte)),
                        (Some(_), None) => return Ok(None),
                        (None, _) => {
                            let scanner = StartLineScanner::new(LineEnds::Lenient, *start);
                            self.stage = Stage::StatusLine {
                                start: *start,
                                scanner,
                            };
                        }
                    }
                }
                Stage::StatusLine { start, scanner } => {
                    let scanned = scanner.scan(received, &self.limits).map_err(scan_error)?;
                    let Some((line, fields)) = scanned else {
                        return Ok(None);
                    };
                    let line = StatusLine::parse(received, line, *start)?;
                    self.stage = Stage::Fields {
                        start: *start,
                        scanner: fields,
                        line,
                    };
                }
                Stage::Fields {
                    start,
                    scanner,
                    line,
                } => {
                    let scanned = scanner.scan(received, &self.limits).map_err(scan_error)?;
                    let Some(end) = scanned else { return Ok(None) };
                    if line.is_interim() {
                        self.interim_responses = self.interim_responses.saturating_add(1);
                        if self.interim_responses > MAX_INTERIM_RESPONSES {
                            return Err(HandshakeError::TooManyInterimResponses);
                        }
                        self.stage = Stage::Protocol {
                            start: end,
                            matched: 0,
                        };
                        continue;
                    }
                    let mut bytes = received.get(*start..end).unwrap_or_default().to_vec();
                    let fields_at = scanner.start().saturating_sub(*start);
                    if scanner.is_folded() {
                        unfold(&mut bytes, fields_at);
                    }
                    let head = Head::parse(bytes.into(), fields_at, scanner.count())
                        .ok_or(HandshakeError::MalformedResponse)?;
                    return Ok(Some(Response::new(*line, head, end)));
                }
                Stage::Failed(error) => return Err(error.clone()),
            }
        }
    }
}

const PROTOCOL: &[u8] = b"HTTP/";

/// A proxy may report progress (102) or early hints (103); nobody needs more than a few.
const MAX_INTERIM_RESPONSES: usize = 8;

fn not_http(position: usize, byte: u8) -> HandshakeError {
    // TLS answers a plain request with an alert record (15 03) or a handshake record (16 03).
    if position == 0 && matches!(byte, 0x15 | 0x16) {
        HandshakeError::TlsResponse
    } else {
        HandshakeError::NotHttp
    }
}

fn scan_error(error: ScanError) -> HandshakeError {
    match error {
        ScanError::StartLineTooLong
        | ScanError::FieldLineTooLong
        | ScanError::TooManyFields
        | ScanError::HeadTooLarge => HandshakeError::ResponseTooLarge,
        ScanError::BareLf | ScanError::BareCr | ScanError::Control | ScanError::Folded => {
            HandshakeError::MalformedResponse
        }
    }
}

/// Overwrites each line end before a blank by blanks (RFC 9112 section 5.2), so that nothing moves.
fn unfold(head: &mut [u8], fields_at: usize) {
    for at in fields_at..head.len() {
        let around = at.saturating_sub(1)..at.saturating_add(2);
        if let Some([before, line_feed @ b'\n', b' ' | b'\t']) = head.get_mut(around) {
            *line_feed = b' ';
            if *before == b'\r' {
                *before = b' ';
            }
        }
    }
}
