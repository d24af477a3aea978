//! A reader of DEFLATE (RFC 1951) that looks at distances: written from the RFC, slow, and independent of the codec.

/// A stream that may not refer further back than this.
pub(crate) struct Scan {
    /// Everything so far.
    pub(crate) plain: Vec<u8>,
    /// The largest distance so far.
    pub(crate) largest: usize,
}

const LENGTH_BASE: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const LENGTH_EXTRA: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const DISTANCE_BASE: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12_289, 16_385, 24_577,
];
const DISTANCE_EXTRA: [u8; 30] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];
/// The order in which the lengths of the code of lengths come (section 3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Bits, the lowest of each byte first (section 3.1.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u8) -> usize {
        (0..count).fold(0, |value, bit| {
            let byte = self.bytes[self.at / 8];
            let read = usize::from(byte >> (self.at % 8) & 1);
            self.at += 1;
            value | read << bit
        })
    }

    fn align(&mut self) {
        self.at = self.at.div_ceil(8) * 8;
    }
}

/// A canonical Huffman code (section 3.2.2): how many codes have each length, and the symbols in their order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; 16];
        for length in lengths {
            counts[usize::from(*length)] += 1;
        }
        counts[0] = 0;
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|at| lengths[*at] > 0).collect();
        symbols.sort_by_key(|at| lengths[*at]);
        Self { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1);
            if code < first + count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        panic!("no such code");
    }
}

impl Scan {
    pub(crate) const fn new() -> Self {
        Self {
            plain: Vec::new(),
            largest: 0,
        }
    }

    /// Reads a message, which the four bytes have been added to.
    pub(crate) fn message(&mut self, compressed: &[u8]) {
        let mut bits = Bits {
            bytes: compressed,
            at: 0,
        };
        while bits.at < compressed.len() * 8 {
            let is_last = bits.take(1) == 1;
            match bits.take(2) {
                0 => self.stored(&mut bits),
                1 => {
                    let mut lengths = [8; 288];
                    lengths[144..256].fill(9);
                    lengths[256..280].fill(7);
                    self.block(&mut bits, &Code::new(&lengths), &Code::new(&[5; 30]));
                }
                2 => {
                    let (literals, distances) = codes(&mut bits);
                    self.block(&mut bits, &literals, &distances);
                }
                _ => panic!("no such block"),
            }
            assert!(!is_last, "we write none that is marked as the last");
            if compressed.len() * 8 - bits.at < 8 {
                // The rest of a byte.
                break;
            }
        }
    }

    fn stored(&mut self, bits: &mut Bits<'_>) {
        bits.align();
        let len = bits.take(16);
        assert_eq!(bits.take(16), len ^ 0xffff);
        let start = bits.at / 8;
        self.plain
            .extend_from_slice(&bits.bytes[start..start + len]);
        bits.at += len * 8;
    }

    fn block(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) {
        loop {
            match literals.read(bits) {
                literal @ 0..256 => self.plain.push(literal as u8),
                256 => return,
                symbol => {
                    let at = symbol - 257;
                    let len = LENGTH_BASE[at] + bits.take(LENGTH_EXTRA[at]);
                    let at = distances.read(bits);
                    let distance = DISTANCE_BASE[at] + bits.take(DISTANCE_EXTRA[at]);
                    self.largest = self.largest.max(distance);
                    for _ in 0..len {
                        self.plain.push(self.plain[self.plain.len() - distance]);
                    }
                }
            }
        }
    }
}

/// The codes that a block brings with it (section 3.2.7).
fn codes(bits: &mut Bits<'_>) -> (Code, Code) {
    let literals = bits.take(5) + 257;
    let distances = bits.take(5) + 1;
    let count = bits.take(4) + 4;
    let mut lengths = [0; 19];
    for at in &ORDER[..count] {
        lengths[*at] = bits.take(3) as u8;
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.read(bits) {
            16 => (lengths[lengths.len() - 1], 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length as u8, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    (
        Code::new(&lengths[..literals]),
        Code::new(&lengths[literals..]),
    )
}
