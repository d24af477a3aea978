//! Running other programs: with their output shown, kept, or written to a file, and never for ever.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::step::Failure;

/// How often a program that has a deadline is asked whether it has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Runs a program with its output shown; a status other than 0 is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| cannot_start(command, &error))?;
    expect_success(command, status)
}

/// Runs a program and returns its standard output; its standard error is part of a failure.
pub(crate) fn stdout_of(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| cannot_start(command, &error))?;
    expect_success(command, output.status).map_err(|failure| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        Failure::new(format!(
            "{}\n{}",
            failure.findings().join("\n"),
            last_lines(&stderr, 15)
        ))
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program with both its outputs in `log`; a failure shows the last lines of it. The
/// program is ended when it runs past `limit`.
pub(crate) fn run_logged(
    command: &mut Command,
    log: &Path,
    limit: Duration,
) -> Result<(), Failure> {
    let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let copy = file.try_clone()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .spawn()
        .map_err(|error| cannot_start(command, &error))?;
    let status = wait(&mut child, limit)?;
    let verdict = match status {
        Some(status) => expect_success(command, status),
        None => Err(Failure::new(format!(
            "{} ran past its {} s and was ended",
            shown(command),
            limit.as_secs()
        ))),
    };
    verdict.map_err(|failure| {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        Failure::new(format!(
            "{}; the end of {}:\n{}",
            failure.findings().join("\n"),
            log.display(),
            last_lines(&text, 15)
        ))
    })
}

/// Waits until a program has ended by itself, at most for `limit`; `None` when it had to be ended.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>, Failure> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Whether `program --version` (or the like) can be run, and the first line it prints.
pub(crate) fn version_of(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let begin = lines.len().saturating_sub(count);
    lines.get(begin..).unwrap_or_default().join("\n")
}

fn expect_success(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{}`: {status}", shown(command))))
    }
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!(
        "`{}` cannot be started: {error} (`cargo xtask setup` installs every tool)",
        shown(command)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_never_ends_is_ended() {
        let mut child = Command::new("sh")
            .args(["-c", "read line"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let status = wait(&mut child, Duration::ZERO).expect("the shell can be waited for");
        assert_eq!(status, None);
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let failure = stdout_of(Command::new("sh").args(["-c", "echo broken >&2; exit 3"]))
            .expect_err("the status is 3");
        let text = failure.findings().join("\n");
        assert!(
            text.contains("sh -c") && text.contains("broken") && text.contains('3'),
            "{text}"
        );
    }

    #[test]
    fn a_missing_program_is_a_failure_that_says_what_to_do() {
        let failure = run(&mut Command::new("no-such-program-anywhere"))
            .expect_err("there is no such program");
        assert!(failure.findings().join("\n").contains("cargo xtask setup"));
    }

    #[test]
    fn the_last_lines_are_the_last() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 5), "a");
    }
}
