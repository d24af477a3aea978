//! Replays the corpora of the fuzz targets that are about this crate, without a fuzzer.

use std::{fs, path::Path};

#[path = "../../../fuzz/bodies/cuts.rs"]
mod cuts;
#[path = "../../../fuzz/bodies/deflate.rs"]
mod deflate;
#[path = "../../../fuzz/bodies/inflate.rs"]
mod inflate;

/// spec: PA-05, PA-06, PA-07
#[test]
fn inflate() {
    replay("inflate", inflate::run);
}

/// spec: PA-04, PA-09, PA-20
#[test]
fn deflate() {
    replay("deflate", deflate::run);
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
