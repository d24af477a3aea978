//! The shortest way through the rules, for what most messages are: in one frame, and all there.

use ws_frame::MaskKey;

use super::data::DIGEST_BLOCK;
use super::{Current, Inbound, Reception};
use crate::tap::TapSlot;
use crate::{MessageKind, Role};

/// The first byte of a message in one frame, neither compressed nor otherwise extended: FIN and the opcode (RFC 6455
/// §5.2).
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// In the second byte: the payload is masked.
const MASK: u8 = 0x80;
/// The largest length that stands in the second byte itself.
const MAX_LEN7: u8 = 125;
/// In the place of a length: the next two bytes are the length.
const LEN16: u8 = 126;

/// What the shortest way has come to.
pub(crate) enum Whole {
    /// A message is complete, which [`Inbound::lent`] gives.
    Message,
    /// Nothing waits, and nothing holds its place.
    Nothing,
    /// That is for [`Inbound::poll`] to say.
    Unknown,
}

impl Inbound {
    /// Takes the next message if it comes in one frame of at most [`DIGEST_BLOCK`] bytes that is all there, is not
    /// compressed and breaks no rule. Where the answer is [`Whole::Unknown`], nothing has happened.
    ///
    /// What [`poll`](Self::poll) asks of such a message, and why it holds here:
    ///
    /// * FIN, no reserved bit, Text or Binary: the first byte is one of two.
    /// * The length has its shortest form, and is within both limits.
    /// * The mask is there or not, as the role demands.
    /// * It does not come between fragments, and nobody wants it in pieces: the assembler is idle.
    /// * Text is valid to its end. If it is not, it is masked again, and `poll` finds that out for itself.
    #[inline]
    pub(crate) fn take_whole(&mut self, tap: &TapSlot) -> Whole {
        let is_between = matches!(self.current, Current::Nothing)
            && matches!(self.reception, Reception::Open)
            && self.assembler.is_idle();
        if !is_between || tap.is_set() {
            return Whole::Unknown;
        }
        let [first, second, rest @ ..] = self.buffer.waiting_mut() else {
            return self.rest();
        };
        let kind = match *first {
            TEXT => MessageKind::Text,
            BINARY => MessageKind::Binary,
            _ => return Whole::Unknown,
        };
        let is_server = self.role == Role::Server;
        // "The server MUST close the connection upon receiving a frame that is not masked", and "a client MUST close a
        // connection if it detects a masked frame" (§5.1).
        let len7 = if is_server { *second ^ MASK } else { *second };
        let (len, rest) = match len7 {
            ..=MAX_LEN7 => (usize::from(len7), rest),
            LEN16 => match rest.split_first_chunk_mut() {
                Some((len, rest)) => (usize::from(u16::from_be_bytes(*len)), rest),
                None => return Whole::Unknown,
            },
            _ => return Whole::Unknown,
        };
        let is_shortest = (len7 == LEN16) == (len > usize::from(MAX_LEN7));
        let max_len = DIGEST_BLOCK
            .min(self.max_frame_size)
            .min(self.assembler.max_size());
        if !is_shortest || len > max_len {
            return Whole::Unknown;
        }
        let (key, rest) = if is_server {
            match rest.split_first_chunk_mut() {
                Some((key, rest)) => (Some(MaskKey::new(*key)), rest),
                None => return Whole::Unknown,
            }
        } else {
            (None, rest)
        };
        let Some(payload) = rest.get_mut(..len) else {
            return Whole::Unknown;
        };
        if let Some(key) = key {
            key.apply(0, payload);
        }
        if kind == MessageKind::Text && ws_frame::str_from_utf8(payload).is_err() {
            if let Some(key) = key {
                key.apply(0, payload);
            }
            return Whole::Unknown;
        }
        let len_len: usize = if len7 == LEN16 { 2 } else { 0 };
        let key_len = if is_server { 4 } else { 0 };
        self.buffer
            .skip_header(len_len.wrapping_add(key_len).wrapping_add(2));
        self.buffer.consume(len);
        self.frames = self.frames.wrapping_add(1);
        self.complete(Current::Received { kind, len });
        Whole::Message
    }

    /// There is no header, and no frame before it that is incomplete.
    fn rest(&mut self) -> Whole {
        if !self.buffer.is_empty() || self.eof {
            return Whole::Unknown;
        }
        self.buffer.clear();
        Whole::Nothing
    }
}
