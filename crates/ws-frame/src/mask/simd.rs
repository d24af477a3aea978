//! The mask kernel for what the CPU turns out to have: the only `unsafe` of the workspace, one
//! block.
//!
//! The kernel itself is the safe one of `kernel.rs`, compiled for more instructions. All that is
//! unsafe is to call code that the CPU might not understand, so that whoever calls it must hold
//! the CPU's word. The standard library asks the CPU once and keeps the answer.
//!
//! There is no AVX-512: on Zen 4 it was as fast as AVX2 from 4 KiB on and slower below.
#![expect(
    unsafe_code,
    reason = "a function with target features may only be called with them"
)]

use std::arch::is_x86_feature_detected;

use super::kernel::{self, MAX_SHORT_LEN, Span};

/// Masks `span` by the fastest kernel for its length that this CPU can run.
#[inline]
pub(super) fn apply(word: u64, span: impl Span) {
    if span.len() <= MAX_SHORT_LEN {
        kernel::short(word, span);
    } else {
        long(word, span);
    }
}

/// Not inlined: the question to the CPU may be a call, for which registers would be saved before
/// it is known whether the data is short. Without that 64 bytes take 4.0 ns instead of 5.3, and 16
/// bytes 3.1 instead of 3.7 (Zen 3).
#[inline(never)]
fn long(word: u64, span: impl Span) {
    match Avx2::detect() {
        Some(avx2) => avx2.mask(word, span),
        None => kernel::portable(word, span),
    }
}

/// The proof that this CPU has AVX2: there is none without.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// Masks data of any length.
    #[inline]
    pub(super) fn mask(self, word: u64, span: impl Span) {
        // SAFETY: `detect` is the only way to a `Self`, and gives one only if the CPU has AVX2.
        unsafe { avx2(word, span) }
    }
}

/// Each step against the next smaller kernel, on data taken in turn from 16 KiB (Zen 4): up to 128
/// bytes two blocks of 64 in wide registers are faster than in those of the portable kernel (125
/// bytes: 33 GB/s against 27), up to 256 two of 128 are faster than a loop (59 against 50).
#[target_feature(enable = "avx2")]
fn avx2(word: u64, span: impl Span) {
    match span.len() {
        0..=MAX_SHORT_LEN => kernel::short(word, span),
        65..=128 => kernel::ends::<64>(word, span),
        129..=256 => kernel::ends::<128>(word, span),
        _ => kernel::aligned::<64, 32>(word, span),
    }
}
