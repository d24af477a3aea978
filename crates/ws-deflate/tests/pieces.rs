//! A compressed message that comes in pieces: what comes out, and when.

use ws_deflate::{Agreement, Decompressor, Deflate, InflateError, Inflated};

/// "He" and "llo", each flushed.
const HE: &[u8] = b"\xf2\x48\x05\x00\x00\x00\xff\xff";
const LLO: &[u8] = b"\xca\xc9\xc9\x07\x00";

fn decompressor() -> Decompressor {
    Decompressor::new(Agreement::default().client, &Deflate::default())
}

/// What comes out of a piece before more is needed, or the message is done, or is none.
fn read(
    decompressor: &mut Decompressor,
    mut piece: &[u8],
    last: bool,
) -> (Vec<u8>, Result<bool, InflateError>) {
    let mut plain = Vec::new();
    loop {
        match decompressor.inflate(&mut piece, last) {
            Ok(Inflated::Output(output)) => plain.extend_from_slice(output),
            Ok(inflated) => return (plain, Ok(inflated == Inflated::Done)),
            Err(error) => return (plain, Err(error)),
        }
    }
}

/// spec: PA-06
#[test]
fn nothing_is_held_of_a_message_that_somebody_waits_for() {
    let mut waited_for = decompressor();
    for _ in 0..2 {
        // It is for one message.
        waited_for.hold_nothing();
        assert_eq!(read(&mut waited_for, b"", false), (vec![], Ok(false)));
        assert_eq!(
            read(&mut waited_for, HE, false),
            (b"He".to_vec(), Ok(false))
        );
        assert_eq!(
            read(&mut waited_for, LLO, true),
            (b"llo".to_vec(), Ok(true))
        );
        assert_eq!(read(&mut waited_for, HE, false), (vec![], Ok(false)));
        // What was held comes out without anything new.
        waited_for.hold_nothing();
        assert_eq!(
            read(&mut waited_for, b"", false),
            (b"He".to_vec(), Ok(false))
        );
        assert_eq!(
            read(&mut waited_for, LLO, true),
            (b"llo".to_vec(), Ok(true))
        );
    }
    // A message without a byte is none, waited for or not.
    waited_for.hold_nothing();
    assert_eq!(
        read(&mut waited_for, b"", true),
        (vec![], Err(InflateError::Empty))
    );
}

/// spec: PA-13
#[test]
fn what_comes_before_bad_data_comes_out_however_it_is_cut() {
    let good: Vec<u8> = (0..5000_u32).map(|at| (at % 251) as u8).collect();
    let len = 5000_u16;
    let bad = [
        &[0x00][..],
        &len.to_le_bytes(),
        &(!len).to_le_bytes(),
        &good,
        b"\x06 and more",
    ]
    .concat();
    for cut in (0..bad.len())
        .step_by(101)
        .chain(bad.len() - 12..=bad.len())
    {
        let mut decompressor = decompressor();
        let (mut plain, first) = read(&mut decompressor, &bad[..cut], false);
        let (rest, second) = read(&mut decompressor, &bad[cut..], true);
        plain.extend(rest);
        assert!(plain == good, "cut at {cut}");
        assert_eq!(first.and(second), Err(InflateError::Data), "cut at {cut}");
    }
}
