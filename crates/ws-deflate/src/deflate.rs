//! What the connections of a server or a client have in common.

use alloc::sync::Arc;
use core::fmt;

use crate::codec::TAKES_HISTORY;
use crate::pool::Pool;
use crate::{DeflateConfig, Terms, WindowBits};

/// How to compress, and the codecs for it. Clones share the codecs: make one for all connections of a program.
#[derive(Clone)]
pub struct Deflate {
    shared: Arc<Shared>,
}

struct Shared {
    config: DeflateConfig,
    pool: Pool,
}

impl Deflate {
    /// Compression by this configuration. With miniz_oxide [`Terms::send_takeover`] is taken as `false`,
    /// [`Terms::send_min_window`] as 15 bits and [`DeflateConfig::live_contexts`] as 0.
    #[must_use]
    pub fn new(mut config: DeflateConfig) -> Self {
        if !TAKES_HISTORY {
            config.terms.send_takeover = false;
            // It keeps to a small window by beginning anew each time that is full, which takes up to four times as long: not
            // something for a peer to choose.
            config.terms.send_min_window = WindowBits::MAX;
            config.terms.send_max_window = WindowBits::MAX;
            config.live_contexts = 0;
        }
        let pool = Pool::new(config.live_contexts);
        Self {
            shared: Arc::new(Shared { config, pool }),
        }
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &DeflateConfig {
        &self.shared.config
    }

    /// What is offered or accepted.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.shared.config.terms
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.shared.pool
    }
}

/// Whether the codecs are shared.
impl PartialEq for Deflate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Deflate {}

impl Default for Deflate {
    fn default() -> Self {
        Self::new(DeflateConfig::default())
    }
}

impl From<DeflateConfig> for Deflate {
    fn from(config: DeflateConfig) -> Self {
        Self::new(config)
    }
}

impl fmt::Debug for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate")
            .field("config", self.config())
            .finish_non_exhaustive()
    }
}
