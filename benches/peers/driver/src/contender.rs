//! Who runs: one line per contender, and the builds, one cargo invocation each so that no contender's features leak
//! into another's dependencies.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::arguments::Arguments;
use crate::scenario::Pattern;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Copies bytes, back or to everybody; the measure of the others.
    Floor,
    /// Speaks RFC 6455.
    WebSocket,
}

#[derive(Debug, Clone, Copy)]
pub struct Contender {
    pub name: &'static str,
    package: &'static str,
    /// What the package's name goes on with in the name of the binary.
    suffix: &'static str,
    pub arguments: &'static [&'static str],
    pub kind: Kind,
    pub pattern: Pattern,
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
    peer("ws-async, split", "peer-ours-async", &["--split"]),
    peer("ws-sync, blocking threads", "peer-ours-sync", &[]),
    broadcasting(floor("raw tokio, loop", "peer-floor-tokio", &["loop"])),
    broadcasting(floor(
        "raw tokio, channel",
        "peer-floor-tokio",
        &["channel"],
    )),
    broadcasting(peer(
        "tokio-tungstenite, loop",
        "peer-tokio-tungstenite",
        &["loop"],
    )),
    broadcasting(peer(
        "tokio-tungstenite, channel",
        "peer-tokio-tungstenite",
        &["channel"],
    )),
    broadcasting(peer(
        "fastwebsockets, loop",
        "peer-fastwebsockets",
        &["loop"],
    )),
    broadcasting(peer(
        "tokio-websockets, loop",
        "peer-tokio-websockets",
        &["loop"],
    )),
    broadcasting(peer(
        "tokio-websockets, channel",
        "peer-tokio-websockets",
        &["channel"],
    )),
    broadcasting(peer("ws-async, Hub", "peer-ours-async", &["hub"])),
    broadcasting(peer("ws-async, loop", "peer-ours-async", &["loop"])),
    broadcasting(peer("ws-async, channel", "peer-ours-async", &["channel"])),
];

const fn floor(
    name: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
) -> Contender {
    Contender {
        name,
        package,
        suffix: "",
        arguments,
        kind: Kind::Floor,
        pattern: Pattern::Echo,
    }
}

const fn peer(
    name: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
) -> Contender {
    Contender {
        kind: Kind::WebSocket,
        ..floor(name, package, arguments)
    }
}

const fn broadcasting(contender: Contender) -> Contender {
    Contender {
        suffix: "-broadcast",
        pattern: Pattern::Broadcast,
        ..contender
    }
}

/// Those that a wanted scenario is for and whose name contains one of the wanted words, and always the floors, without
/// which there is no ratio.
pub fn chosen(arguments: &Arguments) -> Vec<Contender> {
    let named = |contender: &&Contender| {
        contender.kind == Kind::Floor
            || arguments.contenders.is_empty()
            || arguments
                .contenders
                .iter()
                .any(|word| contender.name.contains(word.as_str()))
    };
    ALL.iter()
        .filter(|contender| contender.pattern.is_wanted(arguments))
        .filter(named)
        .copied()
        .collect()
}

pub fn build(contenders: &[Contender]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut programs: Vec<(&str, String)> = contenders
        .iter()
        .map(|contender| (contender.package, contender.program()))
        .collect();
    programs.dedup();
    for (package, program) in programs {
        eprintln!("building {program}");
        let status = Command::new(&cargo)
            .args([
                "build",
                "--quiet",
                "--release",
                "--package",
                package,
                "--bin",
                &program,
                "--manifest-path",
            ])
            .arg(&manifest)
            .status()?;
        if !status.success() {
            return Err(format!("building {program}: {status}").into());
        }
    }
    Ok(())
}

impl Contender {
    /// The binary lies beside the driver's own: same workspace, same profile.
    pub fn binary(&self) -> Result<PathBuf> {
        Ok(std::env::current_exe()?.with_file_name(self.program()))
    }

    fn program(&self) -> String {
        [self.package, self.suffix].concat()
    }
}
