//! Rules about Rust source: what the crates without IO may name, where `unsafe` may stand, how
//! tests may wait, how long a file may get.

use super::Findings;
use crate::source;
use crate::step::Failure;
use crate::workspace::Workspace;

/// Crates that never touch a socket, a clock, a thread or a random source.
const WITHOUT_IO: &[&str] = &["ws-deflate", "ws-frame", "ws-handshake", "ws-proto"];

/// What those crates must not name, and the files that may name it all the same.
const FORBIDDEN_THERE: &[(&str, &[&str])] = &[
    ("std::io", &["crates/ws-proto/src/transmit.rs"]),
    ("std::net", &[]),
    ("std::thread", &[]),
    ("std::time", &[]),
    ("std::fs", &[]),
    ("std::{", &[]),
    ("SystemTime", &[]),
    ("Instant::now", &[]),
    ("tokio", &[]),
    ("getrandom", &[]),
    ("rand::", &[]),
];

/// Where the word `unsafe` may stand, and exactly how often. Every other file has none.
const UNSAFE: &[(&str, usize)] = &[
    // One call into each kernel, whose instructions the CPU has been asked for.
    ("crates/ws-frame/src/mask/simd.rs", 1),
];

/// Above this a file is worth a look.
const HINT_LINES: usize = 600;
/// Above this it must be split.
const MAX_LINES: usize = 1_000;

pub(crate) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<(), Failure> {
    let files = workspace.files()?;
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        let text = workspace.read(file)?;
        let source = Source::new(file, &text);
        findings.checked += 1;
        source.check_crate_root(findings);
        source.check_forbidden_names(findings);
        source.check_unsafe(findings);
        source.check_tests(findings);
        source.check_length(findings);
    }
    for (file, _) in UNSAFE
        .iter()
        .filter(|(file, _)| !files.iter().any(|found| found == file))
    {
        findings.wrong(format!(
            "{file} is gone: take it out of the list of unsafe code"
        ));
    }
    Ok(())
}

/// One file: as it stands, and as code alone.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
    code: String,
    /// The first line, from 0, of its tests.
    tests_from: usize,
}

impl<'a> Source<'a> {
    fn new(file: &'a str, text: &'a str) -> Self {
        let code = source::code_of(text);
        let tests_from = if source::is_test_file(file) {
            0
        } else {
            source::tests_begin(&code).unwrap_or(usize::MAX)
        };
        Self {
            file,
            text,
            code,
            tests_from,
        }
    }

    /// Every crate forbids `unsafe` at its root; the codec denies it, for the sake of one module.
    fn check_crate_root(&self, findings: &mut Findings) {
        let is_root = self.file.starts_with("crates/") || self.file.starts_with("xtask/");
        if !is_root || !(self.file.ends_with("/src/lib.rs") || self.file.ends_with("/src/main.rs"))
        {
            return;
        }
        let lint = if self.file == "crates/ws-frame/src/lib.rs" {
            "#![deny(unsafe_code)]"
        } else {
            "#![forbid(unsafe_code)]"
        };
        findings.check(
            (!self.code.lines().any(|line| line.trim() == lint))
                .then(|| format!("{}: the crate root lacks {lint}", self.file)),
        );
    }

    fn check_forbidden_names(&self, findings: &mut Findings) {
        let in_scope = WITHOUT_IO
            .iter()
            .any(|name| self.file.starts_with(&format!("crates/{name}/src/")));
        if !in_scope {
            return;
        }
        for (number, line) in self.code.lines().enumerate().take(self.tests_from) {
            for (name, exempt) in FORBIDDEN_THERE {
                if names(line, name) && !exempt.contains(&self.file) {
                    findings.wrong(format!(
                        "{}:{}: `{name}` in a crate without IO",
                        self.file,
                        number + 1
                    ));
                }
            }
        }
    }

    fn check_unsafe(&self, findings: &mut Findings) {
        // The proof is a program without a standard library: its entry point has to be unsafe.
        if self.file.starts_with("no-std-proof/") {
            return;
        }
        let pinned = UNSAFE
            .iter()
            .find(|(file, _)| *file == self.file)
            .map_or(0, |(_, count)| *count);
        let count = source::count_word(&self.code, "unsafe");
        if count != pinned {
            findings.wrong(format!(
                "{}: `unsafe` stands here {count} times, not {pinned}",
                self.file
            ));
        }
    }

    /// A test that is ignored is a test that nobody runs, and a test that sleeps proves nothing
    /// on a slow machine and wastes time on a fast one. With a paused clock a sleep is exact.
    fn check_tests(&self, findings: &mut Findings) {
        let paused = self.code.contains("start_paused") || self.code.contains("time::pause()");
        for (number, line) in self.code.lines().enumerate().skip(self.tests_from) {
            let place = format!("{}:{}", self.file, number + 1);
            if line.contains("#[ignore") {
                findings.wrong(format!("{place}: an ignored test"));
            }
            if names(line, "sleep(") && !paused {
                findings.wrong(format!("{place}: a test that sleeps"));
            }
        }
    }

    /// Tests may be as long as they need to be.
    fn check_length(&self, findings: &mut Findings) {
        let lines = self.text.lines().count().min(self.tests_from);
        if lines > MAX_LINES {
            findings.wrong(format!(
                "{}: {lines} lines, more than {MAX_LINES}",
                self.file
            ));
        } else if lines > HINT_LINES {
            findings.hint(format!("{}: {lines} lines", self.file));
        }
    }
}

/// Whether `name` stands in the line at the beginning of a word.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| c != '_' && !c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&Source<'_>, &mut Findings);

    fn wrong_in(file: &str, text: &str, check: Check) -> Vec<String> {
        let mut findings = Findings::default();
        check(&Source::new(file, text), &mut findings);
        findings.wrong
    }

    #[test]
    fn a_crate_without_io_names_no_io() {
        let check: Check = |source, findings| source.check_forbidden_names(findings);
        let file = "crates/ws-proto/src/inbound.rs";
        assert!(wrong_in(file, "use std::io::Read;", check).len() == 1);
        assert!(wrong_in(file, "use std::{io, net};", check).len() == 1);
        assert!(wrong_in(file, "fn a() { tokio::spawn(b()); }", check).len() == 1);
        assert!(wrong_in(file, "// std::io is not used\nlet s = \"std::net\";", check).is_empty());
        assert!(
            wrong_in(
                file,
                "#[cfg(test)]\nmod tests {\nuse std::thread;\n}",
                check
            )
            .is_empty()
        );
        let transmit = "crates/ws-proto/src/transmit.rs";
        assert!(wrong_in(transmit, "use std::io::IoSlice;", check).is_empty());
        assert!(wrong_in("crates/ws-sync/src/lib.rs", "use std::io::Read;", check).is_empty());
    }

    #[test]
    fn unsafe_is_counted_in_code_and_nowhere_else() {
        let check: Check = |source, findings| source.check_unsafe(findings);
        let file = "crates/ws-proto/src/inbound.rs";
        assert!(wrong_in(file, "#![forbid(unsafe_code)] // unsafe", check).is_empty());
        assert_eq!(wrong_in(file, "unsafe { a() }", check).len(), 1);
    }

    #[test]
    fn every_crate_root_has_its_lint() {
        let check: Check = |source, findings| source.check_crate_root(findings);
        assert_eq!(
            wrong_in("crates/ws-sync/src/lib.rs", "//! Nothing.\n", check).len(),
            1
        );
        assert!(
            wrong_in(
                "crates/ws-sync/src/lib.rs",
                "#![forbid(unsafe_code)]\n",
                check
            )
            .is_empty()
        );
        assert!(
            wrong_in(
                "crates/ws-frame/src/lib.rs",
                "#![deny(unsafe_code)]\n",
                check
            )
            .is_empty()
        );
        assert!(wrong_in("crates/ws-frame/src/mask.rs", "", check).is_empty());
    }

    #[test]
    fn tests_neither_sleep_nor_are_ignored() {
        let check: Check = |source, findings| source.check_tests(findings);
        let file = "crates/ws-sync/tests/closing.rs";
        assert_eq!(
            wrong_in(file, "#[ignore]\nfn a() { thread::sleep(x); }", check).len(),
            2
        );
        let paused = "#[tokio::test(start_paused = true)]\nasync fn a() { sleep(x).await; }";
        assert!(wrong_in(file, paused, check).is_empty());
        assert!(
            wrong_in(
                "crates/ws-sync/src/lib.rs",
                "fn a() { thread::sleep(x); }",
                check
            )
            .is_empty()
        );
    }

    #[test]
    fn a_long_file_fails_and_its_tests_do_not_count() {
        let check: Check = |source, findings| source.check_length(findings);
        let file = "crates/ws-sync/src/lib.rs";
        assert_eq!(
            wrong_in(file, &"a();\n".repeat(MAX_LINES + 1), check).len(),
            1
        );
        let tested = format!(
            "a();\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "a();\n".repeat(MAX_LINES)
        );
        assert!(wrong_in(file, &tested, check).is_empty());
    }
}
