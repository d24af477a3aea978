//! Finds the end of a head in bytes that arrive in pieces, looking at each byte once.
//!
//! A peer that sends one byte per packet makes us scan one byte per packet: the position reached is
//! kept. Every verdict belongs to a byte position and the first position wins, so it does not matter
//! how the bytes were cut.

use core::ops::Range;

use crate::Limits;

/// Which line ends a head may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnds {
    /// CRLF only, and no folded lines. A lone LF is where two servers in a row disagree about the
    /// end of a request, so a server refuses it (RFC 9112 section 2.2 leaves the choice).
    Strict,
    /// LF as well, and folded lines (RFC 9112 section 5.2 obliges a client to unfold them): simple
    /// embedded servers send them.
    Lenient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanError {
    StartLineTooLong,
    FieldLineTooLong,
    TooManyFields,
    HeadTooLarge,
    /// LF without CR before it.
    BareLf,
    /// CR without LF after it.
    BareCr,
    /// NUL or another control byte.
    Control,
    /// A line that begins with a blank.
    Folded,
}

/// Looks for the end of the request line or status line.
#[derive(Clone, Debug)]
pub(crate) struct StartLineScanner(LineScanner);

impl StartLineScanner {
    pub(crate) fn new(line_ends: LineEnds, start: usize) -> Self {
        Self(LineScanner {
            line_ends,
            scanned: start,
            line_start: start,
            #[cfg(test)]
            examined: 0,
        })
    }

    /// Goes on with everything received so far. The line comes without its line end, and with the
    /// scanner for what follows it.
    pub(crate) fn scan(
        &mut self,
        received: &[u8],
        limits: &Limits,
    ) -> Result<Option<(Range<usize>, FieldScanner)>, ScanError> {
        let line = self.0.next_line(
            received,
            limits,
            limits.max_start_line,
            ScanError::StartLineTooLong,
        )?;
        Ok(line.map(|line| {
            let fields = FieldScanner {
                start: self.0.scanned,
                lines: self.0.clone(),
                count: 0,
                folded: false,
            };
            (line, fields)
        }))
    }
}

/// Looks for the blank line after the fields.
#[derive(Clone, Debug)]
pub(crate) struct FieldScanner {
    lines: LineScanner,
    start: usize,
    count: usize,
    folded: bool,
}

impl FieldScanner {
    /// Goes on with everything received so far. The result is where the head ends, blank line included.
    pub(crate) fn scan(
        &mut self,
        received: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, ScanError> {
        loop {
            let line = self.lines.next_line(
                received,
                limits,
                limits.max_field_line,
                ScanError::FieldLineTooLong,
            )?;
            let Some(line) = line else { return Ok(None) };
            if line.is_empty() {
                return Ok(Some(self.lines.scanned));
            }
            if let Some(b' ' | b'\t') = received.get(line.start) {
                // A blank right after the start line continues nothing (RFC 9112 section 2.2).
                if self.lines.line_ends == LineEnds::Strict || self.count == 0 {
                    return Err(ScanError::Folded);
                }
                self.folded = true;
            }
            self.count = self.count.saturating_add(1);
            if self.count > limits.max_fields {
                return Err(ScanError::TooManyFields);
            }
        }
    }

    /// Where the first field line begins.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// Number of field lines seen, folded ones included: the head has no more fields than that.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether a folded line was seen.
    pub(crate) fn is_folded(&self) -> bool {
        self.folded
    }
}

/// Cuts lines, each once.
#[derive(Clone, Debug)]
struct LineScanner {
    line_ends: LineEnds,
    /// Every byte before this one has been looked at.
    scanned: usize,
    /// Where the line under the scanner begins.
    line_start: usize,
    /// Bytes looked at, to prove that the work is linear.
    #[cfg(test)]
    examined: usize,
}

impl LineScanner {
    fn next_line(
        &mut self,
        received: &[u8],
        limits: &Limits,
        max_length: usize,
        too_long: ScanError,
    ) -> Result<Option<Range<usize>>, ScanError> {
        let window = received.get(..limits.head()).unwrap_or(received);
        loop {
            let unseen = window.get(self.scanned..).unwrap_or_default();
            let found = find_control(unseen);
            let at = self.scanned.saturating_add(found.unwrap_or(unseen.len()));
            #[cfg(test)]
            {
                self.examined += at - self.scanned + usize::from(found.is_some());
            }
            if at.saturating_sub(self.line_start) > max_length {
                return Err(too_long);
            }
            self.scanned = at;
            let line_end = match window.get(at..).unwrap_or_default() {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] if self.line_ends == LineEnds::Lenient => 1,
                [b'\t', ..] => {
                    self.scanned = at.saturating_add(1);
                    continue;
                }
                [] | [b'\r'] if received.len() > window.len() => {
                    return Err(ScanError::HeadTooLarge);
                }
                [] | [b'\r'] => return Ok(None),
                [b'\r', ..] => return Err(ScanError::BareCr),
                [b'\n', ..] => return Err(ScanError::BareLf),
                [..] => return Err(ScanError::Control),
            };
            let line = self.line_start..at;
            self.scanned = at.saturating_add(line_end);
            self.line_start = self.scanned;
            return Ok(Some(line));
        }
    }
}

/// The position of the first byte below 0x20. Line ends are nearly the only such bytes in a head, so
/// this decides what scanning costs; it takes eight bytes at a time.
fn find_control(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The top bit of each byte tells "was below 0x20"; a borrow can only spoil bytes after the
        // first such one, and the first is the lowest.
        let below = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word & ONES.wrapping_mul(0x80);
        if below != 0 {
            let byte = usize::try_from(below.trailing_zeros()).unwrap_or_default() / 8;
            return Some(index.saturating_mul(8).saturating_add(byte));
        }
    }
    let in_tail = tail.iter().position(|byte| *byte < 0x20)?;
    Some(words.len().saturating_mul(8).saturating_add(in_tail))
}
