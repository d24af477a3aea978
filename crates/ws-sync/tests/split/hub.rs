//! One message to many connections: who gets it, in which order, and what becomes of those that do not keep up.
//!
//! Each connection is served by a thread that sits in a read without end. What a slow peer has missed reaches it all the
//! same.

use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::BytesMut;
use ws_sync::{
    CloneStream, CloseCode, Config, Error, Hub, Message, MessageKind, PreparedMessage,
    ProtocolError, Published, Receiver, Sender, SlowConsumer, Stream, WebSocket,
};
use ws_testkit::ChoppedIo;

use crate::pipe::{Pipe, quiet, tcp_pair};

/// A server's connection, the thread that serves it, and the client at its other end.
struct Link<S = Pipe> {
    sender: Sender,
    owner: JoinHandle<(Result<Option<Message>, Error>, Receiver)>,
    client: WebSocket<S>,
}

/// A link whose pipe and write buffer take `capacity` bytes each, more or less.
fn link(capacity: usize) -> Link {
    link_with(capacity, quiet())
}

fn link_with(capacity: usize, config: Config) -> Link {
    let (client, server) = ends(capacity, config);
    let (sender, receiver) = server.split().expect("it can");
    Link {
        sender,
        owner: own(receiver),
        client,
    }
}

fn ends(capacity: usize, config: Config) -> (WebSocket<Pipe>, WebSocket<Pipe>) {
    let config = config.with_write_buffer_high(capacity);
    let (client, server) = ChoppedIo::duplex();
    let [client, server] = [client, server].map(|end| Pipe(end.with_capacity(capacity)));
    (
        WebSocket::client(client, config.clone(), BytesMut::new()),
        WebSocket::server(server, config, BytesMut::new()),
    )
}

fn own(mut receiver: Receiver) -> JoinHandle<(Result<Option<Message>, Error>, Receiver)> {
    thread::spawn(move || (receiver.recv(), receiver))
}

fn counts(published: Published) -> [usize; 4] {
    [
        published.delivered,
        published.queued,
        published.dropped,
        published.disconnected,
    ]
}

fn heard<S: Stream>(client: &mut WebSocket<S>) -> String {
    let message = client.recv().expect("received").expect("a message");
    message.as_text().expect("text").to_owned()
}

fn numbers<S: Stream>(client: &mut WebSocket<S>, count: usize) -> Vec<usize> {
    let number = |_| heard(client).parse().expect("a number");
    (0..count).map(number).collect()
}

/// spec: CD-03
#[test]
fn everybody_else_hears_it() {
    let hub = Hub::new(SlowConsumer::Wait);
    let mut links: Vec<Link> = (0..3).map(|_| link(1000)).collect();
    let mut members: Vec<_> = links
        .iter()
        .map(|link| hub.join("lobby", &link.sender))
        .collect();
    let elsewhere = link(1000);
    let _elsewhere = hub.join("elsewhere", &elsewhere.sender);
    assert_eq!(hub.members("lobby"), 3);

    assert_eq!(counts(members[0].publish("hello")), [2, 0, 0, 0]);
    for link in &mut links[1..] {
        assert_eq!(heard(&mut link.client), "hello");
    }
    assert_eq!(counts(hub.publish("lobby", "to all")), [3, 0, 0, 0]);
    for link in &mut links {
        assert_eq!(heard(&mut link.client), "to all");
    }
    assert_eq!(elsewhere.sender.stats().sent.messages, 0);
    assert_eq!(counts(hub.publish("nowhere", "?")), [0, 0, 0, 0]);

    drop(members.pop());
    assert_eq!(counts(hub.publish("lobby", "to two")), [2, 0, 0, 0]);
    drop(members);
    assert_eq!(hub.members("lobby"), 0);
    assert_eq!(&*hub.topics()[0], "elsewhere");
}

#[test]
fn a_connection_that_closes_leaves() {
    let hub = Hub::new(SlowConsumer::Wait);
    let mut link = link(1000);
    let member = hub.join("lobby", &link.sender);
    link.client.close(CloseCode::NORMAL, "").expect("closed");
    let (received, _receiver) = link.owner.join().expect("no panic");
    assert_eq!(received.expect("closed"), None);
    assert!(member.is_in());
    assert_eq!(counts(hub.publish("lobby", "hello")), [0, 0, 0, 0]);
    assert!(!member.is_in());
    assert_eq!(hub.members("lobby"), 0);
}

#[test]
fn a_connection_that_closes_while_it_is_waited_for_leaves() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let busy = link(1000);
    let mut other = link(1000);
    let member = hub.join("lobby", &busy.sender);
    let _other = hub.join("lobby", &other.sender);
    let mut writer = busy.sender.writer(MessageKind::Text).expect("open");
    writer.write(b"piece").expect("collected");
    writer.flush().expect("sent as a fragment");
    assert_eq!(counts(hub.publish("lobby", "1")), [1, 1, 0, 0]);
    let publisher = thread::spawn({
        let hub = hub.clone();
        move || hub.publish("lobby", "2")
    });
    // By the time the other hears of it, there was no room for the first.
    for expected in ["1", "2"] {
        assert_eq!(heard(&mut other.client), expected);
    }
    assert!(member.is_in());
    busy.sender.abort();
    let published = publisher.join().expect("no panic");
    assert_eq!(counts(published), [1, 0, 0, 0]);
    assert!(!member.is_in());
    drop(writer);
}

/// Publishes until the transport, the write buffer and a backlog of two are full, and returns the number of the first
/// message that was not simply taken, and what became of it.
fn fill(hub: &Hub) -> (usize, Published) {
    for n in 0..100 {
        let published = hub.publish("lobby", format!("{n:02}"));
        if published.dropped > 0 || published.disconnected > 0 {
            return (n, published);
        }
        assert_eq!(published.delivered + published.queued, 1);
    }
    panic!("nothing is ever full");
}

/// spec: S-07
#[test]
fn a_slow_consumer_can_miss_what_is_new() {
    let hub = Hub::with_backlog(SlowConsumer::DropNewest, 2);
    let mut slow = link(20);
    let _member = hub.join("lobby", &slow.sender);
    let (full, published) = fill(&hub);
    assert_eq!(counts(published), [0, 0, 1, 0]);
    assert_eq!(counts(hub.publish("lobby", "98")), [0, 0, 1, 0]);
    let expected: Vec<usize> = (0..full).collect();
    assert_eq!(numbers(&mut slow.client, full), expected);
    let published = hub.publish("lobby", "99");
    assert_eq!(published.delivered + published.queued, 1);
    assert_eq!(heard(&mut slow.client), "99");
}

/// spec: S-07
#[test]
fn a_slow_consumer_can_miss_what_is_old() {
    let hub = Hub::with_backlog(SlowConsumer::DropOldest, 2);
    let mut slow = link(20);
    let _member = hub.join("lobby", &slow.sender);
    let (full, published) = fill(&hub);
    assert_eq!(counts(published), [0, 1, 1, 0]);
    // The two that waited longest have gone.
    assert_eq!(
        counts(hub.publish("lobby", format!("{:02}", full + 1))),
        [0, 1, 1, 0]
    );
    let expected: Vec<usize> = (0..full - 2).chain(full..full + 2).collect();
    assert_eq!(numbers(&mut slow.client, full), expected);
}

/// spec: S-07
#[test]
fn a_slow_consumer_can_be_told_to_try_again_later() {
    let hub = Hub::with_backlog(SlowConsumer::Disconnect, 2);
    let mut slow = link(20);
    let mut quick = link(1000);
    let member = hub.join("lobby", &slow.sender);
    let _quick = hub.join("elsewhere", &quick.sender);
    let (full, published) = fill(&hub);
    assert_eq!(counts(published), [0, 0, 0, 1]);
    assert!(!member.is_in());
    assert_eq!(counts(hub.publish("elsewhere", "x")), [1, 0, 0, 0]);
    assert_eq!(heard(&mut quick.client), "x");

    // It sees what went out before, and why there is no more.
    let mut seen = 0;
    while let Some(message) = slow.client.recv().expect("closed") {
        assert_eq!(message, Message::text(format!("{seen:02}")));
        seen += 1;
    }
    assert!((1..full).contains(&seen), "{seen} of {full}");
    let info = slow.client.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::TRY_AGAIN_LATER);
    let (ended, receiver) = slow.owner.join().expect("no panic");
    assert!(matches!(ended, Ok(None)));
    assert!(receiver.close_info().is_some_and(|info| info.clean));
}

#[test]
fn everybody_can_wait_for_the_slowest() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 2);
    let mut slow = link(20);
    let quick = link(10_000);
    let _slow = hub.join("lobby", &slow.sender);
    let _quick = hub.join("lobby", &quick.sender);
    let publisher = thread::spawn(move || {
        let mut total = Published::default();
        for n in 0..100 {
            total += hub.publish("lobby", format!("{n:02}"));
        }
        total
    });
    let expected: Vec<usize> = (0..100).collect();
    assert_eq!(numbers(&mut slow.client, 100), expected);
    let total = publisher.join().expect("no panic");
    assert_eq!(total.delivered + total.queued, 200);
    assert_eq!((total.dropped, total.disconnected), (0, 0));
    assert_eq!(quick.sender.stats().sent.messages, 100);
}

#[test]
fn nothing_is_lost_behind_a_message_in_pieces() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let mut link = link(1000);
    let _member = hub.join("lobby", &link.sender);
    let mut writer = link.sender.writer(MessageKind::Text).expect("open");
    writer.write(b"piece").expect("collected");
    writer.flush().expect("sent as a fragment");
    assert_eq!(counts(hub.publish("lobby", "1")), [0, 1, 0, 0]);
    // There is no more room, so this has to wait until the message is whole.
    let publisher = thread::spawn(move || hub.publish("lobby", "2"));
    writer.finish().expect("sent");
    for expected in ["piece", "1", "2"] {
        assert_eq!(heard(&mut link.client), expected);
    }
    let published = publisher.join().expect("no panic");
    assert_eq!(published.delivered + published.queued, 1);
}

/// A member is waited for, but not for ever for a message of its own.
///
/// spec: S-08
#[test]
fn a_message_that_does_not_go_on_holds_nobody_up_for_ever() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let config = quiet().with_write_timeout(Some(Duration::from_millis(50)));
    let mut stuck = link_with(1000, config);
    let mut other = link(1000);
    let member = hub.join("lobby", &stuck.sender);
    let _other = hub.join("lobby", &other.sender);
    let mut writer = stuck.sender.writer(MessageKind::Text).expect("open");
    writer.write(b"piece").expect("collected");
    writer.flush().expect("sent as a fragment");
    assert_eq!(counts(hub.publish("lobby", "1")), [1, 1, 0, 0]);
    // There is no more room, and nobody will make any.
    assert_eq!(counts(hub.publish("lobby", "2")), [1, 0, 0, 1]);
    assert!(!member.is_in());
    for expected in ["1", "2"] {
        assert_eq!(heard(&mut other.client), expected);
    }
    assert_eq!(stuck.client.recv().expect("a clean end"), None);
    let info = stuck.client.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::TRY_AGAIN_LATER);
    drop(writer);
    assert!(matches!(
        stuck.owner.join().expect("no panic"),
        (Ok(None), _)
    ));
}

#[test]
fn who_leaves_a_message_unfinished_is_put_out_when_it_has_to_be_waited_for() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let link = link(1000);
    let member = hub.join("lobby", &link.sender);
    let mut writer = link.sender.writer(MessageKind::Text).expect("open");
    writer.write(b"piece").expect("collected");
    writer.flush().expect("sent as a fragment");
    drop(writer);
    assert_eq!(counts(hub.publish("lobby", "1")), [0, 1, 0, 0]);
    assert_eq!(counts(hub.publish("lobby", "2")), [0, 0, 0, 1]);
    assert!(!member.is_in());
}

#[test]
fn everybody_hears_the_same_in_the_same_order() {
    const EACH: usize = 50;
    let hub = Hub::new(SlowConsumer::Wait);
    let mut listeners = Vec::new();
    let mut members = Vec::new();
    for _ in 0..4 {
        let mut link = link(64);
        members.push(hub.join("lobby", &link.sender));
        listeners.push(thread::spawn(move || numbers(&mut link.client, 2 * EACH)));
    }
    let publishers: Vec<_> = (0..2)
        .map(|publisher| {
            let hub = hub.clone();
            thread::spawn(move || {
                for n in 0..EACH {
                    hub.publish("lobby", format!("{}", n * 2 + publisher));
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.join().expect("no panic");
    }
    let mut stories = Vec::new();
    for listener in listeners {
        stories.push(listener.join().expect("no panic"));
    }
    assert_eq!(stories[0].len(), 2 * EACH);
    assert!(stories.iter().all(|story| *story == stories[0]));
}

#[test]
fn what_a_socket_does_not_take_reaches_a_peer_that_reads_later() {
    let (client, server) = tcp_pair();
    let server = WebSocket::server(server, quiet(), BytesMut::new());
    let mut client = WebSocket::client(client, quiet(), BytesMut::new());
    let (sender, receiver) = server.split().expect("it can");
    let owner = own(receiver);
    let hub = Hub::new(SlowConsumer::DropNewest);
    let _member = hub.join("lobby", &sender);
    let message = PreparedMessage::binary(vec![7; 256 * 1024]);
    let mut total = Published::default();
    while total.queued < 3 {
        total += hub.publish("lobby", message.clone());
    }
    assert_eq!((total.dropped, total.disconnected), (0, 0));
    for _ in 0..total.delivered + total.queued {
        let received = client.recv().expect("received").expect("a message");
        assert_eq!(received, message.to_message());
    }
    client.close(CloseCode::NORMAL, "").expect("closed");
    assert!(matches!(owner.join().expect("no panic"), (Ok(None), _)));
}

/// spec: C-35, S-08
#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    let config = quiet().with_write_timeout(Some(Duration::from_millis(20)));
    let Link {
        sender,
        owner,
        client: _client,
    } = link_with(20, config);
    let hub = Hub::new(SlowConsumer::DropNewest);
    let _member = hub.join("lobby", &sender);
    let published = hub.publish("lobby", "more than the pipe holds");
    assert_eq!(counts(published), [0, 1, 0, 0]);
    let (ended, _receiver) = owner.join().expect("no panic");
    assert!(
        matches!(ended, Err(Error::Protocol(ProtocolError::WriteTimeout))),
        "{ended:?}"
    );
}

#[test]
fn who_drops_all_halves_ends_the_connection_with_what_waits_on_it() {
    let (mut client, server) = ends(20, quiet());
    let (sender, receiver) = server.split().expect("it can");
    let hub = Hub::new(SlowConsumer::DropNewest);
    let member = hub.join("lobby", &sender);
    let published = hub.publish("lobby", "more than the pipe holds");
    assert_eq!(counts(published), [0, 1, 0, 0]);
    drop((member, sender, receiver));
    // The rest goes out as long as the thread does not know, but no Close frame.
    let ended = match client.recv() {
        Ok(Some(message)) => {
            assert_eq!(message, "more than the pipe holds".into());
            client.recv()
        }
        ended => ended,
    };
    assert!(matches!(ended, Err(Error::Protocol(_))), "{ended:?}");
    assert!(client.close_info().is_some_and(|info| !info.clean));
}

/// Who leaves a topic may be the last to hold the connection, and a stream may do anything when it is dropped.
#[test]
fn the_stream_of_a_connection_that_leaves_may_use_the_hub() {
    struct Curious {
        pipe: Pipe,
        hub: Hub,
    }
    impl Drop for Curious {
        fn drop(&mut self) {
            assert_eq!(self.hub.members("lobby"), 0);
        }
    }
    impl Read for Curious {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.pipe.read(buffer)
        }
    }
    impl Write for Curious {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.pipe.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.pipe.flush()
        }
    }
    impl Stream for Curious {
        fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
            self.pipe.set_read_timeout(timeout)
        }

        fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
            self.pipe.set_write_timeout(timeout)
        }

        fn shutdown_write(&mut self) -> io::Result<()> {
            self.pipe.shutdown_write()
        }
    }
    impl CloneStream for Curious {
        fn try_clone(&self) -> io::Result<Self> {
            Ok(Self {
                pipe: self.pipe.try_clone()?,
                hub: self.hub.clone(),
            })
        }
    }

    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let hub = Hub::new(SlowConsumer::Wait);
        let (_client, server) = ChoppedIo::duplex();
        let curious = Curious {
            pipe: Pipe(server),
            hub: hub.clone(),
        };
        let ws = WebSocket::server(curious, quiet(), BytesMut::new());
        let (sender, receiver) = ws.split().expect("it can");
        let member = hub.join("lobby", &sender);
        drop((sender, receiver));
        drop(member);
        done.send(()).expect("somebody waits");
    });
    wait.recv_timeout(Duration::from_secs(10))
        .expect("nobody waits for itself");
}
