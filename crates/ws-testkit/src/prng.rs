//! A small seeded generator (splitmix64): the same seed gives the same test on every machine.

/// A seeded generator of test input. It is not for masking keys outside of tests.
#[derive(Clone, Debug)]
pub struct Prng(u64);

impl Prng {
    /// A generator that always gives the same sequence for the same `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            return 0;
        }
        (self.next_u64() % bound as u64) as usize
    }

    /// True once in `one_in` times on average; never if that is 0.
    pub const fn chance(&mut self, one_in: usize) -> bool {
        one_in != 0 && self.below(one_in) == 0
    }

    /// `len` bytes of any value.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next_u64() as u8).collect()
    }

    /// Text of `chars` characters that take one to four bytes each.
    pub fn text(&mut self, chars: usize) -> String {
        const ALPHABET: [char; 8] = ['a', 'Z', 'é', 'ß', '中', '€', '😀', '\u{10ffff}'];
        (0..chars)
            .map(|_| ALPHABET[self.below(ALPHABET.len())])
            .collect()
    }
}
