//! The ledger of requirements: every row of `conformance/REQUIREMENTS.md`, the tests that cite it
//! as `spec: F-06, CC-18` in a comment, and the reasons in `conformance/UNTESTED.md` for the rows
//! that no test cites.

use std::collections::{BTreeMap, BTreeSet};

use crate::source;
use crate::step::Failure;
use crate::workspace::Workspace;

pub(crate) const REQUIREMENTS: &str = "conformance/REQUIREMENTS.md";
pub(crate) const UNTESTED: &str = "conformance/UNTESTED.md";

/// Rows of these parts must be cited by a test or have a reason. Rows of every other part (byte
/// vectors, security aims, browser facts and the like) may be cited and need not be.
const BINDING_PARTS: &[&str] = &[
    "F", "M", "G", "C", "U", "H", "K", "X", "P", "CC", "CU", "PN", "PR", "PA", "PM",
];

/// How far above its function the comment with a citation may stand, in lines.
const LINES_ABOVE_FUNCTION: usize = 12;

/// Everything known about the rows.
pub(crate) struct Ledger {
    /// Title by row.
    pub(crate) rows: BTreeMap<RowId, String>,
    /// Citations in tests, by row.
    pub(crate) cited: BTreeMap<RowId, Vec<Citation>>,
    /// Reason by row, for rows that no test cites.
    pub(crate) untested: BTreeMap<RowId, String>,
    /// What is wrong with the ledger itself.
    pub(crate) findings: Vec<String>,
}

impl Ledger {
    pub(crate) fn read(workspace: &Workspace) -> Result<Self, Failure> {
        let mut ledger = Self {
            rows: BTreeMap::new(),
            cited: BTreeMap::new(),
            untested: BTreeMap::new(),
            findings: Vec::new(),
        };
        for (id, cells) in table_rows(&workspace.read(REQUIREMENTS)?) {
            let title = cells.last().cloned().unwrap_or_default();
            match parse_list(&id).as_deref() {
                Ok([Cited::One(row)]) if !title.is_empty() => {
                    if ledger.rows.insert(row.clone(), title).is_some() {
                        ledger
                            .findings
                            .push(format!("{REQUIREMENTS}: {row} stands twice"));
                    }
                }
                _ => ledger
                    .findings
                    .push(format!("{REQUIREMENTS}: {id:?} is no row with a title")),
            }
        }
        ledger.read_untested(&workspace.read(UNTESTED)?);
        for file in workspace.files()? {
            if may_cite(&file) {
                let text = workspace.read(&file)?;
                ledger.read_citations(&file, &text);
            }
        }
        ledger.compare();
        Ok(ledger)
    }

    /// Rows that must be cited or excused.
    pub(crate) fn binding_rows(&self) -> impl Iterator<Item = &RowId> {
        self.rows.keys().filter(|row| row.is_binding())
    }

    fn read_untested(&mut self, text: &str) {
        for (ids, cells) in table_rows(text) {
            let reason = cells.last().cloned().unwrap_or_default();
            let list = match parse_list(&ids) {
                Ok(list) if !reason.is_empty() => list,
                _ => {
                    self.findings
                        .push(format!("{UNTESTED}: {ids:?} are no rows with a reason"));
                    continue;
                }
            };
            for row in self.expand(UNTESTED, 0, &list) {
                if self.untested.insert(row.clone(), reason.clone()).is_some() {
                    self.findings
                        .push(format!("{UNTESTED}: {row} stands twice"));
                }
            }
        }
    }

    fn read_citations(&mut self, file: &str, text: &str) {
        let code = source::code_of(text);
        let tests_from = if source::is_test_file(file) {
            Some(0)
        } else {
            source::tests_begin(&code)
        };
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(first) = citation_in(line) else {
                continue;
            };
            let list = match parse_list(&joined(first, lines.get(number + 1..).unwrap_or_default()))
            {
                Ok(list) => list,
                Err(problem) => {
                    self.findings
                        .push(format!("{file}:{}: {problem}", number + 1));
                    continue;
                }
            };
            let rows = self.expand(file, number + 1, &list);
            // A citation beside the code that enforces a rule is welcome, and proves nothing.
            if tests_from.is_none_or(|begin| number < begin) {
                continue;
            }
            for row in rows {
                self.cited.entry(row).or_default().push(Citation {
                    file: file.to_owned(),
                    test: function_near(&lines, number),
                });
            }
        }
    }

    /// The rows that a list names. A range names the rows that exist between its ends.
    fn expand(&mut self, file: &str, line: usize, list: &[Cited]) -> Vec<RowId> {
        let mut rows = Vec::new();
        let place = if line == 0 {
            file.to_owned()
        } else {
            format!("{file}:{line}")
        };
        for cited in list {
            let (first, last) = match cited {
                Cited::One(row) => (row, row),
                Cited::Range(first, last) => (first, last),
            };
            for end in BTreeSet::from([first, last]) {
                if !self.rows.contains_key(end) {
                    self.findings
                        .push(format!("{place}: there is no row {end}"));
                }
            }
            if first.part != last.part || first.number > last.number {
                self.findings
                    .push(format!("{place}: {first}..{last} is no range"));
                continue;
            }
            rows.extend(
                self.rows
                    .range(first.clone()..=last.clone())
                    .map(|(row, _)| row.clone()),
            );
        }
        rows
    }

    fn compare(&mut self) {
        let mut findings = Vec::new();
        for row in self.rows.keys().filter(|row| row.is_binding()) {
            match (
                self.cited.contains_key(row),
                self.untested.contains_key(row),
            ) {
                (false, false) => findings.push(format!(
                    "{row} is cited by no test and has no reason in {UNTESTED}"
                )),
                (true, true) => findings.push(format!(
                    "{row} is cited by a test now: take it out of {UNTESTED}"
                )),
                _ => {}
            }
        }
        self.findings.append(&mut findings);
    }
}

/// A test that cites a row.
pub(crate) struct Citation {
    pub(crate) file: String,
    /// The function's name; empty where the file as a whole cites.
    pub(crate) test: String,
}

/// `CC-18`: ordered by part, then by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowId {
    pub(crate) part: String,
    pub(crate) number: u32,
}

impl RowId {
    fn is_binding(&self) -> bool {
        BINDING_PARTS.contains(&&*self.part)
    }
}

impl std::fmt::Display for RowId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}-{:02}", self.part, self.number)
    }
}

/// An item of a list of rows.
#[derive(Debug, PartialEq, Eq)]
enum Cited {
    One(RowId),
    Range(RowId, RowId),
}

/// Reads `F-01, CC-02..CC-05 and C-03 (why)`. Words after the list are left alone, unless there is
/// another row among them, which would be a citation that nobody counts.
fn parse_list(text: &str) -> Result<Vec<Cited>, String> {
    let mut list = Vec::new();
    let mut rest = text.trim_start();
    while let Some((first, after)) = take_row(rest) {
        let range = after
            .strip_prefix("..")
            .map(|range| range.strip_prefix('=').unwrap_or(range));
        rest = match range {
            None => {
                list.push(Cited::One(first));
                after
            }
            Some(range) => {
                let (last, after) =
                    take_row(range).ok_or_else(|| format!("no row after `{first}..`"))?;
                list.push(Cited::Range(first, last));
                after
            }
        };
        rest = rest.trim_start_matches([' ', ',', ';']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    if list.is_empty() {
        return Err(format!("`{}` names no row", text.trim()));
    }
    let stray = rest
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .find(|word| take_row(word).is_some_and(|(_, after)| after.is_empty()));
    match stray {
        Some(stray) => Err(format!("`{stray}` stands outside the list of rows")),
        None => Ok(list),
    }
}

/// A row at the very beginning of a text, and what follows it.
fn take_row(text: &str) -> Option<(RowId, &str)> {
    let (part, after) = text.split_once('-')?;
    let mut chars = part.chars();
    let is_part = chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && chars.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        && part.len() <= 3;
    let digits = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    let (number, rest) = after.split_at(digits);
    if !is_part || digits < 2 {
        return None;
    }
    let row = RowId {
        part: part.to_owned(),
        number: number.parse().ok()?,
    };
    Some((row, rest))
}

/// What follows `spec:` in a comment.
fn citation_in(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("spec:")?;
    let in_comment = before.contains("//") || before.contains('#') || before.trim() == "*";
    in_comment.then_some(after)
}

/// A list that ends in a comma goes on in the comment of the next line.
fn joined(first: &str, following: &[&str]) -> String {
    let mut text = first.trim().to_owned();
    for line in following {
        if !text.ends_with(',') {
            break;
        }
        text.push(' ');
        text.push_str(line.trim().trim_start_matches(['/', '#', '!', '*']).trim());
    }
    text
}

/// The function that a comment stands above, or else the one that it stands in.
fn function_near(lines: &[&str], number: usize) -> String {
    let is_prelude = |line: &str| {
        let line = line.trim_start();
        line.is_empty() || line.starts_with("//") || line.starts_with('#')
    };
    let below = lines
        .iter()
        .skip(number + 1)
        .take(LINES_ABOVE_FUNCTION)
        .find(|line| !is_prelude(line))
        .and_then(|line| function_name(line));
    let above = || {
        lines
            .iter()
            .take(number + 1)
            .rev()
            .find_map(|line| function_name(line))
    };
    below.or_else(above).unwrap_or_default()
}

fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let is_declaration = before.split_whitespace().all(|word| {
        matches!(
            word,
            "pub" | "pub(crate)" | "pub(super)" | "async" | "const"
        )
    });
    let end = after.find(|c: char| c != '_' && !c.is_ascii_alphanumeric())?;
    (is_declaration && end > 0).then(|| after.get(..end).unwrap_or_default().to_owned())
}

/// The rows of the Markdown tables of a text whose first cell begins with a row's name: that cell,
/// and the cells after it.
fn table_rows(text: &str) -> Vec<(String, Vec<String>)> {
    text.lines()
        .filter_map(|line| {
            let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
            let mut cells = inside.split('|').map(|cell| cell.trim().to_owned());
            let first = cells.next()?;
            take_row(&first)?;
            Some((first, cells.collect()))
        })
        .collect()
}

fn may_cite(file: &str) -> bool {
    let is_source = [".rs", ".js", ".mjs", ".py"]
        .iter()
        .any(|end| file.ends_with(end));
    // This program speaks about citations and makes none.
    is_source && !file.starts_with("xtask/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(part: &str, number: u32) -> RowId {
        RowId {
            part: part.to_owned(),
            number,
        }
    }

    fn ledger_of(rows: &[(&str, u32)]) -> Ledger {
        Ledger {
            rows: rows
                .iter()
                .map(|(part, number)| (row(part, *number), "title".to_owned()))
                .collect(),
            cited: BTreeMap::new(),
            untested: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    #[test]
    fn lists_and_ranges_are_read() {
        assert_eq!(
            parse_list(" F-06, CC-18..CC-20 and W2-03 (the header alone)"),
            Ok(vec![
                Cited::One(row("F", 6)),
                Cited::Range(row("CC", 18), row("CC", 20)),
                Cited::One(row("W2", 3)),
            ])
        );
        assert_eq!(
            parse_list("F-01..=F-05"),
            Ok(vec![Cited::Range(row("F", 1), row("F", 5))])
        );
    }

    #[test]
    fn a_citation_that_would_not_be_counted_is_told() {
        assert!(parse_list("f-06").is_err());
        assert!(parse_list("the framing part").is_err());
        assert!(parse_list("F-06 as well as F-07").is_err());
        assert!(parse_list("F-06..").is_err());
    }

    #[test]
    fn tests_cite_and_code_does_not() {
        let mut ledger = ledger_of(&[("F", 1), ("F", 2), ("F", 3)]);
        let text = "// spec: F-01\nfn enforce() {}\n\n#[cfg(test)]\nmod tests {\n    // spec: F-02,\n    //       F-03\n    #[test]\n    fn both() {}\n}\n";
        ledger.read_citations("crates/a/src/lib.rs", text);
        assert!(ledger.findings.is_empty(), "{:?}", ledger.findings);
        assert!(!ledger.cited.contains_key(&row("F", 1)));
        for number in [2, 3] {
            let citations = ledger
                .cited
                .get(&row("F", number))
                .expect("the row is cited");
            assert_eq!(citations.len(), 1);
            assert_eq!(citations[0].test, "both");
        }
    }

    #[test]
    fn a_citation_inside_a_test_belongs_to_it() {
        let mut ledger = ledger_of(&[("F", 1)]);
        let text =
            "#[test]\nfn first() {\n    let x = 1;\n    // spec: F-01\n    assert!(x == 1);\n}\n";
        ledger.read_citations("crates/a/tests/a.rs", text);
        let citations = ledger.cited.get(&row("F", 1)).expect("the row is cited");
        assert_eq!(citations[0].test, "first");
    }

    #[test]
    fn a_range_names_the_rows_that_exist() {
        let mut ledger = ledger_of(&[("P", 23), ("P", 30), ("P", 31)]);
        ledger.read_citations("crates/a/tests/a.rs", "// spec: P-23..P-30\nfn a() {}\n");
        assert!(ledger.findings.is_empty(), "{:?}", ledger.findings);
        assert_eq!(ledger.cited.len(), 2);
        ledger.read_citations("crates/a/tests/a.rs", "// spec: P-31..P-40\nfn a() {}\n");
        assert_eq!(ledger.findings.len(), 1, "{:?}", ledger.findings);
    }

    #[test]
    fn every_binding_row_is_tested_or_excused_and_not_both() {
        let mut ledger = ledger_of(&[("F", 1), ("F", 2), ("F", 3), ("V", 1)]);
        ledger.read_citations("crates/a/tests/a.rs", "// spec: F-01, F-02\nfn a() {}\n");
        ledger.read_untested("| Row | Why |\n|---|---|\n| F-02 | no way |\n");
        ledger.compare();
        let text = ledger.findings.join("\n");
        assert_eq!(ledger.findings.len(), 2, "{text}");
        assert!(text.contains("F-02 is cited by a test now"), "{text}");
        assert!(text.contains("F-03 is cited by no test"), "{text}");
    }

    #[test]
    fn a_reason_may_cover_several_rows_and_may_not_be_missing() {
        let mut ledger = ledger_of(&[("P", 80), ("P", 81), ("P", 82)]);
        ledger.read_untested("| P-80..P-81 | facts |\n| P-82 | |\n");
        assert_eq!(ledger.untested.len(), 2);
        assert_eq!(ledger.findings.len(), 1, "{:?}", ledger.findings);
    }
}
