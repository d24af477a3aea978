//! Into what pieces a byte stream is cut.

use crate::Prng;

/// Into what pieces a byte stream is cut.
#[derive(Clone, Debug)]
pub enum Chunks {
    /// Whatever there is, at once.
    Whole,
    /// Pieces of exactly this many bytes, the last one shorter. 0 is taken for 1.
    Exactly(usize),
    /// Pieces of 1 to `max` bytes from a seeded generator.
    Random {
        /// Where the sizes come from.
        prng: Prng,
        /// The longest piece.
        max: usize,
        /// Once in this many times nothing goes through (a stream is not ready); 0 for never.
        pending_one_in: usize,
    },
}

impl Chunks {
    /// Pieces of 1 to `max` bytes, and nothing at all once in eight times.
    pub const fn random(seed: u64, max: usize) -> Self {
        Self::Random {
            prng: Prng::new(seed),
            max,
            pending_one_in: 8,
        }
    }

    /// The size of the next piece of at most `available` bytes; `None` if this time nothing goes through.
    pub fn next_len(&mut self, available: usize) -> Option<usize> {
        let len = match self {
            Self::Whole => available,
            Self::Exactly(len) => (*len).max(1),
            Self::Random {
                prng,
                max,
                pending_one_in,
            } => {
                if prng.chance(*pending_one_in) {
                    return None;
                }
                1 + prng.below((*max).max(1))
            }
        };
        Some(len.min(available))
    }
}
