//! The steps that are one cargo command each, or a few.

use std::process::Command;

use crate::command;
use crate::step::{Done, Failure, Verdict};
use crate::workspace::Workspace;

/// What a library tree may hold at most, counting the crate itself, for the features named.
struct Tree {
    package: &'static str,
    features: &'static [&'static str],
    /// A tree that grows past this is a decision: raise the number with its reason in the commit.
    max_crates: usize,
    /// Whether tokio belongs here.
    tokio: bool,
}

const TREES: &[Tree] = &[
    Tree {
        package: "ws-frame",
        features: &["--no-default-features"],
        max_crates: 1,
        tokio: false,
    },
    Tree {
        package: "ws-frame",
        features: &[],
        max_crates: 2,
        tokio: false,
    },
    Tree {
        package: "ws-deflate",
        features: &["--no-default-features"],
        max_crates: 1,
        tokio: false,
    },
    Tree {
        package: "ws-deflate",
        features: &[],
        max_crates: 2,
        tokio: false,
    },
    Tree {
        // With adler2, which is miniz_oxide's.
        package: "ws-deflate",
        features: &["--no-default-features", "--features", "miniz"],
        max_crates: 3,
        tokio: false,
    },
    Tree {
        // With the parameters of ws-deflate, and no codec.
        package: "ws-handshake",
        features: &[],
        max_crates: 13,
        tokio: false,
    },
    Tree {
        package: "ws-proto",
        features: &["--no-default-features"],
        max_crates: 4,
        tokio: false,
    },
    Tree {
        // With socket2, for what the standard library cannot say to a socket before it is bound, and rustix, to read into
        // memory that is not initialized.
        package: "ws-sync",
        features: &["--no-default-features"],
        max_crates: 23,
        tokio: false,
    },
    Tree {
        // With zlib-rs.
        package: "ws-sync",
        features: &[],
        max_crates: 24,
        tokio: false,
    },
    Tree {
        package: "ws-async",
        features: &["--no-default-features"],
        max_crates: 23,
        tokio: true,
    },
    Tree {
        package: "ws-async",
        features: &[],
        max_crates: 24,
        tokio: true,
    },
];

/// Features that are off by default, each with a test of its own that has its name.
const TESTED_FEATURES: &[(&str, &str)] = &[("ws-sync", "tracing"), ("ws-async", "tracing")];

/// Sets of features with which all tests of a package run: what is compiled otherwise then.
const TESTED_SETS: &[(&str, &str)] = &[
    ("ws-deflate", "miniz,std"),
    ("ws-proto", "deflate-miniz,std"),
];

/// Crates that belong to an asynchronous runtime. A name that ends in `-` stands for all that
/// begin so.
const RUNTIMES: &[&str] = &[
    "async-", "futures", "futures-", "mio", "smol", "tokio", "tokio-",
];

pub(crate) fn fmt(workspace: &Workspace) -> Verdict {
    let files = workspace.files()?;
    // The fuzzer, the proof and the peers are workspaces of their own.
    for manifest in files.iter().filter(|file| file.ends_with("Cargo.toml")) {
        if workspace
            .read(manifest)?
            .lines()
            .any(|line| line == "[workspace]")
        {
            let mut cargo = workspace.cargo();
            command::run(cargo.args(["fmt", "--all", "--check", "--manifest-path", manifest]))?;
        }
    }
    let sources = files.iter().filter(|file| file.ends_with(".rs")).count();
    Done::checked(sources, "source files")
}

pub(crate) fn clippy(workspace: &Workspace) -> Verdict {
    command::run(workspace.cargo().args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    let targets: usize = workspace
        .packages()?
        .iter()
        .map(|package| package.targets.len())
        .sum();
    Done::checked(targets, "targets")
}

pub(crate) fn doc(workspace: &Workspace) -> Verdict {
    command::run(
        workspace
            .cargo()
            .args([
                "doc",
                "--quiet",
                "--workspace",
                "--no-deps",
                "--all-features",
            ])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    Done::checked(workspace.packages()?.len(), "packages")
}

pub(crate) fn feature_powerset(workspace: &Workspace) -> Verdict {
    let packages = workspace.packages()?;
    let mut cargo = workspace.cargo();
    cargo.args([
        "hack",
        "check",
        "--quiet",
        "--feature-powerset",
        "--no-dev-deps",
    ]);
    for package in packages
        .iter()
        .filter(|package| package.is_published_library())
    {
        cargo.args(["--package", &package.name]);
    }
    // A warning that only one set of features brings out must not pass unseen.
    cargo.env("RUSTFLAGS", "-D warnings");
    // Other flags would throw away what the other steps have built.
    cargo.env("CARGO_TARGET_DIR", workspace.target_dir("features")?);
    let log = workspace.target_dir("features")?.join("hack.log");
    command::run_logged(&mut cargo, &log, std::time::Duration::from_secs(900))?;
    let text = std::fs::read_to_string(&log)?;
    for (package, feature) in TESTED_FEATURES {
        command::run(workspace.cargo().args([
            "test",
            "--quiet",
            "--package",
            package,
            "--features",
            feature,
            "--test",
            feature,
        ]))?;
    }
    for (package, features) in TESTED_SETS {
        command::run(workspace.cargo().args([
            "test",
            "--quiet",
            "--package",
            package,
            "--no-default-features",
            "--features",
            features,
        ]))?;
    }
    Done::checked(builds_of(&text), "sets of features")
}

/// The builds that cargo-hack numbers as `(3/14)`: the largest second number.
fn builds_of(log: &str) -> usize {
    log.lines()
        .filter_map(|line| line.rsplit_once('/')?.1.strip_suffix(')')?.parse().ok())
        .max()
        .unwrap_or(0)
}

pub(crate) fn trees(workspace: &Workspace) -> Verdict {
    let mut findings = Vec::new();
    for tree in TREES {
        let text = command::stdout_of(
            workspace
                .cargo()
                .args(["tree", "--edges", "normal,build", "--prefix", "none"])
                .args(["--package", tree.package])
                .args(tree.features),
        )?;
        let crates = crates_in(&text);
        let name = format!("{} {}", tree.package, tree.features.join(" "));
        println!(
            "   {}: {} of at most {}",
            name.trim(),
            crates.len(),
            tree.max_crates
        );
        if crates.is_empty() || crates.len() > tree.max_crates {
            findings.push(format!(
                "{name}: {} crates: {}",
                crates.len(),
                crates.join(", ")
            ));
        }
        let runtime = crates.iter().find(|found| is_runtime(found));
        if let Some(runtime) = runtime.filter(|_| !tree.tokio) {
            findings.push(format!("{name} pulls in {runtime}"));
        }
    }
    Failure::unless_empty(findings)?;
    Done::checked(TREES.len(), "trees")
}

/// The names in a tree without indentation, each once, the root first.
fn crates_in(tree: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for name in tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn is_runtime(name: &str) -> bool {
    RUNTIMES
        .iter()
        .any(|runtime| match runtime.strip_suffix('-') {
            Some(_) => name.starts_with(runtime),
            None => name == *runtime,
        })
}

pub(crate) fn no_std_proof(workspace: &Workspace) -> Verdict {
    let mut checks = 0;
    build_proof(workspace, "no-std-proof")?;
    println!("   it links");
    checks += 1;
    let program = workspace.path("no-std-proof/target/release/no-std-proof");
    for &(what, input, expected) in PROOF_INPUTS {
        let status = run_proof(&program, input)?;
        if status != Some(expected) {
            return Err(Failure::new(format!(
                "{what}: the status is {status:?}, not {expected}"
            )));
        }
        println!("   {what}: {expected}");
        checks += 1;
    }
    expect_panic_to_be_found(workspace)?;
    println!("   one slice index in the header parser: does not link");
    checks += 1;
    build_proof(workspace, "no-std-proof/deflate")?;
    let program = workspace.path("no-std-proof/deflate/target/release/no-std-deflate");
    let status = run_proof(&program, b"and one more message, and one more message")?;
    if status != Some(0) {
        return Err(Failure::new(format!(
            "compression without std: the status is {status:?}"
        )));
    }
    println!("   compression without std: 0");
    Done::checked(checks + 1, "proofs")
}

/// What the proof reads, and the status it must end with: 0 when all is well, or the close code
/// to fail with, less 900.
const PROOF_INPUTS: &[(&str, &[u8], i32)] = &[
    ("no input", b"", 0),
    (
        "a masked text frame",
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        0,
    ),
    ("a reserved opcode", b"\x83", 102),
];

/// The copy of the codec into which a panic is put.
const PANICKING_COPY: &str = "target/no-std-proof/panicking";

/// A proof that nothing can fail proves nothing: with one index that may be out of bounds the
/// same program must not link, for the reason it names.
fn expect_panic_to_be_found(workspace: &Workspace) -> Result<(), Failure> {
    let copy = workspace.target_dir("no-std-proof/panicking")?;
    std::fs::remove_dir_all(&copy)?;
    for file in workspace.files()? {
        let is_needed = file == "Cargo.toml"
            || file.starts_with("crates/ws-frame/")
            || file.starts_with("no-std-proof/");
        if is_needed {
            let to = copy.join(&file);
            std::fs::create_dir_all(to.parent().unwrap_or(&copy))?;
            std::fs::copy(workspace.path(&file), to)?;
        }
    }
    let header = copy.join("crates/ws-frame/src/header.rs");
    let text = std::fs::read_to_string(&header)?;
    let broken = text.replace("first & FIN", "input[1] & FIN");
    if broken == text {
        return Err(Failure::new(
            "ws-frame/src/header.rs no longer holds `first & FIN`: the panic could not be put in",
        ));
    }
    std::fs::write(&header, broken)?;
    match build_proof(workspace, &format!("{PANICKING_COPY}/no-std-proof")) {
        Ok(()) => Err(Failure::new("the codec with a panic in it links")),
        Err(failure) if failure.findings().join("\n").contains("WS_FRAME_CAN_PANIC") => Ok(()),
        Err(failure) => Err(Failure::new(format!(
            "the codec with a panic in it fails for another reason: {}",
            failure.findings().join("\n")
        ))),
    }
}

fn build_proof(workspace: &Workspace, folder: &str) -> Result<(), Failure> {
    let manifest = format!("{folder}/Cargo.toml");
    let mut cargo = workspace.cargo();
    cargo.args([
        "build",
        "--quiet",
        "--release",
        "--manifest-path",
        &manifest,
    ]);
    // It is a workspace of its own, and its program is looked for there.
    cargo.env_remove("CARGO_TARGET_DIR");
    command::stdout_of(&mut cargo).map(|_| ())
}

fn run_proof(program: &std::path::Path, input: &[u8]) -> Result<Option<i32>, Failure> {
    use std::io::Write;
    let mut child = Command::new(program)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    Ok(child.wait()?.code())
}

pub(crate) fn deny(workspace: &Workspace) -> Verdict {
    // It looks at the dependencies of every platform; building for this one has not fetched them all.
    command::stdout_of(workspace.cargo().args(["fetch", "--locked"]))?;
    let log = workspace.target_dir("deny")?.join("deny.log");
    command::run_logged(
        workspace
            .cargo()
            .args([
                "deny",
                "--offline",
                "--workspace",
                "--all-features",
                "check",
            ])
            .args(["bans", "licenses", "sources"]),
        &log,
        std::time::Duration::from_secs(600),
    )?;
    let text = std::fs::read_to_string(&log)?;
    let summary = text.lines().last().unwrap_or_default();
    println!("   {summary}");
    Done::checked(summary.matches(" ok").count(), "kinds of check")
}

/// The one step that needs a network, and so the one that may be skipped: by name, and counted.
pub(crate) fn advisories(workspace: &Workspace) -> Verdict {
    let fetched = command::stdout_of(workspace.cargo().args(["deny", "fetch", "db"]));
    if let Err(failure) = fetched {
        let reason = failure.findings().join("\n").to_lowercase();
        let no_network = [
            "resolve host",
            "dns",
            "network",
            "connect",
            "failed to fetch",
        ];
        if no_network.iter().any(|sign| reason.contains(sign)) {
            return Ok(Done::NotRun("no network".to_owned()));
        }
        return Err(failure);
    }
    command::stdout_of(workspace.cargo().args(["deny", "check", "advisories"]))?;
    Done::checked(1, "database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_features_are_counted() {
        let log = "info: running `cargo check --no-default-features` on ws-frame (1/3)\ninfo: running `cargo check` on ws-frame (3/3)\nwarning: a/b\n";
        assert_eq!(builds_of(log), 3);
        assert_eq!(builds_of("error"), 0);
    }

    #[test]
    fn a_tree_counts_each_crate_once() {
        let tree = "ws-sync v0.1.0 (path)\nbytes v1.12.1\nsha1 v0.11.0\nbytes v1.12.1 (*)\n\n";
        assert_eq!(crates_in(tree), ["ws-sync", "bytes", "sha1"]);
    }

    #[test]
    fn runtimes_are_known_by_name() {
        for name in ["tokio", "tokio-util", "futures-core", "async-std", "mio"] {
            assert!(is_runtime(name), "{name}");
        }
        for name in ["ws-async", "getrandom", "tokiobench", "miow"] {
            assert!(!is_runtime(name), "{name}");
        }
    }
}
