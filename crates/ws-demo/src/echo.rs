//! The routes that answer each message by itself: `/echo`, `/origin-checked`, `/reverse-001`.

use ws_async::{CloseCode, HandlerResult, Message, Session};

use crate::wire::Answers;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The message itself.
    Same,
    /// Text with `aaaa` behind it. Binary ends the connection with 1003: there is no text to append to.
    TextAndAaaa,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(mut session: Session, answer: Answer, answers: Answers) -> HandlerResult {
    while let Some(message) = session.recv().await? {
        let Some(reply) = answer.to(message) else {
            let closing = session.close(CloseCode::UNSUPPORTED_DATA, "text only");
            closing.await?;
            return Ok(());
        };
        // Fed and not sent: while the client talks, answers leave in batches, and `recv` writes before
        // it waits. A client that sends and never reads fills the buffer and then meets its deadline.
        let sender = session.sender();
        sender.feed_with(reply, answers.compress()).await?;
    }
    Ok(())
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
