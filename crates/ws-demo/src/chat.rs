//! The route `/chat`: one member's end of the chat protocol that this crate's README describes.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use ws_async::{CloseCode, Error, Message, WebSocket};

use crate::protocol::{ErrorCode, ErrorEvent, Event, Object};
use crate::rooms::{Membership, Refusal, Rooms};
use crate::shutdown::ShutdownWatch;
use crate::{GOING_AWAY, STALL_TIMEOUT};

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
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut ws: WebSocket<S>,
    rooms: Arc<Rooms>,
    mut shutdown: ShutdownWatch,
) -> Result<(), Error> {
    let mut member: Option<Membership> = None;
    let mut pace = Pace::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.begun() => {
                drop(member);
                ws.close(CloseCode::GOING_AWAY, GOING_AWAY).await?;
                return Ok(());
            }
            event = next_event(&mut member) => match event {
                Some(event) => {
                    if !hand_on(&mut ws, &mut member, event).await? {
                        return put_out(ws, member).await;
                    }
                }
                None => return put_out(ws, member).await,
            },
            () = sleep_until(pace.next), if !pace.is_open() => {}
            received = ws.recv(), if pace.is_open() => {
                let Some(message) = received? else {
                    return Ok(());
                };
                pace.count();
                if let Some(answer) = answer(&message, &rooms, &mut member)
                    && !hand_on(&mut ws, &mut None, answer).await?
                {
                    return put_out(ws, member).await;
                }
            }
        }
    }
}

/// What the sender alone is told; what the room is told comes back to the sender as an event.
fn answer(
    message: &Message,
    rooms: &Arc<Rooms>,
    member: &mut Option<Membership>,
) -> Option<Message> {
    let Some(object) = message.as_text().and_then(Object::read) else {
        return Some(refuse(
            ErrorCode::BadMessage,
            "Say it as a flat JSON object of strings.",
        ));
    };
    match (object.text("type"), &member) {
        (Some("join"), Some(_)) => Some(refuse(
            ErrorCode::AlreadyJoined,
            "Leave first: one room at a time.",
        )),
        (Some("join"), None) => {
            let (Some(room), Some(nick)) = (object.text("room"), object.text("nick")) else {
                return Some(refuse(
                    ErrorCode::BadMessage,
                    "To join takes a room and a nick.",
                ));
            };
            match rooms.join(room, nick) {
                Ok(joined) => {
                    *member = Some(joined);
                    None
                }
                Err(refusal) => Some(explain(refusal)),
            }
        }
        (Some("say"), Some(member)) => match object.text("text") {
            Some(text) if !text.is_empty() && text.chars().count() <= MAX_TEXT_CHARS => {
                member.say(text);
                None
            }
            _ => Some(refuse(
                ErrorCode::BadText,
                "A line has 1 to 2000 characters.",
            )),
        },
        (Some("leave"), Some(_)) => member
            .take()
            .map(|left| Event::Left { room: left.room() }.message()),
        (Some("say" | "leave"), None) => Some(refuse(ErrorCode::NotJoined, "Join a room first.")),
        _ => Some(refuse(
            ErrorCode::BadMessage,
            "The type is one of join, say and leave.",
        )),
    }
}

/// Sends an event and what waits behind it. False when the other side does not take it: because its
/// queue ran over meanwhile, or because nothing moves at all.
async fn hand_on<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocket<S>,
    member: &mut Option<Membership>,
    event: Message,
) -> Result<bool, Error> {
    let mut next = Some(event);
    while let Some(event) = next {
        if !unless_evicted(ws.feed(event), member).await? {
            return Ok(false);
        }
        next = member.as_mut().and_then(Membership::waiting_event);
    }
    unless_evicted(ws.flush(), member).await
}

async fn unless_evicted(
    sending: impl Future<Output = Result<(), Error>>,
    member: &mut Option<Membership>,
) -> Result<bool, Error> {
    tokio::select! {
        biased;
        sent = timeout(STALL_TIMEOUT, sending) => match sent {
            Ok(sent) => sent.map(|()| true),
            Err(_elapsed) => Ok(false),
        },
        () = evicted(member) => Ok(false),
    }
}

async fn put_out<S: AsyncRead + AsyncWrite + Unpin>(
    mut ws: WebSocket<S>,
    member: Option<Membership>,
) -> Result<(), Error> {
    drop(member);
    ws.close(CloseCode::TRY_AGAIN_LATER, "too slow for the room")
        .await?;
    Ok(())
}

async fn next_event(member: &mut Option<Membership>) -> Option<Message> {
    match member {
        Some(member) => member.next_event().await,
        None => std::future::pending().await,
    }
}

async fn evicted(member: &mut Option<Membership>) {
    match member {
        Some(member) => member.evicted().await,
        None => std::future::pending().await,
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
    use ws_async::Config;

    use super::*;
    use crate::rooms::QUEUE_EVENTS;
    use crate::shutdown::Shutdown;

    struct Guest {
        ws: WebSocket<DuplexStream>,
        served: JoinHandle<Result<(), Error>>,
    }

    /// A client, and a server's end for it behind a pipe that holds a kilobyte.
    fn guest(rooms: &Arc<Rooms>, shutdown: &Shutdown) -> Guest {
        let (near, far) = tokio::io::duplex(1024);
        let config = Config::default().with_ping_interval(None);
        let ws = WebSocket::server(far, config.clone(), BytesMut::new());
        Guest {
            ws: WebSocket::client(near, config, BytesMut::new()),
            served: tokio::spawn(serve(ws, Arc::clone(rooms), shutdown.watch())),
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
        let (rooms, shutdown) = (Arc::default(), Shutdown::new());
        let mut ada = guest(&rooms, &shutdown);
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
        let mut eve = guest(&rooms, &shutdown);
        eve.send(r#"{"type":"join","room":"lobby","nick":"ada"}"#)
            .await;
        eve.text_with("nick_taken").await;
        eve.join("eve").await;
        ada.text_with("arrived").await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_talks_too_fast_is_read_later() {
        let (rooms, shutdown) = (Arc::default(), Shutdown::new());
        let mut fast = guest(&rooms, &shutdown);
        fast.join("fast").await;
        let mut calm = guest(&rooms, &shutdown);
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

    // spec: S-07
    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_disconnected_with_1013() {
        let (rooms, shutdown) = (Arc::default(), Shutdown::new());
        let mut stuck = guest(&rooms, &shutdown);
        stuck.join("stuck").await;
        let mut ada = guest(&rooms, &shutdown);
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
        assert!(before.elapsed() <= STALL_TIMEOUT, "{:?}", before.elapsed());

        // It reads again, and learns why.
        while stuck.ws.recv().await.expect("no error").is_some() {}
        let info = stuck.ws.close_info().expect("closed");
        let frame = info.received.flatten().expect("a Close frame with a code");
        assert_eq!(frame.code, CloseCode::TRY_AGAIN_LATER);
        stuck
            .served
            .await
            .expect("no panic")
            .expect("a clean close");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_ends_the_wait_for_a_member_that_takes_nothing() {
        let (rooms, shutdown) = (Arc::default(), Shutdown::new());
        let mut stuck = guest(&rooms, &shutdown);
        stuck.join("stuck").await;
        let talker = rooms.join("lobby", "talker").expect("free");
        stuck.text_with("arrived").await;
        let before = Instant::now();
        for _ in 0..2 {
            for n in 0..=QUEUE_EVENTS {
                talker.say(&n.to_string());
            }
            tokio::task::yield_now().await;
        }
        while stuck.ws.recv().await.expect("no error").is_some() {}
        assert_eq!(before.elapsed(), Duration::ZERO);
        let info = stuck.ws.close_info().expect("closed");
        let frame = info.received.flatten().expect("a Close frame with a code");
        assert_eq!(frame.code, CloseCode::TRY_AGAIN_LATER);
    }
}
