//! Two ends of a stream over a virtual network: latency, bandwidth, stalls, silence and resets, on tokio's paused clock.

mod direction;
mod end;
mod wire;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use self::wire::Wire;
use crate::Chunks;

/// What a network does, all of it known in advance. Times count from [`Network::new`].
#[derive(Clone, Debug)]
pub struct Plan {
    /// The way from end 0 to end 1, and the way back.
    pub links: [Link; 2],
    /// How each end's socket behaves.
    pub sockets: [Socket; 2],
    /// When something on the way resets the connection, if ever.
    pub resets_at: Option<Duration>,
    /// Whether a reset destroys what has arrived and was not read. Linux lets it be read first, others do not.
    pub reset_destroys_input: bool,
}

/// One way through the network.
#[derive(Clone, Debug)]
pub struct Link {
    /// How long a byte is under way.
    pub latency: Duration,
    /// How many bytes go through in a millisecond; `None`: as many as there are.
    pub bytes_per_ms: Option<u32>,
    /// How many bytes may be written and not yet read: the buffers of both sockets together. At least 1 is used.
    pub capacity: usize,
    /// When nothing arrives; what should have arrived does so at the end.
    pub stalls: Vec<Range<Duration>>,
    /// From when on nothing arrives any more, not even an end or a reset. The writer learns nothing of it: what it
    /// writes fills its buffer. Nor does who writes the other way learn what was read.
    pub vanishes_at: Option<Duration>,
}

/// What an end's reads and writes do.
#[derive(Clone, Debug)]
pub struct Socket {
    /// How much one read takes. "Nothing" is `Pending`.
    pub reads: Chunks,
    /// How much one write takes.
    pub writes: Chunks,
    /// When a read or write that was not ready for no reason wakes its task: zero for at once.
    pub ready_after: Duration,
    /// Whether it writes several slices at once.
    pub vectored: bool,
    /// How many written bytes it holds back until it is flushed, as a TLS stream does.
    pub holds_back: usize,
    /// Which use of it finds the connection reset, if any: the first is 1. What has arrived may still be read.
    pub breaks_at: Option<u64>,
}

impl Link {
    /// Everything arrives at once, and there is always room.
    pub const PERFECT: Self = Self {
        latency: Duration::ZERO,
        bytes_per_ms: None,
        capacity: usize::MAX,
        stalls: Vec::new(),
        vanishes_at: None,
    };
}

impl Socket {
    /// Reads and writes all there is.
    pub const PERFECT: Self = Self {
        reads: Chunks::Whole,
        writes: Chunks::Whole,
        ready_after: Duration::ZERO,
        vectored: true,
        holds_back: 0,
        breaks_at: None,
    };
}

impl Plan {
    /// Two ends next to each other.
    pub const PERFECT: Self = Self {
        links: [Link::PERFECT, Link::PERFECT],
        sockets: [Socket::PERFECT, Socket::PERFECT],
        resets_at: None,
        reset_destroys_input: false,
    };

    /// Whether everything that is written arrives in the end, as long as nobody leaves.
    pub fn delivers(&self) -> bool {
        self.resets_at.is_none() && self.links.iter().all(|link| link.vanishes_at.is_none())
    }
}

/// A virtual network between two ends, and a sniffer on it.
///
/// It follows TCP: an end that is shut down or dropped is an end of input at the other end once everything before it
/// was read; an end that is dropped with unread input, or that gets some later, resets the connection, and what it had
/// under way is lost.
///
/// Each end keeps one waker for reading and one for writing, that of the last poll that was `Pending`, and forgets it
/// when it is polled again: what the contract of `AsyncRead` and `AsyncWrite` promises and nothing more.
#[derive(Clone, Debug)]
pub struct Network {
    shared: Arc<Shared>,
}

/// One end of a [`Network`].
#[derive(Debug)]
pub struct VirtualStream {
    shared: Arc<Shared>,
    side: usize,
}

#[derive(Debug)]
struct Shared {
    opened: Instant,
    wire: Mutex<Wire>,
}

impl Network {
    /// A network and its two ends. Its clock is tokio's, and starts now.
    pub fn new(plan: Plan) -> (Self, [VirtualStream; 2]) {
        let shared = Arc::new(Shared {
            opened: Instant::now(),
            wire: Mutex::new(Wire::new(plan)),
        });
        let end = |side| VirtualStream {
            shared: Arc::clone(&shared),
            side,
        };
        let ends = [end(0), end(1)];
        (Self { shared }, ends)
    }

    /// Polls of either end after which a test is stopped because it goes round in circles. Default: none.
    ///
    /// # Panics
    ///
    /// The poll that exceeds it does.
    pub fn limit_operations(&self, limit: u64) {
        self.shared.wire().limit_operations(limit);
    }

    /// Lets things arrive when their time has come. It has to run beside the two ends, and never ends by itself.
    pub async fn run(&self) {
        let mut timer = Box::pin(sleep_until(self.shared.opened));
        poll_fn(|cx| {
            loop {
                let next = self.shared.settle(|wire| wire.wait_for_next(cx.waker()));
                let Some(next) = next else {
                    return Poll::Pending;
                };
                timer.as_mut().reset(self.shared.opened + next);
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Every byte that the end `side` ever put on the wire.
    pub fn sent(&self, side: usize) -> Vec<u8> {
        self.shared.wire().sent(side).to_vec()
    }

    /// The same, and what its socket holds back behind it.
    pub fn written(&self, side: usize) -> Vec<u8> {
        self.shared.wire().written(side)
    }

    /// How many bytes the end `side` has put on the wire so far.
    pub fn sent_len(&self, side: usize) -> usize {
        self.shared.wire().sent(side).len()
    }

    /// How many bytes the end `side` has read so far.
    pub fn read_len(&self, side: usize) -> usize {
        self.shared.wire().read_len(side)
    }

    /// How often the end `side` was polled.
    pub fn operations(&self, side: usize) -> u64 {
        self.shared.wire().operations(side)
    }

    /// Whether the end `side` was dropped.
    pub fn is_dropped(&self, side: usize) -> bool {
        self.shared.wire().is_dropped(side)
    }
}

impl Shared {
    fn wire(&self) -> MutexGuard<'_, Wire> {
        // A limit of operations panics with the lock held, and a test still wants to know what was sent.
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the wire as it is now. Who has to be woken is woken when nothing is locked any more.
    fn settle<R>(&self, work: impl FnOnce(&mut Wire) -> R) -> R {
        let mut wire = self.wire();
        wire.settle(self.opened.elapsed());
        let result = work(&mut wire);
        let wakers = wire.take_wakers();
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl AsyncRead for VirtualStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared
            .settle(|wire| wire.poll_read(self.side, cx.waker(), buffer))
    }
}

impl AsyncWrite for VirtualStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared
            .settle(|wire| wire.poll_write(self.side, cx.waker(), &[IoSlice::new(bytes)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared
            .settle(|wire| wire.poll_write(self.side, cx.waker(), slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.shared.wire().is_vectored(self.side)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared
            .settle(|wire| wire.poll_flush(self.side, cx.waker()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared
            .settle(|wire| wire.poll_shutdown(self.side, cx.waker()))
    }
}

impl Drop for VirtualStream {
    fn drop(&mut self) {
        self.shared.settle(|wire| wire.drop_end(self.side));
    }
}
