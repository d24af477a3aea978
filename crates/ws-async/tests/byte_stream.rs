//! A stream of bytes in two tasks, polled by hand: each is woken for what it waits for, whatever the other one does.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_async::{ByteStream, Config, WebSocket};
use ws_testkit::{Frame, vectors};

/// A transport that takes what it has room for, which is nothing at first, and, like any, remembers only who has asked last.
#[derive(Debug, Default)]
struct Line {
    incoming: Vec<u8>,
    reader: Option<Waker>,
    room: usize,
    writer: Option<Waker>,
    panics: bool,
}

type Shared = Arc<Mutex<Line>>;

#[derive(Debug)]
struct End(Shared);

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut line = self.0.lock().expect("no panic");
        if line.incoming.is_empty() {
            line.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // Whoever waited before has no promise any more.
        line.reader = None;
        buffer.put_slice(&std::mem::take(&mut line.incoming));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let panics = self.0.lock().expect("no panic").panics;
        assert!(!panics, "the stream panics");
        let mut line = self.0.lock().expect("no panic");
        let taken = bytes.len().min(line.room);
        if taken == 0 {
            line.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        line.writer = None;
        line.room -= taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A connection that queues about as many bytes, and that nobody else writes for.
fn stream(write_buffer_high: usize) -> (Shared, ByteStream<End>) {
    let line = Shared::default();
    let config = Config::default()
        .with_ping_interval(None)
        .with_write_timeout(None)
        .with_write_buffer_high(write_buffer_high);
    let ws = WebSocket::server(End(Arc::clone(&line)), config, BytesMut::new());
    (line, ws.into_byte_stream())
}

fn read(stream: &mut ByteStream<End>, waker: &Waker) -> Option<Vec<u8>> {
    let mut bytes = [0; 100];
    let mut buffer = ReadBuf::new(&mut bytes);
    match Pin::new(stream).poll_read(&mut Context::from_waker(waker), &mut buffer) {
        Poll::Ready(read) => {
            read.expect("read");
            Some(buffer.filled().to_vec())
        }
        Poll::Pending => None,
    }
}

fn write(stream: &mut ByteStream<End>, waker: &Waker) -> Option<usize> {
    match Pin::new(stream).poll_write(&mut Context::from_waker(waker), b"hello") {
        Poll::Ready(written) => Some(written.expect("queued")),
        Poll::Pending => None,
    }
}

/// Whether a task was woken.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flag {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_is_woken_for_what_the_one_that_writes_has_read() {
    let (line, mut stream) = stream(1);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    assert_eq!(write(&mut stream, Waker::noop()), Some(5));
    assert_eq!(read(&mut stream, &waker), None);
    // The transport has not come to telling who waits.
    line.lock().expect("no panic").incoming = Frame::binary("hello").masked(vectors::KEY).bytes();
    assert!(!flag.take());
    assert_eq!(write(&mut stream, Waker::noop()), None);
    assert!(flag.take(), "it was read by somebody else");
    assert_eq!(read(&mut stream, &waker).as_deref(), Some(&b"hello"[..]));
}

#[tokio::test(start_paused = true)]
async fn who_reads_is_woken_when_the_one_that_writes_panics() {
    let (line, mut stream) = stream(1);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    assert_eq!(read(&mut stream, &waker), None);
    line.lock().expect("no panic").panics = true;
    catch_unwind(AssertUnwindSafe(|| write(&mut stream, Waker::noop())))
        .expect_err("the stream panics");
    assert!(flag.take());
    let mut bytes = [0; 100];
    let mut buffer = ReadBuf::new(&mut bytes);
    let read = Pin::new(&mut stream).poll_read(&mut Context::from_waker(&waker), &mut buffer);
    assert!(matches!(read, Poll::Ready(Err(_))), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn who_flushes_is_woken_though_it_has_written_since() {
    let (line, mut stream) = stream(1000);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let mut cx = Context::from_waker(&waker);
    assert_eq!(write(&mut stream, &waker), Some(5));
    assert!(Pin::new(&mut stream).poll_flush(&mut cx).is_pending());
    assert_eq!(write(&mut stream, &waker), Some(5));
    let mut there_is_room = line.lock().expect("no panic");
    there_is_room.room = 1000;
    let writer = there_is_room.writer.take();
    drop(there_is_room);
    writer.expect("somebody waits").wake();
    assert!(flag.take());
    let flushed = Pin::new(&mut stream).poll_flush(&mut cx);
    assert!(matches!(flushed, Poll::Ready(Ok(()))), "{flushed:?}");
}

/// With the last waker of a task its executor may drop the task, and what that held may wake somebody.
#[test]
fn the_waker_of_a_task_that_is_gone_may_wake_the_others() {
    struct Last(Shared);
    impl Wake for Last {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Last {
        fn drop(&mut self) {
            let reader = self.0.lock().expect("no panic").reader.clone();
            reader.expect("somebody waits").wake();
        }
    }

    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let (line, mut stream) = stream(1);
        let waker = Waker::from(Arc::new(Last(line)));
        assert_eq!(read(&mut stream, &waker), None);
        drop(waker);
        assert_eq!(read(&mut stream, Waker::noop()), None);
        done.send(()).expect("somebody waits");
    });
    wait.recv_timeout(Duration::from_secs(10))
        .expect("nobody waits for itself");
}
