//! `cargo xtask`: the one list of checks of this workspace. CI calls it, and so does everybody else.
//!
//! It uses the standard library only, so it compiles in a second on a machine that has nothing but
//! Rust, and it works from any folder of the workspace. It never decides that a check may be left
//! out: a tool that is missing is a failure, and `cargo xtask setup` installs every tool.

#![forbid(unsafe_code)]

mod autobahn;
mod bench;
mod bites;
mod browser;
mod cargo_checks;
mod command;
mod conformance;
mod differential;
mod examples;
mod fuzz;
mod hostile;
mod interop;
mod json;
mod ledger;
mod peer;
mod report;
mod sanitize;
mod setup;
mod soak;
mod source;
mod step;
mod tidy;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use step::{Step, Tally};
use workspace::Workspace;

/// Every check, in the order in which `cargo xtask ci` runs them: quick ones that need only Rust
/// first, so that a mistake shows early, and those that need peers and a browser last.
const STEPS: &[Step] = &[
    Step {
        name: "setup",
        about: "install every tool the other steps need",
        run: setup::run,
    },
    Step {
        name: "fmt",
        about: "rustfmt agrees with every file",
        run: cargo_checks::fmt,
    },
    Step {
        name: "tidy",
        about: "the rules of this project that can be read off its files",
        run: tidy::run,
    },
    Step {
        name: "clippy",
        about: "clippy has nothing to say, over all targets",
        run: cargo_checks::clippy,
    },
    Step {
        name: "doc",
        about: "rustdoc has nothing to say, and every link resolves",
        run: cargo_checks::doc,
    },
    Step {
        name: "features",
        about: "each library builds with every set of its features, and works with those that change it",
        run: cargo_checks::feature_powerset,
    },
    Step {
        name: "trees",
        about: "what the libraries pull in, counted",
        run: cargo_checks::trees,
    },
    Step {
        name: "no-std-proof",
        about: "the codec links without std, and without a panic",
        run: cargo_checks::no_std_proof,
    },
    Step {
        name: "sanitize",
        about: "the mask kernels under AddressSanitizer",
        run: sanitize::run,
    },
    Step {
        name: "deny",
        about: "licences, bans and sources of every dependency",
        run: cargo_checks::deny,
    },
    Step {
        name: "advisories",
        about: "known weaknesses of the dependencies (needs the advisory database)",
        run: cargo_checks::advisories,
    },
    Step {
        name: "simulation-bites",
        about: "the simulation misses each rule that is taken out",
        run: bites::run,
    },
    Step {
        name: "examples",
        about: "each example is built and run",
        run: examples::run,
    },
    Step {
        name: "bench",
        about: "what is measured side by side compiles, and its tables are right; the measuring is `bench --peers`",
        run: bench::run,
    },
    Step {
        name: "conformance",
        about: "the Autobahn testsuite against each binding and role",
        run: conformance::run,
    },
    Step {
        name: "interop",
        about: "other people's clients and servers",
        run: interop::run,
    },
    Step {
        name: "hostile",
        about: "clients and servers that mean no good",
        run: hostile::run,
    },
    Step {
        name: "soak",
        about: "good and hostile clients at random, and what is left of them",
        run: soak::run,
    },
    Step {
        name: "browser",
        about: "the demo page in a real browser",
        run: browser::run,
    },
    Step {
        name: "fuzz-smoke",
        about: "each fuzz target for a few seconds",
        run: fuzz::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let workspace = Workspace::locate();
    let (name, options) = match arguments.split_first() {
        Some((name, options)) => (name.as_str(), options),
        None => ("help", &[][..]),
    };
    match name {
        "help" | "-h" | "--help" => {
            print_help();
            ExitCode::SUCCESS
        }
        "report" => report::main(&workspace, options),
        "bench" if !options.is_empty() => bench::main(&workspace, options),
        "ci" if options.is_empty() => run_steps(&workspace, STEPS.iter()),
        "conformance" if !options.is_empty() => conformance::main(&workspace, options),
        "soak" => soak::main(&workspace, options),
        "hostile" if !options.is_empty() => hostile::main(&workspace, options),
        _ if options.is_empty() && STEPS.iter().any(|step| step.name == name) => {
            run_steps(&workspace, STEPS.iter().filter(|step| step.name == name))
        }
        _ => {
            eprintln!("xtask: cannot run {arguments:?}");
            print_help();
            ExitCode::from(2)
        }
    }
}

fn run_steps<'a>(workspace: &Workspace, steps: impl Iterator<Item = &'a Step>) -> ExitCode {
    let mut tally = Tally::default();
    for step in steps {
        tally.run(step, workspace);
    }
    tally.finish()
}

fn print_help() {
    println!("usage: cargo xtask <command>\n");
    println!("  {:<16} every step below, in this order", "ci");
    for step in STEPS {
        println!("  {:<16} {}", step.name, step.about);
    }
    println!(
        "  {:<16} which requirement is cited by which test",
        "report"
    );
    println!();
    println!(
        "conformance takes --face {{sync,async}}-{{server,client}}, --cases 6.4.3,7.*, --all (of compression too)"
    );
    println!(
        "soak takes a number of seconds (120 without it, {} in ci)",
        soak::CI_SECONDS
    );
    println!(
        "bench takes --peers: times the libraries side by side and writes benches/peers/REPORT.md; with it --fifo (real-time \
         precedence, as root), --scenarios S1,S9, --contenders, --rounds, .."
    );
    println!("hostile takes --peers: only what hostile clients cost, in full (--quick: in part)");
}
