//! Sources of masking keys whose keys a test can foretell.

use ws_proto::{MaskKey, MaskKeys};

/// Counts: every key is another one, and all four bytes of a key differ from the start.
#[derive(Clone, Debug, Default)]
pub struct CounterKeys(u32);

impl MaskKeys for CounterKeys {
    fn next_key(&mut self) -> MaskKey {
        self.0 = self.0.wrapping_add(1);
        // An odd factor permutes the numbers, so no key repeats before all have been used.
        MaskKey::new(self.0.wrapping_mul(0x9e37_79b1).to_be_bytes())
    }
}

/// Always the same key, so that a whole frame can be written down in a test.
#[derive(Clone, Copy, Debug)]
pub struct FixedKey(pub [u8; 4]);

impl MaskKeys for FixedKey {
    fn next_key(&mut self) -> MaskKey {
        MaskKey::new(self.0)
    }
}
