//! Messages that say who sent them.

use std::sync::LazyLock;

use ws_async::{Message, MessageKind};

use crate::scenario::Size;

/// Text with characters of one to four bytes, longer than any message.
static FILLER: LazyLock<String> = LazyLock::new(|| "Größe, 中文, 😀; ".repeat(20_000));

/// With so many bytes, no two messages of one end are the same.
pub(crate) const DISTINCT_LEN: usize = 12;

/// The message number `index` that the hand `hand` of the end `side` sends.
pub(crate) fn message(side: usize, hand: usize, index: usize, size: Size) -> Message {
    let mut text = format!("{side}{hand}#{index}:");
    text.truncate(size.len);
    let mut filler = size.len - text.len();
    while !FILLER.is_char_boundary(filler) {
        filler -= 1;
    }
    text.push_str(&FILLER[..filler]);
    // In the place of a character that does not fit.
    text.extend(std::iter::repeat_n('x', size.len - text.len()));
    match size.kind {
        MessageKind::Text => Message::text(text),
        MessageKind::Binary => Message::binary(text.into_bytes()),
    }
}

/// The hand that sent a message, if it is long enough to say so.
pub(crate) fn hand_of(payload: &[u8]) -> usize {
    let hand = payload.get(1).map_or(0, |digit| digit.wrapping_sub(b'0'));
    usize::from(hand)
}
