//! The route `/chat`: one member's end of the chat protocol that this crate's README describes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use ws_async::{Error, Message, Receiver, Sender, State};

use crate::protocol::{ErrorCode, ErrorEvent, Event, Object};
use crate::rooms::{Membership, Refusal, Rooms};

/// Largest chat message in bytes, whatever it holds; more fails the connection with 1009. A line of
/// [`MAX_TEXT_CHARS`] fits even if JSON writes half of it as escapes.
pub(crate) const MAX_MESSAGE_SIZE: usize = 16 * 1024;

const MAX_TEXT_CHARS: usize = 2000;

/// The pace of one member: so many messages at once, then one per interval. A faster one is not told
/// off but read later, and TCP makes it wait: otherwise it could fill the others' queues and have them
/// taken for slow.
const BURST: u32 = 20;
const INTERVAL: Duration = Duration::from_millis(100);

/// Serves one connection until it ends.
pub(crate) async fn serve(
    (sender, mut receiver): (Sender, Receiver),
    rooms: Arc<Rooms>,
) -> Result<(), Error> {
    let mut guest = Guest {
        sender,
        rooms,
        membership: None,
    };
    let ended = guest.converse(&mut receiver).await;
    if let Some(membership) = guest.membership.take() {
        membership.leave().await;
    }
    ended
}

/// Somebody who is connected. What others say reaches the connection without passing through here.
struct Guest {
    sender: Sender,
    rooms: Arc<Rooms>,
    membership: Option<Membership>,
}

impl Guest {
    /// Listens and answers until the connection is over.
    async fn converse(&mut self, receiver: &mut Receiver) -> Result<(), Error> {
        let mut pace = Pace::new();
        while let Some(message) = receiver.recv().await? {
            // Who was put out for being too slow may still talk until it hears of that.
            if self.sender.state() != State::Open {
                continue;
            }
            pace.count();
            if let Some(answer) = self.answer(&message).await {
                match self.sender.send(answer).await {
                    // The end of a connection that is closing is carried out by receiving.
                    Ok(()) | Err(Error::Send(_)) => {}
                    Err(lost) => return Err(lost),
                }
            }
            if !pace.is_open() {
                tokio::select! {
                    () = sleep_until(pace.next) => {}
                    // Meanwhile what others say is written and Pings are answered.
                    () = self.sender.closed() => {}
                }
            }
        }
        Ok(())
    }

    /// What this guest alone is told; what the room is told comes back to its speaker as an event.
    async fn answer(&mut self, message: &Message) -> Option<Message> {
        let Some(object) = message.as_text().and_then(Object::read) else {
            return Some(refuse(
                ErrorCode::BadMessage,
                "Say it as a flat JSON object of strings.",
            ));
        };
        match (object.text("type"), &self.membership) {
            (Some("join"), Some(_)) => Some(refuse(
                ErrorCode::AlreadyJoined,
                "Leave first: one room at a time.",
            )),
            (Some("join"), None) => self.join(&object).await,
            (Some("say"), Some(membership)) => Some(say(membership, &object).await),
            (Some("leave"), Some(_)) => self.leave().await,
            (Some("say" | "leave"), None) => {
                Some(refuse(ErrorCode::NotJoined, "Join a room first."))
            }
            _ => Some(refuse(
                ErrorCode::BadMessage,
                "The type is one of join, say and leave.",
            )),
        }
    }

    async fn join(&mut self, object: &Object) -> Option<Message> {
        let (Some(room), Some(nick)) = (object.text("room"), object.text("nick")) else {
            return Some(refuse(
                ErrorCode::BadMessage,
                "To join takes a room and a nick.",
            ));
        };
        match self.rooms.join(room, nick, &self.sender).await {
            Ok(membership) => {
                self.membership = Some(membership);
                None
            }
            Err(refusal) => Some(explain(refusal)),
        }
    }

    async fn leave(&mut self) -> Option<Message> {
        let membership = self.membership.take()?;
        let room = membership.room().to_owned();
        membership.leave().await;
        Some(Event::Left { room: &room }.message())
    }
}

/// Says it to the room, and tells the speaker what became of it.
async fn say(membership: &Membership, object: &Object) -> Message {
    match object.text("text") {
        Some(text) if !text.is_empty() && text.chars().count() <= MAX_TEXT_CHARS => {
            let published = membership.say(text).await;
            Event::Published {
                delivered: published.delivered,
                queued: published.queued,
                disconnected: published.disconnected,
            }
            .message()
        }
        _ => refuse(ErrorCode::BadText, "A line has 1 to 2000 characters."),
    }
}

fn explain(refusal: Refusal) -> Message {
    match refusal {
        Refusal::BadNick => refuse(ErrorCode::BadNick, "A nick has 1 to 32 visible characters."),
        Refusal::BadRoom => refuse(
            ErrorCode::BadRoom,
            "A room’s name has 1 to 32 visible characters.",
        ),
        Refusal::NickTaken => refuse(
            ErrorCode::NickTaken,
            "Somebody in this room has that nick already.",
        ),
        Refusal::RoomFull => refuse(ErrorCode::RoomFull, "This room is full."),
        Refusal::TooManyRooms => refuse(
            ErrorCode::TooManyRooms,
            "There are too many rooms; join one that exists.",
        ),
    }
}

fn refuse(code: ErrorCode, text: &'static str) -> Message {
    ErrorEvent { code, text }.message()
}

/// How soon the next message is read: a bucket that holds [`BURST`] and fills by one each
/// [`INTERVAL`], kept as the time at which it would be full.
struct Pace {
    next: Instant,
    full: Instant,
}

impl Pace {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            next: now,
            full: now,
        }
    }

    fn is_open(&self) -> bool {
        self.next <= Instant::now()
    }

    fn count(&mut self) {
        let now = Instant::now();
        self.full = self.full.max(now) + INTERVAL;
        self.next = self.full.checked_sub(INTERVAL * (BURST - 1)).unwrap_or(now);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use tokio::io::DuplexStream;
    use tokio::task::JoinHandle;
    use ws_async::{CloseCode, Config, ProtocolError, WebSocket};

    use super::*;
    use crate::STALL_TIMEOUT;
    use crate::rooms::BACKLOG;

    struct Guest {
        ws: WebSocket<DuplexStream>,
        served: JoinHandle<Result<(), Error>>,
    }

    /// A client, and a server's end for it behind a pipe and a write buffer that hold a kilobyte each.
    fn guest(rooms: &Arc<Rooms>) -> Guest {
        let (near, far) = tokio::io::duplex(1024);
        let config = Config::default()
            .with_ping_interval(None)
            .with_write_buffer_high(1024)
            .with_write_timeout(Some(STALL_TIMEOUT));
        let ws = WebSocket::server(far, config.clone(), BytesMut::new());
        Guest {
            ws: WebSocket::client(near, config, BytesMut::new()),
            served: tokio::spawn(serve(ws.split(), Arc::clone(rooms))),
        }
    }

    impl Guest {
        async fn send(&mut self, text: &str) {
            self.ws.send(text).await.expect("it is sent");
        }

        async fn join(&mut self, nick: &str) {
            self.send(&format!(
                r#"{{"type":"join","room":"lobby","nick":"{nick}"}}"#
            ))
            .await;
            self.text_with(r#""type":"notice""#).await;
        }

        async fn text_with(&mut self, part: &str) -> String {
            loop {
                let message = self.ws.recv().await.expect("no error").expect("not closed");
                let text = message.as_text().expect("text");
                if text.contains(part) {
                    return text.to_owned();
                }
            }
        }
    }

    #[tokio::test]
    async fn every_wrong_message_gets_its_answer_and_the_connection_stays() {
        let rooms = Arc::default();
        let mut ada = guest(&rooms);
        let outside = [
            ("hello", "bad_message"),
            (r#"{"type":"shout"}"#, "bad_message"),
            (r#"{"text":"hello"}"#, "bad_message"),
            (r#"{"type":"say","text":"hello"}"#, "not_joined"),
            (r#"{"type":"leave"}"#, "not_joined"),
            (r#"{"type":"join","room":"lobby"}"#, "bad_message"),
            (r#"{"type":"join","room":"lobby","nick":""}"#, "bad_nick"),
            (r#"{"type":"join","room":"","nick":"ada"}"#, "bad_room"),
        ];
        for (message, code) in outside {
            ada.send(message).await;
            let answer = ada.text_with("").await;
            assert!(
                answer.starts_with(&format!(r#"{{"type":"error","code":"{code}","#)),
                "{message}: {answer}"
            );
        }
        ada.ws
            .send(Message::binary(&b"{}"[..]))
            .await
            .expect("it is sent");
        ada.text_with("bad_message").await;

        ada.join("ada").await;
        let too_long = format!(
            r#"{{"type":"say","text":"{}"}}"#,
            "é".repeat(MAX_TEXT_CHARS + 1)
        );
        let inside = [
            (
                r#"{"type":"join","room":"lobby","nick":"eve"}"#,
                "already_joined",
            ),
            (r#"{"type":"say"}"#, "bad_text"),
            (r#"{"type":"say","text":""}"#, "bad_text"),
            (too_long.as_str(), "bad_text"),
        ];
        for (message, code) in inside {
            ada.send(message).await;
            let answer = ada.text_with("").await;
            assert!(answer.contains(code), "{message}: {answer}");
        }
        let mut eve = guest(&rooms);
        eve.send(r#"{"type":"join","room":"lobby","nick":"ada"}"#)
            .await;
        eve.text_with("nick_taken").await;
        eve.join("eve").await;
        ada.text_with("arrived").await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_talks_too_fast_is_read_later() {
        let rooms = Arc::default();
        let mut fast = guest(&rooms);
        fast.join("fast").await;
        let mut calm = guest(&rooms);
        calm.join("calm").await;

        let begun = Instant::now();
        // The join was the first of the burst.
        // Few enough to fit the pipe: beyond that the sender itself has to wait.
        let (allowed, more) = (BURST - 1, 15);
        for n in 1..=allowed + more {
            fast.send(&format!(r#"{{"type":"say","text":"<{n}>"}}"#))
                .await;
            if n == allowed {
                fast.text_with(&format!("<{n}>")).await;
                assert_eq!(begun.elapsed(), Duration::ZERO);
            }
        }
        calm.send(r#"{"type":"say","text":"between"}"#).await;
        calm.text_with("between").await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        fast.text_with(&format!("<{}>", allowed + more)).await;
        assert_eq!(begun.elapsed(), INTERVAL * more);
    }

    #[tokio::test]
    async fn the_speaker_is_told_whom_a_line_reached() {
        let rooms = Arc::default();
        let mut stuck = guest(&rooms);
        stuck.join("stuck").await;
        let mut ada = guest(&rooms);
        ada.join("ada").await;
        ada.send(r#"{"type":"say","text":"hello"}"#).await;
        let said = ada.text_with("").await;
        assert!(said.contains(r#""type":"said""#), "{said}");
        let published = ada.text_with("").await;
        let reached = r#"{"type":"published","delivered":2,"queued":0,"disconnected":0,"at":"#;
        assert!(published.starts_with(reached), "{published}");

        // It fits an empty pipe, and not one that holds what came before.
        let long = "x".repeat(900);
        ada.send(&format!(r#"{{"type":"say","text":"{long}"}}"#))
            .await;
        ada.text_with(r#""delivered":1,"queued":1,"disconnected":0"#)
            .await;
    }

    // spec: S-07
    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let rooms = Arc::default();
        let mut stuck = guest(&rooms);
        stuck.join("stuck").await;
        let mut ada = guest(&rooms);
        ada.join("ada").await;
        // More than the pipe holds; ada hears each of her lines at once.
        for n in 0..10 {
            let line = format!("{n}{}", "x".repeat(500));
            ada.send(&format!(r#"{{"type":"say","text":"{line}"}}"#))
                .await;
            ada.text_with(&line).await;
        }
        let before = Instant::now();
        ada.text_with(r#""type":"departed""#).await;
        assert_eq!(before.elapsed(), STALL_TIMEOUT);
        let ended = stuck.served.await.expect("no panic");
        assert!(
            matches!(ended, Err(Error::Protocol(ProtocolError::WriteTimeout))),
            "{ended:?}"
        );
    }

    // spec: S-07
    #[tokio::test(start_paused = true)]
    async fn who_is_too_far_behind_is_disconnected_with_1013() {
        let rooms = Arc::default();
        let mut stuck = guest(&rooms);
        stuck.join("stuck").await;
        // Nobody serves this one, so that it may talk as fast as it likes, and need not listen.
        let (_near, far) = tokio::io::duplex(1024);
        let (sender, _receiver) =
            WebSocket::server(far, Config::default(), BytesMut::new()).split();
        let talker = rooms.join("lobby", "talker", &sender).await;
        let talker = talker.expect("free");
        stuck.text_with("arrived").await;
        let before = Instant::now();
        while talker.say(&"x".repeat(100)).await.disconnected == 0 {}
        // What it still says is not heard.
        stuck.send(r#"{"type":"say","text":"me too"}"#).await;
        let mut heard = 0;
        while let Some(message) = stuck.ws.recv().await.expect("no error") {
            let text = message.as_text().expect("text");
            heard += usize::from(text.contains("xxx"));
            assert!(!text.contains("me too"), "{text}");
        }
        assert!((1..BACKLOG).contains(&heard), "{heard}");
        assert_eq!(before.elapsed(), Duration::ZERO);
        let info = stuck.ws.close_info().expect("closed");
        assert!(info.clean);
        assert_eq!(info.code(), CloseCode::TRY_AGAIN_LATER);
        let served = stuck.served.await.expect("no panic");
        served.expect("a clean close");
    }
}
