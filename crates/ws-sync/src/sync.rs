//! The clock.

use std::time::Instant;

/// The time.
pub(crate) fn now() -> Instant {
    Instant::now()
}
