//! The hand-over between threads under thousands of schedules: nothing owed is left lying, and everybody comes to an
//! end.
//!
//! The modules under test are compiled a second time, with a lock and a condition variable whose every use is a point
//! where the scheduler may switch threads. The connection in them is the real one, over a stream in memory that is made
//! of the same. What is left lying leaves the peer waiting for it, and everybody else for the peer: a deadlock, which
//! the scheduler reports with the schedule that led there.
//!
//! Time stands still, except in one test, unless somebody waits for it: a wait with a bound that finds nothing is over at once, and the clock
//! is that much later. Waits without a bound last until something comes.

use std::io::{self, Read, Write};
use std::sync::Arc;
#[cfg(feature = "deflate")]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
#[cfg(feature = "deflate")]
use ws_proto::Agreement;
use ws_proto::{
    CloseCode, Compress, Config, Connection, Event, Message, OverflowPolicy, PreparedMessage,
};
use ws_sync::{Error, Stream};
#[cfg(feature = "deflate")]
use ws_testkit::blocks::bomb;
use ws_testkit::oracle::{self, Receiver};
use ws_testkit::{Frame, vectors};

use under_test::{driver, handles, handover, listing, publishing, read_buffer, timed};

use crate::driver::Driver;
use crate::handles::Handle;
use crate::handover::Handover;
use crate::listing::{Listing, Notice};
use crate::publishing::Rest;

#[path = "../src"]
mod under_test {
    #[expect(dead_code, reason = "a connection that is not split uses the rest")]
    pub(crate) mod driver;
    pub(crate) mod handles;
    pub(crate) mod handover;
    #[expect(dead_code, reason = "a connection that is split uses the rest")]
    pub(crate) mod listing;
    #[expect(dead_code, reason = "here threads are not refused")]
    pub(crate) mod publishing;
    pub(crate) mod read_buffer;
    #[expect(dead_code, reason = "a conversation does not use all of it")]
    pub(crate) mod receiving;
    #[expect(dead_code, reason = "a conversation does not use all of it")]
    pub(crate) mod sending;
    #[expect(dead_code, reason = "a connection that is not split uses the rest")]
    pub(crate) mod timed;
}

/// What the modules under test lock with, and their clock.
mod sync {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    pub(crate) use shuttle::sync::atomic::{AtomicU8, Ordering};
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, TryLockError};
    pub(crate) use shuttle::thread::{ThreadId, current, yield_now};

    thread_local! {
        /// All threads of a schedule run in one thread of the operating system.
        static NOW: Cell<Instant> = Cell::new(Instant::now());
    }

    thread_local! {
        /// How much later it is whenever somebody looks at the clock.
        static HASTE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    pub(crate) fn now() -> Instant {
        pass(HASTE.get());
        NOW.get()
    }

    pub(crate) fn pass(time: Duration) {
        NOW.set(NOW.get() + time);
    }

    pub(crate) fn hurry(haste: Duration) {
        HASTE.set(haste);
    }
}

/// A stream in memory, as one of its ends sees it.
#[derive(Clone)]
struct End {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

struct Pipe {
    state: Mutex<PipeState>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct PipeState {
    bytes: Vec<u8>,
    /// How many bytes were ever written.
    written: usize,
    ended: bool,
}

impl Pipe {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            capacity,
        })
    }

    /// Moves bytes as soon as that is possible.
    fn when_ready(
        &self,
        timeout: Option<Duration>,
        mut attempt: impl FnMut(&mut PipeState) -> Option<io::Result<usize>>,
    ) -> io::Result<usize> {
        let mut state = self.state.lock().expect("no panic");
        let mut is_late = false;
        loop {
            if let Some(moved) = attempt(&mut state) {
                self.changed.notify_all();
                return moved;
            }
            match timeout {
                None => state = self.changed.wait(state).expect("no panic"),
                Some(_) if !is_late => {
                    drop(state);
                    thread::yield_now();
                    state = self.state.lock().expect("no panic");
                    is_late = true;
                }
                Some(timeout) => {
                    sync::pass(timeout);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
            }
        }
    }

    /// Waits until more than so many bytes were written.
    fn wait_for_more_than(&self, len: usize) {
        let mut state = self.state.lock().expect("no panic");
        while state.written <= len {
            state = self.changed.wait(state).expect("no panic");
        }
    }

    fn end(&self) {
        self.state.lock().expect("no panic").ended = true;
        self.changed.notify_all();
    }
}

impl End {
    fn pair(capacity: usize) -> (Self, Self) {
        let (one, other) = (Pipe::new(capacity), Pipe::new(capacity));
        let end = |incoming: &Arc<Pipe>, outgoing: &Arc<Pipe>| Self {
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            read_timeout: None,
            write_timeout: None,
        };
        (end(&one, &other), end(&other, &one))
    }
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.incoming.when_ready(self.read_timeout, |state| {
            if state.bytes.is_empty() && !state.ended {
                return None;
            }
            let len = state.bytes.len().min(buffer.len());
            for (slot, byte) in buffer.iter_mut().zip(state.bytes.drain(..len)) {
                *slot = byte;
            }
            Some(Ok(len))
        })
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let capacity = self.outgoing.capacity;
        self.outgoing.when_ready(self.write_timeout, |state| {
            if state.ended {
                return Some(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let len = (capacity - state.bytes.len()).min(bytes.len());
            state.bytes.extend_from_slice(&bytes[..len]);
            state.written += len;
            (len > 0).then_some(Ok(len))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for End {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.read_timeout = timeout;
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.write_timeout = timeout;
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.outgoing.end();
        Ok(())
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.outgoing.end();
        self.incoming.end();
        Ok(())
    }
}

/// A server whose every wait lasts until something happens.
fn server(stream: End) -> Arc<Handover> {
    server_with(Config::default(), stream)
}

fn server_with(config: Config, stream: End) -> Arc<Handover> {
    server_that_writes_within(None, config, stream)
}

fn server_that_writes_within(
    timeout: Option<Duration>,
    config: Config,
    stream: End,
) -> Arc<Handover> {
    let config = config
        .with_ping_interval(None)
        .with_write_timeout(timeout)
        .with_close_timeout(None);
    let driver = Driver::new(Connection::server(config));
    let handles: [Handle; 3] = [
        Box::new(stream.clone()),
        Box::new(stream.clone()),
        Box::new(stream),
    ];
    Arc::new(Handover::new(driver, handles))
}

/// What the client does.
#[derive(Clone, Copy)]
struct Client {
    /// Whether it begins with a Pong that nobody asked for, and nobody answers.
    waves: bool,
    /// Pings that it sends.
    pings: usize,
    /// Whether it sends a message behind them.
    asks: bool,
    /// Messages that it waits for, and Pongs, before it closes. `None`: it waits for the server to close.
    closes_after: Option<usize>,
}

impl Client {
    /// Speaks and listens until the end of the stream; gives what it has heard.
    fn run(self, mut stream: End) -> Vec<oracle::Event> {
        let mut heard = Vec::new();
        let speak = |stream: &mut End, frame: Frame| {
            let frame = frame.masked(vectors::KEY).bytes();
            // The server may have left.
            _ = stream.write_all(&frame);
        };
        if self.waves {
            speak(&mut stream, Frame::pong("!"));
        }
        for _ in 0..self.pings {
            speak(&mut stream, Frame::ping("?"));
        }
        if self.asks {
            speak(&mut stream, Frame::text("ask"));
        }
        let mut closed = false;
        loop {
            let (events, _) = Receiver::CLIENT.decode(&heard);
            let is_close = |event: &oracle::Event| matches!(event, oracle::Event::Close(_));
            let enough = match self.closes_after {
                Some(count) => events.len() >= count,
                None => events.iter().any(is_close),
            };
            if enough && !std::mem::replace(&mut closed, true) {
                speak(&mut stream, Frame::close(1000, ""));
            }
            let mut buffer = [0; 64];
            match stream.read(&mut buffer).expect("the server does not break") {
                0 => {
                    stream.outgoing.end();
                    return events;
                }
                count => heard.extend_from_slice(&buffer[..count]),
            }
        }
    }
}

/// Receives so many events, or to the end, and answers each message.
fn receive(server: &Handover, events: usize) {
    for _ in 0..events {
        match server.next_event(true).expect("a clean end") {
            Some(Event::Message(_)) => send(server, "answer").expect("sent"),
            Some(_) => {}
            None => return,
        }
    }
}

fn send(server: &Handover, text: &str) -> Result<(), Error> {
    server.feed(|connection| connection.send(Message::text(text)))?;
    server.flush()
}

/// Judges what the client heard: whole frames, each message once, a Close at the end. Gives the number of Pongs.
fn judge(heard: &[oracle::Event], mut messages: Vec<&str>) -> usize {
    let mut pongs = 0;
    let (last, rest) = heard.split_last().expect("it heard something");
    for event in rest {
        match event {
            oracle::Event::Text(text) => {
                let place = messages.iter().position(|message| message == text);
                messages.remove(place.expect("it was sent, once"));
            }
            oracle::Event::Pong(_) => pongs += 1,
            other => panic!("{other:?} among {heard:?}"),
        }
    }
    assert!(matches!(last, oracle::Event::Close(_)), "{heard:?}");
    assert!(messages.is_empty(), "{messages:?} are missing");
    pongs
}

/// A receiver that does nothing but receive and answer, and senders that do nothing but send; the peer waits for all of
/// it and closes then.
fn all_at_work(texts: &'static [&'static str], pings: usize, asks: bool, capacity: usize) {
    let (stream, peer) = End::pair(capacity);
    let server = server(stream);
    let mut messages = texts.to_vec();
    if asks {
        messages.push("answer");
    }
    let client = Client {
        waves: false,
        pings,
        asks,
        closes_after: Some(pings + messages.len()),
    };
    let client = thread::spawn(move || client.run(peer));
    let receiver = thread::spawn({
        let server = Arc::clone(&server);
        move || receive(&server, usize::MAX)
    });
    let senders: Vec<_> = texts
        .iter()
        .map(|text| {
            let server = Arc::clone(&server);
            thread::spawn(move || send(&server, text).expect("sent"))
        })
        .collect();
    for sender in senders {
        sender.join().expect("no panic");
    }
    receiver.join().expect("no panic");
    let pongs = judge(&client.join().expect("no panic"), messages);
    assert_eq!(pongs, pings);
}

/// What becomes of the receiver while another thread closes.
#[derive(Clone, Copy)]
enum Receiving {
    ToTheEnd,
    OneEvent,
    Dropped,
}

/// One thread sends and closes, another has perhaps something to send, and the receiver comes late or never.
fn one_closes(capacity: usize, receiving: Receiving) {
    const PINGS: usize = 1;
    let (stream, peer) = End::pair(capacity);
    let server = server(stream);
    let client = Client {
        waves: true,
        pings: PINGS,
        asks: false,
        closes_after: None,
    };
    let client = thread::spawn(move || client.run(peer));
    let other = thread::spawn({
        let server = Arc::clone(&server);
        move || send(&server, "perhaps")
    });
    let receiver = thread::spawn({
        let server = Arc::clone(&server);
        move || match receiving {
            Receiving::ToTheEnd => receive(&server, usize::MAX),
            Receiving::OneEvent => receive(&server, 1),
            Receiving::Dropped => server.stop_listening(),
        }
    });
    send(&server, "first").expect("sent");
    let info = server.close(CloseCode::NORMAL, "").expect("closed");
    assert!(info.clean);
    let mut messages = vec!["first"];
    match other.join().expect("no panic") {
        Ok(()) => messages.push("perhaps"),
        Err(error) => assert!(matches!(error, Error::Send(_)), "{error}"),
    }
    receiver.join().expect("no panic");
    // A Pong behind the Close frame does not count.
    let pongs = judge(&client.join().expect("no panic"), messages);
    assert!(pongs <= PINGS);
}

/// spec: CD-06
#[test]
fn nothing_is_left_lying() {
    shuttle::check_random(|| all_at_work(&["a"], 2, false, 64), 500);
    shuttle::check_random(|| all_at_work(&["a", "b"], 1, false, 64), 500);
    shuttle::check_pct(|| all_at_work(&["a", "b"], 1, false, 64), 500, 4);
}

/// Over a pipe that holds less than a frame, so that who sends has to read.
///
/// spec: CD-06
#[test]
fn nothing_is_left_lying_in_a_narrow_pipe() {
    shuttle::check_random(|| all_at_work(&["longer"], 1, true, 5), 800);
    shuttle::check_random(|| all_at_work(&["a", "b"], 1, false, 5), 500);
}

/// A clock that runs, so that who sends listens now and then, and leaves what others do not rely on.
///
/// spec: CD-06
#[test]
fn nothing_is_left_lying_as_time_goes_by() {
    sync::hurry(Duration::from_millis(90));
    shuttle::check_random(|| all_at_work(&["a"], 2, false, 64), 500);
    shuttle::check_random(|| all_at_work(&["a", "b"], 1, true, 64), 500);
    shuttle::check_random(|| all_at_work(&["longer"], 1, false, 5), 300);
    shuttle::check_random(|| one_closes(64, Receiving::OneEvent), 300);
}

/// spec: CD-06, C-15
#[test]
fn everybody_comes_to_an_end() {
    for receiving in [Receiving::ToTheEnd, Receiving::OneEvent, Receiving::Dropped] {
        shuttle::check_random(move || one_closes(64, receiving), 300);
        shuttle::check_random(move || one_closes(5, receiving), 100);
    }
}

/// A receiver that waits, a sender that may have to, and another thread that ends it all.
fn one_aborts(capacity: usize) {
    let (stream, peer) = End::pair(capacity);
    let server = server(stream);
    let receiver = thread::spawn({
        let server = Arc::clone(&server);
        move || receive(&server, usize::MAX)
    });
    let sender = thread::spawn({
        let server = Arc::clone(&server);
        move || _ = send(&server, "longer")
    });
    let closer = thread::spawn({
        let server = Arc::clone(&server);
        move || _ = server.close(CloseCode::NORMAL, "")
    });
    server.abort();
    for thread in [receiver, sender, closer] {
        thread.join().expect("no panic");
    }
    // Until now the peer was there, and silent.
    drop(peer);
}

/// spec: CD-06
#[test]
fn an_abort_ends_whoever_waits() {
    shuttle::check_random(|| one_aborts(64), 300);
    shuttle::check_random(|| one_aborts(5), 300);
}

/// A receiver whose waits for a message in chunks end too early now and then, after which it would have the message
/// whole; and another thread, which reads ahead where the receiver does not.
fn one_gives_up_reading() {
    let (stream, peer) = End::pair(64);
    let server = server(stream);
    server.set_read_timeout(Some(Duration::from_millis(1)));
    let client = Client {
        waves: false,
        pings: 0,
        asks: true,
        closes_after: Some(0),
    };
    let client = thread::spawn(move || client.run(peer));
    let watcher = thread::spawn({
        let server = Arc::clone(&server);
        move || server.closed().expect("it can wait")
    });
    let mut received = 0;
    loop {
        match server.first_chunk(None) {
            Ok(Some(chunk)) => {
                assert!(chunk.first && chunk.last, "{chunk:?}");
                received += 1;
            }
            Ok(None) => break,
            Err(Error::Io(_)) => {}
            Err(error) => panic!("{error}"),
        }
        match server.next_event(false) {
            Ok(Some(Event::Message(_))) => received += 1,
            Ok(Some(Event::Chunk(chunk))) => panic!("a stray {chunk:?}"),
            Ok(Some(_)) | Err(Error::Io(_)) => {}
            Ok(None) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(received, 1);
    watcher.join().expect("no panic");
    judge(&client.join().expect("no panic"), Vec::new());
}

/// spec: CD-04, CD-06
#[test]
fn a_reader_that_gives_up_costs_no_message() {
    shuttle::check_pct(one_gives_up_reading, 4_000, 4);
}

/// The beginning of a large message arrives while one thread receives, one sends and one watches. If it is received in
/// pieces the peer waits for an answer to the first one.
fn a_large_message_is_under_way(in_pieces: bool) {
    const LEN: usize = 17_000;
    let (stream, mut peer) = End::pair(64 * 1024);
    let server = server(stream);
    let client = thread::spawn(move || {
        let frame = Frame::binary(vec![7; LEN]).masked(vectors::KEY).bytes();
        // Its header, and two bytes.
        let (first, rest) = frame.split_at(10);
        peer.write_all(first).expect("written");
        let mut heard = Vec::new();
        let (mut rest, mut closed) = (Some(rest), false);
        loop {
            let (events, _) = Receiver::CLIENT.decode(&heard);
            let has_heard = |text| events.iter().any(|event| is_text(event, text));
            if !in_pieces || has_heard("heard") {
                for rest in rest.take().unwrap_or_default().chunks(9000) {
                    peer.write_all(rest).expect("written");
                }
            }
            if rest.is_none() && has_heard("meanwhile") && !std::mem::replace(&mut closed, true) {
                let close = Frame::close(1000, "").masked(vectors::KEY).bytes();
                peer.write_all(&close).expect("written");
            }
            let mut buffer = [0; 64];
            match peer.read(&mut buffer).expect("the server does not break") {
                0 => {
                    peer.outgoing.end();
                    return events;
                }
                count => heard.extend_from_slice(&buffer[..count]),
            }
        }
    });
    let watcher = thread::spawn({
        let server = Arc::clone(&server);
        move || server.closed().expect("it can wait")
    });
    let sender = thread::spawn({
        let server = Arc::clone(&server);
        move || send(&server, "meanwhile").expect("sent")
    });
    let mut received = 0;
    let mut messages = vec!["meanwhile"];
    if in_pieces {
        let mut chunk = server.first_chunk(None).expect("it arrives");
        send(&server, "heard").expect("sent");
        messages.push("heard");
        while let Some(piece) = chunk {
            received += piece.data.len();
            let is_last = piece.last;
            chunk = match is_last {
                true => None,
                false => server.next_chunk().expect("it arrives"),
            };
        }
    }
    while let Some(event) = server.next_event(true).expect("a clean end") {
        if let Event::Message(message) = event {
            received += message.len();
        }
    }
    assert_eq!(received, LEN);
    sender.join().expect("no panic");
    watcher.join().expect("no panic");
    judge(&client.join().expect("no panic"), messages);
}

/// spec: CD-04, CD-06
#[test]
fn a_large_message_arrives_whoever_reads() {
    shuttle::check_pct(|| a_large_message_is_under_way(false), 1_500, 4);
    shuttle::check_pct(|| a_large_message_is_under_way(true), 1_500, 4);
}

/// A thread that receives and answers puts its answers off while there is more to receive, and does something else after
/// two of three until the peer has heard those; the peer closes then.
fn one_puts_off(capacity: usize) {
    let (stream, peer) = End::pair(capacity);
    let from_client = Arc::clone(&stream.incoming);
    // What is put off needs a deadline, which is far away.
    let far = Some(Duration::from_secs(1_000_000_000));
    let server = server_that_writes_within(far, Config::default(), stream);
    let ask = Frame::text("ask").masked(vectors::KEY).bytes().repeat(3);
    let asked = ask.len();
    let client = thread::spawn(move || {
        let mut peer = peer;
        peer.write_all(&ask).expect("the server is there");
        let client = Client {
            waves: false,
            pings: 0,
            asks: false,
            closes_after: Some(2),
        };
        client.run(peer)
    });
    let listing = Arc::<Listing>::default();
    let mut attendants = Vec::new();
    let mut answered = 0;
    while let Some(event) = server.next_event(false).expect("a clean end") {
        if !matches!(event, Event::Message(_)) {
            continue;
        }
        let message = Message::text("a longer answer");
        let is_put_off = server.send(|| true, |connection| connection.send(message));
        if is_put_off.expect("sent") && listing.owner_owes() == Notice::List {
            attendants.push(attend(&server, &listing));
        }
        answered += 1;
        if answered == 2 {
            from_client.wait_for_more_than(asked);
        }
    }
    for attendant in attendants {
        attendant.join().expect("no panic");
    }
    judge(
        &client.join().expect("no panic"),
        vec!["a longer answer"; 3],
    );
}

/// Looks at the connection as long as it is on the list.
fn attend(server: &Arc<Handover>, listing: &Arc<Listing>) -> thread::JoinHandle<()> {
    let server = Arc::clone(server);
    let listing = Arc::clone(listing);
    thread::spawn(move || {
        loop {
            match server.write_deferred(true, true, || _ = listing.leave()) {
                None => thread::yield_now(),
                Some(Rest::Nobody) => return server.follow_up(|| false),
                Some(Rest::None | Rest::Others) => return,
            }
        }
    })
}

/// spec: CD-06, S-07
#[test]
fn what_is_put_off_is_not_left_lying() {
    shuttle::check_random(|| one_puts_off(64), 500);
    // It holds what the client says, and less than two answers.
    shuttle::check_random(|| one_puts_off(30), 500);
    shuttle::check_pct(|| one_puts_off(64), 500, 4);
}

/// A thread that receives and answers puts its answers off while another thread writes what somebody has tried to send, and
/// ends when all of that is written.
fn one_puts_off_behind_another() {
    const TRIED: &str = "more than the pipe holds at once";
    let (stream, mut peer) = End::pair(30);
    let far = Some(Duration::from_secs(1_000_000_000));
    let server = server_that_writes_within(far, Config::default(), stream);
    let ask = Frame::text("ask").masked(vectors::KEY).bytes().repeat(3);
    peer.write_all(&ask).expect("there is room");
    let mut threads = try_send(&server, &[TRIED]);
    let listing = Arc::<Listing>::default();
    let peer = thread::spawn(move || {
        let mut heard = Vec::new();
        loop {
            let mut buffer = [0; 64];
            let count = peer.read(&mut buffer).expect("it is not broken");
            heard.extend_from_slice(&buffer[..count]);
            let (events, _) = Receiver::CLIENT.decode(&heard);
            if events.len() == 3 {
                return events;
            }
        }
    });
    for answer in ["one", "two"] {
        let event = server.next_event(false).expect("it has arrived");
        assert!(matches!(event, Some(Event::Message(_))), "{event:?}");
        let answer = Message::text(answer);
        let is_put_off = server.send(|| true, |connection| connection.send(answer));
        if is_put_off.expect("sent") && listing.owner_owes() == Notice::List {
            threads.push(attend(&server, &listing));
        }
    }
    // This thread does nothing for it.
    let heard = peer.join().expect("no panic");
    let texts = [TRIED, "one", "two"];
    assert!(
        heard
            .iter()
            .zip(texts)
            .all(|(event, text)| is_text(event, text))
    );
    for thread in threads {
        thread.join().expect("no panic");
    }
}

/// spec: CD-06, S-07
#[test]
fn what_is_put_off_is_not_left_lying_to_a_thread_that_ends() {
    shuttle::check_random(one_puts_off_behind_another, 1_000);
    shuttle::check_pct(one_puts_off_behind_another, 3_000, 3);
}

/// Publishes these, and starts whoever is needed for the rest; gives their threads.
fn publish(server: &Arc<Handover>, texts: &[&str]) -> Vec<thread::JoinHandle<()>> {
    let mut followers = Vec::new();
    for text in texts {
        let message = PreparedMessage::text(*text);
        let (_, rest) = server.offer(&message, OverflowPolicy::Refuse, texts.len());
        followers.extend(follow_up(server, rest));
    }
    followers
}

fn follow_up(server: &Arc<Handover>, rest: Rest) -> Option<thread::JoinHandle<()>> {
    let server = Arc::clone(server);
    (rest == Rest::Nobody).then(|| thread::spawn(move || server.follow_up(|| false)))
}

/// Tries to send these, and starts whoever is needed for the rest; gives their threads.
fn try_send(server: &Arc<Handover>, texts: &[&str]) -> Vec<thread::JoinHandle<()>> {
    let mut followers = Vec::new();
    for text in texts {
        let rest = server
            .try_send(Message::text(*text), Compress::Auto)
            .expect("accepted");
        followers.extend(follow_up(server, rest));
    }
    followers
}

/// How something is said without waiting for the peer.
type Say = fn(&Arc<Handover>, &[&str]) -> Vec<thread::JoinHandle<()>>;

/// What the receiver does while others publish.
#[derive(Clone, Copy)]
enum Served {
    Waits,
    /// It is busy after the first event until the peer has heard everything. It owes no answer then: what the peer does
    /// not take of one is for its next call.
    IsBusy,
}

/// A receiver, perhaps a sender, and somebody who does not wait for the peer; the peer waits for all of it and closes
/// then.
fn one_does_not_wait(
    say: Say,
    texts: &'static [&'static str],
    sent: &'static [&'static str],
    capacity: usize,
    served: Served,
) {
    let (stream, peer) = End::pair(capacity);
    let from_client = Arc::clone(&stream.incoming);
    let server = server(stream);
    let pings = match served {
        Served::Waits => 1,
        Served::IsBusy => 0,
    };
    let client = Client {
        waves: pings == 0,
        pings,
        asks: false,
        closes_after: Some(pings + texts.len() + sent.len()),
    };
    let client = thread::spawn(move || client.run(peer));
    let receiver = thread::spawn({
        let server = Arc::clone(&server);
        move || {
            if let Served::IsBusy = served {
                receive(&server, 1);
                from_client.wait_for_more_than(Frame::pong("!").masked(vectors::KEY).bytes().len());
            }
            receive(&server, usize::MAX);
        }
    });
    let sender = thread::spawn({
        let server = Arc::clone(&server);
        move || {
            for text in sent {
                send(&server, text).expect("sent");
            }
        }
    });
    let followers = say(&server, texts);
    let heard = client.join().expect("no panic");
    for thread in [receiver, sender].into_iter().chain(followers) {
        thread.join().expect("no panic");
    }
    let published: Vec<_> = heard
        .iter()
        .filter_map(|event| texts.iter().find(|text| is_text(event, text)))
        .collect();
    assert!(published.into_iter().eq(texts), "{heard:?}");
    assert_eq!(judge(&heard, [texts, sent].concat()), pings);
}

fn is_text(event: &oracle::Event, text: &str) -> bool {
    matches!(event, oracle::Event::Text(heard) if heard == text)
}

/// A publisher that puts its slow consumer out.
fn one_disconnects(capacity: usize, receiving: bool) {
    let (stream, peer) = End::pair(capacity);
    let server = server(stream);
    let client = Client {
        waves: true,
        pings: 0,
        asks: false,
        closes_after: None,
    };
    let client = thread::spawn(move || client.run(peer));
    let receiver = thread::spawn({
        let server = Arc::clone(&server);
        move || match receiving {
            true => receive(&server, usize::MAX),
            false => server.stop_listening(),
        }
    });
    let mut threads = publish(&server, &["first"]);
    let rest = server.disconnect(CloseCode::TRY_AGAIN_LATER, "");
    threads.extend(follow_up(&server, rest));
    threads.push(receiver);
    for thread in threads {
        thread.join().expect("no panic");
    }
    judge(&client.join().expect("no panic"), vec!["first"]);
}

fn nothing_is_left_lying_by(say: Say, served: Served) {
    const AB: &[&str] = &["a", "b"];
    shuttle::check_random(move || one_does_not_wait(say, AB, &[], 5, served), 300);
    shuttle::check_random(move || one_does_not_wait(say, AB, &["c"], 5, served), 150);
    shuttle::check_random(move || one_does_not_wait(say, AB, &["c"], 64, served), 150);
    shuttle::check_pct(
        move || one_does_not_wait(say, &["a"], &["c"], 5, served),
        150,
        4,
    );
}

/// spec: CD-06
#[test]
fn what_a_publisher_leaves_is_not_left_lying() {
    for served in [Served::Waits, Served::IsBusy] {
        nothing_is_left_lying_by(publish, served);
    }
}

/// spec: CD-06
#[test]
fn what_was_accepted_is_not_left_lying() {
    for served in [Served::Waits, Served::IsBusy] {
        nothing_is_left_lying_by(try_send, served);
    }
    sync::hurry(Duration::from_millis(90));
    nothing_is_left_lying_by(try_send, Served::Waits);
}

/// spec: CD-06, C-15
#[test]
fn a_slow_consumer_hears_that_it_is_put_out() {
    for receiving in [true, false] {
        shuttle::check_random(move || one_disconnects(64, receiving), 300);
        shuttle::check_random(move || one_disconnects(5, receiving), 300);
    }
}

/// The smallest conversation, through every schedule that fits the budget, from the first on.
///
/// spec: CD-06
#[test]
fn every_schedule_of_a_small_conversation() {
    shuttle::check_dfs(|| all_at_work(&["a"], 1, false, 64), Some(1_000));
}

/// Somebody else gets the lock while much is being decompressed.
///
/// spec: PM-08
#[cfg(feature = "deflate")]
#[test]
fn nobody_waits_for_all_of_a_long_message() {
    const LOOKS: usize = 10;
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    // One pause in the middle of it.
    let message = Frame::text(bomb(1200)).with_rsv(0b100).masked(vectors::KEY);
    let wire = message.bytes();
    let schedule = move || {
        let (mut client, stream) = End::pair(wire.len());
        client.write_all(&wire).expect("there is room");
        let config = Config::default().with_agreed(Some(Agreement::default()));
        let server = server_with(config, stream);
        let looking = thread::spawn({
            let server = Arc::clone(&server);
            move || {
                for _ in 0..LOOKS {
                    let received = server.inspect(|driver| driver.connection.stats().received);
                    let is_within = received.frames == 1 && received.messages == 0;
                    SEEN.fetch_add(usize::from(is_within), Ordering::Relaxed);
                }
            }
        });
        let event = server.next_event(true).expect("it has arrived");
        assert!(matches!(event, Some(Event::Message(message)) if message.len() == 1200 * 258 + 1));
        looking.join().expect("no panic");
        server.abort();
    };
    shuttle::check_random(schedule, 50);
    assert!(SEEN.load(Ordering::Relaxed) > 0);
}
