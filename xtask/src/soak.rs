//! `cargo xtask soak`: good and hostile clients at random against all servers at once, for a while.

use std::process::ExitCode;
use std::time::Duration;

use crate::command;
use crate::hostile;
use crate::setup;
use crate::step::{Done, Tally, Verdict};
use crate::workspace::Workspace;

/// For how long clients come in `cargo xtask ci`.
pub(crate) const CI_SECONDS: u32 = 10;

/// For how long they come when nobody says.
const SECONDS: u32 = 120;

/// What may come on top of that: the first clients, deadlines that have to pass, and a busy machine.
const MARGIN: Duration = Duration::from_secs(240);

/// The step of the list.
pub(crate) fn run(workspace: &Workspace) -> Verdict {
    soak(workspace, CI_SECONDS)
}

/// The command, with the number of seconds.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> ExitCode {
    let Some(seconds) = seconds(arguments) else {
        eprintln!("xtask soak: {arguments:?} is no number of seconds");
        return ExitCode::from(2);
    };
    let mut tally = Tally::default();
    tally.run_named("soak", "what many clients leave behind", || {
        soak(workspace, seconds)
    });
    tally.finish()
}

fn seconds(arguments: &[String]) -> Option<u32> {
    match arguments {
        [] => Some(SECONDS),
        [seconds] => seconds.parse().ok().filter(|seconds| *seconds > 0),
        _ => None,
    }
}

fn soak(workspace: &Workspace, seconds: u32) -> Verdict {
    let python = setup::interop_python(workspace)?;
    let log = workspace.target_dir("hostile")?.join("soak.log");
    let mut clients = hostile::against_servers(workspace, &python, "soak.py")?;
    clients.args(["--seconds", &seconds.to_string()]);
    // The clients of the warm-up come for less than half of the time.
    let limit = Duration::from_secs(u64::from(seconds) * 3 / 2) + MARGIN;
    let outcome = command::run_logged(&mut clients, &log, limit);
    let said = std::fs::read_to_string(&log)?;
    print!("{said}");
    outcome?;
    Done::checked(hostile::passed_cases(&said)?, "clients came and went")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_two_minutes_or_what_is_asked_for() {
        let asked = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            seconds(&arguments)
        };
        assert_eq!(asked(&[]), Some(120));
        assert_eq!(asked(&["600"]), Some(600));
        assert_eq!(asked(&["0"]), None);
        assert_eq!(asked(&["long"]), None);
        assert_eq!(asked(&["1", "2"]), None);
    }
}
