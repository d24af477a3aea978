#![no_main]

#[path = "../bodies/close_payload.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
