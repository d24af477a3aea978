//! Replays the corpora of the fuzz targets that are about this crate, without a fuzzer.

use std::{fs, path::Path};

#[path = "../../../fuzz/bodies/connection.rs"]
mod connection;
#[path = "../../../fuzz/bodies/connection_ops.rs"]
mod connection_ops;
#[path = "../../../fuzz/bodies/connection_vs_oracle.rs"]
mod connection_vs_oracle;
#[path = "../../../fuzz/bodies/cuts.rs"]
mod cuts;

#[test]
fn connection() {
    // spec: S-06
    replay("connection", connection::run);
}

#[test]
fn connection_ops() {
    // spec: F-14, F-16, G-07, G-14, C-12, C-16, S-06, S-07
    replay("connection_ops", connection_ops::run);
}

#[test]
fn connection_vs_oracle() {
    // spec: F-09, S-06
    replay("connection_vs_oracle", connection_vs_oracle::run);
}

/// Runs a target's body over its corpus, and over every beginning of each input.
fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&corpus).expect("the corpus is in the repository") {
        let path = entry.expect("a directory entry").path();
        let input = fs::read(&path).expect("a readable input");
        // Shown by the test harness if the input fails.
        println!("{}", path.display());
        for end in 0..=input.len() {
            run(&input[..end]);
        }
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", corpus.display());
}
