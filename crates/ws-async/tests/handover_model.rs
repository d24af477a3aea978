//! The hand-over between tasks under thousands of schedules: nobody sleeps through what they wait for.
//!
//! The module under test is compiled a second time, with locks whose every use is a point where the scheduler may
//! switch tasks. The connection in it is a model: bytes owed, events read, and a stream that, like any stream,
//! remembers for each direction only the waker of the last poll. A wake that is lost leaves tasks blocked for ever,
//! which the scheduler reports with the schedule that led there.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use handover::{Handover, Signals, Ticket, Visit};
use shuttle::sync::{Condvar, Mutex};

#[path = "../src/handover.rs"]
mod handover;

/// What the module under test locks with.
mod sync {
    pub(crate) use std::sync::{PoisonError, TryLockError};

    pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
}

/// The transport: room for one byte, and messages that have arrived.
#[derive(Debug, Default)]
struct Network {
    state: Mutex<NetworkState>,
    written: Condvar,
}

#[derive(Debug, Default)]
struct NetworkState {
    in_flight: Option<u8>,
    arrived: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Network {
    fn poll_write(&self, cx: &mut Context<'_>, byte: u8) -> Poll<()> {
        let mut state = self.state.lock().expect("no panic");
        if state.in_flight.is_some() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // Whoever waited before has no promise any more.
        state.writer = None;
        state.in_flight = Some(byte);
        self.written.notify_one();
        Poll::Ready(())
    }

    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().expect("no panic");
        if state.arrived == 0 {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.reader = None;
        state.arrived -= 1;
        Poll::Ready(())
    }

    /// The peer's end: sends `messages`, and takes `count` bytes.
    fn run(&self, messages: usize, count: usize) -> Vec<u8> {
        for _ in 0..messages {
            let mut state = self.state.lock().expect("no panic");
            state.arrived += 1;
            let reader = state.reader.take();
            drop(state);
            if let Some(reader) = reader {
                reader.wake();
            }
        }
        let mut taken = Vec::new();
        while taken.len() < count {
            let mut state = self.state.lock().expect("no panic");
            let byte = loop {
                match state.in_flight.take() {
                    Some(byte) => break byte,
                    None => state = self.written.wait(state).expect("no panic"),
                }
            };
            taken.push(byte);
            let writer = state.writer.take();
            drop(state);
            if let Some(writer) = writer {
                writer.wake();
            }
        }
        taken
    }
}

/// The connection: each message that arrives obliges a Pong.
#[derive(Debug)]
struct Model {
    network: Arc<Network>,
    owed: VecDeque<u8>,
    ahead: usize,
    /// Set by an operation that does not touch the stream.
    closed: bool,
    /// Whether the last read was pending.
    promised: bool,
    /// Whether a sender waits for the stream to wake it.
    relied: bool,
}

const PONG: u8 = 0;

impl Signals for Model {
    type Signals = (bool, usize, bool);

    fn signals(&self) -> Self::Signals {
        (self.owed.is_empty(), self.ahead, self.closed)
    }

    fn panicked(&mut self) {
        panic!("nothing here panics unless the test has failed");
    }

    fn take_stranded(&mut self) -> bool {
        !self.promised && std::mem::take(&mut self.relied)
    }
}

impl Model {
    fn write(&mut self, cx: &mut Context<'_>) {
        while let Some(byte) = self.owed.front() {
            if self.network.poll_write(cx, *byte).is_pending() {
                return;
            }
            self.owed.pop_front();
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let read = self.network.poll_read(cx);
        self.promised = read.is_pending();
        if read.is_ready() {
            self.owed.push_back(PONG);
            self.ahead += 1;
        }
        read
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.ahead > 0 {
                self.ahead -= 1;
                return Poll::Ready(());
            }
            self.write(cx);
            if self.read(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Ready when a message has arrived, which stays for others.
    fn poll_aside(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ahead == 0 && self.read(cx).is_pending() {
            return Poll::Pending;
        }
        self.write(cx);
        Poll::Ready(())
    }

    fn poll_flush(&mut self, visit: Visit<'_, '_>) -> Poll<()> {
        self.write(visit.cx);
        if self.owed.is_empty() {
            return Poll::Ready(());
        }
        // One message is read ahead at most.
        if !visit.receiver_waits && self.ahead == 0 && self.read(visit.cx).is_ready() {
            self.write(visit.cx);
        }
        self.relied = self.promised && !self.owed.is_empty();
        match self.owed.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// A receiver that gives up before a message has come, and is kept; a sender that waits for the message to arrive.
fn take_over() {
    let network = Arc::new(Network::default());
    let shared = Arc::new(Handover::new(Model {
        network: Arc::clone(&network),
        owed: VecDeque::new(),
        ahead: 0,
        closed: false,
        promised: false,
        relied: false,
    }));
    let peer = shuttle::thread::spawn(move || network.run(1, 1));
    let receiver = shuttle::future::spawn({
        let shared = Arc::clone(&shared);
        async move {
            let mut left = 1;
            poll_fn(|cx| {
                _ = shared.poll_receiver(cx, |model, cx| model.poll_aside(cx));
                match left {
                    0 => return Poll::Ready(()),
                    _ => left -= 1,
                }
                // Like a timer that runs out at some time.
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            shared.leave_receiver();
        }
    });
    shuttle::future::block_on(async {
        let mut ticket = Ticket::default();
        poll_fn(|cx| {
            shared.poll_sender(&mut ticket, cx, |model, visit| {
                match visit.receiver_waits && model.ahead == 0 {
                    true => Poll::Pending,
                    false => {
                        let come = model.poll_aside(visit.cx);
                        model.relied = come.is_pending();
                        come
                    }
                }
            })
        })
        .await;
        receiver.await.expect("no panic");
        send_nothing(&shared).await;
    });
    assert_eq!(peer.join().expect("no panic"), [PONG]);
}

async fn send(shared: &Handover<Model>, byte: u8, patience: Option<u32>) {
    let mut ticket = Ticket::default();
    shared.with(|model, _| model.owed.push_back(byte));
    let mut polls = 0;
    poll_fn(|cx| {
        let flushed = shared.poll_sender(&mut ticket, cx, |model, visit| model.poll_flush(visit));
        polls += 1;
        match patience {
            // Somebody who gives up leaves the byte to the others.
            Some(patience) if polls > patience => Poll::Ready(()),
            _ => flushed,
        }
    })
    .await;
    shared.leave(&mut ticket);
}

/// One receiver, senders that wait until they have flushed, and one that gives up after `patience` polls.
fn conversation(messages: usize, senders: u8, quitters: u8) {
    let network = Arc::new(Network::default());
    let shared = shared(Arc::clone(&network));
    let total = messages + usize::from(senders + quitters);
    let peer = shuttle::thread::spawn(move || network.run(messages, total));
    let mut tasks = Vec::new();
    for byte in 1..=senders + quitters {
        let shared = Arc::clone(&shared);
        let patience = (byte > senders).then_some(0);
        tasks.push(shuttle::future::spawn(async move {
            send(&shared, byte, patience).await
        }));
    }
    let receiver = shuttle::future::spawn({
        let shared = Arc::clone(&shared);
        async move {
            for _ in 0..messages {
                poll_fn(|cx| shared.poll_receiver(cx, |model, cx| model.poll_receive(cx))).await;
            }
            // What quitters and Pongs left behind is written by whoever waits: here, the receiver, until somebody
            // says that it is over.
            poll_fn(|cx| {
                shared.poll_receiver(cx, |model, cx| {
                    model.write(cx);
                    match model.owed.is_empty() && model.closed {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    }
                })
            })
            .await;
            shared.leave_receiver();
        }
    });
    shuttle::future::block_on(async {
        for task in tasks {
            task.await.expect("no panic");
        }
        // It may be in use, which this does not wait for.
        while shared.try_with(|model, _| model.closed = true).is_none() {
            shuttle::future::yield_now().await;
        }
        receiver.await.expect("no panic");
        // A quitter that came last has left its byte to nobody.
        send_nothing(&shared).await;
    });
    let taken = peer.join().expect("no panic");
    let mut data: Vec<u8> = taken.iter().copied().filter(|byte| *byte != PONG).collect();
    data.sort_unstable();
    assert!(data.into_iter().eq(1..=senders + quitters));
    assert!(shared.inspect(|model| model.owed.is_empty()));
}

async fn send_nothing(shared: &Handover<Model>) {
    let mut ticket = Ticket::default();
    poll_fn(|cx| shared.poll_sender(&mut ticket, cx, |model, visit| model.poll_flush(visit))).await;
}

fn shared(network: Arc<Network>) -> Arc<Handover<Model>> {
    Arc::new(Handover::new(Model {
        network,
        owed: VecDeque::new(),
        ahead: 0,
        closed: false,
        promised: false,
        relied: false,
    }))
}

/// The waker of a task that is dropped with its last waker, and uses the connection then.
struct LastWaker(Arc<Handover<Model>>);

impl LastWaker {
    fn of(shared: &Arc<Handover<Model>>) -> Waker {
        Waker::from(Arc::new(Self(Arc::clone(shared))))
    }
}

impl Wake for LastWaker {
    fn wake(self: Arc<Self>) {}
}

impl Drop for LastWaker {
    fn drop(&mut self) {
        // This wakes whoever waits.
        self.0.with(|model, _| model.closed = !model.closed);
    }
}

/// A lock that is held where a waker is dropped would be taken a second time here, which the scheduler reports.
fn wakers_are_dropped() {
    let shared = shared(Arc::default());
    let poll_sender = |ticket: &mut Ticket| {
        let waker = LastWaker::of(&shared);
        let mut cx = Context::from_waker(&waker);
        let waits = shared.poll_sender(ticket, &mut cx, |_, _| Poll::<()>::Pending);
        assert!(waits.is_pending());
    };
    let poll_receiver = || {
        let waker = LastWaker::of(&shared);
        let mut cx = Context::from_waker(&waker);
        let waits = shared.poll_receiver(&mut cx, |_, _| Poll::<()>::Pending);
        assert!(waits.is_pending());
    };
    let mut ticket = Ticket::default();
    // The second takes the place of the first, and is given up.
    poll_sender(&mut ticket);
    poll_sender(&mut ticket);
    shared.leave(&mut ticket);
    poll_receiver();
    poll_receiver();
    shared.leave_receiver();
    // These are woken.
    poll_sender(&mut ticket);
    poll_receiver();
    shared.with(|model, _| model.ahead += 1);
    shared.leave(&mut ticket);
}

/// spec: CD-05
#[test]
fn nobody_sleeps_through_a_wake() {
    shuttle::check_random(|| conversation(2, 2, 0), 1_000);
    shuttle::check_pct(|| conversation(2, 2, 0), 800, 4);
}

/// spec: CD-05
#[test]
fn who_gives_up_strands_nobody() {
    shuttle::check_random(|| conversation(1, 1, 1), 1_000);
    shuttle::check_pct(|| conversation(1, 1, 1), 800, 4);
}

/// spec: CD-05
#[test]
fn a_waker_may_use_the_connection_as_it_is_dropped() {
    shuttle::check_random(wakers_are_dropped, 1);
}

/// A receiver that waits does the reading for those who send; when it gives up and is kept, one of them goes on with it.
///
/// spec: CD-05
#[test]
fn a_receiver_that_leaves_is_replaced() {
    shuttle::check_random(take_over, 1_000);
    shuttle::check_pct(take_over, 500, 3);
}

/// The smallest conversation, through every schedule that fits the budget, from the first on.
///
/// spec: CD-05
#[test]
fn every_schedule_of_a_small_conversation() {
    shuttle::check_dfs(|| conversation(1, 1, 0), Some(2_000));
}
