//! Masking is the rule of RFC 6455 section 5.3, taken literally: in place, from one buffer to
//! another, in pieces, at any address.

use ws_frame::MaskKey;

pub(crate) fn run(data: &[u8]) {
    let Some((&[a, b, c, d, phase, offset, cut], plain)) = data.split_first_chunk() else {
        return;
    };
    let (key, phase) = ([a, b, c, d], usize::from(phase));
    let masked: Vec<u8> = (phase..)
        .zip(plain)
        .map(|(at, byte)| byte ^ key[at % 4])
        .collect();
    let key = MaskKey::new(key);

    let mut buffer = vec![0; 64 + plain.len()];
    let place = &mut buffer[usize::from(offset) % 64..][..plain.len()];
    place.copy_from_slice(plain);
    key.apply(phase, place);
    assert_eq!(place, masked);

    let (head, tail) = place.split_at_mut(usize::from(cut).min(plain.len()));
    key.apply(phase, head);
    key.apply(phase + head.len(), tail);
    assert_eq!(place, plain);

    assert_eq!(key.apply_into(phase, plain, place), plain.len());
    assert_eq!(place, masked);
}
