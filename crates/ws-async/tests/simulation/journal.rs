//! What happened in a conversation, as its ends saw it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use ws_async::{CloseInfo, Message};
use ws_testkit::network::Network;

use crate::scenario::Op;

/// What all tasks of a conversation see.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) network: Network,
    began: Instant,
    journals: [Mutex<Journal>; 2],
    /// What happened when, if somebody wants to know.
    trace: Option<Mutex<Vec<String>>>,
}

/// What one end saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) sent: Vec<Sent>,
    pub(crate) received: Vec<Received>,
    /// From which received message on others may be missing, because `close` drops what still arrives.
    pub(crate) gaps_from: Option<usize>,
    /// How receiving ended: in order, or with this error.
    pub(crate) ended: Option<Result<(), String>>,
    /// Whether somebody stopped receiving before the end.
    pub(crate) stopped_receiving: bool,
    pub(crate) pongs: Vec<Vec<u8>>,
    /// How long each call of `close` took.
    pub(crate) closes: Vec<Duration>,
    /// How the connection ended, told to hands that saw its end.
    pub(crate) endings: Vec<CloseInfo>,
    /// Most bytes that were ever seen in the queue.
    pub(crate) most_queued: usize,
    /// How many futures were dropped while they waited, but for those that were begun anew.
    pub(crate) given_up: usize,
    /// A writer was given up inside its message.
    pub(crate) unfinished: bool,
    /// Errors of steps.
    pub(crate) errors: Vec<String>,
    /// What may not happen and did.
    pub(crate) complaints: Vec<String>,
    /// What each hand does now.
    pub(crate) doing: BTreeMap<usize, Op>,
}

/// A message that was to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Who sent it.
    pub(crate) hand: usize,
    pub(crate) message: Message,
    pub(crate) fate: Fate,
}

/// What its sender knows of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was refused, or given up before it was queued.
    NotQueued,
    /// It may be queued or not.
    Unknown,
    Queued,
    /// It was on the wire, as a whole, when so many bytes had been sent.
    Flushed(usize),
}

/// Something that was received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// `None` for a message that was skipped.
    pub(crate) message: Option<Message>,
    /// How many bytes had been read from the network by then.
    pub(crate) read_len: usize,
}

impl World {
    pub(crate) fn new(network: Network, traced: bool) -> Self {
        Self {
            network,
            began: Instant::now(),
            journals: [Mutex::default(), Mutex::default()],
            trace: traced.then(Mutex::default),
        }
    }

    pub(crate) fn journal(&self, side: usize) -> MutexGuard<'_, Journal> {
        lock(&self.journals[side])
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn note(&self, who: &str, what: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            let millis = self.elapsed().as_millis();
            lock(trace).push(format!("{millis:>7} ms  {who}: {}", what()));
        }
    }

    pub(crate) fn take_trace(&self) -> Vec<String> {
        self.trace
            .as_ref()
            .map_or_else(Vec::new, |trace| std::mem::take(&mut lock(trace)))
    }
}

/// A task that panicked leaves a journal that tells how it came to that.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
