//! Replays the corpora of the fuzz targets that are about this crate, without a fuzzer.

use std::{fs, path::Path};

#[path = "../../../fuzz/bodies/cuts.rs"]
mod cuts;
#[path = "../../../fuzz/bodies/extension_header.rs"]
mod extension_header;
#[path = "../../../fuzz/bodies/handshake_request.rs"]
mod handshake_request;
#[path = "../../../fuzz/bodies/handshake_response.rs"]
mod handshake_response;
#[path = "../../../fuzz/bodies/uri.rs"]
mod uri;

#[test]
fn extension_header() {
    replay("extension_header", extension_header::run);
}

#[test]
fn handshake_request() {
    replay("handshake_request", handshake_request::run);
}

#[test]
fn handshake_response() {
    replay("handshake_response", handshake_response::run);
}

#[test]
fn uri() {
    replay("uri", uri::run);
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
