//! From a seed to a scenario.

use std::time::Duration;

use ws_async::{Config, MessageKind};
use ws_testkit::network::{Link, Plan, Socket};
use ws_testkit::{Chunks, Prng};

use crate::message::DISTINCT_LEN;
use crate::scenario::{End, Hands, Op, Patience, Scenario, Size, What};

/// A time that no calm conversation takes.
const LONG: Duration = Duration::from_secs(2 * 60 * 60);

/// How many moves of the network a conversation is meant to take in each direction, more or less.
const MOVES: usize = 100;

/// The most that is sent in each direction.
const MAX_BYTES: usize = 300_000;

const KINDS: [MessageKind; 2] = [MessageKind::Text, MessageKind::Binary];

/// Codes that either end may send.
const CODES: [u16; 5] = [1000, 1001, 1008, 3000, 4999];

pub(crate) fn draw(seed: u64) -> Scenario {
    let mut dice = Dice(Prng::new(seed));
    match dice.one_in(2) {
        true => dice.calm(),
        false => dice.rough(),
    }
}

struct Dice(Prng);

/// What an end's scripts may be made of.
#[derive(Clone, Copy)]
struct Style {
    /// Bytes to send, all in all.
    budget: usize,
    /// The shortest message.
    min_len: usize,
    calm: bool,
}

/// How an end's script ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finish {
    Close,
    Wait,
}

impl Dice {
    fn one_in(&mut self, times: usize) -> bool {
        self.0.chance(times)
    }

    fn among<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.below(choices.len())]
    }

    /// From `low` to `high`, both included.
    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.0.below(high.saturating_sub(low) + 1)
    }

    /// From `low` to `high`; each size is as likely as each other, and not each number.
    fn size_between(&mut self, low: usize, high: usize) -> usize {
        let bits = usize::BITS - high.max(1).leading_zeros();
        let limit = 1_usize << self.between(0, bits as usize);
        self.between(low, high.min(limit).max(low))
    }

    fn millis(&mut self, low: usize, high: usize) -> Duration {
        Duration::from_millis(self.size_between(low, high) as u64)
    }

    fn chunks(&mut self) -> (Chunks, usize) {
        let max = match self.0.below(4) {
            0 | 1 => return (Chunks::Whole, usize::MAX),
            2 => self.between(1, 3),
            _ => self.size_between(4, 5_000),
        };
        let chunks = Chunks::Random {
            prng: Prng::new(self.0.next_u64()),
            max,
            pending_one_in: self.among(&[0, 2, 8]),
        };
        (chunks, max.div_ceil(2))
    }

    /// A socket, and how many bytes it moves at once.
    fn socket(&mut self) -> (Socket, usize) {
        let (reads, read) = self.chunks();
        let (writes, written) = self.chunks();
        let holds_back = match self.one_in(3) {
            true => self.size_between(1, 20_000),
            false => 0,
        };
        let socket = Socket {
            reads,
            writes,
            ready_after: Duration::from_millis(self.among(&[0, 0, 1, 7])),
            vectored: self.one_in(2),
            holds_back,
            breaks_at: None,
        };
        // A stream that holds back takes no more at once than that.
        let held = match holds_back {
            0 => usize::MAX,
            held => held,
        };
        (socket, read.min(written).min(held))
    }

    /// A link, and how many bytes it moves at once.
    fn link(&mut self) -> (Link, usize) {
        let capacity = match self.0.below(6) {
            0 => 1,
            1 => self.between(2, 16),
            2 => self.between(17, 300),
            3 => self.size_between(300, 20_000),
            _ => 64 * 1024,
        };
        let latency = match self.one_in(2) {
            true => self.millis(1, 300),
            false => Duration::ZERO,
        };
        let bytes_per_ms = self
            .one_in(3)
            .then(|| self.size_between(1, 10_000) as u32 + 1);
        let stalls = (0..self.among(&[0, 0, 1, 2])).map(|_| {
            let begin = self.millis(0, 2_000);
            begin..begin + self.millis(1, 3_000)
        });
        let link = Link {
            latency,
            bytes_per_ms,
            capacity,
            stalls: stalls.collect(),
            vanishes_at: None,
        };
        (link, capacity)
    }

    /// A network that delivers, and for each direction how much may be sent that way.
    fn network(&mut self) -> (Plan, [usize; 2]) {
        let links = [(); 2].map(|()| self.link());
        let sockets = [(); 2].map(|()| self.socket());
        let moves = [0, 1].map(|from| links[from].1.min(sockets[0].1).min(sockets[1].1));
        let plan = Plan {
            links: links.map(|(link, _)| link),
            sockets: sockets.map(|(socket, _)| socket),
            resets_at: None,
            reset_destroys_input: self.one_in(2),
        };
        (
            plan,
            moves.map(|len| len.saturating_mul(MOVES).min(MAX_BYTES)),
        )
    }

    fn buffers(&mut self, config: Config, budget: usize) -> Config {
        let fragment_size = self
            .one_in(3)
            .then(|| self.size_between(1, 5_000).max(budget / 100));
        config
            .with_write_buffer_high(self.among(&[1, 100, 1_000, 64 * 1024]))
            .with_write_buffer_limit(self.among(&[1, 1_000, 1024 * 1024]))
            .with_fragment_size(fragment_size)
    }

    fn size(&mut self, style: &mut Style) -> Size {
        let len = match style.budget {
            0 => style.min_len,
            budget => {
                let small = self.one_in(2);
                let max = budget.min(if small { 200 } else { MAX_BYTES });
                self.size_between(style.min_len, max)
            }
        };
        style.budget = style.budget.saturating_sub(len);
        Size {
            kind: self.among(&KINDS),
            len,
        }
    }

    fn op(&mut self, what: What, patience: Patience) -> Op {
        Op { what, patience }
    }

    fn pause(&mut self, longest: usize) -> Op {
        let millis = self.size_between(0, longest) as u64;
        self.op(What::Pause(millis), Patience::Endless)
    }

    fn polls(&mut self) -> u32 {
        self.size_between(1, 30) as u32
    }

    /// For steps that may be given up.
    fn patience(&mut self) -> Patience {
        match self.0.below(4) {
            0 => Patience::Polls(self.polls()),
            1 => Patience::Millis(self.size_between(0, 2_000) as u64),
            _ => Patience::Endless,
        }
    }

    /// For steps that have to be completed.
    fn firm_patience(&mut self) -> Patience {
        match self.one_in(3) {
            true => Patience::Again(self.between(1, 4) as u32),
            false => Patience::Endless,
        }
    }

    /// For steps that may be given up and begun anew.
    fn any_patience(&mut self) -> Patience {
        match self.one_in(2) {
            true => self.firm_patience(),
            false => self.patience(),
        }
    }

    /// Steps that send messages.
    fn sending(&mut self, count: usize, mut style: Style) -> Vec<Op> {
        let mut ops = Vec::new();
        for _ in 0..count {
            let style = &mut style;
            let op = match self.0.below(12) {
                0..=2 => Op {
                    what: What::Send(self.size(style)),
                    patience: self.patience(),
                },
                3 => Op {
                    what: What::SendPrepared(self.size(style)),
                    patience: self.patience(),
                },
                4 => Op {
                    what: What::TrySend(self.size(style)),
                    patience: Patience::Endless,
                },
                5..=7 => Op {
                    what: What::Feed(self.size(style)),
                    patience: self.any_patience(),
                },
                8 => Op {
                    what: What::Flush,
                    patience: self.any_patience(),
                },
                9 => Op {
                    what: What::Stream(self.size(style), self.between(1, 5)),
                    // What a writer has begun it has to finish, or nothing can follow.
                    patience: match style.calm {
                        true => Patience::Endless,
                        false => self.patience(),
                    },
                },
                10 => Op {
                    what: What::Ping,
                    patience: self.patience(),
                },
                _ => self.pause(500),
            };
            // What is cut short has to be told from what comes after it.
            let is_cut = matches!(op.patience, Patience::Polls(_) | Patience::Millis(_));
            let is_short = op
                .what
                .message()
                .is_some_and(|size| size.len < DISTINCT_LEN);
            ops.push(match is_cut && is_short {
                true => Op {
                    patience: Patience::Endless,
                    ..op
                },
                false => op,
            });
        }
        ops
    }

    /// Steps that receive, and never wait for what may not come.
    fn receiving(&mut self, count: usize) -> Vec<Op> {
        (0..count)
            .map(|_| {
                let patience = match self.one_in(2) {
                    true => Patience::Polls(self.polls()),
                    false => Patience::Millis(self.size_between(0, 2_000) as u64),
                };
                let what = self.among(&[
                    What::Receive,
                    What::Receive,
                    What::ReceiveEvent,
                    What::ReceiveInPieces,
                    What::Skip,
                ]);
                match self.one_in(6) {
                    true => self.pause(1_000),
                    false => self.op(what, patience),
                }
            })
            .collect()
    }

    fn close(&mut self, patience: Patience) -> Op {
        let code = self.among(&CODES);
        self.op(What::Close(code), patience)
    }

    /// Several hands, of which the first sender ends the connection or waits until somebody does.
    fn split(&mut self, budget: usize, finish: Finish, calm: bool) -> Hands {
        let steps = self.between(0, 10);
        let mut receiver = self.receiving(steps);
        let listens = !self.one_in(5);
        if listens {
            let patience = self.firm_patience();
            receiver.push(self.op(What::ToEnd, patience));
        }
        let count = self.between(1, 3);
        let mut senders = Vec::new();
        for number in 0..count {
            let style = Style {
                budget: budget / count,
                min_len: match count {
                    1 => 0,
                    _ => DISTINCT_LEN,
                },
                calm,
            };
            let steps = self.between(0, 12);
            let mut script = self.sending(steps, style);
            if number == 0 {
                let patience = self.firm_patience();
                script.push(match finish {
                    Finish::Close => self.close(patience),
                    Finish::Wait => self.op(What::Closed, patience),
                });
            }
            senders.push(script);
        }
        Hands::Split { receiver, senders }
    }

    /// One hand that sends as it likes to somebody who listens.
    fn talker(&mut self, budget: usize, finish: Finish, calm: bool) -> Hands {
        let style = Style {
            budget,
            min_len: 0,
            calm,
        };
        let steps = self.between(0, 15);
        let mut ops = self.sending(steps, style);
        for op in &mut ops {
            match self.0.below(8) {
                0 => *op = self.receiving(1)[0],
                1 => *op = self.op(What::PingPong, Patience::Endless),
                _ => {}
            }
        }
        ops.push(self.finish(finish));
        Hands::One(ops)
    }

    /// The last step of a hand that holds the whole connection.
    fn finish(&mut self, finish: Finish) -> Op {
        let patience = self.firm_patience();
        match finish {
            Finish::Close => self.close(patience),
            Finish::Wait => self.op(What::ToEnd, patience),
        }
    }

    /// One hand that asks and waits for the answer.
    fn asker(&mut self, budget: usize, finish: Finish) -> Hands {
        let mut style = Style {
            budget,
            min_len: 0,
            calm: true,
        };
        let mut ops = Vec::new();
        for _ in 0..self.between(0, 15) {
            let patience = self.firm_patience();
            ops.push(match self.0.below(4) {
                0 => self.pause(500),
                1 => self.op(What::PingPong, Patience::Endless),
                _ => {
                    let size = self.size(&mut style);
                    self.op(What::Ask(size), patience)
                }
            });
        }
        ops.push(self.finish(finish));
        Hands::One(ops)
    }

    /// One hand that answers.
    fn echoer(&mut self) -> Hands {
        let patience = self.firm_patience();
        Hands::One(vec![self.op(What::Echo, patience)])
    }

    /// One hand that listens, now and then.
    fn listener(&mut self, finish: Finish) -> Hands {
        let steps = self.between(0, 15);
        let mut ops = self.receiving(steps);
        ops.push(self.finish(finish));
        Hands::One(ops)
    }

    /// A conversation in which nothing can go wrong.
    fn calm(&mut self) -> Scenario {
        let (plan, budgets) = self.network();
        // The second of two different characters may be the client too.
        let is_swapped = self.one_in(2);
        let mut drawn = budgets;
        if is_swapped {
            drawn.reverse();
        }
        let closer = self.0.below(2);
        let both_close = self.one_in(4);
        let finishes = [0, 1].map(|side| match side == closer || both_close {
            true => Finish::Close,
            false => Finish::Wait,
        });
        let [left, right] = finishes;
        // Two that each hold a whole connection may not both talk: each would wait for the other to listen.
        let mut hands = match self.0.below(6) {
            0 | 1 => [
                self.split(drawn[0], left, true),
                self.split(drawn[1], right, true),
            ],
            2 => [
                self.talker(drawn[0], left, true),
                self.split(drawn[1], right, true),
            ],
            3 => [
                self.split(drawn[0], left, true),
                self.talker(drawn[1], right, true),
            ],
            4 => {
                let budget = drawn[0].min(drawn[1]);
                [self.asker(budget, Finish::Close), self.echoer()]
            }
            _ => {
                let talker = self.talker(drawn[0], left, true);
                [talker, self.listener(right)]
            }
        };
        if is_swapped {
            hands.reverse();
        }
        let budget = drawn[0].max(drawn[1]);
        let keepalive = self
            .one_in(3)
            .then(|| Duration::from_secs(self.between(20, 60) as u64));
        let mut ends = hands.map(|hands| {
            let config = Config::default()
                .with_ping_interval(keepalive)
                .with_pong_timeout(LONG)
                .with_write_timeout(Some(LONG))
                .with_close_timeout(Some(LONG));
            End {
                config: self.buffers(config, budget),
                hands,
            }
        });
        let longest = ends.each_ref().map(End::longest_message);
        let longest = longest[0].max(longest[1]);
        for end in &mut ends {
            if self.one_in(4) {
                end.config.max_message_size = longest;
                end.config.max_frame_size = longest;
            }
        }
        Scenario {
            calm: true,
            plan,
            ends,
            cap: LONG / 2,
        }
    }

    /// A conversation in which anything may go wrong, and ends for all that.
    fn rough(&mut self) -> Scenario {
        let (mut plan, budgets) = self.network();
        self.break_network(&mut plan);
        let budget = budgets[0].max(budgets[1]);
        // Two that both listen listen for ever: one of them ends it whatever the other does.
        let decided = self.0.below(2);
        // Or it waits until nothing is said any more, which has a deadline too.
        let tires = self.one_in(8);
        let ends = [0, 1].map(|side| {
            let is_decided = side == decided;
            let mut hands = self.rough_hands(budgets[side], is_decided, tires);
            self.spoil(&mut hands, is_decided);
            let config = self.short_deadlines(Config::default(), slowest_ping(&plan));
            let mut config = self.buffers(config, budget);
            if is_decided && tires {
                config.idle_timeout = Some(self.millis(50, 5_000));
            }
            if self.one_in(5) {
                config.max_message_size = self.size_between(0, 5_000);
            }
            if self.one_in(10) {
                config.max_frame_size = self.size_between(0, 5_000);
            }
            if self.one_in(10) {
                config.max_fragments = self.size_between(0, 100) as u32;
            }
            End { config, hands }
        });
        let cap = rough_cap(&plan, &ends, budgets[0] + budgets[1]);
        Scenario {
            calm: false,
            plan,
            ends,
            cap,
        }
    }

    fn break_network(&mut self, plan: &mut Plan) {
        // That a refused write is taken later counts as a sign of life, so a stream that refuses for no reason puts a
        // PongTimeout off until the buffers are full.
        for socket in &mut plan.sockets {
            if let Chunks::Random { pending_one_in, .. } = &mut socket.writes {
                *pending_one_in = 0;
            }
        }
        match self.0.below(6) {
            0 => plan.resets_at = Some(self.millis(0, 3_000)),
            1 => {
                let link = self.0.below(2);
                plan.links[link].vanishes_at = Some(self.millis(0, 3_000));
            }
            2 => {
                let at = self.millis(0, 3_000);
                for link in &mut plan.links {
                    link.vanishes_at = Some(at);
                }
            }
            3 => {
                let link = self.0.below(2);
                let begin = self.millis(0, 1_000);
                let stall = begin..begin + self.millis(100, 60_000);
                plan.links[link].stalls.push(stall);
            }
            _ => {}
        }
    }

    fn short_deadlines(&mut self, config: Config, slowest_ping: Duration) -> Config {
        let idle = self.one_in(6).then(|| self.millis(50, 5_000));
        config
            .with_ping_interval(Some(self.millis(50, 10_000).max(slowest_ping)))
            .with_pong_timeout(self.millis(10, 10_000))
            .with_write_timeout(Some(self.millis(50, 10_000)))
            .with_close_timeout(Some(self.millis(1, 10_000)))
            .with_idle_timeout(idle)
    }

    fn rough_hands(&mut self, budget: usize, is_decided: bool, tires: bool) -> Hands {
        let finish = match is_decided {
            true if tires => Finish::Wait,
            true => Finish::Close,
            false if tires => Finish::Wait,
            false => self.among(&[Finish::Close, Finish::Wait]),
        };
        match self.0.below(6) {
            0 if !is_decided => self.echoer(),
            1 => self.asker(budget, finish),
            2 => self.listener(finish),
            3 => self.talker(budget, finish, false),
            _ => self.split(budget, finish, false),
        }
    }

    /// Ends scripts early, gives up what should be completed, and closes or aborts in the middle of it all.
    fn spoil(&mut self, hands: &mut Hands, is_decided: bool) {
        let is_split = matches!(hands, Hands::Split { .. });
        let scripts: Vec<&mut Vec<Op>> = match hands {
            Hands::One(script) => vec![script],
            Hands::Split { receiver, senders } => std::iter::once(receiver)
                .chain(senders.iter_mut())
                .collect(),
        };
        for (number, script) in scripts.into_iter().enumerate() {
            // The first sender is the one that closes.
            let is_decisive = is_decided && is_split && number == 1;
            if self.one_in(4) && !is_decisive {
                script.truncate(self.between(0, script.len()));
            }
            if self.one_in(6) {
                let patience = self.any_patience();
                let close = self.close(patience);
                let at = self.between(0, script.len());
                script.insert(at, close);
            }
            if self.one_in(12) {
                let abort = self.op(What::Abort, Patience::Endless);
                let at = self.between(0, script.len());
                script.insert(at, abort);
            }
            for op in script.iter_mut() {
                let waits = matches!(op.what, What::Ask(_) | What::PingPong);
                if is_decided && waits {
                    op.patience = Patience::Millis(self.size_between(0, 5_000) as u64);
                }
            }
            if self.one_in(4) {
                let pause = self.pause(20_000);
                let at = self.between(0, script.len());
                script.insert(at, pause);
            }
        }
    }
}

/// A time in which several Pings and Pongs cross the network: with more of them there is no room for anything else.
fn slowest_ping(plan: &Plan) -> Duration {
    let times = plan.links.iter().map(|link| {
        let bytes = 100;
        let rate = link.bytes_per_ms.unwrap_or(u32::MAX);
        let hesitation = plan
            .sockets
            .iter()
            .map(|socket| socket.ready_after)
            .sum::<Duration>();
        let moves = (bytes / link.capacity + 1) as u32;
        Duration::from_millis(bytes as u64 / u64::from(rate)) + (link.latency + hesitation) * moves
    });
    times.max().unwrap_or_default()
}

/// When the last deadline of a rough conversation has passed. Every step ends by itself, or with its patience, or
/// because a deadline ends the connection.
fn rough_cap(plan: &Plan, ends: &[End; 2], bytes: usize) -> Duration {
    let mut cap = Duration::from_secs(60);
    for end in ends {
        let config = &end.config;
        let deadlines = [
            config.ping_interval,
            config.write_timeout,
            config.close_timeout,
            config.idle_timeout,
        ];
        let deadlines: Duration = deadlines.into_iter().flatten().sum();
        for op in end.hands.ops() {
            if let What::Pause(millis) = op.what {
                cap += Duration::from_millis(millis);
            }
            cap += (deadlines + config.pong_timeout) * 2 + Duration::from_secs(4);
        }
    }
    for link in &plan.links {
        cap += link.stalls.iter().map(|stall| stall.end).sum();
        let rate = link.bytes_per_ms.unwrap_or(u32::MAX);
        // Headers and Pings double what small messages take, and an echo does so again.
        cap += Duration::from_millis(4 * bytes as u64 / u64::from(rate));
        cap += link.latency * (4 * bytes / link.capacity) as u32;
    }
    cap
}
