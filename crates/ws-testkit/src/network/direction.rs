//! One way through the network: what is under way, what has arrived, and what comes after it.

use std::collections::VecDeque;
use std::time::Duration;

use super::Link;

#[derive(Debug)]
pub(super) struct Direction {
    plan: Link,
    /// Written and not read, in order.
    bytes: VecDeque<u8>,
    /// How many of them have arrived.
    arrived: usize,
    /// The rest of them, and when they arrive.
    under_way: VecDeque<Segment>,
    /// How many bytes were swallowed. They fill the writer's buffer for ever.
    swallowed: usize,
    /// When the last thing sent so far arrives: nothing overtakes.
    last_arrival: Duration,
    /// When the line is free for the next byte.
    line_free: Duration,
    /// When the writer's end of the stream arrives.
    fin: Option<Duration>,
    /// It has arrived.
    ended: bool,
    /// Whether the writer has ended its side.
    pub(super) finished: bool,
    /// Every byte ever put on the wire.
    pub(super) sent: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    arrives: Duration,
    len: usize,
}

impl Direction {
    pub(super) const fn new(plan: Link) -> Self {
        Self {
            plan,
            bytes: VecDeque::new(),
            arrived: 0,
            under_way: VecDeque::new(),
            swallowed: 0,
            last_arrival: Duration::ZERO,
            line_free: Duration::ZERO,
            fin: None,
            ended: false,
            finished: false,
            sent: Vec::new(),
        }
    }

    pub(super) fn room(&self) -> usize {
        let taken = self.bytes.len() + self.swallowed;
        self.plan.capacity.max(1).saturating_sub(taken)
    }

    pub(super) const fn arrived(&self) -> usize {
        self.arrived
    }

    /// Whether the reader has seen everything up to the writer's end.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended && self.bytes.is_empty()
    }

    pub(super) fn send(&mut self, now: Duration, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        match self.arrival(now, bytes.len()) {
            None => self.swallowed += bytes.len(),
            Some(arrives) => {
                self.bytes.extend(bytes);
                self.under_way.push_back(Segment {
                    arrives,
                    len: bytes.len(),
                });
            }
        }
    }

    /// The writer says that nothing more will come.
    pub(super) fn finish(&mut self, now: Duration) {
        if !self.finished {
            self.finished = true;
            self.fin = self.arrival(now, 0);
        }
    }

    /// When a thing that is sent now arrives; `None` for never.
    pub(super) fn arrival(&mut self, now: Duration, len: usize) -> Option<Duration> {
        let passes = match self.plan.bytes_per_ms {
            None => Duration::ZERO,
            Some(rate) => {
                let micros = len as u64 * 1000 / u64::from(rate.max(1));
                Duration::from_micros(micros)
            }
        };
        self.line_free = self.line_free.max(now) + passes;
        let mut arrives = (self.line_free + self.plan.latency).max(self.last_arrival);
        for stall in &self.plan.stalls {
            if stall.contains(&arrives) {
                arrives = stall.end;
            }
        }
        if self.plan.vanishes_at.is_some_and(|end| end <= arrives) {
            return None;
        }
        self.last_arrival = arrives;
        Some(arrives)
    }

    /// When the next thing arrives.
    pub(super) fn next_arrival(&self) -> Option<Duration> {
        let segment = self.under_way.front().map(|segment| segment.arrives);
        segment.or(self.fin.filter(|_| !self.ended))
    }

    /// Lets arrive what is due; whether that was anything.
    pub(super) fn settle(&mut self, now: Duration) -> bool {
        let ends = !self.ended && self.fin.is_some_and(|arrives| arrives <= now);
        self.ended |= ends;
        let mut news = ends;
        while self.under_way.front().is_some_and(|s| s.arrives <= now) {
            let len = self.under_way.pop_front().map_or(0, |segment| segment.len);
            self.arrived += len;
            news = true;
        }
        news
    }

    /// Whether what is sent now would vanish.
    pub(super) fn has_vanished(&self, now: Duration) -> bool {
        self.plan.vanishes_at.is_some_and(|end| end <= now)
    }

    /// The writer does not learn that so many bytes were read, or that they reached nobody: there is no room for more.
    pub(super) const fn keep_room_taken(&mut self, len: usize) {
        self.swallowed += len;
    }

    /// Gives the reader up to `len` bytes of what has arrived, in two parts.
    pub(super) fn take(&mut self, len: usize, mut part: impl FnMut(&[u8])) {
        let len = len.min(self.arrived);
        let (front, back) = self.bytes.as_slices();
        let front = &front[..len.min(front.len())];
        part(front);
        part(&back[..len - front.len()]);
        self.bytes.drain(..len);
        self.arrived -= len;
    }

    /// What is under way is lost.
    pub(super) fn lose_what_is_under_way(&mut self) {
        self.bytes.truncate(self.arrived);
        self.under_way.clear();
        self.fin = None;
    }

    /// Nobody will read what has arrived.
    pub(super) fn discard_arrived(&mut self) {
        self.bytes.drain(..self.arrived);
        self.swallowed += self.arrived;
        self.arrived = 0;
    }
}
