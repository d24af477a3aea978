//! Who may depend on whom: the arrows between the crates, and what each may take from outside.

use super::Findings;
use crate::step::Failure;
use crate::workspace::{Package, Workspace};

/// What a crate may depend on in its normal and build dependencies. A crate that is not in this
/// list fails, so that a new one is a decision.
struct Allowed {
    name: &'static str,
    /// Crates of this workspace.
    ours: &'static [&'static str],
    /// Crates of others.
    foreign: &'static [&'static str],
    /// Crates of others, behind a feature.
    optional: &'static [&'static str],
}

const ALLOWED: &[Allowed] = &[
    // The codec depends on nothing, unless the caller asks for SIMD.
    Allowed {
        name: "ws-frame",
        ours: &[],
        foreign: &[],
        optional: &["simdutf8"],
    },
    // The handshake and the connection never see each other: they meet in a binding.
    Allowed {
        name: "ws-handshake",
        ours: &["ws-deflate"],
        foreign: &["base64", "bytes", "httparse", "sha1"],
        optional: &["http"],
    },
    Allowed {
        name: "ws-deflate",
        ours: &[],
        foreign: &["bytes"],
        optional: &["miniz_oxide", "zlib-rs"],
    },
    Allowed {
        name: "ws-proto",
        ours: &["ws-deflate", "ws-frame"],
        foreign: &["bytes"],
        optional: &[],
    },
    // The two bindings never see each other, and only one of them knows tokio.
    Allowed {
        // The standard library knows no backlog and no options before `bind`; socket2 does, and is what tokio uses too. Nor
        // does it read into memory that is not initialized; rustix does, in safe code.
        name: "ws-sync",
        ours: &["ws-deflate", "ws-frame", "ws-handshake", "ws-proto"],
        foreign: &["bytes", "getrandom", "rustix", "socket2"],
        optional: &["rustls", "tracing", "webpki-roots"],
    },
    Allowed {
        // A stream of tokio's cannot be told that more is coming; socket2 can say so to its socket.
        name: "ws-async",
        ours: &["ws-deflate", "ws-frame", "ws-handshake", "ws-proto"],
        foreign: &["bytes", "getrandom", "socket2", "tokio"],
        optional: &[
            "futures-core",
            "futures-sink",
            "http",
            "tokio-rustls",
            "tracing",
            "webpki-roots",
        ],
    },
    Allowed {
        name: "ws-demo",
        ours: &["ws-async", "ws-frame", "ws-handshake", "ws-proto"],
        foreign: &["bytes", "clap", "serde", "serde_json", "tokio"],
        optional: &[],
    },
    // Test support: everybody's dev-dependency and nobody's dependency.
    Allowed {
        name: "ws-testkit",
        ours: &["ws-frame", "ws-proto"],
        foreign: &["bytes", "tokio", "tracing"],
        optional: &[],
    },
];

/// Packages that are not crates to depend on: they may use whatever is in the workspace.
const PROGRAMS: &[&str] = &["ws-benches", "ws-examples", "ws-interop"];

/// What only test code may depend on.
const ENDS: &[&str] = &[
    "ws-demo",
    "ws-testkit",
    "ws-examples",
    "ws-benches",
    "xtask",
];

pub(crate) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<(), Failure> {
    let packages = workspace.packages()?;
    for package in &packages {
        check_package(package, &packages, findings);
    }
    Ok(())
}

fn check_package(package: &Package, packages: &[Package], findings: &mut Findings) {
    let name = &package.name;
    if PROGRAMS.contains(&&**name) {
        return;
    }
    let allowed = ALLOWED.iter().find(|allowed| allowed.name == *name);
    if allowed.is_none() && name != "xtask" {
        findings.wrong(format!(
            "{name} has no line in the list of who may depend on whom"
        ));
        return;
    }
    for dependency in package
        .dependencies
        .iter()
        .filter(|dependency| !dependency.dev)
    {
        let other = &*dependency.name;
        let is_ours = packages.iter().any(|package| package.name == other);
        let is_allowed = allowed.is_some_and(|allowed| {
            if is_ours {
                allowed.ours.contains(&other) && !ENDS.contains(&other)
            } else {
                allowed.foreign.contains(&other)
                    || (dependency.optional && allowed.optional.contains(&other))
            }
        });
        findings.check(
            (!is_allowed).then(|| format!("{}: {name} may not depend on {other}", package.folder)),
        );
    }
    // A crate with no dependency at all has been looked at too.
    findings.checked += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool, bool)]) -> Package {
        Package {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            description: String::new(),
            license: String::new(),
            keywords: 0,
            dependencies: dependencies
                .iter()
                .map(|&(name, dev, optional)| Dependency {
                    name: name.to_owned(),
                    dev,
                    optional,
                })
                .collect(),
            targets: Vec::new(),
        }
    }

    fn wrong_in(packages: &[Package]) -> Vec<String> {
        let mut findings = Findings::default();
        for package in packages {
            check_package(package, packages, &mut findings);
        }
        findings.wrong
    }

    #[test]
    fn the_arrows_as_drawn_are_right() {
        let wrong = wrong_in(&[
            package(
                "ws-frame",
                &[("simdutf8", false, true), ("proptest", true, false)],
            ),
            package(
                "ws-proto",
                &[("ws-frame", false, false), ("ws-testkit", true, false)],
            ),
            package(
                "ws-testkit",
                &[("ws-proto", false, false), ("tokio", false, false)],
            ),
        ]);
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn arrows_that_must_not_be_are_found() {
        for (name, other, optional) in [
            ("ws-frame", "simdutf8", false),
            ("ws-frame", "bytes", true),
            ("ws-handshake", "ws-proto", false),
            ("ws-proto", "ws-handshake", false),
            ("ws-sync", "ws-async", false),
            ("ws-sync", "tokio", false),
            ("ws-async", "ws-sync", false),
            ("ws-handshake", "getrandom", false),
            ("ws-proto", "ws-testkit", false),
            ("ws-sync", "ws-demo", false),
            ("xtask", "bytes", false),
            ("ws-new", "bytes", false),
        ] {
            let packages = [
                package(name, &[(other, false, optional)]),
                package(other, &[]),
            ];
            let wrong = wrong_in(&packages[..1]);
            assert_eq!(wrong.len(), 1, "{name} -> {other}: {wrong:?}");
        }
    }
}
