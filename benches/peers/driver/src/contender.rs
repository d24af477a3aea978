//! Who runs: one line per contender, and the builds, one cargo invocation each so that no contender's features leak
//! into another's dependencies.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::arguments::Arguments;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Copies bytes back; the measure of the others.
    Floor,
    /// Speaks RFC 6455.
    WebSocket,
}

#[derive(Debug, Clone, Copy)]
pub struct Contender {
    pub name: &'static str,
    /// The package, which is also the name of its binary.
    package: &'static str,
    pub arguments: &'static [&'static str],
    pub kind: Kind,
}

const ALL: &[Contender] = &[
    floor("raw epoll, 128 KiB buffer", "peer-floor-epoll", &["131072"]),
    floor("raw epoll, 1 MiB buffer", "peer-floor-epoll", &["1048576"]),
    floor("raw tokio, 128 KiB buffer", "peer-floor-tokio", &["131072"]),
    floor("raw blocking threads", "peer-floor-threads", &[]),
    peer("tokio-tungstenite", "peer-tokio-tungstenite", &[]),
    peer(
        "tokio-tungstenite, 16 KiB buffer",
        "peer-tokio-tungstenite",
        &["16384"],
    ),
    peer(
        "tokio-tungstenite, 16 KiB, hand-batched",
        "peer-tokio-tungstenite",
        &["16384", "--batch"],
    ),
    peer("fastwebsockets", "peer-fastwebsockets", &[]),
    peer("tokio-websockets", "peer-tokio-websockets", &[]),
    peer("tungstenite, blocking threads", "peer-tungstenite", &[]),
    peer("ws-async", "peer-ours-async", &[]),
    peer("ws-async, feed", "peer-ours-async", &["--feed"]),
    peer("ws-sync, blocking threads", "peer-ours-sync", &[]),
];

const fn floor(
    name: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
) -> Contender {
    Contender {
        name,
        package,
        arguments,
        kind: Kind::Floor,
    }
}

const fn peer(
    name: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
) -> Contender {
    Contender {
        name,
        package,
        arguments,
        kind: Kind::WebSocket,
    }
}

/// Those whose name contains one of the wanted words, and always the floors, without which there is no ratio.
pub fn chosen(arguments: &Arguments) -> Vec<Contender> {
    let wanted = |contender: &&Contender| {
        contender.kind == Kind::Floor
            || arguments.contenders.is_empty()
            || arguments
                .contenders
                .iter()
                .any(|word| contender.name.contains(word.as_str()))
    };
    ALL.iter().filter(wanted).copied().collect()
}

pub fn build(contenders: &[Contender]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut packages: Vec<&str> = contenders
        .iter()
        .map(|contender| contender.package)
        .collect();
    packages.dedup();
    for package in packages {
        eprintln!("building {package}");
        let status = Command::new(&cargo)
            .args([
                "build",
                "--quiet",
                "--release",
                "--package",
                package,
                "--manifest-path",
            ])
            .arg(&manifest)
            .status()?;
        if !status.success() {
            return Err(format!("building {package}: {status}").into());
        }
    }
    Ok(())
}

impl Contender {
    /// The binary lies beside the driver's own: same workspace, same profile.
    pub fn binary(&self) -> Result<PathBuf> {
        Ok(std::env::current_exe()?.with_file_name(self.package))
    }
}
