//! How messages are compressed, and what that may cost.

use crate::{Level, Terms, WindowBits};

/// How messages are compressed, and what that may cost. [`Default`], [`ultra`](Self::ultra) and [`tiny`](Self::tiny) are
/// meant to be used as they are.
///
/// What a message of 1,068 bytes of JSON takes on the wire among others of its kind, and what a connection of a server
/// holds while it waits, in bytes, the connection itself not counted: when compression was agreed with a client that
/// offered what browsers do, and after so much JSON each way.
///
/// | | 1 KiB of JSON | unused | 1 KiB each way | 32 KiB each way | all connections together |
/// |---|---|---|---|---|---|
/// | default | 161 | 80 | 2,190 | 6,970 | 272,000 |
/// | ultra | 144 | 80 | 2,080 | 57,500 | 383,000 |
/// | tiny | 337 | 90 | 160 | 160 | 276,000 |
///
/// A peer that cannot be asked for a smaller window may make the default hold 28 KiB more. The last column is one compressor
/// and one decompressor: there are as many as are used at a time, which is not more than there are threads, and besides
/// as many compressors as [`live_contexts`](Self::live_contexts) allows. They are kept for the connections that come, up to
/// 16 of each: when all connections have ended that is what is left, and no memory grows with their number.
/// (`cargo run --example compression`, and `cargo test -p ws-proto --test deflate_memory -- --nocapture`, with zlib-rs on
/// Linux.)
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateConfig {
    /// What is offered or accepted.
    pub terms: Terms,
    /// The level for messages of 512 bytes and more. Without [`live_contexts`](Self::live_contexts) shorter ones are
    /// compressed with [`Level::FAST`]: for them it saves two thirds of the time, and costs a tenth more bytes.
    pub level: Level,
    /// With takeover, the bytes kept of what was sent, for the next message to refer to. They are a connection's whole
    /// memory for sending; the compressor belongs to all of them. Beyond 2 KiB bytes hardly get fewer, and each message
    /// takes longer. A short message loads less of it.
    pub history: usize,
    /// How many connections may keep a compressor of their own, with all of its window in it: 296 KB each with a window
    /// of 15 bits. 0 for none. Beyond that number the one that has been quiet longest loses its compressor to the one
    /// that sends, and goes on with [`history`](Self::history); one that ends leaves it to the others. Nothing is given
    /// up for being quiet alone, since there is no clock here. Meant for tens: each message looks through them.
    pub live_contexts: usize,
    /// The shortest message that is compressed. Without takeover, or without a [`history`](Self::history), it has to be
    /// twice as long, or four times if it is binary: with nothing to refer to, shorter messages hardly shrink.
    pub min_len: usize,
}

impl Default for DeflateConfig {
    /// Takeover in both directions out of a little history: about the bytes of a context of its own for each connection,
    /// for a hundredth of the memory. A server asks clients that can limit their window, as browsers can, to refer no
    /// further back than 4 KiB; a client demands nothing of servers.
    fn default() -> Self {
        Self {
            terms: Terms {
                send_max_window: SENDING,
                client_max_window_bits: FOUR_KIB,
                ..Terms::default()
            },
            level: Level::DEFAULT,
            history: 2048,
            live_contexts: 0,
            min_len: 64,
        }
    }
}

/// A window of 4 KiB: 2 to 8 % more bytes than with 32 KiB, and for 64 KiB of text two thirds of the time.
const FOUR_KIB: WindowBits = match WindowBits::new(12) {
    Some(bits) => bits,
    None => WindowBits::MAX,
};

/// miniz_oxide is as quick with any window, and saves no memory with a small one.
const SENDING: WindowBits = match cfg!(all(feature = "miniz", not(feature = "zlib"))) {
    true => WindowBits::MAX,
    false => FOUR_KIB,
};

impl DeflateConfig {
    /// The fewest bytes: windows of 32 KiB, a longer history, and compressors of their own for the 16 connections that
    /// sent last. More of these have no room in the caches of most processors: to fetch one from memory takes longer than
    /// to load the history.
    #[must_use]
    pub fn ultra() -> Self {
        Self {
            terms: Terms::default(),
            history: 16 * 1024,
            live_contexts: 16,
            ..Self::default()
        }
    }

    /// The least memory and time: nothing is kept between messages. Windows are of 4 KiB, the peer's if a server can ask
    /// it for that.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            terms: Terms {
                send_takeover: false,
                receive_takeover: false,
                send_max_window: SENDING,
                client_max_window_bits: FOUR_KIB,
                ..Terms::default()
            },
            level: Level::FAST,
            history: 0,
            ..Self::default()
        }
    }

    /// Sets [`terms`](Self::terms).
    #[must_use]
    pub const fn with_terms(mut self, terms: Terms) -> Self {
        self.terms = terms;
        self
    }

    /// Sets [`level`](Self::level).
    #[must_use]
    pub const fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets [`history`](Self::history).
    #[must_use]
    pub const fn with_history(mut self, history: usize) -> Self {
        self.history = history;
        self
    }

    /// Sets [`live_contexts`](Self::live_contexts).
    #[must_use]
    pub const fn with_live_contexts(mut self, live_contexts: usize) -> Self {
        self.live_contexts = live_contexts;
        self
    }

    /// Sets [`min_len`](Self::min_len).
    #[must_use]
    pub const fn with_min_len(mut self, min_len: usize) -> Self {
        self.min_len = min_len;
        self
    }
}

/// Whether a message is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the decision is made by the library, or by its user one way or the other"
)]
pub enum Compress {
    /// If it is long enough, has not been found to be incompressible, and gets shorter. (The first one on a connection may
    /// get 7 bytes longer, for the next ones refer to it.)
    #[default]
    Auto,
    /// Even if it gets longer.
    Always,
    /// Not at all, and nothing that is sent later refers to it: for what is compressed already, and for secrets next to
    /// what an attacker can choose (RFC 7692 section 8).
    Never,
}
