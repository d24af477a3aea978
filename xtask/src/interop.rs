//! `cargo xtask interop`: other people's clients against our servers, and our clients against other
//! people's servers. The peers are the programs of `interop/`, each with its own checks and count.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::differential;
use crate::examples;
use crate::peer::Peer;
use crate::setup;
use crate::step::{Done, Failure, Verdict};
use crate::workspace::Workspace;

/// One library of somebody else's.
struct Library {
    name: &'static str,
    program: &'static str,
    language: Language,
    has_server: bool,
}

enum Language {
    Python,
    Node,
}

const LIBRARIES: &[Library] = &[
    Library {
        name: "websockets (Python)",
        program: "interop/python/websockets_peer.py",
        language: Language::Python,
        has_server: true,
    },
    Library {
        name: "wsproto (Python)",
        program: "interop/python/wsproto_peer.py",
        language: Language::Python,
        has_server: true,
    },
    Library {
        name: "websocket-client (Python)",
        program: "interop/python/websocket_client_peer.py",
        language: Language::Python,
        has_server: false,
    },
    Library {
        name: "ws (Node)",
        program: "interop/node/ws_peer.mjs",
        language: Language::Node,
        has_server: true,
    },
];

/// The bindings, by the ends of the names of their crates and examples.
const BINDINGS: &[&str] = &["sync", "async"];

/// All of a peer's cases together; they take about a second.
const PEER_LIMIT: Duration = Duration::from_secs(120);
/// One of our programs that sends a few messages.
const CLIENT_LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let logs = workspace.target_dir("interop")?.join("logs");
    std::fs::create_dir_all(&logs)?;
    let mut findings = Vec::new();
    let mut checks = 0;
    match differential::run(workspace, &logs) {
        Ok(count) => checks += count,
        Err(failure) => findings.push(format!("zlib: {}", failure.findings().join("\n"))),
    }
    for binding in BINDINGS {
        let ours = Ours::build(workspace, binding)?;
        for library in LIBRARIES {
            let meeting = Meeting {
                workspace,
                ours: &ours,
                library,
                logs: &logs,
            };
            let mut count = |direction: &str, result: Result<usize, Failure>| match result {
                Ok(count) => {
                    println!("   {direction}: {count} checks");
                    checks += count;
                }
                Err(failure) => {
                    findings.push(format!("{direction}: {}", failure.findings().join("\n")));
                }
            };
            let name = library.name;
            count(&format!("{name} -> ws-{binding}"), meeting.their_client());
            if library.has_server {
                count(&format!("ws-{binding} -> {name}"), meeting.their_server());
            }
        }
    }
    Failure::unless_empty(findings)?;
    Done::checked(checks, "checks")
}

/// The programs of one binding.
struct Ours {
    binding: &'static str,
    /// `ws-interop`, which is both ends over both bindings.
    program: PathBuf,
    echo_client: PathBuf,
    case_client: PathBuf,
}

impl Ours {
    fn build(workspace: &Workspace, binding: &'static str) -> Result<Self, Failure> {
        let example = |name: &str| examples::build_release(workspace, &format!("{name}_{binding}"));
        command::run(workspace.cargo().args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "ws-interop",
        ]))?;
        Ok(Self {
            binding,
            program: workspace.build_dir().join("release/ws-interop"),
            echo_client: example("echo_client")?,
            case_client: example("autobahn_client")?,
        })
    }

    fn program(&self, role: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args([role, self.binding]);
        command
    }
}

/// One binding and one library.
struct Meeting<'a> {
    workspace: &'a Workspace,
    ours: &'a Ours,
    library: &'a Library,
    logs: &'a Path,
}

impl Meeting<'_> {
    /// Their client runs its cases against our server.
    fn their_client(&self) -> Result<usize, Failure> {
        let mut server = Peer::start(
            &mut self.ours.program("server"),
            "listening on ",
            &self.log("our-server"),
        )?;
        let log = self.log("their-client");
        let mut client = self.their_program()?;
        command::run_logged(client.args(["client", server.address()]), &log, PEER_LIMIT)?;
        server.expect_alive()?;
        passed_checks(&std::fs::read_to_string(log)?)
    }

    /// Our client and the examples talk to their server; then their server runs its cases against a
    /// client that echoes whatever it is sent, and gives its verdict when that says it is done.
    fn their_server(&self) -> Result<usize, Failure> {
        let their_log = self.log("their-server");
        let mut program = self.their_program()?;
        let server = Peer::start(program.arg("server"), "listening on ", &their_log)?;
        let url = server.address().to_owned();

        let messages = ["hello", "中文 🦀", ""];
        let said = self.our_client(&format!("{url}/echo"), &messages)?;
        expect(&said, "text: hello\ntext: 中文 🦀\ntext: \nclosed: 1000 \n")?;
        let said = self.our_client(&format!("{url}/closing"), &["4001 bye"])?;
        expect(&said, "closed: 4001 bye\n")?;

        let log = self.log("our-checks");
        command::run_logged(self.ours.program("client").arg(&url), &log, PEER_LIMIT)?;
        let our_checks = passed_checks(&std::fs::read_to_string(log)?)?;

        command::run_logged(
            Command::new(&self.ours.case_client).args([&*url, "peer"]),
            &self.log("our-case-client"),
            PEER_LIMIT,
        )?;
        let their_checks = passed_checks(&server.finish(PEER_LIMIT, &their_log)?)?;
        Ok(our_checks + their_checks + 2)
    }

    fn our_client(&self, url: &str, messages: &[&str]) -> Result<String, Failure> {
        let log = self.log("our-client");
        let mut client = Command::new(&self.ours.echo_client);
        command::run_logged(client.arg(url).args(messages), &log, CLIENT_LIMIT)?;
        Ok(std::fs::read_to_string(log)?)
    }

    fn their_program(&self) -> Result<Command, Failure> {
        let mut command = match self.library.language {
            Language::Python => Command::new(setup::interop_python(self.workspace)?),
            Language::Node => Command::new("node"),
        };
        command
            .arg(self.workspace.path(self.library.program))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    }

    fn log(&self, what: &str) -> PathBuf {
        let program = Path::new(self.library.program);
        let library = program.file_stem().unwrap_or_default().to_string_lossy();
        self.logs
            .join(format!("{library}-{}-{what}.log", self.ours.binding))
    }
}

fn expect(said: &str, expected: &str) -> Result<(), Failure> {
    if said == expected {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "our client printed {said:?}, and not {expected:?}"
        )))
    }
}

/// The number in a peer's last line, `247 checks passed, 0 failed`.
pub(crate) fn passed_checks(said: &str) -> Result<usize, Failure> {
    let last = said.lines().last().unwrap_or_default();
    last.strip_suffix(" checks passed, 0 failed")
        .and_then(|count| count.parse().ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| Failure::new(format!("a peer ended with {last:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_peer_is_read_from_its_last_line() {
        let count = passed_checks("listening\n247 checks passed, 0 failed\n");
        assert_eq!(count.expect("all passed"), 247);
        assert!(passed_checks("246 checks passed, 1 failed\n").is_err());
        assert!(passed_checks("0 checks passed, 0 failed\n").is_err());
        assert!(passed_checks("").is_err());
    }
}
