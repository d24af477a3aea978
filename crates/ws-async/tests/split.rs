//! A connection in two hands: the halves in tasks of their own, over a pipe that holds a single byte.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::task::JoinSet;
use tokio::time::timeout;
use ws_async::{
    CloseCode, Config, Direction, Error, Event, Initiator, Message, PreparedMessage, ProtocolError,
    Receiver, SendError, Sender, State, WebSocket,
};
use ws_testkit::{Frame, vectors};

fn pair(capacity: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = duplex(capacity);
    (
        WebSocket::client(client, Config::default(), BytesMut::new()),
        WebSocket::server(server, Config::default(), BytesMut::new()),
    )
}

async fn drain(mut receiver: Receiver) -> (Vec<String>, Receiver) {
    let mut texts = Vec::new();
    while let Some(message) = receiver.recv().await.expect("a clean end") {
        texts.push(message.as_text().expect("text").to_owned());
    }
    (texts, receiver)
}

/// Two senders, Pings from both sides and a receiver for each end, all at once and a byte at a time.
async fn stress() {
    // spec: CD-05
    const EACH: usize = 60;
    let (client, server) = pair(1);
    let mut tasks = JoinSet::new();
    let mut receivers = Vec::new();
    let mut senders = Vec::new();
    for end in [client, server] {
        let (sender, receiver) = end.split();
        for who in ["a", "b"] {
            let sender = sender.clone();
            tasks.spawn(async move {
                for n in 0..EACH {
                    sender.send(format!("{who}{n}")).await.expect("sent");
                    if n % 10 == 0 {
                        sender.ping(who.as_bytes()).await.expect("sent");
                    }
                }
            });
        }
        senders.push(sender);
        receivers.push(tokio::spawn(drain(receiver)));
    }
    while let Some(sent) = tasks.join_next().await {
        sent.expect("no panic");
    }
    let info = senders[0].close(CloseCode::NORMAL, "done").await;
    assert!(info.expect("closed").clean);
    for receiver in receivers {
        let (texts, receiver) = receiver.await.expect("no panic");
        for who in ["a", "b"] {
            let from: Vec<_> = texts.iter().filter(|text| text.starts_with(who)).collect();
            let expected: Vec<_> = (0..EACH).map(|n| format!("{who}{n}")).collect();
            assert!(from.into_iter().eq(&expected), "{who}");
        }
        assert!(receiver.close_info().is_some_and(|info| info.clean));
        assert_eq!(receiver.state(), State::Closed);
    }
    let info = senders[1].close_info().expect("it is over");
    assert_eq!((info.code(), info.reason()), (CloseCode::NORMAL, "done"));
    assert_eq!(info.initiator, Initiator::Remote);
}

#[tokio::test]
async fn two_tasks_share_a_pipe_of_one_byte() {
    stress().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_threads_share_a_pipe_of_one_byte() {
    for _ in 0..5 {
        stress().await;
    }
}

/// spec: C-03
#[tokio::test]
async fn pings_are_answered_while_the_user_only_reads() {
    let (client, server) = pair(1);
    let (_sender, receiver) = server.split();
    let receiver = tokio::spawn(drain(receiver));
    let (client, mut answers) = client.split();
    client.ping(b"there?").await.expect("sent");
    let answer = answers.recv_event().await.expect("received");
    assert_eq!(answer, Some(Event::Pong(b"there?".as_slice().into())));
    let closing = tokio::spawn(async move { client.close(CloseCode::NORMAL, "").await });
    drain(answers).await;
    assert!(closing.await.expect("no panic").expect("closed").clean);
    receiver.await.expect("no panic");
}

/// spec: C-03, C-13
#[tokio::test]
async fn pings_and_closes_are_answered_while_the_user_only_writes() {
    let (client, server) = pair(64);
    let (sender, mut idle) = server.split();
    let (client, mut answers) = client.split();
    let writer = tokio::spawn(async move {
        let mut sent = 0;
        while sender.send("tick").await.is_ok() {
            sent += 1;
            tokio::task::yield_now().await;
        }
        (sent, sender)
    });
    client.ping(b"there?").await.expect("sent");
    loop {
        match answers.recv_event().await.expect("received") {
            Some(Event::Pong(data)) => break assert_eq!(data, b"there?".as_slice()),
            Some(event) => assert_eq!(event, Event::Message("tick".into())),
            None => panic!("the end came before the Pong"),
        }
    }
    let closing = tokio::spawn(async move { client.close(CloseCode::NORMAL, "enough").await });
    let (ticks, answers) = drain(answers).await;
    let (sent, sender) = writer.await.expect("no panic");
    assert!(sent >= ticks.len());
    // The Close frame is answered by then; the end of the stream is left to whoever goes on.
    sender.closed().await;
    assert!(closing.await.expect("no panic").expect("closed").clean);
    assert!(answers.close_info().is_some_and(|info| info.clean));
    // What was read meanwhile is there, in order.
    assert_eq!(
        idle.recv_event().await.expect("received"),
        Some(Event::Ping(b"there?".as_slice().into()))
    );
    assert!(matches!(
        idle.recv_event().await.expect("received"),
        Some(Event::Closed(Some(_)))
    ));
    assert!(matches!(idle.recv_event().await, Ok(None)));
}

/// Two peers that write more than the pipe holds before they read would wait for each other.
#[tokio::test]
async fn two_ends_that_write_at_once_do_not_wait_for_each_other() {
    let (mut client, mut server) = pair(16);
    let long = "x".repeat(4000);
    let (sent, answered) = tokio::join!(client.send(&*long), server.send(&*long));
    sent.expect("sent");
    answered.expect("sent");
    assert_eq!(
        client.recv().await.expect("received"),
        Some(Message::text(&*long))
    );
    assert_eq!(
        server.recv().await.expect("received"),
        Some(Message::text(&*long))
    );
}

/// spec: C-18
#[tokio::test]
async fn what_arrives_after_our_close_is_for_the_receiver() {
    let (client, mut server) = pair(1000);
    let (sender, receiver) = client.split();
    let receiver = tokio::spawn(drain(receiver));
    let closing = tokio::spawn(async move { sender.close(CloseCode::NORMAL, "").await });
    // The Close frame is on its way; this end has more to say before it answers.
    for n in 0..10 {
        server.send(n.to_string()).await.expect("sent");
    }
    assert_eq!(server.recv().await.expect("closed"), None);
    let info = closing.await.expect("no panic").expect("closed");
    assert!(info.clean);
    let (texts, _) = receiver.await.expect("no panic");
    assert!(
        texts.len() <= 10
            && texts
                .iter()
                .enumerate()
                .all(|(n, text)| *text == n.to_string())
    );
}

/// A request and the Close behind it in one read, and the answer comes from another task.
#[tokio::test]
async fn a_reply_from_another_task_goes_out_before_the_end() {
    for last in [vectors::CLIENT_CLOSE_EMPTY, b"\x83\x80\0\0\0\0"] {
        let (stream, mut peer) = duplex(1000);
        let server = WebSocket::server(stream, Config::default(), BytesMut::new());
        let (sender, mut receiver) = server.split();
        let (requests, mut to_answer) = tokio::sync::mpsc::channel(1);
        let answering = tokio::spawn(async move {
            let request: Message = to_answer.recv().await.expect("a request");
            sender.send(request).await
        });
        peer.write_all(&[vectors::CLIENT_TEXT, last].concat())
            .await
            .expect("written");
        let request = receiver.recv().await.expect("received").expect("a message");
        requests.send(request).await.expect("somebody answers");
        peer.shutdown().await.expect("shut down");
        _ = receiver.recv().await;
        answering
            .await
            .expect("no panic")
            .expect("sent before the end");
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.expect("it ended");
        assert!(answer.starts_with(vectors::SERVER_TEXT), "{answer:x?}");
    }
}

#[tokio::test]
async fn a_dropped_receiver_lets_its_sender_go_on() {
    let (client, mut server) = pair(64);
    let (sender, receiver) = client.split();
    drop(receiver);
    let echo = tokio::spawn(async move {
        let mut echoed = 0;
        while let Some(message) = server.recv().await.expect("received") {
            server.send(message).await.expect("sent");
            echoed += 1;
        }
        echoed
    });
    for _ in 0..100 {
        sender
            .send("a message longer than half the pipe is")
            .await
            .expect("sent");
    }
    assert!(
        sender
            .close(CloseCode::NORMAL, "")
            .await
            .expect("closed")
            .clean
    );
    assert_eq!(echo.await.expect("no panic"), 100);
}

#[tokio::test]
async fn dropping_both_halves_drops_the_stream() {
    let (client, mut server) = pair(64);
    let (sender, receiver) = client.split();
    drop(sender.clone());
    drop(receiver);
    drop(sender);
    let lost = server.recv().await.expect_err("nobody said goodbye");
    assert!(matches!(
        lost,
        Error::Protocol(ProtocolError::ConnectionLost)
    ));
}

#[tokio::test]
async fn a_half_that_is_kept_does_not_keep_the_stream() {
    let (stream, mut peer) = duplex(64);
    let server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let (sender, receiver) = server.split();
    peer.write_all(vectors::CLIENT_CLOSE_EMPTY)
        .await
        .expect("written");
    peer.shutdown().await.expect("shut down");
    let (texts, _receiver) = drain(receiver).await;
    assert!(texts.is_empty());
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).await.expect("it ended");
    assert_eq!(answer, b"\x88\x00");
    peer.write_all(b"x")
        .await
        .expect_err("nobody holds the other end");
    let refused = sender.send("late").await.expect_err("it is over");
    assert!(matches!(refused, Error::Send(SendError::Closed)));
}

/// The Close deadline holds whoever waits, and although the receiver went to sleep before it was armed.
///
/// spec: C-28
#[tokio::test(start_paused = true)]
async fn the_close_deadline_wakes_a_receiver_that_slept_already() {
    let (client, _peer) = {
        let (client, peer) = duplex(64);
        let config = Config::default().with_close_timeout(Some(Duration::from_secs(3)));
        (WebSocket::client(client, config, BytesMut::new()), peer)
    };
    let (sender, mut receiver) = client.split();
    let receiver = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    // Given up at once: the receiver carries on.
    let closing = timeout(Duration::ZERO, sender.close(CloseCode::NORMAL, ""));
    assert!(closing.await.is_err());
    let failed = receiver.await.expect("no panic").expect_err("no answer");
    assert!(matches!(
        failed,
        Error::Protocol(ProtocolError::CloseTimeout)
    ));
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    let late = sender
        .close(CloseCode::NORMAL, "")
        .await
        .expect_err("it failed");
    assert!(matches!(late, Error::Protocol(ProtocolError::CloseTimeout)));
}

/// What answers our Pings lies behind a message that nobody takes: the peer cannot be blamed.
///
/// spec: C-35
#[tokio::test(start_paused = true)]
async fn a_peer_that_nobody_listens_to_is_not_given_up() {
    let (stream, mut peer) = duplex(1000);
    let server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let (sender, mut receiver) = server.split();
    peer.write_all(&vectors::CLIENT_TEXT.repeat(2))
        .await
        .expect("written");
    let over = timeout(Duration::from_secs(600), sender.closed()).await;
    assert!(over.is_err(), "{:?}", sender.close_info());
    for _ in 0..2 {
        let message = receiver.recv().await.expect("received");
        assert_eq!(message, Some(Message::text("Hello")));
    }
    // Now somebody listens, and nothing is there.
    let failed = receiver.recv().await.expect_err("it is silent");
    assert!(matches!(
        failed,
        Error::Protocol(ProtocolError::PongTimeout)
    ));
}

/// Who makes room also looks at what has arrived, and the answer to that may take the room again.
#[tokio::test]
async fn the_answer_to_a_ping_takes_no_room_from_a_message() {
    // Room for a message, and for half an answer behind it.
    let (stream, mut peer) = duplex(11);
    let config = Config::default().with_write_buffer_limit(1);
    let mut server = WebSocket::server(stream, config, BytesMut::new());
    peer.write_all(vectors::CLIENT_PING).await.expect("written");
    let mut received = [0; 7];
    for _ in 0..2 {
        server.feed("Hello").await.expect("room");
    }
    peer.read_exact(&mut received).await.expect("the first");
    let reading = async {
        for expected in [Frame::text("Hello"), Frame::pong("Hello")] {
            peer.read_exact(&mut received).await.expect("a frame");
            assert_eq!(received.as_slice(), expected.bytes());
        }
    };
    let feeding = async { server.feed("Hello").await.expect("room") };
    tokio::join!(feeding, reading);
}

/// A receiver that waits flushes what a sender left behind.
#[tokio::test]
async fn a_cancelled_send_strands_nothing() {
    let (stream, mut peer) = duplex(8);
    let server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let (sender, receiver) = server.split();
    let receiver = tokio::spawn(drain(receiver));
    tokio::task::yield_now().await;
    let frame = Frame::text("longer than the pipe").bytes();
    {
        let mut send = Box::pin(sender.send("longer than the pipe"));
        poll_once(send.as_mut()).await;
    }
    let mut received = vec![0; frame.len()];
    peer.read_exact(&mut received).await.expect("all of it");
    assert_eq!(received, frame);
    peer.write_all(vectors::CLIENT_CLOSE_EMPTY)
        .await
        .expect("written");
    drop(peer);
    receiver.await.expect("no panic");
}

/// A sender that reads ahead takes no message apart for a reader that may be given up.
#[tokio::test]
async fn a_reader_that_is_given_up_costs_no_message() {
    let (stream, mut peer) = duplex(1000);
    let server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let (sender, mut receiver) = server.split();
    {
        let mut reader = Box::pin(receiver.reader());
        poll_once(reader.as_mut()).await;
        peer.write_all(vectors::CLIENT_TEXT).await.expect("written");
        // Each but the first looks at what has arrived.
        for _ in 0..3 {
            sender.send("tick").await.expect("sent");
        }
    }
    peer.write_all(&Frame::text("next").masked([1, 2, 3, 4]).bytes())
        .await
        .expect("written");
    for expected in ["Hello", "next"] {
        let message = receiver.recv().await.expect("received");
        assert_eq!(message, Some(Message::text(expected)));
    }
}

/// While a reader was woken for what has arrived nobody else reads; when it is given up, whoever waits does.
///
/// spec: C-03
#[tokio::test(start_paused = true)]
async fn a_reader_that_is_given_up_leaves_the_reading_to_a_sender() {
    let (stream, mut peer) = duplex(1000);
    let server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let (sender, mut receiver) = server.split();
    let mut reader = Box::pin(receiver.reader());
    poll_once(reader.as_mut()).await;
    let waiting = tokio::spawn(async move { sender.closed().await });
    tokio::task::yield_now().await;
    peer.write_all(vectors::CLIENT_PING).await.expect("written");
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    drop(reader);
    let expected = Frame::pong("Hello").bytes();
    let mut pong = vec![0; expected.len()];
    timeout(Duration::from_secs(1), peer.read_exact(&mut pong))
        .await
        .expect("somebody reads")
        .expect("a Pong");
    assert_eq!(pong, expected);
    drop(receiver);
    peer.write_all(vectors::CLIENT_CLOSE_EMPTY)
        .await
        .expect("written");
    drop(peer);
    waiting.await.expect("no panic");
}

/// Closes in a task of its own, which sleeps when this returns.
async fn closing(sender: Sender) -> impl Future<Output = bool> {
    let closing = tokio::spawn(async move { sender.close(CloseCode::NORMAL, "").await });
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    async {
        let closed = timeout(Duration::from_secs(1), closing).await;
        let closed = closed.expect("somebody reads").expect("no panic");
        closed.expect("closed").clean
    }
}

/// A sender that found too much of an unfinished message to read ahead goes on when a receiver has taken that.
///
/// spec: C-28
#[tokio::test(start_paused = true)]
async fn a_receiver_that_takes_a_large_message_leaves_the_reading_to_a_sender() {
    let (stream, mut peer) = duplex(100_000);
    let server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let (sender, mut receiver) = server.split();
    let message = Frame::binary(vec![7; 20_000]).masked(vectors::KEY).bytes();
    let (begin, rest) = message.split_at(18_000);
    peer.write_all(begin).await.expect("written");
    let closing = closing(sender).await;
    let close = Frame::close(1000, "").masked(vectors::KEY).bytes();
    let rest = [rest, &close].concat();
    peer.write_all(&rest).await.expect("written");
    drop(peer);
    let received = receiver.recv().await.expect("received");
    assert_eq!(received.map_or(0, |message| message.len()), 20_000);
    assert!(closing.await);
    drop(receiver);
}

/// Nobody reads ahead while a reader waits; when it has its message, whoever waits does.
///
/// spec: C-03, C-28
#[tokio::test(start_paused = true)]
async fn a_reader_that_has_its_message_leaves_the_reading_to_a_sender() {
    let (stream, mut peer) = duplex(1000);
    let server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let (sender, mut receiver) = server.split();
    let mut reader = Box::pin(receiver.reader());
    poll_once(reader.as_mut()).await;
    let closing = closing(sender).await;
    peer.write_all(vectors::CLIENT_TEXT).await.expect("written");
    tokio::task::yield_now().await;
    let mut reader = reader.await.expect("received").expect("a message");
    assert!(reader.chunk().await.expect("received").is_some());
    assert!(reader.chunk().await.expect("received").is_none());
    drop(reader);
    let close = Frame::close(1000, "").masked(vectors::KEY).bytes();
    peer.write_all(&close).await.expect("written");
    drop(peer);
    assert!(closing.await);
    drop(receiver);
}

/// A stream that was pending wakes whoever asked last, unless it was asked again and was ready: then nobody.
///
/// spec: C-28
#[tokio::test(start_paused = true)]
async fn a_receiver_that_took_the_wake_of_a_sender_wakes_it() {
    let close = Frame::close(1000, "").masked(vectors::KEY).bytes();
    let reads = Arc::new(Mutex::default());
    let stream = Fickle(Arc::clone(&reads));
    let server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let (sender, mut receiver) = server.split();
    let closing = closing(sender).await;
    reads
        .lock()
        .expect("no panic")
        .extend([vectors::CLIENT_TEXT.to_vec(), close, Vec::new()]);
    let received = receiver.recv().await.expect("received");
    assert_eq!(received, Some(Message::text("Hello")));
    assert!(closing.await);
    drop(receiver);
}

/// Gives what the list says, in its order, and never wakes anybody.
struct Fickle(Arc<Mutex<VecDeque<Vec<u8>>>>);

impl AsyncRead for Fickle {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0.lock().expect("no panic").pop_front() {
            Some(bytes) => {
                buffer.put_slice(&bytes);
                Poll::Ready(Ok(()))
            }
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Fickle {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn poll_once(mut future: std::pin::Pin<&mut impl Future>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

/// Broadcasting to a thousand connections must not run a thousand tasks.
#[tokio::test]
async fn what_is_written_at_once_wakes_no_receiver() {
    #[derive(Default)]
    struct Wakes(AtomicUsize);
    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (_client, server) = pair(1000);
    let (sender, mut receiver) = server.split();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let waits = receiver.poll_recv(&mut Context::from_waker(&waker));
    assert!(waits.is_pending());
    sender.send("hello").await.expect("sent");
    let prepared = PreparedMessage::from(Message::from("hello"));
    sender.send_prepared(&prepared).await.expect("sent");
    sender.ping(b"hello").await.expect("sent");
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    // What is only queued is for the receiver to write.
    sender.feed("hello").await.expect("queued");
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
}

/// Whatever it is that somebody waits for, what was accepted goes out meanwhile, and also if nobody does.
///
/// spec: CD-05
#[tokio::test(start_paused = true)]
async fn what_try_send_accepts_goes_out_whoever_waits() {
    enum Waits {
        Receiver,
        Sender,
        Nobody,
    }
    let frames = Frame::text("longer than the pipe").bytes().repeat(3);
    for waits in [Waits::Receiver, Waits::Sender, Waits::Nobody] {
        let (stream, mut peer) = duplex(8);
        let server = WebSocket::server(stream, Config::default(), BytesMut::new());
        let (sender, mut receiver) = server.split();
        let mut tasks = JoinSet::new();
        let mut idle = None;
        match waits {
            Waits::Receiver => {
                tasks.spawn(async move { drop(receiver.recv().await) });
            }
            Waits::Sender => {
                let sender = sender.clone();
                tasks.spawn(async move { sender.closed().await });
                idle = Some(receiver);
            }
            Waits::Nobody => idle = Some(receiver),
        }
        // It waits by now.
        tokio::task::yield_now().await;
        for _ in 0..3 {
            sender.try_send("longer than the pipe").expect("accepted");
        }
        let mut received = vec![0; frames.len()];
        let all = timeout(Duration::from_secs(10), peer.read_exact(&mut received));
        all.await.expect("somebody writes it").expect("all of it");
        assert!(received == frames);
        drop((tasks, idle));
    }
}

#[tokio::test]
async fn try_send_gives_the_message_back() {
    let (stream, _peer) = duplex(8);
    let config = Config::default().with_write_buffer_high(100);
    let (sender, _receiver) = WebSocket::server(stream, config, BytesMut::new()).split();
    let mut taken = 0;
    let unsent = loop {
        match sender.try_send("0123456789") {
            Ok(()) => taken += 1,
            Err(unsent) => break unsent,
        }
    };
    assert!((9..=10).contains(&taken), "{taken}");
    assert_eq!(unsent.error, SendError::BufferFull);
    assert_eq!(unsent.message, Message::text("0123456789"));
}

/// Nobody who waits sleeps through it, and a half that is kept keeps nothing open.
///
/// spec: CC-44
#[tokio::test]
async fn an_abort_wakes_everybody_and_closes_the_stream() {
    let (stream, mut peer) = duplex(8);
    let config = Config::default().with_write_buffer_high(1);
    let (sender, receiver) = WebSocket::server(stream, config, BytesMut::new()).split();
    let receiver = tokio::spawn(drain(receiver));
    let mut waiting = JoinSet::new();
    for _ in 0..2 {
        let sender = sender.clone();
        waiting.spawn(async move { sender.send("longer than the pipe").await });
    }
    let closing = sender.clone();
    let closed = tokio::spawn(async move { closing.closed().await });
    tokio::task::yield_now().await;
    sender.abort();
    let outcomes = waiting.join_all().await;
    assert!(
        outcomes.iter().all(Result::is_err),
        "one waited to be written, the other to be queued: {outcomes:?}"
    );
    closed.await.expect("no panic");
    let (texts, receiver) = receiver.await.expect("no panic");
    assert!(texts.is_empty());
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.expect("the stream ended");
    assert_eq!(rest.len(), 8, "what the pipe had taken");
    let info = receiver.close_info().expect("it is over");
    assert_eq!(info.code(), CloseCode::ABNORMAL);
    assert_eq!((info.initiator, info.clean), (Initiator::Local, false));
    // Twice is once, and nothing can be sent.
    sender.abort();
    assert!(matches!(
        sender.send("late").await,
        Err(Error::Send(SendError::Closed))
    ));
    assert!(matches!(
        sender.close(CloseCode::NORMAL, "").await,
        Err(Error::Io(_))
    ));
}

#[test]
fn halves_go_anywhere() {
    fn anywhere<T: Send + Sync + 'static>() {}
    anywhere::<Sender>();
    anywhere::<Receiver>();
}

/// spec: CD-03
#[tokio::test]
async fn a_tap_sees_both_directions_in_order() {
    let (mut client, server) = pair(1000);
    let (sender, mut receiver) = server.split();
    let (seen, log) = std::sync::mpsc::channel();
    sender.set_tap(move |frame, at| _ = seen.send((*frame, at)));
    client.send("Hello").await.expect("sent");
    receiver.recv().await.expect("received");
    sender.send(vec![0; 300]).await.expect("sent");
    sender.remove_tap();
    sender.send("unseen").await.expect("sent");
    let log: Vec<_> = log.try_iter().collect();
    let frames: Vec<_> = log
        .iter()
        .map(|(frame, _)| (frame.direction, frame.header_len, frame.header.payload_len))
        .collect();
    assert_eq!(
        frames,
        [(Direction::Received, 6, 5), (Direction::Sent, 4, 300)]
    );
    assert!(log[0].1 <= log[1].1);
}

#[tokio::test]
async fn an_abort_ends_everything_at_once() {
    let (client, mut server) = pair(64);
    let (sender, mut receiver) = client.split();
    let receiving = tokio::spawn(async move { (receiver.recv().await, receiver) });
    let sending = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send("x".repeat(1000)).await }
    });
    tokio::task::yield_now().await;
    sender.abort();
    let (received, receiver) = receiving.await.expect("no panic");
    assert!(matches!(received, Ok(None)));
    let sent = sending.await.expect("no panic").expect_err("it is lost");
    assert!(matches!(sent, Error::Io(_)), "{sent}");
    let info = receiver.close_info().expect("it is over");
    assert_eq!((info.clean, info.initiator), (false, Initiator::Local));
    sender
        .close(CloseCode::NORMAL, "")
        .await
        .expect_err("it was cut");
    // The stream is gone although the halves are not.
    let lost = server.recv().await.expect_err("no Close came");
    assert!(matches!(
        lost,
        Error::Protocol(ProtocolError::ConnectionLost)
    ));
}

/// More Pings in one read than Pongs may wait: each is answered, because the peer reads.
///
/// spec: C-03
#[tokio::test]
async fn every_ping_of_a_large_burst_is_answered() {
    let (stream, mut peer) = duplex(100_000);
    let mut server = WebSocket::server(stream, Config::default(), BytesMut::new());
    let pings: Vec<u8> = (0..400_u32)
        .flat_map(|n| {
            let mut data = vec![0; 100];
            data[..4].copy_from_slice(&n.to_be_bytes());
            Frame::ping(data).masked(vectors::KEY).bytes()
        })
        .collect();
    peer.write_all(&pings).await.expect("written");
    peer.write_all(vectors::CLIENT_TEXT).await.expect("written");
    assert!(matches!(server.recv().await, Ok(Some(_))));
    for n in 0..400_u32 {
        let mut pong = [0; 102];
        peer.read_exact(&mut pong).await.expect("a Pong");
        assert_eq!(pong[2..6], n.to_be_bytes());
    }
}

/// A long message does not hold a Ping up: control frames go between its fragments.
///
/// spec: G-04
#[tokio::test]
async fn a_ping_overtakes_the_rest_of_a_long_message() {
    const LEN: usize = 4 * 1024 * 1024;
    let (stream, mut peer) = duplex(64 * 1024);
    let config = Config::default().with_fragment_size(Some(16 * 1024));
    let (sender, _receiver) = WebSocket::server(stream, config, BytesMut::new()).split();
    let long = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(vec![0; LEN]).await }
    });
    tokio::task::yield_now().await;
    let ping = tokio::spawn(async move { sender.ping(b"now").await });
    tokio::task::yield_now().await;
    // Our write buffer, the pipe, and the frame that was begun.
    let mut before = vec![0; 256 * 1024];
    peer.read_exact(&mut before).await.expect("read");
    ping.await.expect("no panic").expect("it is written");
    let expected = Frame::ping("now").bytes();
    assert!(before.windows(expected.len()).any(|seen| seen == expected));
    long.abort();
}

/// A peer that reads nothing is one to be pinged, too.
///
/// spec: C-35
#[tokio::test(start_paused = true)]
async fn a_ping_is_queued_when_the_write_buffer_is_full() {
    let (stream, mut peer) = duplex(100);
    let config = Config::default().with_write_buffer_limit(1000);
    let mut ws = WebSocket::server(stream, config, BytesMut::new());
    ws.try_send(vec![0; 5000]).expect("it is the first");
    let refused = ws.try_send(vec![0; 5000]).expect_err("it is full");
    assert_eq!(refused.error, SendError::BufferFull);
    poll_once(Box::pin(ws.ping(b"stuck")).as_mut()).await;
    let expected = Frame::ping("stuck").bytes();
    let mut seen = vec![0; 4 + 5000 + expected.len()];
    let (flushed, read) = tokio::join!(ws.flush(), peer.read_exact(&mut seen));
    flushed.expect("it is written");
    read.expect("read");
    assert!(seen.ends_with(&expected));
}

/// spec: C-18
#[tokio::test]
async fn what_arrives_after_our_close_is_received_where_the_close_was_only_begun() {
    let (stream, mut peer) = duplex(1000);
    let mut server = WebSocket::server(stream, Config::default(), BytesMut::new());
    server.begin_close(CloseCode::NORMAL, "").expect("begun");
    assert_eq!(server.state(), State::Closing);
    let mut close = [0; 4];
    peer.read_exact(&mut close)
        .await
        .expect("it is written at once");
    assert_eq!(close, *b"\x88\x02\x03\xe8");
    peer.write_all(vectors::CLIENT_TEXT).await.expect("written");
    peer.write_all(vectors::CLIENT_CLOSE_EMPTY)
        .await
        .expect("written");
    peer.write_all(vectors::CLIENT_TEXT).await.expect("written");
    drop(peer);
    let message = server.recv().await.expect("received");
    assert_eq!(message, Some(Message::text("Hello")));
    assert_eq!(server.recv().await.expect("a clean end"), None);
    assert!(server.close_info().expect("it is over").clean);
    // Once more is once too often, and does nothing.
    server
        .begin_close(CloseCode::NORMAL, "")
        .expect("it is over");
}
