//! In two hands.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use ws_sync::Error;
use ws_testkit::Frame;

use crate::served::{
    Control, Served, burst, config, expect, let_the_attendant_look, occupy_the_attendant, replies,
    reply, reply_in_halves, served,
};

#[test]
fn so_do_those_of_a_split_connection() {
    let _occupied = occupy_the_attendant();
    let mut served = served();
    let mut halves = served.ws.split().expect("it can");
    for _ in 0..3 {
        served.peer.write_all(&burst(16)).expect("written");
        for _ in 0..16 {
            reply_in_halves(&mut halves);
        }
        expect(&mut served.peer, &replies(16));
    }
    assert_eq!(served.control.writes.load(Ordering::SeqCst), 3);
}

/// It does not know when the thread that receives will come back.
#[test]
fn what_another_thread_sends_is_written_at_once() {
    let _occupied = occupy_the_attendant();
    let mut served = served();
    let (sender, mut receiver) = served.ws.split().expect("it can");
    served.peer.write_all(&burst(2)).expect("written");
    let message = receiver.recv().expect("received").expect("a message");
    let other = thread::spawn(move || sender.send(message).expect("sent"));
    other.join().expect("no panic");
    assert_eq!(served.control.writes.load(Ordering::SeqCst), 1);
    expect(&mut served.peer, &replies(1));
}

#[test]
fn a_reply_of_a_split_connection_arrives_though_its_thread_does_something_else() {
    for are_dropped in [false, true] {
        let mut served = served();
        let mut halves = served.ws.split().expect("it can");
        for _ in 0..2 {
            served.peer.write_all(&burst(2)).expect("written");
            reply_in_halves(&mut halves);
            expect(&mut served.peer, &replies(1));
            // The second one leaves at once.
            reply_in_halves(&mut halves);
            expect(&mut served.peer, &Frame::binary([1; 8]).bytes());
        }
        served.peer.write_all(&burst(2)).expect("written");
        if are_dropped {
            reply_in_halves(&mut halves);
            drop(halves);
            let mut received = Vec::new();
            served.peer.read_to_end(&mut received).expect("the end");
            assert_eq!(received, replies(1));
        } else {
            served.control.fails.store(true, Ordering::SeqCst);
            reply_in_halves(&mut halves);
            // While a peer of another test is slow it is a thread of its own that writes, some time.
            let error = loop {
                let_the_attendant_look();
                if let Err(error) = halves.0.send("more") {
                    break error;
                }
            };
            assert!(matches!(error, Error::Io(_)), "{error:?}");
        }
    }
}

#[test]
fn what_was_sent_before_halves_are_dropped_arrives_as_the_peer_takes_it() {
    let mut served = Served::new(7, config(), None);
    let mut halves = served.ws.split().expect("it can");
    served.peer.write_all(&burst(2)).expect("written");
    reply_in_halves(&mut halves);
    drop(halves);
    let mut received = Vec::new();
    served.peer.read_to_end(&mut received).expect("the end");
    assert_eq!(received, replies(1));
}

/// spec: S-07
#[test]
fn what_was_sent_before_a_split_arrives() {
    let mut served = served();
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    let _halves = served.ws.split().expect("it can");
    expect(&mut served.peer, &replies(1));
}

/// Its halves would take for a stream that does not block what ends before it should.
#[test]
fn a_split_leaves_no_timeout_on_the_stream() {
    let mut served = served();
    let bound = Some(Duration::from_millis(1));
    served.ws.set_read_timeout(bound);
    served.ws.send("something").expect("sent");
    served.ws.recv().expect_err("nothing comes");
    let timeouts = |served: &Control| *served.timeouts.lock().expect("no panic");
    let before = timeouts(&served.control);
    assert!(before[0] == bound && before[1].is_some(), "{before:?}");
    served.ws.set_read_timeout(None);
    let _halves = served.ws.split().expect("it can");
    assert_eq!(timeouts(&served.control), [None, None]);
}

/// The thread that writes what was accepted ends with the last half, and what was sent is left to it.
#[test]
fn what_was_sent_behind_what_was_accepted_arrives_though_the_halves_are_dropped() {
    const LEN: usize = 20_000;
    let mut served = Served::new(7, config(), None);
    let mut halves = served.ws.split().expect("it can");
    halves.0.try_send(vec![9; LEN]).expect("accepted");
    served.peer.write_all(&burst(2)).expect("written");
    reply_in_halves(&mut halves);
    drop(halves);
    let mut received = Vec::new();
    served.peer.read_to_end(&mut received).expect("the end");
    assert!(received == [Frame::binary(vec![9; LEN]).bytes(), replies(1)].concat());
}

/// It has the lock of its connection for as long as it likes.
#[test]
fn a_tap_that_takes_its_time_holds_up_no_other_connection() {
    let occupied = occupy_the_attendant();
    let mut served = served();
    let mut halves = served.ws.split().expect("it can");
    served.peer.write_all(&burst(2)).expect("written");
    reply_in_halves(&mut halves);
    let (told, begun) = mpsc::channel();
    let (opener, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    halves.0.set_tap(move |_, _| {
        // The test may have failed.
        _ = told.send(());
        _ = gate.lock().expect("no panic").recv();
    });
    let sender = halves.0.clone();
    let sending = thread::spawn(move || sender.send("more").expect("sent"));
    begun.recv().expect("it is told");
    drop(occupied);
    let_the_attendant_look();
    drop(opener);
    sending.join().expect("no panic");
    expect(&mut served.peer, &replies(1));
    expect(&mut served.peer, &Frame::text("more").bytes());
}
