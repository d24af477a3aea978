//! Replies to what came in one read leave in one write, and none of them is left behind: whatever a task does after it
//! has sent, what it has sent arrives.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::runtime::{self, Runtime};
use tokio::task::{JoinHandle, block_in_place};
use ws_async::{CloseCode, Compress, Config, Error, MessageKind, Receiver, Sender, WebSocket};
use ws_testkit::{Frame, vectors};

/// Far more than anything here sends, where it is not to be less.
const PIPE: usize = 1024 * 1024;

/// Counts the writes that took something, and fails them when told to.
#[derive(Debug)]
struct Counting<S> {
    stream: S,
    writes: Arc<AtomicUsize>,
    fails: Arc<AtomicUsize>,
}

impl<S> Counting<S> {
    fn new(stream: S) -> (Self, Arc<AtomicUsize>) {
        let writes = Arc::new(AtomicUsize::new(0));
        let counting = Self {
            stream,
            writes: Arc::clone(&writes),
            fails: Arc::default(),
        };
        (counting, writes)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.fails.load(Ordering::SeqCst) > 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.writes.fetch_add(1, Ordering::SeqCst);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn server<S>(stream: S) -> WebSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    WebSocket::server(stream, Config::default(), BytesMut::new())
}

/// So many messages of a client, each of which says its number.
fn burst(count: u8) -> Vec<u8> {
    (0..count)
        .flat_map(|number| Frame::binary([number; 8]).masked(vectors::KEY).bytes())
        .collect()
}

/// The replies to them.
fn replies(count: u8) -> Vec<u8> {
    (0..count)
        .flat_map(|number| Frame::binary([number; 8]).bytes())
        .collect()
}

/// Answers one message with itself.
async fn reply<S>(ws: &mut WebSocket<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let message = ws.recv().await.expect("received").expect("a message");
    ws.send(message).await.expect("sent");
}

/// Reads what must arrive, and fails rather than wait for ever.
async fn expect(peer: &mut (impl AsyncRead + Unpin), expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    tokio::time::timeout(Duration::from_secs(20), peer.read_exact(&mut received))
        .await
        .expect("it arrives")
        .expect("the stream is open");
    assert_eq!(received, expected);
}

/// Runs `future` as a task, which the future of a test is not.
async fn in_a_task(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future).await.expect("no panic");
}

/// The same with threads to spare, where a task that waits for itself is found out.
fn in_a_task_among_threads(future: impl Future<Output = ()> + Send + 'static) {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let [_, runtime] = runtimes();
        runtime.block_on(in_a_task(future));
        done.send(()).expect("somebody waits");
    });
    wait.recv_timeout(Duration::from_secs(10))
        .expect("it ends, without a panic");
}

/// spec: S-07
#[tokio::test]
async fn replies_to_one_read_leave_in_one_write() {
    in_a_task(async {
        let (mut peer, stream) = duplex(PIPE);
        let (stream, writes) = Counting::new(stream);
        let mut ws = server(stream);
        for _ in 0..3 {
            peer.write_all(&burst(16)).await.expect("written");
            for _ in 0..16 {
                reply(&mut ws).await;
            }
            expect(&mut peer, &replies(16)).await;
        }
        assert_eq!(writes.load(Ordering::SeqCst), 3);
    })
    .await;
}

/// The future that a runtime was told to run is none that anybody need run on.
#[test]
fn outside_of_a_task_nothing_is_put_off() {
    for runtime in runtimes() {
        let (mut peer, stream) = duplex(PIPE);
        let (stream, writes) = Counting::new(stream);
        let mut ws = server(stream);
        runtime.block_on(async {
            peer.write_all(&burst(2)).await.expect("written");
            reply(&mut ws).await;
        });
        assert_eq!(writes.load(Ordering::SeqCst), 1);
    }
}

/// Nor does it leave behind what a task has put off before.
#[test]
fn outside_of_a_task_what_a_task_has_put_off_is_written_too() {
    for runtime in runtimes() {
        let (mut peer, stream) = duplex(PIPE);
        let mut ws = server(stream);
        runtime.block_on(async {
            peer.write_all(&burst(3)).await.expect("written");
            let task = tokio::spawn(async move {
                reply(&mut ws).await;
                ws
            });
            let mut ws = task.await.expect("no panic");
            reply(&mut ws).await;
            assert_eq!(ws.stats().queued, 0);
            expect(&mut peer, &replies(2)).await;
        });
    }
}

#[tokio::test]
async fn so_do_those_of_a_split_connection() {
    in_a_task(async {
        let (mut peer, stream) = duplex(PIPE);
        let (stream, writes) = Counting::new(stream);
        let (sender, mut receiver) = server(stream).split();
        for _ in 0..3 {
            peer.write_all(&burst(16)).await.expect("written");
            for _ in 0..16 {
                let message = receiver.recv().await.expect("received").expect("a message");
                sender.send(message).await.expect("sent");
            }
            expect(&mut peer, &replies(16)).await;
        }
        assert_eq!(writes.load(Ordering::SeqCst), 3);
    })
    .await;
}

#[tokio::test]
async fn so_do_those_to_messages_that_are_lent() {
    in_a_task(async {
        let (mut peer, stream) = duplex(PIPE);
        let (stream, writes) = Counting::new(stream);
        let mut ws = server(stream);
        for count in [16, 1, 2] {
            peer.write_all(&burst(count)).await.expect("written");
            for _ in 0..count {
                let received = ws.recv_ref().await.expect("received");
                let mut received = received.expect("a message");
                let (message, mut replies) = received.parts();
                replies.send(message, Compress::Auto).expect("queued");
            }
            // The last of them has no other to leave with.
            expect(&mut peer, &replies(count)).await;
        }
        assert_eq!(writes.load(Ordering::SeqCst), 3);
    })
    .await;
}

#[tokio::test]
async fn without_a_write_deadline_nothing_is_put_off() {
    let (mut peer, stream) = duplex(PIPE);
    let (stream, writes) = Counting::new(stream);
    let config = Config::default().with_write_timeout(None);
    let mut ws = WebSocket::server(stream, config, BytesMut::new());
    peer.write_all(&burst(3)).await.expect("written");
    for number in 1..=3 {
        reply(&mut ws).await;
        assert_eq!(writes.load(Ordering::SeqCst), number);
    }
    expect(&mut peer, &replies(3)).await;
}

/// What an application does that has replied to the first of two messages and then turns to something else.
async fn reply_to_one(mut ws: WebSocket<DuplexStream>) {
    reply(&mut ws).await;
    pending().await
}

async fn reply_to_one_in_halves(mut ws: (Sender, Receiver)) {
    let message = ws.1.recv().await.expect("received").expect("a message");
    ws.0.send(message).await.expect("sent");
    pending().await
}

fn runtimes() -> [Runtime; 2] {
    let current_thread = runtime::Builder::new_current_thread().enable_all().build();
    let multi_thread = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    [current_thread, multi_thread].map(|runtime| runtime.expect("a runtime"))
}

#[test]
fn a_reply_arrives_though_its_task_waits_for_something_else() {
    for runtime in runtimes() {
        for is_split in [false, true] {
            runtime.block_on(async {
                let (mut peer, stream) = duplex(PIPE);
                peer.write_all(&burst(2)).await.expect("written");
                let ws = server(stream);
                let task: JoinHandle<()> = match is_split {
                    false => tokio::spawn(reply_to_one(ws)),
                    true => tokio::spawn(reply_to_one_in_halves(ws.split())),
                };
                expect(&mut peer, &replies(1)).await;
                task.abort();
            });
        }
    }
}

#[test]
fn a_reply_arrives_though_the_future_that_the_runtime_runs_waits_for_something_else() {
    for runtime in runtimes() {
        for is_split in [false, true] {
            runtime.block_on(async {
                let (mut peer, stream) = duplex(PIPE);
                peer.write_all(&burst(2)).await.expect("written");
                let ws = server(stream);
                let reader = tokio::spawn(async move { expect(&mut peer, &replies(1)).await });
                let replying: Pin<Box<dyn Future<Output = ()>>> = match is_split {
                    false => Box::pin(reply_to_one(ws)),
                    true => Box::pin(reply_to_one_in_halves(ws.split())),
                };
                tokio::select! {
                    () = replying => unreachable!("it waits for ever"),
                    read = reader => read.expect("the reply has arrived"),
                }
            });
        }
    }
}

/// Polls `future` once.
async fn poll_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    let mut future = future;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[test]
fn what_a_cancelled_send_has_queued_arrives() {
    const LEN: usize = 60_000;
    for runtime in runtimes() {
        for is_split in [false, true] {
            runtime.block_on(async {
                // The pipe takes a small part of the message.
                let (mut peer, stream) = duplex(100);
                let ws = server(stream);
                let task: JoinHandle<()> = match is_split {
                    false => tokio::spawn(async move {
                        let mut ws = ws;
                        let sent = poll_once(pin!(ws.send(vec![7; LEN]))).await;
                        assert!(sent.is_none(), "the pipe is too small for it");
                        pending().await
                    }),
                    true => tokio::spawn(async move {
                        let (sender, _receiver) = ws.split();
                        let sent = poll_once(pin!(sender.send(vec![7; LEN]))).await;
                        assert!(sent.is_none(), "the pipe is too small for it");
                        pending().await
                    }),
                };
                expect(&mut peer, &Frame::binary(vec![7; LEN]).bytes()).await;
                task.abort();
            });
        }
    }
}

#[test]
fn what_is_queued_when_a_receive_is_cancelled_arrives() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let (mut peer, stream) = duplex(100);
            let mut ws = server(stream);
            let task: JoinHandle<()> = tokio::spawn(async move {
                // Nobody says when this is written, but for a receive that begins to.
                ws.feed(vec![7; 1000]).await.expect("queued");
                assert!(poll_once(pin!(ws.send("on its way"))).await.is_none());
                assert!(poll_once(pin!(ws.recv())).await.is_none());
                assert!(poll_once(pin!(ws.recv())).await.is_none());
                pending().await
            });
            expect(&mut peer, &Frame::binary(vec![7; 1000]).bytes()).await;
            expect(&mut peer, &Frame::text("on its way").bytes()).await;
            task.abort();
        });
    }
}

#[test]
fn what_was_sent_arrives_though_the_connection_and_the_runtime_are_gone() {
    for runtime in runtimes() {
        let (mut peer, stream) = duplex(PIPE);
        runtime.block_on(async {
            peer.write_all(&burst(2)).await.expect("written");
            let mut ws = server(stream);
            reply(&mut ws).await;
        });
        drop(runtime);
        let [other, _] = runtimes();
        let mut received = Vec::new();
        other
            .block_on(peer.read_to_end(&mut received))
            .expect("the end");
        assert_eq!(received, replies(1));
    }
}

#[test]
fn what_was_sent_arrives_though_the_thread_is_gone() {
    thread_local! {
        static KEPT: Cell<Option<WebSocket<DuplexStream>>> = const { Cell::new(None) };
    }
    let first = Frame::text("first").bytes();
    let [runtime, other] = runtimes();
    let (mut peer, stream) = duplex(first.len());
    let leaving = thread::spawn(move || {
        // What a thread uses first it drops last.
        KEPT.set(None);
        let ws = runtime.block_on(async {
            let mut ws = server(stream);
            ws.send("first").await.expect("it fills the pipe");
            assert!(poll_once(pin!(ws.send("last"))).await.is_none());
            expect(&mut peer, &first).await;
            ws
        });
        KEPT.set(Some(ws));
        peer
    });
    let mut peer = leaving.join().expect("no panic");
    let mut received = Vec::new();
    other
        .block_on(peer.read_to_end(&mut received))
        .expect("the end");
    assert_eq!(received, Frame::text("last").bytes());
}

#[tokio::test]
async fn what_was_sent_before_a_drop_arrives_as_the_peer_takes_it() {
    let (mut peer, stream) = duplex(10);
    let mut ws = server(stream);
    assert!(
        poll_once(pin!(ws.send("longer than the pipe")))
            .await
            .is_none()
    );
    drop(ws);
    expect(&mut peer, &Frame::text("longer than the pipe").bytes()).await;
    assert_eq!(peer.read(&mut [0; 1]).await.expect("the end"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_connection_is_not_kept_for_a_peer_that_takes_nothing() {
    for is_split in [false, true] {
        let (mut peer, stream) = duplex(10);
        let mut ws = server(stream);
        if is_split {
            let (sender, _receiver) = ws.split();
            assert!(
                poll_once(pin!(sender.send("longer than the pipe")))
                    .await
                    .is_none()
            );
        } else {
            assert!(
                poll_once(pin!(ws.send("longer than the pipe")))
                    .await
                    .is_none()
            );
            drop(ws);
        }
        // Nothing is read until the write deadline has passed.
        tokio::time::sleep(Duration::from_secs(31)).await;
        let mut received = Vec::new();
        peer.read_to_end(&mut received).await.expect("the end");
        assert!(received.len() < 22, "{received:?}");
    }
}

#[tokio::test]
async fn an_aborted_connection_is_gone_at_once() {
    in_a_task(async {
        let (mut peer, stream) = duplex(PIPE);
        peer.write_all(&burst(2)).await.expect("written");
        let mut ws = server(stream);
        reply(&mut ws).await;
        ws.abort();
        assert_eq!(peer.read(&mut [0; 64]).await.expect("the end"), 0);
    })
    .await;
}

#[tokio::test]
async fn what_was_fed_waits_for_whoever_has_fed_it() {
    in_a_task(async {
        let (mut peer, stream) = duplex(PIPE);
        let (stream, writes) = Counting::new(stream);
        peer.write_all(&burst(2)).await.expect("written");
        let mut ws = server(stream);
        let message = ws.recv().await.expect("received").expect("a message");
        ws.feed(message).await.expect("queued");
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(writes.load(Ordering::SeqCst), 0);
        ws.flush().await.expect("written");
        expect(&mut peer, &replies(1)).await;
    })
    .await;
}

#[tokio::test]
async fn the_stream_can_be_looked_at_while_replies_wait() {
    in_a_task(async {
        let (mut peer, stream) = duplex(PIPE);
        let (stream, writes) = Counting::new(stream);
        peer.write_all(&burst(2)).await.expect("written");
        let mut ws = server(stream);
        reply(&mut ws).await;
        assert_eq!(ws.stats().queued, 10);
        {
            let stream = ws.get_ref();
            tokio::task::yield_now().await;
            assert_eq!(stream.writes.load(Ordering::SeqCst), 0);
        }
        expect(&mut peer, &replies(1)).await;
        assert_eq!(writes.load(Ordering::SeqCst), 1);
        assert_eq!(ws.stats().queued, 0);
    })
    .await;
}

#[tokio::test]
async fn what_fails_behind_the_task_is_told_by_its_next_call() {
    in_a_task(async {
        let (mut peer, stream) = duplex(PIPE);
        let (stream, _) = Counting::new(stream);
        let fails = Arc::clone(&stream.fails);
        peer.write_all(&burst(2)).await.expect("written");
        let mut ws = server(stream);
        reply(&mut ws).await;
        fails.store(1, Ordering::SeqCst);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let message = ws.recv().await.expect("received").expect("a message");
        let error = ws.send(message).await.expect_err("nothing can be written");
        assert!(
            matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::BrokenPipe),
            "{error:?}"
        );
    })
    .await;
}

/// Whoever finds it out, and whatever is called next.
#[tokio::test]
async fn so_is_what_a_receive_has_found_out() {
    for call in 0..4 {
        for is_split in [false, true] {
            in_a_task(async move {
                let (mut peer, stream) = duplex(PIPE);
                let (stream, _) = Counting::new(stream);
                let fails = Arc::clone(&stream.fails);
                let mut ws = server(stream);
                // The second message is the first that has no other behind it.
                peer.write_all(&burst(2)).await.expect("written");
                reply(&mut ws).await;
                ws.recv().await.expect("received").expect("a message");
                fails.store(1, Ordering::SeqCst);
                let error = if is_split {
                    let (sender, mut receiver) = ws.split();
                    assert!(poll_once(pin!(receiver.recv())).await.is_none());
                    match call {
                        0 => sender.send("more").await.err(),
                        1 => sender.feed("more").await.err(),
                        2 => sender.ping(b"").await.err(),
                        _ => sender.writer(MessageKind::Text).await.err(),
                    }
                } else {
                    assert!(poll_once(pin!(ws.recv())).await.is_none());
                    match call {
                        0 => ws.send("more").await.err(),
                        1 => ws.feed("more").await.err(),
                        2 => ws.ping(b"").await.err(),
                        _ => ws.writer(MessageKind::Text).await.err(),
                    }
                };
                assert!(
                    matches!(&error, Some(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe),
                    "{error:?}"
                );
            })
            .await;
        }
    }
}

/// Replies and the Close keep their order whoever writes them.
#[test]
fn nothing_is_lost_or_reordered_between_owner_and_scheduler() {
    const ROUNDS: u8 = 200;
    for runtime in runtimes() {
        for is_split in [false, true] {
            runtime.block_on(async {
                // Small enough that writes stop in the middle of frames.
                let (peer, stream) = duplex(37);
                let ws = server(stream);
                let task = match is_split {
                    false => tokio::spawn(async move {
                        let mut ws = ws;
                        while let Some(message) = ws.recv().await.expect("received") {
                            ws.send(message).await.expect("sent");
                            tokio::task::yield_now().await;
                        }
                    }),
                    true => tokio::spawn(async move {
                        let (sender, mut receiver) = ws.split();
                        while let Some(message) = receiver.recv().await.expect("received") {
                            sender.send(message).await.expect("sent");
                            tokio::task::yield_now().await;
                        }
                    }),
                };
                let (mut reading, mut writing) = tokio::io::split(peer);
                let writer = tokio::spawn(async move {
                    writing.write_all(&burst(ROUNDS)).await.expect("written");
                    let close = Frame::close(1000, "").masked(vectors::KEY).bytes();
                    writing.write_all(&close).await.expect("written");
                    writing
                });
                expect(&mut reading, &replies(ROUNDS)).await;
                expect(&mut reading, &Frame::close(1000, "").bytes()).await;
                drop(writer.await.expect("written"));
                drop(reading);
                task.await.expect("a clean end");
            });
        }
    }
}

/// spec: S-07
#[tokio::test]
async fn what_was_sent_before_a_split_arrives() {
    in_a_task(async {
        let (mut peer, stream) = duplex(PIPE);
        peer.write_all(&burst(2)).await.expect("written");
        let mut ws = server(stream);
        reply(&mut ws).await;
        let _halves = ws.split();
        expect(&mut peer, &replies(1)).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_writer_has_finished_arrives_though_the_wait_is_given_up() {
    let (mut peer, stream) = duplex(10);
    let mut ws = server(stream);
    let mut writer = ws.writer(MessageKind::Text).await.expect("its turn");
    writer.write(b"longer than the pipe").await.expect("added");
    assert!(poll_once(pin!(writer.finish())).await.is_none());
    expect(&mut peer, &Frame::text("longer than the pipe").bytes()).await;
    drop(ws);
}

/// spec: CD-05
#[tokio::test(start_paused = true)]
async fn so_does_what_a_task_has_finished() {
    for is_split in [false, true] {
        let (mut peer, stream) = duplex(100);
        let mut ws = server(stream);
        let task: JoinHandle<()> = match is_split {
            false => tokio::spawn(async move {
                let mut writer = ws.writer(MessageKind::Binary).await.expect("its turn");
                writer.write(&[7; 1000]).await.expect("added");
                assert!(poll_once(pin!(writer.finish())).await.is_none());
                pending().await
            }),
            true => tokio::spawn(async move {
                let (sender, _receiver) = ws.split();
                let mut writer = sender.writer(MessageKind::Binary).await.expect("its turn");
                writer.write(&[7; 1000]).await.expect("added");
                assert!(poll_once(pin!(writer.finish())).await.is_none());
                pending().await
            }),
        };
        expect(&mut peer, &Frame::binary(vec![7; 1000]).bytes()).await;
        task.abort();
    }
}

/// What was accepted before does not wait for the message that was not begun.
///
/// spec: CD-05
#[tokio::test(start_paused = true)]
async fn what_was_tried_arrives_though_the_wait_to_begin_a_message_is_given_up() {
    let (mut peer, stream) = duplex(100);
    let config = Config::default().with_write_buffer_high(1000);
    let mut ws = WebSocket::server(stream, config, BytesMut::new());
    let task: JoinHandle<()> = tokio::spawn(async move {
        for _ in 0..2 {
            ws.try_send(vec![7; 600]).expect("accepted");
        }
        let begun = poll_once(pin!(ws.writer(MessageKind::Binary))).await;
        assert!(begun.is_none(), "there is no room for it");
        pending().await
    });
    let sent = Frame::binary(vec![7; 600]).bytes();
    expect(&mut peer, &sent.repeat(2)).await;
    task.abort();
}

/// A Ping that is given up is written all the same, and so is what was fed before it.
///
/// spec: CD-05
#[tokio::test(start_paused = true)]
async fn a_cancelled_ping_arrives() {
    for is_split in [false, true] {
        let (mut peer, stream) = duplex(100);
        let mut ws = server(stream);
        let task: JoinHandle<()> = match is_split {
            false => tokio::spawn(async move {
                ws.feed(vec![7; 1000]).await.expect("queued");
                assert!(poll_once(pin!(ws.ping(b"ping"))).await.is_none());
                pending().await
            }),
            true => tokio::spawn(async move {
                let (sender, _receiver) = ws.split();
                sender.feed(vec![7; 1000]).await.expect("queued");
                assert!(poll_once(pin!(sender.ping(b"ping"))).await.is_none());
                pending().await
            }),
        };
        expect(&mut peer, &Frame::binary(vec![7; 1000]).bytes()).await;
        expect(&mut peer, &Frame::ping("ping").bytes()).await;
        task.abort();
    }
}

#[tokio::test]
async fn what_a_cancelled_send_has_queued_arrives_though_more_is_fed() {
    for is_split in [false, true] {
        let (mut peer, stream) = duplex(10);
        let mut ws = server(stream);
        if is_split {
            let (sender, _receiver) = ws.split();
            assert!(
                poll_once(pin!(sender.send("longer than the pipe")))
                    .await
                    .is_none()
            );
            sender.feed("fed").await.expect("queued");
            expect(&mut peer, &Frame::text("longer than the pipe").bytes()).await;
        } else {
            assert!(
                poll_once(pin!(ws.send("longer than the pipe")))
                    .await
                    .is_none()
            );
            ws.feed("fed").await.expect("queued");
            expect(&mut peer, &Frame::text("longer than the pipe").bytes()).await;
        }
    }
}

#[tokio::test]
async fn what_was_tried_before_a_drop_arrives() {
    let (mut peer, stream) = duplex(10);
    let mut ws = server(stream);
    ws.try_send("longer than the pipe").expect("accepted");
    // The connection is in the hand of whoever polls.
    let waits = poll_fn(|cx| Poll::Ready(ws.poll_recv(cx).is_pending()));
    assert!(waits.await);
    drop(ws);
    expect(&mut peer, &Frame::text("longer than the pipe").bytes()).await;
    assert_eq!(peer.read(&mut [0; 1]).await.expect("the end"), 0);
}

/// Though nobody has looked whether the stream takes it.
#[tokio::test(start_paused = true)]
async fn so_does_what_a_task_has_tried() {
    for is_split in [false, true] {
        let (mut peer, stream) = duplex(100);
        let mut ws = server(stream);
        in_a_task(async move {
            if is_split {
                let (sender, receiver) = ws.split();
                sender.try_send(vec![7; 600]).expect("accepted");
                drop((sender, receiver));
            } else {
                ws.try_send(vec![7; 600]).expect("accepted");
            }
        })
        .await;
        expect(&mut peer, &Frame::binary(vec![7; 600]).bytes()).await;
        assert_eq!(peer.read(&mut [0; 1]).await.expect("the end"), 0);
    }
}

/// A Close that was begun takes along what was only fed.
#[tokio::test(start_paused = true)]
async fn a_close_that_was_begun_before_a_drop_arrives_behind_what_was_fed() {
    for is_split in [false, true] {
        let (mut peer, stream) = duplex(100);
        let mut ws = server(stream);
        in_a_task(async move {
            if is_split {
                let (sender, receiver) = ws.split();
                sender.feed(vec![7; 1000]).await.expect("queued");
                sender.begin_close(CloseCode::NORMAL, "").expect("begun");
                drop((sender, receiver));
            } else {
                ws.feed(vec![7; 1000]).await.expect("queued");
                ws.begin_close(CloseCode::NORMAL, "").expect("begun");
            }
        })
        .await;
        expect(&mut peer, &Frame::binary(vec![7; 1000]).bytes()).await;
        expect(&mut peer, &Frame::close(1000, "").bytes()).await;
    }
}

/// A task that polls reading and writing by turns is woken for both, whoever writes for it meanwhile.
#[tokio::test]
async fn polled_forms_are_woken_though_another_task_writes() {
    let (mut peer, stream) = duplex(10);
    let mut ws = server(stream);
    let hello = Frame::text("hello").masked(vectors::KEY).bytes();
    let task = tokio::spawn(async move {
        let mut tried = false;
        let received = poll_fn(|cx| {
            let polled = ws.poll_recv(cx);
            if polled.is_pending() && !tried {
                tried = true;
                ws.try_send("longer than the pipe").expect("accepted");
            }
            polled
        });
        received.await.expect("received").expect("a message")
    });
    expect(&mut peer, &Frame::text("longer than the pipe").bytes()).await;
    peer.write_all(&hello).await.expect("written");
    let received = tokio::time::timeout(Duration::from_secs(20), task).await;
    let received = received.expect("it is woken").expect("no panic");
    assert_eq!(received.as_text(), Some("hello"));
}

#[tokio::test]
async fn a_byte_stream_is_woken_for_what_it_waits_for() {
    let (mut peer, stream) = duplex(10);
    let (mut reading, mut writing) = tokio::io::split(server(stream).into_byte_stream());
    let hello = Frame::binary("hello").masked(vectors::KEY).bytes();
    // One task flushes and reads; the peer is slow in both.
    let task = tokio::spawn(async move {
        let writes = async {
            writing
                .write_all(b"longer than the pipe")
                .await
                .expect("written");
            writing.flush().await.expect("flushed");
        };
        let mut received = [0; 5];
        let reads = async {
            reading.read_exact(&mut received).await.expect("read");
        };
        tokio::join!(writes, reads);
        received
    });
    expect(&mut peer, &Frame::binary("longer than the pipe").bytes()).await;
    peer.write_all(&hello).await.expect("written");
    let received = tokio::time::timeout(Duration::from_secs(20), task).await;
    assert_eq!(received.expect("it is woken").expect("no panic"), *b"hello");
}

/// A task of a local set runs inside the future that the runtime was told to run, and what the scheduler was given
/// there it may drop with that.
#[test]
fn what_a_local_task_has_sent_arrives_when_the_runtime_goes_on() {
    let [runtime, _] = runtimes();
    let (mut peer, stream) = duplex(PIPE);
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        peer.write_all(&burst(2)).await.expect("written");
        let (told, sent) = tokio::sync::oneshot::channel();
        let mut ws = server(stream);
        tokio::task::spawn_local(async move {
            reply(&mut ws).await;
            told.send(()).expect("somebody waits");
            pending::<()>().await;
        });
        sent.await.expect("sent");
    });
    runtime.block_on(expect(&mut peer, &replies(1)));
    drop(local);
}

/// A peer that takes less than it asks for with its Pings gets what was sent, and no more.
#[tokio::test(start_paused = true)]
async fn a_dropped_connection_is_not_kept_for_a_peer_that_goes_on_pinging() {
    for is_split in [false, true] {
        let (mut peer, stream) = duplex(64);
        let mut ws = server(stream);
        if is_split {
            let (sender, _receiver) = ws.split();
            sender.try_send(vec![7; 600]).expect("queued");
        } else {
            ws.try_send(vec![7; 600]).expect("queued");
            drop(ws);
        }
        let ping = Frame::ping("answer me").masked(vectors::KEY).bytes();
        let mut received = Vec::new();
        loop {
            // A Pong for it is longer than what is read.
            if peer.write_all(&ping).await.is_err() {
                peer.read_to_end(&mut received).await.expect("the end");
                break;
            }
            let mut some = [0; 8];
            let len = peer.read(&mut some).await.expect("what was sent");
            received.extend_from_slice(&some[..len]);
            if len == 0 {
                break;
            }
            assert!(received.len() < 6_000, "it goes on for ever");
        }
        let sent = Frame::binary(vec![7; 600]).bytes();
        assert!(received.starts_with(&sent), "{} bytes", received.len());
    }
}

/// A tap may run anything, also what wakes those who wait to write what was put off.
#[test]
fn a_tap_may_block_in_place() {
    in_a_task_among_threads(async {
        let (mut peer, stream) = duplex(PIPE);
        peer.write_all(&burst(3)).await.expect("written");
        let mut ws = server(stream);
        reply(&mut ws).await;
        ws.set_tap(|_, _| block_in_place(|| {}));
        reply(&mut ws).await;
        expect(&mut peer, &replies(2)).await;
    });
}

#[test]
fn so_may_that_of_a_split_connection() {
    in_a_task_among_threads(async {
        let (mut peer, stream) = duplex(PIPE);
        peer.write_all(&burst(3)).await.expect("written");
        let (sender, mut receiver) = server(stream).split();
        let message = receiver.recv().await.expect("received").expect("a message");
        sender.send(message).await.expect("sent");
        sender.set_tap(|_, _| block_in_place(|| {}));
        receiver.recv().await.expect("received").expect("a message");
        expect(&mut peer, &replies(1)).await;
    });
}

/// It may also outlive the runtime's care for tasks, when nobody is left to see to what it has put off.
#[test]
fn so_may_one_whose_runtime_ends() {
    for is_split in [false, true] {
        let [_, runtime] = runtimes();
        let spawner = runtime.handle().clone();
        let (told, began) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let (done, ended) = mpsc::channel();
        let wait = Mutex::new(wait);
        let tap = move || {
            _ = told.send(());
            _ = wait.lock().expect("no panic").recv();
            block_in_place(|| {});
            _ = done.send(());
        };
        runtime.spawn(async move {
            let (mut peer, stream) = duplex(PIPE);
            peer.write_all(&burst(3)).await.expect("written");
            let mut ws = server(stream);
            if is_split {
                let (sender, mut receiver) = ws.split();
                let message = receiver.recv().await.expect("received").expect("a message");
                sender.send(message).await.expect("sent");
                sender.set_tap(move |_, _| tap());
                _ = receiver.recv().await;
            } else {
                reply(&mut ws).await;
                ws.set_tap(move |_, _| tap());
                reply(&mut ws).await;
            }
        });
        began.recv().expect("the tap is called");
        runtime.shutdown_background();
        while !spawner.spawn(pending::<()>()).is_finished() {
            thread::yield_now();
        }
        drop(go);
        ended
            .recv_timeout(Duration::from_secs(10))
            .expect("it goes on");
    }
}

/// A task that writes what was sent before is not done before it has written what is sent meanwhile.
///
/// spec: S-07, CD-05
#[tokio::test(start_paused = true)]
async fn what_is_sent_while_a_task_writes_arrives_though_nobody_receives() {
    for is_cancelled in [false, true] {
        let (mut peer, stream) = duplex(100);
        let (sender, receiver) = server(stream).split();
        drop(receiver);
        sender.try_send(vec![7; 600]).expect("accepted");
        // The task has begun.
        tokio::task::yield_now().await;
        if is_cancelled {
            let sent = poll_once(pin!(sender.send(vec![8; 600]))).await;
            assert!(sent.is_none(), "the pipe is too small for it");
        } else {
            sender.try_send(vec![8; 600]).expect("accepted");
        }
        expect(&mut peer, &Frame::binary(vec![7; 600]).bytes()).await;
        expect(&mut peer, &Frame::binary(vec![8; 600]).bytes()).await;
    }
}

/// Where nobody writes behind its back, who polls is not to lose the stream's promise by trying to send.
#[tokio::test(start_paused = true)]
async fn a_polled_form_is_woken_though_a_send_was_tried_in_vain() {
    let (mut peer, stream) = duplex(10);
    let config = Config::default()
        .with_ping_interval(None)
        .with_write_timeout(None)
        .with_write_buffer_high(10);
    let mut ws = WebSocket::server(stream, config, BytesMut::new());
    let task = tokio::spawn(async move {
        ws.feed("longer than the pipe").await.expect("queued");
        let mut tried = false;
        poll_fn(|cx| {
            let polled = ws.poll_flush(cx);
            if polled.is_pending() && !tried {
                tried = true;
                ws.try_send("more").expect_err("there is no room");
            }
            polled
        })
        .await
    });
    // It waits.
    tokio::task::yield_now().await;
    expect(&mut peer, &Frame::text("longer than the pipe").bytes()).await;
    let flushed = tokio::time::timeout(Duration::from_secs(5), task).await;
    let flushed = flushed.expect("it is woken").expect("no panic");
    flushed.expect("written");
}
