//! `cargo xtask report`: which requirement is cited by which test, and which by none.

use std::collections::BTreeMap;
use std::process::ExitCode;

use crate::ledger::{Ledger, RowId};
use crate::step::Failure;
use crate::workspace::Workspace;

pub(crate) fn main(workspace: &Workspace, options: &[String]) -> ExitCode {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let result = match options.as_slice() {
        [] => Ledger::read(workspace).map(|ledger| print_all(&ledger)),
        ["--summary"] => Ledger::read(workspace).map(|ledger| print_summary(&ledger)),
        _ => Err(Failure::new("report takes --summary or nothing")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask report: {}", failure.findings().join("\n"));
            ExitCode::FAILURE
        }
    }
}

fn print_all(ledger: &Ledger) {
    println!("Cited rows:");
    for (row, citations) in &ledger.cited {
        let mut tests: Vec<String> = citations
            .iter()
            .map(|citation| match &*citation.test {
                "" => citation.file.clone(),
                test => format!("{} ({})", test, citation.file),
            })
            .collect();
        tests.sort();
        tests.dedup();
        println!(
            "  {row}  {}",
            ledger.rows.get(row).map_or("", String::as_str)
        );
        for test in tests {
            println!("        {test}");
        }
    }
    println!("\nRows with a reason instead of a test:");
    for (row, reason) in &ledger.untested {
        println!("  {row}  {reason}");
    }
    println!("\nRows with neither:");
    for row in ledger.binding_rows().filter(|row| is_open(ledger, row)) {
        println!(
            "  {row}  {}",
            ledger.rows.get(row).map_or("", String::as_str)
        );
    }
    println!();
    print_summary(ledger);
}

/// One line for each part, and one for the sum of the binding parts.
fn print_summary(ledger: &Ledger) {
    #[derive(Default)]
    struct Count {
        rows: usize,
        cited: usize,
        reason: usize,
        open: usize,
    }
    let mut parts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut sum = Count::default();
    let count = |count: &mut Count, row: &RowId, binding: bool| {
        count.rows += 1;
        count.cited += usize::from(ledger.cited.contains_key(row));
        count.reason += usize::from(ledger.untested.contains_key(row));
        count.open += usize::from(binding && is_open(ledger, row));
    };
    for row in ledger.rows.keys() {
        let binding = ledger.binding_rows().any(|found| found == row);
        count(parts.entry(&row.part).or_default(), row, binding);
        if binding {
            count(&mut sum, row, binding);
        }
    }
    println!("part   rows  cited  reason  open");
    for (
        part,
        Count {
            rows,
            cited,
            reason,
            open,
        },
    ) in &parts
    {
        println!("{part:<5} {rows:>5} {cited:>6} {reason:>7} {open:>5}");
    }
    println!(
        "binding rows: {}, cited by a test: {}, with a reason: {}, open: {}",
        sum.rows, sum.cited, sum.reason, sum.open
    );
}

fn is_open(ledger: &Ledger, row: &RowId) -> bool {
    !ledger.cited.contains_key(row) && !ledger.untested.contains_key(row)
}
