//! How received bytes reach the connection, and what waits of them.

use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};

use super::Connection;

impl Connection {
    /// Takes bytes that were read into a buffer of the caller's. They are not copied where that can be avoided: a
    /// message may share the allocation, so call [`park`](Self::park) before waiting.
    #[inline]
    pub fn handle_received(&mut self, received: BytesMut) {
        self.outbound.framing().transmit.expect(received.len());
        self.inbound.handle_received(received);
    }

    /// The buffer to append received bytes to. It has spare capacity for what the current frame still lacks, as far
    /// as the peer has earned it: at most 16 KiB, or four times what has arrived. Between two frames it is 64 KiB.
    pub fn receive_buffer(&mut self) -> &mut BytesMut {
        self.inbound.receive_buffer()
    }

    /// The memory of the large frame whose payload arrives, to append received bytes to: nothing is copied then, and nothing
    /// need be initialized to be read into. It has spare capacity for what the frame still lacks and the next header, as far
    /// as the peer has earned it: its capacity is at most 16 KiB, or four times what has arrived. What lies in it is to stay.
    ///
    /// `None` unless the connection [prefers](Self::prefers_payload_buffer) that.
    pub fn payload_buffer(&mut self) -> Option<&mut Vec<u8>> {
        self.inbound.payload_buffer()
    }

    /// The same, taken out, for a thread that reads while others use the connection. Until it is
    /// [given back](Self::restore_payload_buffer), [`poll_event`](Self::poll_event) gives nothing that the peer said, and
    /// nothing else is to be handed over; in debug builds that may panic.
    pub fn take_payload_buffer(&mut self) -> Option<Vec<u8>> {
        self.inbound.take_payload()
    }

    /// Gives back what was [taken out](Self::take_payload_buffer), also if nothing was read, and also if the connection has
    /// failed meanwhile: it counts, and is thrown away.
    pub fn restore_payload_buffer(&mut self, payload: Vec<u8>) {
        self.inbound.restore_payload(payload);
    }

    /// Whether a large frame is half there, so that reading straight into its [memory](Self::payload_buffer) saves a copy.
    /// Otherwise reading into a buffer shared by many connections saves memory.
    #[inline]
    pub fn prefers_payload_buffer(&self) -> bool {
        self.inbound.prefers_payload_buffer()
    }

    /// Lets go of buffers given to [`handle_received`](Self::handle_received) and of memory that messages share, by
    /// copying a partial frame out of it. Call it before waiting for more.
    #[inline]
    pub fn park(&mut self) {
        self.outbound.framing().transmit.expect(0);
        self.inbound.park();
    }

    /// Moves the received bytes that wait to the end of `buffer`. What is then read behind them lies in one piece with
    /// them, and [`handle_received`](Self::handle_received) takes all of it without a copy; give them back also if
    /// nothing was read. After [`poll_event`](Self::poll_event) has given `Ok(None)`, and unless the connection
    /// [prefers that of a large frame](Self::prefers_payload_buffer), these are less than 4 KiB.
    ///
    /// # Panics
    ///
    /// If `buffer` neither has room for them nor grows.
    #[inline]
    pub fn carry_into(&mut self, buffer: &mut impl BufMut) {
        self.inbound.carry_into(buffer);
    }

    /// How many received bytes wait: those of an unfinished frame or message, and those not looked at yet.
    #[inline]
    pub fn buffered(&self) -> usize {
        self.inbound
            .buffered()
            .saturating_add(self.inbound.assembled())
    }

    /// Whether the next frame that has arrived ends the connection: a Close frame, or one whose header fails it. Nothing
    /// can be sent after it, so whoever has replies on their way from elsewhere may want to let them go first.
    #[inline]
    pub fn is_about_to_end(&self) -> bool {
        self.inbound.is_about_to_end()
    }

    /// Whether a whole frame has arrived that [`poll_event`](Self::poll_event) has not looked at, or the whole rest of the
    /// one it has begun: the next call takes it without more bytes. A binding that has a reply to write may then write it
    /// together with the reply to what that frame says.
    ///
    /// This looks at the next header and no further. The frame may be a fragment, which is no event by itself, or break a
    /// rule. `false` where its header already breaks one of RFC 6455 §5.2, and after the end: a Close frame, an error or
    /// a deadline.
    #[inline]
    pub fn has_frame_waiting(&self) -> bool {
        !self.overdue && self.inbound.has_frame_waiting()
    }

    /// Notes that the transport has ended.
    pub fn handle_eof(&mut self) {
        self.inbound.handle_eof();
    }
}
