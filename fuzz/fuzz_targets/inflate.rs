#![no_main]

#[path = "../bodies/inflate.rs"]
mod body;
#[path = "../bodies/cuts.rs"]
mod cuts;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
