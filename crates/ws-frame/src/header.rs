//! The 2 to 14 bytes in front of every payload (RFC 6455 section 5.2).

use core::{fmt, ops};

use crate::{HeaderError, MaskKey, Opcode};

const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const MASK: u8 = 0x80;
const LEN7: u8 = 0x7f;

/// The first byte of a message in one frame, without an extension.
const SHORT_TEXT: u8 = FIN | Opcode::Text.bits();
const SHORT_BINARY: u8 = FIN | Opcode::Binary.bits();

/// In the place of a length: the next two bytes are the length.
const LEN16: u8 = 126;
/// In the place of a length: the next eight bytes are the length.
const LEN64: u8 = 127;

/// The largest payload a control frame may have, section 5.5.
const MAX_CONTROL_LEN: u8 = 125;
/// The largest length that stands in the second byte itself.
const MAX_LEN7: u64 = 125;
/// The lengths that stand in the next two bytes.
const MIN_LEN16: u64 = 126;
const MAX_LEN16: u64 = 65_535;
/// The lengths that stand in the next eight: "the most significant bit MUST be 0".
const MIN_LEN64: u64 = 65_536;
const MAX_LEN64: u64 = i64::MAX as u64;

/// A frame header, RFC 6455 section 5.2, in the order of its fields on the wire.
///
/// One that [`parse`](Self::parse) gave is well formed; whether its reserved bits, its mask and
/// its length suit the connection is for the connection to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// The bits that belong to extensions.
    pub rsv: Rsv,
    /// What the payload is.
    pub opcode: Opcode,
    /// The key the payload is masked with, if it is masked.
    pub mask: Option<MaskKey>,
    /// The length of the payload in bytes, at most 2^63 - 1. Key and header do not count.
    pub payload_len: u64,
}

impl FrameHeader {
    /// The length of the longest header in bytes.
    pub const MAX_LEN: usize = 14;

    /// Reads the header at the start of `input`, and says how many bytes it took.
    ///
    /// `Ok(None)` means that all bytes so far are fine and more are needed. `input` may go on
    /// with payload and further frames.
    ///
    /// # Errors
    ///
    /// The first rule broken, in the order of the bytes, as soon as the byte that breaks it is
    /// there: a header that is refused is refused with the same error however its bytes arrive.
    #[inline]
    pub fn parse(input: &[u8]) -> Result<Option<(Self, usize)>, HeaderError> {
        match Self::parse_short_message(input) {
            Some(parsed) => Ok(Some(parsed)),
            None => Self::parse_any(input),
        }
    }

    /// The header of a message in one frame of up to 125 bytes, without an extension, if it is one and
    /// all there. Most frames are that, and are read in 35 instructions where all rules take 57.
    #[inline(always)]
    fn parse_short_message(input: &[u8]) -> Option<(Self, usize)> {
        let [first @ (SHORT_TEXT | SHORT_BINARY), second, rest @ ..] = input else {
            return None;
        };
        let len7 = second & LEN7;
        if len7 >= LEN16 {
            return None;
        }
        let (mask, len) = if second & MASK == 0 {
            (None, 2)
        } else {
            (Some(MaskKey::new(*rest.first_chunk()?)), 6)
        };
        let header = Self {
            fin: true,
            rsv: Rsv::NONE,
            opcode: if *first == SHORT_TEXT {
                Opcode::Text
            } else {
                Opcode::Binary
            },
            mask,
            payload_len: u64::from(len7),
        };
        Some((header, len))
    }

    #[inline]
    fn parse_any(input: &[u8]) -> Result<Option<(Self, usize)>, HeaderError> {
        let Some((&first, rest)) = input.split_first() else {
            return Ok(None);
        };
        let bits = first & OPCODE;
        let opcode = Opcode::from_bits(bits).ok_or(HeaderError::ReservedOpcode(bits))?;
        let fin = first & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(HeaderError::FragmentedControl(opcode));
        }

        let Some((&second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        let len7 = second & LEN7;
        if opcode.is_control() && len7 > MAX_CONTROL_LEN {
            return Err(HeaderError::OversizedControl(opcode));
        }
        let extended = match len7 {
            LEN16 => parse_len16(rest)?,
            LEN64 => parse_len64(rest)?,
            _ => Some((u64::from(len7), rest)),
        };
        let Some((payload_len, rest)) = extended else {
            return Ok(None);
        };

        let mask = if second & MASK == 0 {
            None
        } else {
            match rest.first_chunk() {
                Some(&key) => Some(MaskKey::new(key)),
                None => return Ok(None),
            }
        };
        let header = Self {
            fin,
            rsv: Rsv(first & Rsv::ALL),
            opcode,
            mask,
            payload_len,
        };
        // Only the shortest form of a length comes this far, so what was read is what we would
        // have written.
        Ok(Some((header, header.encoded_len())))
    }

    /// The length of this header in bytes, 2 to 14.
    #[inline]
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        let up_to_length = match self.payload_len {
            ..=MAX_LEN7 => 2_usize,
            MIN_LEN16..=MAX_LEN16 => 4,
            _ => 10,
        };
        let key = if self.mask.is_some() { 4 } else { 0 };
        up_to_length.wrapping_add(key)
    }

    /// Writes this header to the start of `out`, and says how many bytes that took.
    ///
    /// The length goes in its shortest form; the bytes of `out` behind the header are left in an
    /// unspecified state. The fields are written as they are: a header that breaks a rule of
    /// section 5.5 (a control frame without `fin`, or with more than 125 bytes) is refused by its
    /// receiver. The one exception is a `payload_len` above 2^63 - 1, which no wire form can
    /// carry: it is written as 2^63 - 1.
    #[inline]
    pub const fn encode(&self, out: &mut [u8; Self::MAX_LEN]) -> usize {
        // The header as one little-endian number, filled from its first byte up.
        let first = (if self.fin { FIN } else { 0 }) | self.rsv.0 | self.opcode.bits();
        let (mask_bit, key) = match self.mask {
            Some(key) => (MASK, u32::from_le_bytes(key.to_bytes()) as u128),
            None => (0, 0),
        };
        if self.payload_len <= MAX_LEN7 {
            // Then all of it fits into a word: 30 instructions instead of 51.
            let second = mask_bit | self.payload_len as u8;
            let number = first as u64 | (second as u64) << 8 | (key as u64) << 16;
            let [a, b, c, d, e, f, ..] = number.to_le_bytes();
            *out = [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0];
            return self.encoded_len();
        }
        let (len7, rest) = match self.payload_len {
            len @ ..=MAX_LEN16 => (LEN16, (len as u16).swap_bytes() as u128 | key << 16),
            len @ MIN_LEN64..=MAX_LEN64 => (LEN64, len.swap_bytes() as u128 | key << 64),
            _ => (LEN64, MAX_LEN64.swap_bytes() as u128 | key << 64),
        };
        let number = first as u128 | ((mask_bit | len7) as u128) << 8 | rest << 16;
        let [bytes @ .., _, _] = number.to_le_bytes();
        *out = bytes;
        self.encoded_len()
    }

    /// This header as bytes to append somewhere: `buffer.extend_from_slice(&header.to_bytes())`.
    ///
    /// Says the same as [`encode`](Self::encode).
    #[inline]
    #[must_use]
    pub const fn to_bytes(&self) -> HeaderBytes {
        let mut bytes = [0; Self::MAX_LEN];
        let len = self.encode(&mut bytes);
        HeaderBytes {
            bytes,
            len: len as u8,
        }
    }
}

/// The 16-bit length at the start of `input`, and what follows it.
#[inline]
fn parse_len16(input: &[u8]) -> Result<Option<(u64, &[u8])>, HeaderError> {
    let Some((&bytes, rest)) = input.split_first_chunk() else {
        return Ok(None);
    };
    match u64::from(u16::from_be_bytes(bytes)) {
        ..=MAX_LEN7 => Err(HeaderError::NonMinimalLength),
        len => Ok(Some((len, rest))),
    }
}

/// The 64-bit length at the start of `input`, and what follows it.
#[inline]
fn parse_len64(input: &[u8]) -> Result<Option<(u64, &[u8])>, HeaderError> {
    // The first byte alone shows a length that is too large, the first six one that is too
    // small: neither waits for the last.
    if input.first().is_some_and(|&byte| byte & 0x80 != 0) {
        return Err(HeaderError::LengthOverflow);
    }
    if input.first_chunk() == Some(&[0; 6]) {
        return Err(HeaderError::NonMinimalLength);
    }
    Ok(input
        .split_first_chunk()
        .map(|(&bytes, rest)| (u64::from_be_bytes(bytes), rest)))
}

/// The three reserved bits of a frame, for extensions to define (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit set: the only value without an extension.
    pub const NONE: Self = Self(0);
    /// The first bit; permessage-deflate marks a compressed message with it.
    pub const RSV1: Self = Self(0x40);
    /// The second bit.
    pub const RSV2: Self = Self(0x20);
    /// The third bit.
    pub const RSV3: Self = Self(0x10);

    const ALL: u8 = 0x70;

    /// The bits in their place in a frame's first byte: a subset of `0x70`.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether no bit is set.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every bit of `other` is set here.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits set in either; also written `a | b`.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl ops::BitOr for Rsv {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

/// The bytes of one header, from [`FrameHeader::to_bytes`]; dereferences to them.
#[derive(Clone, Copy)]
pub struct HeaderBytes {
    bytes: [u8; FrameHeader::MAX_LEN],
    len: u8,
}

impl ops::Deref for HeaderBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl AsRef<[u8]> for HeaderBytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for HeaderBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeaderBytes").field(&&**self).finish()
    }
}
