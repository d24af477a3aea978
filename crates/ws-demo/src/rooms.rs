//! The chat's rooms: who is in which, and one event to everybody in it.
//!
//! A room is locked only while an event is put into its members' queues, never while anybody waits, so
//! a member that does not read costs the others nothing. Each queue is bounded. The policy for a slow
//! consumer is to disconnect it with 1013: dropping some of what was said would show it a conversation
//! that nobody had.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use ws_async::Message;

use crate::protocol::Event;

/// Events that may wait for one member. One that reads finds a handful at most; a page that was held
/// up for a moment in a busy room catches up; beyond that nobody is reading.
pub(crate) const QUEUE_EVENTS: usize = 256;

/// Every event is offered to every member, so this bounds what one message costs.
const MAX_MEMBERS: usize = 64;
const MAX_ROOMS: usize = 256;
const MAX_NAME_CHARS: usize = 32;

/// Why somebody may not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadNick,
    BadRoom,
    NickTaken,
    RoomFull,
    TooManyRooms,
}

/// All rooms of the server. A room exists while somebody is in it.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: Mutex<HashMap<String, Room>>,
}

#[derive(Debug, Default)]
struct Room {
    members: Vec<Member>,
    joined: u64,
    ticks: u64,
}

#[derive(Debug)]
struct Member {
    /// Which entry into the room this is; a nick may be somebody else's by and by.
    id: u64,
    nick: String,
    events: mpsc::Sender<Message>,
    /// Its end is how the membership learns that this member was put out.
    _present: watch::Sender<()>,
}

/// Being in a room. Dropping it is leaving.
#[derive(Debug)]
pub(crate) struct Membership {
    rooms: Arc<Rooms>,
    room: String,
    id: u64,
    nick: String,
    events: mpsc::Receiver<Message>,
    present: watch::Receiver<()>,
}

impl Rooms {
    /// Enters `room` as `nick`. The first events of the membership tell that it is so.
    ///
    /// # Errors
    ///
    /// The name or the room will not do; nobody was told anything.
    pub(crate) fn join(self: &Arc<Self>, room: &str, nick: &str) -> Result<Membership, Refusal> {
        if !is_name(nick) {
            return Err(Refusal::BadNick);
        }
        if !is_name(room) {
            return Err(Refusal::BadRoom);
        }
        let mut rooms = self.lock();
        match rooms.get(room) {
            None if rooms.len() >= MAX_ROOMS => return Err(Refusal::TooManyRooms),
            None => {}
            Some(there) if there.members.len() >= MAX_MEMBERS => return Err(Refusal::RoomFull),
            Some(there) if there.members.iter().any(|member| member.nick == nick) => {
                return Err(Refusal::NickTaken);
            }
            Some(_) => {}
        }
        let there = rooms.entry(room.to_owned()).or_default();
        there.tell(&Event::Arrived { nick });

        let (sender, events) = mpsc::channel(QUEUE_EVENTS);
        let (_present, present) = watch::channel(());
        let id = there.joined;
        there.joined = id.wrapping_add(1);
        let newcomer = Member {
            id,
            nick: nick.to_owned(),
            events: sender,
            _present,
        };
        let others = there.members.iter().map(|member| member.nick.as_str());
        let joined = Event::Joined {
            room,
            nick,
            members: others.chain([nick]).collect(),
        };
        let notice = Event::Notice {
            text: "This line came from the server, unasked.",
        };
        let has_room = newcomer.tell(joined.message()) && newcomer.tell(notice.message());
        debug_assert!(has_room, "the queue is empty and takes two events");
        there.members.push(newcomer);
        Ok(Membership {
            rooms: Arc::clone(self),
            room: room.to_owned(),
            id,
            nick: nick.to_owned(),
            events,
            present,
        })
    }

    /// The server's regular push to every room.
    pub(crate) fn tick(&self) {
        for room in self.lock().values_mut() {
            room.ticks = room.ticks.saturating_add(1);
            let tick = Event::Tick {
                seq: room.ticks,
                members: room.members.len(),
            };
            room.tell(&tick);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        // Each change of the map is whole before anything could panic.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// One event to everybody, encoded once. Whoever's queue is full has to go, which is news for the
    /// others in its turn; each round leaves fewer, so the rounds end.
    fn tell(&mut self, event: &Event<'_>) {
        let mut news = vec![event.message()];
        while let Some(message) = news.pop() {
            self.members.retain(|member| {
                let keeps_up = member.tell(message.clone());
                if !keeps_up {
                    let departed = Event::Departed { nick: &member.nick };
                    news.push(departed.message());
                }
                keeps_up
            });
        }
    }
}

impl Member {
    /// False when the member does not keep up. One whose connection is ending counts as keeping up: it
    /// leaves by itself.
    fn tell(&self, message: Message) -> bool {
        !matches!(
            self.events.try_send(message),
            Err(mpsc::error::TrySendError::Full(_))
        )
    }
}

impl Membership {
    /// Says something to everybody in the room.
    pub(crate) fn say(&self, text: &str) {
        if let Some(room) = self.rooms.lock().get_mut(&self.room) {
            let nick = &self.nick;
            room.tell(&Event::Said { nick, text });
        }
    }

    pub(crate) fn room(&self) -> &str {
        &self.room
    }

    /// The next event of the room; `None` when this member was put out for being too slow.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub(crate) async fn next_event(&mut self) -> Option<Message> {
        tokio::select! {
            biased;
            () = evicted(&mut self.present) => None,
            event = self.events.recv() => event,
        }
    }

    /// An event that waits already.
    pub(crate) fn waiting_event(&mut self) -> Option<Message> {
        self.events.try_recv().ok()
    }

    /// Ready when this member was put out for being too slow.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub(crate) async fn evicted(&mut self) {
        evicted(&mut self.present).await;
    }
}

async fn evicted(present: &mut watch::Receiver<()>) {
    while present.changed().await.is_ok() {}
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        let Some(room) = rooms.get_mut(&self.room) else {
            return;
        };
        let before = room.members.len();
        room.members.retain(|member| member.id != self.id);
        if room.members.len() < before {
            room.tell(&Event::Departed { nick: &self.nick });
        }
        if room.members.is_empty() {
            rooms.remove(&self.room);
        }
    }
}

/// One or more visible characters: no control characters, and no blank at either end, where it could
/// make two names look the same.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && name.trim() == name
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: Message) -> String {
        let text = message.as_text().expect("events are text").to_owned();
        // The time differs from run to run.
        let (kind, rest) = text.split_once(",\"at\":").expect("a time");
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        format!("{kind}{rest}")
    }

    fn waiting(member: &mut Membership) -> Vec<String> {
        std::iter::from_fn(|| member.waiting_event())
            .map(said)
            .collect()
    }

    #[test]
    fn everybody_hears_the_same_in_the_same_order() {
        let rooms = Arc::new(Rooms::default());
        let mut ada = rooms.join("lobby", "ada").expect("free");
        let mut bob = rooms.join("lobby", "bob").expect("free");
        waiting(&mut ada);
        waiting(&mut bob);
        ada.say("1");
        bob.say("2");
        rooms.tick();
        let expected = [
            r#"{"type":"said","nick":"ada","text":"1"}"#,
            r#"{"type":"said","nick":"bob","text":"2"}"#,
            r#"{"type":"tick","seq":1,"members":2}"#,
        ];
        assert_eq!(waiting(&mut ada), expected);
        assert_eq!(waiting(&mut bob), expected);
        drop(bob);
        assert_eq!(waiting(&mut ada), [r#"{"type":"departed","nick":"bob"}"#]);
    }

    #[test]
    fn a_newcomer_hears_who_is_there_before_anything_else() {
        let rooms = Arc::new(Rooms::default());
        let _ada = rooms.join("lobby", "ada").expect("free");
        let mut bob = rooms.join("lobby", "bob").expect("free");
        let first = waiting(&mut bob).swap_remove(0);
        assert_eq!(
            first,
            r#"{"type":"joined","room":"lobby","nick":"bob","members":["ada","bob"]}"#
        );
    }

    #[tokio::test]
    async fn a_member_that_does_not_read_is_put_out_and_costs_the_others_nothing() {
        let rooms = Arc::new(Rooms::default());
        let mut slow = rooms.join("lobby", "slow").expect("free");
        let mut ada = rooms.join("lobby", "ada").expect("free");
        waiting(&mut ada);
        let mut heard = Vec::new();
        for n in 0..2 * QUEUE_EVENTS {
            ada.say(&n.to_string());
            heard.append(&mut waiting(&mut ada));
        }
        let departed = r#"{"type":"departed","nick":"slow"}"#;
        assert_eq!(heard.iter().filter(|event| *event == departed).count(), 1);
        assert_eq!(
            heard.len(),
            2 * QUEUE_EVENTS + 1,
            "ada has heard every line"
        );
        // Not even what waits is handed out any more, and it stays so.
        slow.evicted().await;
        assert_eq!(slow.next_event().await, None);

        // The name is free again, and the old membership does not take the new one with it.
        let mut again = rooms.join("lobby", "slow").expect("free again");
        drop(slow);
        ada.say("hello");
        assert!(
            waiting(&mut again)
                .iter()
                .any(|event| event.contains("hello"))
        );
        assert!(
            !waiting(&mut ada)
                .iter()
                .any(|event| event.contains("departed"))
        );
    }

    #[test]
    fn members_that_are_all_too_slow_leave_an_empty_room() {
        let rooms = Arc::new(Rooms::default());
        let members: Vec<_> = (0..MAX_MEMBERS)
            .map(|n| rooms.join("lobby", &n.to_string()).expect("free"))
            .collect();
        for _ in 0..2 * QUEUE_EVENTS {
            members[0].say("is anybody there");
        }
        rooms.tick();
        assert!(rooms.join("lobby", "0").is_ok());
        drop(members);
        assert!(rooms.lock().is_empty());
    }

    #[test]
    fn names_and_numbers_have_limits() {
        let rooms = Arc::new(Rooms::default());
        let refused = |room: &str, nick: &str| rooms.join(room, nick).expect_err("refused");
        for name in ["", " ada", "ada ", "a\nb", "\u{7f}", &"x".repeat(33)] {
            assert_eq!(refused("lobby", name), Refusal::BadNick, "{name:?}");
            assert_eq!(refused(name, "ada"), Refusal::BadRoom, "{name:?}");
        }
        assert!(rooms.lock().is_empty());

        let mut there = vec![rooms.join("full", &"名".repeat(32)).expect("32 characters")];
        assert_eq!(refused("full", &"名".repeat(32)), Refusal::NickTaken);
        for n in 1..MAX_MEMBERS {
            there.push(rooms.join("full", &n.to_string()).expect("room left"));
        }
        assert_eq!(refused("full", "one more"), Refusal::RoomFull);
        for n in 1..MAX_ROOMS {
            there.push(rooms.join(&n.to_string(), "ada").expect("rooms left"));
        }
        assert_eq!(refused("one more", "ada"), Refusal::TooManyRooms);
        there.pop();
        assert!(rooms.join("one more", "ada").is_ok());
        drop(there);
        assert!(rooms.lock().is_empty(), "a room ends with its last member");
    }
}
