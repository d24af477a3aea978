//! Futures that are dropped while they wait: nothing is lost, doubled, reordered or torn.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_async::{Acceptor, CloseCode, Config, Connector, Error, Event, Message, WebSocket};
use ws_testkit::chopped_script::Script;
use ws_testkit::oracle::{self, Receiver};
use ws_testkit::{ChoppedIo, Chunks, Frame, Step, vectors};

use crate::drive::{drive, poll_once};

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

/// Polls the future of `call` at most `polls` times, drops it and makes another one, until one of them is ready. A
/// future is dropped only when its wake has come, so each of them has to see to its own.
async fn interrupted<T>(polls: usize, mut call: impl AsyncFnMut() -> T) -> T {
    loop {
        let mut left = polls;
        let mut future = pin!(call());
        let polled = poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            future.as_mut().poll(cx).map(Some)
        });
        if let Some(output) = polled.await {
            return output;
        }
    }
}

/// Echoes until the connection is over, and closes when all of `closes_after` messages are back. Every future is
/// dropped after `polls` polls.
async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    ws: &mut WebSocket<S>,
    polls: usize,
    closes_after: Option<usize>,
) -> Result<Vec<Message>, Error> {
    let mut delivered = Vec::new();
    while let Some(message) = interrupted(polls, async || ws.recv().await).await? {
        delivered.push(message.clone());
        interrupted(polls, async || ws.feed(message.clone()).await).await?;
        interrupted(polls, async || ws.flush().await).await?;
        if Some(delivered.len()) == closes_after {
            let close = async || ws.close(CloseCode::NORMAL, "").await;
            interrupted(polls, close).await?;
        }
    }
    Ok(delivered)
}

/// Not ready before each move of `len` bytes.
fn reluctant(io: ChoppedIo, len: usize) -> ChoppedIo {
    let steps = [Step::NotReady, Step::Bytes(len)];
    let steps = || steps.into_iter().cycle().take(2_000);
    io.with_read_steps(steps()).with_write_steps(steps())
}

/// spec: CD-05
#[test]
fn a_conversation_of_dropped_futures_is_the_same_conversation() {
    for script in Script::all() {
        let closes_after = script.closes_first.then_some(script.messages.len());
        for polls in 1..=3 {
            for (len, high) in [(1, 1), (1, 1000), (3, 7), (50, 1)] {
                // The opening handshake consumes its stream, so it is left out.
                let (io, remote) = ChoppedIo::scripted(&script.incoming[script.head_len..]);
                let io = reluctant(io, len);
                let config = config().with_write_buffer_high(high);
                let mut ws = if script.is_server {
                    WebSocket::server(io, config, BytesMut::new())
                } else {
                    WebSocket::client(io, config, BytesMut::new())
                };
                let delivered = drive(converse(&mut ws, polls, closes_after)).expect("no error");
                script.assert_whole_frames(&delivered, &remote.written());
                assert!(ws.close_info().expect("it is over").clean);
            }
        }
    }
}

/// spec: CD-05
#[test]
fn two_ends_that_drop_every_future_understand_each_other() {
    for seed in 0..8 {
        let (left, right) = ChoppedIo::duplex();
        let chopped = |io: ChoppedIo, seed| {
            io.with_capacity(11)
                .with_reads(Chunks::random(seed, 9))
                .with_writes(Chunks::random(!seed, 5))
        };
        let left = chopped(left, seed);
        let right = chopped(right, seed + 1000);
        let mut client = WebSocket::client(left, config(), BytesMut::new());
        let mut server = WebSocket::server(right, config(), BytesMut::new());
        let messages: Vec<Message> = (0..20)
            .map(|number| Message::text(vectors::CHINESE.repeat(number % 4)))
            .collect();
        let send = async {
            for message in &messages {
                interrupted(2, async || client.feed(message.clone()).await).await?;
                interrupted(1, async || client.flush().await).await?;
                let echoed = interrupted(3, async || client.recv().await).await?;
                assert_eq!(echoed.as_ref(), Some(message));
            }
            interrupted(1, async || client.close(CloseCode::NORMAL, "").await).await
        };
        let (sent, echoed) = drive(async { tokio::join!(send, converse(&mut server, 1, None)) });
        assert!(sent.expect("closed").clean, "seed {seed}");
        assert_eq!(echoed.expect("no error"), messages, "seed {seed}");
    }
}

/// A message that waits for room is not queued; one that is being written stays and goes out with the next call.
///
/// spec: CD-05, S-07
#[test]
fn a_dropped_send_sends_all_or_nothing() {
    let mut seen = Vec::new();
    for drop_after in 1..80 {
        let (io, remote) = ChoppedIo::scripted(b"");
        let io = reluctant(io, 1).when_starved(ws_testkit::Starved::NotReady);
        let config = config().with_write_buffer_high(5);
        let mut ws = WebSocket::server(io, config, BytesMut::new());
        drive(ws.feed("first message")).expect("queued");
        // This one has to wait until the first one is written.
        let polled = drive(dropped_after(drop_after, ws.send("second message")));
        drive(ws.feed("third")).expect("queued");
        drive(ws.flush()).expect("written");
        let (events, _) = Receiver::CLIENT.decode(&remote.written());
        let texts: Vec<&str> = events.iter().map(text_of).collect();
        let with_second = ["first message", "second message", "third"];
        let without = ["first message", "third"];
        match polled {
            Some(sent) => {
                sent.expect("sent");
                assert_eq!(texts, with_second);
            }
            None => assert!(texts == with_second || texts == without, "{texts:?}"),
        }
        seen.push(texts.len());
    }
    // First it was dropped while it waited for room, then while it was written, and in the end not at all.
    assert!(
        seen.is_sorted() && seen.contains(&2) && seen.contains(&3),
        "{seen:?}"
    );
}

/// A dropped `feed` has queued nothing: feeding again does not double the message.
///
/// spec: CD-05
#[test]
fn a_dropped_feed_has_queued_nothing() {
    let (io, remote) = ChoppedIo::scripted(b"");
    let io = reluctant(io, 5).when_starved(ws_testkit::Starved::NotReady);
    let config = config().with_write_buffer_high(5);
    let mut ws = WebSocket::server(io, config, BytesMut::new());
    for text in ["first message", "second message", "third message"] {
        let mut drops = 0;
        while poll_once(ws.feed(text)).0.is_none() {
            drops += 1;
        }
        assert!(drops > 0 || text == "first message");
    }
    drive(ws.flush()).expect("written");
    let (events, _) = Receiver::CLIENT.decode(&remote.written());
    let texts: Vec<&str> = events.iter().map(text_of).collect();
    assert_eq!(texts, ["first message", "second message", "third message"]);
}

/// spec: CD-05
#[test]
fn a_dropped_ping_goes_out_whole_with_the_next_call() {
    for drop_after in 1..10 {
        let (io, remote) = ChoppedIo::scripted(vectors::CLIENT_TEXT);
        let mut ws = WebSocket::server(reluctant(io, 1), config(), BytesMut::new());
        let _pinged = drive(dropped_after(drop_after, ws.ping(b"ping")));
        let event = drive(ws.recv_event()).expect("received");
        assert_eq!(event, Some(Event::Message(Message::text("Hello"))));
        drive(ws.flush()).expect("written");
        assert_eq!(remote.written(), Frame::ping("ping").bytes());
    }
}

/// A `close` that is dropped has begun; any later call goes on with it, and it begins once.
///
/// spec: CD-05, C-16
#[test]
fn a_dropped_close_goes_on_with_the_next_call() {
    for drop_after in 1..20 {
        let (io, remote) = ChoppedIo::scripted(vectors::CLIENT_CLOSE_1000);
        let mut ws = WebSocket::server(reluctant(io, 1), config(), BytesMut::new());
        let closed = drive(dropped_after(
            drop_after,
            ws.close(CloseCode::GOING_AWAY, "bye"),
        ));
        if closed.is_none() {
            assert_eq!(drive(ws.recv()).expect("it closes"), None);
        }
        let info = drive(ws.close(CloseCode::NORMAL, "")).expect("it is closed");
        assert!(info.clean);
        assert_eq!(info.sent, Some(Some(CloseCode::GOING_AWAY)));
        assert_eq!(remote.written(), Frame::close(1001, "bye").bytes());
        assert!(remote.is_shut_down());
    }
}

/// The opening handshake owns its stream: who drops it, drops that.
///
/// spec: CD-05
#[test]
fn a_dropped_handshake_drops_its_stream() {
    for script in Script::all() {
        let (io, remote) = ChoppedIo::scripted(&script.incoming);
        let io = reluctant(io, 1);
        assert!(!remote.is_dropped());
        let opened = if script.is_server {
            let acceptor = Acceptor::new();
            drive(dropped_after(5, acceptor.accept(io))).is_some()
        } else {
            let connector = Connector::new();
            drive(dropped_after(
                5,
                connector.handshake(io, "ws://example.com/"),
            ))
            .is_some()
        };
        assert!(!opened && remote.is_dropped());
    }
}

/// Polls `future` at most `polls` times.
async fn dropped_after<F: Future>(mut polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

fn text_of(event: &oracle::Event) -> &str {
    match event {
        oracle::Event::Text(text) => text,
        other => panic!("{other:?}"),
    }
}
