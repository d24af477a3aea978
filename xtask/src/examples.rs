//! `cargo xtask examples`: each program of `examples/` is built and run, by a test of its own or
//! here.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::peer::Peer;
use crate::step::{Done, Failure, Verdict};
use crate::workspace::Workspace;

const PACKAGE: &str = "ws-examples";

/// Programs that serve or talk for as long as somebody wants them to: these have no test, and are
/// run here, and by the steps `conformance` and `interop`.
const SERVERS: &[&str] = &[
    "echo_server_async",
    "echo_server_split_async",
    "echo_server_sync",
    "server_async",
    "server_sync",
];
const CLIENTS: &[&str] = &["echo_client_async", "echo_client_sync"];
const RUN_BY_CONFORMANCE: &[&str] = &["autobahn_client_async", "autobahn_client_sync"];

/// A client that sends a few short messages has long ended by then.
const CLIENT_LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let packages = workspace.packages()?;
    let examples: Vec<_> = packages
        .iter()
        .filter(|package| package.name == PACKAGE)
        .flat_map(|package| &package.targets)
        .filter(|target| target.kind == "example")
        .collect();
    let run_here = [SERVERS, CLIENTS, RUN_BY_CONFORMANCE].concat();
    let never_run: Vec<String> = examples
        .iter()
        .filter(|example| !example.has_tests && !run_here.contains(&&*example.name))
        .map(|example| format!("{} has no test and is run by no step", example.name))
        .collect();
    Failure::unless_empty(never_run)?;

    command::run(
        workspace
            .cargo()
            .args(["test", "--quiet", "--package", PACKAGE, "--examples"]),
    )?;
    for server in SERVERS {
        for client in CLIENTS {
            echo(workspace, server, client)?;
            println!("   {client} and {server} understand each other");
        }
    }
    Done::checked(examples.len(), "examples")
}

/// Builds one example as a user would, and says where it is.
pub(crate) fn build_release(workspace: &Workspace, example: &str) -> Result<PathBuf, Failure> {
    build(workspace, example, &["--release"])?;
    Ok(workspace.build_dir().join("release/examples").join(example))
}

fn build(workspace: &Workspace, example: &str, options: &[&str]) -> Result<(), Failure> {
    command::run(
        workspace
            .cargo()
            .args([
                "build",
                "--quiet",
                "--package",
                PACKAGE,
                "--example",
                example,
            ])
            .args(options),
    )
}

fn echo(workspace: &Workspace, server: &str, client: &str) -> Result<(), Failure> {
    // `cargo test` above has built them.
    let folder = workspace.build_dir().join("debug/examples");
    for example in [server, client] {
        build(workspace, example, &[])?;
    }
    let logs = workspace.target_dir("examples")?;
    let mut server = Peer::start(
        Command::new(folder.join(server)).args(["--port", "0"]),
        "listening on ",
        &logs.join(format!("{server}.log")),
    )?;
    let log = logs.join(format!("{client}.log"));
    command::run_logged(
        Command::new(folder.join(client))
            .arg(server.address())
            .args(["hello", "中文 🦀", ""]),
        &log,
        CLIENT_LIMIT,
    )?;
    let said = std::fs::read_to_string(&log)?;
    let expected = "text: hello\ntext: 中文 🦀\ntext: \nclosed: 1000 \n";
    if said != expected {
        return Err(Failure::new(format!(
            "{client} printed {said:?}, and not {expected:?}"
        )));
    }
    server.expect_alive()
}
