//! Watching the frames of a connection.

use alloc::boxed::Box;
use core::fmt;

use ws_frame::FrameHeader;

/// Sees the header of each frame that a connection sends and receives, in the order in which the connection does.
///
/// Set one with [`Connection::set_tap`](crate::Connection::set_tap). It is called in the middle of receiving and
/// sending, so it should only take a note. A closure is a tap:
///
/// ```
/// use std::sync::mpsc;
/// use ws_proto::{Config, Connection, Direction, Message, TappedFrame};
///
/// let (frames, log) = mpsc::channel();
/// let mut server = Connection::server(Config::default());
/// server.set_tap(Some(Box::new(move |frame: &TappedFrame| _ = frames.send(*frame))));
/// server.send(Message::text("Hello")).unwrap();
///
/// let frame = log.recv().unwrap();
/// assert_eq!(frame.direction, Direction::Sent);
/// assert_eq!((frame.header_len, frame.header.payload_len), (2, 5));
/// ```
///
/// `Sync` is asked for, as of [`MaskKeys`](crate::MaskKeys), so that a connection is.
pub trait Tap: Send + Sync {
    /// A frame. Received: its header was accepted, and its payload may be still on its way. Sent: it was queued. A
    /// header that is refused is not shown, nor is anything that comes after the end.
    fn frame(&mut self, frame: &TappedFrame);
}

impl<F: FnMut(&TappedFrame) + Send + Sync> Tap for F {
    fn frame(&mut self, frame: &TappedFrame) {
        self(frame);
    }
}

/// What a [`Tap`] sees of a frame: everything but its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TappedFrame {
    /// Which way it goes.
    pub direction: Direction,
    /// Its header. `payload_len` counts the payload alone, in bytes.
    pub header: FrameHeader,
    /// How many bytes the header has on the wire, 2 to 14 (RFC 6455 §5.2).
    pub header_len: usize,
}

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two directions")]
pub enum Direction {
    /// From the peer.
    Received,
    /// To the peer.
    Sent,
}

/// Where a tap is, or is not: one branch a frame.
#[derive(Default)]
pub(crate) struct TapSlot(Option<Box<dyn Tap>>);

impl TapSlot {
    pub(crate) const fn new(tap: Option<Box<dyn Tap>>) -> Self {
        Self(tap)
    }

    #[inline]
    pub(crate) const fn is_set(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(crate) fn show(&mut self, direction: Direction, header: &FrameHeader) {
        if let Some(tap) = &mut self.0 {
            show(tap.as_mut(), direction, header);
        }
    }
}

/// Apart, so that what nobody uses does not lie in the way of every frame.
#[cold]
fn show(tap: &mut dyn Tap, direction: Direction, header: &FrameHeader) {
    tap.frame(&TappedFrame {
        direction,
        header: *header,
        header_len: header.encoded_len(),
    });
}

impl fmt::Debug for TapSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "none" })
    }
}
