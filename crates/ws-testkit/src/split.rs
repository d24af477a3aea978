//! The first invariant of the connection as a check: however its bytes are cut, the events are those of the oracle.

use bytes::BytesMut;
use ws_proto::Config;

use crate::oracle::{Event, Outcome, Receiver};
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
}

/// Feeds `bytes` to a connection in `pieces` and compares events, outcome and replies with the oracle.
///
/// # Panics
///
/// If the connection and the oracle disagree.
pub fn assert_agrees(receiver: Receiver, bytes: &[u8], pieces: impl IntoIterator<Item = Piece>) {
    let mut end = connection(receiver);
    // Pieces of one read buffer lie side by side, as when a binding reads several times before it parks.
    let mut read_buffer = BytesMut::with_capacity(bytes.len());
    let mut pieces = pieces.into_iter();
    let mut events: Vec<Event> = Vec::new();
    let mut sent = Vec::new();
    let mut done = 0;
    while done < bytes.len() {
        let left = bytes.len() - done;
        let piece = pieces.next().unwrap_or(Piece {
            len: left,
            delivery: Delivery::ReceiveBuffer,
            parks: false,
        });
        let fresh = &bytes[done..done + piece.len.min(left)];
        done += fresh.len();
        let received = match piece.delivery {
            Delivery::ReceiveBuffer => end.receive(fresh),
            Delivery::Handed => end.receive_handed(fresh),
            Delivery::Scratch => {
                read_buffer.extend_from_slice(fresh);
                end.connection.handle_received(read_buffer.split());
                end.events()
            }
        };
        events.extend(received.into_iter().map(Event::from));
        if piece.parks {
            end.connection.park();
        }
        sent.extend(end.sent());
        if bytes.len() <= PREFIXES_MAX || done == bytes.len() {
            let expected = receiver.decode(&bytes[..done]);
            let actual = (events.clone(), end.outcome());
            assert_eq!(actual, expected, "after {done} of {bytes:x?}");
        }
    }
    assert_replies(receiver, &events, end.outcome(), &sent);
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
