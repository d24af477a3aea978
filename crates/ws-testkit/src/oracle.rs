//! A decoder of a whole byte string, for comparison with the real one.
//!
//! It sees all bytes at once, allocates freely, knows no speed and shares no code with the crates it judges: each
//! rule of RFC 6455 stands here a second time, in the plainest form.

/// What the peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// How the byte string ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All that came was good, and more may come.
    Open,
    /// A Close frame came; whatever follows it does not count.
    Closed,
    /// The peer has to be failed with this status code.
    Failed(u16),
}

/// What the receiving end is.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    /// A server demands masks, a client refuses them.
    pub is_server: bool,
    /// Largest payload of a data frame.
    pub max_frame_size: u64,
    /// Largest message.
    pub max_message_size: u64,
    /// Most continuation frames of a message.
    pub max_fragments: u64,
}

impl Receiver {
    /// A server without limits.
    pub const SERVER: Self = Self {
        is_server: true,
        max_frame_size: u64::MAX,
        max_message_size: u64::MAX,
        max_fragments: u64::MAX,
    };
    /// A client without limits.
    pub const CLIENT: Self = Self {
        is_server: false,
        ..Self::SERVER
    };

    /// Everything that `bytes` say, from the first frame on.
    pub fn decode(&self, bytes: &[u8]) -> (Vec<Event>, Outcome) {
        let mut events = Vec::new();
        let outcome = self.read(bytes, &mut events, &mut None);
        (events, outcome)
    }

    /// What `bytes` say of a message that is unfinished at their end: of a text only whole characters, and nothing
    /// behind a byte that is wrong.
    pub fn unfinished(&self, bytes: &[u8]) -> Vec<u8> {
        let mut message = None;
        self.read(bytes, &mut Vec::new(), &mut message);
        let Some(mut partial) = message else {
            return Vec::new();
        };
        if partial.is_text
            && let Err(error) = std::str::from_utf8(&partial.payload)
        {
            partial.payload.truncate(error.valid_up_to());
        }
        partial.payload
    }

    fn read(
        &self,
        bytes: &[u8],
        events: &mut Vec<Event>,
        message: &mut Option<Partial>,
    ) -> Outcome {
        let mut rest = bytes;
        loop {
            let header = match read_header(rest) {
                Header::Whole(header) => header,
                Header::Bad => return Outcome::Failed(1002),
                Header::Cut => return Outcome::Open,
            };
            if let Err(code) = self.judge(&header, message.as_ref()) {
                return Outcome::Failed(code);
            }
            rest = &rest[header.size..];
            let arrived = rest
                .len()
                .min(header.length.min(usize::MAX as u64) as usize);
            let whole = arrived as u64 == header.length;
            let payload = unmask(&rest[..arrived], header.key);
            rest = &rest[arrived..];

            match header.opcode {
                0..=2 => {
                    let partial = message.get_or_insert(Partial {
                        is_text: header.opcode == 1,
                        frames: 0,
                        payload: Vec::new(),
                    });
                    partial.frames += 1;
                    partial.payload.extend(payload);
                    if partial.is_text && !could_become_utf8(&partial.payload) {
                        return Outcome::Failed(1007);
                    }
                    if !whole {
                        return Outcome::Open;
                    }
                    if header.fin {
                        if !partial.is_text {
                            events.push(Event::Binary(partial.payload.clone()));
                        } else if let Ok(text) = String::from_utf8(partial.payload.clone()) {
                            events.push(Event::Text(text));
                        } else {
                            return Outcome::Failed(1007);
                        }
                        *message = None;
                    }
                }
                _ if !whole => return Outcome::Open,
                8 => match close_body(&payload) {
                    Ok(body) => {
                        events.push(Event::Close(body));
                        return Outcome::Closed;
                    }
                    Err(code) => return Outcome::Failed(code),
                },
                9 => events.push(Event::Ping(payload)),
                _ => events.push(Event::Pong(payload)),
            }
        }
    }

    /// What a header alone can be refused for.
    fn judge(&self, header: &HeaderFields, message: Option<&Partial>) -> Result<(), u16> {
        if header.rsv != 0 {
            return Err(1002);
        }
        if header.key.is_some() != self.is_server {
            return Err(1002);
        }
        let is_control = header.opcode >= 8;
        if is_control {
            return Ok(());
        }
        // Only a continuation may come while a message is open, and only then may one come.
        if (header.opcode == 0) != message.is_some() {
            return Err(1002);
        }
        let (so_far, frames) = message.map_or((0, 0), |m| (m.payload.len() as u64, m.frames));
        let too_large = header.length > self.max_frame_size
            || so_far.saturating_add(header.length) > self.max_message_size
            || frames > self.max_fragments;
        if too_large { Err(1009) } else { Ok(()) }
    }
}

/// One frame as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the header's fields")]
pub struct WireFrame {
    pub fin: bool,
    pub opcode: u8,
    pub masked: bool,
    /// Unmasked.
    pub payload: Vec<u8>,
    /// Where in the byte string it ends.
    pub end: usize,
}

/// The whole frames at the beginning of `bytes`, whatever they mean together. They end before a frame that is cut off
/// and before a header that no receiver may accept.
pub fn frames(bytes: &[u8]) -> Vec<WireFrame> {
    let mut frames = Vec::new();
    let mut begin = 0;
    while let Header::Whole(header) = read_header(&bytes[begin..]) {
        let payload = &bytes[begin + header.size..];
        if (payload.len() as u64) < header.length {
            break;
        }
        let payload = unmask(&payload[..header.length as usize], header.key);
        begin += header.size + payload.len();
        frames.push(WireFrame {
            fin: header.fin,
            opcode: header.opcode,
            masked: header.key.is_some(),
            payload,
            end: begin,
        });
    }
    frames
}

struct Partial {
    is_text: bool,
    frames: u64,
    payload: Vec<u8>,
}

struct HeaderFields {
    fin: bool,
    rsv: u8,
    opcode: u8,
    length: u64,
    key: Option<[u8; 4]>,
    size: usize,
}

enum Header {
    Whole(HeaderFields),
    /// No further bytes could make it good.
    Bad,
    /// Good so far.
    Cut,
}

fn read_header(bytes: &[u8]) -> Header {
    let Some(&first) = bytes.first() else {
        return Header::Cut;
    };
    let opcode = first & 0x0f;
    let fin = first >= 0x80;
    let known = [0, 1, 2, 8, 9, 10].contains(&opcode);
    if !known || (opcode >= 8 && !fin) {
        return Header::Bad;
    }
    let Some(&second) = bytes.get(1) else {
        return Header::Cut;
    };
    let masked = second >= 0x80;
    let len7 = second & 0x7f;
    if opcode >= 8 && len7 > 125 {
        return Header::Bad;
    }
    let extended = match len7 {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let extension = &bytes[2..bytes.len().min(2 + extended)];
    if len7 == 127 {
        if extension.first().is_some_and(|first| *first > 0x7f) {
            return Header::Bad;
        }
        if extension.len() >= 6 && extension[..6] == [0; 6] {
            return Header::Bad;
        }
    }
    if extension.len() < extended {
        return Header::Cut;
    }
    let mut length = 0;
    for byte in extension {
        length = length * 256 + u64::from(*byte);
    }
    if len7 == 126 && length < 126 {
        return Header::Bad;
    }
    if extended == 0 {
        length = u64::from(len7);
    }
    let size = 2 + extended + if masked { 4 } else { 0 };
    if bytes.len() < size {
        return Header::Cut;
    }
    let key = masked.then(|| {
        let mut key = [0; 4];
        key.copy_from_slice(&bytes[size - 4..size]);
        key
    });
    Header::Whole(HeaderFields {
        fin,
        rsv: first >> 4 & 0b111,
        opcode,
        length,
        key,
        size,
    })
}

fn unmask(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or([0; 4]);
    payload
        .iter()
        .enumerate()
        .map(|(index, byte)| byte ^ key[index % 4])
        .collect()
}

/// Whether `bytes` are UTF-8 or the beginning of some.
pub fn could_become_utf8(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

/// Whether a Close frame may carry `code` (RFC 6455 §7.4 and its registry).
pub const fn may_be_on_wire(code: u16) -> bool {
    if code < 1000 || code >= 5000 {
        return false;
    }
    if code >= 3000 {
        return true;
    }
    code <= 1014 && code != 1004 && code != 1005 && code != 1006
}

fn close_body(body: &[u8]) -> Result<Option<(u16, String)>, u16> {
    match body {
        [] => Ok(None),
        [_] => Err(1002),
        [high, low, reason @ ..] => {
            let code = u16::from(*high) * 256 + u16::from(*low);
            if !may_be_on_wire(code) {
                return Err(1002);
            }
            match String::from_utf8(reason.to_vec()) {
                Ok(reason) => Ok(Some((code, reason))),
                Err(_) => Err(1007),
            }
        }
    }
}
