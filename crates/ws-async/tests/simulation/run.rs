//! One conversation, from its scenario to its verdict.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};
use ws_async::WebSocket;
use ws_testkit::network::{Network, VirtualStream};

use crate::hand::Hand;
use crate::journal::{Journal, World};
use crate::judge;
use crate::patience::counted;
use crate::scenario::{Hands, Scenario};

/// Polls of one task after which it is taken to go round in circles. The busiest takes about a fiftieth.
const MAX_POLLS: u32 = 100_000;

/// Uses of one stream after which its end is taken to do so.
const MAX_OPERATIONS: u64 = 200_000;

/// What one conversation came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) journals: [Journal; 2],
    /// Every byte that each end wrote.
    pub(crate) written: [Vec<u8>; 2],
    /// How many of them its socket did not hold back.
    pub(crate) sent: [usize; 2],
    /// How long it took on its own clock.
    pub(crate) elapsed: Duration,
    /// Polls of each stream.
    pub(crate) uses: [u64; 2],
    /// What must not be.
    pub(crate) violations: Vec<String>,
    /// What happened when.
    pub(crate) trace: Vec<String>,
}

/// Carries out a scenario, and judges what came of it.
pub(crate) fn run(scenario: Scenario, traced: bool) -> Outcome {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let mut outcome = LocalSet::new().block_on(&runtime, converse(scenario, traced));
    outcome.violations.extend(judge::judge(&outcome));
    outcome
}

/// Lets time pass, which takes none.
pub(crate) async fn pause(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

async fn converse(scenario: Scenario, traced: bool) -> Outcome {
    let (network, streams) = Network::new(scenario.plan.clone());
    network.limit_operations(MAX_OPERATIONS);
    let world = Arc::new(World::new(network.clone(), traced));
    let running = spawn_local(async move { network.run().await });
    let mut violations = Vec::new();
    let mut tasks = Vec::new();
    for (side, stream) in streams.into_iter().enumerate() {
        tasks.extend(start(&world, &scenario, side, stream));
    }
    let all = async {
        for task in tasks {
            if let Err(error) = task.await
                && let Ok(panic) = error.try_into_panic()
            {
                violations.push(format!("a panic: {}", message_of(&*panic)));
            }
        }
    };
    if timeout(scenario.cap, all).await.is_err() {
        violations.push(format!("not over after {:?}", scenario.cap));
        for side in [0, 1] {
            for (hand, op) in &world.journal(side).doing {
                violations.push(format!("hand {hand} of end {side} is at {op:?}"));
            }
        }
    }
    let elapsed = world.elapsed();
    running.abort();
    Outcome {
        journals: [0, 1].map(|side| world.journal(side).clone()),
        written: [0, 1].map(|side| world.network.written(side)),
        sent: [0, 1].map(|side| world.network.sent_len(side)),
        elapsed,
        uses: [0, 1].map(|side| world.network.operations(side)),
        violations,
        trace: world.take_trace(),
        scenario,
    }
}

/// Gives each hand of an end its script and its task.
fn start(
    world: &Arc<World>,
    scenario: &Scenario,
    side: usize,
    stream: VirtualStream,
) -> Vec<JoinHandle<()>> {
    let end = &scenario.ends[side];
    let config = end.config.clone();
    let ws = match side {
        0 => WebSocket::client(stream, config, BytesMut::new()),
        _ => WebSocket::server(stream, config, BytesMut::new()),
    };
    match end.hands.clone() {
        Hands::One(script) => {
            let hand = Hand::new(world, side, 0, ws);
            vec![spawn_local(counted(MAX_POLLS, async move {
                hand.hold(&script).await;
            }))]
        }
        Hands::Split {
            receiver: script,
            senders,
        } => {
            let (sender, receiver) = ws.split();
            let hand = Hand::new(world, side, 0, receiver);
            let mut tasks = vec![spawn_local(counted(MAX_POLLS, async move {
                hand.receive(&script).await;
            }))];
            for (index, script) in senders.into_iter().enumerate() {
                let hand = Hand::new(world, side, index + 1, sender.clone());
                tasks.push(spawn_local(counted(MAX_POLLS, async move {
                    hand.send(&script).await;
                })));
            }
            tasks
        }
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}
