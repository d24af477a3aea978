//! In one hand.

use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;

use ws_sync::{Compress, Error, MessageKind, State, WebSocket};
use ws_testkit::{Frame, vectors};

use crate::served::{
    Observed, PIPE, Served, WATCHDOG, burst, config, expect, let_the_attendant_look,
    occupy_the_attendant, replies, reply, served,
};

/// spec: S-07
#[test]
fn replies_to_one_read_leave_in_one_write() {
    let _occupied = occupy_the_attendant();
    let mut served = served();
    for _ in 0..3 {
        served.peer.write_all(&burst(16)).expect("written");
        for _ in 0..16 {
            reply(&mut served.ws);
        }
        expect(&mut served.peer, &replies(16));
    }
    assert_eq!(served.writes(), 3);
}

#[test]
fn so_do_those_to_messages_that_are_lent() {
    let _occupied = occupy_the_attendant();
    let mut served = served();
    for count in [16, 1, 2] {
        served.peer.write_all(&burst(count)).expect("written");
        for _ in 0..count {
            let received = served.ws.recv_ref().expect("received");
            let mut received = received.expect("a message");
            let (message, mut replies) = received.parts();
            replies.send(message, Compress::Auto).expect("queued");
        }
        // The last of them has no other to leave with.
        expect(&mut served.peer, &replies(count));
    }
    assert_eq!(served.writes(), 3);
}

#[test]
fn without_a_write_deadline_nothing_is_put_off() {
    let mut served = Served::new(PIPE, config().with_write_timeout(None), None);
    served.peer.write_all(&burst(3)).expect("written");
    for number in 1..=3 {
        reply(&mut served.ws);
        assert_eq!(served.writes(), number);
    }
}

/// What is put off is written in time whatever is sent meanwhile: as soon as it is as much as one write takes.
#[test]
fn no_more_than_one_write_takes_is_put_off() {
    let _occupied = occupy_the_attendant();
    let config = config().with_write_buffer_high(25);
    let mut served = Served::new(PIPE, config, None);
    served.peer.write_all(&burst(7)).expect("written");
    for _ in 0..6 {
        reply(&mut served.ws);
    }
    assert_eq!(served.writes(), 2);
    expect(&mut served.peer, &replies(6));
}

#[test]
fn a_reply_arrives_though_its_thread_does_something_else() {
    for is_lent in [false, true] {
        let mut served = served();
        served.peer.write_all(&burst(2)).expect("written");
        if is_lent {
            let received = served.ws.recv_ref().expect("received");
            let mut received = received.expect("a message");
            let (message, mut replies) = received.parts();
            replies.send(message, Compress::Auto).expect("queued");
        } else {
            reply(&mut served.ws);
        }
        // This thread does nothing for it, but to wait for what must arrive.
        expect(&mut served.peer, &replies(1));
        let thread = served.others.recv().expect("told");
        assert!(thread.starts_with("ws-sync "), "{thread}");
        // And again: it had left the list.
        let_the_attendant_look();
        served.peer.write_all(&burst(1)).expect("written");
        reply(&mut served.ws);
        expect(&mut served.peer, &Frame::binary([1; 8]).bytes());
    }
}

/// At once, or as the peer takes it.
///
/// spec: S-07
#[test]
fn what_was_sent_before_a_drop_arrives() {
    for mut served in [served(), Served::new(7, config(), None)] {
        served.peer.write_all(&burst(2)).expect("written");
        reply(&mut served.ws);
        drop(served.ws);
        let mut received = Vec::new();
        served.peer.read_to_end(&mut received).expect("the end");
        assert_eq!(received, replies(1));
    }
}

#[test]
fn an_aborted_connection_is_gone_at_once() {
    let _occupied = occupy_the_attendant();
    let mut served = served();
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    served.ws.abort();
    assert_eq!(served.peer.read(&mut [0; 64]).expect("the end"), 0);
}

#[test]
fn what_was_fed_waits_for_whoever_has_fed_it() {
    let mut served = served();
    served.peer.write_all(&burst(2)).expect("written");
    let message = served.ws.recv().expect("received").expect("a message");
    served.ws.feed(message).expect("queued");
    let_the_attendant_look();
    assert_eq!(served.writes(), 0);
    served.ws.flush().expect("written");
    expect(&mut served.peer, &replies(1));
}

#[test]
fn the_stream_can_be_looked_at_while_replies_wait() {
    let occupied = occupy_the_attendant();
    let mut served = served();
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    assert_eq!(served.ws.stats().queued, 10);
    {
        let stream = served.ws.get_ref();
        drop(occupied);
        let_the_attendant_look();
        assert_eq!(stream.control.writes.load(Ordering::SeqCst), 0);
    }
    expect(&mut served.peer, &replies(1));
    served.ws.flush().expect("written");
    assert_eq!(served.ws.stats().queued, 0);
    assert_eq!(served.writes(), 1);
}

#[test]
fn what_fails_behind_the_thread_is_told_by_its_next_call() {
    let mut served = served();
    served.control.fails.store(true, Ordering::SeqCst);
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    served.others.recv().expect("somebody writes for it");
    let message = served.ws.recv().expect("received").expect("a message");
    let error = served.ws.send(message).expect_err("nothing can be written");
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::BrokenPipe),
        "{error:?}"
    );
}

/// Replies, Pongs and the Close keep their order whoever writes them.
#[test]
fn nothing_is_lost_or_reordered_between_owner_and_attendant() {
    const ROUNDS: u8 = 200;
    // Small enough that writes stop in the middle of frames.
    let mut served = Served::new(37, config(), None);
    let ping = Frame::ping("?").masked(vectors::KEY).bytes();
    let close = Frame::close(1000, "").masked(vectors::KEY).bytes();
    let mut writing = served.peer.clone();
    let writer = thread::spawn(move || {
        writing
            .write_all(&[burst(ROUNDS), ping, close].concat())
            .expect("written");
    });
    let reader = thread::spawn(move || {
        expect(&mut served.peer, &replies(ROUNDS));
        expect(&mut served.peer, &Frame::pong("?").bytes());
        expect(&mut served.peer, &Frame::close(1000, "").bytes());
    });
    let mut ws = served.ws;
    for _ in 0..ROUNDS {
        reply(&mut ws);
        thread::yield_now();
    }
    assert!(ws.recv().expect("a clean end").is_none());
    writer.join().expect("no panic");
    reader.join().expect("no panic");
}

/// spec: S-07
#[test]
fn a_close_follows_what_was_put_off() {
    let _occupied = occupy_the_attendant();
    let mut served = served();
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    let close = Frame::close(1000, "").masked(vectors::KEY).bytes();
    served.peer.write_all(&close).expect("written");
    served.peer.shutdown_write().expect("it ends");
    let closed = served.ws.close(ws_sync::CloseCode::NORMAL, "");
    assert!(closed.expect("closed").clean);
    expect(&mut served.peer, &replies(1));
    expect(&mut served.peer, &Frame::close(1000, "").bytes());
}

fn is_broken<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe)
}

#[test]
fn what_fails_behind_the_thread_is_told_by_whatever_it_calls_next() {
    let calls: [fn(&mut WebSocket<Observed>) -> bool; 4] = [
        |ws| is_broken(ws.feed("more")),
        |ws| is_broken(ws.ping(b"more")),
        |ws| is_broken(ws.writer(MessageKind::Text)),
        |ws| is_broken(ws.flush()),
    ];
    for call in calls {
        let mut served = served();
        served.control.fails.store(true, Ordering::SeqCst);
        served.peer.write_all(&burst(2)).expect("written");
        reply(&mut served.ws);
        served.others.recv().expect("somebody writes for it");
        assert!(call(&mut served.ws));
        // Once is enough.
        let again = served.ws.send("more").expect_err("nothing can be written");
        assert!(matches!(again, Error::Send(_)), "{again:?}");
    }
}

#[test]
fn what_fails_before_a_read_is_told_by_the_next_send() {
    let _occupied = occupy_the_attendant();
    let mut served = served();
    served.control.fails.store(true, Ordering::SeqCst);
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    served.ws.recv().expect("received").expect("a message");
    served.peer.write_all(&burst(1)).expect("written");
    served.ws.recv().expect("received").expect("a message");
    assert!(is_broken(served.ws.send("more")));
}

/// Another thread is in a write that does not end.
#[test]
fn a_look_at_the_connection_waits_for_nobody() {
    let (opener, gate) = mpsc::channel();
    let mut served = Served::new(PIPE, config(), Some(gate));
    served.peer.write_all(&burst(2)).expect("written");
    reply(&mut served.ws);
    served.others.recv().expect("somebody writes for it");
    let (told, seen) = mpsc::channel();
    let seen = thread::scope(|scope| {
        let ws = &served.ws;
        scope.spawn(move || told.send((ws.stats().queued, ws.state(), ws.close_info())));
        let seen = seen.recv_timeout(WATCHDOG);
        drop(opener);
        seen
    });
    assert_eq!(seen, Ok((10, State::Open, None)));
    expect(&mut served.peer, &replies(1));
}
