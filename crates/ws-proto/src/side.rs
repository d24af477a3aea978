//! The three rules in which the ends differ after the opening handshake: who masks, who must see masks, who ends TCP.

use alloc::boxed::Box;
use core::fmt;

use ws_frame::MaskKey;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// Opened the connection; masks what it sends (RFC 6455 §5.1).
    Client,
    /// Accepted the connection; never masks, and ends the TCP connection first (§7.1.1).
    Server,
}

/// Where a client's masking keys come from, one per frame.
///
/// RFC 6455 §5.3 asks for keys from a strong source of entropy that neither the application nor a server can
/// predict. Implement this over the operating system's random source; a counter belongs in tests only.
pub trait MaskKeys: Send + Sync {
    /// A key that was never used before.
    fn next_key(&mut self) -> MaskKey;
}

impl<F: FnMut() -> MaskKey + Send + Sync> MaskKeys for F {
    fn next_key(&mut self) -> MaskKey {
        self()
    }
}

/// A role with what it needs: a client without a key source cannot be written, and a server has nothing to mask with.
pub(crate) enum Side {
    Client { mask_keys: Box<dyn MaskKeys> },
    Server,
}

impl Side {
    pub(crate) const fn role(&self) -> Role {
        match self {
            Self::Client { .. } => Role::Client,
            Self::Server => Role::Server,
        }
    }

    /// The key for the next frame: `Some` for a client (§5.1), `None` for a server.
    pub(crate) fn next_key(&mut self) -> Option<MaskKey> {
        match self {
            Self::Client { mask_keys } => Some(mask_keys.next_key()),
            Self::Server => None,
        }
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.role(), f)
    }
}
