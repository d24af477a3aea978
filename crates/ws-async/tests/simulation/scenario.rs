//! What a seed draws: a network, two configurations, and a script for every hand that holds a connection.

use std::time::Duration;

use ws_async::{Config, MessageKind};
use ws_testkit::network::Plan;

/// One drawn conversation.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Whether nothing can go wrong: the network delivers, both ends mean well, and no deadline comes near. Then
    /// everything has to arrive and to end cleanly.
    pub(crate) calm: bool,
    pub(crate) plan: Plan,
    /// The client and the server.
    pub(crate) ends: [End; 2],
    /// When everything has to be over.
    pub(crate) cap: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) config: Config,
    pub(crate) hands: Hands,
}

/// Who holds the connection.
#[derive(Clone, Debug)]
pub(crate) enum Hands {
    One(Vec<Op>),
    Split {
        receiver: Vec<Op>,
        senders: Vec<Vec<Op>>,
    },
}

/// One step of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) what: What,
    pub(crate) patience: Patience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Send(Size),
    SendPrepared(Size),
    TrySend(Size),
    Feed(Size),
    Flush,
    /// Sends a message through a writer, in so many pieces.
    Stream(Size, usize),
    Ping,
    /// Sends a Ping and receives until it is answered.
    PingPong,
    /// Sends a message and receives one.
    Ask(Size),
    Receive,
    ReceiveEvent,
    /// Receives a message through a reader.
    ReceiveInPieces,
    /// Begins to read a message and skips the rest.
    Skip,
    /// Sends back what is received, until the end.
    Echo,
    /// Receives until the end.
    ToEnd,
    /// Does nothing for so many milliseconds.
    Pause(u64),
    Close(u16),
    /// Waits until the connection is over.
    Closed,
    Abort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) kind: MessageKind,
    pub(crate) len: usize,
}

/// How long the future of a step is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Endless,
    /// It is dropped at once when it has been pending so often.
    Polls(u32),
    /// It is dropped when it is woken after having been pending so often, and another one is made.
    Again(u32),
    /// It is dropped after so many milliseconds.
    Millis(u64),
}

impl Hands {
    /// All scripts, the receiver's or the only one first.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &[Op]> {
        let (first, rest) = match self {
            Self::One(ops) => (ops, &[][..]),
            Self::Split { receiver, senders } => (receiver, &senders[..]),
        };
        std::iter::once(first.as_slice()).chain(rest.iter().map(Vec::as_slice))
    }

    pub(crate) fn ops(&self) -> impl Iterator<Item = &Op> {
        self.scripts().flatten()
    }
}

impl What {
    /// The message that this step sends.
    pub(crate) const fn message(&self) -> Option<Size> {
        match self {
            Self::Send(size)
            | Self::SendPrepared(size)
            | Self::TrySend(size)
            | Self::Feed(size)
            | Self::Stream(size, _)
            | Self::Ask(size) => Some(*size),
            _ => None,
        }
    }
}

impl End {
    /// The longest message of this end's own; an echo may be longer.
    pub(crate) fn longest_message(&self) -> usize {
        let messages = self.hands.ops().filter_map(|op| op.what.message());
        messages.map(|size| size.len).max().unwrap_or(0)
    }
}
