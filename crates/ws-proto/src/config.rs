//! One plain configuration for every binding.

use core::time::Duration;

use ws_deflate::Agreement;
#[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
use ws_deflate::Deflate;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Limits and deadlines of a connection. Sizes are bytes and inclusive; a `None` switches a deadline off.
///
/// Each default is on because some peer once did without it and was brought down, and is generous enough that no
/// well-behaved peer meets it.
///
/// ```
/// use std::time::Duration;
/// use ws_proto::Config;
///
/// let config = Config::default()
///     .with_max_message_size(64 * 1024)
///     .with_ping_interval(Some(Duration::from_secs(15)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Largest message accepted, after reassembly. Exceeding it fails the connection with 1009. Default 16 MiB, the
    /// largest message of the Autobahn test suite.
    pub max_message_size: usize,
    /// Largest payload of one data frame accepted; checked on the header, before any of it is read. Exceeding it
    /// fails the connection with 1009. Default 16 MiB, so that a message may always come in one frame.
    pub max_frame_size: usize,
    /// Most fragments that may follow the first one of a message, empty ones included. Exceeding it
    /// fails the connection with 1009: endless empty fragments would otherwise cost time for ever
    /// without reaching a size limit. Default 65,536, which is what the Autobahn test suite sends
    /// behind the first fragment of 4 MiB in pieces of 64 bytes.
    pub max_fragments: u32,
    /// Largest payload of one data frame sent; longer messages are fragmented (RFC 6455 §5.4), and control frames go
    /// between the fragments. At least 1 is used. Default `None`: one frame a message, which is what every peer handles
    /// fastest; only a message that is compressed goes out in a frame for each 32 KiB of it.
    pub fragment_size: Option<usize>,
    /// Bytes waiting to be written above which a binding writes before it queues more, and above which, or above 8 KiB
    /// of Pongs, only the newest Ping is remembered for an answer (RFC 6455 §5.5.3 allows that). The fragments of a long message and
    /// offered messages are queued up to this mark. At least 1 and at most `write_buffer_limit` is used. Default 64 KiB.
    pub write_buffer_high: usize,
    /// Bytes waiting to be written at which [`Connection::send`](crate::Connection::send) refuses a further message,
    /// the fragments that are not framed yet among them. What is queued never exceeds this by more than one message. At
    /// least 1 is used. Default 1 MiB.
    pub write_buffer_limit: usize,
    /// How often to send a Ping. Default every 30 s: middleboxes cut idle connections after 30 to 60 s. The blocking
    /// binding's own default is `None`, because each read then costs a system call more.
    pub ping_interval: Option<Duration>,
    /// How long after a Ping the peer may stay silent before it is taken for dead
    /// ([`PongTimeout`](crate::ProtocolError::PongTimeout)). Any received byte is a sign of life, and so is that the
    /// peer takes bytes that had to wait: its Pong may lie behind them. A Ping that lies in our own queue starts no
    /// deadline; what lies in the operating system's does count. Default 20 s.
    pub pong_timeout: Duration,
    /// How long the connection may carry no part of a data message, either way, before it is closed with 1001 and the
    /// reason "idle". That is no error: the closing handshake begins as [`close`](crate::Connection::close) would begin
    /// it. Pings and Pongs do not count, so this ends a connection that is alive and not used. Default `None`.
    pub idle_timeout: Option<Duration>,
    /// How long the peer may take none of the bytes that wait to be written before it is given up
    /// ([`WriteTimeout`](crate::ProtocolError::WriteTimeout)). No Close frame is sent, for nobody reads. It bounds the
    /// pause and not the whole: a peer that takes a byte now and then may take its time. The pause may last up to twice
    /// as long where a binding does not look at the clock in between. Default 30 s.
    pub write_timeout: Option<Duration>,
    /// How long the closing handshake may take in all, from our Close frame to the end of the TCP connection. Pings
    /// do not extend it. Default 10 s.
    pub close_timeout: Option<Duration>,
    /// How long the opening handshake may take in all, not per read. Default 10 s.
    pub handshake_timeout: Option<Duration>,
    /// How to compress messages if the peer agrees (RFC 7692): a client offers it, a server accepts it. Clones of a
    /// configuration share the codecs. Default `None`: compression costs time and memory, and tells whoever can see the
    /// length of messages something about what is in them (§8).
    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    pub deflate: Option<Deflate>,
    /// What was agreed on compression in this connection's opening handshake; a binding that carries it out sets this.
    /// Default `None`: nothing, so that messages are not compressed. Without `deflate` beside it a connection has codecs
    /// of its own, which take 0.4 MB.
    pub agreed: Option<Agreement>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_size: 16 * MIB,
            max_frame_size: 16 * MIB,
            max_fragments: 65_536,
            fragment_size: None,
            write_buffer_high: 64 * KIB,
            write_buffer_limit: MIB,
            ping_interval: Some(Duration::from_secs(30)),
            pong_timeout: Duration::from_secs(20),
            idle_timeout: None,
            write_timeout: Some(Duration::from_secs(30)),
            close_timeout: Some(Duration::from_secs(10)),
            handshake_timeout: Some(Duration::from_secs(10)),
            #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
            deflate: None,
            agreed: None,
        }
    }
}

macro_rules! setters {
    ($($setter:ident $field:ident: $type:ty),* $(,)?) => {
        $(
            #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub const fn $setter(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            }
        )*
    };
}

impl Config {
    setters! {
        with_max_message_size max_message_size: usize,
        with_max_frame_size max_frame_size: usize,
        with_max_fragments max_fragments: u32,
        with_fragment_size fragment_size: Option<usize>,
        with_write_buffer_high write_buffer_high: usize,
        with_write_buffer_limit write_buffer_limit: usize,
        with_ping_interval ping_interval: Option<Duration>,
        with_pong_timeout pong_timeout: Duration,
        with_idle_timeout idle_timeout: Option<Duration>,
        with_write_timeout write_timeout: Option<Duration>,
        with_close_timeout close_timeout: Option<Duration>,
        with_handshake_timeout handshake_timeout: Option<Duration>,
        with_agreed agreed: Option<Agreement>,
    }

    /// Whether a connection of this configuration can compress.
    pub const fn can_deflate(&self) -> bool {
        #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
        return self.deflate.is_some();
        #[cfg(not(any(feature = "deflate", feature = "deflate-miniz")))]
        false
    }

    /// Sets [`deflate`](Self::deflate). [`DeflateConfig`](crate::DeflateConfig) has three presets.
    #[cfg(any(feature = "deflate", feature = "deflate-miniz"))]
    #[must_use]
    pub fn with_deflate(mut self, deflate: impl Into<Deflate>) -> Self {
        self.deflate = Some(deflate.into());
        self
    }
}
