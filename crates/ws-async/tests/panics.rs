//! A stream or a tap that panics: the task that used it unwinds, and nobody else waits for what that task has left
//! undone.

use std::fmt::Debug;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use ws_async::{CloseCode, Compress, Config, Direction, Error, Receiver, Sender, WebSocket};
use ws_testkit::{Frame, vectors};

/// Where the stream panics, once it is told to.
#[derive(Debug, Default)]
struct Faults {
    read: AtomicBool,
    write: AtomicBool,
}

fn strike(fault: &AtomicBool) {
    assert!(!fault.load(Ordering::SeqCst), "the stream panics");
}

#[derive(Debug)]
struct Panicking {
    pipe: DuplexStream,
    faults: Arc<Faults>,
}

impl AsyncRead for Panicking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        strike(&self.faults.read);
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        strike(&self.faults.write);
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// A peer's end of a pipe, and a server at the other.
fn server() -> (DuplexStream, Arc<Faults>, WebSocket<Panicking>) {
    let (peer, near) = duplex(1024);
    let faults = Arc::new(Faults::default());
    let near = Panicking {
        pipe: near,
        faults: Arc::clone(&faults),
    };
    let ws = WebSocket::server(near, Config::default(), BytesMut::new());
    (peer, faults, ws)
}

struct Ends {
    sender: Sender,
    receiver: Receiver,
    far: WebSocket<DuplexStream>,
    faults: Arc<Faults>,
}

fn ends() -> Ends {
    let (near, far) = duplex(1024);
    let config = Config::default().with_ping_interval(None);
    let faults = Arc::new(Faults::default());
    let near = Panicking {
        pipe: near,
        faults: Arc::clone(&faults),
    };
    let (sender, receiver) = WebSocket::client(near, config.clone(), BytesMut::new()).split();
    Ends {
        sender,
        receiver,
        far: WebSocket::server(far, config, BytesMut::new()),
        faults,
    }
}

fn assert_broken<T: Debug>(result: Result<T, Error>) {
    let error = result.expect_err("the connection is broken");
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::Other),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_write_that_panics_ends_the_receiver() {
    let Ends {
        sender,
        mut receiver,
        far: _far,
        faults,
    } = ends();
    let receiving = tokio::spawn(async move { (receiver.recv().await, receiver.recv().await) });
    // It waits for input.
    tokio::task::yield_now().await;
    faults.write.store(true, Ordering::SeqCst);
    let sending = {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send("hello").await })
    };
    assert!(sending.await.is_err_and(|error| error.is_panic()));
    let (first, second) = receiving.await.expect("no panic");
    assert_broken(first);
    assert!(second.expect("told once").is_none());
    assert_broken(sender.flush().await);
    assert_broken(sender.close(CloseCode::NORMAL, "").await);
}

#[tokio::test]
async fn a_read_that_panics_ends_the_sender() {
    let Ends {
        sender,
        mut receiver,
        mut far,
        faults,
    } = ends();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let waiting = {
        let sender = sender.clone();
        tokio::spawn(async move { sender.closed().await })
    };
    // Both wait, and the receiver reads.
    tokio::task::yield_now().await;
    faults.read.store(true, Ordering::SeqCst);
    far.send("hello").await.expect("it has room");
    let ended = tokio::join!(receiving, waiting);
    // Whichever of them reads next meets the panic.
    assert!(ended.0.is_err() != ended.1.is_err(), "{ended:?}");
    assert_broken(sender.flush().await);
    assert!(far.recv().await.is_err(), "the stream is dropped");
}

#[tokio::test]
async fn a_tap_that_panics_ends_the_connection() {
    let Ends {
        sender,
        mut receiver,
        far: _far,
        ..
    } = ends();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    sender.set_tap(|_, _| panic!("the tap panics"));
    let sending = {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send("hello").await })
    };
    assert!(sending.await.is_err_and(|error| error.is_panic()));
    assert_broken(receiving.await.expect("no panic"));
    assert_broken(sender.flush().await);
}

/// How much of a frame was taken nobody knows any more, so that what follows is no frame.
#[tokio::test]
async fn after_a_read_that_panics_nothing_is_taken_for_a_frame() {
    let (mut peer, faults, mut ws) = server();
    // What lies behind the third byte looks like a frame of its own.
    let (begun, rest) = [0x82, 0x87, 0, 0x82, 0x84, 0, 0, 0, 0, 9, 9, 9, 9].split_at(3);
    let mut cx = Context::from_waker(Waker::noop());
    peer.write_all(begun).await.expect("it has room");
    assert!(pin!(ws.recv()).poll(&mut cx).is_pending());
    faults.read.store(true, Ordering::SeqCst);
    catch_unwind(AssertUnwindSafe(|| {
        pin!(ws.recv()).poll(&mut cx).is_pending()
    }))
    .expect_err("the stream panics");
    faults.read.store(false, Ordering::SeqCst);
    peer.write_all(rest).await.expect("it has room");
    match pin!(ws.recv()).poll(&mut cx) {
        Poll::Pending => {}
        Poll::Ready(received) => assert!(!matches!(received, Ok(Some(_))), "{received:?}"),
    }
}

/// So it is with the reply to a message that is lent, whether the stream panics that takes it or the tap that sees it.
#[tokio::test]
async fn a_reply_to_a_lent_message_that_panics_ends_the_connection() {
    for is_tap in [false, true] {
        let (mut peer, faults, mut ws) = server();
        let hello = Frame::text("hello").masked(vectors::KEY).bytes();
        peer.write_all(&hello).await.expect("it has room");
        let mut received = ws.recv_ref().await.expect("received").expect("a message");
        if is_tap {
            drop(received);
            ws.set_tap(|frame, _| {
                assert!(frame.direction == Direction::Received, "the tap panics");
            });
            peer.write_all(&hello).await.expect("it has room");
            received = ws.recv_ref().await.expect("received").expect("a message");
        } else {
            faults.write.store(true, Ordering::SeqCst);
        }
        catch_unwind(AssertUnwindSafe(move || {
            let (message, mut replies) = received.parts();
            replies.send(message, Compress::Auto).expect("queued");
        }))
        .expect_err("it panics");
        faults.write.store(false, Ordering::SeqCst);
        assert_broken(ws.recv().await);
        assert_broken(ws.flush().await);
    }
}

/// What the application does with a message that is lent is its own affair.
#[tokio::test]
async fn a_connection_survives_that_its_owner_panics_with_a_message_in_hand() {
    let (mut peer, faults, mut ws) = server();
    ws.set_tap(|_, _| {});
    let hello = Frame::text("hello").masked(vectors::KEY).bytes();
    peer.write_all(&hello.repeat(2)).await.expect("it has room");
    let mut received = ws.recv_ref().await.expect("received").expect("a message");
    // A stream that panics now would be the second to do so.
    faults.write.store(true, Ordering::SeqCst);
    catch_unwind(AssertUnwindSafe(move || {
        let (message, mut replies) = received.parts();
        replies.send(message, Compress::Auto).expect("queued");
        panic!("the application panics");
    }))
    .expect_err("it panics");
    faults.write.store(false, Ordering::SeqCst);
    let message = ws.recv().await.expect("received").expect("a message");
    ws.send(message).await.expect("sent");
    let reply = Frame::text("hello").bytes();
    let mut replies = vec![0; 2 * reply.len()];
    peer.read_exact(&mut replies).await.expect("both arrive");
    assert_eq!(replies, reply.repeat(2));
}
