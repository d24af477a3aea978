//! Messages that are read where they lie.

use ws_deflate::Compress;
use ws_frame::FrameHeader;

use super::Connection;
use crate::inbound::COPY_MESSAGE_MAX;
use crate::outbound::Outbound;
use crate::{Lent, Message, MessageRef, PreparedMessage, ProtocolError, SendError, Whole};

/// What is received alone is at most this long.
const ALONE_MAX: usize = COPY_MESSAGE_MAX + FrameHeader::MAX_LEN;

impl Connection {
    /// As [`poll_event`](Self::poll_event), but a message that is complete stays where it is, and [`lent`](Self::lent)
    /// shows it: in the receive buffer if it came in one frame, otherwise where it was put together or decompressed.
    /// Nothing is allocated for it and nothing copied.
    ///
    /// The message is let go by the next call that looks at received bytes, moves them or takes more: this one,
    /// `poll_event`, [`handle_received`](Self::handle_received), [`receive_buffer`](Self::receive_buffer),
    /// [`park`](Self::park), [`carry_into`](Self::carry_into), [`stream_message`](Self::stream_message),
    /// [`discard_message`](Self::discard_message) and [`abort`](Self::abort). Until then it keeps the buffer that it was
    /// received in, all of it: park before waiting for anything but what the message asks for.
    ///
    /// The two ways to ask may take turns: both tell the same in the same order.
    ///
    /// # Errors
    ///
    /// As [`poll_event`](Self::poll_event).
    #[inline]
    pub fn poll_lent(&mut self) -> Result<Option<Lent>, ProtocolError> {
        self.poll()
    }

    /// Whether what comes next is a message that has arrived whole, in one frame, as most do, or nothing, or something for
    /// [`poll_lent`](Self::poll_lent). A message is lent then, as by that.
    ///
    /// A binding that asks this first has a loop of few instructions for messages that come together.
    #[inline]
    pub fn lend_whole(&mut self) -> Whole {
        self.poll_whole()
    }

    /// Takes what a binding read into a buffer of its own, if it is 1038 bytes at most, a message in one frame, and nothing else,
    /// which [`lend_whole`](Self::lend_whole) would find. The message is lent then, from memory of its own, so that to
    /// [take](Self::take_lent) it costs no copy, and `received`, of which the payload is unmasked, is the binding's again.
    /// Otherwise nothing has happened.
    ///
    /// Most messages come so where peers wait for an answer.
    #[inline]
    pub fn receive_alone(&mut self, received: &mut [u8]) -> bool {
        let is_for_it = received.len() <= ALONE_MAX && self.is_drained();
        is_for_it && self.take_alone(received)
    }

    #[inline(never)]
    fn take_alone(&mut self, received: &mut [u8]) -> bool {
        let framing = self.outbound.framing();
        let fresh = self.inbound.fresh_of(received.len());
        let is_taken = !framing.tap().is_set() && self.inbound.take_alone(received);
        if is_taken {
            framing.transmit.expect(received.len());
            self.received = self.received.saturating_add(fresh);
            self.keepalive.heard(self.outbound.written());
            self.keepalive.data_received();
        }
        is_taken
    }

    /// Whether received bytes wait: those of an unfinished frame, or not looked at yet.
    #[inline]
    pub fn has_input(&self) -> bool {
        self.inbound.has_input()
    }

    /// Whether [`poll_lent`](Self::poll_lent) would give nothing until more is received or a deadline passes, as far as that
    /// can be told at once: `false` only says that it has to be asked.
    #[inline]
    pub fn is_drained(&self) -> bool {
        !self.overdue && self.inbound.is_drained()
    }

    /// The message that [`poll_lent`](Self::poll_lent) has found; `None` if it has found something else, or if the message
    /// was let go since.
    #[inline]
    pub fn lent(&self) -> Option<MessageRef<'_>> {
        self.inbound.lent()
    }

    /// The same message, to keep: what [`poll_event`](Self::poll_event) would have given. It is let go with that.
    #[inline]
    pub fn take_lent(&mut self) -> Option<Message> {
        self.inbound.take_lent()
    }

    /// Lets go of the message that [`lent`](Self::lent) shows, and of the memory that is its own.
    #[inline]
    pub fn let_go(&mut self) {
        self.inbound.let_go();
    }

    /// The means to send while something that was received is borrowed.
    #[inline]
    pub fn replies(&mut self) -> Replies<'_> {
        Replies {
            outbound: &mut self.outbound,
        }
    }

    /// What [`lent`](Self::lent) shows, and the means to answer it while it is borrowed.
    #[inline]
    pub fn lent_with_replies(&mut self) -> Option<(MessageRef<'_>, Replies<'_>)> {
        let replies = Replies {
            outbound: &mut self.outbound,
        };
        self.inbound.lent().map(|message| (message, replies))
    }
}

/// The sending direction of a connection, to answer a message that lies in the receiving one
/// ([`Connection::lent_with_replies`]).
#[derive(Debug)]
pub struct Replies<'a> {
    outbound: &'a mut Outbound,
}

impl Replies<'_> {
    /// As [`Connection::send_ref`].
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    #[inline]
    pub fn send(&mut self, message: MessageRef<'_>, compress: Compress) -> Result<(), SendError> {
        self.outbound.send_ref(message, compress)
    }

    /// As [`Connection::send_prepared`].
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), SendError> {
        self.outbound.send_prepared(message)
    }

    /// As [`Connection::has_room`].
    #[inline]
    pub fn has_room(&self) -> bool {
        self.outbound.has_room()
    }
}
