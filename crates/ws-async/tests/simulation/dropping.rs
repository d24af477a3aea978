//! Every operation's future is dropped at each of its awaits, and the stream breaks at each of its uses, in whole
//! conversations: nothing is lost, doubled or torn.

use std::time::Duration;

use ws_async::{Config, MessageKind};
use ws_testkit::Chunks;
use ws_testkit::network::{Link, Plan, Socket};

use crate::run::run;
use crate::scenario::{End, Hands, Op, Patience, Scenario, Size, What};
use crate::show;

/// No deadline comes near.
const LONG: Duration = Duration::from_secs(3600);

/// The most awaits that an operation may have here. More would be a circle.
const MAX_AWAITS: u32 = 400;

/// The most uses of a stream that a conversation may have here.
const MAX_USES: u64 = 4_000;

const fn op(what: What) -> Op {
    Op {
        what,
        patience: Patience::Endless,
    }
}

const fn text(len: usize) -> Size {
    Size {
        kind: MessageKind::Text,
        len,
    }
}

const fn binary(len: usize) -> Size {
    Size {
        kind: MessageKind::Binary,
        len,
    }
}

/// All that can be sent, in one script.
const SENDING: [Op; 9] = [
    op(What::Feed(text(30))),
    op(What::Flush),
    op(What::Send(binary(14))),
    op(What::Ping),
    op(What::SendPrepared(text(40))),
    op(What::Feed(binary(12))),
    op(What::Feed(text(13))),
    op(What::Flush),
    op(What::Send(text(15))),
];

/// What a writer has begun it alone can finish: after these nothing can be sent if they are given up.
const STREAMING: [Op; 3] = [
    op(What::Stream(binary(45), 3)),
    op(What::Stream(text(30), 2)),
    op(What::Send(text(16))),
];

/// All ways to receive.
const RECEIVING: [Op; 5] = [
    op(What::Receive),
    op(What::ReceiveEvent),
    op(What::ReceiveInPieces),
    op(What::Receive),
    op(What::ReceiveEvent),
];

/// Whoever holds the end whose futures are dropped, and how many steps at the end of its scripts have to be completed.
fn dropped_hands() -> Vec<Hands> {
    let one = [SENDING.as_slice(), &RECEIVING].concat();
    let mixed = one.iter().step_by(2).chain(one.iter().skip(1).step_by(2));
    let mixed: Vec<Op> = mixed.copied().collect();
    let close = [op(What::Close(1001)), op(What::ToEnd)];
    vec![
        Hands::One([one.as_slice(), &[op(What::ToEnd)]].concat()),
        Hands::One([mixed.as_slice(), &close].concat()),
        Hands::Split {
            receiver: [RECEIVING.as_slice(), &[op(What::ToEnd)]].concat(),
            senders: vec![
                [SENDING.as_slice(), &[op(What::Closed)]].concat(),
                SENDING.to_vec(),
            ],
        },
        Hands::Split {
            receiver: [RECEIVING.as_slice(), &[op(What::ToEnd)]].concat(),
            senders: vec![
                [
                    SENDING.as_slice(),
                    &[op(What::Close(1001)), op(What::Closed)],
                ]
                .concat(),
            ],
        },
        Hands::One([STREAMING.as_slice(), &RECEIVING[..3], &close].concat()),
        Hands::Split {
            receiver: [&[op(What::Skip)], &RECEIVING[2..], &[op(What::ToEnd)]].concat(),
            senders: vec![
                [&SENDING[..2], &STREAMING, &[op(What::Closed)]].concat(),
                [&SENDING[3..5], &STREAMING].concat(),
            ],
        },
    ]
}

/// The other end: sends some messages, listens, and ends the connection unless the dropped one does.
fn steady_hands(closes: bool) -> Hands {
    let mut sender: Vec<Op> = SENDING.to_vec();
    sender.push(op(What::Pause(20_000)));
    sender.push(match closes {
        true => op(What::Close(1000)),
        false => op(What::Closed),
    });
    Hands::Split {
        receiver: vec![op(What::ToEnd)],
        senders: vec![sender],
    }
}

fn plans() -> [Plan; 3] {
    let link = |capacity, latency| Link {
        latency: Duration::from_millis(latency),
        capacity,
        ..Link::PERFECT
    };
    let hesitant = |seed| Socket {
        reads: Chunks::random(seed, 5),
        writes: Chunks::random(seed + 1, 5),
        ready_after: Duration::from_millis(1),
        ..Socket::PERFECT
    };
    let holding = Socket {
        holds_back: 20,
        ..Socket::PERFECT
    };
    [
        Plan {
            links: [link(5, 0), link(5, 0)],
            ..Plan::PERFECT
        },
        Plan {
            links: [link(9, 1), link(7, 2)],
            sockets: [hesitant(1), hesitant(2)],
            ..Plan::PERFECT
        },
        Plan {
            links: [link(11, 3), link(11, 0)],
            sockets: [holding.clone(), holding],
            ..Plan::PERFECT
        },
    ]
}

/// A conversation of the end `side`, whose futures are going to be dropped, with one that keeps its own.
fn conversation(plan: Plan, side: usize, hands: Hands) -> Scenario {
    let closes = hands.ops().any(|op| matches!(op.what, What::Close(_)));
    let config = Config::default()
        .with_write_buffer_high(20)
        .with_fragment_size(Some(16))
        .with_ping_interval(None)
        .with_write_timeout(Some(LONG))
        .with_close_timeout(Some(LONG));
    let mut ends = [hands, steady_hands(!closes)].map(|hands| End {
        config: config.clone(),
        hands,
    });
    if side == 1 {
        ends.reverse();
    }
    Scenario {
        calm: true,
        plan,
        ends,
        cap: LONG,
    }
}

impl Scenario {
    /// The steps of an end whose futures can be dropped: all but those that complete the conversation.
    fn droppable(&mut self, side: usize) -> Vec<&mut Op> {
        let is_last = |op: &Op| matches!(op.what, What::ToEnd | What::Closed);
        self.steps(side).filter(|op| !is_last(op)).collect()
    }

    /// The steps of an end that can be dropped and begun anew, and have done nothing twice then.
    fn repeatable(&mut self, side: usize) -> impl Iterator<Item = &mut Op> {
        self.steps(side).filter(|op| {
            matches!(
                op.what,
                What::Feed(_)
                    | What::Flush
                    | What::Receive
                    | What::ReceiveEvent
                    | What::ToEnd
                    | What::Close(_)
                    | What::Closed
            )
        })
    }

    fn steps(&mut self, side: usize) -> impl Iterator<Item = &mut Op> {
        let scripts = match &mut self.ends[side].hands {
            Hands::One(script) => vec![script],
            Hands::Split { receiver, senders } => {
                std::iter::once(receiver).chain(senders).collect()
            }
        };
        scripts.into_iter().flatten()
    }
}

/// Runs a conversation in which something is dropped. Whether anything was: in the end there are no more awaits.
fn holds(scenario: Scenario, side: usize) -> bool {
    let outcome = run(scenario.clone(), false);
    if !outcome.violations.is_empty() {
        show(&run(scenario, true));
        panic!("{}", outcome.violations.join("\n"));
    }
    outcome.journals[side].given_up > 0
}

/// Each operation is dropped when it has been pending once, then, in another conversation, when it has been so twice,
/// and so on until all of them are completed.
///
/// spec: CD-05
#[test]
fn every_operation_is_dropped_at_every_await() {
    for plan in plans() {
        for (number, hands) in dropped_hands().into_iter().enumerate() {
            let side = number % 2;
            let whole = conversation(plan.clone(), side, hands);
            for awaits in 1.. {
                assert!(awaits < MAX_AWAITS, "it never ends");
                let mut scenario = whole.clone();
                for op in scenario.droppable(side) {
                    op.patience = Patience::Polls(awaits);
                }
                if !holds(scenario, side) {
                    break;
                }
            }
        }
    }
}

/// One operation is dropped, and all others are completed.
///
/// spec: CD-05
#[test]
fn each_operation_alone_is_dropped_at_every_await() {
    let plans = plans().into_iter().cycle();
    for (number, (hands, plan)) in dropped_hands().into_iter().zip(plans).enumerate() {
        let side = (number + 1) % 2;
        let mut whole = conversation(plan, side, hands);
        for index in 0..whole.droppable(side).len() {
            for awaits in 1.. {
                assert!(awaits < MAX_AWAITS, "it never ends");
                let mut scenario = whole.clone();
                scenario.droppable(side)[index].patience = Patience::Polls(awaits);
                if !holds(scenario, side) {
                    break;
                }
            }
        }
    }
}

/// Each operation that does nothing twice is dropped when it is woken, and begun anew, and so on: also those that
/// complete the conversation.
///
/// spec: CD-05
#[test]
fn every_operation_is_begun_anew_at_every_wake() {
    for plan in plans() {
        for (number, hands) in dropped_hands().into_iter().enumerate() {
            let side = number % 2;
            let whole = conversation(plan.clone(), side, hands);
            for awaits in 1..=3 {
                let mut scenario = whole.clone();
                for op in scenario.repeatable(side) {
                    op.patience = Patience::Again(awaits);
                }
                assert!(!holds(scenario, side), "nothing is given up");
            }
        }
    }
}

/// The connection breaks at each use of the stream in turn, in the middle of whatever that is part of: what was written
/// is whole, each end comes to an end, and tells of no other end than that.
///
/// spec: CD-04, CD-05
#[test]
fn the_stream_breaks_at_every_use() {
    // Less room would be more uses, and not other ones.
    let link = |capacity| Link {
        capacity,
        ..Link::PERFECT
    };
    let holding = Socket {
        holds_back: 20,
        ..Socket::PERFECT
    };
    let plans = [
        Plan {
            links: [link(40), link(200)],
            ..Plan::PERFECT
        },
        Plan {
            links: [link(30), link(30)],
            sockets: [holding.clone(), holding],
            reset_destroys_input: true,
            ..Plan::PERFECT
        },
    ];
    let mut broken = 0;
    for hands in dropped_hands() {
        for (side, plan) in plans.iter().enumerate() {
            let mut scenario = conversation(plan.clone(), side, hands.clone());
            scenario.calm = false;
            for use_number in 1.. {
                assert!(use_number < MAX_USES, "it never ends");
                scenario.plan.sockets[side].breaks_at = Some(use_number);
                if !breaks(&scenario, side) {
                    break;
                }
                broken += 1;
            }
        }
    }
    assert!(broken > 500, "{broken} conversations were broken");
}

/// Runs a conversation that is to break; whether it lasted so long.
fn breaks(scenario: &Scenario, side: usize) -> bool {
    let outcome = run(scenario.clone(), false);
    if !outcome.violations.is_empty() {
        show(&run(scenario.clone(), true));
        panic!("{}", outcome.violations.join("\n"));
    }
    let breaks_at = scenario.plan.sockets[side].breaks_at;
    breaks_at.is_some_and(|use_number| use_number <= outcome.uses[side])
}
