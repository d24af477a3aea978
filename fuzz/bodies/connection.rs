//! Whatever the peer, the application, the transport and the clock do, a connection ends at most once, keeps its bounds
//! and sends what its peer can read.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use ws_proto::{CloseCode, Config, Event, Message, State};
use ws_testkit::Alone;
use ws_testkit::oracle::{self, Outcome, Receiver};

const HIGH: usize = 600;
const LIMIT: usize = 1000;
/// The largest message that an operation sends.
const MESSAGE_MAX: usize = 255 * 64;

pub(crate) fn run(data: &[u8]) {
    let Some((&flags, mut script)) = data.split_first() else {
        return;
    };
    let mut run = Run::new(flags);
    while let Some((&[operation, operand], rest)) = script.split_first_chunk() {
        script = rest;
        let operand = usize::from(operand);
        if operation % 16 < 6 {
            let (fresh, rest) = script.split_at(operand.min(script.len()));
            script = rest;
            run.receive(operation, fresh);
        } else {
            run.act(operation, operand);
        }
        run.check();
    }
    run.finish();
}

struct Run {
    end: Alone,
    peer: Receiver,
    now: Duration,
    received: usize,
    written: Vec<u8>,
    /// What was accepted for sending, in the oracle's words.
    accepted: Vec<oracle::Event>,
    pings: usize,
    write_failed: bool,
    last_state: State,
    finished: bool,
}

impl Run {
    fn new(flags: u8) -> Self {
        let config = Config::default()
            .with_max_message_size(10_000)
            .with_write_buffer_high(HIGH)
            .with_write_buffer_limit(LIMIT)
            .with_fragment_size((flags & 2 != 0).then_some(100));
        let (end, peer) = match flags & 1 {
            0 => (Alone::server_with(config), Receiver::CLIENT),
            _ => (Alone::client_with(config), Receiver::SERVER),
        };
        Self {
            end,
            peer,
            now: Duration::ZERO,
            received: 0,
            written: Vec::new(),
            accepted: Vec::new(),
            pings: 0,
            write_failed: false,
            last_state: State::Open,
            finished: false,
        }
    }

    fn receive(&mut self, operation: u8, fresh: &[u8]) {
        self.received += fresh.len();
        if operation.is_multiple_of(2) {
            self.end
                .connection
                .receive_buffer()
                .extend_from_slice(fresh);
        } else {
            self.end.connection.handle_received(BytesMut::from(fresh));
        }
        self.poll();
    }

    fn act(&mut self, operation: u8, operand: usize) {
        let connection = &mut self.end.connection;
        match operation % 16 {
            6 => {
                let text = "é".repeat(operand);
                if connection.send(Message::text(&*text)).is_ok() {
                    self.accepted.push(oracle::Event::Text(text));
                }
            }
            7 => {
                let bytes = vec![operation; operand * 64];
                if connection.send(Message::binary(bytes.clone())).is_ok() {
                    self.accepted.push(oracle::Event::Binary(bytes));
                }
            }
            8 => {
                let data = vec![operation; operand];
                if connection.ping(&data).is_ok() {
                    assert!(operand <= 125);
                    self.pings += 1;
                }
            }
            9 => {
                let code = CloseCode::new(operand as u16 * 20);
                if connection.close(code, "why").is_ok() {
                    assert!(code.is_allowed_on_wire());
                }
            }
            10 => _ = connection.close_without_code(),
            11 | 12 => {
                let transmit = connection.transmit();
                let count = (operand * 16).min(transmit.remaining());
                self.written
                    .extend_from_slice(&transmit.copy_to_bytes(count));
            }
            13 => {
                self.now += Duration::from_secs(operand as u64);
                let due = connection.poll_timeout(self.now);
                if due.is_some_and(|due| due <= self.now) {
                    connection.handle_timeout(self.now);
                    self.pings += 1;
                }
                self.poll();
            }
            14 => connection.park(),
            _ if operand.is_multiple_of(8) => {
                connection.handle_eof();
                self.poll();
            }
            _ if operand % 8 == 1 => {
                connection.handle_write_failed();
                self.write_failed = true;
            }
            _ => self.poll(),
        }
    }

    fn poll(&mut self) {
        let was_over = self.end.error.is_some();
        let events = self.end.events();
        assert!(!was_over || events.is_empty(), "nothing follows an error");
        let closes = |event: &&Event| matches!(event, Event::Closed(_));
        let close = events.iter().position(|event| closes(&event));
        assert!(close.is_none_or(|close| close + 1 == events.len()));
    }

    fn check(&mut self) {
        let connection = &mut self.end.connection;
        let state = connection.state();
        let rank = |state| match state {
            State::Open => 0,
            State::Closing => 1,
            State::Closed => 2,
        };
        assert!(rank(state) >= rank(self.last_state), "states only advance");
        self.last_state = state;
        let finished = connection.is_finished();
        assert!(finished || !self.finished, "the end is the end");
        self.finished = finished;
        assert_eq!(
            state == State::Open,
            connection.close_info().is_none() && !self.write_failed
        );

        // One message over the limit, its headers, a Pong over the mark, a Close.
        let headers = MESSAGE_MAX / 100 * 14;
        let bound = LIMIT + MESSAGE_MAX + headers + HIGH + 3 * 140;
        assert!(connection.transmit().remaining() <= bound);
        let capacity = connection.receive_buffer().capacity();
        assert!(capacity <= 128 * 1024 + 8 * self.received);
    }

    /// Writes the rest; the peer reads all of it.
    fn finish(mut self) {
        self.written.extend(self.end.sent());
        let (events, outcome) = self.peer.decode(&self.written);
        assert!(!matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        let data = events
            .iter()
            .filter(|event| matches!(event, oracle::Event::Text(_) | oracle::Event::Binary(_)));
        let sent: Vec<_> = data.cloned().collect();
        assert!(self.accepted.starts_with(&sent), "in order and unchanged");
        // What was queued is dropped only when nobody is left to read it, and then no Close frame counts as sent.
        let gave_up = match self.end.connection.close_info() {
            Some(info) => info.sent.is_none(),
            None => self.write_failed,
        };
        assert!(gave_up || sent == self.accepted, "and all of it");
        let pings = events
            .iter()
            .filter(|event| matches!(event, oracle::Event::Ping(_)));
        assert!(pings.count() <= self.pings);
    }
}
