//! Replies to what came in one read leave in one write, and none of them is left behind: whatever a thread does after it
//! has sent, what it has sent arrives.

use std::io::{self, IoSlice, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ws_sync::{
    Attendance, CloneStream, Compress, Config, Error, Receiver, SendError, Sender, State, Stream,
    WebSocket,
};
use ws_testkit::{ChoppedIo, Frame, vectors};

/// Far more than anything here sends, where it is not to be less.
const PIPE: usize = 1024 * 1024;

/// After this what has not happened is taken not to happen.
const WATCHDOG: Duration = Duration::from_secs(10);

/// What a test has to do with a stream that is in other hands.
#[derive(Debug, Default)]
struct Control {
    /// Writes that took something.
    writes: AtomicUsize,
    /// Whether writes fail.
    fails: AtomicBool,
    /// Whether writes panic.
    panics: AtomicBool,
    /// Whether a write takes its time, and takes a byte.
    trickles: AtomicBool,
    /// What bounds its reads and its writes.
    timeouts: Mutex<[Option<Duration>; 2]>,
    /// What one of its handles waits for when it is dropped, to panic then.
    end: Mutex<Option<mpsc::Receiver<()>>>,
}

/// A stream that tells who writes to it.
#[derive(Debug)]
struct Observed {
    io: ChoppedIo,
    control: Arc<Control>,
    /// Told of each write that begins in another thread than the one that made the stream.
    others: mpsc::Sender<String>,
    maker: thread::ThreadId,
    /// What a write in another thread waits for.
    gate: Option<mpsc::Receiver<()>>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let end = self.control.end.lock().expect("no panic").take();
        if let Some(end) = end {
            _ = self
                .others
                .send(thread::current().name().unwrap_or_default().to_owned());
            _ = end.recv();
            panic!("the stream panics");
        }
    }
}

impl Read for Observed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.read(buffer)
    }
}

impl Write for Observed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if thread::current().id() != self.maker {
            // The test may have seen enough.
            _ = self
                .others
                .send(thread::current().name().unwrap_or_default().to_owned());
            if let Some(gate) = self.gate.take() {
                // It opens also when the test fails.
                _ = gate.recv();
            }
        }
        assert!(
            !self.control.panics.load(Ordering::SeqCst),
            "the stream panics"
        );
        if self.control.fails.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut bytes = bytes;
        if self.control.trickles.load(Ordering::SeqCst) {
            // This is the pace of the peer, and nobody's to wait for.
            let (_kept, never) = mpsc::channel::<()>();
            _ = never.recv_timeout(Duration::from_millis(1));
            bytes = &bytes[..1];
        }
        let written = self.io.write(bytes)?;
        self.control.writes.fetch_add(1, Ordering::SeqCst);
        Ok(written)
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        unreachable!("it has not said that it can")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

impl CloneStream for Observed {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            io: self.io.clone(),
            control: Arc::clone(&self.control),
            others: self.others.clone(),
            maker: self.maker,
            gate: None,
        })
    }
}

impl Stream for Observed {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.control.timeouts.lock().expect("no panic")[0] = timeout;
        self.io.set_read_timeout(timeout);
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.control.timeouts.lock().expect("no panic")[1] = timeout;
        self.io.set_write_timeout(timeout);
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.io.shutdown_write()
    }

    fn attendance() -> Option<Attendance<Self>> {
        Some(Attendance::new())
    }
}

/// A server's end, and all that a test has to do with it.
struct Served {
    ws: WebSocket<Observed>,
    peer: ChoppedIo,
    control: Arc<Control>,
    /// The names of the threads that write for this one.
    others: mpsc::Receiver<String>,
}

impl Served {
    /// With so much room for what is written.
    fn new(capacity: usize, config: Config, gate: Option<mpsc::Receiver<()>>) -> Self {
        let (peer, io) = ChoppedIo::duplex();
        // What does not arrive is to fail a test, not to hold it up for ever.
        peer.set_read_timeout(Some(WATCHDOG));
        let (told, others) = mpsc::channel();
        let control = Arc::<Control>::default();
        let stream = Observed {
            io: io.with_capacity(capacity),
            control: Arc::clone(&control),
            others: told,
            maker: thread::current().id(),
            gate,
        };
        Self {
            ws: WebSocket::server(stream, config, BytesMut::new()),
            peer,
            control,
            others,
        }
    }

    fn writes(&self) -> usize {
        self.control.writes.load(Ordering::SeqCst)
    }
}

fn config() -> Config {
    Config::default().with_ping_interval(None)
}

fn served() -> Served {
    Served::new(PIPE, config(), None)
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
fn reply<S: Stream>(ws: &mut WebSocket<S>) {
    let message = ws.recv().expect("received").expect("a message");
    ws.send(message).expect("sent");
}

/// Reads what must arrive.
fn expect(peer: &mut ChoppedIo, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    peer.read_exact(&mut received).expect("it arrives");
    assert_eq!(received, expected);
}

/// Something is put off and arrives, so that the attendant has looked twice since.
fn let_the_attendant_look() {
    let mut other = served();
    other.peer.write_all(&burst(2)).expect("written");
    reply(&mut other.ws);
    expect(&mut other.peer, &replies(1));
}

/// The attendant is kept from its work as long as this is held.
struct Occupied {
    _opens_when_dropped: mpsc::Sender<()>,
    _on: Served,
}

fn occupy_the_attendant() -> Occupied {
    loop {
        let (opener, gate) = mpsc::channel();
        let mut served = Served::new(PIPE, config(), Some(gate));
        served.peer.write_all(&burst(2)).expect("written");
        reply(&mut served.ws);
        let thread = served.others.recv().expect("somebody writes");
        let occupied = Occupied {
            _opens_when_dropped: opener,
            _on: served,
        };
        // While a peer of another test is slow it is a thread of its own that writes.
        if thread == "ws-sync attendant" {
            return occupied;
        }
    }
}

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

/// Answers one message with itself.
fn reply_in_halves((sender, receiver): &mut (Sender, Receiver)) {
    let message = receiver.recv().expect("received").expect("a message");
    sender.send(message).expect("sent");
}

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
            // Between the failure and the word of it the connection is only closed.
            let is_told = matches!(error, Error::Io(_) | Error::Send(SendError::Closed));
            assert!(is_told, "{error:?}");
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
    // Whoever writes has done so when the connection can be looked at.
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
