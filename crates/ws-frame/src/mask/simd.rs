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

/// Shorter data is left to the portable kernel.
const MIN_LEN: usize = 64;

/// Data at least this long is worth 512-bit registers.
const MIN_LEN_AVX512: usize = 1024;

/// Masks `span` if it is long enough and the CPU has what that takes; else leaves it as it was
/// and says `false`.
#[inline]
pub(super) fn apply(word: u64, span: &mut impl Span) -> bool {
    if span.len() < MIN_LEN {
        return false;
    }
    if span.len() >= MIN_LEN_AVX512 && has_avx512() {
        // SAFETY: the CPU has AVX-512F, as `has_avx512` has just said.
        unsafe { avx512(word, span) };
        return true;
    }
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2.
        unsafe { avx2(word, span) };
        return true;
    }
    false
}

/// Whether the CPU has 512-bit registers and does not slow down when they are used: the first
/// generation, which did, had no VBMI2.
#[inline]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vbmi2")
}

#[target_feature(enable = "avx2")]
fn avx2(word: u64, span: &mut impl Span) {
    match span.len() {
        0..=128 => kernel::ends::<64>(word, span),
        129..=256 => kernel::ends::<128>(word, span),
        _ => kernel::aligned::<64, 32>(word, span),
    }
}

#[target_feature(enable = "avx512f")]
fn avx512(word: u64, span: &mut impl Span) {
    kernel::aligned::<256, 64>(word, span);
}
