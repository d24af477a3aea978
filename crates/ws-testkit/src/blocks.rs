//! Blocks of DEFLATE data (RFC 1951), written by hand: small enough to know, and as bad as a test likes.

/// "He", and an empty stored block, as a sender writes it that flushes (RFC 7692 §7.2.3.5).
pub const HE: &[u8] = b"\xf2\x48\x05\x00\x00\x00\xff\xff";

/// "llo" behind that, to the end of a message.
pub const LLO: &[u8] = b"\xca\xc9\xc9\x07\x00";

/// The whole message.
pub const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

/// The same once more, as a reference to it.
pub const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

/// What ends a message behind a whole block.
pub const END: &[u8] = b"\x00";

/// A block of a type that does not exist.
pub const BAD: &[u8] = b"\x06";

/// A block of plain bytes.
///
/// # Panics
///
/// If there are more than 65,535 of them.
pub fn stored(plain: &[u8]) -> Vec<u8> {
    let len = u16::try_from(plain.len()).expect("it fits");
    let lens = [len.to_le_bytes(), (!len).to_le_bytes()].concat();
    [&[0x00][..], &lens, plain].concat()
}

/// A block that repeats the byte before it 258 times `count`, each in 13 bits, and an empty stored one to end on a byte.
pub fn repeats(count: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    // Not the last block, and of the fixed codes.
    bits.push(0b010, 3);
    for _ in 0..count {
        // Length 258 is 11000101 from the highest bit on, distance 1 is 00000.
        bits.push(0b1010_0011, 8);
        bits.push(0, 5);
    }
    // Its end, and the header of the stored one.
    bits.push(0, 7 + 3);
    bits.push(0, (8 - bits.count) % 8);
    bits.bytes.extend([0x00, 0x00, 0xff, 0xff]);
    bits.bytes
}

/// Bits, packed from the lowest of each byte on.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// What makes no byte yet.
    rest: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, bits: u32, count: u32) {
        self.rest |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.rest as u8);
            self.rest >>= 8;
            self.count -= 8;
        }
    }
}

/// A compressed message of so many times 258 bytes and one.
pub fn bomb(count: usize) -> Vec<u8> {
    [&stored(b"a")[..], &repeats(count), END].concat()
}
