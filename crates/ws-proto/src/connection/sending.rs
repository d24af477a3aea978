//! What a connection sends: messages, pieces of them, and the bytes they become.

use bytes::Bytes;
use ws_deflate::Compress;

use super::Connection;
use crate::framing::COPY_PAYLOAD_MAX;
use crate::{
    FlushMark, Message, MessageKind, MessageRef, Offered, OverflowPolicy, PreparedMessage,
    SendError, Transmit, Unsent,
};

impl Connection {
    /// Queues `message`; [`transmit`](Self::transmit) then holds its frames. One longer than `Config::fragment_size` is
    /// framed fragment by fragment as what is queued gets written, so that control frames go in between.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] after a Close frame, [`SendError::BufferFull`] while `Config::write_buffer_limit` bytes
    /// wait to be written, [`SendError::MessageUnfinished`] between the pieces of a message that
    /// [`send_fragment`](Self::send_fragment) began. The message comes back each time.
    #[inline]
    pub fn send(&mut self, message: Message) -> Result<(), Unsent> {
        self.outbound.send(message, Compress::Auto)
    }

    /// As [`send`](Self::send), saying whether the message is compressed. It makes no difference where compression was
    /// not agreed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_with(&mut self, message: Message, compress: Compress) -> Result<(), Unsent> {
        self.outbound.send(message, compress)
    }

    /// Whether a payload of `len` bytes is copied when it is sent, so that there is no use in giving it away or in sharing
    /// it: [`send_ref`](Self::send_ref) does the same with less.
    pub const fn copies(len: usize) -> bool {
        len <= COPY_PAYLOAD_MAX
    }

    /// Queues a message from where it lies. It is copied into the write buffer, where a client masks it block by block, or,
    /// where it is longer than `Config::fragment_size` or others wait before it, to wait with them. Otherwise as
    /// [`send_with`](Self::send_with), and with the same bytes on the wire: for a large message that is owned already,
    /// which a server does not copy, that is the better call.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_ref(
        &mut self,
        message: MessageRef<'_>,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.outbound.send_ref(message, compress)
    }

    /// Queues a message that was framed before, which a server does without copying it. Otherwise as
    /// [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), SendError> {
        self.outbound.send_prepared(message)
    }

    /// Offers a message that may be dropped: the way to broadcast to connections of which some are slow. It is queued
    /// as by [`send_prepared`](Self::send_prepared) while less than `Config::write_buffer_high` bytes wait to be
    /// written. Otherwise it waits in the backlog, which holds `capacity` messages, shared and not copied; when that
    /// many wait, `overflow` says which message is lost.
    ///
    /// What waits is queued in order by [`transmit`](Self::transmit). Messages accepted by [`send`](Self::send)
    /// meanwhile come behind it, and are not dropped. A Close frame, ours or the peer's, drops the backlog, for a
    /// connection that ends must not first finish what its peer was too slow for; so does the loss of the transport.
    /// How many messages were lost after they had been taken is told by [`dropped`](Self::dropped).
    pub fn offer(
        &mut self,
        message: &PreparedMessage,
        overflow: OverflowPolicy,
        capacity: usize,
    ) -> Offered {
        self.outbound.offer(message, overflow, capacity)
    }

    /// Queues a piece of a message, for one that is larger than memory or not known in full: the first piece begins
    /// it, that with `fin` ends it (RFC 6455 §5.4). Each piece is a fragment, or several where it is longer than
    /// `Config::fragment_size`; it may be empty, and a piece of text may end inside a character.
    ///
    /// Until the message is finished no other can be sent, and what is [offered](Self::offer) waits. Control frames
    /// go in between. A [`close`](Self::close) leaves it unfinished for ever, which the peer sees.
    ///
    /// # Errors
    ///
    /// Nothing was queued, and the message goes on as if this had not been called:
    /// [`SendError::Closed`] after a Close frame, [`SendError::BufferFull`] while `Config::write_buffer_limit` bytes
    /// wait to be written, [`SendError::MessageUnfinished`] when the message that was begun is of the other kind,
    /// [`SendError::InvalidUtf8`] when what was given so far is no beginning of a text, or, with `fin`, no whole text.
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        fin: bool,
    ) -> Result<(), SendError> {
        self.send_fragment_with(kind, payload, fin, Compress::Auto)
    }

    /// As [`send_fragment`](Self::send_fragment), saying whether the message is compressed. The first piece decides that
    /// for the whole message. Of a message that is compressed, a later piece with [`Compress::Never`] goes as it is, and
    /// nothing refers to it.
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    pub fn send_fragment_with(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        fin: bool,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.outbound.send_fragment(kind, payload, fin, compress)
    }

    /// The bytes owed to the wire, in order. Write them, advance by what was written, and ask again until nothing
    /// remains: a Pong, a fragment or an offered message may have waited for room, and is queued by asking.
    #[inline]
    pub fn transmit(&mut self) -> &mut Transmit {
        self.outbound.transmit()
    }

    /// What [`transmit`](Self::transmit) gave and was not advanced over, and what was framed since: the same bytes, but
    /// nothing that waits is framed or compressed for being asked. For whoever only looks, or notes what was written.
    ///
    /// It may be empty where `transmit` would not be; [`is_flushed`](Self::is_flushed) tells.
    #[inline]
    pub fn unwritten(&mut self) -> &mut Transmit {
        self.outbound.unwritten()
    }

    /// Whether the last [`transmit`](Self::transmit) has compressed as much of a long message as one call does, and the
    /// next would compress more: time for whoever has other things to do.
    pub fn has_more_to_compress(&self) -> bool {
        self.outbound.has_more_to_compress()
    }

    /// Whether so much waits to be written that it should be written before more is queued or looked at: as much as
    /// `Config::write_buffer_high`, or what is framed only as that gets room, or the answer to a Ping, which a newer
    /// Ping would take the place of. Whoever writes then, also in the middle of what has arrived, answers every Ping of
    /// a peer that reads.
    #[inline]
    pub fn wants_flush(&self) -> bool {
        self.outbound.wants_flush()
    }

    /// Whether a message that is [sent](Self::send) now has less than `Config::write_buffer_high` bytes before it that
    /// were sent and are not written. What was only [offered](Self::offer) does not count, for others offer more of it as
    /// fast as the peer reads, and who waited for its end would wait for ever.
    ///
    /// A binding waits for this before it sends; [`send`](Self::send) refuses only at `Config::write_buffer_limit`.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.outbound.has_room()
    }

    /// Notes what has been sent so far, to ask [`is_written`](Self::is_written) about that and not about what others
    /// send or offer later.
    pub fn flush_mark(&self) -> FlushMark {
        self.outbound.flush_mark()
    }

    /// As [`flush_mark`](Self::flush_mark), without what waits to be framed: after [`ping`](Self::ping), the mark behind
    /// the Ping, which goes in front of that.
    pub fn framed_mark(&self) -> FlushMark {
        self.outbound.framed_mark()
    }

    /// Whether everything that was sent before `mark` was made has been written, or dropped with the transport. Offered
    /// messages do not count. It may say so a little later than it is true, by what fits into the write buffer; that it
    /// says so never depends on what is sent after the mark.
    pub fn is_written(&self, mark: &mut FlushMark) -> bool {
        self.outbound.is_written(mark)
    }

    /// Whether everything that could be written has been. What was [offered](Self::offer) between the pieces of a
    /// message that is unfinished cannot be.
    #[inline]
    pub fn is_flushed(&self) -> bool {
        self.outbound.is_flushed()
    }

    /// How many bytes are owed to the wire and not yet written: what is framed, headers included, and of fragmented
    /// messages the rest. What was only [offered](Self::offer) and waits does not count.
    pub fn queued(&self) -> usize {
        self.outbound.queued()
    }

    /// How many messages that were [offered](Self::offer) wait for room in the write buffer.
    pub fn backlog(&self) -> usize {
        self.outbound.backlog()
    }

    /// How many messages that were [offered](Self::offer) and taken have been dropped from the backlog: for a newer
    /// one, by a Close frame, or with the transport.
    pub fn dropped(&self) -> u64 {
        self.outbound.dropped()
    }
}
