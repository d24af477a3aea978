//! `cargo xtask simulation-bites`: rules are taken out of a copy of the sources, one at a time, and the simulation of
//! two ends, or a model of a hand-over, has to notice each time. A test that nothing can make fail proves nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::command;
use crate::step::{Done, Failure, Verdict};
use crate::workspace::Workspace;

/// What building the bindings and their tests needs, apart from the manifests.
const COPIED: &[&str] = &[
    "crates/",
    "examples/",
    "benches/",
    "interop/rust/",
    "xtask/",
];
const MANIFESTS: &[&str] = &["Cargo.toml", "Cargo.lock"];

/// A build, and tests that may hang here and there on a clock of their own.
const LIMIT: Duration = Duration::from_secs(180);

/// How a failure of the simulation tells which seed it was, and how many were tried by then.
const SEED: &str = "WS_SIM_SEED=";
const TRIED: &str = " seeds failed";

/// A test that has to notice something.
struct Test {
    package: &'static str,
    target: &'static str,
    name: &'static str,
}

const SIMULATION: Test = Test {
    package: "ws-async",
    target: "simulation",
    name: "conversations_keep_their_promises",
};

/// The hand-over between tasks.
const TASKS: Test = Test {
    package: "ws-async",
    target: "handover_model",
    name: "nobody_sleeps_through_a_wake",
};

const TASKS_THAT_TAKE_OVER: Test = Test {
    name: "a_receiver_that_leaves_is_replaced",
    ..TASKS
};

/// The hand-over between threads.
const THREADS: Test = Test {
    package: "ws-sync",
    target: "handover_model",
    name: "nothing_is_left_lying",
};

const THREADS_AND_AN_ABORT: Test = Test {
    name: "an_abort_ends_whoever_waits",
    ..THREADS
};

/// What a deadlock of a model looks like.
const DEADLOCK: &str = "deadlock!";

/// A rule that is taken out.
struct Mutation {
    /// What is no longer so.
    name: &'static str,
    file: &'static str,
    /// Each of these occurs in the file exactly once.
    edits: &'static [(&'static str, &'static str)],
    test: Test,
    /// What the failure has to say: one for another reason proves nothing.
    sign: &'static str,
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "a sender polls the stream with its own waker and not with the one of all",
        file: "crates/ws-async/src/handover.rs",
        edits: &[(
            "self.with(|held, cx| operation(held, Visit { cx, receiver_waits }));",
            "self.with(|held, _| operation(held, Visit { cx, receiver_waits }));",
        )],
        test: SIMULATION,
        sign: "not over after",
    },
    Mutation {
        name: "a task goes to sleep although a wake has come while it tried",
        file: "crates/ws-async/src/handover.rs",
        edits: &[
            (
                "let may_wait = self.outlook() == seen;",
                "let may_wait = true;",
            ),
            ("if self.outlook() != seen {", "if false {"),
        ],
        test: TASKS,
        sign: DEADLOCK,
    },
    Mutation {
        name: "nobody is woken for what an operation has changed",
        file: "crates/ws-async/src/handover.rs",
        edits: &[("        if changed {", "        if false && changed {")],
        test: TASKS,
        sign: DEADLOCK,
    },
    Mutation {
        // Either would do: the stream knows the waker of all, and whoever leaves wakes the others.
        name: "a receiver that gives up takes the wake with it",
        file: "crates/ws-async/src/handover.rs",
        edits: &[
            (
                "if let Poll::Ready(result) = self.with(operation) {",
                "if let Poll::Ready(result) = self.with(|held, _| operation(held, cx)) {",
            ),
            (
                "        if self.waiters.forget_receiver() {",
                "        if self.waiters.forget_receiver() && false {",
            ),
        ],
        test: TASKS_THAT_TAKE_OVER,
        sign: DEADLOCK,
    },
    Mutation {
        name: "a sender is not told once its write got through while it looked aside",
        file: "crates/ws-async/src/driver/sending.rs",
        edits: &[("if self.is_out() || enough(self, cx) {", "if false {")],
        test: SIMULATION,
        sign: "not over after",
    },
    Mutation {
        name: "what is written, a Pong or anything else, is not flushed",
        file: "crates/ws-async/src/driver/transfer.rs",
        edits: &[(
            "        if self.unflushed {\n            ready!(self.poll_flush_stream(cx))?;",
            "        if false {\n            ready!(self.poll_flush_stream(cx))?;",
        )],
        test: SIMULATION,
        sign: "but it ends at",
    },
    Mutation {
        name: "the close deadline is put off by whatever arrives",
        file: "crates/ws-proto/src/keepalive.rs",
        edits: &[
            (
                "            if self.close_deadline == Time::NEVER {",
                "            if true {",
            ),
            (
                "return unarmed(self.close_deadline, self.close_timeout);",
                "return true;",
            ),
        ],
        test: SIMULATION,
        sign: "close took",
    },
    Mutation {
        name: "a silent peer has no deadline to answer a Ping",
        file: "crates/ws-proto/src/keepalive.rs",
        edits: &[(
            "self.pong_deadline = now.after(self.pong_timeout);",
            "self.pong_deadline = Time::NEVER;",
        )],
        test: SIMULATION,
        sign: "not over after",
    },
    Mutation {
        name: "an idle connection is not closed",
        file: "crates/ws-proto/src/keepalive.rs",
        edits: &[(
            "self.idle_deadline = now.after(self.idle_timeout);",
            "self.idle_deadline = Time::NEVER;",
        )],
        test: SIMULATION,
        sign: "not over after",
    },
    Mutation {
        name: "data may follow a Close frame",
        file: "crates/ws-proto/src/outbound.rs",
        edits: &[(
            "        if !self.is_open() {\n            return Err(SendError::Closed);\n        }\n        let overhead",
            "        if !self.is_open() && self.unfinished().is_some() {\n            return Err(SendError::Closed);\n        }\n        let overhead",
        )],
        test: SIMULATION,
        sign: "behind the Close",
    },
    Mutation {
        name: "a thread that writes leaves without looking at what was left to it",
        file: "crates/ws-sync/src/sending.rs",
        edits: &[(
            "let is_free = duty.is_none() || held.flushing > 1;",
            "let is_free = true;",
        )],
        test: THREADS,
        sign: DEADLOCK,
    },
    Mutation {
        name: "the end of a connection does not end the reads on it",
        file: "crates/ws-sync/src/handover.rs",
        edits: &[("_ = control.shutdown_both();", "drop(control);")],
        test: THREADS_AND_AN_ABORT,
        sign: DEADLOCK,
    },
];

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let copy = Copy::of(workspace)?;
    copy.expect_to_pass()?;
    println!("   with every rule in its place the tests pass");
    let mut findings = Vec::new();
    for (number, mutation) in MUTATIONS.iter().enumerate() {
        let began = Instant::now();
        let pristine = copy.apply(mutation)?;
        let outcome = copy.spoilt(&mutation.test, &format!("mutation-{}", number + 1));
        fs::write(copy.root.join(mutation.file), pristine)?;
        let Test { target, name, .. } = mutation.test;
        match evidence(outcome?.as_deref(), mutation.sign) {
            Ok(evidence) => {
                let seconds = began.elapsed().as_secs_f64();
                println!("   {}", mutation.name);
                println!("      caught by {target}, {name}: {evidence} ({seconds:.1} s)");
            }
            Err(why) => findings.push(format!("{}: {target}, {name} {why}", mutation.name)),
        }
    }
    Failure::unless_empty(findings)?;
    Done::checked(MUTATIONS.len(), "rules taken out, and each of them missed")
}

/// A copy of the sources, to be spoilt.
struct Copy {
    root: PathBuf,
    logs: PathBuf,
    build_dir: PathBuf,
}

impl Copy {
    fn of(workspace: &Workspace) -> Result<Self, Failure> {
        let logs = workspace.target_dir("simulation-bites")?;
        let root = logs.join("copy");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        for file in workspace.files()? {
            let is_needed = COPIED.iter().any(|folder| file.starts_with(folder));
            if is_needed || MANIFESTS.contains(&&*file) {
                let target = root.join(&file);
                if let Some(folder) = target.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::copy(workspace.path(&file), target)?;
            }
        }
        Ok(Self {
            root,
            logs,
            // What others have built of foreign crates is as good here.
            build_dir: workspace.build_dir(),
        })
    }

    /// Takes a rule out, and gives the file as it was.
    fn apply(&self, mutation: &Mutation) -> Result<String, Failure> {
        let path = self.root.join(mutation.file);
        let pristine = fs::read_to_string(&path)?;
        let spoilt = edited(&pristine, mutation)?;
        fs::write(path, spoilt)?;
        Ok(pristine)
    }

    /// All tests that are to fail later.
    fn expect_to_pass(&self) -> Result<(), Failure> {
        for Test { package, .. } in [SIMULATION, THREADS] {
            let mut cargo = self.cargo_test(package);
            cargo.arg("--no-run");
            let tests = MUTATIONS.iter().map(|mutation| &mutation.test);
            let targets: BTreeSet<_> = tests
                .filter(|test| test.package == package)
                .map(|test| test.target)
                .collect();
            for target in targets {
                cargo.args(["--test", target]);
            }
            self.log(&mut cargo, &format!("build-{package}"))?;
        }
        let mut passed = Vec::new();
        for Mutation { test, .. } in MUTATIONS {
            if !passed.contains(&test.name) {
                self.log(&mut self.only(test), &format!("unchanged-{}", test.name))?;
                passed.push(test.name);
            }
        }
        Ok(())
    }

    /// What a test has to say when a rule is missing; nothing if it passes.
    fn spoilt(&self, test: &Test, name: &str) -> Result<Option<String>, Failure> {
        // What does not compile breaks no rule.
        self.log(self.target(test).arg("--no-run"), name)?;
        let mut cargo = self.only(test);
        cargo.env("WS_SIM_FAILURES", "1");
        match self.log(&mut cargo, name) {
            Ok(()) => Ok(None),
            Err(_) => Ok(Some(fs::read_to_string(self.log_path(name))?)),
        }
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    fn log(&self, cargo: &mut Command, name: &str) -> Result<(), Failure> {
        command::run_logged(cargo, &self.log_path(name), LIMIT)
    }

    fn only(&self, test: &Test) -> Command {
        let mut cargo = self.target(test);
        cargo.args(["--", "--exact", test.name]);
        cargo
    }

    fn target(&self, test: &Test) -> Command {
        let mut cargo = self.cargo_test(test.package);
        cargo.args(["--test", test.target]);
        cargo
    }

    fn cargo_test(&self, package: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.build_dir)
            .env("RUST_BACKTRACE", "0")
            .env_remove("WS_SIM_SEED")
            .env_remove("WS_SIM_SEEDS")
            .args(["test", "--quiet", "--locked", "--package", package]);
        cargo
    }
}

/// The text with the rule taken out. A pattern that is not found was rewritten since: this list has to follow.
fn edited(text: &str, mutation: &Mutation) -> Result<String, Failure> {
    let mut text = text.to_owned();
    for (old, new) in mutation.edits {
        let count = text.matches(old).count();
        if count != 1 {
            let file = mutation.file;
            return Err(Failure::new(format!(
                "{file} has {count} times, and not once: {old}"
            )));
        }
        text = text.replacen(old, new, 1);
    }
    Ok(text)
}

/// How a test has noticed; fails if it has not, or has something else to say.
fn evidence(log: Option<&str>, sign: &str) -> Result<String, String> {
    let log = log.ok_or("did not notice")?;
    if !log.contains(sign) {
        return Err(format!("fails, and says nothing of: {sign}"));
    }
    match (number_before(log, TRIED), number_after(log, SEED)) {
        (Some(tried), Some(seed)) => Ok(format!("seed {seed}, of {tried} tried; {sign}")),
        _ => Ok(sign.to_owned()),
    }
}

fn number_after(text: &str, mark: &str) -> Option<u64> {
    let (_, rest) = text.split_once(mark)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn number_before(text: &str, mark: &str) -> Option<u64> {
    let (rest, _) = text.split_once(mark)?;
    rest.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_is_in_its_file_once() {
        let workspace = Workspace::locate();
        for mutation in MUTATIONS {
            let text = workspace.read(mutation.file).expect("the file is there");
            let spoilt = edited(&text, mutation).expect(mutation.name);
            assert_ne!(spoilt, text);
        }
    }

    #[test]
    fn only_the_expected_failure_is_evidence() {
        let log = "1 of 18 seeds failed. not over after 3 s\nWS_SIM_SEED=17 cargo test";
        let found = evidence(Some(log), "not over");
        assert_eq!(found.as_deref(), Ok("seed 17, of 18 tried; not over"));
        let found = evidence(Some("\ndeadlock! blocked: []\n"), DEADLOCK);
        assert_eq!(found.as_deref(), Ok(DEADLOCK));
        assert!(evidence(Some("a panic"), DEADLOCK).is_err());
        assert!(evidence(None, DEADLOCK).is_err());
    }
}
