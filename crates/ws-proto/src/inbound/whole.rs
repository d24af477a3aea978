//! The shortest way through the rules, for what most messages are: in one frame, and all there.

use ws_frame::MaskKey;

use super::data::DIGEST_BLOCK;
use super::{Current, Inbound, Reception};
use crate::tap::TapSlot;
use crate::{Config, MessageKind, Role};

/// The first byte of a message in one frame, neither compressed nor otherwise extended: FIN and the opcode (RFC 6455
/// §5.2).
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// In the second byte: the payload is masked.
pub(crate) const MASK: u8 = 0x80;
/// The largest length that stands in the second byte itself.
pub(crate) const MAX_LEN7: u8 = 125;
/// In the place of a length: the next two bytes are the length.
pub(crate) const LEN16: u8 = 126;
/// The smallest length that stands there.
const MIN_LEN16: u16 = 126;

/// What [`Connection::lend_whole`](crate::Connection::lend_whole) has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a message, or nothing, or it takes a longer look"
)]
pub enum Whole {
    /// A whole message: [`Connection::lent`](crate::Connection::lent) shows it.
    Message,
    /// Nothing, until more is received, the transport ends or a deadline passes.
    Nothing,
    /// That is for [`Connection::poll_lent`](crate::Connection::poll_lent) to say; nothing has happened.
    Unknown,
}

/// The longest message that [`Inbound::take_whole`] takes: as much as is digested in one step, within both limits.
pub(super) fn max_len(config: &Config) -> u16 {
    let max_len = DIGEST_BLOCK
        .min(config.max_frame_size)
        .min(config.max_message_size);
    u16::try_from(max_len).unwrap_or(u16::MAX)
}

/// The header of a message in one frame.
#[derive(Clone, Copy)]
struct Header {
    kind: MessageKind,
    key: Option<MaskKey>,
    len: usize,
    payload_len: usize,
}

/// Splits the header of the next message off what waits, if it is one for the shortest way.
#[inline(always)]
fn split(waiting: &mut [u8], role: Role, max_len: u16) -> Option<(Header, &mut [u8])> {
    let waiting_len = waiting.len();
    let [first, second, rest @ ..] = waiting else {
        return None;
    };
    let kind = match *first {
        TEXT => MessageKind::Text,
        BINARY => MessageKind::Binary,
        _ => return None,
    };
    let is_server = role == Role::Server;
    // "The server MUST close the connection upon receiving a frame that is not masked", and "a client MUST close a
    // connection if it detects a masked frame" (§5.1).
    let len7 = if is_server { *second ^ MASK } else { *second };
    let (payload_len, rest) = match len7 {
        ..=MAX_LEN7 => (u16::from(len7), rest),
        LEN16 => {
            let (len, rest) = rest.split_first_chunk_mut()?;
            match u16::from_be_bytes(*len) {
                // This length has a shorter form.
                0..MIN_LEN16 => return None,
                len => (len, rest),
            }
        }
        _ => return None,
    };
    if payload_len > max_len {
        return None;
    }
    let (key, rest) = if is_server {
        let (key, rest) = rest.split_first_chunk_mut()?;
        (Some(MaskKey::new(*key)), rest)
    } else {
        (None, rest)
    };
    let header = Header {
        kind,
        key,
        len: waiting_len.wrapping_sub(rest.len()),
        payload_len: payload_len.into(),
    };
    Some((header, rest))
}

impl Header {
    /// Unmasks the payload; `false`, and masked as it was, if it breaks a rule.
    #[inline(always)]
    fn open(self, payload: &mut [u8]) -> bool {
        if let Some(key) = self.key {
            key.apply(0, payload);
        }
        let is_good = self.kind != MessageKind::Text || ws_frame::str_from_utf8(payload).is_ok();
        if !is_good && let Some(key) = self.key {
            key.apply(0, payload);
        }
        is_good
    }
}

impl Inbound {
    /// Takes the next message if it comes in one frame that is all there and not long ([`max_len`]), is not compressed and
    /// breaks no rule. Where the answer is [`Whole::Unknown`], nothing has happened.
    ///
    /// What [`poll`](Self::poll) asks of such a message, and why it holds here:
    ///
    /// * FIN, no reserved bit, Text or Binary: the first byte is one of two.
    /// * The length has its shortest form, and is within both limits.
    /// * The mask is there or not, as the role demands.
    /// * It does not come between fragments, and nobody wants it in pieces: the assembler is idle.
    /// * Text is valid to its end. If it is not, it is masked again, and `poll` finds that out for itself.
    ///
    /// A message that was lent from the receive buffer is let go by taking another. One that lies in the assembler is for
    /// `poll` to let go.
    #[inline]
    pub(crate) fn take_whole(&mut self, tap: &TapSlot) -> Whole {
        let is_between = matches!(self.current, Current::Nothing | Current::Received { .. })
            && matches!(self.reception, Reception::Open)
            && self.assembler.is_idle();
        if !is_between || tap.is_set() {
            return Whole::Unknown;
        }
        if self.buffer.small_len() == 0 {
            return self.rest();
        }
        let (role, max_len) = (self.role, self.max_whole);
        let waiting = self.buffer.try_waiting_mut();
        let Some((header, payload)) = waiting.and_then(|waiting| split(waiting, role, max_len))
        else {
            return Whole::Unknown;
        };
        let Some(payload) = payload.get_mut(..header.payload_len) else {
            return Whole::Unknown;
        };
        if !header.open(payload) {
            return Whole::Unknown;
        }
        let (kind, len) = (header.kind, header.payload_len);
        self.buffer.consume(header.len.wrapping_add(len));
        self.frames = self.frames.wrapping_add(1);
        self.complete(Current::Received { kind, len });
        Whole::Message
    }

    /// Takes a message by the same way where it is all that was `received`, and keeps a copy of it.
    #[inline]
    pub(crate) fn take_alone(&mut self, received: &mut [u8]) -> bool {
        let Some((header, payload)) = split(received, self.role, self.max_whole) else {
            return false;
        };
        if payload.len() != header.payload_len || !header.open(payload) {
            return false;
        }
        self.buffer.put_consumed(payload);
        self.frames = self.frames.wrapping_add(1);
        self.complete(Current::Received {
            kind: header.kind,
            len: header.payload_len,
        });
        true
    }

    /// Whether the next frame begins a message in one frame whose length fits two bytes: how much of it there is in all.
    /// `None` if it does not, or if that cannot be told from so few bytes, or if its length has a shorter form.
    #[inline]
    pub(super) fn short_frame_len(&self) -> Option<usize> {
        let [TEXT | BINARY, second, ref rest @ ..] = *self.buffer.waiting() else {
            return None;
        };
        let key_len = if second & MASK == 0 { 0 } else { 4 };
        let (len, header_len): (usize, usize) = match second & !MASK {
            len @ ..=MAX_LEN7 => (len.into(), 2),
            LEN16 => match u16::from_be_bytes(*rest.first_chunk()?) {
                0..MIN_LEN16 => return None,
                len => (len.into(), 4),
            },
            _ => return None,
        };
        Some(len.wrapping_add(key_len).wrapping_add(header_len))
    }

    /// Whether everything that has arrived has been looked at, its buffer let go, and nothing but more of it can change
    /// that.
    #[inline]
    pub(crate) fn is_drained(&self) -> bool {
        self.buffer.is_nothing()
            && !self.eof
            && matches!(self.current, Current::Nothing)
            && matches!(self.reception, Reception::Open)
            && self.assembler.is_idle()
    }

    /// Nothing waits, and no frame before it is incomplete. Apart, so that the way of a message begins after the question.
    #[inline(never)]
    fn rest(&mut self) -> Whole {
        if self.eof {
            return Whole::Unknown;
        }
        self.current = Current::Nothing;
        self.buffer.clear();
        Whole::Nothing
    }
}
