//! Whatever is done with a connection and to it, in any order: what it sends can be read and is what was accepted, what
//! it delivers is what was sent, its queues keep their bounds, and it comes to an end.
//!
//! The input is a byte of flags, and operations of two bytes each: which one and on which end, and an operand.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use ws_proto::{
    CloseCode, Config, Connection, Event, FlushMark, Message, MessageKind, OverflowPolicy,
    PreparedMessage, SendError, State,
};
use ws_testkit::oracle::{self, Outcome, Receiver};
use ws_testkit::{Alone, FixedKey, receive_in_place, vectors};

const HIGH: usize = 600;
const LIMIT: usize = 2000;
/// The largest message sent in one piece.
const MESSAGE_MAX: usize = 255 * 32;
/// The largest message accepted, smaller than what the peer may send.
const ACCEPTED_MAX: usize = 5000;
const FRAGMENT_SIZE: usize = 100;
const CAPACITY_MAX: usize = 7;
/// Control frames have room of their own, beyond that of messages: far less than this.
const CONTROL_MAX: usize = 32 * 1024;

pub(crate) fn run(data: &[u8]) {
    let Some((&flags, mut script)) = data.split_first() else {
        return;
    };
    let mut world = World::new(flags);
    while let Some((&[operation, operand], rest)) = script.split_first_chunk() {
        script = world.act(operation, usize::from(operand), rest);
        world.check();
    }
    world.finish(flags & 128 != 0);
}

/// One end whose peer is the script, or two ends joined.
struct World {
    ends: Vec<End>,
    now: Duration,
}

struct End {
    end: Alone,
    is_client: bool,
    /// Everything that was put on the wire.
    written: Vec<u8>,
    /// The part of it that the other end has not received.
    on_its_way: VecDeque<u8>,
    /// Messages in the order in which they were begun; each begins with its number here.
    accepted: Vec<Accepted>,
    /// The last of `accepted` is a message in pieces that is not finished.
    is_unfinished: bool,
    /// How many messages had been accepted at each mark, and how much was written when it was passed.
    marks: Vec<(FlushMark, Vec<usize>, Option<usize>)>,
    write_failed: bool,
    last_state: State,
    was_finished: bool,
    /// How many bytes were received, and what came of them.
    received: usize,
    heard: Vec<(MessageKind, Vec<u8>)>,
    /// What was delivered of a message in pieces.
    begun: Option<(MessageKind, Vec<u8>)>,
}

#[derive(Debug)]
struct Accepted {
    kind: MessageKind,
    payload: Vec<u8>,
    is_whole: bool,
    /// It was only offered.
    may_be_dropped: bool,
}

impl Accepted {
    fn is_owed(&self) -> bool {
        self.is_whole && !self.may_be_dropped
    }
}

impl World {
    fn new(flags: u8) -> Self {
        let config = Config::default()
            .with_max_message_size(ACCEPTED_MAX)
            .with_max_fragments(100)
            .with_write_buffer_high(HIGH)
            .with_write_buffer_limit(LIMIT)
            .with_fragment_size((flags & 1 != 0).then_some(FRAGMENT_SIZE))
            .with_idle_timeout((flags & 2 != 0).then_some(Duration::from_secs(100)));
        let server = || Connection::server(config.clone());
        let client = || Connection::client(config.clone(), FixedKey(vectors::KEY));
        let is_vectored = flags & 4 == 0;
        let ends = match flags & 24 {
            0 => vec![server()],
            8 => vec![client()],
            _ => vec![server(), client()],
        };
        Self {
            ends: ends
                .into_iter()
                .map(|connection| End::new(connection.with_vectored_writes(is_vectored)))
                .collect(),
            now: Duration::ZERO,
        }
    }

    /// Does one thing, and gives what is left of the script.
    fn act<'a>(&mut self, operation: u8, operand: usize, mut script: &'a [u8]) -> &'a [u8] {
        let which = usize::from(operation >> 7) % self.ends.len();
        match operation % 32 {
            delivery @ 0..=3 => {
                let fresh = match &mut self.ends[..] {
                    [_] => {
                        let (fresh, rest) = script.split_at(operand.min(script.len()));
                        script = rest;
                        fresh.to_vec()
                    }
                    ends => {
                        let peer = &mut ends[1 - which].on_its_way;
                        peer.drain(..(operand * 8).min(peer.len())).collect()
                    }
                };
                self.ends[which].receive(delivery, &fresh);
            }
            4 => {
                self.now += Duration::from_secs(operand as u64);
                for end in &mut self.ends {
                    end.wait_until(self.now);
                }
            }
            operation => self.ends[which].act(operation, operand),
        }
        script
    }

    fn check(&mut self) {
        for end in &mut self.ends {
            end.check();
        }
        if let [one, other] = &self.ends[..] {
            one.check_heard(other);
            other.check_heard(one);
        }
    }

    /// Ends the transport. Before that all that is owed is written, unless the peer has stopped to read.
    fn finish(mut self, is_stuck: bool) {
        for end in &mut self.ends {
            if !is_stuck {
                let sent = end.end.sent();
                end.written.extend(sent);
                end.check_written(true);
            }
            end.end.connection.handle_eof();
            end.poll();
        }
        // Every wait has a deadline.
        for end in &mut self.ends {
            for _ in 0..20 {
                if let Some(due) = end.end.connection.poll_timeout(self.now) {
                    self.now = self.now.max(due);
                    end.end.connection.handle_timeout(self.now);
                }
                end.poll();
                if !is_stuck {
                    let sent = end.end.sent();
                    end.written.extend(sent);
                }
            }
            assert!(end.end.connection.is_finished());
            assert_eq!(end.end.connection.poll_timeout(self.now), None);
            end.check();
            end.check_written(false);
        }
    }
}

impl End {
    fn new(connection: Connection) -> Self {
        Self {
            is_client: connection.role() == ws_proto::Role::Client,
            end: Alone::new(connection),
            written: Vec::new(),
            on_its_way: VecDeque::new(),
            accepted: Vec::new(),
            is_unfinished: false,
            marks: Vec::new(),
            write_failed: false,
            last_state: State::Open,
            was_finished: false,
            received: 0,
            heard: Vec::new(),
            begun: None,
        }
    }

    fn receive(&mut self, delivery: u8, fresh: &[u8]) {
        self.received += fresh.len();
        let connection = &mut self.end.connection;
        match delivery {
            0 => receive_in_place(connection, fresh),
            _ => connection.handle_received(BytesMut::from(fresh)),
        }
        match delivery {
            // Somebody else reads before anybody looks.
            3 => {}
            _ => self.poll(),
        }
        if delivery == 2 {
            self.end.connection.park();
        }
    }

    fn wait_until(&mut self, now: Duration) {
        let connection = &mut self.end.connection;
        let due = connection.poll_timeout(now);
        assert!(due.is_none() || !connection.is_finished());
        connection.handle_timeout(now);
        self.poll();
    }

    fn act(&mut self, operation: u8, operand: usize) {
        match operation {
            5 => self.send(self.message(MessageKind::Text, operand)),
            6 => self.send(self.message(MessageKind::Binary, operand * 32)),
            7 => {
                let message = self.message(MessageKind::Binary, operand * 32);
                let prepared = PreparedMessage::from(&message);
                let sent = self.end.connection.send_prepared(&prepared);
                self.note_sent(&message, sent);
            }
            8 => self.offer(OverflowPolicy::Refuse, operand),
            9 => self.offer(OverflowPolicy::DropOldest, operand),
            10..=13 => {
                let kind = match operation % 2 {
                    0 => MessageKind::Text,
                    _ => MessageKind::Binary,
                };
                self.send_fragment(kind, operand, operation >= 12);
            }
            14 => {
                let data = vec![operation; operand];
                if self.end.connection.ping(&data).is_ok() {
                    assert!(operand <= 125);
                }
            }
            15 => {
                let code = CloseCode::new(operand as u16 * 20);
                if self.end.connection.close(code, "why").is_ok() {
                    assert!(code.is_allowed_on_wire());
                }
            }
            16 => _ = self.end.connection.close_without_code(),
            17..=20 => self.write(operand * 16),
            21..=22 => self.write_apart(operand),
            23 => self.end.connection.stream_message(operand as u64 * 64),
            24 => {
                self.end.connection.discard_message();
                self.begun = None;
            }
            25 => self.end.connection.park(),
            26 if operand.is_multiple_of(2) => self.poll(),
            26 => self.poll_lent(),
            27 => {
                self.end.connection.handle_eof();
                self.poll();
            }
            28 => {
                self.end.connection.handle_write_failed();
                self.write_failed = true;
            }
            29 => {
                self.end.connection.abort();
                assert!(self.end.connection.is_finished());
                assert!(!self.end.connection.transmit().has_remaining());
            }
            30 => {
                let accepted = self.accepted.iter().enumerate();
                let owed = accepted.filter(|(_, message)| message.is_owed());
                let owed = owed.map(|(number, _)| number).collect();
                self.marks
                    .push((self.end.connection.flush_mark(), owed, None));
            }
            _ => {
                let invalid = Bytes::from_static(b"\xff");
                let sent =
                    self.end
                        .connection
                        .send_fragment(MessageKind::Text, invalid, operand != 0);
                assert!(sent.is_err());
            }
        }
    }

    /// A message that begins with its number.
    fn message(&self, kind: MessageKind, len: usize) -> Message {
        let payload = piece(self.accepted.len(), 0, 4 + len / 2 * 2);
        match kind {
            MessageKind::Text => {
                Message::text(String::from_utf8(payload).expect("whole characters"))
            }
            MessageKind::Binary => Message::binary(payload),
        }
    }

    fn send(&mut self, message: Message) {
        let sent = self.end.connection.send(message.clone());
        if let Err(unsent) = &sent {
            assert_eq!(unsent.message, message);
        }
        self.note_sent(&message, sent.map_err(SendError::from));
    }

    fn note_sent(&mut self, message: &Message, sent: Result<(), SendError>) {
        match sent {
            Ok(()) => {
                assert!(!self.is_unfinished);
                self.note_accepted(message, false);
            }
            Err(SendError::MessageUnfinished) => assert!(self.is_unfinished),
            Err(error) => self.check_refusal(error),
        }
    }

    fn note_accepted(&mut self, message: &Message, may_be_dropped: bool) {
        self.accepted.push(Accepted {
            kind: message.kind(),
            payload: message.as_bytes().to_vec(),
            is_whole: true,
            may_be_dropped,
        });
    }

    fn check_refusal(&self, error: SendError) {
        let connection = &self.end.connection;
        match error {
            SendError::Closed => assert!(connection.state() != State::Open || self.write_failed),
            // Entries that wait count for more than their payload.
            SendError::BufferFull => assert!(connection.queued() > LIMIT / 20),
            other => panic!("{other:?} was not asked for"),
        }
    }

    /// While a message is unfinished nothing is offered here: its number, and so its place in the order, would be that
    /// of the message before.
    fn offer(&mut self, overflow: OverflowPolicy, operand: usize) {
        if self.is_unfinished {
            return;
        }
        let message = self.message(MessageKind::Binary, operand * 32);
        let prepared = PreparedMessage::from(&message);
        let capacity = operand % (CAPACITY_MAX + 1);
        let offered = self.end.connection.offer(&prepared, overflow, capacity);
        use ws_proto::Offered::{Backlogged, Closed, DroppedOldest, Queued, Refused};
        match offered {
            Queued | Backlogged | DroppedOldest => self.note_accepted(&message, true),
            Refused => assert!(self.end.connection.backlog() >= capacity),
            Closed => self.check_refusal(SendError::Closed),
        }
    }

    fn send_fragment(&mut self, kind: MessageKind, len: usize, fin: bool) {
        if !self.is_unfinished {
            self.accepted.push(Accepted {
                kind,
                payload: Vec::new(),
                is_whole: false,
                may_be_dropped: false,
            });
        }
        let number = self.accepted.len() - 1;
        let current = &mut self.accepted[number];
        // The first piece has the number.
        let len = len.max(4);
        let data = piece(number, current.payload.len(), len);
        let sent = self
            .end
            .connection
            .send_fragment(kind, data.clone().into(), fin);
        match sent {
            Ok(()) => {
                assert_eq!(current.kind, kind);
                current.payload.extend(data);
                current.is_whole = fin;
                self.is_unfinished = !fin;
                return;
            }
            Err(SendError::MessageUnfinished) => assert_ne!(current.kind, kind),
            Err(SendError::InvalidUtf8) => {
                assert!(fin && kind == MessageKind::Text);
                assert!((current.payload.len() + len) % 2 == 1);
            }
            Err(error) => self.check_refusal(error),
        }
        if !self.is_unfinished {
            self.accepted.pop();
        }
    }

    fn write(&mut self, count: usize) {
        let transmit = self.end.connection.transmit();
        let count = count.min(transmit.remaining());
        let bytes = transmit.copy_to_bytes(count);
        self.note_written(&bytes);
    }

    fn note_written(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        self.on_its_way.extend(bytes);
    }

    /// Writes chunks that were detached, while something else may happen.
    fn write_apart(&mut self, operand: usize) {
        let mut chunks = Vec::new();
        let transmit = self.end.connection.transmit();
        let mut detached = transmit.detach(&mut chunks, operand % 5);
        let bytes = chunks.concat();
        assert_eq!(detached.remaining(), bytes.len());
        match operand / 5 % 4 {
            0 => self.act(28, 0),
            1 => self.send(self.message(MessageKind::Binary, operand * 8)),
            2 => self.act(15, 50),
            _ => {}
        }
        let count = (operand * 16).min(bytes.len());
        let transmit = self.end.connection.transmit();
        let is_owed = transmit.advance_detached(&mut detached, count);
        assert!(is_owed || self.write_failed);
        if is_owed {
            self.note_written(&bytes[..count]);
        }
    }

    /// Asks for one thing, and leaves a message where it is.
    fn poll_lent(&mut self) {
        let was_over = self.end.error.is_some();
        match self.end.poll_lent() {
            Ok(None) => {}
            Ok(Some(event)) => {
                assert!(!was_over, "nothing follows an error");
                self.note_event(event);
            }
            Err(error) => {
                assert_eq!(self.end.error, None, "an error is reported once");
                self.end.error = Some(error);
            }
        }
    }

    fn poll(&mut self) {
        let was_over = self.end.error.is_some();
        let events = self.end.events();
        assert!(!was_over || events.is_empty(), "nothing follows an error");
        let count = events.len();
        for (index, event) in events.into_iter().enumerate() {
            if matches!(event, Event::Closed(_)) {
                assert_eq!(index + 1, count, "nothing follows a Close");
            }
            self.note_event(event);
        }
    }

    fn note_event(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                assert!(self.begun.is_none(), "messages do not mix");
                let kind = message.kind();
                self.heard.push((kind, message.into_bytes().to_vec()));
            }
            Event::Chunk(chunk) => {
                assert_eq!(chunk.first, self.begun.is_none());
                assert!(chunk.last || !chunk.data.is_empty());
                let is_text = chunk.kind == MessageKind::Text;
                assert_eq!(chunk.as_text().is_some(), is_text);
                let (kind, mut data) = self
                    .begun
                    .take()
                    .unwrap_or_else(|| (chunk.kind, Vec::new()));
                assert_eq!(kind, chunk.kind);
                data.extend_from_slice(&chunk.data);
                match chunk.last {
                    true => self.heard.push((kind, data)),
                    false => self.begun = Some((kind, data)),
                }
            }
            _ => {}
        }
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
        let is_finished = connection.is_finished();
        assert!(is_finished || !self.was_finished, "the end is the end");
        self.was_finished = is_finished;

        // One message may exceed the limit, and fragments have headers.
        let messages = LIMIT + MESSAGE_MAX + HIGH;
        let headers = messages / FRAGMENT_SIZE * 14 + LIMIT;
        assert!(connection.queued() <= messages + headers + CONTROL_MAX);
        let owed = connection.transmit().remaining();
        assert!(owed <= messages + headers + CONTROL_MAX);
        assert!(connection.backlog() <= CAPACITY_MAX);
        assert!(connection.buffered() <= self.received);
        let capacity = connection.receive_buffer().capacity();
        assert!(capacity <= 128 * 1024 + 8 * self.received);
        if state != State::Open {
            assert_eq!(connection.backlog(), 0, "what ends waits for nothing");
        }
        for (mark, _, passed) in &mut self.marks {
            let is_passed = connection.is_written(mark);
            assert!(is_passed || passed.is_none());
            assert!(is_passed || connection.transmit().has_remaining());
            if is_passed && passed.is_none() {
                *passed = Some(self.written.len());
            }
        }
    }

    /// What was put on the wire is frames that an end of this role may send, and in them the messages that were
    /// accepted; all of them, if everything `is_written`.
    fn check_written(&self, is_written: bool) {
        let peer = match self.is_client {
            true => Receiver::SERVER,
            false => Receiver::CLIENT,
        };
        let (_, outcome) = peer.decode(&self.written);
        assert!(!matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        let mut messages: Vec<(MessageKind, Vec<u8>)> = Vec::new();
        let mut ends = Vec::new();
        let mut is_within = false;
        let mut is_closed = false;
        for frame in oracle::frames(&self.written) {
            assert_eq!(frame.masked, self.is_client);
            assert!(!is_closed || frame.opcode == 10, "only a Pong may follow");
            let kind = match frame.opcode {
                0 => {
                    assert!(is_within);
                    let (_, payload) = messages.last_mut().expect("a message was begun");
                    payload.extend(frame.payload);
                    is_within = !frame.fin;
                    ends.pop();
                    ends.push(frame.end);
                    continue;
                }
                1 => MessageKind::Text,
                2 => MessageKind::Binary,
                8 => {
                    is_closed = true;
                    continue;
                }
                _ => continue,
            };
            assert!(!is_within, "messages do not mix");
            is_within = !frame.fin;
            messages.push((kind, frame.payload));
            ends.push(frame.end);
        }
        let unfinished = if is_within { messages.pop() } else { None };
        if let Some((kind, payload)) = unfinished {
            let begun = &self.accepted[number(&payload)];
            assert_eq!(begun.kind, kind);
            assert!(begun.payload.starts_with(&payload));
        }
        let sent = in_order(&messages, &self.accepted);
        let is_lost = match self.end.connection.close_info() {
            Some(info) => info.sent.is_none(),
            None => self.write_failed,
        };
        if is_lost {
            return;
        }
        for (_, owed, passed) in &self.marks {
            let Some(passed) = passed else { continue };
            for number in owed {
                let end = sent.iter().position(|sent| sent == number);
                let end = end.and_then(|index| ends.get(index));
                assert!(end.is_some_and(|end| end <= passed), "{number}");
            }
        }
        if is_written {
            let accepted = self.accepted.iter().enumerate();
            let owed = accepted.filter(|(_, message)| message.is_owed());
            for (number, _) in owed {
                assert!(sent.contains(&number), "{number} of {sent:?}");
            }
        }
    }

    /// What this end has heard is what its peer has sent.
    fn check_heard(&self, peer: &Self) {
        in_order(&self.heard, &peer.accepted);
        if let Some((kind, payload)) = &self.begun
            && payload.len() >= 4
        {
            let sent = &peer.accepted[number(payload)];
            assert_eq!(sent.kind, *kind);
            assert!(sent.payload.starts_with(payload));
        }
    }
}

/// `messages` are some of `accepted`, whole and in order; gives their numbers.
fn in_order(messages: &[(MessageKind, Vec<u8>)], accepted: &[Accepted]) -> Vec<usize> {
    let numbers: Vec<usize> = messages
        .iter()
        .map(|(_, payload)| number(payload))
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    for ((kind, payload), number) in messages.iter().zip(&numbers) {
        let expected = &accepted[*number];
        assert!(expected.is_whole);
        assert_eq!(expected.kind, *kind);
        assert!(expected.payload == *payload, "{number} is what was sent");
    }
    numbers
}

/// A piece of the message with this number: four digits and then é for ever.
fn piece(number: usize, start: usize, len: usize) -> Vec<u8> {
    let digits = format!("{number:04}");
    let endless = digits.bytes().chain("é".bytes().cycle());
    endless.skip(start).take(len).collect()
}

fn number(payload: &[u8]) -> usize {
    let digits = payload.get(..4).expect("each message has a number");
    let digits = std::str::from_utf8(digits).expect("a number is text");
    digits.parse().expect("a number")
}
