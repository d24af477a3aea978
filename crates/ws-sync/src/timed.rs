//! A stream and the bounds that were set on its waits.

use std::io;
use std::time::{Duration, Instant};

use crate::Stream;
use crate::sync::now;

/// The shortest bound worth setting; zero would mean "for ever" to the operating system.
pub(crate) const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// A stream that remembers its timeouts, so that the common case of an unchanged one costs no system call.
#[derive(Debug)]
pub(crate) struct Timed<S> {
    pub(crate) stream: S,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// What the caller wants where no deadline says otherwise.
    pub(crate) own_write_timeout: Option<Duration>,
}

impl<S: Stream> Timed<S> {
    /// A stream may come with timeouts of its caller's; they stay until the first deadline replaces them.
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            read_timeout: None,
            write_timeout: None,
            own_write_timeout: None,
        }
    }

    /// The stream, with none of the bounds that were set here: who has it next knows nothing of them.
    pub(crate) fn into_stream(mut self) -> io::Result<S> {
        if self.read_timeout.is_some() {
            self.stream.set_read_timeout(None)?;
        }
        if self.write_timeout.is_some() {
            self.stream.set_write_timeout(None)?;
        }
        Ok(self.stream)
    }

    /// Reads once, to the end of `buffer`, waiting until `deadline` at most; what has arrived is read even after it. An
    /// interrupted read is tried again. Gives how many bytes were read, none at the end of the stream;
    /// [`Stream::read_to_spare`] says how many these may be, and what is `expected`.
    pub(crate) fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        expected: usize,
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        wait_out(remaining(deadline), || {
            self.read_once(buffer, expected, deadline, None)
        })
    }

    /// The same, but not for longer than the caller has `patience`.
    pub(crate) fn read_patiently(
        &mut self,
        buffer: &mut Vec<u8>,
        expected: usize,
        deadline: Option<Instant>,
        patience: Option<Duration>,
    ) -> io::Result<usize> {
        match (patience, remaining(deadline)) {
            (Some(patience), Some(left)) if left <= patience => {
                self.read(buffer, expected, deadline)
            }
            (None, _) => self.read(buffer, expected, deadline),
            // As it was given: what is left until a point in time is never the same, and to change the timeout of a
            // stream takes a system call.
            (patience, _) => self.read_once(buffer, expected, None, patience),
        }
    }

    fn read_once(
        &mut self,
        buffer: &mut Vec<u8>,
        expected: usize,
        deadline: Option<Instant>,
        patience: Option<Duration>,
    ) -> io::Result<usize> {
        let len = buffer.len();
        loop {
            let timeout = remaining(deadline).or(patience);
            if timeout != self.read_timeout {
                self.stream.set_read_timeout(timeout)?;
                self.read_timeout = timeout;
            }
            match self.stream.read_to_spare(buffer, expected) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(()) if buffer.len() < len => {
                    // What lay there is gone, and whoever counts on it is to find so much at least.
                    buffer.resize(len, 0);
                    return Err(io::ErrorKind::InvalidData.into());
                }
                read => return read.map(|()| buffer.len().saturating_sub(len)),
            }
        }
    }

    /// Bounds each of the next writes.
    pub(crate) fn before_write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.or(self.own_write_timeout);
        if timeout != self.write_timeout {
            self.stream.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        Ok(())
    }

    /// Writes all of `bytes`, waiting until `deadline` at most. What the peer takes at once goes out however late it
    /// is.
    pub(crate) fn write_all(
        &mut self,
        mut bytes: &[u8],
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let timeout = remaining(deadline);
            self.before_write(timeout)?;
            match wait_out(timeout, || self.stream.write(bytes)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if !bytes.is_empty() && has_passed(deadline) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        self.flush()
    }

    /// Flushes. An interrupted flush is tried again.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        loop {
            match self.stream.flush() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                flushed => return flushed,
            }
        }
    }
}

/// How much longer a caller waits for input of which nothing comes, however many waits deadlines make of that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    /// What the caller bears; `None` is any.
    bearable: Option<Duration>,
    until: Option<Instant>,
}

impl Silence {
    pub(crate) const fn new(bearable: Option<Duration>) -> Self {
        Self {
            bearable,
            until: None,
        }
    }

    /// When it is too much, unless something comes. It begins here, if it has not begun.
    pub(crate) fn until(&mut self) -> Option<Instant> {
        if self.until.is_none() {
            self.until = self
                .bearable
                .and_then(|bearable| now().checked_add(bearable));
        }
        self.until
    }

    /// What is left of it, as a bound for one wait.
    pub(crate) fn left(&mut self) -> Option<Duration> {
        match self.until {
            Some(until) => remaining(Some(until)),
            // It begins with this wait.
            None => self.until().and(self.bearable),
        }
    }

    /// Whether it is too much.
    pub(crate) fn is_over(&self) -> bool {
        has_passed(self.until)
    }

    /// Something has come.
    pub(crate) fn end(&mut self) {
        self.until = None;
    }
}

/// Whether an error says that a wait was cut short rather than that the stream is broken.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Does what waits for `timeout`, and once more if that ended too early.
///
/// The operating system counts a wait in ticks of up to 10 ms, and one that something woke in vain may come out a tick
/// short. The next one begins right behind a tick, and comes out long enough. Of a stream that does not wait at all, the
/// same comes again.
pub(crate) fn wait_out<T>(
    timeout: Option<Duration>,
    attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let until = timeout.and_then(|timeout| now().checked_add(timeout));
    wait_out_until(until, attempt)
}

/// The same for what waits until then.
pub(crate) fn wait_out_until<T>(
    until: Option<Instant>,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    match attempt() {
        Err(error) if is_timeout(&error) && until.is_some() && !was_wait_until(until) => attempt(),
        done => done,
    }
}

/// Whether `deadline` has passed.
pub(crate) fn has_passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= now())
}

/// The earlier of two deadlines.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether a wait that was cut short was one until `deadline`. Timeouts are rounded on their way through the operating
/// system, so it may have ended a little early.
pub(crate) fn was_wait_until(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= now() + SHORTEST_WAIT)
}

/// What is left until `deadline`, as a bound for one wait.
pub(crate) fn remaining(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(now()).max(SHORTEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    /// What comes of attempts that end at once, in this order, and how many there were.
    fn attempts(
        timeout: Option<Duration>,
        ends: &[io::ErrorKind],
    ) -> (Option<io::ErrorKind>, usize) {
        let mut made = 0;
        let done = wait_out(timeout, || {
            made += 1;
            ends.get(made - 1)
                .map_or(Ok(()), |kind| Err((*kind).into()))
        });
        (done.err().map(|error| error.kind()), made)
    }

    /// spec: CD-04
    #[test]
    fn a_wait_that_ended_early_is_repeated_once() {
        use io::ErrorKind::{BrokenPipe, TimedOut, WouldBlock};
        assert_eq!(attempts(LONG, &[WouldBlock]), (None, 2));
        assert_eq!(
            attempts(LONG, &[TimedOut, BrokenPipe]),
            (Some(BrokenPipe), 2)
        );
        // This one does not wait.
        assert_eq!(attempts(LONG, &[WouldBlock; 3]), (Some(WouldBlock), 2));
        // These did not end early.
        assert_eq!(attempts(LONG, &[]), (None, 1));
        assert_eq!(attempts(LONG, &[BrokenPipe]), (Some(BrokenPipe), 1));
        assert_eq!(attempts(None, &[WouldBlock]), (Some(WouldBlock), 1));
        assert_eq!(
            attempts(Some(SHORTEST_WAIT), &[WouldBlock]),
            (Some(WouldBlock), 1)
        );
    }
}
