//! `cargo xtask hostile`: the attack suite of `interop/attack` against the echo programs of both bindings.

use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::examples;
use crate::setup;
use crate::step::{Done, Failure, Verdict};
use crate::workspace::Workspace;

/// All cases of one binding; they take about a minute.
const LIMIT: Duration = Duration::from_secs(400);

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let python = setup::interop_python(workspace)?;
    let logs = workspace.target_dir("hostile")?;
    let mut findings = Vec::new();
    let mut cases = 0;
    for binding in ["sync", "async"] {
        let server = examples::build_release(workspace, &format!("echo_server_{binding}"))?;
        let client = examples::build_release(workspace, &format!("echo_client_{binding}"))?;
        let log = logs.join(format!("{binding}.log"));
        let mut attack = Command::new(&python);
        attack
            .arg(workspace.path("interop/attack/run.py"))
            .arg("--server")
            .arg(server)
            .arg("--client")
            .arg(client)
            .env("PYTHONDONTWRITEBYTECODE", "1");
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
    Failure::unless_empty(findings)?;
    Done::checked(cases, "cases")
}

/// The number in the suite's last line, `3102 passed, 0 failed, 0 skipped`.
fn passed_cases(said: &str) -> Result<usize, Failure> {
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
