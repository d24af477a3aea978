//! The codec alone: a frame in, a frame out, on the stack, without std or an allocator.

#![no_std]

extern crate std;

use ws_frame::{FrameHeader, MaskKey, Opcode, Rsv, Utf8Validator};

fn main() {
    // The masked text "Hello" of RFC 6455 §5.7.
    let mut frame = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let (header, header_len) = FrameHeader::parse(&frame)
        .expect("it is valid")
        .expect("it is whole");
    let payload = &mut frame[header_len..];
    header.mask.expect("a client masks").apply(0, payload);
    Utf8Validator::new().feed(payload).expect("it is UTF-8");
    std::println!("{:?} {:?}", header.opcode, core::str::from_utf8(payload));
    assert_eq!(payload, b"Hello");

    // The same text back to the client, and to another server: masked on the way into the buffer.
    let mut buffer = [0; FrameHeader::MAX_LEN];
    let reply = FrameHeader {
        fin: true,
        rsv: Rsv::NONE,
        opcode: Opcode::Text,
        mask: None,
        payload_len: 5,
    };
    let len = reply.encode(&mut buffer);
    assert_eq!(&buffer[..len], &[0x81, 0x05]);

    let mut masked = [0; 5];
    let key = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);
    let written = key.apply_into(0, payload, &mut masked);
    std::println!("{written} bytes masked: {masked:02x?}");
    assert_eq!(masked, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
}

#[test]
fn runs() {
    main();
}
