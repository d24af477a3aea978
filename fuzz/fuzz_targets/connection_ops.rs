#![no_main]

#[path = "../bodies/connection_ops.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
