//! Runs every contender's echo server against one polling load generator and prints who costs what.
//!
//! The figure is the server's own CPU time per message, never wall time, so a busy machine blurs it little. What is
//! timed, and how, is in the README beside this package.
#![forbid(unsafe_code)]

mod answers;
mod arguments;
mod arrivals;
mod compression;
mod contender;
mod deflated;
mod generator;
mod memory;
mod report;
mod round;
mod scenario;
mod server;
mod verify;
mod wire;

use std::error::Error;

use arguments::Arguments;
use contender::Contender;
use report::Table;
use scenario::Pattern;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let mut contenders = contender::chosen(&arguments);
    if arguments.build {
        contender::build(&contenders)?;
    }
    if arguments.build_only {
        return Ok(());
    }
    server::pin_this_thread(arguments.generator_core)?;
    raise_descriptor_limit()?;

    let mut left_out = Vec::new();
    contenders.retain(|contender| match verify::contender(contender, &arguments) {
        Ok(()) => true,
        Err(error) => {
            eprintln!(
                "{}: left out, wrong in the correctness pass: {error}",
                contender.name
            );
            left_out.push((*contender, error.to_string()));
            false
        }
    });
    if arguments.verify_only {
        println!("{} contenders treat every case correctly", contenders.len());
        return match left_out.len() {
            0 => Ok(()),
            wrong => Err(format!("{wrong} contenders do not").into()),
        };
    }

    print!("{}", report::left_out(&left_out, &arguments));
    for pattern in Pattern::ALL {
        let table = contest(pattern, &contenders, &arguments);
        print!("{}", table.text(&arguments));
    }

    if arguments.wants(memory::NAME) {
        eprintln!("{}: idle memory", memory::NAME);
        memory::print(&contenders, &arguments)?;
    }
    Ok(())
}

/// Runs the wanted scenarios of one pattern.
fn contest(pattern: Pattern, contenders: &[Contender], arguments: &Arguments) -> Table {
    let contenders: Vec<Contender> = contenders
        .iter()
        .filter(|contender| contender.pattern == pattern)
        .copied()
        .collect();
    let mut table = Table::new(pattern, &contenders);
    for scenario in scenario::ALL
        .iter()
        .filter(|scenario| scenario.pattern == pattern && arguments.wants(scenario.name))
    {
        eprintln!("{}: {}", scenario.name, scenario.description);
        for round in 0..arguments.rounds {
            // A B C, then C B A: a drift of the machine falls on all of them alike.
            let mut order: Vec<&Contender> = contenders.iter().collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for (contender, cell) in round::timed(&order, scenario, arguments) {
                match cell {
                    Ok(cell) => table.add(scenario, contender, round, cell),
                    Err(error) => eprintln!("{} {}: {error}", scenario.name, contender.name),
                }
            }
        }
    }
    table
}

/// Some scenarios hold thousands of sockets, here and in the servers, which inherit the limit.
fn raise_descriptor_limit() -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}
