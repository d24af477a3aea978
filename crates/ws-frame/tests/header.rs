//! Frame headers, RFC 6455 section 5.2: what is read, what is refused and when, what is written.

use std::iter;

use proptest::{collection::vec, prelude::*};
use ws_frame::{CloseCode, FrameHeader, HeaderError, MaskKey, Opcode, Rsv};

const OPCODES: [Opcode; 6] = [
    Opcode::Continuation,
    Opcode::Text,
    Opcode::Binary,
    Opcode::Close,
    Opcode::Ping,
    Opcode::Pong,
];
const KEY: MaskKey = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);

/// The lengths at which the form on the wire changes, and their neighbours.
const LENGTHS: [u64; 16] = [
    0,
    1,
    124,
    125,
    126,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    65_537,
    u32::MAX as u64,
    u32::MAX as u64 + 1,
    i64::MAX as u64 - 1,
    i64::MAX as u64,
];

/// Every header there is, but for the lengths, of which there are only those of [`LENGTHS`].
fn all_headers() -> impl Iterator<Item = FrameHeader> {
    let rsvs = (0_u8..8).map(|bits| {
        let bit = |mask, rsv| if bits & mask == 0 { Rsv::NONE } else { rsv };
        bit(4, Rsv::RSV1) | bit(2, Rsv::RSV2) | bit(1, Rsv::RSV3)
    });
    rsvs.flat_map(|rsv| [true, false].map(|fin| (rsv, fin)))
        .flat_map(|(rsv, fin)| OPCODES.map(|opcode| (rsv, fin, opcode)))
        .flat_map(|(rsv, fin, opcode)| {
            [None, Some(KEY)].map(|mask| FrameHeader {
                fin,
                rsv,
                opcode,
                mask,
                payload_len: 0,
            })
        })
        .flat_map(|header| {
            LENGTHS.map(|payload_len| FrameHeader {
                payload_len,
                ..header
            })
        })
}

/// Whether section 5.5 allows a header like this.
fn is_allowed(header: &FrameHeader) -> bool {
    header.opcode.is_data() || (header.fin && header.payload_len <= 125)
}

/// The whole of section 5.2, straight from the diagram: what a header that starts with these 14
/// bytes is, and how many of them decide it.
fn by_the_diagram(bytes: &[u8; 14]) -> (usize, Result<(FrameHeader, usize), HeaderError>) {
    let number = |from: usize, len: usize| {
        bytes[from..from + len]
            .iter()
            .fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    let Some(opcode) = OPCODES
        .into_iter()
        .find(|opcode| opcode.bits() == bytes[0] & 0x0f)
    else {
        return (1, Err(HeaderError::ReservedOpcode(bytes[0] & 0x0f)));
    };
    let fin = bytes[0] >= 0x80;
    if opcode.bits() >= 8 && !fin {
        return (1, Err(HeaderError::FragmentedControl(opcode)));
    }
    let len7 = bytes[1] % 128;
    if opcode.bits() >= 8 && len7 > 125 {
        return (2, Err(HeaderError::OversizedControl(opcode)));
    }
    let (payload_len, at) = match len7 {
        126 if number(2, 2) < 126 => return (4, Err(HeaderError::NonMinimalLength)),
        126 => (number(2, 2), 4),
        127 if bytes[2] >= 0x80 => return (3, Err(HeaderError::LengthOverflow)),
        127 if number(2, 6) == 0 => return (8, Err(HeaderError::NonMinimalLength)),
        127 => (number(2, 8), 10),
        len7 => (u64::from(len7), 2),
    };
    let rsv = [Rsv::RSV1, Rsv::RSV2, Rsv::RSV3]
        .into_iter()
        .filter(|rsv| bytes[0] & rsv.bits() != 0)
        .fold(Rsv::NONE, Rsv::union);
    let (mask, len) = if bytes[1] >= 0x80 {
        let key = bytes[at..at + 4].try_into().expect("four bytes");
        (Some(MaskKey::new(key)), at + 4)
    } else {
        (None, at)
    };
    (
        len,
        Ok((
            FrameHeader {
                fin,
                rsv,
                opcode,
                mask,
                payload_len,
            },
            len,
        )),
    )
}

/// Parses every beginning of `bytes`, and compares each with the diagram: nothing before the byte
/// that decides, the same from there on.
fn check_every_cut(bytes: &[u8; 14]) {
    let (decided_by, expected) = by_the_diagram(bytes);
    for cut in 0..=bytes.len() {
        let parsed = FrameHeader::parse(&bytes[..cut]);
        if cut < decided_by {
            assert_eq!(parsed, Ok(None), "{:02x?}", &bytes[..cut]);
        } else {
            assert_eq!(parsed, expected.map(Some), "{:02x?}", &bytes[..cut]);
        }
    }
}

// spec: F-01, F-04, F-07, F-16
#[test]
fn what_is_written_is_read() {
    for header in all_headers().filter(is_allowed) {
        let mut bytes = [0xff; FrameHeader::MAX_LEN];
        let len = header.encode(&mut bytes);
        assert_eq!(len, header.encoded_len());
        assert_eq!(*header.to_bytes(), bytes[..len]);
        assert_eq!(header.to_bytes().as_ref(), &bytes[..len]);
        assert_eq!(FrameHeader::parse(&bytes[..len]), Ok(Some((header, len))));

        let payload = [bytes[..len].to_vec(), vec![0x81; 20]].concat();
        assert_eq!(
            FrameHeader::parse(&payload),
            Ok(Some((header, len))),
            "payload is not looked at"
        );
    }
}

// spec: F-09, F-11
#[test]
fn every_cut_of_what_is_written_asks_for_more() {
    for header in all_headers().filter(is_allowed) {
        let bytes = header.to_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(
                FrameHeader::parse(&bytes[..cut]),
                Ok(None),
                "{bytes:?} cut at {cut}"
            );
        }
    }
}

// spec: C-01, C-02, F-16
#[test]
fn control_frames_that_break_section_5_5_are_refused() {
    for header in all_headers().filter(|header| !is_allowed(header)) {
        let expected = if header.fin {
            HeaderError::OversizedControl(header.opcode)
        } else {
            HeaderError::FragmentedControl(header.opcode)
        };
        assert_eq!(FrameHeader::parse(&header.to_bytes()), Err(expected));
    }
}

// spec: F-01, F-02, F-03, F-04, F-05, F-06, F-08, F-09, F-11, C-01, C-02
#[test]
fn every_start_of_a_header_is_read_by_the_diagram() {
    let lengths: [[u8; 8]; 12] = [
        [0; 8],
        [0, 0, 0, 0, 0, 0, 0, 1],
        [0, 0x7d, 0, 0, 0, 0, 0, 0],
        [0, 0x7e, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0xff, 0xff],
        [0, 0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0],
        [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        [0x80, 0, 0, 0, 0, 0, 0, 0],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        [0x7f, 0, 0, 0, 0, 0, 0, 0],
    ];
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            for length in lengths {
                let mut bytes = [0x5a; 14];
                bytes[0] = first;
                bytes[1] = second;
                bytes[2..10].copy_from_slice(&length);
                check_every_cut(&bytes);
            }
        }
    }
}

// spec: F-04, F-06
#[test]
fn every_16_bit_length_is_read_by_the_diagram() {
    for length in 0..=u16::MAX {
        let [high, low] = length.to_be_bytes();
        check_every_cut(&[0x82, 0xfe, high, low, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        check_every_cut(&[0x82, 0x7e, high, low, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
}

// spec: F-03
#[test]
fn reserved_opcodes_are_refused_by_the_first_byte() {
    for bits in (0x3..=0x7).chain(0xb..=0xf) {
        for flags in [0x00, 0x80, 0x40, 0xf0] {
            let expected = Err(HeaderError::ReservedOpcode(bits));
            assert_eq!(FrameHeader::parse(&[flags | bits]), expected);
            assert_eq!(
                FrameHeader::parse(&[flags | bits, 0x80, 1, 2, 3, 4]),
                expected
            );
            assert_eq!(
                FrameHeader::parse(&[flags | bits, 0x83, 1, 2, 3, 4, 5, 6, 7]),
                expected
            );
        }
        assert_eq!(Opcode::from_bits(bits), None);
    }
}

// spec: F-05, F-12
#[test]
fn lengths_above_63_bits_are_refused_by_their_first_byte() {
    let wire = [
        0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x37, 0xfa, 0x21, 0x3d,
    ];
    assert_eq!(
        FrameHeader::parse(&wire[..3]),
        Err(HeaderError::LengthOverflow)
    );
    assert_eq!(FrameHeader::parse(&wire), Err(HeaderError::LengthOverflow));

    // The largest that is allowed is only a number here: nothing is allocated for it.
    let wire = [
        0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0x37, 0xfa, 0x21, 0x3d,
    ];
    let (header, len) = FrameHeader::parse(&wire)
        .expect("a valid length")
        .expect("whole");
    assert_eq!((header.payload_len, len), (i64::MAX as u64, 14));
}

// spec: F-06
#[test]
fn lengths_in_more_bytes_than_they_need_are_refused() {
    let refused = Err(HeaderError::NonMinimalLength);
    assert_eq!(FrameHeader::parse(&[0x82, 0xfe, 0x00, 0x7d]), refused);
    assert_eq!(
        FrameHeader::parse(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        refused
    );
    let allowed = FrameHeader::parse(&[0x82, 0x7e, 0x00, 0x7e]).expect("needs two bytes");
    assert_eq!(
        allowed.map(|(header, len)| (header.payload_len, len)),
        Some((126, 4))
    );
}

// spec: F-08, F-15
#[test]
fn http_after_the_handshake_is_refused_by_its_first_byte() {
    for word in ["GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n"] {
        let first = word.as_bytes()[0];
        let parsed = FrameHeader::parse(word.as_bytes());
        let expected = match first & 0x0f {
            // 'G' is RSV1 and opcode 7; 'H' is RSV1 and a Close without FIN.
            0x7 => HeaderError::ReservedOpcode(7),
            _ => HeaderError::FragmentedControl(Opcode::Close),
        };
        assert_eq!(parsed, Err(expected));
        assert_eq!(FrameHeader::parse(&[first]), Err(expected));
    }
}

// spec: F-02
#[test]
fn reserved_bits_are_reported_as_they_stand() {
    for (first, rsv) in [
        (0xc1, Rsv::RSV1),
        (0xa1, Rsv::RSV2),
        (0x91, Rsv::RSV3),
        (0xc9, Rsv::RSV1),
        (0xc0, Rsv::RSV1),
        (0xf1, Rsv::RSV1 | Rsv::RSV2 | Rsv::RSV3),
        (0x81, Rsv::NONE),
    ] {
        let wire = [first, 0x80, 0x37, 0xfa, 0x21, 0x3d];
        let (header, _) = FrameHeader::parse(&wire)
            .expect("a valid header")
            .expect("whole");
        assert_eq!(header.rsv, rsv);
        assert_eq!(header.rsv.bits(), first & 0x70);
        assert_eq!(header.rsv.is_empty(), first & 0x70 == 0);
    }
    assert!((Rsv::RSV1 | Rsv::RSV3).contains(Rsv::RSV3));
    assert!(!Rsv::RSV1.contains(Rsv::RSV1 | Rsv::RSV3));
    assert!(Rsv::NONE.contains(Rsv::NONE));
    assert_eq!(Rsv::default(), Rsv::NONE);
}

// spec: F-05, F-16
#[test]
fn a_length_that_no_header_can_carry_is_written_as_the_largest() {
    for payload_len in [i64::MAX as u64 + 1, u64::MAX] {
        let too_long = FrameHeader {
            fin: true,
            rsv: Rsv::NONE,
            opcode: Opcode::Binary,
            mask: None,
            payload_len,
        };
        let largest = FrameHeader {
            payload_len: i64::MAX as u64,
            ..too_long
        };
        assert_eq!(*too_long.to_bytes(), *largest.to_bytes());
    }
}

#[test]
fn opcodes_are_their_bits() {
    let bits = OPCODES.map(Opcode::bits);
    assert_eq!(bits, [0x0, 0x1, 0x2, 0x8, 0x9, 0xa]);
    for bits in 0..=u8::MAX {
        let expected = OPCODES.into_iter().find(|opcode| opcode.bits() == bits);
        assert_eq!(Opcode::from_bits(bits), expected);
    }
    assert_eq!(
        OPCODES.map(Opcode::is_control),
        [false, false, false, true, true, true]
    );
    assert_eq!(
        OPCODES.map(Opcode::is_data),
        [true, true, true, false, false, false]
    );
    let names = OPCODES.map(|opcode| opcode.to_string());
    assert_eq!(
        names,
        ["continuation", "text", "binary", "close", "ping", "pong"]
    );
}

#[test]
fn errors_say_what_was_wrong_and_oblige_to_1002() {
    let errors = [
        (HeaderError::ReservedOpcode(0xb), "reserved opcode 0xb"),
        (
            HeaderError::FragmentedControl(Opcode::Ping),
            "ping frame without FIN",
        ),
        (
            HeaderError::OversizedControl(Opcode::Close),
            "close frame of more than 125 bytes",
        ),
        (
            HeaderError::NonMinimalLength,
            "payload length not in its shortest form",
        ),
        (
            HeaderError::LengthOverflow,
            "payload length with its top bit set",
        ),
    ];
    for (error, text) in errors {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    }
    assert!(size_of::<HeaderError>() <= 2);
}

#[test]
fn header_bytes_show_only_the_header() {
    let header = FrameHeader {
        fin: true,
        rsv: Rsv::NONE,
        opcode: Opcode::Text,
        mask: None,
        payload_len: 5,
    };
    assert_eq!(format!("{:?}", header.to_bytes()), "HeaderBytes([129, 5])");
}

proptest! {
    // spec: F-09
    #[test]
    fn any_bytes_are_read_by_the_diagram(bytes in any::<[u8; 14]>()) {
        check_every_cut(&bytes);
    }

    // spec: F-09, F-10
    #[test]
    fn frames_come_out_of_a_buffer_as_they_went_in(
        frames in vec((0..OPCODES.len(), any::<bool>(), 0_u64..300), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let headers: Vec<_> = frames
            .into_iter()
            .map(|(opcode, masked, payload_len)| FrameHeader {
                fin: true,
                rsv: Rsv::NONE,
                opcode: OPCODES[opcode],
                mask: masked.then_some(KEY),
                payload_len: if opcode < 3 { payload_len } else { payload_len % 126 },
            })
            .collect();
        let wire: Vec<u8> = headers
            .iter()
            .flat_map(|header| {
                let payload = iter::repeat_n(0x8f, usize::try_from(header.payload_len).expect("short"));
                header.to_bytes().iter().copied().chain(payload).collect::<Vec<_>>()
            })
            .collect();
        let (head, tail) = wire.split_at(cut.index(wire.len() + 1));

        let mut buffer = Vec::new();
        let mut read = Vec::new();
        for part in [head, tail] {
            buffer.extend_from_slice(part);
            while let Ok(Some((header, len))) = FrameHeader::parse(&buffer) {
                let end = len + usize::try_from(header.payload_len).expect("short");
                if buffer.len() < end {
                    break;
                }
                buffer.drain(..end);
                read.push(header);
            }
        }
        prop_assert_eq!(read, headers);
        prop_assert!(buffer.is_empty());
    }
}
