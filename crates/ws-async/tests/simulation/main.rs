//! Two ends over a virtual network, everything drawn from one seed: what is sent arrives, in order and once, or the
//! connection ends in time and says so.
//!
//! A seed draws a network (latency, bandwidth, buffers of one byte and more, stalls, silence, resets, streams that hold
//! back, hesitate and take part of what they are given), two configurations, and a script for every hand that holds
//! an end. It runs on a paused clock; the same seed gives the same run. A seed that fails is printed with all that it
//! drew and all that happened. To see it again, or to try more of them:
//!
//! ```text
//! WS_SIM_SEED=4711 cargo test -p ws-async --test simulation -- --nocapture
//! WS_SIM_SEEDS=100000 cargo test -p ws-async --test simulation -- --nocapture
//! ```

mod draw;
mod halves;
mod hand;
mod journal;
mod judge;
mod message;
mod patience;
mod run;
mod scenario;

use std::time::{Duration, Instant};

use run::{Outcome, run};

/// How many seeds are tried.
const SEEDS: u64 = 2_000;

/// How many seeds may fail before the others are not tried any more.
const MAX_FAILED: usize = 20;

/// The last lines of a trace that are shown.
const SHOWN: usize = 400;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// spec: CD-05
#[test]
fn conversations_keep_their_promises() {
    let began = Instant::now();
    let first = number("WS_SIM_SEED");
    let count = number("WS_SIM_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let first = first.unwrap_or(1);
    let mut virtual_time = Duration::ZERO;
    let mut operations = 0;
    let mut messages = 0;
    let mut failed = Vec::new();
    for seed in first..first + count {
        let outcome = run(seed, false);
        virtual_time += outcome.elapsed;
        operations += outcome.operations;
        let received = outcome
            .journals
            .iter()
            .map(|journal| journal.received.len());
        messages += received.sum::<usize>();
        if !outcome.violations.is_empty() {
            failed.push((seed, outcome.violations));
        }
        if failed.len() == MAX_FAILED {
            break;
        }
    }
    println!(
        "{count} seeds from {first}: {messages} messages, {operations} uses of a stream, {:.1} h of virtual time \
         in {:.1} s",
        virtual_time.as_secs_f64() / 3600.0,
        began.elapsed().as_secs_f64()
    );
    match failed.first() {
        Some((seed, _)) => show(&run(*seed, true)),
        None if count == 1 => show(&run(first, true)),
        None => return,
    }
    for (seed, violations) in &failed {
        println!("seed {seed}:");
        for violation in violations {
            println!("  {violation}");
        }
    }
    if let Some((seed, violations)) = failed.first() {
        panic!(
            "{} seeds failed. The first is told above: {}\n\
             WS_SIM_SEED={seed} cargo test -p ws-async --test simulation -- --nocapture",
            failed.len(),
            violations.join("; ")
        );
    }
}

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
