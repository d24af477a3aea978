//! Instructions to decode a masked frame and to encode its echo, in memory, per message: the same for the same binary
//! on any machine, however busy. It runs itself under callgrind and prints a Markdown table.
//!
//! `cargo bench -p ws-benches --bench connection_instructions`
//!
//! To see where they go, take the path of the binary that cargo prints:
//! `valgrind --tool=callgrind BINARY 0 1000`, then `callgrind_annotate`; 0 is the number of the case, 1000 the reads.

mod counting;
mod echo;
mod frames;

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Counts what the connection does in `Echo::echo_lent`, and not the read buffer around it.
const ALONE: [&str; 2] = ["--collect-atstart=no", "--toggle-collect=*echo_lent*"];

/// Two runs that differ by this many reads differ by their instructions alone: starting up cancels out.
const READS: u64 = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [case, reads] => run(case, reads),
        // `cargo bench` says this; `cargo test` says something else or nothing.
        arguments if arguments.iter().any(|argument| argument == "--bench") => print_table(),
        _ => echo_each_case_once(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print_table() -> Result<()> {
    println!("| case | frames per read | instructions per message |");
    println!("|---|---:|---:|");
    for (number, case) in echo::CASES.iter().enumerate() {
        let options: &[&str] = if case.is_alone { &ALONE } else { &[] };
        let run =
            |reads: u64| counting::instructions(&[number.to_string(), reads.to_string()], options);
        let messages = READS * case.frames_per_read as u64;
        let per_message = run(2 * READS)?.saturating_sub(run(READS)?) / messages;
        println!(
            "| {} | {} | {per_message} |",
            case.name, case.frames_per_read
        );
    }
    Ok(())
}

/// What the child under callgrind does.
fn run(case: &str, reads: &str) -> Result<()> {
    let case = echo::CASES.get(case.parse::<usize>()?);
    let mut server = case.ok_or("there is no such case")?.server();
    for _ in 0..reads.parse::<u64>()? {
        black_box(server.turn());
    }
    Ok(())
}

fn echo_each_case_once() -> Result<()> {
    for case in &echo::CASES {
        // The constructor compares every byte.
        case.server();
    }
    Ok(())
}
