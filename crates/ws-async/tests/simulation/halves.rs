//! What can be held in a hand: a whole connection, or half of one.

use std::cell::Cell;

use bytes::BytesMut;
use ws_async::{
    CloseCode, CloseInfo, Error, Event, Message, MessageKind, PreparedMessage, Receiver, Sender,
    State, Stats, Unsent, WebSocket,
};
use ws_testkit::network::VirtualStream;

pub(crate) type Whole = WebSocket<VirtualStream>;

/// What can tell about the connection.
pub(crate) trait Half {
    fn close_info(&self) -> Option<CloseInfo>;
    fn state(&self) -> State;
    fn stats(&self) -> Stats;
}

/// What can send.
pub(crate) trait Sends: Half {
    async fn send(&mut self, message: Message) -> Result<(), Error>;
    async fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error>;
    async fn feed(&mut self, message: Message) -> Result<(), Error>;
    async fn flush(&mut self) -> Result<(), Error>;
    fn try_send(&mut self, message: Message) -> Result<(), Unsent>;
    async fn ping(&mut self, data: &[u8]) -> Result<(), Error>;
    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error>;
    /// Sends a message in pieces of this length, and notes when it is its turn.
    async fn stream(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        piece_len: usize,
        begun: &Cell<bool>,
    ) -> Result<(), Error>;
}

/// What can receive.
pub(crate) trait Receives: Half {
    async fn recv(&mut self) -> Result<Option<Message>, Error>;
    async fn recv_event(&mut self) -> Result<Option<Event>, Error>;
    /// Receives a message in pieces and notes when it has begun. `None` at the end of the connection; nothing of the
    /// message when it is not wanted.
    async fn read(&mut self, begun: &Cell<bool>, wanted: bool) -> Result<Option<Message>, Error>;
}

/// Puts the pieces together.
fn joined(kind: MessageKind, payload: BytesMut) -> Message {
    match kind {
        MessageKind::Binary => Message::binary(payload.freeze()),
        // A text that is none shows as another message than was sent.
        MessageKind::Text => Message::text(String::from_utf8_lossy(&payload).into_owned()),
    }
}

macro_rules! tells {
    ($half:ty) => {
        impl Half for $half {
            fn close_info(&self) -> Option<CloseInfo> {
                self.close_info()
            }

            fn state(&self) -> State {
                self.state()
            }

            fn stats(&self) -> Stats {
                self.stats()
            }
        }
    };
}

macro_rules! sends {
    ($half:ty) => {
        impl Sends for $half {
            async fn send(&mut self, message: Message) -> Result<(), Error> {
                <$half>::send(self, message).await
            }

            async fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
                <$half>::send_prepared(self, message).await
            }

            async fn feed(&mut self, message: Message) -> Result<(), Error> {
                <$half>::feed(self, message).await
            }

            async fn flush(&mut self) -> Result<(), Error> {
                <$half>::flush(self).await
            }

            fn try_send(&mut self, message: Message) -> Result<(), Unsent> {
                <$half>::try_send(self, message)
            }

            async fn ping(&mut self, data: &[u8]) -> Result<(), Error> {
                <$half>::ping(self, data).await
            }

            async fn close(&mut self, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
                <$half>::close(self, code, reason).await
            }

            async fn stream(
                &mut self,
                kind: MessageKind,
                payload: &[u8],
                piece_len: usize,
                begun: &Cell<bool>,
            ) -> Result<(), Error> {
                let mut writer = self.writer(kind).await?;
                begun.set(true);
                for piece in payload.chunks(piece_len) {
                    writer.write(piece).await?;
                    // A text may not be cut inside a character by a flush.
                    if kind == MessageKind::Binary {
                        writer.flush().await?;
                    }
                }
                writer.finish().await
            }
        }
    };
}

macro_rules! receives {
    ($half:ty) => {
        impl Receives for $half {
            async fn recv(&mut self) -> Result<Option<Message>, Error> {
                <$half>::recv(self).await
            }

            async fn recv_event(&mut self) -> Result<Option<Event>, Error> {
                <$half>::recv_event(self).await
            }

            async fn read(
                &mut self,
                begun: &Cell<bool>,
                wanted: bool,
            ) -> Result<Option<Message>, Error> {
                let Some(mut reader) = self.reader().await? else {
                    return Ok(None);
                };
                begun.set(true);
                let mut payload = BytesMut::new();
                while let Some(chunk) = reader.chunk().await? {
                    payload.extend_from_slice(&chunk.data);
                    if !wanted {
                        break;
                    }
                }
                Ok(Some(joined(reader.kind(), payload)))
            }
        }
    };
}

tells!(Whole);
tells!(Sender);
tells!(Receiver);
sends!(Whole);
sends!(Sender);
receives!(Whole);
receives!(Receiver);
