//! The command line.

use std::time::Duration;

use crate::Result;

const USAGE: &str = "\
usage: peers-driver [--scenarios S1,S9] [--contenders SUBSTRING,..] [--rounds N] [--window MS] [--pause MS]
                    [--server-core N] [--generator-core N] [--no-build] [--build-only] [--verify-only]";

#[derive(Debug)]
pub struct Arguments {
    scenarios: Vec<String>,
    pub contenders: Vec<String>,
    pub rounds: usize,
    pub warm_up: Duration,
    pub window: Duration,
    /// Between two turns, for whoever else needs the machine. A process with precedence that never sleeps is put to sleep, in
    /// the midst of a turn.
    pub pause: Duration,
    pub server_core: usize,
    pub generator_core: usize,
    pub build: bool,
    pub build_only: bool,
    pub verify_only: bool,
}

impl Arguments {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = Self {
            scenarios: Vec::new(),
            contenders: Vec::new(),
            rounds: 5,
            warm_up: Duration::from_millis(50),
            window: Duration::from_millis(400),
            pause: Duration::from_millis(5),
            server_core: 0,
            generator_core: 1,
            build: true,
            build_only: false,
            verify_only: false,
        };
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .ok_or_else(|| format!("{word} needs a value\n{USAGE}"))
            };
            match word.as_str() {
                "--scenarios" => arguments.scenarios = list(&value()?),
                "--contenders" => arguments.contenders = list(&value()?),
                "--rounds" => arguments.rounds = value()?.parse()?,
                "--window" => arguments.window = Duration::from_millis(value()?.parse()?),
                "--pause" => arguments.pause = Duration::from_millis(value()?.parse()?),
                "--server-core" => arguments.server_core = value()?.parse()?,
                "--generator-core" => arguments.generator_core = value()?.parse()?,
                "--no-build" => arguments.build = false,
                "--build-only" => arguments.build_only = true,
                "--verify-only" => arguments.verify_only = true,
                _ => return Err(format!("unknown argument {word}\n{USAGE}").into()),
            }
        }
        Ok(arguments)
    }

    /// Whether the scenario of this name is to run: all of them unless some were named. `S8` names S8a and S8b.
    pub fn wants(&self, scenario: &str) -> bool {
        self.scenarios.is_empty()
            || self.scenarios.iter().any(|wanted| {
                wanted.eq_ignore_ascii_case(scenario)
                    || wanted.eq_ignore_ascii_case(scenario.trim_end_matches(['a', 'b']))
            })
    }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::to_owned).collect()
}
