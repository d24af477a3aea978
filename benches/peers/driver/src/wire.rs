//! The bytes on the wire, all made before any clock runs: handshake, masked frames, and the replies they must bring.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::Result;
use crate::contender::Kind;
use crate::scenario::Pattern;

/// The sample key of RFC 6455 section 1.3 and the answer given there.
const REQUEST: &str = "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MAX_RESPONSE: usize = 4096;
const EXTENSIONS: &str = "sec-websocket-extensions";

pub const FIN: u8 = 0x80;
/// Set on the first frame of a compressed message (RFC 7692 section 6).
pub const RSV1: u8 = 0x40;
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

/// A client's Close with the code 1000: masked with zeros, so that it can be a constant.
pub const CLOSE: &[u8] = &[FIN | CLOSE_OPCODE, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
const CLOSE_OPCODE: u8 = 0x8;

/// Whether this is one frame, a server's Close, with the code 1000 and any reason (RFC 6455 section 5.5.1).
pub fn is_close_reply(bytes: &[u8]) -> bool {
    match bytes {
        [first, len, 0x03, 0xe8, reason @ ..] => {
            *first == FIN | CLOSE_OPCODE && usize::from(*len) == 2 + reason.len()
        }
        _ => false,
    }
}

/// The client's half of the opening handshake, with or without an extension offered.
pub fn request(offer: Option<&str>) -> String {
    let offer = offer.map_or_else(String::new, |offer| format!("{EXTENSIONS}: {offer}\r\n"));
    format!("{REQUEST}{offer}\r\n")
}

/// Whether a server's whole answer to [`request`] accepts it; returns it as text.
pub fn check_response(response: &[u8]) -> Result<&str> {
    let response = std::str::from_utf8(response)?;
    if !response.starts_with("HTTP/1.1 101 ") || !response.contains(ACCEPT) {
        return Err(format!("the handshake was refused: {response}").into());
    }
    Ok(response)
}

/// The opening handshake, on a blocking stream, with or without an extension offered; returns the server's answer to
/// that. Nothing is sent behind the request, so nothing can be left over.
pub fn handshake(stream: &mut TcpStream, offer: Option<&str>) -> Result<Option<String>> {
    stream.write_all(request(offer).as_bytes())?;
    let mut response = Vec::new();
    let mut byte = [0];
    while !response.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        response.push(byte[0]);
        if response.len() > MAX_RESPONSE {
            return Err("the response to the handshake does not end".into());
        }
    }
    let response = check_response(&response)?;
    let mut fields = response.lines().filter_map(|line| line.split_once(':'));
    let answer = fields.find(|(name, _)| name.eq_ignore_ascii_case(EXTENSIONS));
    Ok(answer.map(|(_, value)| value.trim().to_owned()))
}

#[derive(Debug, Clone, Copy)]
pub enum Payload {
    Binary,
    Chinese,
    Quotes,
}

impl Payload {
    /// The opcode and the contents of a message, of `len` bytes, or of up to `len` if they are quotes.
    pub fn message(self, random: &mut Random, len: usize) -> (u8, Vec<u8>) {
        match self {
            Self::Binary => (BINARY, random.bytes(len)),
            Self::Chinese => (TEXT, chinese(random, len)),
            Self::Quotes => (TEXT, quotes(random, len)),
        }
    }
}

/// What a connection sends at once, and what must come back.
pub struct Burst {
    pub outgoing: Vec<u8>,
    pub expected: Vec<u8>,
    /// Length of each reply and of its header, where all replies are alike; the whole otherwise.
    pub reply_len: usize,
    pub header_len: usize,
}

impl Burst {
    /// `count` messages of `len` payload bytes, each with its own contents and masking key. A floor that broadcasts is
    /// sent what the listeners are to get: it cannot unmask.
    pub fn messages(
        kind: Kind,
        pattern: Pattern,
        payload: Payload,
        len: usize,
        count: usize,
    ) -> Self {
        let is_masked = (kind, pattern) != (Kind::Floor, Pattern::Broadcast);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let (mut outgoing, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (opcode, payload) = payload.message(&mut random, len);
            let key = is_masked.then(|| random.key());
            put_frame(&mut outgoing, FIN | opcode, key, &payload);
            put_frame(&mut expected, FIN | opcode, None, &payload);
        }
        let masking_key_len = if kind == Kind::Floor && is_masked {
            4
        } else {
            0
        };
        let burst = Self::conversation(kind, outgoing, expected);
        if matches!(payload, Payload::Quotes) {
            // Not all of one length.
            return burst;
        }
        let reply_len = burst.expected.len() / count;
        Self {
            reply_len,
            header_len: header_len(len) + masking_key_len,
            ..burst
        }
    }

    /// Any frames, and what a WebSocket echo answers to them; a floor sends back what it was sent.
    pub fn conversation(kind: Kind, outgoing: Vec<u8>, expected: Vec<u8>) -> Self {
        let expected = if kind == Kind::Floor {
            outgoing.clone()
        } else {
            expected
        };
        Self {
            reply_len: expected.len(),
            header_len: expected.len(),
            outgoing,
            expected,
        }
    }
}

/// Appends one frame (RFC 6455 section 5.2); `first` is its first byte.
pub fn put_frame(to: &mut Vec<u8>, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
    to.push(first);
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..=125 => to.push(mask_bit | len as u8),
        len @ 126..=0xffff => {
            to.push(mask_bit | 126);
            to.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            to.push(mask_bit | 127);
            to.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    match key {
        None => to.extend_from_slice(payload),
        Some(key) => {
            to.extend_from_slice(&key);
            to.extend(
                payload
                    .iter()
                    .zip(key.iter().cycle())
                    .map(|(byte, key)| byte ^ key),
            );
        }
    }
}

/// Length of an unmasked frame's header.
fn header_len(payload_len: usize) -> usize {
    match payload_len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// `len` bytes of running text: three-byte characters with some ASCII between them, and ASCII to fill the end.
pub fn chinese(random: &mut Random, len: usize) -> Vec<u8> {
    const CHARACTERS: [char; 16] = [
        '的', '一', '是', '不', '了', '人', '我', '在', '有', '他', '这', '为', '之', '大', '，',
        '。',
    ];
    let mut text = String::with_capacity(len);
    loop {
        let draw = random.next();
        let next = if draw.is_multiple_of(24) {
            '7'
        } else {
            CHARACTERS[(draw >> 32) as usize % CHARACTERS.len()]
        };
        if text.len() + next.len_utf8() > len {
            break;
        }
        text.push(next);
    }
    let mut text = text.into_bytes();
    text.resize(len, b'.');
    text
}

/// Stock quotes in JSON, as many as have room in `len` bytes: much alike from one message to the next, and never equal.
pub fn quotes(random: &mut Random, len: usize) -> Vec<u8> {
    const SYMBOLS: [&str; 16] = [
        "AAPL", "ADBE", "AMD", "AMZN", "ASML", "AVGO", "COST", "CSCO", "GOOG", "INTC", "META",
        "MSFT", "NFLX", "NVDA", "PEP", "TSLA",
    ];
    const END: &str = "]}";
    let mut text = format!(
        r#"{{"type":"quotes","seq":{},"ts":{},"quotes":["#,
        random.below(1_000_000),
        1_760_000_000_000 + random.below(1_000_000_000),
    );
    let mut comma = "";
    loop {
        let symbol = random.below(SYMBOLS.len() as u64) as usize;
        let bid = 10_000 + symbol as u64 * 2_500 + random.below(100);
        let ask = bid + 1 + random.below(5);
        let next = format!(
            r#"{comma}{{"symbol":"{}","bid":{}.{:02},"ask":{}.{:02},"volume":{}}}"#,
            SYMBOLS[symbol],
            bid / 100,
            bid % 100,
            ask / 100,
            ask % 100,
            100 * random.below(500),
        );
        if text.len() + next.len() + END.len() > len {
            break;
        }
        text += &next;
        comma = ",";
    }
    (text + END).into_bytes()
}

/// Xorshift: repeatable, and good enough for contents and keys nobody guesses at.
pub struct Random(pub u64);

impl Random {
    /// One of many that have nothing to do with each other.
    pub const fn seeded(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    pub fn key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        [a, b, c, d]
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes())
            .flatten()
            .take(len)
            .collect()
    }
}
