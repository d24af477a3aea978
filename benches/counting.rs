//! What a benchmark costs in instructions: it runs itself under callgrind.

use std::error::Error;
use std::process::Command;

/// The instructions of this program with these `arguments`, with callgrind's own `options`.
pub(crate) fn instructions(
    arguments: &[String],
    options: &[&str],
) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(options)
        .arg(std::env::current_exe()?)
        .args(arguments)
        .output()
        .map_err(|error| format!("valgrind did not start: {error}"))?;
    let report = String::from_utf8(output.stderr)?;
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .ok_or_else(|| format!("no count in what valgrind said:\n{report}"))?;
    Ok(collected.1.trim().parse()?)
}
