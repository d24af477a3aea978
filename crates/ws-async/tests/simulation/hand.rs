//! A hand that carries out its script and writes down what came of it.

use std::cell::Cell;
use std::sync::Arc;

use tokio::time::Instant;
use ws_async::{CloseCode, Error, Event, Message, PreparedMessage, SendError, State};

use crate::halves::{Half, Receives, Sends, Whole};
use crate::journal::{Fate, Received, Sent, World};
use crate::message::message;
use crate::patience::patiently;
use crate::run::pause;
use crate::scenario::{Op, Patience, Size, What};

/// Somebody who holds a connection or half of one.
pub(crate) struct Hand<H> {
    world: Arc<World>,
    side: usize,
    /// The number of this hand among those of its end.
    number: usize,
    half: H,
    /// How many messages this hand has made.
    made: usize,
    /// How many Pings.
    pinged: usize,
}

/// Whether a script goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    Leave,
}

impl<H: Half> Hand<H> {
    pub(crate) fn new(world: &Arc<World>, side: usize, number: usize, half: H) -> Self {
        Self {
            world: Arc::clone(world),
            side,
            number,
            half,
            made: 0,
            pinged: 0,
        }
    }

    fn begin(&self, op: Op) {
        self.world.journal(self.side).doing.insert(self.number, op);
        self.note(|| format!("{:?}, {:?}", op.what, op.patience));
    }

    fn note(&self, what: impl FnOnce() -> String) {
        let end = ["client", "server"][self.side];
        self.world.note(&format!("{end} {}", self.number), what);
    }

    fn complain(&self, complaint: String) {
        self.note(|| format!("!! {complaint}"));
        self.world.journal(self.side).complaints.push(complaint);
    }

    /// A step has failed.
    fn failed(&self, error: &Error) {
        self.note(|| format!("failed: {error}"));
        let mut journal = self.world.journal(self.side);
        match error {
            // Either end may close while the other is busy.
            Error::Send(SendError::Closed) => {}
            Error::Send(SendError::MessageUnfinished) if journal.unfinished => {}
            Error::Send(error) => journal.complaints.push(format!("a send failed: {error}")),
            error => journal.errors.push(error.to_string()),
        }
    }

    /// What comes of a step that is given up when its patience ends.
    async fn patiently<T>(
        &mut self,
        patience: Patience,
        mut call: impl AsyncFnMut(&mut H) -> T,
    ) -> Option<T> {
        let half = &mut self.half;
        let came = patiently(patience, async || call(half).await).await;
        if came.is_none() {
            self.note(|| "given up".to_owned());
            self.world.journal(self.side).given_up += 1;
        }
        came
    }

    /// Looks at the queue after each step: it has a limit.
    fn after_step(&self) {
        let queued = self.half.stats().queued;
        let mut journal = self.world.journal(self.side);
        journal.most_queued = journal.most_queued.max(queued);
    }

    /// What this hand knows of the end when it leaves.
    fn leave(self) {
        let info = self.half.close_info();
        self.note(|| format!("leaves a connection {:?}, {info:?}", self.half.state()));
        let mut journal = self.world.journal(self.side);
        journal.doing.remove(&self.number);
    }

    fn over(&self) {
        if self.half.state() != State::Closed {
            self.complain(format!("over, and still {:?}", self.half.state()));
        }
        match self.half.close_info() {
            Some(info) => self.world.journal(self.side).endings.push(info),
            None => self.complain("over, and nobody knows how".to_owned()),
        }
    }
}

impl<H: Sends> Hand<H> {
    fn next_message(&mut self, size: Size) -> Message {
        self.made += 1;
        message(self.side, self.number, self.made, size)
    }

    fn sent(&self, message: Message, fate: Fate) {
        self.note(|| format!("{} bytes: {fate:?}", message.len()));
        self.world.journal(self.side).sent.push(Sent {
            hand: self.number,
            message,
            fate,
        });
    }

    /// What is known of a message when `send` has come to this.
    fn fate_of(&self, sent: Option<Result<(), Error>>) -> Fate {
        match sent {
            // It may leave together with what follows it.
            Some(Ok(())) if self.half.stats().queued > 0 => Fate::Queued,
            Some(Ok(())) => Fate::Flushed(self.world.network.sent_len(self.side)),
            Some(Err(error)) => {
                self.failed(&error);
                match error {
                    Error::Send(_) => Fate::NotQueued,
                    _ => Fate::Unknown,
                }
            }
            None => Fate::Unknown,
        }
    }

    /// A step of sending; `false` if this is none.
    async fn send_step(&mut self, op: Op) -> bool {
        let Op { what, patience } = op;
        match what {
            What::Send(size) => {
                let message = self.next_message(size);
                let sent = self
                    .patiently(patience, async |half| half.send(message.clone()).await)
                    .await;
                let fate = self.fate_of(sent);
                self.sent(message, fate);
            }
            What::SendPrepared(size) => {
                let message = self.next_message(size);
                let prepared = PreparedMessage::new(message.clone());
                let sent = self
                    .patiently(patience, async |half| half.send_prepared(&prepared).await)
                    .await;
                let fate = self.fate_of(sent);
                self.sent(message, fate);
            }
            What::TrySend(size) => {
                let message = self.next_message(size);
                let fate = match self.half.try_send(message.clone()) {
                    Ok(()) => Fate::Queued,
                    Err(unsent) => {
                        if unsent.message != message {
                            self.complain("another message came back".to_owned());
                        }
                        if !matches!(
                            unsent.error,
                            SendError::BufferFull | SendError::MessageUnfinished
                        ) {
                            self.failed(&unsent.into());
                        }
                        Fate::NotQueued
                    }
                };
                self.sent(message, fate);
            }
            What::Feed(size) => {
                let message = self.next_message(size);
                self.feed(patience, message).await;
            }
            What::Flush => self.flush(patience).await,
            What::Stream(size, pieces) => self.stream(patience, size, pieces).await,
            What::Ping => {
                self.ping(patience).await;
            }
            _ => return false,
        }
        true
    }

    async fn feed(&mut self, patience: Patience, message: Message) {
        let fed = self
            .patiently(patience, async |half| half.feed(message.clone()).await)
            .await;
        let fate = match fed {
            Some(Ok(())) => Fate::Queued,
            Some(Err(error)) => {
                self.failed(&error);
                Fate::NotQueued
            }
            None => Fate::NotQueued,
        };
        self.sent(message, fate);
    }

    async fn flush(&mut self, patience: Patience) {
        match self
            .patiently(patience, async |half| half.flush().await)
            .await
        {
            Some(Ok(())) => {
                let position = self.world.network.sent_len(self.side);
                let mut journal = self.world.journal(self.side);
                for sent in &mut journal.sent {
                    if sent.hand == self.number && sent.fate == Fate::Queued {
                        sent.fate = Fate::Flushed(position);
                    }
                }
            }
            Some(Err(error)) => self.failed(&error),
            None => {}
        }
    }

    async fn stream(&mut self, patience: Patience, size: Size, pieces: usize) {
        let message = self.next_message(size);
        let piece_len = size.len / pieces.max(1) + 1;
        let begun = Cell::new(false);
        let payload = message.as_bytes();
        let streamed = self
            .patiently(patience, async |half| {
                half.stream(size.kind, payload, piece_len, &begun).await
            })
            .await;
        let finished = matches!(streamed, Some(Ok(())));
        // Another hand that sends must expect that.
        self.world.journal(self.side).unfinished |= begun.get() && !finished;
        let fate = match self.fate_of(streamed) {
            Fate::NotQueued if begun.get() => Fate::Unknown,
            fate => fate,
        };
        self.sent(message, fate);
    }

    /// Sends a Ping that no other is like.
    async fn ping(&mut self, patience: Patience) -> Vec<u8> {
        self.pinged += 1;
        let data = format!("ping {} of {}", self.pinged, self.number).into_bytes();
        let sent = self
            .patiently(patience, async |half| half.ping(&data).await)
            .await;
        if let Some(Err(error)) = sent {
            self.failed(&error);
        }
        data
    }

    async fn close(&mut self, code: u16, patience: Patience) {
        let began = Instant::now();
        let code = CloseCode::new(code);
        let closed = self
            .patiently(patience, async |half| half.close(code, "enough").await)
            .await;
        let Some(closed) = closed else {
            return;
        };
        self.world.journal(self.side).closes.push(began.elapsed());
        match closed {
            Ok(info) => {
                self.note(|| format!("closed: {info:?}"));
                if self.half.close_info().as_ref() != Some(&info) {
                    self.complain(format!("close tells {info:?}"));
                }
            }
            Err(error) => self.failed(&error),
        }
        self.over();
    }
}

impl<H: Receives> Hand<H> {
    fn received(&self, message: Option<Message>) {
        self.note(|| format!("received {:?} bytes", message.as_ref().map(Message::len)));
        let read_len = self.world.network.read_len(self.side);
        if self.world.journal(self.side).ended.is_some() {
            self.complain("a message after the end".to_owned());
        }
        self.world
            .journal(self.side)
            .received
            .push(Received { message, read_len });
    }

    /// There is nothing more to receive.
    fn ended(&self, how: Result<(), Error>) -> Then {
        self.note(|| format!("the end: {how:?}"));
        let before = self.world.journal(self.side).ended.is_some();
        if let (true, Err(error)) = (before, &how) {
            self.complain(format!("a second end: {error}"));
        }
        if let Err(error) = &how {
            self.failed(error);
        }
        if !before {
            self.world.journal(self.side).ended = Some(how.map_err(|error| error.to_string()));
            self.over();
        }
        Then::Leave
    }

    fn taken(&self, received: Result<Option<Message>, Error>) -> (Then, Option<Message>) {
        match received {
            Ok(Some(message)) => {
                self.received(Some(message.clone()));
                (Then::GoOn, Some(message))
            }
            Ok(None) => (self.ended(Ok(())), None),
            Err(error) => (self.ended(Err(error)), None),
        }
    }

    async fn recv(&mut self, patience: Patience) -> (Then, Option<Message>) {
        match self
            .patiently(patience, async |half| half.recv().await)
            .await
        {
            Some(received) => self.taken(received),
            None => (Then::GoOn, None),
        }
    }

    async fn recv_event(&mut self, patience: Patience) -> (Then, Option<Event>) {
        let event = match self
            .patiently(patience, async |half| half.recv_event().await)
            .await
        {
            Some(Ok(Some(event))) => event,
            Some(Ok(None)) => return (self.ended(Ok(())), None),
            Some(Err(error)) => return (self.ended(Err(error)), None),
            None => return (Then::GoOn, None),
        };
        match &event {
            Event::Message(message) => self.received(Some(message.clone())),
            Event::Pong(data) => {
                self.note(|| format!("a Pong: {data:?}"));
                self.world.journal(self.side).pongs.push(data.to_vec());
            }
            event => self.note(|| format!("{event:?}")),
        }
        (Then::GoOn, Some(event))
    }

    async fn read(&mut self, patience: Patience, wanted: bool) -> Then {
        let begun = Cell::new(false);
        let read = self
            .patiently(patience, async |half| half.read(&begun, wanted).await)
            .await;
        match read {
            Some(Ok(Some(message))) => {
                self.received(wanted.then_some(message));
                Then::GoOn
            }
            // The message was begun, so that the rest of it is skipped.
            None if begun.get() => {
                self.received(None);
                Then::GoOn
            }
            None => Then::GoOn,
            Some(Ok(None)) => self.ended(Ok(())),
            // A Close inside the message. The end itself is still to come.
            Some(Err(Error::Truncated)) => Then::GoOn,
            Some(Err(error)) => self.ended(Err(error)),
        }
    }

    /// A step of receiving; `None` if this is none.
    async fn receive_step(&mut self, op: Op) -> Option<Then> {
        let Op { what, patience } = op;
        Some(match what {
            What::Receive => self.recv(patience).await.0,
            What::ReceiveEvent => self.recv_event(patience).await.0,
            What::ReceiveInPieces => self.read(patience, true).await,
            What::Skip => self.read(patience, false).await,
            What::ToEnd => loop {
                if self.recv(patience).await.0 == Then::Leave {
                    break Then::Leave;
                }
            },
            _ => return None,
        })
    }

    /// Pausing is a step for everybody.
    async fn pause_step(&self, op: Op) -> bool {
        if let What::Pause(millis) = op.what {
            pause(millis).await;
        }
        matches!(op.what, What::Pause(_))
    }

    /// Nobody receives any more although there may be something.
    fn stop_receiving(&self) {
        let mut journal = self.world.journal(self.side);
        journal.stopped_receiving |= journal.ended.is_none();
    }

    /// Carries out a receiver's script.
    pub(crate) async fn receive(mut self, script: &[Op]) {
        for op in script {
            self.begin(*op);
            if self.pause_step(*op).await {
                continue;
            }
            if self.receive_step(*op).await == Some(Then::Leave) {
                break;
            }
        }
        self.stop_receiving();
        self.leave();
    }
}

impl Hand<ws_async::Sender> {
    /// Carries out a sender's script.
    pub(crate) async fn send(mut self, script: &[Op]) {
        for op in script {
            self.begin(*op);
            match op.what {
                What::Pause(millis) => pause(millis).await,
                What::Close(code) => self.close(code, op.patience).await,
                What::Closed => {
                    let closed = self
                        .patiently(op.patience, async |half| half.closed().await)
                        .await;
                    if closed.is_some() {
                        self.over();
                    }
                }
                What::Abort => {
                    self.half.abort();
                    self.over();
                }
                _ => {
                    self.send_step(*op).await;
                }
            }
            self.after_step();
        }
        self.leave();
    }
}

impl Hand<Whole> {
    /// Carries out the script of somebody who holds the whole connection.
    pub(crate) async fn hold(mut self, script: &[Op]) {
        for op in script {
            self.begin(*op);
            if !self.pause_step(*op).await && self.step(*op).await == Then::Leave {
                break;
            }
            self.after_step();
        }
        self.stop_receiving();
        self.leave();
    }

    /// What still arrives is dropped by `close`.
    fn expect_gaps(&self) {
        let mut journal = self.world.journal(self.side);
        let received = journal.received.len();
        journal.gaps_from.get_or_insert(received);
    }

    async fn step(&mut self, op: Op) -> Then {
        let Op { what, patience } = op;
        match what {
            What::Close(code) => {
                self.expect_gaps();
                self.close(code, patience).await;
                Then::GoOn
            }
            What::PingPong => self.ping_pong(patience).await,
            What::Ask(size) => {
                let message = self.next_message(size);
                self.feed(patience, message).await;
                self.flush(patience).await;
                self.recv(patience).await.0
            }
            What::Echo => loop {
                let (then, message) = self.recv(patience).await;
                if then == Then::Leave {
                    break Then::Leave;
                }
                if let Some(message) = message {
                    self.feed(patience, message).await;
                    self.flush(patience).await;
                }
            },
            What::Abort => Then::Leave,
            _ => {
                if self.send_step(op).await {
                    return Then::GoOn;
                }
                self.receive_step(op).await.unwrap_or(Then::GoOn)
            }
        }
    }

    /// Sends a Ping and waits for the answer, or for one to a later Ping.
    async fn ping_pong(&mut self, patience: Patience) -> Then {
        let ping = self.ping(Patience::Endless).await;
        loop {
            match self.recv_event(patience).await {
                (Then::Leave, _) => break Then::Leave,
                // The keepalive's Pings are eight bytes long.
                (_, Some(Event::Pong(data))) if data == ping || data.len() == 8 => {
                    break Then::GoOn;
                }
                (_, Some(_)) => {}
                (_, None) => break Then::GoOn,
            }
        }
    }
}
