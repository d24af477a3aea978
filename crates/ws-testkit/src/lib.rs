//! Test support for the workspace: what a test needs besides the code under test, and never that code again.
//!
//! - [`Pair`]: a client and a server [`Connection`](ws_proto::Connection) joined without IO.
//! - [`Alone`]: one connection whose peer is the test.
//! - [`ChoppedIo`]: a stream in memory, blocking and tokio at once, that reads and writes in pieces of chosen sizes,
//!   refuses to be ready, fails or ends where the test says, and never waits for ever.
//! - [`network`]: a virtual network between two ends, with latency, stalls, silence and resets, on a paused clock.
//! - [`chopped_script`]: whole conversations in advance, and a judge of what came of them.
//! - [`vectors`]: the frames of RFC 6455 §5.7 and tables of good and bad input.
//! - [`blocks`]: compressed data by hand.
//! - [`Frame`]: an independent encoder that also writes what no endpoint may send.
//! - [`oracle`]: an independent decoder of a whole byte string, written for clarity alone. It shares no code with
//!   `ws-frame` or `ws-proto`, so that the two can disagree.
//! - [`assert_agrees`]: a connection against the oracle, however the bytes are cut.
//! - [`Events`]: what is told through `tracing`, as lines.
//! - [`Prng`]: a small seeded generator; a test that fails prints its seed.
//! - `resident_memory`, on Linux: what the process of the test holds on to.
//!
//! It never opens a socket. It reads no clock but tokio's, which tests pause, except to end a blocking read that would
//! wait for ever.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alone;
pub mod blocks;
mod chopped_io;
pub mod chopped_script;
mod chunks;
mod events;
mod frame;
mod keys;
pub mod network;
pub mod oracle;
mod pair;
mod prng;
#[cfg(target_os = "linux")]
mod resident;
mod split;
pub mod vectors;

pub use alone::Alone;
pub use chopped_io::{ChoppedIo, Fault, Remote, Starved, Step};
pub use chunks::Chunks;
pub use events::Events;
pub use frame::{Frame, LengthForm};
pub use keys::{CounterKeys, FixedKey};
pub use pair::{Delivery, End, Pair, receive_in_place};
pub use prng::Prng;
#[cfg(target_os = "linux")]
pub use resident::resident_memory;
pub use split::{Piece, assert_agrees};
