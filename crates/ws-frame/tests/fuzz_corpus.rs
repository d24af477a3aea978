//! Replays the corpora of the fuzz targets that are about this crate, without a fuzzer.

use std::{fs, path::Path};

#[path = "../../../fuzz/bodies/close_payload.rs"]
mod close_payload;
#[path = "../../../fuzz/bodies/cuts.rs"]
mod cuts;
#[path = "../../../fuzz/bodies/frame_decode.rs"]
mod frame_decode;
#[path = "../../../fuzz/bodies/mask.rs"]
mod mask;
#[path = "../../../fuzz/bodies/utf8_stream.rs"]
mod utf8_stream;

#[test]
fn close_payload() {
    replay("close_payload", close_payload::run);
}

#[test]
fn frame_decode() {
    replay("frame_decode", frame_decode::run);
}

#[test]
fn mask() {
    replay("mask", mask::run);
}

#[test]
fn utf8_stream() {
    replay("utf8_stream", utf8_stream::run);
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
