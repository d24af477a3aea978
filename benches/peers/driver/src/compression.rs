//! permessage-deflate (RFC 7692) from the client's side, with codecs that none of our own libraries use to read: what
//! was agreed, messages compressed, and the server's messages read.

use flate2::{Compress, Compression, FlushCompress, Status};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use crate::Result;
use crate::wire::{CONTINUATION, FIN, RSV1};

/// What ends a flushed stream, and is not sent (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
const EMPTY: u8 = 0;
/// The level browsers and zlib default to.
const LEVEL: Compression = Compression::new(6);
const MAX_WINDOW: u8 = 15;
/// zlib has no window of 8 bits; with 9 it refers no further back than 250 bytes.
const MIN_WINDOW: u8 = 9;

/// What a server has answered to an offer.
#[derive(Debug, Clone, Copy)]
pub struct Agreed {
    client_takeover: bool,
    client_window: u8,
    server_takeover: bool,
}

impl Agreed {
    pub fn parse(answer: Option<&str>) -> Result<Self> {
        let answer = answer.ok_or("compression was declined")?;
        let mut parameters = answer.split(';').map(str::trim);
        if parameters.next() != Some("permessage-deflate") {
            return Err(format!("not the extension that was offered: {answer}").into());
        }
        let mut agreed = Self {
            client_takeover: true,
            client_window: MAX_WINDOW,
            server_takeover: true,
        };
        for parameter in parameters {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("client_no_context_takeover", "") => agreed.client_takeover = false,
                ("server_no_context_takeover", "") => agreed.server_takeover = false,
                ("client_max_window_bits", bits) => agreed.client_window = bits.parse()?,
                // What the server may refer to is less than what can be read here.
                ("server_max_window_bits", bits) => drop(bits.parse::<u8>()?),
                _ => return Err(format!("not among the parameters: {answer}").into()),
            }
        }
        Ok(agreed)
    }
}

/// Compresses a client's messages, in the order they are sent in.
pub struct Deflater {
    compress: Compress,
    takeover: bool,
}

impl Deflater {
    pub fn new(agreed: Agreed) -> Self {
        let window = agreed.client_window.clamp(MIN_WINDOW, MAX_WINDOW);
        Self {
            compress: Compress::new_with_window_bits(LEVEL, false, window),
            takeover: agreed.client_takeover,
        }
    }

    /// The payload that stands for `plain`.
    pub fn message(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        if plain.is_empty() {
            return Ok(vec![EMPTY]);
        }
        if !self.takeover {
            self.compress.reset();
        }
        // Room enough for all of it at once: what does not shrink is stored, 5 bytes more for each block.
        let mut payload = Vec::with_capacity(plain.len() + plain.len() / 8 + 64);
        let before = self.compress.total_in();
        let status = self
            .compress
            .compress_vec(plain, &mut payload, FlushCompress::Sync)?;
        let consumed = self.compress.total_in() - before;
        if status != Status::Ok || consumed != plain.len() as u64 || !payload.ends_with(&TAIL) {
            return Err("the generator could not compress a message".into());
        }
        payload.truncate(payload.len() - TAIL.len());
        Ok(payload)
    }
}

/// A message, or a control frame.
#[derive(Debug)]
pub struct Reply<'a> {
    pub opcode: u8,
    pub compressed: bool,
    /// On the wire, without the frames' headers.
    pub payload_len: usize,
    pub plain: &'a [u8],
}

/// Reads what a server sends, in whatever parts it comes.
pub struct Replies {
    /// The beginning of a frame.
    unread: Vec<u8>,
    takeover: bool,
    inflater: Box<InflateState>,
    /// The message in progress: its first byte on the wire, what came of it, and that without compression.
    first: u8,
    payload: Vec<u8>,
    plain: Vec<u8>,
}

impl Replies {
    pub fn new(agreed: Agreed) -> Self {
        Self {
            unread: Vec::new(),
            takeover: agreed.server_takeover,
            inflater: InflateState::new_boxed(DataFormat::Raw),
            first: 0,
            payload: Vec::new(),
            plain: Vec::new(),
        }
    }

    /// Takes the next bytes, and passes on every message that is complete with them.
    pub fn read(
        &mut self,
        bytes: &[u8],
        mut on_reply: impl FnMut(&Reply<'_>) -> Result<()>,
    ) -> Result<()> {
        self.unread.extend_from_slice(bytes);
        let mut unread = std::mem::take(&mut self.unread);
        let mut rest = unread.as_slice();
        while let Some((first, payload, behind)) = split_frame(rest)? {
            rest = behind;
            self.frame(first, payload, &mut on_reply)?;
        }
        let consumed = unread.len() - rest.len();
        unread.drain(..consumed);
        self.unread = unread;
        Ok(())
    }

    fn frame(
        &mut self,
        first: u8,
        payload: &[u8],
        on_reply: &mut impl FnMut(&Reply<'_>) -> Result<()>,
    ) -> Result<()> {
        let opcode = first & 0x0f;
        if opcode >= 0x8 {
            return on_reply(&Reply {
                opcode,
                compressed: false,
                payload_len: payload.len(),
                plain: payload,
            });
        }
        if opcode == CONTINUATION {
            if first & RSV1 != 0 {
                return Err("RSV1 on a continuation".into());
            }
        } else {
            self.first = first;
            self.payload.clear();
        }
        self.payload.extend_from_slice(payload);
        if first & FIN == 0 {
            return Ok(());
        }
        let compressed = self.first & RSV1 != 0;
        let payload_len = self.payload.len();
        let plain = if compressed {
            let len = self.inflate()?;
            &self.plain[..len]
        } else {
            &self.payload
        };
        on_reply(&Reply {
            opcode: self.first & 0x0f,
            compressed,
            payload_len,
            plain,
        })
    }

    /// Inflates the message in progress; returns its length.
    fn inflate(&mut self) -> Result<usize> {
        if !self.takeover {
            self.inflater.reset(DataFormat::Raw);
        }
        self.payload.extend_from_slice(&TAIL);
        let mut rest = self.payload.as_slice();
        let mut len = 0;
        loop {
            if len == self.plain.len() {
                self.plain.resize((2 * len).max(4096), 0);
            }
            let step = inflate(
                &mut self.inflater,
                rest,
                &mut self.plain[len..],
                MZFlush::None,
            );
            rest = &rest[step.bytes_consumed..];
            len += step.bytes_written;
            match step.status {
                // No more comes out once there is room left and nothing to read.
                Ok(MZStatus::Ok) | Err(MZError::Buf)
                    if rest.is_empty() && len < self.plain.len() =>
                {
                    return Ok(len);
                }
                Ok(MZStatus::Ok) => {}
                other => return Err(format!("a reply cannot be inflated: {other:?}").into()),
            }
        }
    }
}

/// The first byte of a frame, its payload, and what follows it.
type Split<'a> = (u8, &'a [u8], &'a [u8]);

/// Takes a frame off the front of `bytes`, if there is a complete one (RFC 6455 section 5.2).
fn split_frame(bytes: &[u8]) -> Result<Option<Split<'_>>> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if second & 0x80 != 0 || first & 0x30 != 0 {
        return Err("a server's frame is masked, or has a reserved bit set".into());
    }
    let (len, rest) = match second {
        126 => match rest.split_first_chunk() {
            Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((len, rest)) => (u64::from_be_bytes(*len), rest),
            None => return Ok(None),
        },
        len => (u64::from(*len), rest),
    };
    let frame = rest.split_at_checked(usize::try_from(len)?);
    Ok(frame.map(|(payload, behind)| (*first, payload, behind)))
}
