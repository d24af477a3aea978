//! One message to many connections, by topic.

use std::collections::HashMap;
use std::sync::Arc;

use ws_proto::{CloseCode, Offered, OverflowPolicy, PreparedMessage, Published, SlowConsumer};

use crate::Sender;
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Messages that may wait for one connection beyond its write buffer, unless said otherwise.
const BACKLOG: usize = 64;

/// The reason in the Close frame of a connection that was too slow.
const TOO_SLOW: &str = "too slow";

/// Publishes messages to all connections that have joined a topic. Clones are the same hub.
///
/// A message is framed once and shared by all connections. [`publish`](Self::publish) writes to each connection itself,
/// so a connection that keeps up costs one write and wakes no thread. What a peer does not take within 5 ms waits, first
/// in the connection's write buffer and then in its backlog, and goes out as the peer reads: from a thread that is
/// started for it and ends when nothing waits any more. Until then nobody else is held up by this peer. When the backlog
/// is full, [`SlowConsumer`] decides.
///
/// All members of a topic get its messages in the same order.
///
/// ```no_run
/// # fn serve(ws: ws_sync::WebSocket<std::net::TcpStream>) -> Result<(), ws_sync::Error> {
/// use ws_sync::{Hub, SlowConsumer};
///
/// let hub = Hub::new(SlowConsumer::Disconnect);
/// let (sender, mut receiver) = ws.split()?;
/// let member = hub.join("lobby", &sender);
/// while let Some(message) = receiver.recv()? {
///     member.publish(message);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
}

/// Being in a topic. Dropping it is leaving.
#[derive(Debug)]
pub struct Member {
    hub: Hub,
    topic: Arc<Topic>,
    id: u64,
}

#[derive(Debug)]
struct Shared {
    slow_consumer: SlowConsumer,
    backlog: usize,
    topics: Mutex<Topics>,
}

/// A topic exists while somebody is in it.
#[derive(Debug, Default)]
struct Topics {
    by_name: HashMap<Arc<str>, Arc<Topic>>,
    /// The id given last.
    newest: u64,
}

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    /// Held while a message is published, so that all members get all messages in the same order.
    order: Mutex<()>,
    /// Shared with whoever publishes; copied when it changes meanwhile.
    members: Mutex<Arc<Vec<Entry>>>,
}

#[derive(Clone, Debug)]
struct Entry {
    id: u64,
    sender: Sender,
}

impl Hub {
    /// A hub without topics, whose slow consumers fare as `slow_consumer` says.
    pub fn new(slow_consumer: SlowConsumer) -> Self {
        Self::with_backlog(slow_consumer, BACKLOG)
    }

    /// A hub in which `backlog` messages may wait for each connection beyond its write buffer
    /// (`Config::write_buffer_high`). Waiting messages are shared by all for which they wait. The default is 64.
    pub fn with_backlog(slow_consumer: SlowConsumer, backlog: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                slow_consumer,
                backlog,
                topics: Mutex::default(),
            }),
        }
    }

    /// Enters a topic, which need not exist. The connection gets what is published from now on, until the
    /// [`Member`] is dropped or the connection closes.
    #[must_use = "dropping the membership leaves the topic"]
    pub fn join(&self, topic: &str, sender: &Sender) -> Member {
        let mut topics = self.shared.topics();
        topics.newest += 1;
        let id = topics.newest;
        let topic = match topics.by_name.get(topic) {
            Some(topic) => Arc::clone(topic),
            None => topics.found(topic),
        };
        let entry = Entry {
            id,
            sender: sender.clone(),
        };
        Arc::make_mut(&mut topic.members()).push(entry);
        drop(topics);
        Member {
            hub: self.clone(),
            topic,
            id,
        }
    }

    /// Sends `message` to every member of `topic`, and tells what became of it. Nobody there is nobody reached.
    pub fn publish(&self, topic: &str, message: impl Into<PreparedMessage>) -> Published {
        let topic = self.shared.topics().by_name.get(topic).cloned();
        match topic {
            Some(topic) => self.publish_but(&topic, None, &message.into()),
            None => Published::default(),
        }
    }

    /// How many members `topic` has.
    pub fn members(&self, topic: &str) -> usize {
        let topics = self.shared.topics();
        let topic = topics.by_name.get(topic);
        topic.map_or(0, |topic| topic.members().len())
    }

    /// The topics that exist: those with a member.
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.shared.topics().by_name.keys().cloned().collect()
    }

    fn publish_but(
        &self,
        topic: &Arc<Topic>,
        but: Option<u64>,
        message: &PreparedMessage,
    ) -> Published {
        let _order = topic.order();
        let members = Arc::clone(&topic.members());
        let mut published = Published::default();
        let mut slow = Vec::new();
        for member in members.iter().filter(|member| Some(member.id) != but) {
            self.offer(topic, member, message, &mut published, &mut slow);
        }
        for member in slow {
            let offered = member.sender.offer_when_room(message, self.shared.backlog);
            match offered {
                None => self.put_out(topic, member, &mut published),
                Some((Offered::Closed, _)) => self.shared.leave(topic, member.id),
                Some((offered, flushed)) => published.count(offered, flushed),
            }
        }
        published
    }

    /// Publishes to one member, without waiting; members that have to be waited for are added to `slow`.
    fn offer<'a>(
        &self,
        topic: &Arc<Topic>,
        member: &'a Entry,
        message: &PreparedMessage,
        published: &mut Published,
        slow: &mut Vec<&'a Entry>,
    ) {
        let overflow = match self.shared.slow_consumer {
            SlowConsumer::DropOldest => OverflowPolicy::DropOldest,
            _ => OverflowPolicy::Refuse,
        };
        let (offered, flushed) = member.sender.offer(message, overflow, self.shared.backlog);
        match (offered, self.shared.slow_consumer) {
            (Offered::Refused, SlowConsumer::Wait) => slow.push(member),
            (Offered::Refused, SlowConsumer::Disconnect) => {
                self.put_out(topic, member, published);
            }
            (Offered::Closed, _) => self.shared.leave(topic, member.id),
            _ => published.count(offered, flushed),
        }
    }

    /// Closes a connection that is not to be waited for.
    fn put_out(&self, topic: &Arc<Topic>, member: &Entry, published: &mut Published) {
        let sender = &member.sender;
        sender.disconnect(CloseCode::TRY_AGAIN_LATER, TOO_SLOW);
        published.disconnected += 1;
        self.shared.leave(topic, member.id);
    }
}

impl Member {
    /// Sends `message` to every other member of the topic, as [`Hub::publish`] does.
    pub fn publish(&self, message: impl Into<PreparedMessage>) -> Published {
        let message = message.into();
        self.hub.publish_but(&self.topic, Some(self.id), &message)
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic.name
    }

    /// Whether the connection is still in the topic. One that has closed is put out by the next message that is published
    /// there, and one that is too slow under [`SlowConsumer::Disconnect`], or beyond what [`SlowConsumer::Wait`] waits
    /// for, by the message that is too much.
    pub fn is_in(&self) -> bool {
        self.topic.members().iter().any(|entry| entry.id == self.id)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.hub.shared.leave(&self.topic, self.id);
    }
}

impl Shared {
    fn leave(&self, topic: &Arc<Topic>, id: u64) {
        let mut topics = self.topics();
        let mut members = topic.members();
        let place = members.iter().position(|entry| entry.id == id);
        let left = place.map(|place| Arc::make_mut(&mut members).remove(place));
        // Nobody joins meanwhile: that takes the lock on the topics.
        if left.is_some() && members.is_empty() {
            topics.by_name.remove(&topic.name);
        }
        drop(members);
        drop(topics);
        // It may be the last half of its connection, whose stream goes with it.
        drop(left);
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        // Each change is whole before anything could panic.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topics {
    fn found(&mut self, name: &str) -> Arc<Topic> {
        let name = Arc::<str>::from(name);
        let topic = Arc::new(Topic {
            name: Arc::clone(&name),
            order: Mutex::default(),
            members: Mutex::default(),
        });
        self.by_name.insert(name, Arc::clone(&topic));
        topic
    }
}

impl Topic {
    fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn members(&self) -> MutexGuard<'_, Arc<Vec<Entry>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
