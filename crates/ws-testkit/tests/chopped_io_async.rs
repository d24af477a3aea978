//! The stream does to a tokio user what its plan says, and wakes whom it told to wait.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ws_testkit::{ChoppedIo, Step};

#[derive(Default)]
struct CountingWake(AtomicUsize);

impl Wake for CountingWake {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn not_ready_wakes_at_once_or_on_demand() {
    for on_demand in [false, true] {
        let (io, remote) = ChoppedIo::scripted(b"abc");
        let io = io.with_read_steps([Step::NotReady]);
        let mut io = if on_demand {
            io.with_wakes_on_demand()
        } else {
            io
        };
        let wakes = Arc::new(CountingWake::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut context = Context::from_waker(&waker);
        let mut buffer = [0; 8];
        let mut read = pin!(io.read(&mut buffer));
        assert!(read.as_mut().poll(&mut context).is_pending());
        if on_demand {
            assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
            remote.wake();
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(matches!(read.poll(&mut context), Poll::Ready(Ok(3))));
    }
}

#[test]
fn a_waiting_reader_is_woken_by_what_arrives() {
    let (mut left, mut right) = ChoppedIo::duplex();
    let wakes = Arc::new(CountingWake::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut buffer = [0; 8];
    let mut read = pin!(left.read(&mut buffer));
    assert!(read.as_mut().poll(&mut context).is_pending());
    let mut write = pin!(right.write_all(b"hi"));
    assert!(write.as_mut().poll(&mut context).is_ready());
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert!(matches!(read.poll(&mut context), Poll::Ready(Ok(2))));
}

#[test]
fn a_full_pipe_holds_the_writer_back() {
    let (left, mut right) = ChoppedIo::duplex();
    let mut left = left.with_capacity(4);
    let wakes = Arc::new(CountingWake::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut write = pin!(left.write_all(b"sixsix"));
    assert!(write.as_mut().poll(&mut context).is_pending());
    let mut buffer = [0; 8];
    let mut read = pin!(right.read(&mut buffer));
    assert!(matches!(
        read.as_mut().poll(&mut context),
        Poll::Ready(Ok(4))
    ));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert!(matches!(write.poll(&mut context), Poll::Ready(Ok(()))));
}
