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
    /// Somebody else's WebSocket library.
    Peer,
    /// Our own.
    Ours,
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
    /// The extension offered to it.
    pub offer: Option<&'static str>,
    /// Whether it answers compressed messages of 0 bytes, each of them.
    pub takes_empty: bool,
}

/// What browsers offer.
const OFFER: &str = "permessage-deflate; client_max_window_bits";
/// For a server that takes no context over, in either direction, and does not say so.
const OFFER_WITHOUT_TAKEOVER: &str =
    "permessage-deflate; client_no_context_takeover; client_max_window_bits";

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
    peer("yawc", "peer-yawc", &[]),
    peer("yawc, hand-batched", "peer-yawc", &["--batch"]),
    peer("sockudo-ws", "peer-sockudo-ws", &[]),
    peer("sockudo-ws, hand-batched", "peer-sockudo-ws", &["--batch"]),
    peer("soketto", "peer-soketto", &[]),
    peer("soketto, hand-batched", "peer-soketto", &["--batch"]),
    peer("web-socket", "peer-web-socket", &[]),
    peer("wtx", "peer-wtx", &[]),
    peer("tungstenite, blocking threads", "peer-tungstenite", &[]),
    ours("ws-async", "peer-ours-async", &[]),
    ours("ws-async, feed", "peer-ours-async", &["--feed"]),
    ours("ws-async, lending", "peer-ours-async", &["--lend"]),
    ours("ws-async, split", "peer-ours-async", &["--split"]),
    ours("ws-sync, blocking threads", "peer-ours-sync", &[]),
    not_empty(deflating(OFFER, peer("yawc", "peer-yawc", &[]))),
    not_empty(deflating(
        OFFER,
        peer("yawc, hand-batched", "peer-yawc", &["--batch"]),
    )),
    deflating(OFFER, peer("sockudo-ws", "peer-sockudo-ws", &[])),
    deflating(
        OFFER,
        peer("sockudo-ws, hand-batched", "peer-sockudo-ws", &["--batch"]),
    ),
    deflating(
        OFFER_WITHOUT_TAKEOVER,
        peer("soketto, no takeover", "peer-soketto", &[]),
    ),
    deflating(
        OFFER_WITHOUT_TAKEOVER,
        peer(
            "soketto, no takeover, hand-batched",
            "peer-soketto",
            &["--batch"],
        ),
    ),
    deflating(OFFER, ours("ws-async, default", "peer-ours-async", &[])),
    deflating(
        OFFER,
        ours("ws-async, default, feed", "peer-ours-async", &["--feed"]),
    ),
    deflating(
        OFFER,
        ours("ws-async, ultra", "peer-ours-async", &["--ultra"]),
    ),
    deflating(
        OFFER,
        ours(
            "ws-async, ultra, feed",
            "peer-ours-async",
            &["--ultra", "--feed"],
        ),
    ),
    deflating(
        OFFER,
        ours("ws-async, live", "peer-ours-async", &["--live"]),
    ),
    deflating(
        OFFER,
        ours(
            "ws-async, live, feed",
            "peer-ours-async",
            &["--live", "--feed"],
        ),
    ),
    deflating(OFFER, ours("ws-sync, default", "peer-ours-sync", &[])),
    deflating(
        OFFER,
        ours("ws-sync, ultra", "peer-ours-sync", &["--ultra"]),
    ),
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
    broadcasting(peer("yawc, loop", "peer-yawc", &["loop"])),
    broadcasting(peer("yawc, channel", "peer-yawc", &["channel"])),
    broadcasting(peer("sockudo-ws, loop", "peer-sockudo-ws", &["loop"])),
    broadcasting(peer("sockudo-ws, channel", "peer-sockudo-ws", &["channel"])),
    broadcasting(ours("ws-async, Hub", "peer-ours-async", &["hub"])),
    broadcasting(ours("ws-async, loop", "peer-ours-async", &["loop"])),
    broadcasting(ours("ws-async, channel", "peer-ours-async", &["channel"])),
    arriving(floor("raw epoll", "peer-floor-epoll", &[])),
    arriving(floor("raw tokio", "peer-floor-tokio", &[])),
    arriving(floor("raw blocking threads", "peer-floor-threads", &[])),
    arriving(peer("tokio-tungstenite", "peer-tokio-tungstenite", &[])),
    arriving(peer(
        "tokio-tungstenite, 16 KiB buffer",
        "peer-tokio-tungstenite",
        &["16384"],
    )),
    arriving(upgrading(peer(
        "fastwebsockets, hyper",
        "peer-fastwebsockets",
        &[],
    ))),
    arriving(peer("tokio-websockets", "peer-tokio-websockets", &[])),
    arriving(upgrading(peer("yawc, hyper", "peer-yawc", &[]))),
    arriving(peer("sockudo-ws", "peer-sockudo-ws", &[])),
    arriving(peer("soketto", "peer-soketto", &[])),
    arriving(peer("wtx", "peer-wtx", &[])),
    arriving(peer(
        "tungstenite, blocking threads",
        "peer-tungstenite",
        &[],
    )),
    arriving(ours("ws-async", "peer-ours-async", &[])),
    arriving(ours("ws-sync, blocking threads", "peer-ours-sync", &[])),
    client(floor("raw tokio", "peer-floor-tokio", &[])),
    client(floor("raw blocking", "peer-floor-threads", &[])),
    client(peer("tokio-tungstenite", "peer-tokio-tungstenite", &[])),
    client(peer("fastwebsockets", "peer-fastwebsockets", &[])),
    client(peer("tokio-websockets", "peer-tokio-websockets", &[])),
    client(peer("yawc", "peer-yawc", &[])),
    client(peer("sockudo-ws", "peer-sockudo-ws", &[])),
    client(peer("soketto", "peer-soketto", &[])),
    client(peer("web-socket", "peer-web-socket", &[])),
    client(peer("wtx", "peer-wtx", &[])),
    client(peer("tungstenite, blocking", "peer-tungstenite", &[])),
    client(ours("ws-async", "peer-ours-async", &[])),
    client(ours("ws-sync, blocking", "peer-ours-sync", &[])),
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
        offer: None,
        takes_empty: true,
    }
}

const fn peer(
    name: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
) -> Contender {
    Contender {
        kind: Kind::Peer,
        ..floor(name, package, arguments)
    }
}

const fn ours(
    name: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
) -> Contender {
    Contender {
        kind: Kind::Ours,
        ..floor(name, package, arguments)
    }
}

/// It answers the first compressed message of 0 bytes, and none after it.
const fn not_empty(contender: Contender) -> Contender {
    Contender {
        takes_empty: false,
        ..contender
    }
}

const fn deflating(offer: &'static str, contender: Contender) -> Contender {
    Contender {
        suffix: "-deflate",
        pattern: Pattern::Deflated,
        offer: Some(offer),
        ..contender
    }
}

const fn broadcasting(contender: Contender) -> Contender {
    Contender {
        suffix: "-broadcast",
        pattern: Pattern::Broadcast,
        ..contender
    }
}

/// The echo server, of which nothing but its handshakes is wanted.
const fn arriving(contender: Contender) -> Contender {
    Contender {
        pattern: Pattern::Arrivals,
        ..contender
    }
}

/// The library has no handshake of its own, or not on the bare socket.
const fn upgrading(contender: Contender) -> Contender {
    Contender {
        suffix: "-upgrade",
        ..contender
    }
}

const fn client(contender: Contender) -> Contender {
    Contender {
        suffix: "-client",
        pattern: Pattern::Client,
        ..contender
    }
}

/// Those that a wanted scenario is for and whose name contains one of the wanted words, or is the word behind a `=`; and
/// always the floors, without which there is no ratio.
pub fn chosen(arguments: &Arguments) -> Vec<Contender> {
    let named = |contender: &&Contender| {
        contender.kind == Kind::Floor
            || arguments.contenders.is_empty()
            || arguments
                .contenders
                .iter()
                .any(|word| match word.strip_prefix('=') {
                    Some(name) => contender.name == name,
                    None => contender.name.contains(word.as_str()),
                })
    };
    ALL.iter()
        .filter(|contender| contender.pattern.wanted(arguments).next().is_some())
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
    programs.sort_unstable();
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

    /// Whether its compressed messages may refer to those before them. True of who is not offered compression.
    pub fn takes_context_over(&self) -> bool {
        self.offer != Some(OFFER_WITHOUT_TAKEOVER)
    }

    fn program(&self) -> String {
        [self.package, self.suffix].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_who_takes_no_context_over() {
        for contender in ALL {
            let says_so = contender.name.contains("no takeover");
            assert_eq!(
                contender.takes_context_over(),
                !says_so,
                "{}",
                contender.name
            );
        }
    }
}
