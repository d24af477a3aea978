//! A step of the list, what it may answer, and the count that is kept of the answers.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use crate::workspace::Workspace;

/// One named check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Workspace) -> Verdict,
}

/// What a step found.
pub(crate) type Verdict = Result<Done, Failure>;

/// A step that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// So many things were checked and all of them were right.
    Checked { count: usize, what: String },
    /// The step could not be done here. Only a step whose name says so may answer this
    /// (`advisories`, which needs a network); a missing tool is a [`Failure`].
    NotRun(String),
}

impl Done {
    /// `count` of `what` were checked. Nothing checked is a failure: a step that has lost its
    /// subject must not stay green.
    pub(crate) fn checked(count: usize, what: impl Into<String>) -> Verdict {
        let what = what.into();
        if count == 0 {
            return Err(Failure::new(format!("nothing was checked: 0 {what}")));
        }
        Ok(Self::Checked { count, what })
    }
}

/// Why a step failed: one line for each thing that was wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    findings: Vec<String>,
}

impl Failure {
    pub(crate) fn new(finding: impl Into<String>) -> Self {
        Self {
            findings: vec![finding.into()],
        }
    }

    /// `Ok` when there are no findings.
    pub(crate) fn unless_empty(findings: Vec<String>) -> Result<(), Self> {
        if findings.is_empty() {
            Ok(())
        } else {
            Err(Self { findings })
        }
    }

    pub(crate) fn findings(&self) -> &[String] {
        &self.findings
    }
}

impl From<String> for Failure {
    fn from(finding: String) -> Self {
        Self::new(finding)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// The count of a run, and the failures to repeat at its end.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    skipped: Vec<(&'static str, String)>,
    failed: Vec<(&'static str, Failure)>,
}

impl Tally {
    /// Runs one step and prints its result with its count and its time.
    pub(crate) fn run(&mut self, step: &Step, workspace: &Workspace) {
        self.run_named(step.name, step.about, || (step.run)(workspace));
    }

    /// The same for a check that takes more than the workspace.
    pub(crate) fn run_named(
        &mut self,
        name: &'static str,
        about: &str,
        check: impl FnOnce() -> Verdict,
    ) {
        println!("== {name}: {about}");
        let begun = Instant::now();
        let verdict = check();
        let seconds = begun.elapsed().as_secs_f64();
        match verdict {
            Ok(Done::Checked { count, what }) => {
                self.passed += 1;
                println!("-- {}: passed, {count} {what} ({seconds:.1} s)\n", name);
            }
            Ok(Done::NotRun(reason)) => {
                println!("-- NOT RUN {name}: {reason} ({seconds:.1} s)\n");
                self.skipped.push((name, reason));
            }
            Err(failure) => {
                println!("-- {}: FAILED ({seconds:.1} s)", name);
                print_findings(&failure);
                println!();
                self.failed.push((name, failure));
            }
        }
        // A reader of the log must see where a run stands that is ended from outside.
        if std::io::stdout().flush().is_err() {
            self.failed
                .push((name, Failure::new("standard output is gone")));
        }
    }

    /// Repeats what was not run and what failed, and prints the closing line.
    pub(crate) fn finish(&self) -> ExitCode {
        for (name, reason) in &self.skipped {
            println!("NOT RUN {name}: {reason}");
        }
        for (name, failure) in &self.failed {
            println!("FAILED {name}:");
            print_findings(failure);
        }
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed.len(),
            self.skipped.len()
        );
        if self.failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn print_findings(failure: &Failure) {
    for finding in failure.findings() {
        println!("   {finding}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_checked_nothing_fails() {
        assert!(Done::checked(0, "files").is_err());
        assert_eq!(
            Done::checked(2, "files").expect("two files were checked"),
            Done::Checked {
                count: 2,
                what: "files".to_owned()
            }
        );
    }

    #[test]
    fn findings_make_a_failure_and_no_findings_do_not() {
        assert!(Failure::unless_empty(Vec::new()).is_ok());
        let failure = Failure::unless_empty(vec!["a".to_owned(), "b".to_owned()])
            .expect_err("two findings are a failure");
        assert_eq!(failure.findings(), ["a", "b"]);
    }
}
