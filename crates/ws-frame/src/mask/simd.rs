//! The mask kernels for what the CPU turns out to have: the only `unsafe` of the workspace.
//!
//! The kernels themselves are the safe ones of `kernel.rs`, compiled for more instructions. All
//! that is unsafe is to call code that the CPU might not understand, and each call stands beside
//! the question whether it does. The standard library asks the CPU once and keeps the answer.
#![expect(
    unsafe_code,
    reason = "a function with target features may only be called with them"
)]

use std::arch::is_x86_feature_detected;

use super::kernel::{self, Span};

/// Below this the portable kernel is as fast as the question and the call.
///
/// Measured on Zen 4, on data taken in turn from 16 KiB, portable against AVX2 in GB/s: 64 bytes
/// 17 and 17, 100 bytes 22 and 26, 125 bytes 27 and 33, 160 bytes 23 and 37, 256 bytes 22 and 59,
/// 1 KiB 47 and 100, 4 KiB 58 and 113.
const MIN_LEN: usize = 64;

/// Below this AVX2 is as fast as AVX-512, or faster.
///
/// Measured on Zen 4, which takes two cycles to store 64 bytes, AVX2 against AVX-512 in GB/s:
/// 1 KiB 101 and 89, 4 KiB 113 and 111, 16 KiB 117 and 116. It is there for the cores that take
/// one, where it was 1.2 to 1.4 times as fast at 4 KiB.
const MIN_LEN_AVX512: usize = 4096;

/// Masks `span` by the fastest kernel for its length that this CPU can run.
#[inline]
pub(super) fn apply(word: u64, span: impl Span) {
    if span.len() >= MIN_LEN_AVX512 && has_avx512() {
        // SAFETY: the CPU has AVX-512F, as `has_avx512` has just said.
        unsafe { avx512(word, span) }
    } else if span.len() >= MIN_LEN && is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2, as it has just said.
        unsafe { avx2(word, span) }
    } else {
        kernel::portable(word, span);
    }
}

/// Whether the CPU has 512-bit registers and does not slow down when they are used: the first
/// generation, which did, had no VBMI2.
#[inline]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vbmi2")
}

/// Needs [`MIN_LEN`] bytes.
#[target_feature(enable = "avx2")]
fn avx2(word: u64, span: impl Span) {
    match span.len() {
        0..=128 => kernel::ends::<64>(word, span),
        129..=256 => kernel::ends::<128>(word, span),
        _ => kernel::aligned::<64, 32>(word, span),
    }
}

/// Needs 64 bytes.
#[target_feature(enable = "avx512f")]
fn avx512(word: u64, span: impl Span) {
    kernel::aligned::<64, 64>(word, span);
}
