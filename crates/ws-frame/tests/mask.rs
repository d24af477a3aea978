//! Masking through the public surface, RFC 6455 section 5.3. That each kernel masks each length
//! literally is tested beside the kernels.

use proptest::{collection::vec, prelude::*};
use ws_frame::{FrameHeader, MaskKey};

const KEY: MaskKey = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);

// spec: M-06
#[test]
fn hello_both_ways() {
    let mut data = *b"Hello";
    KEY.apply(0, &mut data);
    assert_eq!(data, *b"\x7f\x9f\x4d\x51\x58");
    KEY.apply(0, &mut data);
    assert_eq!(data, *b"Hello");
}

// spec: M-06
#[test]
fn only_the_low_two_bits_of_the_phase_matter() {
    for phase in 0..4 {
        let mut expected = [0; 100];
        KEY.apply(phase, &mut expected);
        for far in [phase + 4, phase + (1 << 20), usize::MAX - 3 + phase] {
            let mut data = [0; 100];
            KEY.apply(far, &mut data);
            assert_eq!(data, expected);
        }
    }
}

// spec: M-10
#[test]
fn the_zero_key_is_a_key_and_changes_nothing() {
    let mut wire = *b"\x81\x85\x00\x00\x00\x00\x48\x65\x6c\x6c\x6f";
    let (header, len) = FrameHeader::parse(&wire)
        .expect("a valid header")
        .expect("whole");
    let key = header.mask.expect("masked");
    assert_eq!(key, MaskKey::new([0; 4]));
    key.apply(0, &mut wire[len..]);
    assert_eq!(wire[len..], *b"Hello");
}

// spec: M-09
#[test]
fn masking_into_a_buffer_leaves_the_source_and_the_rest_alone() {
    let source = *b"Hello";
    let mut target = [0xee; 8];
    assert_eq!(KEY.apply_into(0, &source, &mut target), 5);
    assert_eq!(source, *b"Hello");
    assert_eq!(target, *b"\x7f\x9f\x4d\x51\x58\xee\xee\xee");
}

#[test]
fn masking_into_a_shorter_buffer_takes_what_fits() {
    let mut target = [0; 3];
    assert_eq!(KEY.apply_into(0, b"Hello", &mut target), 3);
    assert_eq!(target, *b"\x7f\x9f\x4d");
    assert_eq!(KEY.apply_into(3, b"lo", &mut []), 0);
}

#[test]
fn keys_are_their_four_bytes() {
    assert_eq!(KEY.to_bytes(), [0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!(MaskKey::from([0x37, 0xfa, 0x21, 0x3d]), KEY);
    assert_eq!(<[u8; 4]>::from(KEY), KEY.to_bytes());
}

proptest! {
    // spec: M-07
    #[test]
    fn pieces_are_masked_as_the_whole(
        key: [u8; 4],
        data in vec(any::<u8>(), 0..6000),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let key = MaskKey::new(key);
        let mut whole = data.clone();
        key.apply(0, &mut whole);

        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        cuts.sort_unstable();
        let mut in_place = data.clone();
        let mut copied = vec![0; data.len()];
        let mut from = 0;
        for to in cuts.into_iter().chain([data.len()]) {
            key.apply(from, &mut in_place[from..to]);
            let written = key.apply_into(from, &data[from..to], &mut copied[from..]);
            prop_assert_eq!(written, to - from);
            from = to;
        }
        prop_assert_eq!(&in_place, &whole);
        prop_assert_eq!(&copied, &whole);
    }
}
