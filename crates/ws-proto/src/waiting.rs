//! Data that waits to be framed until the write buffer has room, so that control frames go in between.

use alloc::collections::VecDeque;

use bytes::Bytes;
use ws_frame::Opcode;

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
    /// The bytes of the accepted entries.
    accepted_len: usize,
    /// How many messages wait that were only offered.
    offered: usize,
    /// How many messages that were offered have been dropped so far.
    dropped: u64,
}

#[derive(Debug)]
enum Entry {
    Accepted(Data),
    Offered(PreparedMessage),
}

/// Data for one frame, or for several where that is longer than a fragment may be.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) opcode: Opcode,
    pub(crate) fin: bool,
    pub(crate) payload: Bytes,
}

impl Data {
    /// A whole message.
    pub(crate) const fn message(kind: MessageKind, payload: Bytes) -> Self {
        Self {
            opcode: kind.opcode(),
            fin: true,
            payload,
        }
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
    pub(crate) fn accept(&mut self, data: Data) {
        self.accepted_len = self.accepted_len.saturating_add(data.payload.len());
        self.ready.push_back(Entry::Accepted(data));
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

    /// Takes out what is to be framed next, `fragment_size` bytes at most.
    pub(crate) fn next(&mut self, fragment_size: usize) -> Option<Next> {
        let data = match self.ready.pop_front()? {
            Entry::Offered(message) => {
                self.offered = self.offered.saturating_sub(1);
                if message.len() <= fragment_size {
                    return Some(Next::Prepared(message));
                }
                Data::message(message.kind(), message.payload())
            }
            Entry::Accepted(data) => {
                self.accepted_len = self.accepted_len.saturating_sub(data.payload.len());
                data
            }
        };
        Some(Next::Frame(self.first_fragment(data, fragment_size)))
    }

    /// Holds no memory while nothing waits.
    pub(crate) fn shrink(&mut self) {
        self.ready.shrink_to_fit();
        self.held.shrink_to_fit();
    }

    /// Puts back what does not go into a frame of `fragment_size` bytes. It was begun and cannot be dropped any more.
    fn first_fragment(&mut self, mut data: Data, fragment_size: usize) -> Data {
        if data.payload.len() <= fragment_size {
            return data;
        }
        let first = Data {
            opcode: data.opcode,
            fin: false,
            payload: data.payload.split_to(fragment_size),
        };
        data.opcode = Opcode::Continuation;
        self.accepted_len = self.accepted_len.saturating_add(data.payload.len());
        self.ready.push_front(Entry::Accepted(data));
        first
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
            .retain(|entry| matches!(entry, Entry::Accepted(_)));
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

    /// How many bytes are owed to the peer.
    pub(crate) const fn accepted_len(&self) -> usize {
        self.accepted_len
    }

    /// What keeping the accepted entries costs besides: empty messages must not be free, or any number could wait.
    pub(crate) fn overhead(&self) -> usize {
        let all = self.ready.len().saturating_add(self.held.len());
        let accepted = all.saturating_sub(self.offered);
        accepted.saturating_mul(size_of::<Entry>())
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
