//! A whole conversation in advance, to be run over a [`ChoppedIo`](crate::ChoppedIo) again and again.

use ws_proto::Message;

use crate::oracle::{Event, Receiver};
use crate::vectors::{CHINESE, KEY};
use crate::{Frame, Prng};

/// A client's opening handshake with the key of RFC 6455 §1.3, line by line.
pub const REQUEST_LINES: [&str; 6] = [
    "GET /chat HTTP/1.1",
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// The only answer to [`REQUEST_LINES`] that agrees on nothing else.
pub const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    \r\n";

/// The application data of the Ping in every [`Script`].
const PING: &[u8] = b"\x00ping\xff";

/// One conversation from the point of view of one end: everything that its peer says, and what has to come of it.
///
/// The end under test echoes each message. If it [closes](Self::closes_first), it does so with 1000 when it has echoed
/// them all; otherwise the peer does.
#[derive(Clone, Debug)]
pub struct Script {
    /// Whether the end under test is the server.
    pub is_server: bool,
    /// Whether the end under test closes.
    pub closes_first: bool,
    /// Everything that the peer sends: its opening handshake, frames and a Close frame. Then it ends.
    pub incoming: Vec<u8>,
    /// How much of that is the opening handshake.
    pub head_len: usize,
    /// The messages in it.
    pub messages: Vec<Message>,
}

impl Script {
    /// Both roles, and either end closing.
    pub fn all() -> [Self; 4] {
        [
            Self::new(true, false),
            Self::new(true, true),
            Self::new(false, false),
            Self::new(false, true),
        ]
    }

    fn new(is_server: bool, closes_first: bool) -> Self {
        let binary = Prng::new(7).bytes(130);
        // Inside the second character.
        let (front, back) = CHINESE.as_bytes().split_at(4);
        let frames = [
            Frame::text("Hello"),
            Frame::binary(binary.clone()),
            Frame::text(front).not_fin(),
            Frame::ping(PING),
            Frame::continuation(back),
            Frame::text(""),
            Frame::close(1000, "bye"),
        ];
        let head = if is_server {
            REQUEST_LINES.join("\r\n") + "\r\n\r\n"
        } else {
            RESPONSE.to_owned()
        };
        let mut incoming = head.into_bytes();
        let head_len = incoming.len();
        for frame in frames {
            let frame = if is_server { frame.masked(KEY) } else { frame };
            incoming.extend(frame.bytes());
        }
        Self {
            is_server,
            closes_first,
            incoming,
            head_len,
            messages: vec![
                Message::text("Hello"),
                Message::binary(binary),
                Message::text(CHINESE),
                Message::text(""),
            ],
        }
    }

    /// Judges a run that something disturbed: whatever was delivered and written is the beginning of what it should
    /// have been, in order and not torn.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn assert_begun(&self, delivered: &[Message], written: &[u8]) {
        self.assert_delivered(delivered);
        let head = self.outgoing_head();
        let Some(frames) = written.strip_prefix(head.as_bytes()) else {
            assert!(
                head.as_bytes().starts_with(written),
                "no handshake: {}",
                written.escape_ascii()
            );
            return;
        };
        self.assert_begun_frames(delivered, frames);
    }

    /// The same of a run that began after the opening handshake.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn assert_begun_frames(&self, delivered: &[Message], frames: &[u8]) {
        self.assert_delivered(delivered);
        let (events, _) = self.peer().decode(frames);
        let echoed = messages_in(&events);
        assert!(self.messages.starts_with(&echoed), "echoed {echoed:?}");
        for event in &events {
            match event {
                Event::Pong(data) => assert_eq!(data, PING),
                Event::Close(body) => {
                    assert!(matches!(body, Some((1000, _))), "closed with {body:?}");
                }
                Event::Ping(data) => panic!("a Ping {data:?} that nobody sent"),
                Event::Text(_) | Event::Binary(_) => {}
            }
        }
        let opcodes = opcodes(frames);
        if let Some(closed) = opcodes.iter().position(|opcode| *opcode == 8) {
            assert!(
                opcodes[closed + 1..].iter().all(|opcode| *opcode == 10),
                "behind a Close there are {opcodes:?}"
            );
        }
    }

    /// Judges a run that nothing but delay disturbed.
    ///
    /// # Panics
    ///
    /// If anything is missing.
    pub fn assert_whole(&self, delivered: &[Message], written: &[u8]) {
        let head = self.outgoing_head();
        let frames = written.strip_prefix(head.as_bytes());
        self.assert_whole_frames(delivered, frames.expect("it begins with the handshake"));
    }

    /// The same of a run that began after the opening handshake.
    ///
    /// # Panics
    ///
    /// If anything is missing.
    pub fn assert_whole_frames(&self, delivered: &[Message], frames: &[u8]) {
        self.assert_begun_frames(delivered, frames);
        assert_eq!(delivered, self.messages);
        let (events, _) = self.peer().decode(frames);
        assert_eq!(messages_in(&events), self.messages);
        assert!(events.contains(&Event::Pong(PING.to_vec())), "{events:?}");
        assert!(
            matches!(events.last(), Some(Event::Close(Some((1000, _))))),
            "{events:?}"
        );
    }

    fn assert_delivered(&self, delivered: &[Message]) {
        assert!(
            self.messages.starts_with(delivered),
            "delivered {delivered:?}"
        );
    }

    fn outgoing_head(&self) -> String {
        if self.is_server {
            RESPONSE.to_owned()
        } else {
            REQUEST_LINES.join("\r\n") + "\r\n\r\n"
        }
    }

    /// Who reads what the end under test writes.
    fn peer(&self) -> Receiver {
        if self.is_server {
            Receiver::CLIENT
        } else {
            Receiver::SERVER
        }
    }
}

fn messages_in(events: &[Event]) -> Vec<Message> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Text(text) => Some(Message::text(text.as_str())),
            Event::Binary(bytes) => Some(Message::binary(bytes.clone())),
            _ => None,
        })
        .collect()
}

/// The opcodes of the frames in `bytes`, whatever they mean; the last frame may be cut off.
pub fn opcodes(mut bytes: &[u8]) -> Vec<u8> {
    let mut opcodes = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        opcodes.push(first & 0x0f);
        let (length_len, short) = match second & 0x7f {
            126 => (2, None),
            127 => (8, None),
            short => (0, Some(usize::from(short))),
        };
        let Some((length, rest)) = rest.split_at_checked(length_len) else {
            break;
        };
        let length = short.unwrap_or_else(|| {
            length
                .iter()
                .fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
        });
        let mask_len = if second & 0x80 == 0 { 0 } else { 4 };
        bytes = rest.get(mask_len + length..).unwrap_or_default();
    }
    opcodes
}
