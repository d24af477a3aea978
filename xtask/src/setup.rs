//! `cargo xtask setup`: installs what the other steps need on a Debian machine that has nothing
//! but Rust. Each item looks for itself first, so a second run does nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::autobahn;
use crate::command;
use crate::json::Json;
use crate::step::{Done, Failure, Verdict};
use crate::workspace::Workspace;

/// One thing to have.
struct Item {
    name: &'static str,
    /// Its version when it is there and is the one that is wanted.
    installed: fn(&Workspace) -> Option<String>,
    install: fn(&Workspace) -> Result<(), Failure>,
}

/// What comes with Rust, and cannot be installed here when it does not.
const RUST: &[Item] = &[
    Item {
        name: "rustfmt",
        installed: |_| command::version_of("cargo", &["fmt", "--version"]),
        install: |_| {
            Err(Failure::new(
                "rustfmt is a component of the Rust toolchain: add it",
            ))
        },
    },
    Item {
        name: "clippy",
        installed: |_| command::version_of("cargo", &["clippy", "--version"]),
        install: |_| {
            Err(Failure::new(
                "clippy is a component of the Rust toolchain: add it",
            ))
        },
    },
];

/// What is fetched: these wait for the network.
const FETCHED: &[Item] = &[
    Item {
        name: "Debian packages",
        installed: debian_packages_installed,
        install: install_debian_packages,
    },
    Item {
        name: "npm packages",
        installed: npm_packages_installed,
        install: install_npm_packages,
    },
    Item {
        name: "Python packages",
        installed: python_packages_installed,
        install: install_python_packages,
    },
    Item {
        name: "Autobahn testsuite",
        installed: autobahn::installed,
        install: autobahn::install,
    },
];

/// What is compiled: these wait for the processor, so they go on beside what is fetched.
const COMPILED: &[Item] = &[
    Item {
        name: "cargo-hack",
        installed: |_| cargo_tool_installed(CARGO_HACK),
        install: |workspace| install_cargo_tool(workspace, CARGO_HACK),
    },
    Item {
        name: "cargo-deny",
        installed: |_| cargo_tool_installed(CARGO_DENY),
        install: |workspace| install_cargo_tool(workspace, CARGO_DENY),
    },
    Item {
        name: "cargo-fuzz",
        installed: |_| cargo_tool_installed(CARGO_FUZZ),
        install: |workspace| install_cargo_tool(workspace, CARGO_FUZZ),
    },
];

/// The newest version of npm's packages and of a cargo tool may ask for more than Debian 12 has,
/// so all of them are pinned: here, in `interop/package.json`, and in `interop/requirements.txt`.
const CARGO_HACK: (&str, &str) = ("hack", "0.6.46");
const CARGO_DENY: (&str, &str) = ("deny", "0.20.2");
const CARGO_FUZZ: (&str, &str) = ("fuzz", "0.13.2");

/// Programs, each with the Debian package that has it and the way to ask whether it is there.
/// What is there from elsewhere is as good.
const PROGRAMS: &[(&str, &[&str], &str)] = &[
    ("cc", &["--version"], "gcc"),
    ("c++", &["--version"], "g++"),
    ("python3", &["--version"], "python3"),
    (
        "python3",
        &["-c", "import ensurepip, venv; print('venv')"],
        "python3-venv",
    ),
    ("node", &["--version"], "nodejs"),
    ("npm", &["--version"], "npm"),
    ("chromium", &["--version"], "chromium"),
];

const INTEROP: &str = "interop";
const PYTHON_REQUIREMENTS: &str = "interop/requirements.txt";

/// For all of apt's work, or all of one cargo tool's.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    // Debian packages first: without a C compiler, Python and Node nothing else can be installed.
    let (debian, fetched) = FETCHED.split_at(1);
    let mut findings = provide(workspace, RUST);
    findings.extend(provide(workspace, debian));
    if findings.is_empty() {
        thread::scope(|scope| {
            let compiled = scope.spawn(|| provide(workspace, COMPILED));
            findings.extend(provide(workspace, fetched));
            match compiled.join() {
                Ok(more) => findings.extend(more),
                Err(_) => findings.push("the thread that installs cargo tools panicked".to_owned()),
            }
        });
    }
    Failure::unless_empty(findings)?;
    Done::checked(
        RUST.len() + FETCHED.len() + COMPILED.len(),
        "tools are there",
    )
}

/// Sees to it that each item is there; says why when one is not.
fn provide(workspace: &Workspace, items: &[Item]) -> Vec<String> {
    let mut findings = Vec::new();
    for item in items {
        let begun = Instant::now();
        let result = match (item.installed)(workspace) {
            Some(version) => Ok((version, "there")),
            None => (item.install)(workspace).and_then(|()| {
                let version = (item.installed)(workspace)
                    .ok_or_else(|| Failure::new("installed, and still not to be found"))?;
                Ok((version, "installed"))
            }),
        };
        match result {
            Ok((version, how)) => println!(
                "   {}: {how}, {version} ({:.1} s)",
                item.name,
                begun.elapsed().as_secs_f64()
            ),
            Err(failure) => {
                findings.push(format!("{}: {}", item.name, failure.findings().join("\n")))
            }
        }
    }
    findings
}

fn missing_packages() -> Vec<&'static str> {
    PROGRAMS
        .iter()
        .filter(|(program, arguments, _)| command::version_of(program, arguments).is_none())
        .map(|(_, _, package)| *package)
        .collect()
}

fn debian_packages_installed(_: &Workspace) -> Option<String> {
    missing_packages()
        .is_empty()
        .then(|| format!("{} programs", PROGRAMS.len()))
}

fn install_debian_packages(workspace: &Workspace) -> Result<(), Failure> {
    let logs = workspace.target_dir("setup")?;
    let apt_get = || {
        let mut apt_get = Command::new("apt-get");
        apt_get.env("DEBIAN_FRONTEND", "noninteractive");
        apt_get
    };
    command::run_logged(
        apt_get().arg("update"),
        &logs.join("apt-update.log"),
        INSTALL_LIMIT,
    )?;
    command::run_logged(
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(missing_packages()),
        &logs.join("apt-install.log"),
        INSTALL_LIMIT,
    )
}

fn cargo_tool_installed((name, version): (&str, &str)) -> Option<String> {
    let found = command::version_of("cargo", &[name, "--version"])?;
    found
        .split_whitespace()
        .any(|word| word == version)
        .then(|| version.to_owned())
}

/// Unoptimized and without debug information: cargo-deny takes 47 s so, and four minutes in
/// release, and a check of this workspace takes less than a second either way.
fn install_cargo_tool(workspace: &Workspace, (name, version): (&str, &str)) -> Result<(), Failure> {
    let logs = workspace.target_dir("setup")?;
    command::run_logged(
        workspace
            .cargo()
            .args(["install", "--locked", "--debug", "--version", version])
            .arg(format!("cargo-{name}"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // One folder for all three: they have dependencies in common.
            .env("CARGO_TARGET_DIR", workspace.target_dir("tools")?),
        &logs.join(format!("cargo-{name}.log")),
        INSTALL_LIMIT,
    )
}

/// Both packages in the versions that `interop/package.json` names.
fn npm_packages_installed(workspace: &Workspace) -> Option<String> {
    let manifest = Json::parse(&workspace.read("interop/package.json").ok()?).ok()?;
    let wanted = manifest.get("dependencies")?.members();
    let mut found = Vec::new();
    for (name, version) in wanted {
        let path = format!("interop/node_modules/{name}/package.json");
        let package = Json::parse(&workspace.read(&path).ok()?).ok()?;
        if Some(package.text("version")) != version.as_str() {
            return None;
        }
        found.push(format!("{name} {}", package.text("version")));
    }
    (!found.is_empty()).then(|| found.join(", "))
}

fn install_npm_packages(workspace: &Workspace) -> Result<(), Failure> {
    command::run_logged(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .arg("--cache")
            .arg(workspace.target_dir("setup/npm")?)
            .current_dir(workspace.path(INTEROP)),
        &workspace.target_dir("setup")?.join("npm.log"),
        INSTALL_LIMIT,
    )
}

/// The Python of the virtual environment of the peers.
pub(crate) fn interop_python(workspace: &Workspace) -> Result<std::path::PathBuf, Failure> {
    Ok(workspace.target_dir("interop")?.join("venv/bin/python"))
}

/// Every line of the requirements is what pip has.
fn python_packages_installed(workspace: &Workspace) -> Option<String> {
    let python = interop_python(workspace).ok()?;
    let frozen = freeze(&python)?;
    let wanted = workspace.read(PYTHON_REQUIREMENTS).ok()?;
    let wanted: Vec<&str> = pins(&wanted).collect();
    let all_there = wanted
        .iter()
        .all(|pin| frozen.lines().any(|line| line.eq_ignore_ascii_case(pin)));
    (all_there && !wanted.is_empty()).then(|| wanted.join(", "))
}

fn freeze(python: &Path) -> Option<String> {
    let output = Command::new(python)
        .args(["-m", "pip", "--disable-pip-version-check", "freeze"])
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn install_python_packages(workspace: &Workspace) -> Result<(), Failure> {
    let folder = workspace.target_dir("interop")?;
    let venv = folder.join("venv");
    if venv.exists() {
        fs::remove_dir_all(&venv)?;
    }
    let log = workspace.target_dir("setup")?.join("python.log");
    command::run_logged(
        Command::new("python3").args(["-m", "venv"]).arg(&venv),
        &log,
        INSTALL_LIMIT,
    )?;
    command::run_logged(
        Command::new(venv.join("bin/python"))
            .args([
                "-m",
                "pip",
                "--disable-pip-version-check",
                "install",
                "--quiet",
            ])
            .arg("--cache-dir")
            .arg(folder.join("pip-cache"))
            .arg("--requirement")
            .arg(workspace.path(PYTHON_REQUIREMENTS)),
        &log,
        INSTALL_LIMIT,
    )
}

/// The `name==version` lines of a requirements file.
fn pins(requirements: &str) -> impl Iterator<Item = &str> {
    requirements
        .lines()
        .map(str::trim)
        .filter(|line| line.contains("==") && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_the_lines_with_a_version() {
        let text = "# a==1\nwebsockets==17.4\n\n wsproto==1.3.2 \n";
        assert_eq!(
            pins(text).collect::<Vec<_>>(),
            ["websockets==17.4", "wsproto==1.3.2"]
        );
    }

    #[test]
    fn what_cannot_be_installed_is_a_finding_that_names_it() {
        let items = [Item {
            name: "a tool",
            installed: |_| None,
            install: |_| Ok(()),
        }];
        let findings = provide(&Workspace::locate(), &items);
        assert_eq!(findings, ["a tool: installed, and still not to be found"]);
    }
}
