//! The virtual network does what its plan says, and no more than the contract of a stream promises.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use ws_testkit::Chunks;
use ws_testkit::network::{Link, Network, Plan, Socket, VirtualStream};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A network that runs, and its two ends.
fn network(plan: Plan) -> (Network, [VirtualStream; 2]) {
    let (network, ends) = Network::new(plan);
    let running = network.clone();
    tokio::spawn(async move { running.run().await });
    (network, ends)
}

fn with_link(link: Link) -> Plan {
    Plan {
        links: [link, Link::PERFECT],
        ..Plan::PERFECT
    }
}

async fn read(end: &mut VirtualStream) -> Result<Vec<u8>, ErrorKind> {
    let mut buffer = [0; 64];
    let len = end.read(&mut buffer).await.map_err(|error| error.kind())?;
    Ok(buffer[..len].to_vec())
}

#[tokio::test(start_paused = true)]
async fn bytes_take_their_time_and_keep_their_order() {
    let plan = with_link(Link {
        latency: ms(50),
        bytes_per_ms: Some(2),
        ..Link::PERFECT
    });
    let (network, [mut left, mut right]) = network(plan);
    let began = Instant::now();
    left.write_all(b"abcdefgh").await.expect("written");
    left.write_all(b"ij").await.expect("written");
    assert_eq!(began.elapsed(), ms(0));
    assert_eq!(network.sent(0), b"abcdefghij");
    assert_eq!(read(&mut right).await, Ok(b"abcdefgh".to_vec()));
    assert_eq!(began.elapsed(), ms(54));
    assert_eq!(read(&mut right).await, Ok(b"ij".to_vec()));
    assert_eq!(began.elapsed(), ms(55));
    assert_eq!(network.read_len(1), 10);
    right.write_all(b"now").await.expect("written");
    assert_eq!(read(&mut left).await, Ok(b"now".to_vec()));
    assert_eq!(began.elapsed(), ms(55));
}

#[tokio::test(start_paused = true)]
async fn a_full_network_makes_the_writer_wait() {
    let plan = with_link(Link {
        capacity: 3,
        latency: ms(10),
        ..Link::PERFECT
    });
    let (_, [mut left, mut right]) = network(plan);
    let began = Instant::now();
    let writer = tokio::spawn(async move {
        left.write_all(b"abcdefg").await.expect("written");
        (began.elapsed(), left)
    });
    let mut received = Vec::new();
    while received.len() < 7 {
        received.extend(read(&mut right).await.expect("received"));
    }
    assert_eq!(received, b"abcdefg");
    assert_eq!(began.elapsed(), ms(30));
    assert_eq!(writer.await.expect("no panic").0, ms(20));
}

#[tokio::test(start_paused = true)]
async fn what_meets_a_stall_arrives_at_its_end() {
    let plan = with_link(Link {
        latency: ms(5),
        stalls: vec![ms(5)..ms(100)],
        ..Link::PERFECT
    });
    let (_, [mut left, mut right]) = network(plan);
    let began = Instant::now();
    left.write_all(b"a").await.expect("written");
    assert_eq!(read(&mut right).await, Ok(b"a".to_vec()));
    assert_eq!(began.elapsed(), ms(100));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanished_says_nothing_and_takes_nothing() {
    let plan = with_link(Link {
        vanishes_at: Some(ms(0)),
        capacity: 4,
        ..Link::PERFECT
    });
    let (_, [mut left, mut right]) = network(plan);
    left.write_all(b"abcd").await.expect("the buffer takes it");
    let stuck = timeout(ms(10_000), left.write_all(b"e"));
    assert!(stuck.await.is_err());
    drop(left);
    let silent = timeout(ms(10_000), read(&mut right));
    assert!(silent.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_end_comes_after_everything_before_it() {
    let plan = with_link(Link {
        latency: ms(7),
        ..Link::PERFECT
    });
    let (network, [mut left, mut right]) = network(plan);
    left.write_all(b"bye").await.expect("written");
    left.shutdown().await.expect("shut down");
    let refused = left.write_all(b"more").await.expect_err("it has ended");
    assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
    assert_eq!(read(&mut right).await, Ok(b"bye".to_vec()));
    assert_eq!(read(&mut right).await, Ok(vec![]));
    // The way back is still open.
    right.write_all(b"wait").await.expect("written");
    assert_eq!(read(&mut left).await, Ok(b"wait".to_vec()));
    assert!(!network.is_dropped(0));
    drop(left);
    assert!(network.is_dropped(0));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_drops_unread_input_resets_and_loses_what_is_under_way() {
    let plan = with_link(Link {
        latency: ms(7),
        ..Link::PERFECT
    });
    let (_, [mut left, mut right]) = network(plan);
    right.write_all(b"unread").await.expect("written");
    left.write_all(b"lost").await.expect("written");
    drop(left);
    assert_eq!(read(&mut right).await, Err(ErrorKind::ConnectionReset));
    let refused = right.write_all(b"more").await.expect_err("it is reset");
    assert_eq!(refused.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn writing_to_an_end_that_was_dropped_comes_to_a_reset() {
    let plan = with_link(Link {
        latency: ms(7),
        ..Link::PERFECT
    });
    let (_, [mut left, right]) = network(plan);
    drop(right);
    let began = Instant::now();
    assert_eq!(read(&mut left).await, Ok(vec![]));
    left.write_all(b"anybody?")
        .await
        .expect("the buffer takes it");
    while left.write_all(b"!").await.is_ok() {
        tokio::time::advance(ms(1)).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(began.elapsed(), ms(7));
}

#[tokio::test(start_paused = true)]
async fn a_reset_destroys_unread_input_where_the_plan_says_so() {
    for destroys in [false, true] {
        let plan = Plan {
            resets_at: Some(ms(20)),
            reset_destroys_input: destroys,
            ..Plan::PERFECT
        };
        let (_, [mut left, mut right]) = network(plan);
        left.write_all(b"in time").await.expect("written");
        tokio::time::advance(ms(21)).await;
        let read_first = read(&mut right).await;
        match destroys {
            false => assert_eq!(read_first, Ok(b"in time".to_vec())),
            true => assert_eq!(read_first, Err(ErrorKind::ConnectionReset)),
        }
        assert_eq!(read(&mut right).await, Err(ErrorKind::ConnectionReset));
        assert_eq!(read(&mut left).await, Err(ErrorKind::ConnectionReset));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_leaves_with_a_flush() {
    let holding = Socket {
        holds_back: 4,
        ..Socket::PERFECT
    };
    let plan = Plan {
        sockets: [holding, Socket::PERFECT],
        ..Plan::PERFECT
    };
    let (network, [mut left, mut right]) = network(plan);
    left.write_all(b"abc").await.expect("written");
    assert_eq!(network.sent_len(0), 0);
    left.flush().await.expect("flushed");
    assert_eq!(read(&mut right).await, Ok(b"abc".to_vec()));
    left.write_all(b"defgh").await.expect("written");
    assert_eq!(network.sent(0), b"abcdefg");
    left.shutdown().await.expect("shut down");
    assert_eq!(network.sent(0), b"abcdefgh");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_ready_for_no_reason_wakes_its_task() {
    for ready_after in [ms(0), ms(3)] {
        let reluctant = |seed| Socket {
            reads: Chunks::random(seed, 2),
            writes: Chunks::random(seed + 1, 2),
            ready_after,
            ..Socket::PERFECT
        };
        let plan = Plan {
            sockets: [reluctant(1), reluctant(3)],
            ..Plan::PERFECT
        };
        let (_, [mut left, mut right]) = network(plan);
        let text = [b'x'; 100];
        left.write_all(&text).await.expect("written");
        let mut received = [0; 100];
        right.read_exact(&mut received).await.expect("received");
        assert_eq!(received, text);
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_last_waker_is_woken_and_only_once() {
    let (_, [mut left, mut right]) = network(with_link(Link {
        capacity: 1,
        ..Link::PERFECT
    }));
    left.write_all(b"a").await.expect("written");
    let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
    let wakers = counts.clone().map(Waker::from);
    for waker in &wakers {
        let mut cx = Context::from_waker(waker);
        let polled = Pin::new(&mut left).poll_write(&mut cx, b"b");
        assert!(polled.is_pending());
    }
    assert_eq!(read(&mut right).await, Ok(b"a".to_vec()));
    left.write_all(b"c").await.expect("written");
    assert_eq!(read(&mut right).await, Ok(b"c".to_vec()));
    let woken = counts.map(|count| count.0.load(Ordering::Relaxed));
    assert_eq!(woken, [0, 1]);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "went round in circles")]
async fn who_goes_round_in_circles_is_stopped() {
    let (network, [mut left, _right]) = network(Plan::PERFECT);
    network.limit_operations(100);
    loop {
        left.flush().await.expect("flushed");
    }
}
