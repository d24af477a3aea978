//! Messages that are sent fragment by fragment: long ones that the connection cuts, and those that come in pieces.

use bytes::{Buf, Bytes};
use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::{
    CloseCode, Config, Message, MessageKind, Offered, OverflowPolicy, PreparedMessage, SendError,
};
use ws_testkit::oracle::{self, Outcome, Receiver};
use ws_testkit::{Alone, Frame, vectors};

use MessageKind::{Binary, Text};

fn fragment(
    end: &mut Alone,
    kind: MessageKind,
    payload: &'static [u8],
    fin: bool,
) -> Result<(), SendError> {
    let payload = Bytes::from_static(payload);
    end.connection.send_fragment(kind, payload, fin)
}

/// Writes `count` bytes and gives them.
fn write(end: &mut Alone, count: usize) -> Vec<u8> {
    end.connection.transmit().copy_to_bytes(count).to_vec()
}

#[test]
fn a_long_message_is_framed_as_it_is_written() {
    // spec: G-01, G-14, S-07
    let config = Config::default()
        .with_fragment_size(Some(100))
        .with_write_buffer_high(250);
    let mut server = Alone::server_with(config);
    let message = Message::binary(vec![7; 10_000]);
    server.connection.send(message.clone()).expect("open");
    // All of it is owed, framed or not.
    assert!(server.connection.queued() > 10_000);
    assert!(!server.connection.is_flushed());
    let mut written = Vec::new();
    let mut pings = 0;
    while server.connection.transmit().has_remaining() {
        let queued = server.connection.transmit().remaining();
        assert!(queued < 250 + 102, "{queued}");
        // Each finds its way between the fragments long before the end of the message.
        server.connection.ping(b"").expect("room");
        pings += 1;
        written.extend(write(&mut server, 200));
        if written.len() > 9000 {
            written.extend(server.sent());
        }
    }
    let (events, _) = Receiver::CLIENT.decode(&written);
    let ping = |event: &&oracle::Event| matches!(event, oracle::Event::Ping(_));
    assert_eq!(events.iter().filter(ping).count(), pings);
    let position = events.iter().position(|event| !ping(&event));
    assert!(position.is_some_and(|position| position > 30));
}

#[test]
fn a_pong_goes_between_the_fragments() {
    // spec: G-14
    let config = Config::default()
        .with_fragment_size(Some(2))
        .with_write_buffer_high(1);
    let mut server = Alone::server_with(config);
    server.connection.send(Message::text("abcdef")).expect("");
    let mut written = write(&mut server, 4);
    server.receive(vectors::CLIENT_PING);
    written.extend(server.sent());
    assert_eq!(written, b"\x01\x02ab\x8a\x05Hello\x00\x02cd\x80\x02ef");
}

#[test]
fn a_close_comes_behind_the_whole_message() {
    // spec: C-12, G-01
    let config = Config::default()
        .with_fragment_size(Some(2))
        .with_write_buffer_high(1);
    for peer_closes in [false, true] {
        let mut server = Alone::server_with(config.clone());
        server.connection.send(Message::text("abcde")).expect("");
        server.connection.send(Message::text("f")).expect("");
        assert!(server.connection.wants_flush());
        if peer_closes {
            server.receive(vectors::CLIENT_CLOSE_1000);
        } else {
            let closed = server.connection.close(CloseCode::NORMAL, "");
            closed.expect("open");
        }
        let expected = b"\x01\x02ab\x00\x02cd\x80\x01e\x81\x01f\x88\x02\x03\xe8";
        assert_eq!(server.connection.transmit().remaining(), expected.len());
        assert!(!server.connection.wants_shutdown());
        assert_eq!(server.sent(), expected);
        assert_eq!(server.connection.wants_shutdown(), peer_closes);
    }
}

#[test]
fn what_nobody_reads_is_not_framed() {
    let config = Config::default()
        .with_fragment_size(Some(2))
        .with_write_buffer_high(1);
    let mut server = Alone::server_with(config);
    server.connection.send(Message::text("abcdef")).expect("");
    server.connection.handle_write_failed();
    assert_eq!(server.sent(), b"");
    assert!(!server.connection.wants_flush());
    server.receive_eof();
    assert!(server.connection.is_finished());
}

#[test]
fn a_message_in_pieces_is_fragments_of_those_lengths() {
    // spec: G-01, G-06, G-15
    let mut server = Alone::server();
    assert_eq!(fragment(&mut server, Binary, b"ab", false), Ok(()));
    assert_eq!(fragment(&mut server, Binary, b"", false), Ok(()));
    server.connection.ping(b"").expect("room");
    assert_eq!(fragment(&mut server, Binary, b"c", false), Ok(()));
    assert_eq!(fragment(&mut server, Binary, b"", true), Ok(()));
    assert_eq!(fragment(&mut server, Text, b"d", true), Ok(()));
    assert_eq!(
        server.sent(),
        b"\x02\x02ab\x00\x00\x89\x00\x00\x01c\x80\x00\x81\x01d"
    );
}

#[test]
fn a_piece_longer_than_a_fragment_is_cut() {
    // spec: G-01
    let config = Config::default()
        .with_fragment_size(Some(2))
        .with_write_buffer_high(1);
    let mut server = Alone::server_with(config);
    assert_eq!(fragment(&mut server, Text, b"abc", false), Ok(()));
    assert_eq!(fragment(&mut server, Text, b"defg", false), Ok(()));
    assert_eq!(fragment(&mut server, Text, b"hij", true), Ok(()));
    assert_eq!(
        server.sent(),
        b"\x01\x02ab\x00\x01c\x00\x02de\x00\x02fg\x00\x02hi\x80\x01j"
    );
}

#[test]
fn a_large_piece_is_queued_and_not_copied() {
    let payload = Bytes::from(vec![7; 100_000]);
    let mut server = Alone::server();
    let sent = server
        .connection
        .send_fragment(Binary, payload.clone(), false);
    assert_eq!(sent, Ok(()));
    let transmit = server.connection.transmit();
    transmit.advance(10);
    assert_eq!(transmit.chunk().as_ptr(), payload.as_ptr());
}

#[test]
fn nothing_comes_between_the_pieces() {
    // spec: G-03, G-07
    let mut server = Alone::server();
    assert_eq!(fragment(&mut server, Text, b"a", false), Ok(()));
    let unfinished = Err(SendError::MessageUnfinished);
    let message = Message::text("no");
    let refused = server.connection.send(message.clone());
    let refused = refused.expect_err("a message is unfinished");
    assert_eq!(refused.error, SendError::MessageUnfinished);
    assert_eq!(refused.message, message);
    let prepared = PreparedMessage::from(message);
    assert_eq!(server.connection.send_prepared(&prepared), unfinished);
    assert_eq!(fragment(&mut server, Binary, b"no", true), unfinished);
    assert_eq!(fragment(&mut server, Text, b"b", true), Ok(()));
    assert_eq!(server.connection.send_prepared(&prepared), Ok(()));
    assert_eq!(server.sent(), b"\x01\x01a\x80\x01b\x81\x02no");
}

#[test]
fn text_is_checked_across_the_pieces() {
    // spec: U-02, U-07
    for text in vectors::UTF8 {
        for cut in 0..=text.len() {
            let mut server = Alone::server();
            let (first, second) = text.split_at(cut);
            assert_eq!(fragment(&mut server, Text, first, false), Ok(()));
            assert_eq!(fragment(&mut server, Text, second, true), Ok(()));
            let mut client = Alone::client();
            assert_eq!(client.receive(&server.sent()).len(), 1);
        }
    }
    for (bytes, _) in vectors::NOT_UTF8 {
        for cut in 0..=bytes.len() {
            let mut server = Alone::server();
            let (first, second) = bytes.split_at(cut);
            let sent = fragment(&mut server, Text, first, false)
                .and_then(|()| fragment(&mut server, Text, second, true));
            assert_eq!(sent, Err(SendError::InvalidUtf8));
            assert_eq!(fragment(&mut server, Binary, bytes, true).is_ok(), {
                // Had the first piece been refused too, no message would be unfinished.
                server.connection.send(Message::text("")).is_ok()
            });
        }
    }
}

#[test]
fn a_piece_that_is_refused_changes_nothing() {
    // spec: U-07, S-07
    let mut server = Alone::server_with(Config::default().with_write_buffer_limit(10));
    assert_eq!(fragment(&mut server, Text, b"\xe2\x82", false), Ok(()));
    let invalid = Err(SendError::InvalidUtf8);
    assert_eq!(fragment(&mut server, Text, b"\x28", false), invalid);
    assert_eq!(fragment(&mut server, Text, b"", true), invalid);
    assert_eq!(fragment(&mut server, Text, b"\xac456789", false), Ok(()));
    let full = Err(SendError::BufferFull);
    assert_eq!(fragment(&mut server, Text, b"10", true), full);
    let mut sent = server.sent();
    assert_eq!(fragment(&mut server, Text, b"10", true), Ok(()));
    sent.extend(server.sent());
    assert_eq!(
        sent, b"\x01\x02\xe2\x82\x00\x07\xac456789\x80\x0210",
        "and once"
    );
}

#[test]
fn a_close_leaves_it_unfinished() {
    // spec: C-12, G-13
    let mut server = Alone::server();
    assert_eq!(fragment(&mut server, Text, b"a", false), Ok(()));
    let closed = server.connection.close(CloseCode::GOING_AWAY, "");
    assert_eq!(closed, Ok(()));
    let refused = fragment(&mut server, Text, b"b", true);
    assert_eq!(refused, Err(SendError::Closed));
    let refused = server.connection.send_prepared(&PreparedMessage::text(""));
    assert_eq!(refused, Err(SendError::Closed));
    assert_eq!(server.sent(), b"\x01\x01a\x88\x02\x03\xe9");
}

/// What an application does.
#[derive(Clone, Debug)]
enum Operation {
    Send(Message),
    SendPrepared(Message),
    Offer(Message, OverflowPolicy, usize),
    /// A piece, and whether it is the last.
    Fragment(bool, Vec<u8>, bool),
    Ping(u8),
    /// The peer pings.
    Pinged(u8),
    /// Writes that much.
    Write(usize),
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        2 => "\\PC{0,40}".prop_map(Message::from),
        2 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(Message::from),
        1 => (8000_usize..9000).prop_map(|len| Message::binary(vec![7; len])),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let policy = select(vec![OverflowPolicy::Refuse, OverflowPolicy::DropOldest]);
    // Of a text whose characters are cut anywhere; some pieces are no text at all.
    let piece = prop_oneof![
        4 => (0..6_usize, 1..6_usize).prop_map(|(start, len)| {
            vectors::CHINESE.as_bytes()[start..start + len].to_vec()
        }),
        2 => "\\PC{0,40}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ];
    prop_oneof![
        3 => message().prop_map(Operation::Send),
        1 => message().prop_map(Operation::SendPrepared),
        3 => (message(), policy, 0..4_usize)
            .prop_map(|(message, policy, capacity)| Operation::Offer(message, policy, capacity)),
        4 => (any::<bool>(), piece, prop::bool::weighted(0.3))
            .prop_map(|(is_text, piece, fin)| Operation::Fragment(is_text, piece, fin)),
        1 => any::<u8>().prop_map(Operation::Ping),
        1 => any::<u8>().prop_map(Operation::Pinged),
        4 => prop_oneof![0..10_usize, 0..500_usize, 0..10_000_usize].prop_map(Operation::Write),
    ]
}

/// An end, and what its peer must come to see.
struct Model {
    end: Alone,
    peer: Receiver,
    written: Vec<u8>,
    /// Data messages in order, and whether each was only offered.
    messages: Vec<(oracle::Event, bool)>,
    /// What was accepted of an unfinished message, and where in `messages` it belongs.
    unfinished: Option<(bool, Vec<u8>, usize)>,
    pings: Vec<oracle::Event>,
    largest_frame: usize,
    high: usize,
    dropped: u64,
}

impl Model {
    fn new(is_server: bool, fragment_size: Option<usize>, high: usize) -> Self {
        let config = Config::default()
            .with_fragment_size(fragment_size)
            .with_write_buffer_high(high)
            .with_write_buffer_limit(4000)
            .with_ping_interval(None);
        let (end, peer) = match is_server {
            true => (Alone::server_with(config), Receiver::CLIENT),
            false => (Alone::client_with(config), Receiver::SERVER),
        };
        Self {
            end,
            peer,
            written: Vec::new(),
            messages: Vec::new(),
            unfinished: None,
            pings: Vec::new(),
            largest_frame: fragment_size.unwrap_or(9000) + 14,
            high,
            dropped: 0,
        }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Send(message) => {
                let sent = self.end.connection.send(message.clone());
                self.sent(message, sent.map_err(SendError::from));
            }
            Operation::SendPrepared(message) => {
                let prepared = PreparedMessage::from(&message);
                let sent = self.end.connection.send_prepared(&prepared);
                self.sent(message, sent);
            }
            Operation::Offer(message, policy, capacity) => self.offer(message, policy, capacity),
            Operation::Fragment(is_text, piece, fin) => self.fragment(is_text, piece, fin),
            Operation::Ping(data) => {
                if self.end.connection.ping(&[data]).is_ok() {
                    self.pings.push(oracle::Event::Ping(vec![data]));
                }
            }
            Operation::Pinged(data) => {
                let ping = Frame::ping([data]);
                let ping = match self.peer.is_server {
                    true => ping,
                    false => ping.masked(vectors::KEY),
                };
                assert_eq!(self.end.receive(&ping.bytes()).len(), 1);
            }
            Operation::Write(count) => self.write(count),
        }
        let backlog = self.end.connection.backlog();
        let offered = self.messages.iter().filter(|(_, offered)| *offered);
        assert!(backlog <= offered.count());
        assert_eq!(self.end.connection.dropped(), self.dropped);
    }

    fn sent(&mut self, message: Message, sent: Result<(), SendError>) {
        match sent {
            Ok(()) => {
                assert!(self.unfinished.is_none());
                self.messages.push((event(&message), false));
            }
            Err(SendError::MessageUnfinished) => assert!(self.unfinished.is_some()),
            Err(error) => assert_eq!(error, SendError::BufferFull),
        }
    }

    fn offer(&mut self, message: Message, policy: OverflowPolicy, capacity: usize) {
        // Asking for what is owed lets the backlog move up.
        self.end.connection.transmit();
        let before = self.end.connection.backlog();
        let prepared = PreparedMessage::from(&message);
        match self.end.connection.offer(&prepared, policy, capacity) {
            Offered::Queued => assert_eq!((before, &self.unfinished), (0, &None)),
            Offered::Backlogged => assert!(before < capacity),
            Offered::DroppedOldest => {
                assert!(before >= capacity && policy == OverflowPolicy::DropOldest);
                self.drop_offered(before, 1);
            }
            Offered::Refused => {
                assert!(before >= capacity);
                return;
            }
            Offered::Closed => panic!("nobody closed"),
        }
        self.messages.push((event(&message), true));
    }

    /// Forgets the oldest `count` of the `backlog` newest offered messages.
    fn drop_offered(&mut self, backlog: usize, count: usize) {
        for left in (0..backlog).rev().take(count) {
            let offered = self.messages.iter().enumerate().rev();
            let mut offered = offered.filter(|(_, (_, offered))| *offered);
            let (index, _) = offered.nth(left).expect("that many were offered");
            self.messages.remove(index);
            if let Some((_, _, place)) = &mut self.unfinished
                && index < *place
            {
                *place -= 1;
            }
            self.dropped += 1;
        }
    }

    fn fragment(&mut self, is_text: bool, piece: Vec<u8>, fin: bool) {
        let kind = if is_text { Text } else { Binary };
        let payload = Bytes::from(piece.clone());
        let sent = self.end.connection.send_fragment(kind, payload, fin);
        let place = self.messages.len();
        let (was_text, so_far, place) = self
            .unfinished
            .clone()
            .unwrap_or_else(|| (is_text, Vec::new(), place));
        let whole = [so_far, piece].concat();
        let could_be = match fin {
            true => std::str::from_utf8(&whole).is_ok(),
            false => oracle::could_become_utf8(&whole),
        };
        match sent {
            Err(SendError::MessageUnfinished) => assert_ne!(was_text, is_text),
            Err(SendError::InvalidUtf8) => assert!(is_text && !could_be),
            Err(error) => assert_eq!(error, SendError::BufferFull),
            Ok(()) => {
                assert_eq!(was_text, is_text);
                assert!(!is_text || could_be);
                self.unfinished = Some((is_text, whole, place));
            }
        }
        if fin
            && sent.is_ok()
            && let Some((is_text, whole, place)) = self.unfinished.take()
        {
            let event = match is_text {
                true => oracle::Event::Text(String::from_utf8(whole).expect("it was checked")),
                false => oracle::Event::Binary(whole),
            };
            self.messages.insert(place, (event, false));
        }
    }

    fn write(&mut self, count: usize) {
        let transmit = self.end.connection.transmit();
        let count = count.min(transmit.remaining());
        self.written
            .extend_from_slice(&transmit.copy_to_bytes(count));
        let before = transmit.remaining();
        let after = self.end.connection.transmit().remaining();
        if after > before {
            // A Pong may have waited too.
            assert!(after <= self.high + self.largest_frame + 139);
        }
    }

    /// Closes or leaves it, writes the rest, and compares.
    fn finish(mut self, closes: bool) {
        if closes {
            self.end.connection.transmit();
            let backlog = self.end.connection.backlog();
            let closed = self.end.connection.close(CloseCode::NORMAL, "");
            closed.expect("it was open");
            self.drop_offered(backlog, backlog);
            assert_eq!(self.end.connection.dropped(), self.dropped);
        }
        self.written.extend(self.end.sent());
        if !closes && self.unfinished.is_some() {
            let (is_text, so_far, _) = self.unfinished.clone().expect("it was looked at");
            // The end of the character that text may have been cut in.
            let ends: [&[u8]; 4] = [b"", b"\x80", b"\x80\x80", b"\x80\x80\x80"];
            let end = match is_text {
                true => ends
                    .into_iter()
                    .find(|end| std::str::from_utf8(&[&so_far[..], end].concat()).is_ok()),
                false => Some(ends[0]),
            };
            if let Some(end) = end {
                self.fragment(is_text, end.to_vec(), true);
                self.written.extend(self.end.sent());
            }
        }
        let (events, outcome) = self.peer.decode(&self.written);
        assert_eq!(closes, outcome == Outcome::Closed);
        assert!(!matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        let (data, control): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| matches!(event, oracle::Event::Text(_) | oracle::Event::Binary(_)));
        let held = match &self.unfinished {
            // What was offered behind a message that never ends never goes.
            Some((_, _, place)) if !closes => *place,
            _ => self.messages.len(),
        };
        let messages = self.messages.into_iter().take(held);
        let expected: Vec<_> = messages.map(|(event, _)| event).collect();
        assert_eq!(data, expected);
        let pings: Vec<_> = control
            .into_iter()
            .filter(|event| matches!(event, oracle::Event::Ping(_)))
            .collect();
        assert_eq!(pings, self.pings);
        assert!(self.end.connection.transmit().remaining() == 0);
        assert!(!self.end.connection.wants_flush());
    }
}

fn event(message: &Message) -> oracle::Event {
    match message {
        Message::Text(text) => oracle::Event::Text(text.as_str().to_owned()),
        Message::Binary(bytes) => oracle::Event::Binary(bytes.to_vec()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_interleaving_arrives_whole_and_in_order(
        is_server in any::<bool>(),
        fragment_size in select(vec![None, Some(1), Some(7), Some(100), Some(9000)]),
        high in select(vec![1, 50, 1000]),
        operations in proptest::collection::vec(operation(), 0..40),
        closes in any::<bool>(),
    ) {
        // spec: F-16, G-01, G-07, G-14, C-12
        let mut model = Model::new(is_server, fragment_size, high);
        for operation in operations {
            model.apply(operation);
        }
        model.finish(closes);
    }
}
