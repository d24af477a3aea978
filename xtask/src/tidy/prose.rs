//! Rules about every text: links that lead somewhere, words that do not belong here, lock files
//! that name no download address.

use std::path::Path;

use super::Findings;
use crate::step::Failure;
use crate::workspace::Workspace;

/// Words that must stand nowhere, and why. They are put together here so that this file does not
/// hold them.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("sha", "red/"), "a folder outside the project"),
    (
        concat!("cargo add ", "ws-"),
        "that name belongs to a stranger on the registry",
    ),
];

/// In a committed lock file of npm's: the address that a package came from, which is a property of
/// the machine that made the file.
const RESOLVED: &str = "\"resolved\"";

pub(crate) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<(), Failure> {
    for file in workspace.files()? {
        // Pictures and fuzz corpora are no text.
        let Ok(text) = workspace.read(&file) else {
            continue;
        };
        findings.checked += 1;
        check_words(&file, &text, findings);
        if file.ends_with(".md") {
            check_links(workspace.root(), &file, &text, findings);
        }
        if file.ends_with("package-lock.json") && text.contains(RESOLVED) {
            findings.wrong(format!("{file}: names download addresses"));
        }
    }
    Ok(())
}

fn check_words(file: &str, text: &str, findings: &mut Findings) {
    for (number, line) in text.lines().enumerate() {
        for (word, why) in FORBIDDEN {
            if line.contains(word) {
                findings.wrong(format!("{file}:{}: `{word}`: {why}", number + 1));
            }
        }
    }
}

fn check_links(root: &Path, file: &str, text: &str, findings: &mut Findings) {
    let folder = root.join(file);
    let folder = folder.parent().unwrap_or(root);
    for (number, target) in links(text) {
        let path = target.split('#').next().unwrap_or_default();
        let is_elsewhere = path.contains("://") || path.starts_with("mailto:");
        if path.is_empty() || is_elsewhere {
            continue;
        }
        findings.check(
            (!folder.join(path).exists())
                .then(|| format!("{file}:{number}: the link to {target} leads nowhere")),
        );
    }
}

/// The targets of the links of a Markdown text, each with its line from 1, code left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        // Every second part between backquotes is code.
        let prose: String = line.split('`').step_by(2).collect();
        let mut rest = &*prose;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else {
                break;
            };
            found.push((number + 1, target.trim().to_owned()));
            rest = after;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let text =
            "[a](b.md) and [c](d/e.md#f)\n`[x](y)`\n```\n[z](w)\n```\n[g](https://example.com)\n";
        assert_eq!(
            links(text),
            [
                (1, "b.md".to_owned()),
                (1, "d/e.md#f".to_owned()),
                (6, "https://example.com".to_owned()),
            ]
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let root = Workspace::locate();
        let mut findings = Findings::default();
        let text =
            "[here](Cargo.toml) [there](no-such-file.md) [out](https://example.com) [in](#x)";
        check_links(root.root(), "README.md", text, &mut findings);
        assert_eq!(findings.wrong.len(), 1, "{:?}", findings.wrong);
        assert_eq!(findings.checked, 2);
    }

    #[test]
    fn words_that_do_not_belong_here_are_found() {
        let mut findings = Findings::default();
        let text = format!("cd {}a\n", concat!("/wo", "rk/"));
        check_words("README.md", &text, &mut findings);
        assert_eq!(findings.wrong.len(), 1);
    }
}
