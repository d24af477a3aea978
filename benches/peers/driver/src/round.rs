//! One round of a scenario: all contenders, each on a fresh process, so that none is lucky or unlucky with one memory
//! layout for all its rounds.

use std::time::Duration;

use crate::Result;
use crate::arguments::Arguments;
use crate::contender::Contender;
use crate::deflated::Deflated;
use crate::generator::{Check, Generator};
use crate::report::Cell;
use crate::scenario::{Pattern, Scenario};
use crate::server::{Server, Spent};
use crate::wire::Burst;

/// The contenders take turns of this length, back and forth: what a shared machine does for seconds falls on all of
/// them. Servers whose turn it is not have nothing to do.
const TURN: Duration = Duration::from_millis(50);
/// Between two turns. A process with precedence that never sleeps is put to sleep, in the midst of a turn.
const PAUSE: Duration = Duration::from_millis(5);

/// What a contender has done so far.
struct Run<'a> {
    server: Server,
    load: Load<'a>,
    spent: Spent,
    replies: f64,
    /// Of the replies, on the wire, where it is not the same for all contenders.
    payload_bytes: Option<f64>,
}

enum Load<'a> {
    Plain(Generator<'a>),
    Deflated(Deflated),
}

/// The figures of each contender, in any order.
pub fn timed<'c>(
    order: &[&'c Contender],
    scenario: &Scenario,
    arguments: &Arguments,
) -> Vec<(&'c Contender, Result<Cell>)> {
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
    for _ in 0..arguments.window.div_duration_f64(TURN).ceil() as usize {
        for (_, run) in &mut runs {
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
        let server = Server::start(contender, arguments)?;
        let load = if scenario.pattern == Pattern::Deflated {
            let streams = server.connect_deflated(scenario.connections)?;
            let mut generator = Deflated::new(scenario, streams)?;
            generator.run(arguments.warm_up)?;
            Load::Deflated(generator)
        } else {
            let streams = server.connect(scenario.connections)?;
            let mut generator = Generator::new(scenario.pattern, streams, burst, Check::Contents)?;
            generator.exchange_once()?;
            generator.check = Check::Headers;
            generator.run(arguments.warm_up)?;
            Load::Plain(generator)
        };
        Ok(Self {
            server,
            load,
            spent: Spent::default(),
            replies: 0.0,
            payload_bytes: None,
        })
    }

    fn take_turn(&mut self) -> Result<()> {
        std::thread::sleep(PAUSE);
        // What the others have pushed out of the caches comes back.
        match &mut self.load {
            Load::Plain(generator) => generator.exchange_once()?,
            Load::Deflated(generator) => generator.exchange_once()?,
        }
        let before = self.server.reading()?;
        match &mut self.load {
            Load::Plain(generator) => self.replies += generator.run(TURN)?,
            Load::Deflated(generator) => {
                let seen = generator.run(TURN)?;
                self.replies += seen.replies as f64;
                *self.payload_bytes.get_or_insert_default() += seen.payload_bytes as f64;
            }
        }
        self.spent += self.server.reading()? - before;
        Ok(())
    }

    /// The server goes before its connections, so that it does not report each of them as torn.
    fn end(self) -> Cell {
        Cell::new(self.spent, self.replies, self.payload_bytes)
    }
}
