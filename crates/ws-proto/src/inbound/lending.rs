//! A message that is complete stays where it is until it is taken, or let go.

use super::{Current, Inbound};
use crate::{Message, MessageRef};

impl Inbound {
    /// The message that is complete, if nothing has looked at received bytes since.
    #[inline]
    pub(crate) fn lent(&self) -> Option<MessageRef<'_>> {
        match self.current {
            Current::Received { kind, len } => {
                Some(MessageRef::from_parts(kind, self.buffer.consumed(len)?))
            }
            Current::Assembled { kind } => {
                Some(MessageRef::from_parts(kind, self.assembler.assembled()))
            }
            Current::Nothing | Current::Frame(_) => None,
        }
    }

    /// The same, to keep. A large message takes the memory that it lies in with it.
    #[inline]
    pub(crate) fn take_lent(&mut self) -> Option<Message> {
        let message = match self.current {
            Current::Received { kind, len } => {
                Message::from_parts(kind, self.buffer.take_consumed(len))
            }
            Current::Assembled { kind } => {
                Message::from_parts(kind, self.assembler.take_assembled())
            }
            Current::Nothing | Current::Frame(_) => return None,
        };
        self.current = Current::Nothing;
        Some(message)
    }

    /// A message is complete, and lies there.
    #[inline]
    pub(super) const fn complete(&mut self, message: Current) {
        self.current = message;
        self.messages = self.messages.wrapping_add(1);
    }

    /// Lets the message that is complete go: the bytes behind it are about to be looked at, or to move.
    #[inline]
    pub(crate) fn let_go(&mut self) {
        match self.current {
            Current::Nothing | Current::Frame(_) => {}
            Current::Received { .. } => self.current = Current::Nothing,
            Current::Assembled { .. } => {
                self.current = Current::Nothing;
                self.assembler.let_go();
            }
        }
    }

    /// Whether a message is complete and was not taken yet.
    #[inline]
    pub(super) const fn is_lent(&self) -> bool {
        matches!(
            self.current,
            Current::Received { .. } | Current::Assembled { .. }
        )
    }

    /// Whether the assembler holds a message that is complete, and not one in progress.
    pub(super) const fn is_assembled_lent(&self) -> bool {
        matches!(self.current, Current::Assembled { .. })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use bytes::BytesMut;

    use super::*;
    use crate::tap::TapSlot;
    use crate::{Config, Role};

    /// A client's end, so that no frame has a mask, that has been lent a message in two fragments of this length each.
    fn lent(len: usize) -> Inbound {
        let mut inbound = Inbound::new(Role::Client, &Config::default());
        for opcode in [0x02, 0x80] {
            let header = [opcode, 126, (len >> 8) as u8, len as u8];
            let buffer = inbound.receive_buffer();
            buffer.extend_from_slice(&header);
            buffer.extend_from_slice(&vec![7; len]);
        }
        let received = inbound.poll(&mut TapSlot::default());
        assert!(received.expect("good frames").is_some());
        assert_eq!(inbound.lent().map(|message| message.len()), Some(2 * len));
        inbound
    }

    #[test]
    fn a_parked_connection_keeps_nothing_of_what_was_lent() {
        for len in [126, 1000, 60_000] {
            let mut inbound = lent(len);
            inbound.park();
            assert_eq!(inbound.lent(), None);
            let place = inbound.assembler.assembled().as_ptr();
            assert_eq!(place, BytesMut::new().as_ptr(), "an empty buffer");
        }
    }

    #[test]
    fn a_small_buffer_serves_the_next_message() {
        for (len, is_kept) in [(126, true), (60_000, false)] {
            let mut inbound = lent(len);
            let place = inbound.assembler.assembled().as_ptr();
            inbound.let_go();
            assert_eq!(inbound.assembler.len(), 0);
            let is_same = inbound.assembler.assembled().as_ptr() == place;
            assert_eq!(is_same, is_kept);
        }
    }
}
