//! Rules about what a package carries with it: its metadata, its licences, its fuzz corpora.

use super::Findings;
use crate::fuzz;
use crate::step::Failure;
use crate::workspace::{Package, Workspace};

/// Both are in the root and, because a package takes only its own folder along, in each crate.
const LICENSES: &[&str] = &["LICENSE-APACHE", "LICENSE-MIT"];

/// What a registry takes at most.
const MAX_KEYWORDS: usize = 5;

pub(crate) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<(), Failure> {
    let packages = workspace.packages()?;
    for package in packages
        .iter()
        .filter(|package| package.is_published_library())
    {
        check_metadata(package, findings);
    }
    for license in LICENSES {
        let original = workspace.read(license)?;
        for package in packages
            .iter()
            .filter(|package| package.folder.starts_with("crates/"))
        {
            let path = format!("{}/{license}", package.folder);
            let copy = workspace.read(&path).ok();
            findings.check(
                (copy.as_ref() != Some(&original))
                    .then(|| format!("{path} is no copy of {license}")),
            );
        }
    }
    check_corpora(workspace, findings)
}

fn check_metadata(package: &Package, findings: &mut Findings) {
    let place = format!("{}/Cargo.toml", package.folder);
    findings.check(
        package
            .description
            .is_empty()
            .then(|| format!("{place}: no description")),
    );
    findings.check(
        (package.license != "MIT OR Apache-2.0")
            .then(|| format!("{place}: the licence is {:?}", package.license)),
    );
    findings.check(
        (package.keywords == 0 || package.keywords > MAX_KEYWORDS)
            .then(|| format!("{place}: {} keywords", package.keywords)),
    );
}

/// Each fuzz target has a corpus to start from.
fn check_corpora(workspace: &Workspace, findings: &mut Findings) -> Result<(), Failure> {
    let files = workspace.files()?;
    for target in fuzz::targets(workspace)? {
        let folder = format!("fuzz/corpus/{target}/");
        let has_seed = files.iter().any(|file| file.starts_with(&folder));
        findings.check((!has_seed).then(|| format!("{folder}: no seed")));
    }
    Ok(())
}
