//! Every kernel against the rule of section 5.3, taken literally.
//!
//! Inside the crate, since through [`MaskKey`] only the kernel that was chosen can be reached.

use std::{iter, vec::Vec};

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use super::simd;
use super::{
    MaskKey,
    kernel::{self, Copied, InPlace},
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// "Octet i of the transformed data is the XOR of octet i of the original data with octet at
/// index i modulo 4 of the masking key."
fn literally(key: [u8; 4], phase: usize, data: &[u8]) -> Vec<u8> {
    data.iter()
        .zip(key.iter().cycle().skip(phase % 4))
        .map(|(byte, key)| byte ^ key)
        .collect()
}

/// Bytes of which no two neighbours are equal, and that do not repeat with any power of two.
fn sample(len: usize) -> Vec<u8> {
    iter::successors(Some(1_u8), |byte| {
        Some(byte.wrapping_mul(5).wrapping_add(7))
    })
    .enumerate()
    .map(|(index, byte)| byte ^ (index / 251) as u8)
    .take(len)
    .collect()
}

/// What lies around the data, and must stay as it is.
const AROUND: [u8; 64] = [0xee; 64];

/// A buffer with room for every offset, and in it a start at a multiple of 64.
struct Arena {
    bytes: Vec<u8>,
    start: usize,
}

impl Arena {
    fn new(len: usize) -> Self {
        let bytes = std::vec![0xee; len + 320];
        let start = bytes.as_ptr().align_offset(64) + 64;
        Self { bytes, start }
    }

    /// Puts `before` at this offset, hands it to `mask`, and checks that it is `after` and that
    /// nothing around it has changed.
    fn check(&mut self, offset: usize, before: &[u8], after: &[u8], mask: impl Fn(&mut [u8])) {
        let from = self.start + offset;
        let to = from + before.len();
        self.bytes[from..to].copy_from_slice(before);
        mask(&mut self.bytes[from..to]);
        assert_eq!(
            self.bytes[from..to],
            *after,
            "length {}, offset {offset}",
            before.len()
        );
        self.bytes[from..to].fill(0xee);
        assert_eq!(
            self.bytes[from - 64..from],
            AROUND,
            "wrote in front of its data"
        );
        assert_eq!(self.bytes[to..to + 64], AROUND, "wrote behind its data");
    }
}

/// Runs `mask` in place and from buffer to buffer, over every length to 300, every offset from an
/// address that is a multiple of 64, and every phase; and over every offset at both ends of
/// an allocation, where a sanitizer sees each byte read or written beyond it.
fn check_kernel(in_place: impl Fn(usize, &mut [u8]), copied: impl Fn(usize, &[u8], &mut [u8])) {
    let mut arena = Arena::new(300);
    for len in 0..=300 {
        // Boxed, because a vector may have room behind its bytes.
        let plain = sample(len).into_boxed_slice();
        let masked: Vec<_> = (0..4)
            .map(|phase| literally(KEY, phase, &plain).into_boxed_slice())
            .collect();
        for offset in 0..64 {
            for (phase, masked) in masked.iter().enumerate() {
                arena.check(offset, &plain, masked, |data| in_place(phase, data));
                arena.check(offset, &sample(len), masked, |data| {
                    copied(phase, &plain, data)
                });
            }
            let mut whole = std::vec![0xee; offset + len].into_boxed_slice();
            for (range, outside) in [
                (offset..offset + len, 0..offset),
                (0..len, len..len + offset),
            ] {
                for (phase, masked) in masked.iter().enumerate() {
                    whole.fill(0xee);
                    whole[range.clone()].copy_from_slice(&plain);
                    in_place(phase, &mut whole[range.clone()]);
                    assert_eq!(whole[range.clone()], **masked, "length {len}, at an end");
                    copied(phase, masked, &mut whole[range.clone()]);
                    assert_eq!(whole[range.clone()], *plain, "length {len}, at an end");
                    assert_eq!(whole[outside.clone()], AROUND[..offset], "wrote outside");
                }
            }
        }
    }
}

// spec: M-06
#[test]
fn the_chosen_kernel_masks_literally() {
    let key = MaskKey::new(KEY);
    check_kernel(
        |phase, data| key.apply(phase, data),
        |phase, source, target| assert_eq!(key.apply_into(phase, source, target), source.len()),
    );
}

// spec: M-06
#[test]
fn the_portable_kernel_masks_literally() {
    let key = MaskKey::new(KEY);
    check_kernel(
        |phase, data| kernel::portable(key.word(phase), InPlace(data)),
        |phase, source, target| {
            kernel::portable(key.word(phase), Copied::new(source, target));
        },
    );
}

/// What the chosen kernel is made of, for this CPU, whatever is chosen at which length.
// spec: M-06
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
#[test]
fn the_avx2_kernel_masks_literally() {
    let key = MaskKey::new(KEY);
    // A CPU without has no such kernel. That those which check this project have one is for
    // `cargo xtask sanitize` to see.
    let Some(avx2) = simd::Avx2::detect() else {
        return;
    };
    check_kernel(
        |phase, data| avx2.mask(key.word(phase), InPlace(data)),
        |phase, source, target| avx2.mask(key.word(phase), Copied::new(source, target)),
    );
}

// The vector kernels as they are called for long data, compiled for the baseline: what is tested is
// their arithmetic, on every machine.

// spec: M-06
#[test]
fn blocks_of_16_mask_literally() {
    check_blocks::<16, 16>();
}

// spec: M-06
#[test]
fn blocks_of_64_mask_literally() {
    check_blocks::<64, 32>();
}

// spec: M-06
#[test]
fn blocks_from_the_first_byte_on_mask_literally() {
    let key = MaskKey::new(KEY);
    check_kernel(
        |phase, data| match data.len() {
            0..128 => key.apply(phase, data),
            _ => kernel::blocks::<128>(key.word(phase), InPlace(data)),
        },
        |phase, source, target| match source.len() {
            0..128 => assert_eq!(key.apply_into(phase, source, target), source.len()),
            _ => kernel::blocks::<128>(key.word(phase), Copied::new(source, target)),
        },
    );
}

// spec: M-06
#[test]
fn blocks_of_64_at_multiples_of_64_mask_literally() {
    check_blocks::<64, 64>();
}

fn check_blocks<const N: usize, const ALIGN: usize>() {
    let key = MaskKey::new(KEY);
    check_kernel(
        |phase, data| match data.len() {
            len if len < N => key.apply(phase, data),
            len if len <= 2 * N => kernel::ends::<N>(key.word(phase), InPlace(data)),
            _ => kernel::aligned::<N, ALIGN>(key.word(phase), InPlace(data)),
        },
        |phase, source, target| {
            let span = Copied::new(source, target);
            if source.len() < N {
                key.apply_into(phase, source, target);
            } else {
                kernel::aligned::<N, ALIGN>(key.word(phase), span);
            }
        },
    );
}

// spec: M-06, M-07
#[test]
fn long_data_masks_literally() {
    let key = MaskKey::new(KEY);
    let mut arena = Arena::new(70_000);
    for len in [1023, 1024, 1025, 1087, 4096, 4097, 16_384, 65_535, 65_537] {
        let plain = sample(len);
        for offset in [0, 1, 3, 31, 32, 33, 63] {
            for phase in 0..4 {
                let masked = literally(KEY, phase, &plain);
                arena.check(offset, &plain, &masked, |data| key.apply(phase, data));
                arena.check(offset, &sample(len), &masked, |data| {
                    assert_eq!(key.apply_into(phase, &plain, data), len);
                });
            }
        }
    }
}

/// What needs a block leaves less than one alone; it is never called with less.
#[test]
fn block_kernels_leave_data_shorter_than_a_block_alone() {
    let mut data = [0x5a; 63];
    kernel::ends::<64>(u64::MAX, InPlace(&mut data));
    kernel::aligned::<64, 32>(u64::MAX, InPlace(&mut data));
    kernel::blocks::<64>(u64::MAX, InPlace(&mut data));
    assert_eq!(data, [0x5a; 63]);
}
