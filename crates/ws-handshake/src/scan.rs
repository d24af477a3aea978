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
    #[inline(always)]
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

/// The length of the line that `bytes` begin with, without its CRLF. `None` if there is no CRLF, or a
/// control byte before it: DEL, or a tab, which may stand in a value but hardly ever does.
#[inline]
pub(crate) fn line_len(bytes: &[u8]) -> Option<usize> {
    let length = find_control_or_del(bytes)?;
    bytes.get(length..)?.starts_with(b"\r\n").then_some(length)
}

/// The position of the first byte below 0x20 or of the first DEL.
#[inline]
fn find_control_or_del(bytes: &[u8]) -> Option<usize> {
    find_by_blocks(
        bytes,
        |byte| (byte < 0x20) | (byte == 0x7f),
        tops_control_or_del,
    )
}

/// The position of the first LF.
#[inline]
pub(crate) fn find_line_feed(bytes: &[u8]) -> Option<usize> {
    find_by_blocks(bytes, |byte| byte == b'\n', tops_equal::<b'\n'>)
}

/// The position of the first byte that is `wanted`; `tops` says the same of words, see [`find`].
///
/// It looks at sixteen bytes at a time, in a form that compilers turn into vector instructions, and
/// branches on a block but not inside it: where the next line begins waits for this.
#[inline(always)]
fn find_by_blocks(
    bytes: &[u8],
    wanted: impl Fn(u8) -> bool,
    tops: impl Fn(u64) -> u64,
) -> Option<usize> {
    let has_none = |block: &[u8; 16]| block.iter().fold(true, |none, byte| none & !wanted(*byte));
    let mut at = 0_usize;
    loop {
        let rest = bytes.get(at..)?;
        let Some(block) = rest.first_chunk::<16>() else {
            let in_rest = rest.iter().position(|byte| wanted(*byte))?;
            return Some(at.wrapping_add(in_rest));
        };
        if !has_none(block) {
            return Some(at.wrapping_add(first_top(block, tops)));
        }
        at = at.wrapping_add(16);
    }
}

/// How many letters and hyphens a block begins with.
#[inline]
pub(crate) fn word_len(block: &[u8; 16]) -> usize {
    first_top(block, tops_in_no_word)
}

/// The position of the first byte whose top bit is set in what `tops` makes of the two words, or 16. As in
/// [`find`], but without a branch.
#[inline(always)]
fn first_top(block: &[u8; 16], tops: impl Fn(u64) -> u64) -> usize {
    let (words, _) = block.as_chunks::<8>();
    let [low, high] = words else { return 16 };
    let low = tops(u64::from_le_bytes(*low));
    let high = tops(u64::from_le_bytes(*high));
    let both = u128::from(high) << 64 | u128::from(low);
    both.trailing_zeros() as usize / 8
}

/// The position of the first byte that is `B`.
pub(crate) fn find_byte<const B: u8>(bytes: &[u8]) -> Option<usize> {
    find(bytes, tops_equal::<B>)
}

/// The position of the first byte below 0x20. Line ends are nearly the only such bytes in a head, so
/// this decides what scanning costs; it takes eight bytes at a time.
fn find_control(bytes: &[u8]) -> Option<usize> {
    find(bytes, tops_below_20)
}

/// The position of the first byte whose top bit is set in what `tops` makes of its word. Of bytes after
/// that one `tops` may say what it likes.
#[inline(always)]
fn find(bytes: &[u8], tops: impl Fn(u64) -> u64) -> Option<usize> {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk() {
        let found = tops(u64::from_le_bytes(*word));
        if found != 0 {
            let byte = found.trailing_zeros() as usize / 8;
            return Some(bytes.len().wrapping_sub(rest.len()).wrapping_add(byte));
        }
        rest = after;
    }
    let in_tail = rest
        .iter()
        .position(|byte| tops(ONES.wrapping_mul(u64::from(*byte))) != 0)?;
    Some(bytes.len().wrapping_sub(rest.len()).wrapping_add(in_tail))
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The top bit of each byte below 0x20; a borrow can only spoil bytes after the first such one, and the
/// first is the lowest.
const fn tops_below_20(word: u64) -> u64 {
    word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word & TOPS
}

/// The top bit of each byte that is `B`, with the same reservation.
const fn tops_equal<const B: u8>(word: u64) -> u64 {
    let zeros = word ^ const { ONES.wrapping_mul(B as u64) };
    zeros.wrapping_sub(ONES) & !zeros & TOPS
}

/// The top bit of each byte below 0x20 and of each DEL, with the same reservation.
const fn tops_control_or_del(word: u64) -> u64 {
    let dels = (word ^ const { ONES.wrapping_mul(0x7f) }).wrapping_sub(ONES);
    (word.wrapping_sub(ONES.wrapping_mul(0x20)) | dels) & !word & TOPS
}

/// The top bit of each byte that is neither a letter nor a hyphen. Nothing is carried from byte to byte.
const fn tops_in_no_word(word: u64) -> u64 {
    let sevens = word & !TOPS;
    let lower = sevens | ONES.wrapping_mul(0x20);
    let from_a = lower.wrapping_add(const { ONES.wrapping_mul(0x80 - b'a' as u64) });
    let after_z = lower.wrapping_add(const { ONES.wrapping_mul(0x7f - b'z' as u64) });
    let no_hyphen = (sevens ^ ONES.wrapping_mul(b'-' as u64)).wrapping_add(!TOPS);
    ((!from_a | after_z) & no_hyphen | word) & TOPS
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    /// spec: H-25: the work is linear in the bytes received, however they are cut.
    #[test]
    fn every_byte_is_looked_at_once() {
        let fields = (0..60)
            .map(|number| format!("Name-{number}: {}\r\n", "v".repeat(number)))
            .collect::<Vec<_>>();
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", fields.concat());
        for step in [1, 2, 3, 7, 64, 1000, head.len()] {
            let limits = Limits::default();
            let mut start_line = StartLineScanner::new(LineEnds::Strict, 0);
            let mut scanner: Option<FieldScanner> = None;
            let mut end = None;
            for received in (step..head.len()).step_by(step).chain([head.len()]) {
                let received = &head.as_bytes()[..received];
                if scanner.is_none() {
                    scanner = start_line
                        .scan(received, &limits)
                        .expect("good")
                        .map(|(_, scanner)| scanner);
                }
                if let Some(scanner) = &mut scanner {
                    end = scanner.scan(received, &limits).expect("good");
                }
            }
            let scanner = scanner.expect("the request line is complete");
            assert_eq!((end, scanner.count()), (Some(head.len()), 60));
            // A CR at the end of a piece is looked at again with the LF; nothing else is.
            let examined = scanner.lines.examined;
            assert!(
                examined <= head.len() + head.len() / step,
                "{examined} of {} by {step}",
                head.len()
            );
            assert!(
                step > 1 || examined <= head.len() + 62,
                "{examined} of {}",
                head.len()
            );
        }
    }

    /// An endless line stops being looked at when it is too long.
    #[test]
    fn nothing_is_looked_at_after_the_limit() {
        let limits = Limits::default();
        let endless = [b'a'; 9000];
        let mut scanner = StartLineScanner::new(LineEnds::Strict, 0);
        assert_eq!(
            scanner
                .scan(&endless[..8192], &limits)
                .map(|found| found.is_some()),
            Ok(false)
        );
        assert_eq!(scanner.0.examined, 8192);
        assert_eq!(
            scanner.scan(&endless[..8193], &limits).err(),
            Some(ScanError::StartLineTooLong)
        );
        assert_eq!(scanner.0.examined, 8193);
    }

    /// spec: P-04: a line is cut where it ends, and nothing else may end it.
    #[test]
    fn lines_and_what_is_none() {
        for length in 0..40 {
            let mut line = [b'a'; 60];
            assert_eq!(line_len(&line[..length]), None);
            line[length..length + 2].copy_from_slice(b"\r\n");
            assert_eq!(line_len(&line[..length + 1]), None);
            for byte in 0..=255 {
                for at in 0..length {
                    line[..length].fill(b' ');
                    line[at] = byte;
                    let is_line = matches!(byte, b' '..=0x7e | 0x80..);
                    let expected = is_line.then_some(length);
                    for more in [2, 3, 20] {
                        let found = line_len(&line[..length + more]);
                        assert_eq!(found, expected, "{byte} at {at} of {length}");
                    }
                }
            }
        }
    }

    /// spec: P-04: what counts as a word is a token.
    #[test]
    fn words() {
        for byte in 0..=255_u8 {
            let is_in_word = byte.is_ascii_alphabetic() || byte == b'-';
            for (at, others) in (0..16).flat_map(|at| [b"aZ", b"-z", b"A-"].map(|two| (at, two))) {
                let mut block = [0; 16];
                block.copy_from_slice(&others.repeat(8));
                assert_eq!(word_len(&block), 16);
                block[at] = byte;
                assert_eq!(word_len(&block), if is_in_word { 16 } else { at });
                block[15] = b':';
                let expected = if is_in_word { 15 } else { at };
                assert_eq!(word_len(&block), expected, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn bytes_looked_for() {
        for length in 0..40 {
            let mut bytes = [b'a'; 40];
            assert_eq!(find_byte::<b':'>(&bytes[..length]), None);
            for at in 0..length {
                for other in [0, b':' - 1, b':' + 1, b':' | 0x80, 0xff] {
                    bytes.fill(other);
                    bytes[at] = b':';
                    assert_eq!(
                        find_byte::<b':'>(&bytes[..length]),
                        Some(at),
                        "among {other}"
                    );
                    bytes[length - 1] = b':';
                    assert_eq!(
                        find_byte::<b':'>(&bytes[..length]),
                        Some(at),
                        "among {other}"
                    );
                }
            }
        }
    }

    /// The search by words finds what a search by bytes finds.
    #[test]
    fn control_bytes() {
        for length in 0..40 {
            let mut bytes = [b'a'; 40];
            assert_eq!(find_control(&bytes[..length]), None);
            for at in 0..length {
                for other in [0x20, 0x7e, 0x7f, 0x80, 0x81, 0x9f, 0xff] {
                    bytes.fill(other);
                    for control in [0x00, 0x01, 0x09, 0x0a, 0x0d, 0x1f] {
                        bytes[at] = control;
                        assert_eq!(
                            find_control(&bytes[..length]),
                            Some(at),
                            "{control} among {other}"
                        );
                        bytes[length - 1] = 0;
                        assert_eq!(
                            find_control(&bytes[..length]),
                            Some(at),
                            "{control} among {other}"
                        );
                        bytes[length - 1] = other;
                    }
                }
            }
        }
    }
}
