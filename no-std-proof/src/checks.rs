//! The RFC's own bytes, through the codec; hidden from the optimizer, so that the code runs.

use core::hint::black_box;

use ws_frame::{
    CloseCode, ClosePayload, ClosePayloadError, FrameHeader, HeaderError, MaskKey, Opcode, Rsv,
    Utf8Validator, str_from_utf8,
};

/// Runs every check; the error is the number of the first that failed.
pub fn run() -> Result<(), u8> {
    check(1, unmasks_hello())?;
    check(2, writes_hello())?;
    check(3, refuses_headers())?;
    check(4, checks_text())?;
    check(5, reads_and_writes_close())
}

fn check(number: u8, passed: bool) -> Result<(), u8> {
    if passed { Ok(()) } else { Err(number) }
}

/// Section 5.7: a single-frame masked text message, "Hello".
fn unmasks_hello() -> bool {
    let mut wire = black_box(*b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    let Ok(Some((header, header_len))) = FrameHeader::parse(&wire) else {
        return false;
    };
    let (Some(key), Some(payload)) = (header.mask, wire.get_mut(header_len..)) else {
        return false;
    };
    key.apply(0, payload);
    (header.fin, header.rsv, header.opcode, header.payload_len)
        == (true, Rsv::NONE, Opcode::Text, 5)
        && str_from_utf8(payload) == Ok("Hello")
}

fn writes_hello() -> bool {
    let header = black_box(FrameHeader {
        fin: true,
        rsv: Rsv::NONE,
        opcode: Opcode::Text,
        mask: Some(MaskKey::new(*b"\x37\xfa\x21\x3d")),
        payload_len: 5,
    });
    let mut payload = [0; 5];
    let masked = header
        .mask
        .is_some_and(|key| key.apply_into(0, b"Hello", &mut payload) == 5);
    masked
        && *header.to_bytes() == *b"\x81\x85\x37\xfa\x21\x3d"
        && payload == *b"\x7f\x9f\x4d\x51\x58"
}

fn refuses_headers() -> bool {
    let refused = |wire: &[u8]| FrameHeader::parse(black_box(wire)).err();
    refused(b"\x83") == Some(HeaderError::ReservedOpcode(3))
        && refused(b"\x09") == Some(HeaderError::FragmentedControl(Opcode::Ping))
        && refused(b"\x89\xfe") == Some(HeaderError::OversizedControl(Opcode::Ping))
        && refused(b"\x82\xfe\x00\x7d") == Some(HeaderError::NonMinimalLength)
        && refused(b"\x82\xff\x80") == Some(HeaderError::LengthOverflow)
}

fn checks_text() -> bool {
    let mut validator = Utf8Validator::new();
    let half = validator.feed(black_box(b"\xce\xba\xe1\xbd")).is_ok();
    let inside = !validator.is_boundary() && validator.finish().is_err();
    let whole = validator.feed(black_box(b"\xb9")).is_ok() && validator.finish().is_ok();
    validator.reset();
    let surrogate = validator
        .feed(black_box(b"\xed\xa0"))
        .err()
        .and_then(|e| e.position());
    half && inside && whole && surrogate == Some(1)
}

fn reads_and_writes_close() -> bool {
    let bye = ClosePayload::new(black_box(CloseCode::GOING_AWAY), black_box("bye"));
    let written = bye.is_ok_and(|bye| {
        bye.as_bytes() == b"\x03\xe9bye"
            && bye.code() == Some(CloseCode::GOING_AWAY)
            && bye.reason() == "bye"
    });
    let read = |body| ClosePayload::parse(black_box(body));
    written
        && read(b"\x03\xe9bye") == Ok(Some((CloseCode::GOING_AWAY, "bye")))
        && read(b"") == Ok(None)
        && read(b"\x03") == Err(ClosePayloadError::Truncated)
        && read(b"\x03\xed") == Err(ClosePayloadError::Code(CloseCode::NO_STATUS))
        && read(b"\x03\xe8\xff") == Err(ClosePayloadError::ReasonNotUtf8)
}
