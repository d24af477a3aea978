//! Where the workspace is, which packages it has, and which files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::json::Json;
use crate::step::Failure;

/// Folders that hold what a build or a tool made, never what somebody wrote.
const MADE_BY_TOOLS: &[&str] = &[
    ".git",
    "__pycache__",
    "artifacts",
    "coverage",
    "node_modules",
    "target",
];

/// The folder of the root `Cargo.toml`.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace that this program was compiled in: right from any working folder.
    pub(crate) fn locate() -> Self {
        let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest_dir.parent().unwrap_or(manifest_dir);
        Self {
            root: root.to_path_buf(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Where cargo puts what it builds.
    pub(crate) fn build_dir(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => self.root.join(folder),
            None => self.root.join("target"),
        }
    }

    /// A folder of a step's own under `target/`, made when absent.
    pub(crate) fn target_dir(&self, name: &str) -> Result<PathBuf, Failure> {
        let dir = self.root.join("target").join(name);
        fs::create_dir_all(&dir)
            .map_err(|error| Failure::new(format!("{}: {error}", dir.display())))?;
        Ok(dir)
    }

    /// The text of one file.
    pub(crate) fn read(&self, relative: &str) -> Result<String, Failure> {
        fs::read_to_string(self.root.join(relative))
            .map_err(|error| Failure::new(format!("{relative}: {error}")))
    }

    /// The files under the root that somebody wrote, sorted, with `/` between their parts.
    pub(crate) fn files(&self) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name();
                let kind = entry.file_type()?;
                if kind.is_dir() && !MADE_BY_TOOLS.iter().any(|made| name == *made) {
                    folders.push(entry.path());
                } else if kind.is_file() && name != ".git" {
                    found.push(self.relative(&entry.path()));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// The member packages, as `cargo metadata` tells them.
    pub(crate) fn packages(&self) -> Result<Vec<Package>, Failure> {
        let text = command::stdout_of(self.cargo().args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
        ]))?;
        let metadata = Json::parse(&text).map_err(|error| format!("cargo metadata: {error}"))?;
        let packages = metadata.items("packages");
        Ok(packages
            .iter()
            .map(|package| self.package_from(package))
            .collect())
    }

    /// `cargo`, the same one that runs this program, in the root.
    pub(crate) fn cargo(&self) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(&self.root);
        command
    }

    fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        inside.to_string_lossy().replace('\\', "/")
    }

    fn package_from(&self, package: &Json) -> Package {
        let manifest = PathBuf::from(package.text("manifest_path"));
        let folder = manifest.parent().unwrap_or(&self.root);
        Package {
            name: package.text("name").to_owned(),
            folder: self.relative(folder),
            description: package.text("description").to_owned(),
            license: package.text("license").to_owned(),
            keywords: package.items("keywords").len(),
            dependencies: package
                .items("dependencies")
                .iter()
                .map(|dependency| Dependency {
                    name: dependency.text("name").to_owned(),
                    dev: dependency.text("kind") == "dev",
                    optional: dependency.is_true("optional"),
                })
                .collect(),
            targets: package
                .items("targets")
                .iter()
                .map(|target| Target {
                    name: target.text("name").to_owned(),
                    kind: target
                        .items("kind")
                        .first()
                        .and_then(Json::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                    has_tests: target.is_true("test"),
                })
                .collect(),
        }
    }
}

/// A member package.
pub(crate) struct Package {
    pub(crate) name: String,
    /// From the root, with `/`.
    pub(crate) folder: String,
    pub(crate) description: String,
    pub(crate) license: String,
    pub(crate) keywords: usize,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

impl Package {
    /// What is meant to be published once the names are settled: the crates under `crates/` that
    /// are neither a program nor test support.
    pub(crate) fn is_published_library(&self) -> bool {
        self.folder.starts_with("crates/") && !matches!(&*self.name, "ws-demo" | "ws-testkit")
    }
}

/// One line of a manifest's dependency tables.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
    pub(crate) optional: bool,
}

/// A library, program, example, test or bench of a package.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Whether `cargo test` runs the tests in it.
    pub(crate) has_tests: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_found_with_its_packages_and_files() {
        let workspace = Workspace::locate();
        let files = workspace.files().expect("the workspace can be listed");
        assert!(files.contains(&"Cargo.toml".to_owned()));
        assert!(files.contains(&"xtask/src/workspace.rs".to_owned()));
        assert!(!files.iter().any(|file| file.starts_with("target/")));

        let packages = workspace.packages().expect("cargo metadata answers");
        let frame = packages
            .iter()
            .find(|package| package.name == "ws-frame")
            .expect("ws-frame is a member");
        assert_eq!(frame.folder, "crates/ws-frame");
        assert!(frame.is_published_library());
        assert!(
            frame
                .dependencies
                .iter()
                .any(|found| found.name == "simdutf8" && found.optional)
        );
    }
}
