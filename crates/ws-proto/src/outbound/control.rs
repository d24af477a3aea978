//! What is sent besides data: Pings, Pongs and the one Close (RFC 6455 §5.5), and the one place where receiving obliges
//! sending: [`Outbound::answer`].

use bytes::{Buf, Bytes};
use ws_frame::{CloseCode, ClosePayload, Opcode};

use super::Outbound;
use crate::{Role, SendError};

/// The longest application data of a control frame (§5.5).
const MAX_CONTROL_LEN: usize = 125;

/// Pongs are queued one for one until so many bytes of them wait to be written; beyond that only the newest Ping is
/// remembered. Room for 64 of the longest, so that whoever reads gets every answer, and whoever does not costs this.
const PONG_RESERVE: usize = 8 * 1024;

/// Room for Pings where `Config::write_buffer_limit` leaves none: a connection that is stuck is one to be pinged.
const PING_RESERVE: usize = 1024;

/// What waits to be written of the room that is kept for control frames.
///
/// They lie between other frames, and where each one lies nobody remembers: they count until the last is written.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    len: usize,
    /// Where the last of them ends in the stream of all bytes sent.
    end: u64,
}

impl Reserved {
    /// How many bytes of them wait, at most, when so many bytes were written.
    const fn len(&self, written: u64) -> usize {
        if self.end <= written { 0 } else { self.len }
    }

    fn add(&mut self, len: usize, end: u64, written: u64) {
        self.len = self.len(written).saturating_add(len);
        self.end = end;
    }
}

/// What a received frame, or an error about one, obliges us to send.
#[derive(Debug)]
pub(crate) enum Reply<'a> {
    Pong(&'a Bytes),
    /// The Close frame that answers a Close frame.
    Close(Option<CloseCode>),
    /// The Close frame that fails the connection.
    Fail(CloseCode),
}

impl Outbound {
    pub(crate) fn ping(&mut self, data: &[u8]) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        if data.len() > MAX_CONTROL_LEN {
            return Err(SendError::PingTooLong);
        }
        if self.framing.transmit.remaining() < self.buffer_limit {
            self.framing.control(Opcode::Ping, data);
        } else if self.reserved.len(self.written()) < PING_RESERVE {
            self.reserved_frame(Opcode::Ping, data);
        } else {
            return Err(SendError::BufferFull);
        }
        Ok(())
    }

    /// Queues a Ping of our own, whatever else waits, and tells where it ends in the stream of all bytes sent. There is
    /// one in the queue at most.
    pub(crate) fn keepalive_ping(&mut self, data: &[u8]) -> u64 {
        self.framing.control(Opcode::Ping, data);
        self.framing.transmit.end()
    }

    pub(crate) fn close(&mut self, payload: &ClosePayload) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let code = payload.code();
        if self.role() == Role::Server && code == Some(CloseCode::MANDATORY_EXTENSION) {
            // "1010 indicates that an endpoint (client) is terminating the connection" (§7.4.1).
            return Err(SendError::ClosePayload(ws_frame::ClosePayloadError::Code(
                CloseCode::MANDATORY_EXTENSION,
            )));
        }
        self.close_frame(payload);
        Ok(())
    }

    /// Sends what receiving obliges us to send. There is at most one Close frame (§5.5.1).
    pub(crate) fn answer(&mut self, reply: Reply<'_>) {
        match reply {
            // "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received
            // a Close frame" (§5.5.2): also after it has sent one, which only forbids further data.
            Reply::Pong(_) if self.is_abandoned() => {}
            Reply::Pong(data) => {
                // "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to previous
                // Ping frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed
                // Ping frame" (§5.5.3): a peer that pings and never reads costs one remembered Ping.
                if self.has_room_for_pong() {
                    self.forget_ping();
                    self.reserved_frame(Opcode::Pong, data);
                } else {
                    let unusual = self.unusual.get_or_insert_default();
                    unusual.unanswered_ping = Some(data.as_ref().into());
                }
            }
            Reply::Close(code) => {
                // "When sending a Close frame in response, the endpoint typically echos the status code" (§5.5.1).
                // The code was valid on the wire, and without a reason the payload always fits.
                let payload = code.and_then(|code| ClosePayload::new(code, "").ok());
                self.finish(&payload.unwrap_or(ClosePayload::EMPTY));
            }
            Reply::Fail(code) => {
                let payload = ClosePayload::new(code, "").unwrap_or(ClosePayload::EMPTY);
                self.finish(&payload);
            }
        }
    }

    fn has_room_for_pong(&self) -> bool {
        !self.is_above_high() && self.reserved.len(self.written()) < PONG_RESERVE
    }

    /// Answers the Ping that waits, if there is room again.
    pub(super) fn answer_ping(&mut self) {
        if self.has_room_for_pong()
            && let Some(unusual) = &mut self.unusual
            && let Some(data) = unusual.unanswered_ping.take()
        {
            self.forget();
            self.reserved_frame(Opcode::Pong, &data);
        }
    }

    /// No answer is owed to the Ping that waits for one.
    fn forget_ping(&mut self) {
        if let Some(unusual) = &mut self.unusual {
            unusual.unanswered_ping = None;
            self.forget();
        }
    }

    /// Queues a control frame in the room that is kept for such.
    fn reserved_frame(&mut self, opcode: Opcode, data: &[u8]) {
        let before = self.framing.transmit.remaining();
        self.framing.control(opcode, data);
        let len = self.framing.transmit.remaining().saturating_sub(before);
        self.reserved
            .add(len, self.framing.transmit.end(), self.written());
    }

    /// The peer will say nothing more that counts: no Pong is owed, only a Close frame if none was sent.
    fn finish(&mut self, payload: &ClosePayload) {
        self.forget_ping();
        if self.is_open() {
            self.close_frame(payload);
        }
    }

    /// Frames what was accepted, for nothing may follow a Close frame, and drops what was only offered.
    fn settle(&mut self) {
        if let Some(unusual) = &mut self.unusual {
            unusual.waiting.drop_offered();
        }
        // All of it at once: no time to compress what has not begun to be.
        self.framing.set_hurried(true);
        while self.frame_next() {}
        self.framing.set_hurried(false);
    }

    fn close_frame(&mut self, payload: &ClosePayload) {
        self.settle();
        self.framing.control(Opcode::Close, payload.as_bytes());
        let unusual = self.unusual.get_or_insert_default();
        unusual.sent_close = Some(payload.code());
        unusual.close_end = self.framing.transmit.end();
    }
}
