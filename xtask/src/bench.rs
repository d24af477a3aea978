//! `cargo xtask bench --peers`: every contender of `benches/peers` against the same load, and the report of it that
//! stands beside them.

use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::command;
use crate::step::{Done, Failure, Tally, Verdict};
use crate::workspace::Workspace;

const MANIFEST: &str = "benches/peers/Cargo.toml";
const FOLDER: &str = "benches/peers/";
const LOCK: &str = "benches/peers/Cargo.lock";
const REPORT: &str = "benches/peers/REPORT.md";

/// All scenarios take about twenty minutes at the rounds that are the default, builds included.
const LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

/// The priority among real-time processes that `--fifo` asks for: above those that have none, below the kernel's own.
const FIFO_PRIORITY: &str = "2";

/// What is measured, or is below it, by its name in the lock file.
const MEASURED: &[&str] = &[
    "fastwebsockets",
    "hyper",
    "sockudo-ws",
    "soketto",
    "tokio",
    "tokio-tungstenite",
    "tokio-websockets",
    "tungstenite",
    "web-socket",
    "wtx",
    "yawc",
];

/// The command, with what comes after `bench`.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> ExitCode {
    let Some(("--peers", rest)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    else {
        eprintln!("xtask bench: {arguments:?} does not begin with --peers");
        return ExitCode::from(2);
    };
    let run = Run::new(rest);
    let mut tally = Tally::default();
    tally.run_named("bench", "echo servers side by side", || {
        side_by_side(workspace, &run)
    });
    tally.finish()
}

/// The step of the list: every contender compiles against the libraries as they are, clippy has nothing to say, and the
/// driver makes right tables of made-up rounds. It does not run the contenders' correctness pass, for which all of them are
/// built with fat LTO, each by itself; that takes minutes.
pub(crate) fn run(workspace: &Workspace) -> Verdict {
    command::run(workspace.cargo().args([
        "clippy",
        "--quiet",
        "--locked",
        "--workspace",
        "--all-targets",
        "--manifest-path",
        MANIFEST,
        "--",
        "-D",
        "warnings",
    ]))?;
    command::run(workspace.cargo().args([
        "test",
        "--quiet",
        "--locked",
        "--package",
        "peers-driver",
        "--manifest-path",
        MANIFEST,
    ]))?;
    let manifests = workspace
        .files()?
        .iter()
        .filter(|file| file.starts_with(FOLDER) && file.ends_with("/Cargo.toml"))
        .count();
    Done::checked(manifests, "packages")
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// Precedence over all that is not real-time, for the servers and the load alike.
    fifo: bool,
    /// Nothing is run.
    build_only: bool,
    /// Nothing is timed, so there is no report.
    verify_only: bool,
    /// For the driver.
    passed_on: Vec<String>,
}

impl Run {
    fn new(arguments: &[String]) -> Self {
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        Self {
            fifo: has("--fifo"),
            build_only: has("--build-only"),
            verify_only: has("--verify-only"),
            passed_on: arguments
                .iter()
                .filter(|argument| *argument != "--fifo")
                .cloned()
                .collect(),
        }
    }

    /// The command as it has to be typed again.
    fn shown(&self) -> String {
        let mut text = "cargo xtask bench --peers".to_owned();
        let fifo = self.fifo.then_some("--fifo");
        for argument in fifo
            .into_iter()
            .chain(self.passed_on.iter().map(String::as_str))
        {
            text.push(' ');
            text.push_str(argument);
        }
        text
    }
}

fn side_by_side(workspace: &Workspace, run: &Run) -> Verdict {
    // Builds have no precedence: they would take the machine away from everybody else.
    let driver = build(workspace, run)?;
    if run.build_only {
        return Done::checked(1, "build");
    }
    let mut measure = if run.fifo {
        let mut chrt = Command::new("chrt");
        chrt.args(["--fifo", FIFO_PRIORITY]).arg(driver);
        chrt
    } else {
        Command::new(driver)
    };
    measure.args(&run.passed_on).arg("--no-build");
    if run.verify_only {
        command::run(&mut measure)?;
        return Done::checked(1, "correctness pass");
    }
    let heading = heading(workspace, run)?;
    let tables = tables(workspace, &mut measure)?;
    let report = format!("{heading}{tables}");
    std::fs::write(workspace.path(REPORT), &report)?;
    println!("{report}");
    println!("   the report: {REPORT}");
    Done::checked(scenarios(&tables), "scenarios")
}

/// Builds the driver, and lets it build the contenders: it knows which are wanted.
fn build(workspace: &Workspace, run: &Run) -> Result<PathBuf, Failure> {
    command::run(workspace.cargo().args([
        "build",
        "--quiet",
        "--release",
        "--manifest-path",
        MANIFEST,
        "--package",
        "peers-driver",
    ]))?;
    let folder = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace.root().join(folder),
        None => workspace.path("benches/peers/target"),
    };
    let driver = folder.join("release/peers-driver");
    let mut contenders = Command::new(&driver);
    contenders.args(&run.passed_on).arg("--build-only");
    if let Some(cargo) = std::env::var_os("CARGO") {
        contenders.env("CARGO", cargo);
    }
    command::run(contenders.current_dir(workspace.root()))?;
    Ok(driver)
}

/// Runs the driver to its end, its progress shown; returns the Markdown it prints.
fn tables(workspace: &Workspace, measure: &mut Command) -> Result<String, Failure> {
    let path = workspace.target_dir("bench")?.join("tables.md");
    let mut child = measure
        .stdin(Stdio::null())
        .stdout(File::create(&path)?)
        .spawn()
        .map_err(|error| format!("`{}` cannot be started: {error}", command::shown(measure)))?;
    match command::wait(&mut child, LIMIT)? {
        Some(status) if status.success() => Ok(std::fs::read_to_string(path)?),
        Some(status) => Err(Failure::new(format!(
            "`{}`: {status}",
            command::shown(measure)
        ))),
        None => Err(Failure::new(format!(
            "`{}` ran past its {} s and was ended",
            command::shown(measure),
            LIMIT.as_secs()
        ))),
    }
}

/// How many there are tables of: the heading of each begins with its name, `S1`.
fn scenarios(tables: &str) -> usize {
    let names = tables.lines().filter_map(|line| line.strip_prefix("## S"));
    names
        .filter(|name| name.starts_with(|letter: char| letter.is_ascii_digit()))
        .count()
}

/// What has to be known about a run before its figures mean anything.
fn heading(workspace: &Workspace, run: &Run) -> Result<String, Failure> {
    let processors = std::fs::read_to_string("/proc/cpuinfo")?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let precedence = match run.fifo {
        true => format!("real-time, FIFO {FIFO_PRIORITY}, for servers and load"),
        false => "none".to_owned(),
    };
    let rows = [
        ("date", today()?),
        ("commit", commit(workspace)?),
        ("machine", machine(&processors)),
        ("kernel", format!("Linux {}", kernel.trim())),
        (
            "compiler",
            command::version_of("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
        ),
        ("precedence", precedence),
        ("peers", versions(&workspace.read(LOCK)?)?),
    ];
    let mut text = format!(
        "# Side by side: a report\n\nMade by `{}`; what is measured, and how: [README](README.md).\n\n| | |\n|---|---|\n",
        run.shown()
    );
    for (name, value) in rows {
        // Writing to a string cannot fail.
        _ = writeln!(text, "| {name} | {value} |");
    }
    Ok(text)
}

/// The commit, and whether there is more than that in the folder.
fn commit(workspace: &Workspace) -> Result<String, Failure> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        command::stdout_of(git.current_dir(workspace.root()).args(arguments))
    };
    let hash = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--", ".", &format!(":!{REPORT}")])?;
    let more = match changes.trim().is_empty() {
        true => "",
        false => ", with changes that are in no commit",
    };
    Ok(format!("{}{more}", hash.trim()))
}

/// The first processor's name, and how many there are, from `/proc/cpuinfo`.
fn machine(processors: &str) -> String {
    let value = |name: &str| {
        processors.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            (field.trim() == name).then(|| value.trim().to_owned())
        })
    };
    let count = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let name = value("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{name}, {count} processors")
}

/// The names and versions of what is measured, from the lock file.
fn versions(lock: &str) -> Result<String, Failure> {
    let mut found = Vec::new();
    for name in MEASURED {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let version = lock
            .split_once(&entry)
            .and_then(|(_, rest)| rest.split('"').next())
            .ok_or_else(|| format!("{LOCK} has no {name}"))?;
        found.push(format!("{name} {version}"));
    }
    Ok(found.join(", "))
}

/// Today, in UTC.
fn today() -> Result<String, Failure> {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|error| Failure::new(error.to_string()))?;
    Ok(date(since_1970.as_secs() / 86_400))
}

/// The Gregorian date so many days after 1970-01-01.
fn date(days: u64) -> String {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut left) = (1970, days);
    loop {
        let len = if is_leap(year) { 366 } else { 365 };
        if left < len {
            break;
        }
        left -= len;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for len in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < len {
            break;
        }
        left -= len;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Run {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Run::new(&arguments)
    }

    #[test]
    fn precedence_is_taken_only_when_asked_for_and_everything_else_is_passed_on() {
        let plain = run(&["--scenarios", "S1", "--rounds", "7"]);
        assert!(!plain.fifo && !plain.verify_only);
        assert_eq!(plain.passed_on, ["--scenarios", "S1", "--rounds", "7"]);
        assert_eq!(
            plain.shown(),
            "cargo xtask bench --peers --scenarios S1 --rounds 7"
        );
        let fifo = run(&["--rounds", "7", "--fifo"]);
        assert!(fifo.fifo);
        assert_eq!(fifo.passed_on, ["--rounds", "7"]);
        assert_eq!(fifo.shown(), "cargo xtask bench --peers --fifo --rounds 7");
        assert!(run(&["--verify-only"]).verify_only);
        assert!(run(&["--build-only"]).build_only);
    }

    #[test]
    fn scenarios_are_the_headings_that_begin_with_a_name() {
        let tables =
            "\n## Server CPU time\n\n## S1 125 B binary\n\n| S2 |\n\n## S8a 1 KiB of JSON\n";
        assert_eq!(scenarios(tables), 2);
        assert_eq!(scenarios(""), 0);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(59), "1970-03-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(20_453), "2025-12-31");
    }

    #[test]
    fn every_peer_has_a_version_in_the_lock_file() {
        let lock = Workspace::locate().read(LOCK).expect("it can be read");
        let versions = versions(&lock).expect("all of them are there");
        assert_eq!(versions.split(", ").count(), MEASURED.len(), "{versions}");
        assert!(super::versions("").is_err());
    }

    #[test]
    fn a_machine_is_known_by_its_processors() {
        let text =
            "processor\t: 0\nmodel name\t: Some CPU\nprocessor\t: 1\nmodel name\t: Some CPU\n";
        assert_eq!(machine(text), "Some CPU, 2 processors");
        let unnamed = format!("{}, 0 processors", std::env::consts::ARCH);
        assert_eq!(machine(""), unnamed);
    }
}
