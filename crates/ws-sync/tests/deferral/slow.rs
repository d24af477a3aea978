//! Peers that are slow, or take nothing.

use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use ws_sync::{Compress, Error, State};
use ws_testkit::{Frame, vectors};

use crate::served::{
    Served, WATCHDOG, burst, config, expect, let_the_attendant_look, occupy_the_attendant, replies,
    reply, reply_in_halves, served,
};

/// spec: CD-06
#[test]
fn a_dropped_connection_is_not_kept_for_a_peer_that_takes_nothing() {
    let config = config().with_write_timeout(Some(Duration::from_millis(10)));
    let mut served = Served::new(7, config, None);
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    drop(served.ws);
    // The stream is dropped: then nobody tells anything any more.
    while served.others.recv().is_ok() {}
    let mut received = Vec::new();
    served.peer.read_to_end(&mut received).expect("the end");
    assert_eq!(received, replies(1)[..7]);
}

/// Nor for one that goes on asking for Pongs, of which it takes one byte for each.
#[test]
fn a_dropped_connection_is_not_kept_for_a_peer_that_pings() {
    for is_split in [false, true] {
        let config = config().with_write_timeout(Some(Duration::from_millis(50)));
        let mut served = Served::new(7, config, None);
        served.peer.write_all(&burst(2)).expect("written");
        if is_split {
            reply_in_halves(&mut served.ws.split().expect("it can"));
        } else {
            reply(&mut served.ws);
            drop(served.ws);
        }
        let ping = Frame::ping("ping").masked(vectors::KEY).bytes();
        let (begun, mut byte) = (Instant::now(), [0]);
        while served.peer.write_all(&ping).is_ok()
            && served.peer.read(&mut byte).is_ok_and(|count| count > 0)
        {
            assert!(begun.elapsed() < WATCHDOG, "it is kept, split: {is_split}");
        }
    }
}

/// What was sent to it: so many bytes, and as many writes. Two of them come with one read.
const SLOW: usize = 900;

/// Its peer takes a byte now and then.
fn slow() -> Served {
    let mut slow = served();
    slow.control.trickles.store(true, Ordering::SeqCst);
    let message = Frame::binary([7; SLOW]).masked(vectors::KEY).bytes();
    slow.peer.write_all(&message.repeat(2)).expect("written");
    reply(&mut slow.ws);
    slow
}

#[test]
fn a_peer_that_takes_a_byte_now_and_then_holds_up_neither_the_attendant_nor_its_own_end() {
    let slow = slow();
    slow.others.recv().expect("somebody writes for it");
    let_the_attendant_look();
    assert_eq!(slow.ws.state(), State::Open);
    assert!(slow.writes() < SLOW, "somebody has waited for it");
    slow.ws.abort();
}

#[test]
fn a_drop_does_not_wait_for_a_peer_that_takes_a_byte_now_and_then() {
    let _occupied = occupy_the_attendant();
    let slow = slow();
    drop(slow.ws);
    assert!(slow.control.writes.load(Ordering::SeqCst) < SLOW, "it has");
    // The rest need not be waited for.
    slow.control.fails.store(true, Ordering::SeqCst);
}

/// So is it with peers that take nothing, however many there are: the attendant does not wait for one after another.
#[test]
fn while_a_peer_is_slow_others_get_a_thread_at_once() {
    let occupied = occupy_the_attendant();
    let (mut peers, connections): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| {
            let mut served = Served::new(7, config(), None);
            served.peer.write_all(&burst(3)).expect("written");
            reply(&mut served.ws);
            ((served.peer, served.others), served.ws)
        })
        .unzip();
    drop(occupied);
    // One of them the attendant may have waited for.
    let mut attended = 0;
    for (_, others) in &peers {
        let first = others.recv_timeout(WATCHDOG).expect("somebody writes");
        attended += usize::from(first == "ws-sync attendant");
    }
    assert!(attended <= 1, "{attended}");
    for (peer, _) in &mut peers {
        expect(peer, &replies(1));
    }
    drop(connections);
}

/// A peer that takes nothing keeps neither the attendant nor the connection's owner from their work.
#[test]
fn a_slow_peer_gets_a_thread_until_the_owner_comes_back() {
    let mut served = Served::new(7, config(), None);
    served.peer.write_all(&burst(3)).expect("written");
    reply(&mut served.ws);
    while served.others.recv().expect("somebody writes for it") != "ws-sync follow-up" {}
    let_the_attendant_look();
    // The owner finds the connection as it was.
    let peer = thread::spawn(move || {
        expect(&mut served.peer, &replies(3));
        served.peer
    });
    reply(&mut served.ws);
    reply(&mut served.ws);
    peer.join().expect("no panic");
}

/// Otherwise each message that the attendant writes for it would cost a thread for ever.
#[test]
fn a_peer_that_has_caught_up_needs_no_thread_any_more() {
    // It holds less than two replies.
    let mut served = Served::new(16, config(), None);
    served.peer.write_all(&burst(3)).expect("written");
    reply(&mut served.ws);
    reply(&mut served.ws);
    while served.others.recv().expect("somebody writes for it") != "ws-sync follow-up" {}
    expect(&mut served.peer, &replies(2));
    reply(&mut served.ws);
    expect(&mut served.peer, &Frame::binary([2; 8]).bytes());
    let begun = Instant::now();
    loop {
        while served.others.try_recv().is_ok() {}
        served.peer.write_all(&burst(2)).expect("written");
        reply(&mut served.ws);
        expect(&mut served.peer, &replies(1));
        // While a peer of another test is slow it is a thread of its own that writes.
        if served.others.recv().expect("told") == "ws-sync attendant" {
            break;
        }
        assert!(begun.elapsed() < WATCHDOG, "it is taken for slow");
        reply(&mut served.ws);
        expect(&mut served.peer, &Frame::binary([1; 8]).bytes());
    }
}

#[test]
fn to_let_go_of_a_message_does_not_wait_for_a_peer_that_takes_a_byte_now_and_then() {
    let mut slow = served();
    slow.control.trickles.store(true, Ordering::SeqCst);
    let message = Frame::binary([7; SLOW]).masked(vectors::KEY).bytes();
    slow.peer.write_all(&message).expect("written");
    {
        let mut received = slow.ws.recv_ref().expect("received").expect("a message");
        let (message, mut replies) = received.parts();
        replies.send(message, Compress::Auto).expect("queued");
    }
    assert!(slow.writes() < SLOW, "it has waited");
    slow.control.fails.store(true, Ordering::SeqCst);
}

/// spec: CD-04
#[test]
fn a_wait_for_input_ends_in_time_though_the_peer_takes_a_byte_now_and_then() {
    for is_split in [false, true] {
        let occupied = occupy_the_attendant();
        let mut slow = slow();
        let bound = Some(Duration::from_millis(10));
        let error = if is_split {
            let (_sender, mut receiver) = slow.ws.split().expect("it can");
            receiver.set_read_timeout(bound);
            receiver.recv().expect("received").expect("a message");
            receiver.recv().expect_err("nothing comes")
        } else {
            slow.ws.set_read_timeout(bound);
            slow.ws.recv().expect("received").expect("a message");
            slow.ws.recv().expect_err("nothing comes")
        };
        let timeouts = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
        assert!(
            matches!(&error, Error::Io(error) if timeouts.contains(&error.kind())),
            "{error:?}"
        );
        let writes = slow.control.writes.load(Ordering::SeqCst);
        assert!(writes < SLOW, "it waits for the peer, split: {is_split}");
        slow.control.fails.store(true, Ordering::SeqCst);
        drop(occupied);
    }
}

/// There is no other message to be answered with it, and nobody calls for its sake.
#[test]
fn a_reply_to_a_message_that_was_lent_arrives_as_the_peer_takes_it() {
    for is_dropped in [false, true] {
        let mut served = Served::new(7, config(), None);
        served.peer.write_all(&burst(1)).expect("written");
        {
            let mut received = served.ws.recv_ref().expect("received").expect("a message");
            let (message, mut replies) = received.parts();
            replies.send(message, Compress::Auto).expect("queued");
        }
        if is_dropped {
            drop(served.ws);
            let mut received = Vec::new();
            served.peer.read_to_end(&mut received).expect("the end");
            assert_eq!(received, replies(1));
        } else {
            expect(&mut served.peer, &replies(1));
        }
    }
}
