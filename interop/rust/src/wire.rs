//! How messages were on the wire, as a tap has seen it.

use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ws_sync::{Direction, Rsv, TappedFrame};

/// One data message on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OnWire {
    /// Whether RSV1 was set on its first frame (RFC 7692 section 6). On a later one it is an error that the other end of
    /// this connection, or the library of the peer, does not let pass.
    pub compressed: bool,
    pub frames: usize,
    /// The payload of all its frames, in bytes.
    pub payload: u64,
}

/// The data messages of a connection, to be shared with its tap.
#[derive(Clone, Debug, Default)]
pub(crate) struct WireLog(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    received: Way,
    sent: Way,
    /// Whether the next message that is sent is the log itself.
    skips_sent: bool,
}

#[derive(Debug, Default)]
struct Way {
    messages: Vec<OnWire>,
    /// The fragments of the message that is on its way.
    unfinished: OnWire,
}

/// Everything both ways.
pub(crate) struct Seen {
    pub received: Vec<OnWire>,
    pub sent: Vec<OnWire>,
}

impl WireLog {
    /// Takes note of a frame; control frames are none of a message.
    pub(crate) fn note(&self, frame: &TappedFrame) {
        if frame.header.opcode.is_control() {
            return;
        }
        let mut log = self.lock();
        let way = match frame.direction {
            Direction::Received => &mut log.received,
            Direction::Sent => &mut log.sent,
        };
        way.unfinished.frames += 1;
        way.unfinished.payload += frame.header.payload_len;
        way.unfinished.compressed |= frame.header.rsv.contains(Rsv::RSV1);
        if frame.header.fin {
            let message = take(&mut way.unfinished);
            let skipped = frame.direction == Direction::Sent && take(&mut log.skips_sent);
            if !skipped {
                match frame.direction {
                    Direction::Received => log.received.messages.push(message),
                    Direction::Sent => log.sent.messages.push(message),
                }
            }
        }
    }

    pub(crate) fn take(&self) -> Seen {
        let mut log = self.lock();
        Seen {
            received: take(&mut log.received.messages),
            sent: take(&mut log.sent.messages),
        }
    }

    /// The log as JSON, without the message that asked for it and without the one that will carry it:
    /// `{"received":[[true,1,57]],"sent":[]}`, each message as whether it was compressed, its frames and its bytes.
    pub(crate) fn report(&self) -> String {
        let mut seen = self.take();
        seen.received.pop();
        self.lock().skips_sent = true;
        let list = |messages: &[OnWire]| {
            let messages = messages.iter().map(|message| {
                let OnWire {
                    compressed,
                    frames,
                    payload,
                } = message;
                format!("[{compressed},{frames},{payload}]")
            });
            messages.collect::<Vec<_>>().join(",")
        };
        format!(
            r#"{{"received":[{}],"sent":[{}]}}"#,
            list(&seen.received),
            list(&seen.sent)
        )
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
