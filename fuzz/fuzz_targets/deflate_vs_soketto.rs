#![no_main]

#[path = "../bodies/deflate_vs_soketto.rs"]
mod body;
#[path = "../bodies/cuts.rs"]
mod cuts;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
