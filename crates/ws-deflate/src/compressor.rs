//! Plain messages to compressed ones (RFC 7692 section 7.2.1).

use alloc::vec::Vec;

use crate::codec::{TAIL, TAKES_HISTORY};
use crate::history::History;
use crate::pool::Owner;
use crate::{Compress, Context, Deflate, Level, Piece, WindowBits};

/// Shorter messages are compressed with [`Level::FAST`], and refer to the newest [`SHORT_HISTORY`] bytes only.
const SHORT: usize = 512;

/// Loading it takes a nanosecond for each byte.
const SHORT_HISTORY: usize = 1024;

/// Longer ones refer to so many bytes for each of their own, if there are: what little they can gain from more is not worth
/// the time.
const HISTORY_PER_BYTE: usize = 16;

/// The first message may get this much longer, less one. 64 random bytes get 5 longer.
const FIRST_MAY_GROW: usize = 8;

/// The most that a stored block holds (RFC 1951 section 3.2.4).
const STORED_MAX: usize = 0xffff;

/// The most messages that go by untried after some that did not shrink.
const MAX_SKIPPED: u8 = 64;

/// The sending direction of a connection on which permessage-deflate was agreed.
///
/// Messages have to be sent in the order in which they were compressed.
#[derive(Debug)]
pub struct Compressor {
    deflate: Deflate,
    takeover: bool,
    window: WindowBits,
    history: History,
    /// Who this is to the pool, if it may keep a compressor there.
    owner: Option<Owner>,
    text: Skip,
    binary: Skip,
}

/// Messages of one kind that do not shrink are tried ever less often.
#[derive(Clone, Copy, Debug, Default)]
struct Skip {
    /// How many to let by.
    left: u8,
    /// How many the next time that one does not shrink.
    next: u8,
}

impl Skip {
    const fn skips(&mut self) -> bool {
        let skips = self.left > 0;
        self.left = self.left.saturating_sub(1);
        skips
    }

    fn failed(&mut self) {
        self.left = self.next.max(1);
        self.next = self.left.saturating_mul(2).min(MAX_SKIPPED);
    }
}

impl Compressor {
    /// What sends messages within `context`.
    #[must_use]
    pub fn new(context: Context, deflate: &Deflate) -> Self {
        let config = deflate.config();
        let takeover = context.takeover && config.terms.send_takeover;
        let window = context.window.min(config.terms.send_max_window);
        let history = match TAKES_HISTORY {
            true => config.history.min(window.size()),
            false => 0,
        };
        Self {
            takeover,
            window,
            history: History::new(history),
            owner: match takeover {
                true => deflate.pool().new_owner(),
                false => None,
            },
            deflate: deflate.clone(),
            text: Skip::default(),
            binary: Skip::default(),
        }
    }

    /// Compresses a message or a piece of one. `None`: the message is to be sent as it is, and the rest of it too; only
    /// the first piece decides that. What is given back is the payload of a frame.
    ///
    /// With [`Compress::Never`], a later piece of a message that has begun to be compressed is written as it is, in
    /// stored blocks: that takes no time. What comes next begins without a past.
    ///
    /// The time it takes grows with the piece: up to 27 microseconds for each KiB (45 at level 7), usually half of that. Cut long
    /// messages into pieces, which costs few bytes: each may refer to those before it.
    pub fn compress(&mut self, piece: Piece<'_>, compress: Compress) -> Option<Vec<u8>> {
        if piece.is_first && !self.is_worth_it(piece, compress) {
            return None;
        }
        if piece.plain.is_empty() && (piece.is_last || !piece.is_first) {
            // An empty stored block, at the end of a message without its last four bytes (section 7.2.3.6). No codec has
            // to know.
            return Some(self.end(piece, stored(piece)));
        }
        if compress == Compress::Never {
            // Nothing may refer to it, and what it stands between cannot be told apart from it.
            self.forget_context();
            self.history.clear();
            return Some(stored(piece));
        }
        // Something has to be the first that others refer to, and among short messages none may shrink by itself.
        let may_grow = match self.remembers() && self.history.is_empty() {
            true => FIRST_MAY_GROW,
            false => 0,
        };
        let deflated = self.deflated(piece);
        let is_first = piece.is_first;
        let is_always = compress == Compress::Always;
        let is_shorter =
            |compressed: &[u8]| compressed.len() < piece.plain.len().saturating_add(may_grow);
        let compressed = match deflated {
            Some(compressed) if is_first && (is_always || is_shorter(&compressed)) => {
                *self.skip(piece.is_text) = Skip::default();
                compressed
            }
            Some(compressed) if !is_first && compressed.len() <= stored_len(piece) => compressed,
            _ => {
                self.forget_context();
                if is_first && !is_always {
                    self.skip(piece.is_text).failed();
                    return None;
                }
                stored(piece)
            }
        };
        Some(self.end(piece, compressed))
    }

    /// Writes down what is sent, for what comes later to refer to.
    fn end(&mut self, piece: Piece<'_>, compressed: Vec<u8>) -> Vec<u8> {
        self.history.push(piece.plain);
        if piece.is_last && !self.takeover {
            self.history.clear();
        }
        compressed
    }

    /// Notes that a message was sent that had been compressed elsewhere, without a past, so that the next one may refer to
    /// it.
    pub fn adopt(&mut self, plain: &[u8]) {
        self.forget_context();
        if self.takeover {
            self.history.push(plain);
        }
    }

    /// The largest distance that messages refer back is within this window.
    #[must_use]
    pub const fn window(&self) -> WindowBits {
        self.window
    }

    /// Whether messages refer to earlier ones.
    fn remembers(&self) -> bool {
        self.takeover && self.deflate.config().history > 0
    }

    fn is_worth_it(&mut self, piece: Piece<'_>, compress: Compress) -> bool {
        match compress {
            Compress::Never => false,
            Compress::Always => true,
            Compress::Auto => {
                let min_len = self.deflate.config().min_len;
                let min_len = match (self.remembers(), piece.is_text) {
                    (true, _) => min_len,
                    (false, true) => min_len.saturating_mul(2),
                    (false, false) => min_len.saturating_mul(4),
                };
                piece.plain.len() >= min_len && !self.skip(piece.is_text).skips()
            }
        }
    }

    /// Compresses with a compressor of the pool; `None` if it failed.
    fn deflated(&mut self, piece: Piece<'_>) -> Option<Vec<u8>> {
        let pool = self.deflate.pool();
        let (mut deflater, is_own) = pool.deflater(self.window, self.owner);
        if !is_own {
            let len = piece.plain.len();
            let is_short = piece.is_first && len < SHORT && self.owner.is_none();
            let (level, history) = match is_short {
                true => (Level::FAST, SHORT_HISTORY),
                false => {
                    let worth_it = len.saturating_mul(HISTORY_PER_BYTE).max(SHORT_HISTORY);
                    (self.deflate.config().level, worth_it)
                }
            };
            deflater.begin(level, self.history.newest(history))?;
        }
        let mut compressed = Vec::new();
        deflater.compress(piece.plain, &mut compressed)?;
        pool.return_deflater(deflater, self.window, self.owner);
        if piece.is_last {
            // What the compressor ends with is an empty stored block.
            let end = compressed.len().checked_sub(TAIL.len())?;
            if compressed.get(end..) != Some(&TAIL) {
                return None;
            }
            compressed.truncate(end);
        }
        Some(compressed)
    }

    const fn skip(&mut self, is_text: bool) -> &mut Skip {
        match is_text {
            true => &mut self.text,
            false => &mut self.binary,
        }
    }

    /// What a compressor has seen was not sent as it wrote it.
    fn forget_context(&self) {
        if let Some(owner) = self.owner {
            self.deflate.pool().disown(owner);
        }
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        self.forget_context();
    }
}

/// How many bytes a piece has in stored blocks, at most.
const fn stored_len(piece: Piece<'_>) -> usize {
    let blocks = piece.plain.len() / STORED_MAX + 2;
    piece.plain.len().saturating_add(blocks * 5)
}

/// Writes a piece as it is, in stored blocks.
fn stored(piece: Piece<'_>) -> Vec<u8> {
    let mut written = Vec::with_capacity(piece.plain.len().saturating_add(16));
    for block in piece.plain.chunks(STORED_MAX) {
        // A block holds 65,535 bytes at most.
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        written.push(0);
        written.extend_from_slice(&len.to_le_bytes());
        written.extend_from_slice(&(!len).to_le_bytes());
        written.extend_from_slice(block);
    }
    written.push(0);
    if !piece.is_last {
        written.extend_from_slice(&TAIL);
    }
    written
}
