//! One round of a scenario: all contenders, each on a fresh process, so that none is lucky or unlucky with one memory
//! layout for all its rounds.

use std::ops::AddAssign;
use std::time::{Duration, Instant};

use crate::Result;
use crate::answers::Answers;
use crate::arguments::Arguments;
use crate::arrivals::Arrivals;
use crate::contender::Contender;
use crate::deflated::Deflated;
use crate::generator::{Check, Generator};
use crate::report::Cell;
use crate::scenario::{Pattern, Scenario};
use crate::server::{self, Process, Server, Spent};
use crate::wire::Burst;

/// The contenders take turns of this length, back and forth: what a shared machine does for seconds falls on all of
/// them. Servers whose turn it is not have nothing to do.
const TURN: Duration = Duration::from_millis(20);

/// No turn begins later in a round than this: after 30 s servers ping their connections, and nobody here answers.
const LAST_TURN: Duration = Duration::from_secs(20);

/// A process that has used no CPU time for so long has nothing to do, and its clock tells all of it.
const QUIET: Duration = Duration::from_micros(200);

/// What keeps a contender busy, and counts.
pub trait Load {
    /// Everything once, everywhere, to its end.
    fn exchange_once(&mut self) -> Result<()>;

    /// Keeps the contender busy for this long, and until it is done with everything.
    fn run(&mut self, time: Duration) -> Result<Seen>;
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Replies, deliveries or connections.
    pub replies: f64,
    /// Of the replies, on the wire, where it is not the same for all contenders.
    pub payload_bytes: Option<f64>,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, more: Self) {
        self.replies += more.replies;
        if let Some(bytes) = more.payload_bytes {
            *self.payload_bytes.get_or_insert_default() += bytes;
        }
    }
}

/// What a contender has done so far.
struct Run<'a> {
    // It goes before its connections, so that it does not report each of them as torn.
    process: Process,
    load: Box<dyn Load + 'a>,
    turns: Vec<(Spent, Seen)>,
}

/// The figures of each contender, in any order.
pub fn timed<'c>(
    order: &[&'c Contender],
    scenario: &Scenario,
    arguments: &Arguments,
) -> Vec<(&'c Contender, Result<Cell>)> {
    let started = Instant::now();
    let bursts: Vec<Burst> = order
        .iter()
        .map(|contender| scenario.burst(contender.kind))
        .collect();
    let mut runs: Vec<(&Contender, Result<Run<'_>>)> = order
        .iter()
        .zip(&bursts)
        .map(|(contender, burst)| {
            let run = Run::start(contender, scenario, burst, arguments);
            (*contender, run)
        })
        .collect();
    for turn in 0..arguments.window.div_duration_f64(TURN).ceil() as usize {
        if turn > 0 && started.elapsed() > LAST_TURN {
            break;
        }
        for (_, run) in &mut runs {
            std::thread::sleep(arguments.pause);
            if let Ok(Err(error)) = run.as_mut().map(Run::take_turn) {
                *run = Err(error);
            }
        }
        runs.reverse();
    }
    runs.into_iter()
        .map(|(contender, run)| (contender, run.map(Run::end)))
        .collect()
}

impl<'a> Run<'a> {
    fn start(
        contender: &Contender,
        scenario: &Scenario,
        burst: &'a Burst,
        arguments: &Arguments,
    ) -> Result<Self> {
        let (process, mut load): (Process, Box<dyn Load + 'a>) = match scenario.pattern {
            Pattern::Echo | Pattern::Broadcast => {
                let server = Server::start(contender, arguments)?;
                let streams = server.connect(scenario.connections)?;
                let mut generator =
                    Generator::new(scenario.pattern, streams, burst, Check::Contents)?;
                generator.exchange_once()?;
                generator.check = Check::Headers;
                (server.process, Box::new(generator))
            }
            Pattern::Deflated => {
                let server = Server::start(contender, arguments)?;
                let streams = server.connect_deflated(scenario.connections)?;
                (server.process, Box::new(Deflated::new(scenario, streams)?))
            }
            Pattern::Arrivals => {
                let server = Server::start(contender, arguments)?;
                let arrivals = Arrivals::new(server.door, scenario.connections)?;
                (server.process, Box::new(arrivals))
            }
            Pattern::Client => {
                let (process, stream) = server::start_client(contender, arguments)?;
                let answers = Answers::new(stream, scenario.depth, scenario.payload_len)?;
                (process, Box::new(answers))
            }
        };
        load.run(arguments.warm_up)?;
        Ok(Self {
            process,
            load,
            turns: Vec::new(),
        })
    }

    fn take_turn(&mut self) -> Result<()> {
        // What the others have pushed out of the caches comes back.
        self.load.exchange_once()?;
        let before = self.process.settled(QUIET)?;
        let seen = self.load.run(TURN)?;
        let mut after = self.process.reading()?;
        after.process = self.process.settled(QUIET)?.process;
        self.turns.push((after - before, seen));
        Ok(())
    }

    fn end(self) -> Cell {
        Cell::new(&self.turns)
    }
}
