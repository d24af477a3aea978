//! `cargo xtask tidy`: the rules of this project that can be read off its files.

mod arrows;
mod code;
mod packaging;
mod prose;

use crate::ledger::Ledger;
use crate::step::{Done, Failure, Verdict};
use crate::workspace::Workspace;

/// What one group of rules found.
#[derive(Default)]
pub(crate) struct Findings {
    /// How many things were looked at.
    checked: usize,
    /// What is wrong.
    wrong: Vec<String>,
    /// What is worth a look, and fails nothing.
    hints: Vec<String>,
}

impl Findings {
    fn wrong(&mut self, finding: impl Into<String>) {
        self.wrong.push(finding.into());
    }

    fn hint(&mut self, hint: impl Into<String>) {
        self.hints.push(hint.into());
    }

    /// One more thing was looked at, and it is wrong when there is a finding.
    fn check(&mut self, finding: Option<String>) {
        self.checked += 1;
        self.wrong.extend(finding);
    }
}

type Rules = fn(&Workspace, &mut Findings) -> Result<(), Failure>;

const GROUPS: &[(&str, Rules)] = &[
    ("dependency arrows", arrows::check),
    ("code", code::check),
    ("prose and links", prose::check),
    ("packaging", packaging::check),
    ("requirements", requirements),
];

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let mut all = Findings::default();
    for (name, rules) in GROUPS {
        let mut findings = Findings::default();
        if let Err(failure) = rules(workspace, &mut findings) {
            findings.wrong.extend_from_slice(failure.findings());
        }
        println!(
            "   {name}: {} checked, {} wrong",
            findings.checked,
            findings.wrong.len()
        );
        for hint in &findings.hints {
            println!("   hint: {hint}");
        }
        if findings.checked == 0 {
            findings.wrong(format!("{name}: nothing was checked"));
        }
        all.checked += findings.checked;
        all.wrong.append(&mut findings.wrong);
    }
    Failure::unless_empty(all.wrong)?;
    Done::checked(all.checked, "rules and files")
}

fn requirements(workspace: &Workspace, findings: &mut Findings) -> Result<(), Failure> {
    let mut ledger = Ledger::read(workspace)?;
    findings.checked = ledger.rows.len();
    findings.wrong.append(&mut ledger.findings);
    Ok(())
}
