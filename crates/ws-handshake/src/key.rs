//! The key and its answer: `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 sections 4.1, 4.2.2).
//!
//! The answer proves that the server understood a WebSocket request and did not just echo it. It is
//! neither encryption nor authentication: anybody can compute it, and SHA-1's weakness does not
//! matter here (RFC 6455 section 10.8).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::fields::Class;

/// The text every WebSocket server appends to the key before hashing (RFC 6455 section 1.3).
pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The answer to a key: base64(SHA-1(key text + [`GUID`])), RFC 6455 section 4.2.2 item 5.4.
///
/// It keeps the SHA-1 digest too, so that the steps can be shown. `{:x}` prints the digest in hex,
/// `{}` the value of the `Sec-WebSocket-Accept` field.
///
/// ```
/// use ws_handshake::AcceptKey;
///
/// let accept = AcceptKey::from_key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(format!("{accept:x}"), "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
/// assert_eq!(accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AcceptKey {
    digest: [u8; 20],
    text: [u8; 28],
}

impl AcceptKey {
    /// Hashes the key's text as it was received, without decoding it (RFC 6455 section 4.2.2).
    ///
    /// Surrounding blanks must already be gone; the key itself is not checked here, that is
    /// [`is_key`]'s part.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Self {
        let digest = match key.try_into() {
            Ok(key) => digest_of_usual(key),
            Err(_) => digest_of_any(key),
        };
        let mut text = [b'='; 28];
        let written = STANDARD.encode_slice(digest, &mut text);
        debug_assert_eq!(written, Ok(28), "20 bytes are 28 base64 characters");
        Self { digest, text }
    }

    /// The value of the `Sec-WebSocket-Accept` field: 28 base64 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text).unwrap_or_default()
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 28] {
        &self.text
    }

    /// The SHA-1 digest that [`as_str`](Self::as_str) encodes.
    #[must_use]
    pub fn digest(&self) -> &[u8; 20] {
        &self.digest
    }

    /// Whether a received `Sec-WebSocket-Accept` value is this one, letter case included.
    ///
    /// The time taken does not depend on where the two differ. Nothing in the protocol needs that
    /// (RFC 6455 section 10.8); it costs nothing either.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        let difference = self
            .text
            .iter()
            .zip(value)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        value.len() == self.text.len() && difference == 0
    }
}

impl fmt::Display for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::LowerHex for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AcceptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcceptKey").field(&self.as_str()).finish()
    }
}

/// Whether a text is the base64 form of 16 bytes: 22 characters of the alphabet and `==`
/// (RFC 6455 section 4.2.1 item 5).
///
/// The four bits that pad the last character may be anything: the example key printed in RFC 6455
/// section 4.1 has them set (erratum 3150).
#[must_use]
pub fn is_key(text: &[u8]) -> bool {
    text.strip_suffix(b"==")
        .is_some_and(|digits| digits.len() == 22 && BASE64.has_all(digits))
}

/// Writes 16 random bytes as a key: 24 base64 characters (RFC 6455 section 4.1 item 7).
#[must_use]
pub fn encode_key(nonce: [u8; 16]) -> [u8; 24] {
    let mut text = [b'='; 24];
    let written = STANDARD.encode_slice(nonce, &mut text);
    debug_assert_eq!(written, Ok(24), "16 bytes are 24 base64 characters");
    text
}

/// What is hashed for a key of the length that every valid one has, padded to whole blocks (RFC 3174
/// section 4), with blanks where the key goes.
const PADDED: [[u8; 64]; 2] = [
    *b"                        258EAFA5-E914-47DA-95CA-C5AB0DC85B11\x80\0\0\0",
    // 480 bits, the key's 24 bytes and the 36 of the GUID.
    *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
       \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xe0",
];

/// The words a hash begins with (RFC 3174 section 6.1).
const INITIAL: [u32; 5] = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

/// Both blocks at once, without the buffer and the padding of a hash of unknown length.
fn digest_of_usual(key: &[u8; 24]) -> [u8; 20] {
    let mut blocks = PADDED;
    let [first, _] = &mut blocks;
    if let Some(place) = first.first_chunk_mut() {
        *place = *key;
    }
    let mut words = INITIAL;
    sha1::block_api::compress(&mut words, &blocks);
    let mut digest = [0; 20];
    for (place, word) in digest.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn digest_of_any(key: &[u8]) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID.as_bytes());
    hash.finalize().into()
}

static BASE64: Class = Class::alphanumeric_and(b"+/");

#[cfg(test)]
mod tests {
    use super::*;

    /// spec: H-11: the short way gives what the long way gives.
    #[test]
    fn keys_of_the_usual_length() {
        for byte in 0..=255 {
            let mut key = [byte; 24];
            assert_eq!(digest_of_usual(&key), digest_of_any(&key));
            key[usize::from(byte % 24)] ^= 0x55;
            assert_eq!(digest_of_usual(&key), digest_of_any(&key));
        }
    }
}
