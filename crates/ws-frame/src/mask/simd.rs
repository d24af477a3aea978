//! The mask kernel for what the CPU turns out to have: the only `unsafe` of the workspace, one
//! block.
//!
//! The kernel itself is the safe one of `kernel.rs`, compiled for more instructions. All that is
//! unsafe is to call code that the CPU might not understand, so that whoever calls it must hold
//! the CPU's word. The CPU is asked once.
//!
//! There is no AVX-512: on Zen 4 it was as fast as AVX2 from 4 KiB on and slower below.
#![expect(
    unsafe_code,
    reason = "a function with target features may only be called with them"
)]

use core::sync::atomic::{AtomicBool, Ordering};
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

/// Not inlined, and without the question to the CPU in it: that may be a call, for which registers
/// would be saved before it is known whether it is asked at all.
#[inline(never)]
fn long(word: u64, span: impl Span) {
    match Avx2::known() {
        Some(avx2) => avx2.mask(word, span),
        None => unasked(word, span),
    }
}

/// The first time, and always on a CPU without.
#[cold]
fn unasked(word: u64, span: impl Span) {
    match Avx2::detect() {
        Some(avx2) => avx2.mask(word, span),
        None => kernel::portable(word, span),
    }
}

/// The proof that this CPU has AVX2: there is none without.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// Whether there has been such a proof.
static KNOWN: AtomicBool = AtomicBool::new(false);

impl Avx2 {
    #[inline]
    fn known() -> Option<Self> {
        KNOWN.load(Ordering::Relaxed).then_some(Self(()))
    }

    pub(super) fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx2");
        KNOWN.store(is_there, Ordering::Relaxed);
        is_there.then_some(Self(()))
    }

    /// Masks data of any length.
    #[inline]
    pub(super) fn mask(self, word: u64, span: impl Span) {
        // SAFETY: a `Self` comes from `detect` alone, which gives one only if the CPU has AVX2, or
        // from `known`, which repeats what `detect` has found.
        unsafe { avx2(word, span) }
    }
}

/// Each kernel against the next one, on data taken in turn from 16 KiB, in GB/s on Zen 3: two blocks
/// of 64 bytes in wide registers 27 at 125 bytes, in those of the portable kernel 23; two blocks of
/// 128 bytes 47 at 256, a loop 35 at 257. Where the address is right already, 92 at 1 KiB without a
/// first block that is not aligned, and 85 with it; that one gives 82 at any other address, where a
/// loop without it gives 64.
#[target_feature(enable = "avx2")]
fn avx2(word: u64, span: impl Span) {
    match span.len() {
        0..=MAX_SHORT_LEN => kernel::short(word, span),
        65..=128 => kernel::ends::<64>(word, span),
        129..=256 => kernel::ends::<128>(word, span),
        _ if span.address().is_multiple_of(32) => kernel::blocks::<128>(word, span),
        _ => kernel::aligned::<64, 32>(word, span),
    }
}
