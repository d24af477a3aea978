//! Compressed messages to plain ones (RFC 7692 section 7.2.2).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::codec::{Inflater, TAIL};
use crate::history::History;
use crate::{Context, Deflate, InflateError, Inflated, WindowBits};

/// Compressed bytes that are kept as they are until the message is complete, or more of it comes: whoever stops in the
/// middle of a message holds up so much, and not a codec of 64 KB. It also makes one step of many tiny fragments.
const HOLD: usize = 4 * 1024;

/// Input of one step.
const STEP: usize = 16 * 1024;

/// Blocks marked as the last one, of which a message may have this many, and one more for each KiB of it: to begin anew
/// behind each costs up to a microsecond.
const MAX_RESTARTS: u64 = 8;

/// What reads whether a block has ended: an empty stored block, marked as the last one.
const PROBE: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// The receiving direction of a connection on which permessage-deflate was agreed.
///
/// It gives the plain bytes of a message piece by piece, 16 KiB at most. How many of them there may be is for the caller
/// to decide: stop asking and drop it.
///
/// No message refers further back than its beginning and the window before that. Inside one message zlib-rs takes
/// references of up to 32 KiB whatever the window is.
///
/// Between messages it holds nothing but what the next one may refer to, as far as that has come.
#[derive(Debug)]
pub struct Decompressor {
    deflate: Deflate,
    takeover: bool,
    window: WindowBits,
    history: History,
    /// Whether the beginning of a message is held back.
    holds: bool,
    state: State,
}

enum State {
    /// Between two messages.
    Idle,
    /// The beginning of a message.
    Held(Vec<u8>),
    Inflating(Box<Inflating>),
    /// Nothing can be read any more: what comes refers to what was not understood.
    Failed(InflateError),
}

/// A message in progress.
struct Inflating {
    inflater: Inflater,
    /// What was held, up to `held_done` of it done.
    held: Vec<u8>,
    held_done: usize,
    /// How much of the message was consumed, and what came out.
    consumed: u64,
    produced: u64,
    restarts: u64,
    /// Whether a last block has ended, and nothing come behind it.
    is_end: bool,
    /// Whether what comes next is no DEFLATE data.
    is_broken: bool,
    /// Whether there may be more to produce without more input.
    is_full: bool,
}

impl Decompressor {
    /// What reads messages sent within `context`.
    #[must_use]
    pub fn new(context: Context, deflate: &Deflate) -> Self {
        Self {
            deflate: deflate.clone(),
            takeover: context.takeover,
            window: context.window,
            history: History::new(context.window.size()),
            holds: true,
            state: State::Idle,
        }
    }

    /// Takes what it can of `input`, the next bytes of the message, of which there are no more if they are the `last`, and
    /// tells what came out. Call it again with the rest until it needs input or is done. One step takes 16 KiB of input
    /// at most and gives 16 KiB of output at most.
    ///
    /// # Errors
    ///
    /// The connection is to be failed with 1007. What comes out before that does not depend on how the message is cut. The
    /// same error comes for ever.
    pub fn inflate(&mut self, input: &mut &[u8], last: bool) -> Result<Inflated<'_>, InflateError> {
        match self.step(input, last) {
            Ok(Progress::Output(produced)) => Ok(match &self.state {
                State::Inflating(message) => Inflated::Output(message.inflater.output(produced)),
                _ => Inflated::Output(&[]),
            }),
            Ok(Progress::NeedInput) => Ok(Inflated::NeedInput),
            Ok(Progress::Done) => Ok(Inflated::Done),
            Err(error) => {
                // The decompressor goes with it.
                self.state = State::Failed(error);
                self.history.clear();
                Err(error)
            }
        }
    }

    /// Holds nothing back of the message in progress, or else of the next one: what was held comes out with the next call of
    /// [`inflate`](Self::inflate), and from then on all that can be read of what was given. For whoever hands the message
    /// out piece by piece: its sender may wait for an answer to the first.
    ///
    /// Otherwise up to 4 KiB of the message stay as they are until more comes or the message is complete: whoever stops in
    /// the middle of it holds up so much, and no codec of 64 KB.
    pub fn hold_nothing(&mut self) {
        self.holds = false;
    }

    /// How many plain bytes of the message in progress have come out; 0 between two messages.
    #[must_use]
    pub fn produced(&self) -> u64 {
        match &self.state {
            State::Inflating(message) => message.produced,
            _ => 0,
        }
    }

    fn step(&mut self, input: &mut &[u8], last: bool) -> Result<Progress, InflateError> {
        match &mut self.state {
            State::Failed(error) => return Err(*error),
            State::Inflating(_) => {}
            State::Idle if input.is_empty() => {
                return match last {
                    true => Err(InflateError::Empty),
                    false => Ok(Progress::NeedInput),
                };
            }
            State::Idle if last || !self.holds || input.len() >= HOLD => self.begin(Vec::new())?,
            State::Idle => {
                let held = take(input, HOLD).into();
                self.state = State::Held(held);
                return Ok(Progress::NeedInput);
            }
            State::Held(held)
                if last || !self.holds || held.len().saturating_add(input.len()) >= HOLD =>
            {
                let held = core::mem::take(held);
                self.begin(held)?;
            }
            State::Held(held) => {
                held.extend_from_slice(take(input, HOLD));
                return Ok(Progress::NeedInput);
            }
        }
        let State::Inflating(message) = &mut self.state else {
            return Err(InflateError::Data);
        };
        let progress = message.step(&mut self.history, self.window, input, last)?;
        if matches!(progress, Progress::Done)
            && let State::Inflating(message) = core::mem::replace(&mut self.state, State::Idle)
        {
            self.deflate.pool().return_inflater(message.inflater);
            self.holds = true;
            if !self.takeover {
                self.history.clear();
            }
        }
        Ok(progress)
    }

    fn begin(&mut self, held: Vec<u8>) -> Result<(), InflateError> {
        let mut inflater = self.deflate.pool().inflater();
        inflater
            .begin(self.history.newest(usize::MAX), self.window)
            .ok_or(InflateError::Data)?;
        self.state = State::Inflating(Box::new(Inflating {
            inflater,
            held,
            held_done: 0,
            consumed: 0,
            produced: 0,
            restarts: 0,
            is_end: false,
            is_broken: false,
            is_full: false,
        }));
        Ok(())
    }
}

/// As [`Inflated`], with the output left where it is.
enum Progress {
    Output(usize),
    NeedInput,
    Done,
}

impl Inflating {
    fn step(
        &mut self,
        history: &mut History,
        window: WindowBits,
        input: &mut &[u8],
        last: bool,
    ) -> Result<Progress, InflateError> {
        if self.is_broken {
            return Err(InflateError::Data);
        }
        let held = self.held.get(self.held_done..).unwrap_or_default();
        let from_held = !held.is_empty();
        let source = if from_held { held } else { *input };
        let source = source.get(..STEP).unwrap_or(source);
        if source.is_empty() && !self.is_full {
            return match last {
                true => self.finish().map(|()| Progress::Done),
                false => Ok(Progress::NeedInput),
            };
        }
        if self.is_end {
            // What comes behind a last block is another one (section 7.2.3.5), with the same past.
            self.restarts = self.restarts.saturating_add(1);
            if self.restarts > MAX_RESTARTS.saturating_add(self.consumed / 1024) {
                return Err(InflateError::TooManyBlocks);
            }
            self.inflater
                .begin(history.newest(usize::MAX), window)
                .ok_or(InflateError::Data)?;
            self.is_end = false;
        }
        let step = self.inflater.inflate(source);
        let is_idle = step.consumed == 0 && step.produced == 0;
        let is_stuck = is_idle && !step.is_end && !self.is_full;
        if is_stuck || step.is_broken && step.produced == 0 {
            return Err(InflateError::Data);
        }
        self.is_broken = step.is_broken;
        self.is_end = step.is_end;
        self.is_full = step.is_full;
        self.consumed = self
            .consumed
            .saturating_add(u64::try_from(step.consumed).unwrap_or(u64::MAX));
        if from_held {
            self.held_done = self.held_done.saturating_add(step.consumed);
            if self.held_done >= self.held.len() {
                self.held = Vec::new();
                self.held_done = 0;
            }
        } else {
            take(input, step.consumed);
        }
        self.produced = self
            .produced
            .saturating_add(u64::try_from(step.produced).unwrap_or(u64::MAX));
        history.push(self.inflater.output(step.produced));
        Ok(Progress::Output(step.produced))
    }

    /// Checks that the message ends where a block does: without that a truncated message would pass for a shorter one,
    /// and the next one would be read wrongly.
    fn finish(&mut self) -> Result<(), InflateError> {
        if self.is_end {
            // The sender left out the byte that begins the empty block behind the last one.
            return Ok(());
        }
        if self.completes(&TAIL)? || self.completes(&PROBE)? {
            return Ok(());
        }
        Err(InflateError::Truncated)
    }

    /// Feeds bytes that may give no output; whether a last block ends with them.
    fn completes(&mut self, bytes: &[u8]) -> Result<bool, InflateError> {
        let step = self.inflater.inflate(bytes);
        if step.is_broken || step.consumed < bytes.len() || step.produced > 0 {
            return Err(InflateError::Truncated);
        }
        Ok(step.is_end)
    }
}

/// Takes up to `len` bytes off the front.
fn take<'a>(input: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
    *input = rest;
    taken
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("Idle"),
            Self::Held(held) => f.debug_tuple("Held").field(&held.len()).finish(),
            Self::Inflating(_) => f.write_str("Inflating"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}
