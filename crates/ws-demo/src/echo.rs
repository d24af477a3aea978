//! The routes that answer each message by itself: `/echo`, `/origin-checked`, `/reverse-001`.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use ws_async::{CloseCode, Error, Message, WebSocket};

use crate::shutdown::ShutdownWatch;
use crate::{GOING_AWAY, STALL_TIMEOUT};

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The message itself.
    Same,
    /// Text with `aaaa` behind it. Binary ends the connection with 1003: there is no text to append to.
    TextAndAaaa,
}

/// Serves one connection until it ends.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut ws: WebSocket<S>,
    answer: Answer,
    mut shutdown: ShutdownWatch,
) -> Result<(), Error> {
    loop {
        let received = tokio::select! {
            biased;
            () = shutdown.begun() => {
                ws.close(CloseCode::GOING_AWAY, GOING_AWAY).await?;
                return Ok(());
            }
            received = ws.recv() => received?,
        };
        let Some(message) = received else {
            return Ok(());
        };
        let Some(reply) = answer.to(message) else {
            ws.close(CloseCode::UNSUPPORTED_DATA, "text only").await?;
            return Ok(());
        };
        // Fed and not sent: while the client talks, answers leave in batches, and `recv` writes before
        // it waits. A client that sends and never reads fills the buffer and then meets the timeout.
        let feeding = async {
            tokio::select! {
                biased;
                fed = timeout(STALL_TIMEOUT, ws.feed(reply)) => fed,
                () = shutdown.begun() => Ok(Ok(())),
            }
        };
        match feeding.await {
            Ok(fed) => fed?,
            Err(_elapsed) => return Ok(()),
        }
    }
}

impl Answer {
    fn to(self, message: Message) -> Option<Message> {
        match (self, message) {
            (Self::Same, message) => Some(message),
            (Self::TextAndAaaa, Message::Text(text)) => Some(Message::text(format!("{text}aaaa"))),
            (Self::TextAndAaaa, Message::Binary(_)) => None,
        }
    }
}
