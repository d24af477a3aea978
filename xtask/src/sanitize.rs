//! `cargo xtask sanitize`: the tests of the mask kernels under AddressSanitizer.
//!
//! The kernels are safe code, but the one call to the vectorised one is not, and what the compiler
//! makes of them is only checked where every byte read or written beyond the data is seen.

use std::time::Duration;

use crate::command;
use crate::step::{Done, Failure, Verdict};
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// The tests take seconds; the rest is for building what they need.
const RUN_LIMIT: Duration = Duration::from_secs(900);

const FLAG: &str = "-Zsanitizer=address";

/// Each kernel there is on this architecture, by the test that calls it directly.
#[cfg(target_arch = "x86_64")]
const KERNEL_TESTS: &[&str] = &[
    "the_portable_kernel_masks_literally",
    "the_avx2_kernel_masks_literally",
];
#[cfg(not(target_arch = "x86_64"))]
const KERNEL_TESTS: &[&str] = &["the_portable_kernel_masks_literally"];

/// Reads the byte behind its data.
const TRESPASSER: &str = "fn main() {
    let data = std::hint::black_box(vec![0_u8; 300].into_boxed_slice());
    let behind = unsafe { data.as_ptr().add(data.len()).read_volatile() };
    std::hint::black_box(behind);
}
";

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    expect_every_kernel_can_run()?;
    let toolchain = Toolchain::choose();
    println!("   {toolchain:?}");
    expect_bite(workspace, &toolchain)?;
    let folder = workspace.target_dir("sanitize")?;
    let log = folder.join("mask.log");
    command::run_logged(
        toolchain
            .cargo(workspace)
            // Optimized, because only then are the kernels vector code.
            .args(["test", "--release", "--package", "ws-frame", "--lib"])
            // With a target of its own, what runs while building is not instrumented.
            .args(["--target", &host(workspace, &toolchain)?])
            .args(["--", "mask::"])
            .env("RUSTFLAGS", FLAG)
            .env("CARGO_TARGET_DIR", &folder),
        &log,
        RUN_LIMIT,
    )?;
    let said = std::fs::read_to_string(&log)?;
    let passed = passed_tests(&said);
    Failure::unless_empty(
        KERNEL_TESTS
            .iter()
            .filter(|name| !passed.iter().any(|test| test.ends_with(*name)))
            .map(|name| format!("{name} was not run, see {}", log.display()))
            .collect(),
    )?;
    Done::checked(passed.len(), "tests under AddressSanitizer")
}

/// The test of a kernel that the CPU cannot run passes without having run it.
fn expect_every_kernel_can_run() -> Result<(), Failure> {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx2") {
        return Err(Failure::new(
            "this CPU has no AVX2, so that the kernel for it cannot be checked here",
        ));
    }
    Ok(())
}

/// A sanitizer that sees nothing must not pass for one that has nothing to say.
fn expect_bite(workspace: &Workspace, toolchain: &Toolchain) -> Result<(), Failure> {
    let folder = workspace.target_dir("sanitize")?;
    let source = folder.join("trespasser.rs");
    let program = folder.join("trespasser");
    std::fs::write(&source, TRESPASSER)?;
    command::run_logged(
        toolchain
            .rustc(workspace)
            .args(["--edition", "2024", FLAG, "-o"])
            .args([&program, &source]),
        &folder.join("trespasser-build.log"),
        RUN_LIMIT,
    )?;
    let log = folder.join("trespasser.log");
    let run = command::run_logged(&mut std::process::Command::new(&program), &log, RUN_LIMIT);
    if run.is_ok() || !std::fs::read_to_string(&log)?.contains("heap-buffer-overflow") {
        return Err(Failure::new(format!(
            "AddressSanitizer does not see a read beyond the data, see {}",
            log.display()
        )));
    }
    Ok(())
}

/// The triple of this machine, as the compiler has it.
fn host(workspace: &Workspace, toolchain: &Toolchain) -> Result<String, Failure> {
    let about = command::stdout_of(toolchain.rustc(workspace).arg("-vV"))?;
    about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("rustc -vV does not name its host"))
}

/// The names of the tests that passed.
fn passed_tests(log: &str) -> Vec<&str> {
    log.lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_passed_are_read_from_the_log() {
        let log = "running 3 tests\ntest mask::tests::a ... ok\ntest mask::tests::b ... FAILED\n\
                   test mask::tests::c ... ok\n\ntest result: FAILED. 2 passed; 1 failed\n";
        assert_eq!(passed_tests(log), ["mask::tests::a", "mask::tests::c"]);
    }
}
