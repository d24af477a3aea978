//! A compiler that takes the options which are not stable yet, for the fuzzer and the sanitizer.

use std::process::Command;

use crate::command;
use crate::workspace::Workspace;

/// Instrumentation is a compiler option that only a nightly takes, or a stable compiler that is
/// told to behave like one.
#[derive(Debug)]
pub(crate) enum Toolchain {
    Nightly,
    StableAsNightly,
}

impl Toolchain {
    pub(crate) fn choose() -> Self {
        if command::version_of("cargo", &["+nightly", "--version"]).is_some() {
            Self::Nightly
        } else {
            Self::StableAsNightly
        }
    }

    pub(crate) fn cargo(&self, workspace: &Workspace) -> Command {
        self.program("cargo", workspace)
    }

    pub(crate) fn rustc(&self, workspace: &Workspace) -> Command {
        self.program("rustc", workspace)
    }

    fn program(&self, name: &str, workspace: &Workspace) -> Command {
        let mut command = Command::new(name);
        command.current_dir(workspace.path("."));
        // These name the toolchain that runs this program, and would win over the choice here.
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        match self {
            Self::Nightly => {
                command.arg("+nightly");
            }
            Self::StableAsNightly => {
                command.env("RUSTC_BOOTSTRAP", "1");
            }
        }
        command
    }
}
