//! Which deadline comes next: pings and pongs, a peer that takes nothing, idleness, and the closing handshake.

use core::time::Duration;

use crate::Config;

/// A deadline for the peer that is noticed later than this proves nothing: its answer may lie unread, because the
/// application was busy and nobody listened. The peer then has this much longer, in which the binding reads and writes.
const LATE: Time = Time(1_000_000_000);

/// More than a connection can write.
const NOTHING_OWED: u64 = u64::MAX;

/// Deadlines as time since the connection opened; there is no clock here.
///
/// Nothing is measured while messages flow: a received byte only sets a flag. Deadlines are armed when the binding,
/// about to wait, asks for them, and what put one off is noticed then or when it passes.
///
/// ```text
/// deadline   runs from                                      put off by             ends in
/// next_ping  the last Ping                                  nothing                a Ping
/// pong       the Ping's last byte given to the transport    any received byte,     PongTimeout
///                                                           progress in writing
/// write      bytes owed when asked                          progress in writing    WriteTimeout
/// idle       the first question                             data, either way       a Close, 1001
/// close      a Close frame, either way                      nothing                CloseTimeout
/// ```
///
/// Once the closing handshake has begun only the last one counts.
#[derive(Debug)]
pub(crate) struct Keepalive {
    ping_interval: Time,
    pong_timeout: Time,
    write_timeout: Time,
    idle_timeout: Time,
    close_timeout: Time,
    next_ping: Time,
    pong_deadline: Time,
    write_deadline: Time,
    idle_deadline: Time,
    close_deadline: Time,
    /// Pings sent; each carries its number.
    pings: u32,
    /// How far the newest Ping has come.
    ping: Ping,
    /// Where it ends in the stream of all bytes sent.
    ping_end: u64,
    /// When the newest Ping was queued, or, once that is known, given to the transport.
    ping_time: Time,
    /// When the newest Ping that was answered was queued.
    answered: Time,
    /// It is not the newest that was sent, and its answer has come since anybody knew the time.
    older_answered: bool,
    rtt: Time,
    /// Whether the peer has shown signs of life since the last Ping was given to the transport.
    heard: bool,
    /// Whether data of the peer has arrived since the idle deadline was armed.
    data_received: bool,
    /// [`View::data_sent`] when the idle deadline was armed.
    data_sent: u64,
    /// [`View::written`] at the last question, if bytes were owed then; otherwise [`NOTHING_OWED`].
    refused_at: u64,
}

/// The way of a keepalive Ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    /// There is none to wait for.
    None,
    /// It lies in our own queue, and the peer cannot be blamed for not answering.
    Queued,
    /// The transport has taken it since anybody knew the time.
    Taken,
    /// Its answer is awaited.
    Sent,
    /// Its answer has come since anybody knew the time.
    Answered,
}

/// What a keepalive Ping carries, and its Pong brings back: its number, and when it was queued. Of many Pings that may
/// be under way on a slow line only the newest is remembered; the others come back with what it takes to measure them.
#[derive(Clone, Copy, Debug)]
struct Mark {
    number: u32,
    queued: Time,
}

/// What the deadlines see of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Whether the closing handshake has begun, or is over.
    pub(crate) closing: bool,
    /// Whether bytes are owed to the wire.
    pub(crate) owed: bool,
    /// How many bytes were ever written.
    pub(crate) written: u64,
    /// Grows whenever data is queued or written, and not with control frames.
    pub(crate) data_sent: u64,
}

/// What a deadline that has passed asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a Ping with this application data, and say where it ends.
    Ping([u8; Mark::LEN]),
    /// The peer is dead: nothing came since the last Ping.
    PongTimeout,
    /// The peer does not take what it is owed.
    WriteTimeout,
    /// No data has flowed: begin the closing handshake.
    Idle,
    /// The closing handshake took too long.
    CloseTimeout,
}

impl Keepalive {
    pub(crate) fn new(config: &Config) -> Self {
        let optional = |timeout: Option<Duration>| timeout.map_or(Time::NEVER, Time::new);
        Self {
            ping_interval: optional(config.ping_interval),
            pong_timeout: Time::new(config.pong_timeout),
            write_timeout: optional(config.write_timeout),
            idle_timeout: optional(config.idle_timeout),
            close_timeout: optional(config.close_timeout),
            next_ping: Time::NEVER,
            pong_deadline: Time::NEVER,
            write_deadline: Time::NEVER,
            idle_deadline: Time::NEVER,
            close_deadline: Time::NEVER,
            pings: 0,
            ping: Ping::None,
            ping_end: 0,
            ping_time: Time::NEVER,
            answered: Time::START,
            rtt: Time::NEVER,
            heard: false,
            data_received: false,
            data_sent: 0,
            older_answered: false,
            refused_at: NOTHING_OWED,
        }
    }

    /// Notes that bytes of the peer came, when so many were written.
    pub(crate) fn heard(&mut self, written: u64) {
        // They count for a Ping that was on its way by then.
        self.follow_ping(written);
        self.heard = true;
    }

    /// Notes that data of the peer came.
    pub(crate) const fn data_received(&mut self) {
        self.data_received = true;
    }

    /// Notes that the Ping that was due is queued, up to this place in the stream of all bytes sent.
    pub(crate) const fn ping_queued(&mut self, end: u64) {
        self.ping = Ping::Queued;
        self.ping_end = end;
    }

    /// Notes a Pong. It is measured when the time is known.
    pub(crate) fn pong(&mut self, data: &[u8]) {
        let Some(Mark { number, queued }) = Mark::from_bytes(data) else {
            return;
        };
        let was_sent = (1..=self.pings).contains(&number) && queued <= self.ping_time;
        if !was_sent || queued <= self.answered {
            return;
        }
        let is_newest = number == self.pings;
        if is_newest && !matches!(self.ping, Ping::Taken | Ping::Sent) {
            // It has not been sent.
            return;
        }
        if is_newest {
            self.ping = Ping::Answered;
        }
        self.answered = queued;
        self.older_answered = !is_newest;
    }

    /// The round-trip time of the newest Ping that was answered.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt.duration()
    }

    pub(crate) fn write_timeout(&self) -> Option<Duration> {
        self.write_timeout.duration()
    }

    /// Arms what is relevant and tells the earliest deadline.
    pub(crate) fn poll_timeout(&mut self, now: Duration, view: View) -> Option<Duration> {
        let now = Time::new(now);
        self.notice(now, view);
        if view.closing {
            // "Pings do not extend it": one absolute deadline, and no more pings.
            if self.close_deadline == Time::NEVER {
                self.close_deadline = now.after(self.close_timeout);
            }
            return self.close_deadline.duration();
        }
        if self.next_ping == Time::NEVER {
            self.next_ping = now.after(self.ping_interval);
        }
        self.next_ping
            .min(self.pong_deadline)
            .min(self.write_deadline)
            .min(self.idle_deadline)
            .duration()
    }

    /// Whether asking `poll_timeout` again would arm something, or put it off.
    pub(crate) fn is_stale(&self, view: View) -> bool {
        let unarmed =
            |deadline: Time, timeout: Time| deadline == Time::NEVER && timeout != deadline;
        if view.closing {
            return unarmed(self.close_deadline, self.close_timeout);
        }
        let ping_moved = match self.ping {
            Ping::None | Ping::Sent => false,
            Ping::Queued => self.ping_end <= view.written,
            Ping::Taken | Ping::Answered => true,
        };
        let idle_moved = self.idle_timeout != Time::NEVER
            && (self.data_received
                || self.data_sent != view.data_sent
                || self.idle_deadline == Time::NEVER);
        ping_moved
            || self.older_answered
            || idle_moved
            || unarmed(self.next_ping, self.ping_interval)
            || (view.owed && self.refused_at != view.written)
    }

    /// What is due at `now`, if anything.
    pub(crate) fn handle_timeout(&mut self, now: Duration, view: View) -> Option<Due> {
        let now = Time::new(now);
        let measures = self.ping == Ping::Answered || self.older_answered;
        self.notice(now, view);
        if measures {
            // Called for the Pong, in the middle of what has arrived: deadlines wait until all of it is looked at.
            return None;
        }
        if view.closing {
            return (self.close_deadline <= now).then_some(Due::CloseTimeout);
        }
        if self.write_deadline.proves_something(now) {
            return Some(Due::WriteTimeout);
        }
        if self.heard && self.pong_deadline <= now {
            self.pong_deadline = Time::NEVER;
        } else if self.pong_deadline.proves_something(now) {
            return Some(Due::PongTimeout);
        }
        if self.idle_deadline.proves_something(now) {
            return Some(Due::Idle);
        }
        if self.next_ping <= now {
            self.next_ping = now.after(self.ping_interval);
            // One that still lies in the queue will do: a peer that does not read gets no further ones.
            if self.ping != Ping::Queued {
                self.pings = self.pings.wrapping_add(1);
                self.ping_time = now;
                let mark = Mark {
                    number: self.pings,
                    queued: now,
                };
                return Some(Due::Ping(mark.to_bytes()));
            }
        }
        None
    }

    /// Dates what has happened since anybody knew the time.
    fn notice(&mut self, now: Time, view: View) {
        self.notice_writing(now, view);
        self.follow_ping(view.written);
        self.notice_ping(now);
        let data_flowed = self.data_received || self.data_sent != view.data_sent;
        if data_flowed || self.idle_deadline == Time::NEVER {
            self.idle_deadline = now.after(self.idle_timeout);
            self.data_received = false;
            self.data_sent = view.data_sent;
        }
    }

    /// What is owed when the binding is about to wait is what the transport does not take. If it has taken some of
    /// that by the next time, the peer reads, and so it lives: its Pong may lie behind much that it has yet to read.
    fn notice_writing(&mut self, now: Time, view: View) {
        let refused = self.refused_at != NOTHING_OWED;
        let taken = refused && self.refused_at != view.written;
        if taken {
            self.heard = true;
        }
        if !view.owed {
            self.write_deadline = Time::NEVER;
        } else if taken || !refused {
            self.write_deadline = now.after(self.write_timeout);
        }
        self.refused_at = match view.owed {
            true => view.written,
            false => NOTHING_OWED,
        };
    }

    /// Notes whether the newest Ping has left our queue.
    fn follow_ping(&mut self, written: u64) {
        if self.ping == Ping::Queued && self.ping_end <= written {
            self.ping = Ping::Taken;
            // One that is still unanswered keeps its deadline: a short interval must not put it off for ever.
            if core::mem::take(&mut self.heard) {
                self.pong_deadline = Time::NEVER;
            }
        }
    }

    fn notice_ping(&mut self, now: Time) {
        if core::mem::take(&mut self.older_answered) {
            self.rtt = now.since(self.answered);
        }
        match self.ping {
            Ping::Taken => {
                self.ping = Ping::Sent;
                self.ping_time = now;
                if self.pong_deadline == Time::NEVER {
                    self.pong_deadline = now.after(self.pong_timeout);
                }
            }
            Ping::Answered => {
                self.ping = Ping::None;
                self.rtt = now.since(self.ping_time);
            }
            Ping::None | Ping::Queued | Ping::Sent => {}
        }
    }
}

impl Mark {
    const LEN: usize = 12;

    fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (number, queued) = bytes.split_at_mut(size_of::<u32>());
        number.copy_from_slice(&self.number.to_be_bytes());
        queued.copy_from_slice(&self.queued.0.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, queued) = bytes.split_first_chunk()?;
        Some(Self {
            number: u32::from_be_bytes(*number),
            queued: Time(u64::from_be_bytes(queued.try_into().ok()?)),
        })
    }
}

/// A point in time, or a length of it, in nanoseconds: half the size of a `Duration`, for every idle connection holds
/// a dozen. They last for 584 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Time(u64);

impl Time {
    const START: Self = Self(0);
    /// After every other.
    const NEVER: Self = Self(u64::MAX);
    /// The last that comes.
    const END: Self = Self(u64::MAX - 1);

    fn new(time: Duration) -> Self {
        u64::try_from(time.as_nanos()).map_or(Self::END, |nanos| Self(nanos).min(Self::END))
    }

    fn duration(self) -> Option<Duration> {
        match self {
            Self::NEVER => None,
            Self::END => Some(Duration::MAX),
            Self(nanos) => Some(Duration::from_nanos(nanos)),
        }
    }

    fn after(self, timeout: Self) -> Self {
        if timeout == Self::NEVER {
            return timeout;
        }
        Self(self.0.saturating_add(timeout.0)).min(Self::END)
    }

    const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// Whether this deadline has passed and was noticed in time. One that was not is put off.
    fn proves_something(&mut self, now: Self) -> bool {
        let passed = *self <= now;
        let in_time = passed && now.since(*self) <= LATE;
        if in_time {
            *self = Self::NEVER;
        } else if passed {
            *self = now.after(LATE);
        }
        in_time
    }
}
