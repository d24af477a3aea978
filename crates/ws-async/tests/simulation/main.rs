//! Two ends over a virtual network, everything drawn from one seed: what is sent arrives, in order and once, or the
//! connection ends in time and says so.
//!
//! A seed draws a network (latency, bandwidth, buffers of one byte and more, stalls, silence, resets, streams that hold
//! back, hesitate and take part of what they are given), two configurations, and a script for every hand that holds
//! an end. It runs on a paused clock, and the same seed gives the same run. [`judge`] says what has to hold. A seed that
//! fails is printed with all that it drew and all that happened. To see it again, or to try more of them:
//!
//! ```text
//! WS_SIM_SEED=4711 cargo test -p ws-async --test simulation -- --nocapture
//! WS_SIM_SEEDS=100000 cargo test -p ws-async --test simulation -- --nocapture
//! ```
//!
//! With both, it tries that many from that one on. `WS_SIM_FAILURES=1` stops it at the first seed that fails.

mod draw;
mod dropping;
mod halves;
mod hand;
mod journal;
mod judge;
mod message;
mod patience;
mod run;
mod scenario;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use draw::draw;
use run::{Outcome, run};

/// How many seeds are tried.
const SEEDS: u64 = 3_000;

/// How many seeds may fail before no others are tried.
const MAX_FAILED: u64 = 20;

/// The last lines of a trace that are shown.
const SHOWN: usize = 400;

/// What came of many seeds.
#[derive(Default)]
struct Tally {
    tried: u64,
    virtual_time: Duration,
    operations: u64,
    messages: usize,
    /// Seeds that failed, and how.
    failed: Vec<(u64, Vec<String>)>,
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// spec: C-12, C-16, C-28, CD-04, CD-05, CD-06, S-07, S-08
#[test]
fn conversations_keep_their_promises() {
    let seed = number("WS_SIM_SEED");
    let count = number("WS_SIM_SEEDS").unwrap_or(if seed.is_some() { 1 } else { SEEDS });
    let first = seed.unwrap_or(1);
    let began = Instant::now();
    let mut tally = try_seeds(first, count);
    tally.failed.sort();
    println!(
        "{count} seeds from {first}: {} messages, {} uses of a stream, {:.1} h of virtual time in {:.1} s",
        tally.messages,
        tally.operations,
        tally.virtual_time.as_secs_f64() / 3600.0,
        began.elapsed().as_secs_f64()
    );
    match tally.failed.first() {
        Some((seed, _)) => show(&run(draw(*seed), true)),
        None if count == 1 => show(&run(draw(first), true)),
        None => {}
    }
    for (seed, violations) in &tally.failed {
        println!("seed {seed}:");
        for violation in violations {
            println!("  {violation}");
        }
    }
    if let Some((seed, violations)) = tally.failed.first() {
        panic!(
            "{} of {} seeds failed. The first is told above: {}\n\
             WS_SIM_SEED={seed} cargo test -p ws-async --test simulation -- --nocapture",
            tally.failed.len(),
            tally.tried,
            violations.join("; ")
        );
    }
}

/// Each seed has a thread to itself, so that there may be several.
fn try_seeds(first: u64, count: u64) -> Tally {
    let max_failed = number("WS_SIM_FAILURES").unwrap_or(MAX_FAILED);
    let next = AtomicU64::new(first);
    let tally = Mutex::new(Tally::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let outcome = run(draw(seed), false);
            let mut tally = tally.lock().expect("no panic");
            tally.note(seed, outcome);
            if tally.failed.len() as u64 >= max_failed {
                // For the others too.
                next.store(first + count, Ordering::Relaxed);
                return;
            }
        }
    };
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    tally.into_inner().expect("no panic")
}

impl Tally {
    fn note(&mut self, seed: u64, outcome: Outcome) {
        self.tried += 1;
        self.virtual_time += outcome.elapsed;
        self.operations += outcome.uses.iter().sum::<u64>();
        let received = outcome
            .journals
            .iter()
            .map(|journal| journal.received.len());
        self.messages += received.sum::<usize>();
        if !outcome.violations.is_empty() {
            self.failed.push((seed, outcome.violations));
        }
    }
}

/// Prints all that is known of a conversation.
fn show(outcome: &Outcome) {
    println!("{:#?}", outcome.scenario);
    let hidden = outcome.trace.len().saturating_sub(SHOWN);
    if hidden > 0 {
        println!("({hidden} steps before these are not shown)");
    }
    for step in &outcome.trace[hidden..] {
        println!("{step}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 1..40 {
        let [one, other] = [(); 2].map(|()| run(draw(seed), true));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.uses, other.uses, "seed {seed}");
        assert_eq!(one.elapsed, other.elapsed, "seed {seed}");
    }
}
