//! `cargo xtask hostile`: the attack suite of `interop/attack` against the echo programs of both bindings, and what
//! hostile clients cost them and the demo.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::command;
use crate::examples;
use crate::setup;
use crate::step::{Done, Failure, Tally, Verdict};
use crate::workspace::Workspace;

/// All cases of one binding; they take about a minute.
const LIMIT: Duration = Duration::from_secs(400);

/// All hostile clients in full size; they take about two minutes.
const PEERS_LIMIT: Duration = Duration::from_secs(900);

/// How much of each hostile client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Full,
    Quick,
}

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let python = setup::interop_python(workspace)?;
    let logs = workspace.target_dir("hostile")?;
    let mut findings = Vec::new();
    let mut cases = 0;
    for binding in ["sync", "async"] {
        let server = examples::build_release(workspace, &format!("echo_server_{binding}"))?;
        let client = examples::build_release(workspace, &format!("echo_client_{binding}"))?;
        let mut attack = script(workspace, &python, "run.py");
        attack
            .arg("--server")
            .arg(server)
            .arg("--client")
            .arg(client);
        let log = logs.join(format!("{binding}.log"));
        let outcome = command::run_logged(&mut attack, &log, LIMIT)
            .and_then(|()| passed_cases(&std::fs::read_to_string(&log)?));
        match outcome {
            Ok(count) => {
                println!("   ws-{binding}: {count} cases");
                cases += count;
            }
            Err(failure) => {
                findings.push(format!("ws-{binding}: {}", failure.findings().join("\n")));
            }
        }
    }
    match peers(workspace, Size::Quick) {
        Ok(Done::Checked { count, .. }) => cases += count,
        Ok(Done::NotRun(reason)) => findings.push(reason),
        Err(failure) => findings.extend_from_slice(failure.findings()),
    }
    Failure::unless_empty(findings)?;
    Done::checked(cases, "cases")
}

/// The command with options of its own.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let size = match arguments.as_slice() {
        ["--peers"] => Size::Full,
        ["--peers", "--quick"] | ["--quick", "--peers"] => Size::Quick,
        _ => {
            eprintln!("xtask hostile: {arguments:?} is none of --peers, --peers --quick");
            return ExitCode::from(2);
        }
    };
    let mut tally = Tally::default();
    tally.run_named("hostile", "what hostile clients cost", || {
        peers(workspace, size)
    });
    tally.finish()
}

/// Prints the table of what each hostile client costs each server.
fn peers(workspace: &Workspace, size: Size) -> Verdict {
    let python = setup::interop_python(workspace)?;
    let log = workspace.target_dir("hostile")?.join("peers.log");
    let mut table = against_servers(workspace, &python, "hostile_peers.py")?;
    if size == Size::Quick {
        table.arg("--quick");
    }
    let outcome = command::run_logged(&mut table, &log, PEERS_LIMIT);
    let said = std::fs::read_to_string(&log)?;
    print!("{said}");
    outcome?;
    Done::checked(passed_cases(&said)?, "hostile clients")
}

/// A program of the attack suite that meets release builds of all three servers.
pub(crate) fn against_servers(
    workspace: &Workspace,
    python: &Path,
    name: &str,
) -> Result<Command, Failure> {
    let mut command = script(workspace, python, name);
    for binding in ["async", "sync"] {
        let server = examples::build_release(workspace, &format!("echo_server_{binding}"))?;
        command.arg(format!("--{binding}")).arg(server);
    }
    command.arg("--demo").arg(build_demo(workspace)?);
    Ok(command)
}

fn build_demo(workspace: &Workspace) -> Result<PathBuf, Failure> {
    command::run(workspace.cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "ws-demo",
    ]))?;
    Ok(workspace.build_dir().join("release/ws-demo"))
}

/// A program of the attack suite, which leaves no files of the interpreter's behind.
fn script(workspace: &Workspace, python: &Path, name: &str) -> Command {
    let mut script = Command::new(python);
    script
        .arg(workspace.path("interop/attack").join(name))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    script
}

/// The number in a program's last line, `3102 passed, 0 failed, 0 skipped`.
pub(crate) fn passed_cases(said: &str) -> Result<usize, Failure> {
    let last = said.lines().last().unwrap_or_default();
    last.strip_suffix(" passed, 0 failed, 0 skipped")
        .and_then(|count| count.parse().ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| Failure::new(format!("the attack ended with {last:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_the_last_line() {
        let count = passed_cases("10.8 s\n3102 passed, 0 failed, 0 skipped\n");
        assert_eq!(count.expect("all passed"), 3102);
        assert!(passed_cases("3101 passed, 1 failed, 0 skipped\n").is_err());
        assert!(passed_cases("3101 passed, 0 failed, 1 skipped\n").is_err());
        assert!(passed_cases("0 passed, 0 failed, 0 skipped\n").is_err());
        assert!(passed_cases("").is_err());
    }
}
