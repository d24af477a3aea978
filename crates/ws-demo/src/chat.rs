//! The route `/chat`: one member's end of the chat protocol that this crate's README describes.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use ws_async::{CloseCode, Error, Message, WebSocket};

use crate::json::{self, ObjectWriter};
use crate::rooms::{self, Membership, Refusal, Rooms};
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
    let Some(object) = message.as_text().and_then(json::read_object) else {
        return Some(refuse(
            "bad_message",
            "Say it as a flat JSON object of strings.",
        ));
    };
    match (object.text("type"), &member) {
        (Some("join"), Some(_)) => {
            Some(refuse("already_joined", "Leave first: one room at a time."))
        }
        (Some("join"), None) => {
            let (Some(room), Some(nick)) = (object.text("room"), object.text("nick")) else {
                return Some(refuse("bad_message", "To join takes a room and a nick."));
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
            _ => Some(refuse("bad_text", "A line has 1 to 2000 characters.")),
        },
        (Some("leave"), Some(_)) => member
            .take()
            .map(|left| rooms::event("left").text("room", left.room()).message()),
        (Some("say" | "leave"), None) => Some(refuse("not_joined", "Join a room first.")),
        _ => Some(refuse(
            "bad_message",
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
        Refusal::BadNick => refuse("bad_nick", "A nick has 1 to 32 visible characters."),
        Refusal::BadRoom => refuse("bad_room", "A room’s name has 1 to 32 visible characters."),
        Refusal::NickTaken => refuse("nick_taken", "Somebody in this room has that nick already."),
        Refusal::RoomFull => refuse("room_full", "This room is full."),
        Refusal::TooManyRooms => refuse(
            "too_many_rooms",
            "There are too many rooms; join one that exists.",
        ),
    }
}

fn refuse(code: &str, text: &str) -> Message {
    let error = ObjectWriter::of_type("error")
        .text("code", code)
        .text("text", text);
    Message::text(error.finish())
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
        self.next = self.full.checked_sub(INTERVAL * BURST).unwrap_or(now);
    }
}
