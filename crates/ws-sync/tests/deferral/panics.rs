//! Streams, taps and owners that panic.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use ws_sync::{Compress, Error};

use crate::served::{
    WATCHDOG, burst, expect, let_the_attendant_look, occupy_the_attendant, replies, reply,
    reply_in_halves, served,
};

/// Its halves know nothing of it any more, and the attendant writes for others.
#[test]
fn a_stream_that_takes_its_time_to_be_dropped_and_panics_harms_nobody_else() {
    let mut served = served();
    let mut halves = served.ws.split().expect("it can");
    let (opener, end) = mpsc::channel();
    *served.control.end.lock().expect("no panic") = Some(end);
    served.peer.write_all(&burst(2)).expect("written");
    reply_in_halves(&mut halves);
    drop(halves);
    let mut thread = String::new();
    while thread != "ws-sync follow-up" {
        let told = served.others.recv_timeout(WATCHDOG);
        thread = told.expect("it is dropped");
    }
    let_the_attendant_look();
    drop(opener);
    // Now it has panicked.
    while served.others.recv().is_ok() {}
    let_the_attendant_look();
    expect(&mut served.peer, &replies(1));
}

#[test]
fn a_panic_behind_the_thread_is_told_by_its_next_call_and_harms_nobody_else() {
    let mut served = served();
    served.control.panics.store(true, Ordering::SeqCst);
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    served.others.recv().expect("somebody writes for it");
    let_the_attendant_look();
    let error = served.ws.recv().expect_err("it is over");
    assert!(matches!(error, Error::Io(_)), "{error:?}");
    assert!(served.ws.recv().expect("the end").is_none());
}

#[test]
fn a_connection_in_which_its_own_thread_has_panicked_is_over() {
    let _occupied = occupy_the_attendant();
    let mut served = served();
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    served.control.panics.store(true, Ordering::SeqCst);
    let flushed = catch_unwind(AssertUnwindSafe(|| served.ws.flush()));
    flushed.expect_err("the stream panics");
    assert!(matches!(served.ws.recv(), Err(Error::Io(_))));
    assert!(served.ws.recv().expect("the end").is_none());
}

/// It is the application's affair, and none of the connection's.
#[test]
fn a_connection_survives_that_its_owner_panics_with_a_message_in_hand() {
    let mut served = served();
    served.peer.write_all(&burst(4)).expect("written");
    let occupied = occupy_the_attendant();
    reply(&mut served.ws);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut received = served.ws.recv_ref().expect("received").expect("a message");
        let (message, mut replies) = received.parts();
        replies.send(message, Compress::Auto).expect("queued");
        panic!("the application does");
    }));
    panicked.expect_err("the application panics");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _stream = served.ws.get_ref();
        panic!("the application does");
    }));
    panicked.expect_err("the application panics");
    drop(occupied);
    expect(&mut served.peer, &replies(2));
    reply(&mut served.ws);
    reply(&mut served.ws);
    expect(&mut served.peer, &replies(4)[replies(2).len()..]);
}

#[test]
fn what_was_sent_arrives_though_its_connection_is_dropped_by_a_panic_with_a_message_in_hand() {
    let mut served = served();
    served.peer.write_all(&burst(3)).expect("written");
    let occupied = occupy_the_attendant();
    reply(&mut served.ws);
    let mut ws = served.ws;
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _received = ws.recv_ref().expect("received").expect("a message");
        panic!("the application does");
    }));
    panicked.expect_err("the application panics");
    drop(occupied);
    expect(&mut served.peer, &replies(1));
}

/// Nobody knows what it has left undone.
#[test]
fn a_connection_whose_tap_panics_with_a_message_in_hand_is_over() {
    let mut served = served();
    served.peer.write_all(&burst(1)).expect("written");
    let is_armed = Arc::<AtomicBool>::default();
    let panics = Arc::clone(&is_armed);
    served
        .ws
        .set_tap(move |_, _| assert!(!panics.load(Ordering::SeqCst), "the tap panics"));
    let replied = catch_unwind(AssertUnwindSafe(|| {
        let mut received = served.ws.recv_ref().expect("received").expect("a message");
        is_armed.store(true, Ordering::SeqCst);
        let (message, mut replies) = received.parts();
        replies.send(message, Compress::Auto)
    }));
    replied.expect_err("the tap panics");
    served.ws.send("more").expect_err("it is over");
}

/// What a stream panics with may do so in its turn when it is dropped. That is not to end the thread that writes for all.
#[test]
fn nothing_that_a_stream_panics_with_harms_anybody_else() {
    loop {
        let occupied = occupy_the_attendant();
        let [mut first, mut other] = [served(), served()];
        first.control.bombs.store(true, Ordering::SeqCst);
        for served in [&mut first, &mut other] {
            served.peer.write_all(&burst(2)).expect("written");
            reply(&mut served.ws);
        }
        drop(occupied);
        expect(&mut other.peer, &replies(1));
        let thread = first.others.recv().expect("somebody writes for it");
        let error = first.ws.recv().expect_err("it is over");
        assert!(matches!(error, Error::Io(_)), "{error:?}");
        // While a peer of another test is slow it is a thread of its own that writes.
        if thread == "ws-sync attendant" {
            break;
        }
    }
    let_the_attendant_look();
}
