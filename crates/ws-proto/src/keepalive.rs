//! Which deadline comes next: pings, pongs and the closing handshake.

use core::time::Duration;

use crate::Config;

/// A deadline for the peer that is noticed later than this proves nothing: its answer may lie unread, because the
/// application was busy and nobody listened. The peer then has this much longer, in which the binding reads.
const LATE: Duration = Duration::from_secs(1);

/// Deadlines as time since the connection opened; there is no clock here.
///
/// Nothing is measured while messages flow: a received byte only sets a flag. Deadlines are armed when the binding,
/// about to wait, asks for them.
#[derive(Debug)]
pub(crate) struct Keepalive {
    ping_interval: Option<Duration>,
    pong_timeout: Duration,
    close_timeout: Option<Duration>,
    next_ping: Option<Duration>,
    pong_deadline: Option<Duration>,
    close_deadline: Option<Duration>,
    /// Whether a byte came since the last Ping.
    heard: bool,
    /// Pings sent; each carries its number.
    pings: u64,
}

/// What a deadline that has passed asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a Ping with this application data.
    Ping([u8; 8]),
    /// The peer is dead: nothing came since the last Ping.
    PongTimeout,
    /// The closing handshake took too long.
    CloseTimeout,
}

impl Keepalive {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            ping_interval: config.ping_interval,
            pong_timeout: config.pong_timeout,
            close_timeout: config.close_timeout,
            next_ping: None,
            pong_deadline: None,
            close_deadline: None,
            heard: false,
            pings: 0,
        }
    }

    /// Notes that the peer lives.
    pub(crate) const fn heard(&mut self) {
        self.heard = true;
    }

    /// Arms what `closing` makes relevant and tells the earliest deadline.
    pub(crate) fn poll_timeout(&mut self, now: Duration, closing: bool) -> Option<Duration> {
        if closing {
            // "Pings do not extend it": one absolute deadline, and no more pings.
            if self.close_deadline.is_none() {
                self.close_deadline = self
                    .close_timeout
                    .map(|timeout| now.saturating_add(timeout));
            }
            return self.close_deadline;
        }
        if self.next_ping.is_none() {
            self.next_ping = self
                .ping_interval
                .map(|interval| now.saturating_add(interval));
        }
        match (self.next_ping, self.pong_deadline) {
            (Some(ping), Some(pong)) => Some(ping.min(pong)),
            (ping, pong) => ping.or(pong),
        }
    }

    /// What is due at `now`, if anything.
    pub(crate) fn handle_timeout(&mut self, now: Duration, closing: bool) -> Option<Due> {
        let passed = |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now);
        if closing {
            return passed(self.close_deadline).then_some(Due::CloseTimeout);
        }
        if let Some(deadline) = self.pong_deadline.filter(|deadline| *deadline <= now) {
            self.pong_deadline = None;
            if !self.heard && now.saturating_sub(deadline) <= LATE {
                return Some(Due::PongTimeout);
            }
            if !self.heard {
                self.pong_deadline = Some(now.saturating_add(LATE));
            }
        }
        if passed(self.next_ping) {
            self.next_ping = self
                .ping_interval
                .map(|interval| now.saturating_add(interval));
            // A Ping that is still unanswered keeps its deadline: a short interval must not put it off for ever.
            if self.heard || self.pong_deadline.is_none() {
                self.heard = false;
                self.pong_deadline = Some(now.saturating_add(self.pong_timeout));
            }
            self.pings = self.pings.wrapping_add(1);
            return Some(Due::Ping(self.pings.to_be_bytes()));
        }
        None
    }
}
