//! One message to many connections: who gets it, in which order, and what becomes of those that do not keep up.

use std::io;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::time::{Instant, sleep};
use ws_async::{
    CloseCode, Config, Hub, Message, MessageKind, MessageWriter, PreparedMessage, Published,
    Receiver, Sender, SendingHalf, SlowConsumer, WebSocket,
};

/// A server's connection, whose halves stay here, and the client at its other end.
struct Link {
    sender: Sender,
    receiver: Receiver,
    client: WebSocket<DuplexStream>,
}

/// A link whose pipe and write buffer take `capacity` bytes each, more or less.
fn link(capacity: usize) -> Link {
    let (client, server) = duplex(capacity);
    let config = Config::default()
        .with_ping_interval(None)
        .with_write_buffer_high(capacity);
    let server = WebSocket::server(server, config.clone(), BytesMut::new());
    let (sender, receiver) = server.split();
    Link {
        sender,
        receiver,
        client: WebSocket::client(client, config, BytesMut::new()),
    }
}

fn counts(published: Published) -> [usize; 4] {
    [
        published.delivered,
        published.queued,
        published.dropped,
        published.disconnected,
    ]
}

async fn heard(client: &mut WebSocket<DuplexStream>) -> String {
    let message = client.recv().await.expect("received").expect("a message");
    message.as_text().expect("text").to_owned()
}

/// spec: CD-03
#[tokio::test]
async fn everybody_else_hears_it() {
    let hub = Hub::new(SlowConsumer::Wait);
    let mut links: Vec<Link> = (0..3).map(|_| link(1000)).collect();
    let mut members: Vec<_> = links
        .iter()
        .map(|link| hub.join("lobby", &link.sender))
        .collect();
    let elsewhere = link(1000);
    let _elsewhere = hub.join("elsewhere", &elsewhere.sender);
    assert_eq!(hub.members("lobby"), 3);

    assert_eq!(counts(members[0].publish("hello").await), [2, 0, 0, 0]);
    for link in &mut links[1..] {
        assert_eq!(heard(&mut link.client).await, "hello");
    }
    assert_eq!(counts(hub.publish("lobby", "to all").await), [3, 0, 0, 0]);
    for link in &mut links {
        assert_eq!(heard(&mut link.client).await, "to all");
    }
    assert_eq!(elsewhere.sender.stats().sent.messages, 0);
    assert_eq!(counts(hub.publish("nowhere", "?").await), [0, 0, 0, 0]);

    drop(members.pop());
    assert_eq!(counts(hub.publish("lobby", "to two").await), [2, 0, 0, 0]);
    drop(members);
    assert_eq!(hub.members("lobby"), 0);
    assert_eq!(&*hub.topics()[0], "elsewhere");
}

#[tokio::test]
async fn a_connection_that_closes_leaves() {
    let hub = Hub::new(SlowConsumer::Wait);
    let Link {
        sender,
        mut receiver,
        mut client,
    } = link(1000);
    let member = hub.join("lobby", &sender);
    let (closed, received) = tokio::join!(client.close(CloseCode::NORMAL, ""), receiver.recv());
    closed.expect("closed");
    assert_eq!(received.expect("closed"), None);
    assert!(member.is_in());
    assert_eq!(counts(hub.publish("lobby", "hello").await), [0, 0, 0, 0]);
    assert!(!member.is_in());
    assert_eq!(hub.members("lobby"), 0);
}

#[tokio::test]
async fn a_connection_that_closes_while_it_is_waited_for_leaves() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let [busy, mut other] = [1000, 1000].map(link);
    let member = hub.join("lobby", &busy.sender);
    let _other = hub.join("lobby", &other.sender);
    let writer = begun(&busy.sender).await;
    assert_eq!(counts(hub.publish("lobby", "1").await), [1, 1, 0, 0]);
    let leaving = async {
        // By the time the other hears of it, there was no room for the first.
        for expected in ["1", "2"] {
            assert_eq!(heard(&mut other.client).await, expected);
        }
        assert!(member.is_in());
        busy.sender.abort();
    };
    let (published, ()) = tokio::join!(hub.publish("lobby", "2"), leaving);
    assert_eq!(counts(published), [1, 0, 0, 0]);
    assert!(!member.is_in());
    drop(writer);
}

/// Publishes until the transport, the write buffer and a backlog of two are full, and returns the number of the first
/// message that was not simply taken, and what became of it.
async fn fill(hub: &Hub) -> (usize, Published) {
    for n in 0..100 {
        let published = hub.publish("lobby", format!("{n:02}")).await;
        if published.dropped > 0 || published.disconnected > 0 {
            return (n, published);
        }
        assert_eq!(published.delivered + published.queued, 1);
    }
    panic!("nothing is ever full");
}

/// Reads what a slow consumer has missed so far.
async fn catch_up(link: &mut Link, count: usize) -> Vec<usize> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        tokio::select! {
            text = heard(&mut link.client) => numbers.push(text.parse().expect("a number")),
            // The owner of the slow connection, whose wait writes what was left behind.
            received = link.receiver.recv() => panic!("the client says nothing: {received:?}"),
        }
    }
    numbers
}

#[tokio::test]
async fn a_slow_consumer_can_miss_what_is_new() {
    let hub = Hub::with_backlog(SlowConsumer::DropNewest, 2);
    let mut slow = link(20);
    let _member = hub.join("lobby", &slow.sender);
    let (full, published) = fill(&hub).await;
    assert_eq!(counts(published), [0, 0, 1, 0]);
    assert_eq!(counts(hub.publish("lobby", "98").await), [0, 0, 1, 0]);
    let expected: Vec<usize> = (0..full).collect();
    assert_eq!(catch_up(&mut slow, full).await, expected);
    assert_eq!(counts(hub.publish("lobby", "99").await), [1, 0, 0, 0]);
    assert_eq!(heard(&mut slow.client).await, "99");
}

#[tokio::test]
async fn a_slow_consumer_can_miss_what_is_old() {
    let hub = Hub::with_backlog(SlowConsumer::DropOldest, 2);
    let mut slow = link(20);
    let _member = hub.join("lobby", &slow.sender);
    let (full, published) = fill(&hub).await;
    assert_eq!(counts(published), [0, 1, 1, 0]);
    // The two that waited longest have gone.
    assert_eq!(
        counts(hub.publish("lobby", format!("{:02}", full + 1)).await),
        [0, 1, 1, 0]
    );
    let expected: Vec<usize> = (0..full - 2).chain(full..full + 2).collect();
    assert_eq!(catch_up(&mut slow, full).await, expected);
}

#[tokio::test]
async fn a_slow_consumer_can_be_told_to_try_again_later() {
    let hub = Hub::with_backlog(SlowConsumer::Disconnect, 2);
    let mut slow = link(20);
    let mut quick = link(1000);
    let member = hub.join("lobby", &slow.sender);
    let _quick = hub.join("elsewhere", &quick.sender);
    let (full, published) = fill(&hub).await;
    assert_eq!(counts(published), [0, 0, 0, 1]);
    assert!(!member.is_in());
    assert_eq!(counts(hub.publish("elsewhere", "x").await), [1, 0, 0, 0]);
    assert_eq!(heard(&mut quick.client).await, "x");

    // It sees what went out before, and why there is no more.
    let owner = tokio::spawn(async move {
        let ended = slow.receiver.recv().await;
        (ended, slow.receiver)
    });
    let mut seen = 0;
    while let Some(message) = slow.client.recv().await.expect("closed") {
        assert_eq!(message, Message::text(format!("{seen:02}")));
        seen += 1;
    }
    assert!((1..full).contains(&seen), "{seen} of {full}");
    let info = slow.client.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::TRY_AGAIN_LATER);
    let (ended, receiver) = owner.await.expect("no panic");
    assert!(matches!(ended, Ok(None)));
    assert!(receiver.close_info().is_some_and(|info| info.clean));
}

#[tokio::test]
async fn everybody_can_wait_for_the_slowest() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 2);
    let mut slow = link(20);
    let quick = link(10_000);
    let _slow = hub.join("lobby", &slow.sender);
    let _quick = hub.join("lobby", &quick.sender);
    let publisher = tokio::spawn(async move {
        let mut total = Published::default();
        for n in 0..100 {
            total += hub.publish("lobby", format!("{n:02}")).await;
        }
        total
    });
    let expected: Vec<usize> = (0..100).collect();
    assert_eq!(catch_up(&mut slow, 100).await, expected);
    let total = publisher.await.expect("no panic");
    assert_eq!(total.delivered + total.queued, 200);
    assert_eq!((total.dropped, total.disconnected), (0, 0));
    assert_eq!(quick.sender.stats().sent.messages, 100);
}

#[tokio::test]
async fn nothing_is_lost_behind_a_message_in_pieces() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let mut link = link(1000);
    let _member = hub.join("lobby", &link.sender);
    let mut writer = link.sender.writer(MessageKind::Text).await.expect("open");
    writer.write(b"piece").await.expect("collected");
    writer.flush().await.expect("sent as a fragment");
    assert_eq!(counts(hub.publish("lobby", "1").await), [0, 1, 0, 0]);
    // There is no more room, so this has to wait until the message is whole.
    let (published, finished) = tokio::join!(hub.publish("lobby", "2"), writer.finish());
    finished.expect("sent");
    assert_eq!(published.delivered + published.queued, 1);
    for expected in ["piece", "1", "2"] {
        assert_eq!(heard(&mut link.client).await, expected);
    }
}

async fn begun(sender: &Sender) -> MessageWriter<impl SendingHalf> {
    let mut writer = sender.writer(MessageKind::Text).await.expect("open");
    writer.write(b"piece").await.expect("collected");
    writer.flush().await.expect("sent as a fragment");
    writer
}

/// A member is waited for, but not for ever for a message of its own.
///
/// spec: S-08
#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_go_on_holds_nobody_up_for_ever() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let [mut stuck, mut other] = [1000, 1000].map(link);
    let member = hub.join("lobby", &stuck.sender);
    let _other = hub.join("lobby", &other.sender);
    let writer = begun(&stuck.sender).await;
    assert_eq!(counts(hub.publish("lobby", "1").await), [1, 1, 0, 0]);
    let started = Instant::now();
    assert_eq!(counts(hub.publish("lobby", "2").await), [1, 0, 0, 1]);
    assert_eq!(started.elapsed(), Duration::from_secs(30));
    assert!(!member.is_in());
    for expected in ["1", "2"] {
        assert_eq!(heard(&mut other.client).await, expected);
    }
    let (ended, _) = tokio::join!(stuck.client.recv(), stuck.receiver.recv());
    assert_eq!(ended.expect("a clean end"), None);
    let info = stuck.client.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::TRY_AGAIN_LATER);
    drop(writer);
}

/// spec: S-08
#[tokio::test(start_paused = true)]
async fn a_message_that_goes_on_slowly_is_waited_for() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let mut link = link(1000);
    let _member = hub.join("lobby", &link.sender);
    let mut writer = link.sender.writer(MessageKind::Text).await.expect("open");
    for piece in ["a", "b"] {
        writer.write(piece.as_bytes()).await.expect("collected");
        writer.flush().await.expect("sent as a fragment");
    }
    assert_eq!(counts(hub.publish("lobby", "1").await), [0, 1, 0, 0]);
    let going_on = async {
        for piece in ["c", "d", "e"] {
            sleep(Duration::from_secs(20)).await;
            writer.write(piece.as_bytes()).await.expect("collected");
            writer.flush().await.expect("sent as a fragment");
        }
        writer.finish().await.expect("sent");
    };
    let (published, ()) = tokio::join!(hub.publish("lobby", "2"), going_on);
    assert_eq!(published.delivered + published.queued, 1);
    for expected in ["abcde", "1", "2"] {
        assert_eq!(heard(&mut link.client).await, expected);
    }
}

#[tokio::test]
async fn who_leaves_a_message_unfinished_is_put_out_when_it_has_to_be_waited_for() {
    let hub = Hub::with_backlog(SlowConsumer::Wait, 1);
    let link = link(1000);
    let member = hub.join("lobby", &link.sender);
    drop(begun(&link.sender).await);
    assert_eq!(counts(hub.publish("lobby", "1").await), [0, 1, 0, 0]);
    assert_eq!(counts(hub.publish("lobby", "2").await), [0, 0, 0, 1]);
    assert!(!member.is_in());
}

/// Each write counts against what a task may do at a stretch.
#[tokio::test]
async fn a_message_to_very_many_is_written_to_each_at_once() {
    let hub = Hub::new(SlowConsumer::Disconnect);
    let links: Vec<Link> = (0..400).map(|_| link(1000)).collect();
    let _members: Vec<_> = links
        .iter()
        .map(|link| hub.join("lobby", &link.sender))
        .collect();
    let message = PreparedMessage::text("to all");
    assert_eq!(counts(hub.publish("lobby", message).await), [400, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_hears_the_same_in_the_same_order() {
    const EACH: usize = 50;
    let hub = Hub::new(SlowConsumer::Wait);
    let mut listeners = Vec::new();
    let mut members = Vec::new();
    for _ in 0..4 {
        let mut link = link(64);
        members.push(hub.join("lobby", &link.sender));
        listeners.push(tokio::spawn(
            async move { catch_up(&mut link, 2 * EACH).await },
        ));
    }
    let publishers: Vec<_> = (0..2)
        .map(|publisher| {
            let hub = hub.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    hub.publish("lobby", format!("{}", n * 2 + publisher)).await;
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.expect("no panic");
    }
    let mut stories = Vec::new();
    for listener in listeners {
        stories.push(listener.await.expect("no panic"));
    }
    assert_eq!(stories[0].len(), 2 * EACH);
    assert!(stories.iter().all(|story| *story == stories[0]));
}

/// What is offered to a slow consumer never ends; what is sent to it has its place among that.
#[tokio::test]
async fn a_sender_is_heard_among_ever_more_news() {
    let hub = Hub::with_backlog(SlowConsumer::DropOldest, 2);
    let mut link = link(20);
    let _member = hub.join("news", &link.sender);
    let sender = link.sender.clone();
    let mine = tokio::spawn(async move {
        for text in ["mine", "mine too"] {
            sender.send(text).await?;
        }
        let mut writer = sender.writer(ws_async::MessageKind::Text).await?;
        writer.write(b"mine in pieces").await?;
        writer.finish().await
    });
    let mut heard_mine = Vec::new();
    for _ in 0..100 {
        // Two for each that is heard: there is always news, and always too much.
        for _ in 0..2 {
            hub.publish("news", "news").await;
        }
        let text = heard(&mut link.client).await;
        if text != "news" {
            heard_mine.push(text);
        }
        if mine.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(mine.is_finished(), "{heard_mine:?}");
    mine.await.expect("no panic").expect("sent");
    assert_eq!(heard_mine[..2], ["mine", "mine too"]);
}

/// Who leaves a topic may be the last to hold the connection, and a stream may do anything when it is dropped.
#[test]
fn the_stream_of_a_connection_that_leaves_may_use_the_hub() {
    struct Curious {
        pipe: DuplexStream,
        hub: Hub,
    }
    impl Drop for Curious {
        fn drop(&mut self) {
            assert_eq!(self.hub.members("lobby"), 0);
        }
    }
    impl AsyncRead for Curious {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.pipe).poll_read(cx, buffer)
        }
    }
    impl AsyncWrite for Curious {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.pipe).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.pipe).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.pipe).poll_shutdown(cx)
        }
    }

    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let hub = Hub::new(SlowConsumer::Wait);
        let curious = Curious {
            pipe: duplex(10).0,
            hub: hub.clone(),
        };
        let ws = WebSocket::server(curious, Config::default(), BytesMut::new());
        let (sender, receiver) = ws.split();
        let member = hub.join("lobby", &sender);
        drop((sender, receiver));
        drop(member);
        done.send(()).expect("somebody waits");
    });
    wait.recv_timeout(Duration::from_secs(10))
        .expect("nobody waits for itself");
}
