#![no_main]

#[path = "../bodies/cuts.rs"]
mod cuts;
#[path = "../bodies/deflate_vs_soketto.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
