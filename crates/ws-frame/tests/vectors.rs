//! The frames printed in RFC 6455 section 5.7, and the ones computed from them.

use ws_frame::{
    CloseCode, ClosePayload, ClosePayloadError, FrameHeader, MaskKey, Opcode, Rsv, Utf8Validator,
    str_from_utf8,
};

const KEY: MaskKey = MaskKey::new([0x37, 0xfa, 0x21, 0x3d]);

/// One frame off the front of `wire`: its header, its payload unmasked, and what follows.
fn take_frame(wire: &[u8]) -> (FrameHeader, Vec<u8>, &[u8]) {
    let (header, header_len) = FrameHeader::parse(wire)
        .expect("a valid header")
        .expect("a whole header");
    let payload_len = usize::try_from(header.payload_len).expect("a short payload");
    let (payload, rest) = wire[header_len..].split_at(payload_len);
    let mut payload = payload.to_vec();
    if let Some(key) = header.mask {
        key.apply(0, &mut payload);
    }
    (header, payload, rest)
}

/// Reads `wire` as exactly one frame, checks what it says, and writes it back.
#[track_caller]
fn check(wire: &[u8], fin: bool, rsv: Rsv, opcode: Opcode, mask: Option<MaskKey>, payload: &[u8]) {
    let (header, unmasked, rest) = take_frame(wire);
    let payload_len = payload.len() as u64;
    assert_eq!(
        header,
        FrameHeader {
            fin,
            rsv,
            opcode,
            mask,
            payload_len
        }
    );
    assert_eq!(unmasked, payload);
    assert_eq!(rest, []);

    let mut written = header.to_bytes().to_vec();
    let payload_start = written.len();
    written.extend_from_slice(payload);
    if let Some(key) = header.mask {
        key.apply(0, &mut written[payload_start..]);
    }
    assert_eq!(written, wire);
}

#[test]
fn server_frames_of_section_5_7() {
    // spec: VEC-01, VEC-03, VEC-04, F-01
    check(
        b"\x81\x05Hello",
        true,
        Rsv::NONE,
        Opcode::Text,
        None,
        b"Hello",
    );
    check(b"\x01\x03Hel", false, Rsv::NONE, Opcode::Text, None, b"Hel");
    check(
        b"\x80\x02lo",
        true,
        Rsv::NONE,
        Opcode::Continuation,
        None,
        b"lo",
    );
    check(
        b"\x89\x05Hello",
        true,
        Rsv::NONE,
        Opcode::Ping,
        None,
        b"Hello",
    );
}

#[test]
fn client_frames_of_section_5_7() {
    // spec: VEC-02, VEC-04, M-06, M-13
    let masked_hello = b"\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let text = [b"\x81\x85", &masked_hello[..]].concat();
    check(&text, true, Rsv::NONE, Opcode::Text, Some(KEY), b"Hello");
    let pong = [b"\x8a\x85", &masked_hello[..]].concat();
    check(&pong, true, Rsv::NONE, Opcode::Pong, Some(KEY), b"Hello");
    // spec: VEC-07
    let ping = [b"\x89\x85", &masked_hello[..]].concat();
    check(&ping, true, Rsv::NONE, Opcode::Ping, Some(KEY), b"Hello");
}

#[test]
fn long_binary_of_section_5_7() {
    // spec: VEC-05, F-04
    let payload = vec![0x5a; 256];
    let wire = [b"\x82\x7e\x01\x00", &payload[..]].concat();
    check(&wire, true, Rsv::NONE, Opcode::Binary, None, &payload);
    let payload = vec![0xa5; 65_536];
    let wire = [b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", &payload[..]].concat();
    check(&wire, true, Rsv::NONE, Opcode::Binary, None, &payload);
}

#[test]
fn client_fragments() {
    // spec: VEC-06, M-07
    let wire = b"\x01\x83\x37\xfa\x21\x3d\x7f\x9f\x4d\x80\x82\x37\xfa\x21\x3d\x5b\x95";
    let (first, hel, rest) = take_frame(wire);
    let (last, lo, rest) = take_frame(rest);
    assert_eq!((first.fin, first.opcode), (false, Opcode::Text));
    assert_eq!((last.fin, last.opcode), (true, Opcode::Continuation));
    // The key starts over at each frame.
    assert_eq!([hel, lo].concat(), b"Hello");
    assert_eq!(rest, []);
}

#[test]
fn empty_payloads() {
    // spec: VEC-07, VEC-08, F-07, F-13
    for (first, opcode) in [
        (0x80, Opcode::Continuation),
        (0x81, Opcode::Text),
        (0x82, Opcode::Binary),
        (0x88, Opcode::Close),
        (0x89, Opcode::Ping),
        (0x8a, Opcode::Pong),
    ] {
        let wire = [first, 0x80, 0x37, 0xfa, 0x21, 0x3d];
        check(&wire, true, Rsv::NONE, opcode, Some(KEY), b"");
        check(&[first, 0x00], true, Rsv::NONE, opcode, None, b"");
    }
}

#[test]
fn close_frames() {
    // spec: VEC-08, C-08
    let (header, body, _) = take_frame(b"\x88\x80\x37\xfa\x21\x3d");
    assert_eq!(header.opcode, Opcode::Close);
    assert_eq!(ClosePayload::parse(&body), Ok(None));
    let (_, body, _) = take_frame(b"\x88\x82\x37\xfa\x21\x3d\x34\x12");
    assert_eq!(
        ClosePayload::parse(&body),
        Ok(Some((CloseCode::NORMAL, "")))
    );
    let (_, body, _) = take_frame(b"\x88\x85\x37\xfa\x21\x3d\x34\x13\x43\x44\x52");
    assert_eq!(
        ClosePayload::parse(&body),
        Ok(Some((CloseCode::GOING_AWAY, "bye")))
    );
}

#[test]
fn bad_close_frames() {
    // spec: VEC-09, C-08, C-09, C-10
    let (_, body, _) = take_frame(b"\x88\x81\x37\xfa\x21\x3d\x34");
    assert_eq!(
        ClosePayload::parse(&body),
        Err(ClosePayloadError::Truncated)
    );
    let (_, body, _) = take_frame(b"\x88\x82\x37\xfa\x21\x3d\x34\x17");
    let no_status = ClosePayloadError::Code(CloseCode::NO_STATUS);
    assert_eq!(ClosePayload::parse(&body), Err(no_status));
    let (_, body, _) = take_frame(b"\x88\x83\x37\xfa\x21\x3d\x34\x12\xde");
    assert_eq!(
        ClosePayload::parse(&body),
        Err(ClosePayloadError::ReasonNotUtf8)
    );
}

#[test]
fn text_that_is_not_utf8() {
    // spec: VEC-10, U-01
    let (_, text, _) = take_frame(b"\x81\x83\x37\xfa\x21\x3d\xf9\x40\xde");
    let error = str_from_utf8(&text).expect_err("ff is never valid");
    assert_eq!(error.position(), Some(2));
    assert_eq!(error.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn greek_text_cut_anywhere() {
    // spec: VEC-11, U-02
    let wire = b"\x81\x8a\x37\xfa\x21\x3d\xf9\x40\xee\xb1\xf8\x79\xef\x81\xf9\x4f";
    let (_, text, _) = take_frame(wire);
    assert_eq!(str_from_utf8(&text), Ok("κόσμε"));
    for cut in 0..=text.len() {
        let mut payload = wire[6..].to_vec();
        let (head, tail) = payload.split_at_mut(cut);
        KEY.apply(0, head);
        KEY.apply(cut, tail);
        let mut validator = Utf8Validator::new();
        assert_eq!(validator.feed(head), Ok(()));
        assert_eq!(
            validator.is_boundary(),
            cut % 2 == 0,
            "each character is two bytes"
        );
        assert_eq!(validator.feed(tail), Ok(()));
        assert_eq!(validator.finish(), Ok(()));
        assert_eq!(payload, text);
    }
}

#[test]
fn compressed_hello() {
    // spec: VEC-12, F-02, M-11
    let wire = b"\xc1\x87\x37\xfa\x21\x3d\xc5\xb2\xec\xf4\xfe\xfd\x21";
    let deflated = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    check(wire, true, Rsv::RSV1, Opcode::Text, Some(KEY), deflated);
}

#[test]
fn several_frames_in_one_buffer() {
    // spec: F-10
    let wire = b"\x81\x05Hello\x81\x05Hello\x81\x05Hello\x81\x85\x37\xfa\x21";
    let mut rest = &wire[..];
    for _ in 0..3 {
        let (header, payload, after) = take_frame(rest);
        assert_eq!(header.opcode, Opcode::Text);
        assert_eq!(payload, b"Hello");
        rest = after;
    }
    assert_eq!(FrameHeader::parse(rest), Ok(None));
}
