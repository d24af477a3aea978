//! One round of a scenario: all contenders, each on a fresh process, so that none is lucky or unlucky with one memory
//! layout for all its rounds.

use std::time::Duration;

use crate::Result;
use crate::arguments::Arguments;
use crate::contender::Contender;
use crate::generator::{Check, Generator};
use crate::report::Cell;
use crate::scenario::Scenario;
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
    generator: Generator<'a>,
    spent: Spent,
    replies: f64,
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
        let streams = server.connect(scenario.connections)?;
        let mut generator = Generator::new(scenario.pattern, streams, burst, Check::Contents)?;
        generator.exchange_once()?;
        generator.check = Check::Headers;
        generator.run(arguments.warm_up)?;
        Ok(Self {
            server,
            generator,
            spent: Spent::default(),
            replies: 0.0,
        })
    }

    fn take_turn(&mut self) -> Result<()> {
        std::thread::sleep(PAUSE);
        // What the others have pushed out of the caches comes back.
        self.generator.exchange_once()?;
        let before = self.server.reading()?;
        self.replies += self.generator.run(TURN)?;
        self.spent += self.server.reading()? - before;
        Ok(())
    }

    /// The server goes before its connections, so that it does not report each of them as torn.
    fn end(self) -> Cell {
        Cell::new(self.spent, self.replies)
    }
}
