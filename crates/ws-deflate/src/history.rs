//! The plain bytes that the next message may refer to.

use alloc::collections::VecDeque;
use core::fmt;

/// The newest plain bytes of one direction, up to a limit: all that takeover needs to know of the past.
///
/// It grows with what passes through, and not with what was agreed.
pub(crate) struct History {
    bytes: VecDeque<u8>,
    limit: usize,
}

/// Says how much there is: what somebody's messages said does not belong in a log.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("len", &self.bytes.len())
            .field("limit", &self.limit)
            .finish()
    }
}

impl History {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            limit,
        }
    }

    /// Adds what comes next, and forgets what is too old.
    pub(crate) fn push(&mut self, plain: &[u8]) {
        let newest = newest(plain, self.limit);
        let kept = self
            .bytes
            .len()
            .min(self.limit.saturating_sub(newest.len()));
        self.bytes.drain(..self.bytes.len().saturating_sub(kept));
        let needed = kept.saturating_add(newest.len());
        if needed > self.bytes.capacity() {
            // Doubled, so that it is rarely moved, and never more than may be kept.
            let doubled = self.bytes.capacity().saturating_mul(2);
            let capacity = doubled.max(needed).min(self.limit);
            self.bytes.reserve_exact(capacity.saturating_sub(kept));
        }
        self.bytes.extend(newest);
    }

    /// The newest `len` bytes, or all if there are fewer, in two parts.
    pub(crate) fn newest(&self, len: usize) -> [&[u8]; 2] {
        let (older, newer) = self.bytes.as_slices();
        [
            newest(older, len.saturating_sub(newer.len())),
            newest(newer, len),
        ]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets everything, and gives the memory back.
    pub(crate) fn clear(&mut self) {
        self.bytes = VecDeque::new();
    }
}

/// The last `len` bytes, or all if there are fewer.
fn newest(bytes: &[u8], len: usize) -> &[u8] {
    bytes
        .get(bytes.len().saturating_sub(len)..)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn it_is_the_end_of_everything_that_was_pushed() {
        for limit in [0, 1, 7, 64] {
            let mut history = History::new(limit);
            let mut all = Vec::new();
            for round in 0..200_usize {
                let plain: Vec<u8> = (0..round * 7 % 90).map(|at| (at + round) as u8).collect();
                history.push(&plain);
                all.extend_from_slice(&plain);
                for len in [0, 1, limit / 2, limit, limit + 1] {
                    let expected = newest(&all, len.min(limit));
                    assert_eq!(history.newest(len).concat(), expected);
                }
                assert!(history.bytes.capacity() <= limit);
            }
        }
    }
}
