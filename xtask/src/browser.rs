//! `cargo xtask browser`: the demo page in a real browser, which is nobody's WebSocket but its own.

use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::interop;
use crate::step::{Done, Verdict};
use crate::workspace::Workspace;

const SCRIPT: &str = "interop/browser/page.mjs";
/// All of it takes half a minute.
const LIMIT: Duration = Duration::from_secs(400);

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    command::run(workspace.cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "ws-demo",
    ]))?;
    // Pictures are kept for people to look at; those of an earlier run would mislead them.
    let pictures = workspace.target_dir("browser")?;
    std::fs::remove_dir_all(&pictures)?;
    std::fs::create_dir_all(&pictures)?;
    let log = pictures.join("page.log");
    command::run_logged(
        Command::new("node")
            .arg(workspace.path(SCRIPT))
            .arg(workspace.build_dir().join("release/ws-demo"))
            .arg(&pictures),
        &log,
        LIMIT,
    )?;
    let said = std::fs::read_to_string(&log)?;
    for line in said.lines() {
        println!("   {line}");
    }
    println!("   pictures: {}", pictures.display());
    Done::checked(interop::passed_checks(&said)?, "checks")
}
