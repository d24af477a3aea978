//! Judging a report of the suite: every case, both of its outcomes, and that all cases are there.

use std::collections::BTreeMap;
use std::fmt;

use crate::json::Json;
use crate::step::Failure;

/// The cases that may end in something other than OK, each with the outcome it must have.
#[derive(Debug)]
pub(super) struct Known(BTreeMap<String, String>);

impl Known {
    /// Reads the rows `| case | outcome | why |` of `KNOWN.md`.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let mut known = BTreeMap::new();
        for line in text.lines() {
            let cells: Vec<&str> = line
                .trim()
                .trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect();
            let &[case, outcome, why] = cells.as_slice() else {
                continue;
            };
            if !case.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            if why.is_empty() {
                return Err(Failure::new(format!("KNOWN.md: case {case} has no reason")));
            }
            known.insert(case.to_owned(), outcome.to_owned());
        }
        Ok(Self(known))
    }
}

/// The outcomes of one agent, by case.
#[derive(Debug)]
pub(super) struct Results(BTreeMap<String, Outcome>);

#[derive(Debug)]
struct Outcome {
    /// Whether the case itself came out as the RFC says.
    behavior: String,
    /// Whether the connection then ended as the RFC says.
    close: String,
    milliseconds: f64,
}

impl Results {
    pub(super) fn parse(text: &str, agent: &str) -> Result<Self, Failure> {
        let report = Json::parse(text).map_err(|error| format!("index.json: {error}"))?;
        let cases = report
            .get(agent)
            .ok_or_else(|| format!("index.json: the agent {agent} is not in the report"))?;
        let results = cases.members().iter().map(|(case, result)| {
            let outcome = Outcome {
                behavior: result.text("behavior").to_owned(),
                close: result.text("behaviorClose").to_owned(),
                milliseconds: result.number("duration").unwrap_or(0.0),
            };
            (case.clone(), outcome)
        });
        Ok(Self(results.collect()))
    }

    pub(super) fn cases(&self) -> usize {
        self.0.len()
    }

    /// What is wrong: nothing when every case is OK, or has just the outcome it is known for.
    pub(super) fn judge(&self, known: &Known, expected_cases: usize) -> Vec<String> {
        let mut findings = Vec::new();
        if self.cases() != expected_cases || expected_cases == 0 {
            findings.push(format!(
                "{} cases in the report, and not {expected_cases}: the run stopped half-way",
                self.cases()
            ));
        }
        for (case, outcome) in &self.0 {
            let expected = known.0.get(case).map_or("OK", String::as_str);
            if outcome.behavior != expected {
                findings.push(format!(
                    "{case} is {}, and not {expected}",
                    outcome.behavior
                ));
            }
            if !outcome.closed_well() {
                findings.push(format!("{case} closed badly: {}", outcome.close));
            }
        }
        findings
    }

    /// The row of the table in `conformance/README.md`.
    pub(super) fn row(&self, face: &str) -> String {
        format!(
            "| {face} | {} | {} | {} | {} | {} | {} |",
            self.cases(),
            self.count("OK"),
            self.count("INFORMATIONAL"),
            self.count("NON-STRICT"),
            self.failed(),
            self.badly_closed()
        )
    }

    fn count(&self, behavior: &str) -> usize {
        self.0
            .values()
            .filter(|outcome| outcome.behavior == behavior)
            .count()
    }

    fn failed(&self) -> usize {
        self.cases() - self.count("OK") - self.count("INFORMATIONAL") - self.count("NON-STRICT")
    }

    fn badly_closed(&self) -> usize {
        self.0
            .values()
            .filter(|outcome| !outcome.closed_well())
            .count()
    }
}

impl Outcome {
    fn closed_well(&self) -> bool {
        matches!(&*self.close, "OK" | "INFORMATIONAL")
    }
}

impl fmt::Display for Results {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds: f64 = self
            .0
            .values()
            .map(|outcome| outcome.milliseconds)
            .sum::<f64>()
            / 1000.0;
        write!(
            out,
            "{} cases: {} OK, {} INFORMATIONAL, {} NON-STRICT, {} FAILED, {} bad close ({seconds:.1} s)",
            self.cases(),
            self.count("OK"),
            self.count("INFORMATIONAL"),
            self.count("NON-STRICT"),
            self.failed(),
            self.badly_closed()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(cases: &[(&str, &str, &str)]) -> Results {
        let members: Vec<String> = cases
            .iter()
            .map(|(case, behavior, close)| {
                format!("\"{case}\": {{\"behavior\": \"{behavior}\", \"behaviorClose\": \"{close}\", \"duration\": 2}}")
            })
            .collect();
        Results::parse(&format!("{{\"us\": {{{}}}}}", members.join(",")), "us")
            .expect("this is a report")
    }

    fn known() -> Known {
        Known::parse(
            "| Case | Outcome | Why |\n|---|---|---|\n| 7.1.6 | INFORMATIONAL | always |\n",
        )
        .expect("this is a list")
    }

    #[test]
    fn all_ok_and_the_known_ones_pass() {
        let results = results(&[
            ("1.1.1", "OK", "OK"),
            ("7.1.6", "INFORMATIONAL", "INFORMATIONAL"),
        ]);
        assert!(results.judge(&known(), 2).is_empty());
        assert_eq!(
            results.row("sync-server"),
            "| sync-server | 2 | 1 | 1 | 0 | 0 | 0 |"
        );
    }

    #[test]
    fn every_other_outcome_is_a_finding() {
        for (behavior, close) in [
            ("FAILED", "OK"),
            ("NON-STRICT", "OK"),
            ("INFORMATIONAL", "OK"),
            ("UNIMPLEMENTED", "OK"),
            ("OK", "WRONG CODE"),
            ("OK", "FAILED BY CLIENT"),
            ("OK", "UNCLEAN"),
            ("", "OK"),
        ] {
            let findings = results(&[("1.1.1", behavior, close)]).judge(&known(), 1);
            assert_eq!(findings.len(), 1, "{behavior} {close}: {findings:?}");
        }
    }

    #[test]
    fn a_known_case_that_is_ok_now_is_a_finding() {
        let findings = results(&[("7.1.6", "OK", "OK")]).judge(&known(), 1);
        assert_eq!(findings, ["7.1.6 is OK, and not INFORMATIONAL"]);
    }

    #[test]
    fn a_run_that_stopped_half_way_is_a_finding() {
        let results = results(&[("1.1.1", "OK", "OK")]);
        assert_eq!(results.judge(&known(), 301).len(), 1);
        assert!(Results::parse("{}", "us").is_err());
        assert!(Results::parse("{", "us").is_err());
    }

    #[test]
    fn a_known_case_needs_a_reason() {
        assert!(Known::parse("| 7.1.6 | INFORMATIONAL | |").is_err());
    }
}
