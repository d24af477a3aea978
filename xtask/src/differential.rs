//! Part of `cargo xtask interop`: Python's zlib against our codecs, without a connection between them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::interop::passed_checks;
use crate::setup;
use crate::step::Failure;
use crate::workspace::Workspace;

/// Each of the codecs that `ws-deflate` can have, by its features.
const CODECS: &[(&str, &str)] = &[("zlib-rs", "zlib"), ("miniz_oxide", "miniz,std")];

/// It takes five seconds, and more on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The number of checks, for each codec.
pub(crate) fn run(workspace: &Workspace, logs: &Path) -> Result<usize, Failure> {
    let mut checks = 0;
    for (codec, features) in CODECS {
        command::run(workspace.cargo().args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "ws-deflate",
            "--example",
            "codec_pipe",
            "--no-default-features",
            "--features",
            features,
        ]))?;
        let log = logs.join(format!("zlib-{codec}.log"));
        let mut program = Command::new(setup::interop_python(workspace)?);
        program
            .arg(workspace.path("interop/python/zlib_differential.py"))
            .arg(workspace.build_dir().join("release/examples/codec_pipe"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command::run_logged(&mut program, &log, LIMIT)?;
        let count = passed_checks(&std::fs::read_to_string(log)?)?;
        println!("   zlib (Python) <-> {codec}: {count} checks");
        checks += count;
    }
    Ok(checks)
}
