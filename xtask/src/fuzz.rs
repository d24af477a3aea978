//! `cargo xtask fuzz-smoke`: each fuzz target for a few seconds, from its committed corpus.

use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::command;
use crate::step::{Done, Failure, Verdict};
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// How long each target runs.
const SECONDS_PER_TARGET: u64 = 15;
/// A run that ends late hangs.
const RUN_LIMIT: Duration = Duration::from_secs(SECONDS_PER_TARGET + 60);
/// The first build compiles the fuzzer's runtime too.
const BUILD_LIMIT: Duration = Duration::from_secs(900);
/// An input that takes longer than this is a hang, in seconds.
const INPUT_LIMIT: u64 = 5;

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let targets = targets(workspace)?;
    let logs = workspace.target_dir("fuzz-smoke")?;
    let toolchain = Toolchain::choose();
    println!("   {} targets, {toolchain:?}", targets.len());
    command::run_logged(
        cargo_fuzz(workspace, &toolchain).arg("build"),
        &logs.join("build.log"),
        BUILD_LIMIT,
    )?;
    let mut findings = Vec::new();
    // A fuzzer keeps one core busy, and the smallest machine this runs on has two.
    for pair in targets.chunks(2) {
        let results: Vec<_> = thread::scope(|scope| {
            let runs: Vec<_> = pair
                .iter()
                .map(|target| scope.spawn(|| smoke(workspace, &toolchain, target)))
                .collect();
            runs.into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect()
        });
        for (target, result) in pair.iter().zip(results) {
            match result {
                Ok(Ok(executed)) => println!("   {target}: {executed} inputs"),
                Ok(Err(failure)) => {
                    findings.push(format!("{target}: {}", failure.findings().join("\n")));
                }
                Err(_) => findings.push(format!("{target}: the thread that ran it panicked")),
            }
        }
    }
    Failure::unless_empty(findings)?;
    Done::checked(
        targets.len(),
        format!("fuzz targets, {SECONDS_PER_TARGET} s each"),
    )
}

/// Runs one target and says how many inputs it tried.
fn smoke(workspace: &Workspace, toolchain: &Toolchain, target: &str) -> Result<u64, Failure> {
    // New inputs go to a folder under `target`: a smoke run must not change the work tree.
    let found = workspace.target_dir(&format!("fuzz-smoke/corpus/{target}"))?;
    let log = workspace
        .target_dir("fuzz-smoke")?
        .join(format!("{target}.log"));
    command::run_logged(
        cargo_fuzz(workspace, toolchain)
            .args(["run", target])
            .arg(&found)
            .arg(format!("corpus/{target}"))
            .arg("--")
            .arg(format!("-max_total_time={SECONDS_PER_TARGET}"))
            .arg(format!("-timeout={INPUT_LIMIT}"))
            .arg("-print_final_stats=1"),
        &log,
        RUN_LIMIT,
    )?;
    executed_units(&std::fs::read_to_string(&log)?)
        .filter(|executed| *executed > 0)
        .ok_or_else(|| Failure::new(format!("no input was run, see {}", log.display())))
}

/// The names of the targets, from the fuzzer's own manifest.
pub(crate) fn targets(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    Ok(targets_in(&workspace.read("fuzz/Cargo.toml")?))
}

fn targets_in(manifest: &str) -> Vec<String> {
    let mut in_target = false;
    let mut targets = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            in_target = line == "[[bin]]";
        } else if let Some((key, value)) = line.split_once('=')
            && in_target
            && key.trim() == "name"
        {
            targets.push(value.trim().trim_matches('"').to_owned());
        }
    }
    targets
}

fn cargo_fuzz(workspace: &Workspace, toolchain: &Toolchain) -> Command {
    let mut command = toolchain.cargo(workspace);
    command.current_dir(workspace.path("fuzz")).arg("fuzz");
    command
}

/// The number of inputs that the fuzzer says it has run.
fn executed_units(log: &str) -> Option<u64> {
    log.lines()
        .find_map(|line| line.trim().strip_prefix("stat::number_of_executed_units:"))
        .and_then(|number| number.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_programs_of_the_manifest() {
        let manifest = "[package]\nname = \"fuzz\"\n\n[[bin]]\nname = \"frame_decode\"\npath = \"a.rs\"\n[[bin]]\npath = \"b.rs\"\nname=\"mask\"\n[dependencies]\nname = \"1\"\n";
        assert_eq!(targets_in(manifest), ["frame_decode", "mask"]);
    }

    #[test]
    fn the_count_of_inputs_is_read_from_the_log() {
        let log = "#5 DONE\nstat::number_of_executed_units: 4711\nstat::peak_rss_mb: 40\n";
        assert_eq!(executed_units(log), Some(4711));
        assert_eq!(executed_units("Done"), None);
    }
}
