//! Data that waits to be framed until the write buffer has room, so that control frames go in between.

use alloc::collections::VecDeque;

use bytes::Bytes;
use ws_deflate::Compress;
use ws_frame::Opcode;

use crate::framing::Framing;
use crate::transmit::to_u64;
use crate::{MessageKind, PreparedMessage};

/// What [`Connection::offer`](crate::Connection::offer) does when as many messages wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a full queue loses its newest or its oldest"
)]
pub enum OverflowPolicy {
    /// The message that is offered is not taken.
    Refuse,
    /// The message that has waited longest is dropped, and the new one waits in its place.
    DropOldest,
}

/// What became of a message that was offered ([`Connection::offer`](crate::Connection::offer)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who counts what became of messages must count each outcome"
)]
pub enum Offered {
    /// It is in the write buffer.
    Queued,
    /// It waits until the write buffer has room.
    Backlogged,
    /// It waits, and the message that had waited longest was dropped for it.
    DroppedOldest,
    /// It was not taken: as many messages wait as may.
    Refused,
    /// It was not taken: a Close frame was sent or the connection is over.
    Closed,
}

/// What waits to be framed, in order.
///
/// What was accepted by `send` or `send_fragment` is owed to the peer like what is in the write buffer. What was only
/// offered may still be dropped, until its first frame is queued.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// What may be framed as soon as there is room.
    ready: VecDeque<Entry>,
    /// Messages offered while a message that is sent in pieces was unfinished: "the fragments of one message MUST NOT
    /// be interleaved between the fragments of another message" (RFC 6455 §5.4).
    held: VecDeque<PreparedMessage>,
    /// How many entries wait that were accepted.
    accepted: usize,
    /// How many messages wait that were only offered.
    offered: usize,
    /// The bytes that are owed: of what was accepted, and of what was offered and has begun.
    owed_len: usize,
    /// How many messages that were offered have been dropped so far.
    dropped: u64,
}

#[derive(Debug)]
pub(crate) enum Entry {
    Accepted(Data),
    /// A message that was accepted and of which nothing is framed.
    Prepared(PreparedMessage),
    Offered(PreparedMessage),
    /// The rest of a message that was offered: it cannot be dropped any more.
    Begun(Data),
}

impl Entry {
    fn len(&self) -> usize {
        match self {
            Self::Accepted(data) | Self::Begun(data) => data.payload.len(),
            Self::Prepared(message) | Self::Offered(message) => message.len(),
        }
    }
}

/// Data for one frame, or for several where that is longer than a fragment may be.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) opcode: Opcode,
    pub(crate) fin: bool,
    pub(crate) payload: Bytes,
    /// Whether the message is compressed; of no meaning behind its first piece.
    pub(crate) compress: Compress,
}

impl Data {
    /// A whole message.
    pub(crate) const fn message(kind: MessageKind, payload: Bytes, compress: Compress) -> Self {
        Self {
            opcode: kind.opcode(),
            fin: true,
            payload,
            compress,
        }
    }

    /// Takes the first fragment out, if this is longer than one of `size` bytes.
    fn split_first(&mut self, size: usize) -> Option<Self> {
        if self.payload.len() <= size {
            return None;
        }
        let opcode = core::mem::replace(&mut self.opcode, Opcode::Continuation);
        Some(Self {
            opcode,
            fin: false,
            payload: self.payload.split_to(size),
            compress: self.compress,
        })
    }
}

/// What is to be framed next.
#[derive(Debug)]
pub(crate) enum Next {
    Frame(Data),
    Prepared(PreparedMessage),
}

impl Waiting {
    /// Takes data that is owed to the peer from now on.
    pub(crate) fn accept(&mut self, entry: Entry) {
        self.accepted = self.accepted.saturating_add(1);
        self.owed_len = self.owed_len.saturating_add(entry.len());
        self.ready.push_back(entry);
    }

    /// Takes a message that may be dropped. It is `held` while a message sent in pieces is unfinished.
    pub(crate) fn offer(&mut self, message: PreparedMessage, held: bool) {
        self.offered = self.offered.saturating_add(1);
        if held {
            self.held.push_back(message);
        } else {
            self.ready.push_back(Entry::Offered(message));
        }
    }

    /// The message in pieces is finished: what it held up may be framed.
    pub(crate) fn release(&mut self) {
        self.ready.extend(self.held.drain(..).map(Entry::Offered));
    }

    /// Takes out what is to be framed next, as much as `framing` takes at once.
    pub(crate) fn next(&mut self, framing: &Framing) -> Option<Next> {
        let (mut data, was_accepted) = match self.ready.pop_front()? {
            Entry::Offered(message) => {
                self.offered = self.offered.saturating_sub(1);
                if framing.is_one_frame(&message) {
                    return Some(Next::Prepared(message));
                }
                self.owed_len = self.owed_len.saturating_add(message.len());
                (message.to_data(), false)
            }
            Entry::Prepared(message) if framing.is_one_frame(&message) => {
                self.owed_len = self.owed_len.saturating_sub(message.len());
                self.accepted = self.accepted.saturating_sub(1);
                return Some(Next::Prepared(message));
            }
            Entry::Prepared(message) => (message.to_data(), true),
            Entry::Begun(data) => (data, false),
            Entry::Accepted(data) => (data, true),
        };
        let size = framing.piece_size(data.opcode, data.compress);
        let Some(first) = data.split_first(size) else {
            self.owed_len = self.owed_len.saturating_sub(data.payload.len());
            self.accepted = self.accepted.saturating_sub(usize::from(was_accepted));
            return Some(Next::Frame(data));
        };
        self.owed_len = self.owed_len.saturating_sub(first.payload.len());
        self.ready.push_front(match was_accepted {
            true => Entry::Accepted(data),
            false => Entry::Begun(data),
        });
        Some(Next::Frame(first))
    }

    /// Holds no memory while nothing waits.
    pub(crate) fn shrink(&mut self) {
        self.ready.shrink_to_fit();
        self.held.shrink_to_fit();
    }

    /// Drops the offered message that has waited longest; `false` if there is none.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let oldest = self
            .ready
            .iter()
            .position(|entry| matches!(entry, Entry::Offered(_)));
        let dropped = match oldest {
            Some(index) => self.ready.remove(index).is_some(),
            None => self.held.pop_front().is_some(),
        };
        if dropped {
            self.offered = self.offered.saturating_sub(1);
            self.dropped = self.dropped.saturating_add(1);
        }
        dropped
    }

    /// Drops all that was only offered.
    pub(crate) fn drop_offered(&mut self) {
        self.held.clear();
        self.ready
            .retain(|entry| !matches!(entry, Entry::Offered(_)));
        let dropped = to_u64(core::mem::take(&mut self.offered));
        self.dropped = self.dropped.saturating_add(dropped);
    }

    /// Drops everything: nobody is left to read it.
    pub(crate) fn drop_all(&mut self) {
        self.drop_offered();
        *self = Self {
            dropped: self.dropped,
            ..Self::default()
        };
    }

    /// How many messages wait that were only offered.
    pub(crate) const fn offered(&self) -> usize {
        self.offered
    }

    /// How many entries wait that were accepted.
    pub(crate) const fn accepted(&self) -> usize {
        self.accepted
    }

    /// How many bytes are owed to the peer.
    pub(crate) const fn owed_len(&self) -> usize {
        self.owed_len
    }

    /// What keeping these bytes costs besides: empty messages must not be free, or any number could wait.
    pub(crate) const fn overhead(&self) -> usize {
        self.accepted.saturating_mul(size_of::<Entry>())
    }

    /// Whether a message that was only offered may be framed as soon as there is room.
    pub(crate) fn is_offered_ready(&self) -> bool {
        self.offered > self.held.len()
    }

    /// Whether something may be framed as soon as there is room.
    pub(crate) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.held.is_empty()
    }

    /// How many messages that were offered have been dropped so far.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether nothing is lost if this is.
    pub(crate) fn is_forgettable(&self) -> bool {
        self.is_empty() && self.dropped == 0
    }
}
