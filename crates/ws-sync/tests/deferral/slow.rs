//! Peers that are slow, or take nothing.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use ws_sync::State;
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
