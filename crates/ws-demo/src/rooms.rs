//! The chat's rooms: who is in which, and one event to everybody in it.
//!
//! Each room is a topic of one [`Hub`], which writes an event to every member itself, keeps it for those who are behind,
//! and disconnects who is too far behind with 1013: dropping some of what was said would show them a conversation that
//! nobody had. What is kept here is who is who. A room's roster is locked while an event is told, so that arrivals,
//! departures and what is said have one order; nobody is waited for meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ws_async::{Hub, Member, Published, SendError, Sender, SlowConsumer};

use crate::protocol::Event;

/// Events that may wait for one member beyond what its connection buffers. A page that was held up for a moment in a
/// busy room catches up; beyond that nobody is reading.
pub(crate) const BACKLOG: usize = 256;

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

/// All rooms of the server.
#[derive(Debug)]
pub(crate) struct Rooms {
    hub: Hub,
    /// A room exists while somebody is in it, or about to be.
    by_name: Mutex<HashMap<Arc<str>, Weak<Room>>>,
}

#[derive(Debug)]
struct Room {
    hub: Hub,
    /// Also the hub's topic.
    name: Arc<str>,
    roster: tokio::sync::Mutex<Roster>,
}

#[derive(Debug, Default)]
struct Roster {
    present: Vec<Present>,
    ticks: u64,
}

#[derive(Debug)]
struct Present {
    nick: Arc<str>,
    member: Weak<Member>,
}

/// Being in a room, until [`leave`](Self::leave). Who drops it is out as well, which the others learn with the next
/// event.
#[derive(Debug)]
pub(crate) struct Membership {
    room: Arc<Room>,
    nick: Arc<str>,
    member: Arc<Member>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            hub: Hub::with_backlog(SlowConsumer::Disconnect, BACKLOG),
            by_name: Mutex::default(),
        }
    }
}

impl Rooms {
    /// Enters `room` as `nick`. The first events that the newcomer gets tell that it is so.
    ///
    /// # Errors
    ///
    /// The name or the room will not do; nobody was told anything.
    pub(crate) async fn join(
        &self,
        room: &str,
        nick: &str,
        newcomer: &Sender,
    ) -> Result<Membership, Refusal> {
        if !is_name(nick) {
            return Err(Refusal::BadNick);
        }
        if !is_name(room) {
            return Err(Refusal::BadRoom);
        }
        let room = self.open(room).ok_or(Refusal::TooManyRooms)?;
        let mut roster = room.roster.lock().await;
        room.dismiss(&mut roster).await;
        if roster.present.len() >= MAX_MEMBERS {
            return Err(Refusal::RoomFull);
        }
        if roster.nicks().any(|taken| taken == nick) {
            return Err(Refusal::NickTaken);
        }
        room.tell(&mut roster, &Event::Arrived { nick }).await;
        welcome(newcomer, &room.name, nick, &roster);
        let member = Arc::new(self.hub.join(&room.name, newcomer));
        let nick = Arc::<str>::from(nick);
        roster.present.push(Present {
            nick: Arc::clone(&nick),
            member: Arc::downgrade(&member),
        });
        drop(roster);
        Ok(Membership { room, nick, member })
    }

    /// The server's regular push to every room.
    pub(crate) async fn tick(&self) {
        let rooms: Vec<_> = self.by_name().values().filter_map(Weak::upgrade).collect();
        for room in rooms {
            room.tick().await;
        }
    }

    /// The room of that name, a new one if need be; `None` when there are too many.
    fn open(&self, name: &str) -> Option<Arc<Room>> {
        let mut by_name = self.by_name();
        if let Some(room) = by_name.get(name).and_then(Weak::upgrade) {
            return Some(room);
        }
        by_name.retain(|_, room| room.strong_count() > 0);
        if by_name.len() >= MAX_ROOMS {
            return None;
        }
        let name = Arc::<str>::from(name);
        let room = Arc::new(Room {
            hub: self.hub.clone(),
            name: Arc::clone(&name),
            roster: tokio::sync::Mutex::default(),
        });
        by_name.insert(name, Arc::downgrade(&room));
        Some(room)
    }

    fn by_name(&self) -> MutexGuard<'_, HashMap<Arc<str>, Weak<Room>>> {
        // Each change of the map is whole before anything could panic.
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a newcomer hears first: nothing else is told while the roster is locked.
fn welcome(newcomer: &Sender, room: &str, nick: &str, others: &Roster) {
    let joined = Event::Joined {
        room,
        nick,
        members: others.nicks().chain([nick]).collect(),
    };
    let notice = Event::Notice {
        text: "This line came from the server, unasked.",
    };
    for event in [joined, notice] {
        if let Err(unsent) = newcomer.try_send(event.message()) {
            // A connection that is closing leaves by itself. For everybody else there is room: who is to join has
            // been sent the answers to all that was said before.
            debug_assert_eq!(unsent.error, SendError::Closed);
        }
    }
}

impl Room {
    /// One event to everybody, encoded once, and to whom. For some it may be too much.
    async fn tell(&self, roster: &mut Roster, event: &Event<'_>) -> Published {
        let published = self.hub.publish(&self.name, event.message()).await;
        self.dismiss(roster).await;
        published
    }

    /// Takes those off the roster who are not in the topic any more, and tells the others. That may again be too much
    /// for somebody; each time fewer are left, so it ends.
    async fn dismiss(&self, roster: &mut Roster) {
        while self.hub.members(&self.name) < roster.present.len()
            && let Some(place) = roster.present.iter().position(Present::is_gone)
        {
            let nick = &roster.present.remove(place).nick;
            let departed = Event::Departed { nick };
            self.hub.publish(&self.name, departed.message()).await;
        }
    }

    async fn tick(&self) {
        let mut roster = self.roster.lock().await;
        self.dismiss(&mut roster).await;
        roster.ticks = roster.ticks.saturating_add(1);
        let tick = Event::Tick {
            seq: roster.ticks,
            members: roster.present.len(),
        };
        self.tell(&mut roster, &tick).await;
    }
}

impl Roster {
    fn nicks(&self) -> impl Iterator<Item = &str> {
        self.present.iter().map(|present| &*present.nick)
    }
}

impl Present {
    fn is_gone(&self) -> bool {
        self.member.upgrade().is_none_or(|member| !member.is_in())
    }
}

impl Membership {
    /// Says something to everybody in the room, oneself included; whom it reached.
    pub(crate) async fn say(&self, text: &str) -> Published {
        let mut roster = self.room.roster.lock().await;
        let nick = &self.nick;
        self.room
            .tell(&mut roster, &Event::Said { nick, text })
            .await
    }

    /// Leaves the room, and tells the others.
    pub(crate) async fn leave(self) {
        drop(self.member);
        let mut roster = self.room.roster.lock().await;
        self.room.dismiss(&mut roster).await;
    }

    pub(crate) fn room(&self) -> &str {
        &self.room.name
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
    use std::time::Duration;

    use bytes::BytesMut;
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::timeout;
    use ws_async::{Config, Receiver, WebSocket};

    use super::*;

    /// A connection whose server's end nobody serves: nothing is written to it but by the hub.
    struct Link {
        sender: Sender,
        _receiver: Receiver,
        client: WebSocket<DuplexStream>,
    }

    fn link() -> Link {
        let (near, far) = duplex(1024);
        let config = Config::default()
            .with_ping_interval(None)
            .with_write_buffer_high(8 * 1024);
        let ws = WebSocket::server(far, config.clone(), BytesMut::new());
        let (sender, _receiver) = ws.split();
        Link {
            sender,
            _receiver,
            client: WebSocket::client(near, config, BytesMut::new()),
        }
    }

    impl Link {
        async fn join(&self, rooms: &Rooms, nick: &str) -> Membership {
            let joined = rooms.join("lobby", nick, &self.sender).await;
            joined.expect("free")
        }

        /// What has arrived.
        async fn waiting(&mut self) -> Vec<String> {
            let mut waiting = Vec::new();
            while let Ok(received) = timeout(Duration::ZERO, self.client.recv()).await {
                let message = received.expect("no error").expect("not closed");
                let text = message.as_text().expect("events are text").to_owned();
                // The time differs from run to run.
                let (kind, rest) = text.split_once(",\"at\":").expect("a time");
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                waiting.push(format!("{kind}{rest}"));
            }
            waiting
        }
    }

    #[tokio::test]
    async fn everybody_hears_the_same_in_the_same_order() {
        let rooms = Rooms::default();
        let (mut ada, mut bob) = (link(), link());
        let ada_in = ada.join(&rooms, "ada").await;
        let bob_in = bob.join(&rooms, "bob").await;
        ada.waiting().await;
        bob.waiting().await;
        assert_eq!(ada_in.say("1").await.delivered, 2);
        assert_eq!(bob_in.say("2").await.delivered, 2);
        rooms.tick().await;
        let expected = [
            r#"{"type":"said","nick":"ada","text":"1"}"#,
            r#"{"type":"said","nick":"bob","text":"2"}"#,
            r#"{"type":"tick","seq":1,"members":2}"#,
        ];
        assert_eq!(ada.waiting().await, expected);
        assert_eq!(bob.waiting().await, expected);
        bob_in.leave().await;
        let departed = [r#"{"type":"departed","nick":"bob"}"#];
        assert_eq!(ada.waiting().await, departed);
    }

    #[tokio::test]
    async fn a_newcomer_hears_who_is_there_before_anything_else() {
        let rooms = Rooms::default();
        let (ada, mut bob) = (link(), link());
        let _ada = ada.join(&rooms, "ada").await;
        let _bob = bob.join(&rooms, "bob").await;
        assert_eq!(
            bob.waiting().await.swap_remove(0),
            r#"{"type":"joined","room":"lobby","nick":"bob","members":["ada","bob"]}"#
        );
    }

    #[tokio::test]
    async fn who_is_dropped_without_a_word_has_departed_by_the_next_event() {
        let rooms = Rooms::default();
        let (mut ada, bob) = (link(), link());
        let _ada = ada.join(&rooms, "ada").await;
        drop(bob.join(&rooms, "bob").await);
        ada.waiting().await;
        rooms.tick().await;
        let expected = [
            r#"{"type":"departed","nick":"bob"}"#,
            r#"{"type":"tick","seq":1,"members":1}"#,
        ];
        assert_eq!(ada.waiting().await, expected);
        drop(ada.join(&rooms, "bob").await);
    }

    // spec: S-07
    #[tokio::test]
    async fn a_member_that_does_not_read_is_put_out_and_costs_the_others_nothing() {
        let rooms = Rooms::default();
        let (slow, mut ada) = (link(), link());
        let slow_in = slow.join(&rooms, "slow").await;
        let ada_in = ada.join(&rooms, "ada").await;
        ada.waiting().await;
        let mut heard = Vec::new();
        let mut reached = Published::default();
        for n in 0..2 * BACKLOG {
            reached += ada_in.say(&n.to_string()).await;
            heard.append(&mut ada.waiting().await);
        }
        assert!(reached.queued >= BACKLOG);
        assert_eq!((reached.dropped, reached.disconnected), (0, 1));
        let departed = r#"{"type":"departed","nick":"slow"}"#;
        assert_eq!(heard.iter().filter(|event| *event == departed).count(), 1);
        assert_eq!(heard.len(), 2 * BACKLOG + 1, "ada has heard every line");

        // The name is free again, and the old membership does not take the new one with it.
        let mut again = link();
        let _again = again.join(&rooms, "slow").await;
        slow_in.leave().await;
        ada_in.say("hello").await;
        let heard = [again.waiting().await, ada.waiting().await].map(|events| events.join("\n"));
        assert!(heard.iter().all(|events| events.contains("hello")));
        assert!(!heard.iter().any(|events| events.contains("departed")));
    }

    #[tokio::test]
    async fn members_that_are_all_too_slow_leave_an_empty_room() {
        let rooms = Rooms::default();
        let links: Vec<_> = (0..4).map(|_| link()).collect();
        let mut members = Vec::new();
        for (n, link) in links.iter().enumerate() {
            members.push(link.join(&rooms, &n.to_string()).await);
        }
        for _ in 0..2 * BACKLOG {
            members[0].say("is anybody there").await;
        }
        rooms.tick().await;
        assert_eq!(rooms.hub.topics(), []);
        let again = link();
        let again = again.join(&rooms, "0").await;
        assert_eq!(again.say("only me").await.delivered, 1);
    }

    #[tokio::test]
    async fn names_and_numbers_have_limits() {
        let rooms = Rooms::default();
        let Link { sender, .. } = &link();
        let refused = async |room: &str, nick: &str| {
            let joined = rooms.join(room, nick, sender).await;
            joined.expect_err("refused")
        };
        for name in ["", " ada", "ada ", "a\nb", "\u{7f}", &"x".repeat(33)] {
            assert_eq!(refused("lobby", name).await, Refusal::BadNick, "{name:?}");
            assert_eq!(refused(name, "ada").await, Refusal::BadRoom, "{name:?}");
        }
        assert!(rooms.by_name().is_empty());

        let links: Vec<_> = (0..MAX_MEMBERS + MAX_ROOMS).map(|_| link()).collect();
        let mut senders = links.iter().map(|link| &link.sender);
        let mut there = Vec::new();
        for n in 0..MAX_MEMBERS {
            let nick = format!("{n}{}", "名".repeat(30));
            let joined = rooms.join("full", &nick, senders.next().expect("enough"));
            there.push(joined.await.expect("32 characters, and room left"));
        }
        assert_eq!(refused("full", "one more").await, Refusal::RoomFull);
        there.pop();
        let taken = format!("0{}", "名".repeat(30));
        assert_eq!(refused("full", &taken).await, Refusal::NickTaken);
        for n in 1..MAX_ROOMS {
            let room = n.to_string();
            let joined = rooms.join(&room, "ada", senders.next().expect("enough"));
            there.push(joined.await.expect("rooms left"));
        }
        assert_eq!(refused("one more", "ada").await, Refusal::TooManyRooms);
        there.pop();
        assert!(rooms.join("one more", "ada", sender).await.is_ok());
        drop(there);
        assert_eq!(rooms.hub.topics(), [], "a room ends with its last member");
    }
}
