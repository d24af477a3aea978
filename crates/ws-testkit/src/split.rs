//! The first invariant of the connection as a check: however its bytes are cut, the events are those of the oracle.

use bytes::BytesMut;
use ws_proto::{Chunk, Config, MessageKind};

use crate::oracle::{Event, Outcome, Receiver};
use crate::pair::{receive_alone, receive_carried, receive_in_place, receive_in_taken};
use crate::{Alone, Delivery};

/// Up to this length every prefix is compared, beyond it only the whole.
const PREFIXES_MAX: usize = 2048;

/// How one piece of a byte string arrives.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// How many bytes it has; the last piece takes what is left.
    pub len: usize,
    /// How it reaches the connection.
    pub delivery: Delivery,
    /// Whether the connection is parked after it.
    pub parks: bool,
    /// Whether messages that are arriving or arrive with it are to be delivered in pieces.
    pub streams: bool,
    /// Whether messages that are complete with it are read where they lie, and some of them taken as others are.
    pub lends: bool,
}

/// Feeds `bytes` to a connection in `pieces` and compares events, outcome and replies with the oracle.
///
/// What is delivered in pieces counts as a message when it is complete, and until then has to be all that has arrived of
/// it. Since neither frames nor fragments are limited then, a `receiver` must not limit them where pieces are asked for.
///
/// # Panics
///
/// If the connection and the oracle disagree.
pub fn assert_agrees(receiver: Receiver, bytes: &[u8], pieces: impl IntoIterator<Item = Piece>) {
    let mut end = Listener::new(receiver);
    // Pieces of one read buffer lie side by side, as when a binding reads several times before it parks.
    let mut read_buffer = BytesMut::with_capacity(bytes.len());
    let mut pieces = pieces.into_iter();
    let mut sent = Vec::new();
    let mut done = 0;
    while done < bytes.len() {
        let left = bytes.len() - done;
        let piece = pieces.next().unwrap_or(Piece {
            len: left,
            delivery: Delivery::ReceiveBuffer,
            parks: false,
            streams: false,
            lends: false,
        });
        let fresh = &bytes[done..done + piece.len.min(left)];
        done += fresh.len();
        let connection = &mut end.end.connection;
        match piece.delivery {
            Delivery::ReceiveBuffer => connection.receive_buffer().extend_from_slice(fresh),
            Delivery::PayloadBuffer => receive_in_place(connection, fresh),
            Delivery::TakenPayload => receive_in_taken(connection, fresh),
            Delivery::Handed => connection.handle_received(BytesMut::from(fresh)),
            Delivery::Scratch => {
                read_buffer.extend_from_slice(fresh);
                connection.handle_received(read_buffer.split());
            }
            Delivery::Carried => receive_carried(connection, fresh),
            Delivery::Alone => {
                let message = receive_alone(connection, fresh).map(ws_proto::Event::Message);
                end.events.extend(message.map(Event::from));
            }
        }
        let streams = piece.streams && end.end.outcome() == Outcome::Open;
        end.poll(streams, piece.lends);
        if piece.parks {
            end.end.connection.park();
        }
        sent.extend(end.end.sent());
        if bytes.len() <= PREFIXES_MAX || done == bytes.len() {
            let expected = receiver.decode(&bytes[..done]);
            let actual = (end.events.clone(), end.end.outcome());
            assert_eq!(actual, expected, "after {done} of {bytes:x?}");
            if streams || !end.delivered.is_empty() {
                let unfinished = receiver.unfinished(&bytes[..done]);
                assert_eq!(end.delivered, unfinished, "after {done} of {bytes:x?}");
            }
        }
    }
    assert_replies(receiver, &end.events, end.end.outcome(), &sent);
}

/// A connection, and all that it has said.
struct Listener {
    end: Alone,
    max_message_size: u64,
    events: Vec<Event>,
    /// What has been delivered of an unfinished message.
    delivered: Vec<u8>,
    /// Whether a message has begun that is delivered in pieces.
    is_within: bool,
}

impl Listener {
    fn new(receiver: Receiver) -> Self {
        Self {
            end: connection(receiver),
            max_message_size: receiver.max_message_size,
            events: Vec::new(),
            delivered: Vec::new(),
            is_within: false,
        }
    }

    fn poll(&mut self, streams: bool, lends: bool) {
        for asked in 0_usize.. {
            if streams {
                self.end.connection.stream_message(self.max_message_size);
            }
            // One way follows the other, and itself.
            let polled = match lends && asked % 3 < 2 {
                true => self.end.poll_lent(),
                false => self.end.connection.poll_event(),
            };
            match polled {
                Ok(Some(ws_proto::Event::Chunk(chunk))) => self.take(&chunk),
                Ok(Some(event)) => self.events.push(event.into()),
                Ok(None) => return,
                Err(error) => {
                    assert_eq!(self.end.error, None, "an error is reported once");
                    self.end.error = Some(error);
                }
            }
        }
    }

    fn take(&mut self, chunk: &Chunk) {
        assert_eq!(chunk.first, !self.is_within);
        assert!(chunk.last || !chunk.data.is_empty());
        let text = chunk.as_text();
        assert_eq!(text.is_some(), chunk.kind == MessageKind::Text);
        self.is_within = !chunk.last;
        self.delivered.extend_from_slice(&chunk.data);
        if chunk.last {
            let whole = std::mem::take(&mut self.delivered);
            self.events.push(match chunk.kind {
                MessageKind::Text => Event::Text(String::from_utf8(whole).expect("all chunks are")),
                MessageKind::Binary => Event::Binary(whole),
            });
        }
    }
}

/// Every Ping has its Pong, a Close its echo and a violation its code, in order, and nothing else was sent.
fn assert_replies(receiver: Receiver, events: &[Event], outcome: Outcome, sent: &[u8]) {
    let mut expected: Vec<Event> = events
        .iter()
        .filter_map(|event| match event {
            Event::Ping(data) => Some(Event::Pong(data.clone())),
            Event::Close(body) => {
                let code = body.as_ref().map(|(code, _)| (*code, String::new()));
                Some(Event::Close(code))
            }
            _ => None,
        })
        .collect();
    if let Outcome::Failed(code) = outcome {
        expected.push(Event::Close(Some((code, String::new()))));
    }
    let peer = Receiver {
        is_server: !receiver.is_server,
        ..Receiver::SERVER
    };
    let (replies, reply_outcome) = peer.decode(sent);
    assert_eq!(replies, expected, "the replies");
    assert_eq!(reply_outcome == Outcome::Open, outcome == Outcome::Open);
}

fn connection(receiver: Receiver) -> Alone {
    let size = |len: u64| usize::try_from(len).unwrap_or(usize::MAX);
    let config = Config::default()
        .with_max_frame_size(size(receiver.max_frame_size))
        .with_max_message_size(size(receiver.max_message_size))
        .with_max_fragments(u32::try_from(receiver.max_fragments).unwrap_or(u32::MAX))
        .with_ping_interval(None);
    match receiver.is_server {
        true => Alone::server_with(config),
        false => Alone::client_with(config),
    }
}
