//! What a server knows about its connections, without IO: who is there, what they have carried, how they ended, and
//! how they are asked to leave.
//!
//! A binding accepts and waits; it keeps one [`Registry`] and tells it what happens. [`Drain`] says how the server is to
//! end and [`Drained`] how it went, [`ServerStats`] is what can be seen at any time, and [`Backoff`] paces a listener
//! that cannot accept.

mod backoff;
mod drain;
mod registry;
mod stats;

pub use backoff::Backoff;
pub use drain::{Drain, Drained};
pub use registry::{Admission, Opened, Registry};
pub use stats::{ConnectionStats, ServerStats};
