//! The mask kernel for what the CPU turns out to have: the only `unsafe` of the workspace.
//!
//! The kernel itself is the safe one of `kernel.rs`, compiled for more instructions. All that is
//! unsafe is to call code that the CPU might not understand, and the call stands beside the
//! question whether it does. The standard library asks the CPU once and keeps the answer.
//!
//! There is no AVX-512: on Zen 4, the only CPU at hand that has it, it is as fast as AVX2 from
//! 4 KiB on and slower below.
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

/// Masks `span` by the fastest kernel for its length that this CPU can run.
#[inline]
pub(super) fn apply(word: u64, span: impl Span) {
    if span.len() >= MIN_LEN && is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2, as it has just said.
        unsafe { avx2(word, span) }
    } else {
        kernel::portable(word, span);
    }
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
